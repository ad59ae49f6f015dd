//! Blocked clients at home: how a session comes to wait, and every way it stops waiting other than being served.
//!
//! A handler that finds nothing asks to block (`command::blocking`); with the shards of its keys still in hand [`begin`] registers the client on each
//! of them, and the session goes home to be parked ([`Core::park_blocked`]): its words are kept, the command counts as taken from the input, what was pipelined
//! behind it stays unexecuted. It goes on when it is served (`session::offer`), when its time is over ([`Core::expire_blocked`]), by CLIENT UNBLOCK, or never,
//! when the connection ends ([`abandon`]).
//!
//! Invariant: **exactly one of these happens, because all of them are decided on the home core, by whoever takes the parked session out of its connection.** A
//! registration that outlives its ticket is harmless: an offer finds the client gone. Bounds: one [`Blocked`] per client; a turn ends as many waits
//! as its share allows. Why a sorted set of deadlines: a wait that is served must leave it at once, or a busy queue would fill it.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::core::{Core, Message};
use super::offer::Offer;
use super::{Session, client_flag, gate, run};
use crate::base::clock;
use crate::command::blocking::{BlockSpec, OnTimeout};
use crate::command::keys::wait::NO_FILE;
use crate::command::lookup::Command;
use crate::command::reply_error::ReplyError;
use crate::keyspace::{Key, Waiter};
use crate::resp::{Args, OwnedCommand};
use crate::shard::Shard;
use crate::shard::blocking as registry;
use crate::shard::execute::Hands;

/// A command that waits.
pub struct Blocked {
    /// Which of the client's blocked commands it is.
    pub ticket: u64,
    /// The command.
    pub command: Command,
    /// Its words, as they will be executed.
    pub words: OwnedCommand,
    /// Internal ms at which it gives up; 0: never.
    pub deadline_ms: u64,
    on_timeout: OnTimeout,
    /// It is served once the append-only file has what the client wrote.
    pub ends_locally: bool,
    /// That is before this stream offset; `None`: not known yet.
    pub local_to: Option<u64>,
    /// It has come home and is counted there.
    parked: bool,
    db: usize,
    keys: SmallVec<[WaitsFor; 1]>,
}

/// A registration.
struct WaitsFor {
    key: Box<[u8]>,
    core: usize,
    number: u64,
}

/// A registration to drop.
pub struct Forget {
    db: usize,
    key: Box<[u8]>,
    number: u64,
}

impl Forget {
    /// Takes the registration off its shard.
    pub fn release_on(&self, shard: &mut Shard) {
        registry::forget(shard, self.db, &self.key, self.number);
    }
}

/// The blocked clients of one core.
#[derive(Default)]
pub struct BlockedClients {
    /// How many are parked here.
    pub count: usize,
    /// (deadline, connection, ticket) of those that will give up.
    deadlines: BTreeSet<(u64, u32, u64)>,
    /// Offers that came before the session they are for.
    pub early: Vec<Box<Offer>>,
    /// Registrations to drop when the shard is home again.
    pub forget_later: Vec<Forget>,
}

impl BlockedClients {
    /// How many have a deadline.
    pub fn with_deadline(&self) -> usize {
        self.deadlines.len()
    }

    /// In how many milliseconds the first one's time is over, 0 if it is; `None` if nobody waits for a time (then the clock is not read).
    #[inline]
    pub fn next_due_in(&self) -> Option<u64> {
        // Never early: the clock is cut to milliseconds, so the one that is named must have passed.
        self.deadlines
            .first()
            .map(|&(deadline_ms, ..)| deadline_ms.saturating_add(1).saturating_sub(clock::now_ms()))
    }

    /// Whether somebody's time is over.
    #[inline]
    pub fn has_due(&self) -> bool {
        self.next_due_in() == Some(0)
    }
}

/// Registers the client for the keys of `spec`, whose shards are in hand. The session is to go home now.
pub fn begin(
    core: &Core,
    session: &mut Session,
    command: Command,
    args: &Args<'_>,
    spec: BlockSpec,
    hands: &mut Hands<'_>,
) {
    session.blocks += 1;
    let db = session.client.db;
    let mut keys: SmallVec<[WaitsFor; 1]> = SmallVec::new();
    for (key, probe) in spec.keys {
        let owner = core.map.core_of(Key::new(&key).slot);
        let shard = match hands {
            Hands::One(shard) => Some(&mut **shard),
            Hands::Many(_, shards, _) => shards[owner].as_deref_mut(),
        };
        let Some(shard) = shard.filter(|_| keys.iter().all(|known| known.key != key)) else { continue };
        let waiter = Waiter {
            client: session.id,
            home: session.home,
            conn: session.conn,
            ticket: session.blocks,
            kind: spec.kind,
            on_nokey: spec.on_nokey,
            feeds: spec.feeds.clone(),
            probe,
        };
        let number = shard.space.common.waiters.add(db, &key, waiter);
        keys.push(WaitsFor { key, core: owner, number });
    }
    session.client.flags |= client_flag::BLOCKED;
    session.blocked = Some(Box::new(Blocked {
        ticket: session.blocks,
        command,
        words: spec.words.unwrap_or_else(|| OwnedCommand::from_args(args)),
        deadline_ms: spec.deadline_ms,
        on_timeout: spec.on_timeout,
        ends_locally: spec.ends_locally,
        local_to: None,
        parked: false,
        db,
        keys,
    }));
}

/// Ends a wait: the client is counted no more and its registrations go, those on shards in `hand` at once.
pub fn end(core: &mut Core, session: &mut Session, hand: registry::InHand<'_>) -> Option<Box<Blocked>> {
    let mut blocked = session.blocked.take()?;
    session.client.flags &= !client_flag::BLOCKED;
    if blocked.parked {
        core.blocked.count -= 1;
        core.blocked.deadlines.remove(&(blocked.deadline_ms, session.conn, blocked.ticket));
    }
    let is_own = |owner: usize| owner == core.id();
    let (own_keys, other_keys): (Vec<_>, Vec<_>) =
        blocked.keys.drain(..).partition(|waits| is_own(waits.core));
    for WaitsFor { key, core: owner, number } in own_keys {
        let forget = Forget { db: blocked.db, key, number };
        match hand.get_mut(owner).and_then(|shard| shard.as_deref_mut()).or(core.shard.as_deref_mut()) {
            Some(shard) => forget.release_on(shard),
            None => core.blocked.forget_later.push(forget),
        }
    }
    for WaitsFor { key, core: owner, number } in other_keys {
        let forget = Forget { db: blocked.db, key, number };
        match hand.get_mut(owner).and_then(|shard| shard.as_deref_mut()) {
            Some(shard) => forget.release_on(shard),
            None => core.mesh.send(owner, Message::Forget(Box::new(forget))),
        }
    }
    Some(blocked)
}

/// The connection of a session has ended: nobody waits any more.
pub fn abandon(core: &mut Core, session: &mut Session) {
    end(core, session, &mut []);
}

/// How a wait ends without success. What CLIENT UNBLOCK ended counts as a failed call, as in redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblock {
    /// Its time is over.
    Deadline,
    /// As if it were.
    Timeout,
    /// With an error.
    Error,
    /// The append-only file has what it waits for.
    Local,
    /// There is no append-only file any more.
    NoFile,
}

impl Core {
    /// A blocked session has come home: it waits in its connection.
    pub fn park_blocked(&mut self, mut session: Box<Session>) {
        let (index, pending) = (session.conn, !session.out.is_empty());
        let stays = gate::still_may(&self.users, &mut session);
        let Some(blocked) = &mut session.blocked else { return };
        blocked.parked = true;
        let (ticket, deadline_ms) = (blocked.ticket, blocked.deadline_ms);
        let asks_file = blocked.on_timeout.is_of_file();
        let Some(conn) = self.connections.get_mut(index) else { return };
        conn.blocks_seen = ticket;
        conn.session = Some(session);
        let ended = conn.closing;
        self.blocked.count += 1;
        if deadline_ms != 0 {
            self.blocked.deadlines.insert((deadline_ms, index, ticket));
        }
        if asks_file {
            self.await_local(index, ticket);
        }
        self.note_memory(index);
        if !stays {
            return self.kill(index);
        }
        if pending || ended {
            self.mark_dirty(index);
        }
    }

    /// Ends the waits whose time is over, as many as this part of the turn allows.
    pub fn expire_blocked(&mut self) {
        while let Some(&(deadline_ms, index, ticket)) = self.blocked.deadlines.first()
            && deadline_ms < self.now_ms
            && !self.part_is_over()
        {
            if !self.end_wait(index, ticket, Unblock::Deadline) {
                self.blocked.deadlines.remove(&(deadline_ms, index, ticket));
            }
            self.last_tick = crate::base::ticks::now();
        }
    }

    /// CLIENT UNBLOCK for client `id`, if it is at home here and blocked; whether it was.
    pub fn unblock_client(&mut self, id: u64, how: Unblock) -> bool {
        let found = self.connections.iter().find(|(_, conn)| conn.id == id && !conn.dead);
        let waits = found.and_then(|(index, conn)| {
            let blocked = conn.session.as_ref()?.blocked.as_ref()?;
            Some((index, blocked.ticket))
        });
        waits.is_some_and(|(index, ticket)| self.end_wait(index, ticket, how))
    }

    /// Ends the wait `ticket` of connection `index` with the reply for an empty hand; false if there is none.
    pub(super) fn end_wait(&mut self, index: u32, ticket: u64, how: Unblock) -> bool {
        let Some(conn) = self.connections.get_mut(index) else { return false };
        let is_it = |session: &mut Box<Session>| {
            session.blocked.as_ref().is_some_and(|blocked| blocked.ticket == ticket)
        };
        let Some(mut session) = conn.session.take_if(is_it) else { return false };
        session.reply_mark = session.out.mark();
        let Some(blocked) = end(self, &mut session, &mut []) else { return false };
        let has_locally =
            self.settings.appendonly && blocked.local_to.is_some_and(|until| until <= self.durable());
        if matches!(how, Unblock::Timeout | Unblock::Error) {
            self.stats.by_command[blocked.command.id as usize].failed += 1;
        }
        match (how, blocked.on_timeout) {
            (Unblock::Error, _) => {
                let text = ReplyError::Unblocked.text(b"");
                session.out.error_bytes(text);
                self.stats.count_error_reply(text);
            }
            (Unblock::NoFile, _) => {
                let text = ReplyError::Text(NO_FILE).text(b"");
                session.out.error_bytes(text);
                self.stats.count_error_reply(text);
            }
            (_, on_timeout) => on_timeout.write(&mut session.out, has_locally),
        }
        run::go_on(self, session);
        true
    }
}
