//! What a command must pass before it runs: known, right arity, authenticated, allowed here, memory, MULTI.
//!
//! `session::run` calls [`admit`] once per command, in the order of redis' processCommand, so that the same mistake gets the same error.
//! Invariant: a refused command has no effect but its error (and aborts an open MULTI). Bounds: none.
//! Why before any hop: a refusal must not cost another core anything.

use std::sync::atomic::Ordering;

use super::core::Core;
use super::loading::LOADING;
use super::multi::{self, Queued};
use super::pause::may_write;
use super::save_points::refusal;
use super::{Session, applied, client_flag, gate, route};
use crate::command::lookup::Command;
use crate::command::reply_error::ReplyError;
use crate::command::row::{Row, flag};
use crate::resp::{Args, OwnedCommand};
use crate::shard::lending::CoreSet;

/// What a connection from outside is told in protected mode (redis' text).
pub const PROTECTED_MODE_TEXT: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n";

/// Whether a command may run now.
pub enum Verdict {
    /// It may.
    Run(Command),
    /// It was refused, or queued: the reply is written.
    Answered,
    /// It waits for CLIENT UNPAUSE; nothing was written.
    Paused,
    /// It is to be admitted on the session's home core; nothing was written.
    GoHome,
}

/// Checks the command at the head of the session's input.
pub fn admit(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Verdict {
    session.client.last_active_ms = core.now_ms;
    session.client.flags &= !client_flag::PAUSED;
    if session.client.flags & client_flag::APPLIES != 0 {
        return applied::admit(core, session, args);
    }
    forget_caching(session, session.client.last_command);
    let command = match core.shared.table.find(args) {
        Ok(command) => command,
        Err(unknown) => {
            forget_caching(session, None);
            core.stats.count_error("ERR");
            session.out.error_bytes(&unknown.bytes(args));
            if let Some(multi) = session.multi.as_mut() {
                multi.aborted = true;
            }
            return Verdict::Answered;
        }
    };
    let row = command.row;
    if !row.arity_fits(args.len()) {
        return refuse(core, session, command, crate::command::reply_error::wrong_arity(row));
    }
    if let Some(text) = gate::protected(core, session, row) {
        return refuse(core, session, command, text);
    }
    if session.client.acl_tag != core.acl_tag
        && let Some(verdict) = gate::judge(core, session, command, args)
    {
        return verdict;
    }
    if row.flags.has(flag::NO_MULTI) && session.multi.is_some() {
        return refuse(core, session, command, "ERR Command not allowed inside a transaction");
    }
    if core.settings.maxmemory > 0 && !core.make_room() && grows_memory(session, row) {
        return refuse(core, session, command, ReplyError::OutOfMemory.text(b""));
    }
    let refusing = core.shared.refusing.load(Ordering::Relaxed);
    if refusing & !refusal::BEHIND != 0 && (writes(session, row) || row.full_name == "ping") {
        let text = super::save_points::refusal_text(&core.shared, refusing);
        return refuse(core, session, command, text.as_bytes());
    }
    if session.client.flags & client_flag::PUBSUB != 0
        && session.out.proto() == 2
        && !super::pubsub::allowed(row)
    {
        let name = row.full_name;
        let text = format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
        );
        return refuse(core, session, command, text);
    }
    if core.loading.refuses(row, session.multi.as_deref()) {
        return refuse(core, session, command, LOADING);
    }
    if let Some(text) = core.busy.refuses(row) {
        return refuse(core, session, command, text);
    }
    let is_behind = refusing & refusal::BEHIND != 0 && may_write(row, session);
    if is_behind || core.paused.holds(core.now_ms, row, session) {
        session.client.last_command = Some(row);
        return Verdict::Paused;
    }
    if session.multi.is_some() && !runs_inside_multi(row.full_name) {
        queue(core, session, command, args);
        session.out.simple("QUEUED");
        return Verdict::Answered;
    }
    session.client.last_command = Some(row);
    Verdict::Run(command)
}

/// CLIENT CACHING holds for one command, or transaction, after `last`.
#[inline]
fn forget_caching(session: &mut Session, last: Option<&Row>) {
    let flags = &mut session.client.flags;
    if *flags & client_flag::TRACK_CACHING != 0
        && session.multi.is_none()
        && last.is_none_or(|row| row.container != "client" && row.name != "client")
    {
        *flags &= !client_flag::TRACK_CACHING;
    }
}

pub(super) fn runs_inside_multi(full_name: &str) -> bool {
    matches!(full_name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// Control commands that look at every core's shard: within a transaction they must have them in hand.
fn visits_shards(full_name: &str) -> bool {
    matches!(full_name, "debug" | "info" | "memory|stats" | "memory|doctor" | "config|resetstat")
}

/// The shards a command will need when EXEC runs it.
pub(super) fn queued_cores(core: &Core, command: Command, args: &Args<'_>) -> CoreSet {
    let is_control = core.shared.controls[command.id as usize].is_some();
    let place = super::pubsub::place_of_command(core, command.row, args);
    match is_control {
        _ if place.is_some() => CoreSet(place.map_or(0, |place| 1 << place)),
        true if super::commands::scripting::runs_script(command.row) => {
            super::commands::scripting::queued_cores(core, command.row, args)
        }
        true if visits_shards(command.row.full_name) => CoreSet::all(core.cores()),
        true if command.row.first_key == 0 || command.row.flags.has(flag::PUBSUB) => Default::default(),
        _ => route::cores_of(core, command.row, args),
    }
}

/// Keeps a command of an open MULTI.
pub(super) fn queue(core: &mut Core, session: &mut Session, command: Command, args: &Args<'_>) {
    let cores = queued_cores(core, command, args);
    let Some(multi) = session.multi.as_mut() else { return };
    multi.note(command.row);
    multi.cores.0 |= cores.0;
    multi.bytes += args.iter().map(|word| word.len()).sum::<usize>();
    multi.queue.push(Queued { command: command.id, words: OwnedCommand::from_args(args) });
}

/// Whether a command is refused when memory is short. Queueing is, whatever is queued; EXEC is for what it would run.
fn grows_memory(session: &Session, row: &Row) -> bool {
    match &session.multi {
        None => row.flags.has(flag::DENYOOM),
        Some(multi) if row.name == "exec" => multi.grows_memory,
        Some(_) => !matches!(row.full_name, "discard" | "quit" | "reset"),
    }
}

/// Whether a command, or the transaction that EXEC would run, may write.
fn writes(session: &Session, row: &Row) -> bool {
    let queued = session.multi.as_ref().filter(|_| row.full_name == "exec");
    row.flags.has(flag::WRITE) || queued.is_some_and(|multi| multi.may_write)
}

/// Writes the error; an open MULTI will abort, and a refused EXEC has aborted.
pub fn refuse(core: &mut Core, session: &mut Session, command: Command, text: impl AsRef<[u8]>) -> Verdict {
    core.stats.reject(command.id);
    forget_caching(session, Some(command.row));
    let mut text = text.as_ref();
    let aborted;
    if command.row.full_name == "exec" {
        let why = text.strip_prefix(b"ERR ").unwrap_or(text);
        aborted = [b"EXECABORT Transaction discarded because of: ", why].concat();
        text = &aborted;
        session.multi = None;
        multi::unwatch_all(core, session);
    }
    core.stats.count_error_reply(text);
    session.out.error_bytes(text);
    if let Some(multi) = session.multi.as_mut() {
        multi.aborted = true;
    }
    Verdict::Answered
}
