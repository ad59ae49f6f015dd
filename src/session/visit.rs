//! Commands that ask or change every core: the session visits them one after another and replies where it began.
//!
//! Used by INFO, CLIENT LIST and KILL, CONFIG SET, SLOWLOG, LATENCY, MONITOR, SHUTDOWN and the like. `session::run` drives the
//! journey. Invariant: every core is visited exactly once, the origin first (or the session's home last). Bounds: the number of cores.
//! Why a journey and not a broadcast with a counter: no state waits anywhere, and replies need no joining.

use super::Session;
use super::core::Core;
use crate::base::ticks;
use crate::command::lookup::Command;
use crate::resp::{Args, OwnedCommand};
use crate::shard::Shard;

/// What is done on each core.
pub trait Visit: Send {
    /// On every core, the origin first.
    fn at(&mut self, core: &mut Core, session: &mut Session);
    /// Back at the origin: writes the reply.
    fn finish(self: Box<Self>, core: &mut Core, session: &mut Session);
    /// Whether [`Visit::at`] reads the core's shard, so that a visitor waits for one that is lent. A command that visits this way
    /// takes all shards when it is queued in MULTI (`admit::queue`): within a transaction it must not wait.
    fn needs_shard(&self) -> bool {
        false
    }
    /// Whether the session's home core comes last, after which the journey is over unless a transaction has to go on elsewhere:
    /// for what the home side of the connection must see when all other cores know it already.
    fn ends_at_home(&self) -> bool {
        false
    }
    /// How many cores are visited: all once, unless the visit ends at home and says otherwise (fewer, or several laps).
    fn stops(&self, cores: usize) -> usize {
        cores
    }
}

/// A visit under way.
pub struct VisitState {
    /// What is asked.
    pub visit: Box<dyn Visit>,
    /// Where it began.
    pub origin: usize,
    /// Cores done.
    pub done: usize,
    /// The command it serves.
    pub command: Command,
    /// Its words, for the slow log.
    pub words: OwnedCommand,
    /// Clock ticks spent so far, on all cores.
    pub ticks: u64,
}

impl VisitState {
    /// A visit that begins on core `origin`, for a command that has taken `ticks` so far.
    pub fn new(
        visit: Box<dyn Visit>,
        origin: usize,
        command: Command,
        args: &Args<'_>,
        ticks: u64,
    ) -> VisitState {
        VisitState { visit, origin, done: 0, command, words: OwnedCommand::from_args(args), ticks }
    }

    /// The core whose turn it is, or where the journey ends.
    fn target(&self, cores: usize, session: &Session) -> usize {
        let stops = self.visit.stops(cores);
        match (self.done < stops, self.visit.ends_at_home()) {
            (true, true) => (session.home + (cores - (stops - 1 - self.done) % cores)) % cores,
            (true, false) => (self.origin + self.done) % cores,
            (false, true) if session.exec.is_none() => session.home,
            (false, _) => self.origin,
        }
    }

    /// Writes the reply and books the command.
    fn finish(self, core: &mut Core, session: &mut Session) {
        let started = ticks::now();
        let mark = session.out.mark();
        self.visit.finish(core, session);
        let failed = session.out.since(mark).first() == Some(&b'-');
        if failed {
            core.stats.count_error_reply(session.out.since(mark));
        }
        let ticks = self.ticks + ticks::now().wrapping_sub(started);
        core.account_visit(session, self.command, &self.words.args(), ticks, failed);
    }
}

/// Where a visit goes next.
pub enum Journey {
    /// To this core.
    On(usize),
    /// It waits here for the shard.
    Wait,
    /// It is over; the reply is written.
    Over,
}

/// This core's shard, at home or in the visitor's own hands.
pub fn shard_of<'a>(core: &'a mut Core, session: &'a mut Session) -> Option<&'a mut Shard> {
    let id = core.id();
    let lent = session.lent.as_mut().and_then(|lent| lent.shards_mut()[id].as_deref_mut());
    lent.or(core.shard.as_deref_mut())
}

/// Goes one step on this core.
pub fn step(core: &mut Core, session: &mut Session, mut state: Box<VisitState>) -> Journey {
    let cores = core.cores();
    while state.done < state.visit.stops(cores) && state.target(cores, session) == core.id() {
        if state.visit.needs_shard() && session.lent.is_none() && core.shard.is_none() {
            session.visit = Some(state);
            return Journey::Wait;
        }
        let started = ticks::now();
        state.visit.at(core, session);
        state.ticks += ticks::now().wrapping_sub(started);
        state.done += 1;
    }
    let target = state.target(cores, session);
    if target != core.id() {
        session.visit = Some(state);
        return Journey::On(target);
    }
    state.finish(core, session);
    Journey::Over
}
