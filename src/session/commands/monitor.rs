//! MONITOR: every command of every core, as it runs, to whoever asked.
//!
//! A visit registers the client on each core; `Core::feed_monitors` sends the lines. Invariant: a client is registered once.
//! Bounds: the output buffer limit of the client.

use super::super::core::Core;
use super::super::visit::Visit;
use super::super::{Control, Flow, Session, client_flag};
use crate::command::reply_error::ReplyError;
use crate::resp::Args;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[("monitor", monitor)];

/// Registers the caller on every core.
struct Watch;

impl Visit for Watch {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        core.monitors.push((session.home, session.conn, session.id));
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.ok();
    }
}

fn monitor(_: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    if session.client.flags & client_flag::EXECUTING != 0 {
        return Err(ReplyError::Text("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    if session.client.flags & client_flag::MONITOR != 0 {
        // As in redis, the second MONITOR is not even answered.
        return Ok(Flow::Done);
    }
    session.client.flags |= client_flag::MONITOR;
    Ok(Flow::Visit(Box::new(Watch)))
}
