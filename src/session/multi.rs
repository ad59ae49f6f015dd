//! MULTI, EXEC, DISCARD, WATCH, UNWATCH: queueing in the session, execution with all shards in hand.
//!
//! `session::admit` queues commands while a MULTI is open; `session::run` drives [`Exec`] command by command. The lock set
//! is the union of the queued commands' shards and those of watched keys, known before the first step (DESIGN §3).
//!
//! Invariant: a watched key's registration on its shard lives as long as its [`Watched`]. Bounds: the query buffer limit
//! counts queued commands. Why versions instead of a flag in the client: the client may be on another core.

use super::core::{Core, Message};
use super::{Control, Flow, Session};
use crate::command::reply_error::ReplyError;
use crate::command::row::{Row, flag};
use crate::keyspace::{Access, Key, WatchVersion};
use crate::resp::{Args, OwnedCommand};
use crate::shard::Shard;
use crate::shard::execute::Hands;
use crate::shard::lending::{CoreSet, Fault, is_broken};

/// The commands of this file; WATCH runs on shards (`watch`), its entry only claims the name.
pub const CONTROLS: &[(&str, Control)] =
    &[("multi", multi), ("exec", exec), ("discard", discard), ("unwatch", unwatch), ("watch", claim_watch)];

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
    /// A queued command may write.
    pub writes: bool,
    /// A queued command may need more memory.
    pub grows_memory: bool,
    /// A queued command is refused while data is loaded.
    pub is_refused_loading: bool,
    /// A queued command may write.
    pub may_write: bool,
}

/// A watched key.
pub struct Watched {
    /// Database.
    pub db: usize,
    /// The key.
    pub key: Vec<u8>,
    /// Its version when WATCH was called.
    pub version: WatchVersion,
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
    /// EXEC as it was sent, if somebody MONITORs: shown after the commands, as redis does.
    pub shown: Option<OwnedCommand>,
    /// Set in a deliberately broken build while the locks are taken again.
    pub relocked: bool,
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
    session.exec = Some(Box::new(Exec {
        multi,
        next: 0,
        begun: false,
        shown: None,
        relocked: false,
        now_ms: core.now_ms,
    }));
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
    for watched in std::mem::take(&mut session.watched) {
        release(core, session, watched);
    }
}

/// Releases one registration, wherever its shard is.
fn release(core: &mut Core, session: &mut Session, watched: Watched) {
    let lent = session.lent.as_mut().and_then(|lent| lent.shards_mut()[watched.core].as_deref_mut());
    let own = if watched.core == core.id() { core.shard.as_deref_mut() } else { None };
    if let Some(shard) = lent.or(own) {
        watched.release_on(shard);
    } else if watched.core == core.id() {
        core.unwatch_later.push(watched);
    } else {
        core.mesh.send(watched.core, Message::Unwatch(Box::new(watched)));
    }
}

impl Watched {
    /// Takes the registration off its shard.
    pub fn release_on(&self, shard: &mut Shard) {
        let mut db = shard.space.db(self.db, Access::at(0));
        db.unwatch(&Key::new(&self.key));
    }
}

impl Multi {
    /// Notes what a queued command may do.
    pub fn note(&mut self, row: &Row) {
        self.writes |= row.flags.has(flag::WRITE | flag::MAY_REPLICATE);
        self.grows_memory |= row.flags.has(flag::DENYOOM);
        self.is_refused_loading |= !row.flags.has(flag::LOADING);
        self.may_write |= row.flags.has(flag::WRITE);
    }
}

fn claim_watch(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    unreachable!("the session's loop routes WATCH to the shards of its keys")
}

/// WATCH, with the shards of all its keys in hand.
pub fn watch(
    core: &Core,
    session: &mut Session,
    args: &Args<'_>,
    hands: &mut Hands<'_>,
    now_ms: u64,
) -> Result<(), ReplyError> {
    if session.multi.is_some() {
        return Err(ReplyError::Text("ERR WATCH inside MULTI is not allowed"));
    }
    let db = session.client.db;
    for word in args.skip(1).iter() {
        let known = session.watched.iter().any(|watched| watched.db == db && watched.key == word);
        let key = Key::new(word);
        let owner = core.map.core_of(key.slot);
        let shard = match hands {
            Hands::One(shard) => Some(&mut **shard),
            Hands::Many(_, shards, _) => shards[owner].as_deref_mut(),
        };
        if let (false, Some(shard)) = (known, shard) {
            let version = shard.space.db(db, Access::at(now_ms)).watch(&key);
            session.watched.push(Watched { db, key: word.to_vec(), version, core: owner });
        }
    }
    session.out.ok();
    Ok(())
}

/// Whether no watched key has changed; all their shards are in hand.
pub fn watches_hold(session: &mut Session, now_ms: u64) -> bool {
    let Some(lent) = session.lent.as_mut() else { return true };
    if is_broken(Fault::StaleWatch) {
        return true;
    }
    session.watched.iter().all(|watched| match lent.shards_mut()[watched.core].as_deref_mut() {
        Some(shard) => {
            let db = shard.space.db(watched.db, Access::at(now_ms));
            !db.is_dirty(&Key::new(&watched.key), watched.version)
        }
        None => false,
    })
}
