//! A script that takes too long: other clients are answered all the same.
//!
//! After `busy-reply-threshold` the script's hook ([`super::script`]) lets its core take a turn of a reduced kind ([`Core::turn_while_busy`]) every hundred thousand instructions. On that core every command
//! but those that may (SCRIPT KILL, SHUTDOWN …: flag `allow_busy`) is refused with BUSY; on the others only what needs a shard the script has in hand. What waits for such a shard
//! already is refused too, and a transaction that is still collecting gives back what it has.
//!
//! Invariant: while a script runs no other runs on the same core, and nothing executes on the shards it has. Bounds: one script per core. Why not stop at the
//! threshold: redis lets it run, and so do its users' scripts. Why messages to the other cores and no shared flag: their commands' path stays free of shared words.

use super::core::{Core, Message};
use super::visit::Visit;
use super::{Session, admit, multi};
use crate::command::lookup::Command;
use crate::command::reply_error::ReplyError;
use crate::command::row::{Row, flag};
use crate::resp::OwnedCommand;
use crate::shard::lending::CoreSet;

/// What redis says while a script of EVAL runs.
pub const BUSY_SCRIPT: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
/// And while a function does.
pub const BUSY_FUNCTION: &str =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
const UNKILLABLE: &str = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
const NOT_BUSY: &str = "NOTBUSY No scripts in execution right now.";

/// A script that has passed the threshold on this core.
pub struct Late {
    /// The function's name, or nothing for a script of EVAL.
    pub function: Option<Vec<u8>>,
    /// The command that runs it.
    pub words: OwnedCommand,
    /// Internal time of its start.
    pub started_ms: u64,
    /// It has written: it cannot be killed.
    pub wrote: bool,
    /// It was told to die.
    pub killed: bool,
}

/// A late script on some core, as the others know it.
#[derive(Clone, Copy, Debug)]
struct Elsewhere {
    core: usize,
    shards: CoreSet,
    is_function: bool,
}

/// What a core knows of late scripts.
#[derive(Default)]
pub struct Busy {
    /// Its own.
    pub here: Option<Late>,
    elsewhere: Vec<Elsewhere>,
}

impl Busy {
    /// Whether any script is late.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.here.is_some() || !self.elsewhere.is_empty()
    }

    /// The refusal of a command that could do with any core, if this one runs a late script.
    pub fn refuses(&self, row: &Row) -> Option<&'static str> {
        let late = self.here.as_ref().filter(|_| !row.flags.has(flag::ALLOW_BUSY))?;
        Some(if late.function.is_some() { BUSY_FUNCTION } else { BUSY_SCRIPT })
    }

    /// The refusal of what needs the shards of `cores` (WATCH too, which redis serves: here its keys are out of reach).
    pub fn refuses_shards(&self, cores: CoreSet) -> Option<&'static str> {
        if let Some(late) = &self.here {
            return Some(if late.function.is_some() { BUSY_FUNCTION } else { BUSY_SCRIPT });
        }
        let found = self.elsewhere.iter().find(|late| late.shards.0 & cores.0 != 0)?;
        Some(if found.is_function { BUSY_FUNCTION } else { BUSY_SCRIPT })
    }
}

impl Core {
    /// A script of this core has passed the threshold while it has the shards of `held` in hand.
    pub fn announce_late(&mut self, late: Late, held: CoreSet) {
        let (core, is_function) = (self.id(), late.function.is_some());
        self.busy.here = Some(late);
        let news = Elsewhere { core, shards: held, is_function };
        for other in (0..self.cores()).filter(|&other| other != core) {
            let tell = move |other: &mut Core| {
                other.busy.elsewhere.push(news);
                sweep_waiting(other);
            };
            self.mesh.send(other, Message::Call(Box::new(tell)));
        }
        sweep_waiting(self);
    }

    /// The late script of this core is over.
    pub fn forget_late(&mut self) {
        if self.busy.here.take().is_none() {
            return;
        }
        let core = self.id();
        for other in (0..self.cores()).filter(|&other| other != core) {
            let tell = move |other: &mut Core| other.busy.elsewhere.retain(|late| late.core != core);
            self.mesh.send(other, Message::Call(Box::new(tell)));
        }
    }

    /// A turn in the middle of a late script: takes what has arrived, refuses it or lets it pass, and sends.
    pub fn turn_while_busy(&mut self) {
        self.sample_clock();
        self.take_arrivals();
        sweep_waiting(self);
        self.end_turn();
        if let Err(error) = self.ring.wait(0) {
            crate::observe::log::warning(&format!("io_uring_enter failed: {error}"));
        }
    }
}

/// Sessions that wait are looked at once: those that need a late script's shard are refused.
fn sweep_waiting(core: &mut Core) {
    for _ in 0..core.waiting.len() {
        let Some(session) = core.waiting.pop_front() else { return };
        if is_stuck(core, &session) {
            super::run::run(core, session, &[]);
        } else {
            core.waiting.push_back(session);
        }
    }
}

/// Whether a waiting session will be refused.
fn is_stuck(core: &Core, session: &Session) -> bool {
    if session.visit.is_some() || session.exec.as_ref().is_some_and(|exec| exec.begun) {
        return false;
    }
    match &session.lent {
        Some(lent) => core.busy.refuses_shards(lent.wanted()).is_some(),
        // It waits for this core's shard.
        None => {
            let mut own = CoreSet::default();
            own.insert(core.id());
            core.busy.refuses_shards(own).is_some()
        }
    }
}

/// A transaction that is still collecting shards, one of which a late script has: gives all back and refuses it. Whether it did.
pub fn cancel_exec(core: &mut Core, session: &mut Session) -> bool {
    let Some(lent) = session.lent.as_ref().filter(|_| session.exec.as_ref().is_some_and(|exec| !exec.begun))
    else {
        return false;
    };
    let Some(text) = core.busy.refuses_shards(lent.wanted()) else { return false };
    give_up(core, session);
    session.exec = None;
    multi::unwatch_all(core, session);
    let text = format!("EXECABORT Transaction discarded because of: {text}");
    core.stats.count_error_reply(text.as_bytes());
    session.out.error_text(&text);
    true
}

/// Refuses a command that needs the shards of `cores`, one of which a late script has. Whether it did.
pub fn refuse(core: &mut Core, session: &mut Session, command: Command, cores: CoreSet) -> bool {
    let Some(text) = core.busy.refuses_shards(cores) else { return false };
    give_up(core, session);
    admit::refuse(core, session, command, text);
    true
}

/// What the session has collected goes home; what it was about to run is forgotten.
fn give_up(core: &mut Core, session: &mut Session) {
    session.handler = None;
    session.script = None;
    if let Some(lent) = session.lent.take() {
        lent.release().for_each(|shard| core.give_back(shard));
    }
}

/// SCRIPT KILL and FUNCTION KILL: asks every core for a late script.
pub struct Kill {
    /// It shall be a function.
    pub of_function: bool,
    /// What was found.
    pub outcome: Option<Result<(), &'static str>>,
}

impl Visit for Kill {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        let Some(late) = &mut core.busy.here else { return };
        if matches!(self.outcome, Some(Ok(()))) {
            return;
        }
        self.outcome = Some(if late.wrote {
            Err(UNKILLABLE)
        } else if late.function.is_some() != self.of_function {
            Err(if late.function.is_some() { BUSY_FUNCTION } else { BUSY_SCRIPT })
        } else {
            late.killed = true;
            Ok(())
        });
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        match self.outcome.unwrap_or(Err(NOT_BUSY)) {
            Ok(()) => session.out.ok(),
            Err(text) => session.out.error_text(text),
        }
    }
}

/// FUNCTION STATS: asks every core for a late function, then calls `write`.
pub struct Look {
    /// Name, words and age in milliseconds of one that was found.
    pub found: Option<(Vec<u8>, OwnedCommand, u64)>,
    /// A script of EVAL is late: redis refuses then.
    pub is_script: bool,
    /// Writes the reply.
    pub write: fn(&Look, &mut Session),
}

impl Visit for Look {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        let Some(late) = &core.busy.here else { return };
        match &late.function {
            Some(name) => {
                let age_ms = core.now_ms.saturating_sub(late.started_ms);
                self.found = Some((name.clone(), late.words.clone(), age_ms));
            }
            None => self.is_script = true,
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        if self.is_script {
            session.out.error_bytes(ReplyError::BusyScript.text(b""));
        } else {
            (self.write)(&self, session);
        }
    }
}
