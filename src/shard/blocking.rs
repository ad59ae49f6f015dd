//! Blocked clients as the shards in hand see them: who registers where, who is served next, and which shards serving may need.
//!
//! Called by `session::blocking` (registration) and `session::offer` (serving) with the keys' shards in hand; `session::run` asks
//! [`missing_cores`] before a command or transaction begins. Invariant: a waiter is registered on the shard of each of its keys, whichever shards that takes, before
//! any of them is released. Bounds: [`missing_cores`] follows each key once.
//!
//! **Why the lock set is widened beforehand.** Serving BLMOVE a -> b after a push to `a` writes to `b`, which may be on another core; who waits
//! for `b` may feed `c`, and so on. After the push it would be too late to ask for another shard: its holder may be waiting for ours. So before
//! the first step the waiters of the keys at hand are asked what they feed; if a shard is missing, all are given back and a larger set is collected from
//! scratch, in ascending order, and asked again. The set only grows, so this ends after at most one round per core; while the shards are in
//! hand nobody can register on them, so what was found covers everything that serving can need. One branch while nobody waits in BLMOVE.

use super::Shard;
use super::lending::CoreSet;
use crate::base::slot::key_slot;
use crate::command::SlotMap;
use crate::keyspace::{Access, Key, Ready, Waiter};

/// Shards in hand by core.
pub type InHand<'a> = &'a mut [Option<Box<Shard>>];

/// Cores whose shards serving the waiters of the `known` keys may need beyond those `shard_of` finds in hand.
pub fn missing_cores<'s>(
    map: &SlotMap,
    shard_of: impl Fn(usize) -> Option<&'s Shard>,
    mut known: Vec<Box<[u8]>>,
) -> CoreSet {
    let mut missing = CoreSet::default();
    let mut at = 0;
    while at < known.len() {
        let core = map.core_of(key_slot(&known[at]));
        let Some(shard) = shard_of(core) else {
            // What this key's waiters feed is asked when its shard is in hand.
            missing.insert(core);
            at += 1;
            continue;
        };
        let waiters = &shard.space.common.waiters;
        let fed: Vec<Box<[u8]>> = match waiters.has_wide() {
            true => waiters.fed_by(&known[at]).map(Box::from).collect(),
            false => Vec::new(),
        };
        for key in fed {
            if !known.contains(&key) {
                known.push(key);
            }
        }
        at += 1;
    }
    missing
}

/// Who is to be served next from a ready key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number in the key's queue.
    pub number: u64,
    /// Client id.
    pub client: u64,
    /// Home core.
    pub home: usize,
    /// Connection slot there.
    pub conn: u32,
    /// Which of the client's blocked commands it is.
    pub ticket: u64,
    /// Slot of the second key that serving it writes to.
    pub feeds: Option<u16>,
}

/// The first waiter behind number `after` whom the key, as it is now, may serve.
pub fn next_candidate(shard: &mut Shard, ready: &Ready, after: u64, now_ms: u64) -> Option<Candidate> {
    let waiters = &shard.space.common.waiters;
    if waiters.is_empty() {
        return None;
    }
    // `peek` leaves an overdue key where it is: hidden, it serves nobody, and whoever touches it next removes it.
    let entry = shard.space.dict(ready.db).find(&Key::new(&ready.key));
    let entry = entry.filter(|entry| !entry.is_expired(now_ms));
    let (number, waiter) = waiters.next(ready, after, entry)?;
    let Waiter { client, home, conn, ticket, .. } = *waiter;
    let feeds = waiter.feeds.as_deref().map(key_slot);
    Some(Candidate { number, client, home, conn, ticket, feeds })
}

/// Takes a registration off its shard.
pub fn forget(shard: &mut Shard, db: usize, key: &[u8], number: u64) {
    shard.space.common.waiters.remove(db, key, number);
}

/// How keys are looked at for a client that is served: nothing is counted as a hit or miss of its own.
pub fn access(now_ms: u64) -> Access {
    let mut access = Access::at(now_ms);
    access.count_stats = false;
    access
}
