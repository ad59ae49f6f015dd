//! Commands that ask or change every core: the session visits them one after another and replies where it began.
//!
//! Used by INFO, CLIENT LIST and KILL, CONFIG SET, SLOWLOG, LATENCY, MONITOR, SHUTDOWN and the like. `session::run` drives the
//! journey. Invariant: every core is visited exactly once, the origin first. Bounds: the number of cores.
//! Why a journey and not a broadcast with a counter: no state waits anywhere, and replies need no joining.

use super::Session;
use super::core::Core;

/// What is done on each core.
pub trait Visit: Send {
    /// On every core, the origin first.
    fn at(&mut self, core: &mut Core, session: &mut Session);
    /// Back at the origin: writes the reply.
    fn finish(self: Box<Self>, core: &mut Core, session: &mut Session);
}

/// A visit under way.
pub struct VisitState {
    /// What is asked.
    pub visit: Box<dyn Visit>,
    /// Where it began.
    pub origin: usize,
    /// Cores done.
    pub done: usize,
}

/// Where a visit goes next.
pub enum Journey {
    /// To this core.
    On(usize),
    /// It is over; the reply is written.
    Over,
}

/// Goes one step on this core.
pub fn step(core: &mut Core, session: &mut Session, mut state: Box<VisitState>) -> Journey {
    let cores = core.cores();
    if state.done < cores {
        state.visit.at(core, session);
        state.done += 1;
        let next = (state.origin + state.done) % cores;
        if cores > 1 {
            session.visit = Some(state);
            return Journey::On(next);
        }
    }
    state.visit.finish(core, session);
    Journey::Over
}
