//! Control commands about connections, channels and the process: what the session's loop serves itself.
//!
//! `server::registry` joins [`controls`] with those of `observe::commands`. Each is a [`Control`]: it writes its reply and
//! says how the session goes on; what concerns every core is a [`super::visit::Visit`]. Commands on keys are not here: they are
//! handlers of `command`. Invariant: a control never touches another core's state directly.

pub mod acl;
pub mod channels;
pub mod client;
pub mod client_kill;
pub mod client_list;
pub mod client_row;
pub mod connection;
pub mod debug;
pub mod debug_stream;
pub mod functions;
pub mod monitor;
pub mod process;
pub mod scripting;
pub mod tracking;

use super::Control;
use super::core::Core;
use crate::command::reply_error::{ReplyError, subcommand_syntax};
use crate::resp::Args;

/// All commands of this room by full name.
pub fn controls() -> Vec<(&'static str, Control)> {
    let lists = [
        connection::CONTROLS,
        client::CONTROLS,
        client_list::CONTROLS,
        client_kill::CONTROLS,
        channels::CONTROLS,
        tracking::CONTROLS,
        monitor::CONTROLS,
        process::CONTROLS,
        debug::CONTROLS,
        acl::CONTROLS,
        scripting::CONTROLS,
        functions::CONTROLS,
        super::save_points::CONTROLS,
        super::stop::CONTROLS,
        super::rewriting::CONTROLS,
    ];
    lists.concat()
}

/// The error whose text is made at run time.
pub(crate) fn fail(core: &mut Core, text: impl Into<Vec<u8>>) -> ReplyError {
    core.outcome.error_text = text.into();
    ReplyError::Formatted
}

/// Refuses more than `count` words as redis does where the arity leaves the end open.
pub(crate) fn at_most(core: &mut Core, args: &Args<'_>, count: usize) -> Result<(), ReplyError> {
    if args.len() <= count {
        return Ok(());
    }
    let text = subcommand_syntax(args);
    Err(fail(core, text))
}

/// Whether `word` is `name` in any case.
#[inline]
pub(crate) fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}
