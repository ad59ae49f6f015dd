//! MULTI, EXEC, DISCARD, WATCH, UNWATCH: queueing in the session, execution with all shards in hand.
//!
//! `session::admit` queues commands while a MULTI is open; `session::run` drives [`Exec`] command by command. The lock set
//! is the union of the queued commands' shards and those of watched keys, known before the first step (DESIGN §3).
//!
//! Invariant: a watched key's registration on its shard lives as long as its [`Watched`]. Bounds: the query buffer limit
//! counts queued commands. Why versions instead of a flag in the client: the client may be on another core.

use super::core::{Core, Message};
use super::{Flow, Session, client_flag};
use crate::command::reply_error::ReplyError;
use crate::keyspace::Key;
use crate::resp::{Args, OwnedCommand};
use crate::shard::lending::CoreSet;

/// A queued command.
pub struct Queued {
    /// Command id in the table.
    pub command: u16,
    /// Its words.
    pub words: OwnedCommand,
}

/// An open MULTI.
#[derive(Default)]
pub struct Multi {
    /// Commands in order.
    pub queue: Vec<Queued>,
    /// A command was refused while queueing: EXEC will abort.
    pub aborted: bool,
    /// Shards the queue needs so far.
    pub cores: CoreSet,
    /// Bytes queued.
    pub bytes: usize,
}

/// A watched key.
pub struct Watched {
    /// Database.
    pub db: usize,
    /// The key.
    pub key: Vec<u8>,
    /// Its version when WATCH was called.
    pub version: u64,
    /// The core whose shard holds the registration.
    pub core: usize,
}

/// A transaction under execution.
pub struct Exec {
    /// What was queued.
    pub multi: Box<Multi>,
    /// Next command.
    pub next: usize,
    /// Watches were checked and the reply's header is written.
    pub begun: bool,
    /// The time all its commands are judged by.
    pub now_ms: u64,
}

/// MULTI.
pub fn multi(_: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    if session.multi.is_some() {
        return Err(ReplyError::Text("ERR MULTI calls can not be nested"));
    }
    session.multi = Some(Box::default());
    session.out.ok();
    Ok(Flow::Done)
}

/// DISCARD.
pub fn discard(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    if session.multi.take().is_none() {
        return Err(ReplyError::Text("ERR DISCARD without MULTI"));
    }
    unwatch_all(core, session);
    session.out.ok();
    Ok(Flow::Done)
}

/// EXEC: refuses at once what cannot run, else hands over to the session's loop.
pub fn exec(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let Some(multi) = session.multi.take() else {
        return Err(ReplyError::Text("ERR EXEC without MULTI"));
    };
    if multi.aborted {
        unwatch_all(core, session);
        return Err(ReplyError::Text("EXECABORT Transaction discarded because of previous errors."));
    }
    session.exec = Some(Box::new(Exec { multi, next: 0, begun: false, now_ms: core.now_ms }));
    Ok(Flow::Exec)
}

/// UNWATCH.
pub fn unwatch(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    unwatch_all(core, session);
    session.out.ok();
    Ok(Flow::Done)
}

/// The shards a transaction needs beyond those its commands name: watched keys are validated under its locks.
pub fn watched_cores(session: &Session) -> CoreSet {
    let mut cores = CoreSet::default();
    session.watched.iter().for_each(|watched| cores.insert(watched.core));
    cores
}

/// Forgets all watched keys, here and on other cores.
pub fn unwatch_all(core: &mut Core, session: &mut Session) {
    session.client.flags &= !client_flag::DIRTY_CAS;
    for watched in std::mem::take(&mut session.watched) {
        release(core, session, watched);
    }
}

fn release(core: &mut Core, session: &mut Session, watched: Watched) {
    let lent = session.lent.as_mut().and_then(|lent| lent.shards_mut()[watched.core].as_deref_mut());
    let own = if watched.core == core.id() { core.shard.as_deref_mut() } else { None };
    match lent.or(own) {
        Some(shard) => shard.space.unwatch(watched.db, &Key::new(&watched.key)),
        None if watched.core == core.id() => core.unwatch_later.push(watched),
        None => core.mesh.send(watched.core, Message::Unwatch(Box::new(watched))),
    }
}
