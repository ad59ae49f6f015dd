//! Cache prefetch over everything a turn has at hand: keys of commands just received, sessions just arrived.
//!
//! Called by `session::core` at the head of a turn; single commands of different connections, and sessions of different clients, are the only
//! misses that can overlap without pipelining. Invariant: no effect but on caches. Bounds: what one turn has reaped.
//! See `lookahead` for the keys within one pipeline.

use smallvec::SmallVec;

use super::core::{Core, Message};
use super::lookahead;
use crate::base::cache;
use crate::keyspace::Key;
use crate::runtime::ring::Op;

impl Core {
    /// Asks the cache for the keys of single commands that have just been received on several connections: without pipelining
    /// the misses of different connections are the only ones that can overlap. (A longer input makes a plan of its own.)
    pub(super) fn fetch_received(&self, first: usize) {
        if self.completions.len() - first < 2 {
            return;
        }
        let Some(shard) = self.shard.as_deref() else { return };
        let mut keys = SmallVec::<[(usize, Key<'static>); 24]>::new();
        for completion in self.completions.range(first..) {
            let (Op::Recv, Some(buffer)) = (completion.token.op, completion.buffer) else { continue };
            let (data, len) = self.ring.buffer(buffer, completion.result.max(0) as usize);
            // SAFETY: the buffer is ours from its completion until `receive` recycles it, later in this turn or the next.
            let input = unsafe { std::slice::from_raw_parts(data, len) };
            let session =
                self.connections.get(completion.token.index).and_then(|conn| conn.session.as_deref());
            if let (Some(key), Some(session)) = (lookahead::first_key(input), session) {
                let db = session.client.db;
                shard.space.dict(db).prefetch(&key);
                keys.push((db, key));
            }
        }
        keys.iter().for_each(|(db, key)| shard.space.dict(*db).prefetch_entry(key));
    }

    /// Asks the cache for what the sessions that have just arrived will need: their lines are in another core's cache, and
    /// their keys in none. Stage by stage over all of them, so that the misses overlap.
    pub(super) fn fetch_arrivals(&self, first: usize) {
        let arrivals = || {
            self.inbox.range(first..).filter_map(|message| match message {
                Message::Session(session) => Some(session),
                _ => None,
            })
        };
        if self.inbox.len() == first {
            return;
        }
        arrivals().for_each(|session| cache::prefetch_value(&**session));
        let shard = self.shard.as_deref();
        for session in arrivals() {
            session.reader.prefetch();
            session.out.prefetch();
            session.plan.prefetch();
        }
        let Some(shard) = shard else { return };
        for session in arrivals().filter(|session| !session.homeward) {
            let dict = shard.space.dict(session.client.db);
            session.plan.own_run(&self.map, self.id()).for_each(|key| dict.prefetch(&key));
        }
        for session in arrivals().filter(|session| !session.homeward) {
            let dict = shard.space.dict(session.client.db);
            session.plan.own_run(&self.map, self.id()).for_each(|key| dict.prefetch_entry(&key));
        }
    }
}
