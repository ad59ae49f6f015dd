//! EVAL, EVALSHA, FCALL and their read-only forms; SCRIPT.
//!
//! The callers find out what to run and on which shards and leave it to the session's loop ([`Flow::Script`]). Invariant: errors come in redis' order: numbers of keys, then
//! the script. Bounds: none of their own.

use std::sync::Arc;

use super::super::busy::Kill;
use super::super::core::Core;
use super::super::script::{Pending, Subject};
use super::super::{Control, Flow, Session};
use super::is;
use crate::base::number::parse_i64;
use crate::base::slot::key_slot;
use crate::command::reply_error::ReplyError;
use crate::command::row::Row;
use crate::command::script::analysis::{Reach, reach_of};
use crate::command::script::room::{self, Script};
use crate::command::script::{api, engine, shebang};
use crate::resp::Args;
use crate::shard::lending::CoreSet;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[
    ("eval", eval),
    ("eval_ro", eval),
    ("evalsha", eval_sha),
    ("evalsha_ro", eval_sha),
    ("fcall", fcall),
    ("fcall_ro", fcall),
    ("script|load", script_load),
    ("script|exists", script_exists),
    ("script|flush", script_flush),
    ("script|kill", script_kill),
    ("script|debug", script_debug),
];

/// Whether a command runs a script.
pub fn runs_script(row: &Row) -> bool {
    matches!(row.name, "eval" | "eval_ro" | "evalsha" | "evalsha_ro" | "fcall" | "fcall_ro")
}

/// The number of keys of a call.
fn key_count(args: &Args<'_>) -> Result<usize, ReplyError> {
    let count = parse_i64(args.get(2)).ok_or(ReplyError::NotInteger)?;
    if count > args.len() as i64 - 3 {
        return Err(ReplyError::Text("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(count).map_err(|_| ReplyError::Text("ERR Number of keys can't be negative"))
}

/// The shards of the keys a call declares; this core's if there are none.
fn declared_cores(core: &Core, args: &Args<'_>, keys: usize) -> CoreSet {
    let mut cores = CoreSet::default();
    args.skip(3).iter().take(keys).for_each(|key| cores.insert(core.map.core_of(key_slot(key))));
    if cores.is_empty() {
        cores.insert(core.id());
    }
    cores
}

/// The shards a queued call will need when EXEC runs it.
pub fn queued_cores(core: &Core, row: &Row, args: &Args<'_>) -> CoreSet {
    let reach = match row.name {
        "eval" | "eval_ro" => {
            let sha = room::parse_sha(api::sha1_digits(args.get(1)).as_bytes());
            let known = sha.and_then(|sha| room::script(&sha));
            known.map_or_else(|| reach_of(args.get(1)), |script| script.reach)
        }
        "evalsha" | "evalsha_ro" => {
            let known = room::parse_sha(args.get(1)).and_then(|sha| room::script(&sha));
            known.map_or(Reach::Anything, |script| script.reach)
        }
        _ => Reach::Anything,
    };
    match (reach, key_count(args)) {
        (Reach::Declared, Ok(keys)) => {
            // Without keys any shard will do, but one must be in hand: EXEC may run elsewhere.
            if keys == 0 { CoreSet::all(core.cores()) } else { declared_cores(core, args, keys) }
        }
        _ => CoreSet::all(core.cores()),
    }
}

fn begin(core: &Core, script: Arc<Script>, args: &Args<'_>, keys: usize) -> Flow {
    let cores = match script.reach {
        Reach::Declared => declared_cores(core, args, keys),
        Reach::Anything => CoreSet::all(core.cores()),
    };
    let is_readonly = args.get(0).last_chunk::<3>().is_some_and(|end| end.eq_ignore_ascii_case(b"_ro"));
    Flow::Script(Box::new(Pending { subject: Subject::Script(script), keys, is_readonly, cores }))
}

fn formatted(core: &mut Core, text: Vec<u8>) -> ReplyError {
    core.outcome.error_text = text;
    ReplyError::Formatted
}

/// The script of this text, known from now on.
fn learn(core: &mut Core, body: &[u8]) -> Result<Arc<Script>, ReplyError> {
    let digits = api::sha1_digits(body);
    let Some(sha) = room::parse_sha(digits.as_bytes()) else { return Err(ReplyError::NoScript) };
    if let Some(known) = room::script(&sha) {
        return Ok(known);
    }
    let header = shebang::of_script(body).map_err(|text| formatted(core, text))?;
    let compiled = engine::with_eval(|engine| engine.compile(&sha, body, header.skip));
    match compiled {
        Some(Ok(())) => {}
        Some(Err(text)) => return Err(formatted(core, text)),
        None => return Err(ReplyError::BusyScript),
    }
    let reach = reach_of(body);
    let script = Arc::new(Script { sha, body: body.into(), flags: header.flags, skip: header.skip, reach });
    room::add_script(Arc::clone(&script));
    Ok(script)
}

fn eval(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let keys = key_count(args)?;
    let script = learn(core, args.get(1))?;
    Ok(begin(core, script, args, keys))
}

fn eval_sha(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let Some(sha) = room::parse_sha(args.get(1)) else { return Err(ReplyError::NoScript) };
    let keys = key_count(args)?;
    let script = room::script(&sha).ok_or(ReplyError::NoScript)?;
    Ok(begin(core, script, args, keys))
}

fn fcall(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let (libraries, _) = room::libraries();
    let Some((_, function)) = libraries.function(args.get(1)) else {
        return Err(ReplyError::Text("ERR Function not found"));
    };
    let keys = match key_count(args) {
        Err(ReplyError::NotInteger) => return Err(ReplyError::Text("ERR Bad number of keys provided")),
        other => other?,
    };
    let is_readonly = args.get(0).eq_ignore_ascii_case(b"fcall_ro");
    let cores = CoreSet::all(core.cores());
    let subject = Subject::Function(function.clone());
    Ok(Flow::Script(Box::new(Pending { subject, keys, is_readonly, cores })))
}

fn script_load(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let script = learn(core, args.get(2))?;
    session.out.bulk(&script.sha);
    Ok(Flow::Done)
}

fn script_exists(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.array(args.len() - 2);
    for word in args.skip(2).iter() {
        let is_known = room::parse_sha(word).is_some_and(|sha| room::script(&sha).is_some());
        session.out.integer(is_known as i64);
    }
    Ok(Flow::Done)
}

fn script_flush(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let is_right = match args.len() {
        2 => true,
        3 => is(args.get(2), "sync") || is(args.get(2), "async"),
        _ => false,
    };
    if !is_right {
        return Err(ReplyError::Text("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    room::flush_scripts();
    engine::drop_eval();
    session.out.ok();
    Ok(Flow::Done)
}

fn script_kill(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Kill { of_function: false, outcome: None })))
}

/// SCRIPT DEBUG: there is no debugger, so only NO is obeyed.
fn script_debug(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let mode = args.get(2);
    if is(mode, "no") || is(mode, "yes") || is(mode, "sync") {
        session.out.ok();
        return Ok(Flow::Done);
    }
    Err(ReplyError::Text("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}
