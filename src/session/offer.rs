//! An offer: keys that a command or transaction has made ready go round to those who wait for them, before anybody else may touch them.
//!
//! `session::run` makes one when a unit has ended and some waited-for key came into being (or went); upkeep when such a key has expired. The offer keeps
//! the unit's shards, and the session that made the keys ready, and *travels to the home core of the first waiter*: there the waiter's parked session is
//! taken out of its connection, its command is executed with the shards in hand, and its reply leaves from there. Then the next waiter, the next
//! key, what serving made ready in turn (BLMOVE), until nobody is left who can be served; then the shards and the session go home.
//!
//! ```text
//! LPUSH k v on core 1 ──unit ends, k is ready──> Offer{shard 1, ready [k], pusher} ──> core 2, home of the first waiter:
//!     its BLPOP runs on shard 1, effects to the unit's log as a unit of their own, reply ──> … ──> shard 1 home, pusher goes on
//! ```
//! **Order.** Meanwhile the shards are lent, so nobody sees an element that is on its way; the pusher's reply leaves last, so it never overtakes what it
//! caused. Waiters are asked in order of arrival, keys in the order in which they became ready, and a waiter of several keys is served from the first (as redis:
//! its `handleClientsBlockedOnKeys` runs after each command). The pusher's unit stands in the log before those of the served.
//!
//! **One winner.** A waiter is served on its home core by taking its parked session; whoever comes second finds it gone. An offer that comes before a session
//! which is still on its way home (its ticket has not been seen there) waits for it; sessions on their way home wait for nothing.
//!
//! **No deadlock.** An offer never asks for a shard: all that serving can need was collected before the unit began (`shard::blocking::missing_cores`). So whoever holds
//! shards here lets go of them after a bounded number of messages.
//!
//! Invariant: an offer is owned by one core or message; every log in its hands is sealed before it, or a message of its turn, leaves. Bounds: a step serves as many as its part
//! of the turn allows and at least one. Why not ask the waiter to come: two messages instead of three, and no claim that could be answered late.

use std::collections::VecDeque;

use super::core::{Core, Message};
use super::{Session, blocking, run};
use crate::base::slot::key_slot;
use crate::base::ticks;
use crate::command::blocking::Blocking;
use crate::keyspace::Ready;
use crate::shard::Shard;
use crate::shard::blocking::{Candidate, access, forget, next_candidate};
use crate::shard::execute::{Hands, close_unit, seal};
use crate::shard::lending::{CoreSet, Lent};

/// See the module's text.
pub struct Offer {
    lent: Lent,
    ready: VecDeque<Ready>,
    /// The first key's turn has begun.
    begun: bool,
    /// Its waiters up to this number have been asked.
    after: u64,
    /// Who made the keys ready.
    session: Option<Box<Session>>,
}

/// How a step ended.
enum End {
    /// Nobody is left.
    Done,
    /// The next waiter is at home there.
    Travel(usize),
    /// The next waiter is still on its way here.
    Early,
    /// Others first.
    Rest,
}

impl Offer {
    /// An offer of what the shard of core `at` lists as ready, with all of `lent` in hand.
    pub fn new(mut lent: Lent, at: usize) -> Box<Offer> {
        let ready = lent.shards_mut()[at].as_deref_mut().map(|shard| shard.space.common.waiters.take_ready());
        let ready = ready.unwrap_or_default().into();
        Box::new(Offer { lent, ready, begun: false, after: 0, session: None })
    }

    /// An offer with one shard in hand.
    pub fn of_one(shard: Box<Shard>, cores: usize) -> Box<Offer> {
        let at = shard.core;
        let mut wanted = CoreSet::default();
        wanted.insert(at);
        let mut lent = Lent::new(wanted, cores);
        lent.take(shard);
        Offer::new(lent, at)
    }

    /// The session that goes on when the offer is over.
    pub fn carry(&mut self, session: Box<Session>) {
        self.session = Some(session);
    }
}

/// Goes on with an offer on this core.
pub fn step(core: &mut Core, mut offer: Box<Offer>) {
    let end = serve_some(core, &mut offer);
    for shard in offer.lent.shards_mut().iter_mut().flatten() {
        seal(shard);
    }
    match end {
        End::Travel(to) => core.mesh.send(to, Message::Offer(offer)),
        End::Early => core.blocked.early.push(offer),
        End::Rest => core.inbox.push_back(Message::Offer(offer)),
        End::Done => {
            let Offer { lent, session, .. } = *offer;
            run::send_home(core, lent);
            if let Some(session) = session {
                core.inbox.push_back(Message::Resume(session));
            }
        }
    }
}

fn serve_some(core: &mut Core, offer: &mut Offer) -> End {
    let map = core.map.clone();
    let mut served = false;
    while let Some(ready) = offer.ready.front() {
        let owner = map.core_of(key_slot(&ready.key));
        let Some(shard) = offer.lent.shards_mut()[owner].as_deref_mut() else {
            unreachable!("a key is made ready by whoever has its shard in hand")
        };
        if !offer.begun {
            offer.begun = true;
            offer.after = 0;
            shard.space.common.waiters.begin(ready);
        }
        let Some(candidate) = next_candidate(shard, ready, offer.after, core.now_ms) else {
            offer.begun = false;
            offer.ready.pop_front();
            continue;
        };
        let fed = candidate.feeds.map(|slot| map.core_of(slot));
        if fed.is_some_and(|fed| offer.lent.shards_mut()[fed].is_none()) {
            // `widen` has seen to it that this cannot be. Were it to happen, this waiter would be passed over.
            debug_assert!(false, "a shard that serving needs is missing");
            offer.after = candidate.number;
            continue;
        }
        if candidate.home != core.id() {
            return End::Travel(candidate.home);
        }
        if served && core.part_is_over() {
            return End::Rest;
        }
        match take_waiter(core, &candidate) {
            Taken::Session(session) => serve(core, offer, session),
            Taken::Early => return End::Early,
            Taken::Gone => {
                let Some(Ready { db, key }) = offer.ready.front() else { return End::Done };
                if let Some(shard) = offer.lent.shards_mut()[owner].as_deref_mut() {
                    forget(shard, *db, key, candidate.number);
                }
            }
        }
        served = true;
        offer.after = candidate.number;
    }
    End::Done
}

/// What was found where a waiter should be.
enum Taken {
    /// Its session, blocked as registered.
    Session(Box<Session>),
    /// It does not wait any more.
    Gone,
    /// It has not come home yet.
    Early,
}

fn take_waiter(core: &mut Core, candidate: &Candidate) -> Taken {
    let known = core.connections.get_mut(candidate.conn).filter(|conn| conn.id == candidate.client);
    let Some(conn) = known.filter(|conn| !conn.dead && !conn.closing) else { return Taken::Gone };
    let waits = |session: &mut Box<Session>| {
        session.blocked.as_ref().is_some_and(|blocked| blocked.ticket == candidate.ticket)
    };
    match conn.session.take_if(waits) {
        Some(session) => Taken::Session(session),
        None if conn.blocks_seen < candidate.ticket => Taken::Early,
        None => Taken::Gone,
    }
}

/// Executes a waiter's command for the first ready key.
fn serve(core: &mut Core, offer: &mut Offer, mut session: Box<Session>) {
    let (Some(ready), Some(blocked)) = (offer.ready.front(), session.blocked.take()) else { return };
    let Some(handler) = blocked.command.row.handler else { return };
    let (started, mark) = (ticks::now(), session.out.mark());
    session.reply_mark = mark;
    core.outcome.blocking =
        Blocking { may_block: true, woken_by: Some(ready.key.clone()), ..Blocking::default() };
    let map = core.map.clone();
    let args = blocked.words.args();
    // One log for the whole offer, the unit's: places in the stream are given out when a log is sealed, so two would lose the order.
    let log_at = offer.lent.log_at();
    let mut hands = Hands::Many(&map, offer.lent.shards_mut(), log_at);
    let access = access(core.now_ms);
    let failed =
        run::call_handler(core, &mut session, blocked.command.row, handler, &args, &mut hands, access);
    let wish = std::mem::take(&mut core.outcome.blocking).block;
    if let Some(shard) = offer.lent.shards_mut()[log_at].as_deref_mut() {
        close_unit(shard);
        offer.ready.extend(shard.space.common.waiters.take_ready());
    }
    let command = blocked.command;
    if failed {
        core.stats.count_error_reply(session.out.since(mark));
    }
    core.account_served(&session, command, &args, started, failed);
    session.blocked = Some(blocked);
    if wish.is_some() {
        // Still empty-handed: it keeps its place.
        if let Some(conn) = core.connections.get_mut(session.conn) {
            conn.session = Some(session);
        }
        return;
    }
    blocking::end(core, &mut session, offer.lent.shards_mut());
    run::go_on(core, session);
}
