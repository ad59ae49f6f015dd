//! Control commands about the server itself: INFO, CONFIG, COMMAND, SLOWLOG, LATENCY, MEMORY, and every HELP.
//!
//! `server::registry` joins [`controls`] with those of the session. What concerns every core is a visit. Invariant: none of
//! them touches a key.

mod config;
mod latency;
mod latency_doctor;
mod memory;
mod slowlog;

use std::sync::Arc;

use super::info;
use crate::command::describe;
use crate::command::reply_error::ReplyError;
use crate::resp::Args;
use crate::session::core::Core;
use crate::session::{Control, Flow, Session};

/// COMMAND and every HELP, and INFO.
const CONTROLS: &[(&str, Control)] = &[
    ("info", info::info),
    ("command", command),
    ("command|count", command),
    ("command|docs", command),
    ("command|getkeys", command),
    ("command|getkeysandflags", command),
    ("command|info", command),
    ("command|list", command),
    ("command|help", help),
    ("client|help", help),
    ("config|help", help),
    ("latency|help", help),
    ("memory|help", help),
    ("pubsub|help", help),
    ("slowlog|help", help),
];

/// All commands of this room by full name.
pub fn controls() -> Vec<(&'static str, Control)> {
    [CONTROLS, config::CONTROLS, latency::CONTROLS, memory::CONTROLS, slowlog::CONTROLS].concat()
}

fn command(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let shared = Arc::clone(&core.shared);
    describe::run(&shared.table, args, &mut session.out)?;
    Ok(Flow::Done)
}

fn help(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let Ok(command) = core.shared.table.find(args) else { return Err(ReplyError::Syntax) };
    describe::write_help(command.row.container, args.get(0), &mut session.out);
    Ok(Flow::Done)
}
