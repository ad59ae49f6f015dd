//! When snapshots are taken, and what is known of those that were: save points, SAVE, BGSAVE, LASTSAVE, the refusal of writes after a failure.
//!
//! Core 0 keeps [`Past`] and looks at the save points with its upkeep; the commands ask it by message (`hold`). Calls `saving`. Invariant: the figures are those of redis' INFO:
//! a save by SAVE or BGSAVE that succeeds makes writes possible again; one by BGSAVE that fails forbids them, while save points are set. Bounds: one look per upkeep.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use super::core::{Core, Shared};
use super::hold::Ticket;
use super::saving::{Cut, Wish};
use super::{Flow, Session};
use crate::command::reply_error::ReplyError;
use crate::effect::rewrite;
use crate::observe::identity::REDIS_VERSION;
use crate::observe::log::{notice, warning};
use crate::persist::storage::error_text;
use crate::rdb::file::write;
use crate::resp::Args;

/// Why writes are refused, as bits of `Shared::refusing`.
pub mod refusal {
    /// The last snapshot failed.
    pub const SNAPSHOT: u32 = 1;
    /// The append-only file cannot be written.
    pub const APPEND_ONLY: u32 = 2;
    /// Its file is too far behind: writes are not refused, they wait.
    pub const BEHIND: u32 = 4;
}

/// What redis says then.
const SNAPSHOT_FAILED: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
/// And of scripts that may write.
const SNAPSHOT_FAILED_SCRIPT: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";

/// Why a write is refused, by `Shared::refusing`; redis asks about snapshots first.
pub fn refusal_text(shared: &Shared, refusing: u32) -> Cow<'static, str> {
    if refusing & refusal::SNAPSHOT != 0 {
        return SNAPSHOT_FAILED.into();
    }
    let why = error_text(shared.board.errno.load(Ordering::Relaxed));
    format!("MISCONF Errors writing to the AOF file: {why}").into()
}

/// Likewise of a script that may write, before it begins.
pub fn script_refusal_text(shared: &Shared, refusing: u32) -> Cow<'static, str> {
    if refusing & refusal::SNAPSHOT != 0 {
        return SNAPSHOT_FAILED_SCRIPT.into();
    }
    let why = error_text(shared.board.errno.load(Ordering::Relaxed));
    format!("MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: {why}").into()
}

/// Seconds after a failed snapshot before a save point tries again.
const RETRY_S: u64 = 5;
const IN_PROGRESS: ReplyError = ReplyError::Text("ERR Background save already in progress");
const OTHER_IN_PROGRESS: ReplyError = ReplyError::Text(
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
);

/// What is known of past snapshots.
pub struct Past {
    /// The last BGSAVE, or any save since, succeeded.
    pub is_ok: bool,
    /// How long the last BGSAVE took, seconds; none yet.
    pub took_s: Option<u64>,
    /// Snapshots begun.
    pub begun: u64,
    /// Changes that are in the last one that succeeded.
    pub dirty: u64,
    /// A BGSAVE waits for the job under way.
    pub is_scheduled: bool,
    last_try_ms: u64,
    /// FLUSHALLs that are on disk.
    flushes: u64,
}

impl Default for Past {
    fn default() -> Self {
        Past {
            is_ok: true,
            took_s: None,
            begun: 0,
            dirty: 0,
            is_scheduled: false,
            last_try_ms: 0,
            flushes: 0,
        }
    }
}

impl Past {
    /// Books a snapshot that has ended.
    pub fn note(&mut self, is_ok: bool, took_s: u64, dirty: u64, is_foreground: bool) {
        if !is_foreground {
            self.took_s = Some(took_s);
            self.is_ok = is_ok;
        }
        if is_ok {
            self.is_ok = true;
            self.dirty = dirty;
        }
    }
}

/// What stands before the entries of the file.
pub fn header(core: &Core, cut: &Cut, is_base: bool) -> Vec<u8> {
    let wall_s = (core.now_ms as i64 + core.wall_offset_ms) / 1000;
    let (ctime, used) = (wall_s.to_string(), cut.used_bytes.to_string());
    let aux = [
        ("redis-ver", REDIS_VERSION),
        ("redis-bits", "64"),
        ("ctime", &ctime),
        ("used-mem", &used),
        ("aof-base", if is_base { "1" } else { "0" }),
    ];
    let mut bytes = Vec::new();
    write::begin(&mut bytes, write::version(cut.totals.iter().any(|totals| totals.timed > 0)), &aux);
    cut.functions.iter().for_each(|code| write::function(&mut bytes, code));
    for (db, totals) in cut.totals.iter().enumerate().filter(|(_, totals)| totals.keys > 0) {
        write::select_db(&mut bytes, db);
        write::resize_db(&mut bytes, totals.keys, totals.expires);
    }
    bytes
}

/// The name of a snapshot's file while it grows.
pub fn temporary_name() -> String {
    format!("temp-{}.rdb", std::process::id())
}

/// What stands before the entries of a base that is written as commands.
pub fn functions_as_commands(cut: &Cut) -> Vec<u8> {
    let mut bytes = Vec::new();
    cut.functions.iter().for_each(|code| rewrite::function(&mut bytes, code));
    bytes
}

/// On core 0.
impl Core {
    /// A snapshot to `dbfilename`; `done` hears how it ended. Waits for the one under way.
    pub fn save_now(
        &mut self,
        is_foreground: bool,
        done: impl FnOnce(&mut Core, Result<(), String>) + Send + 'static,
    ) {
        self.saving.past.begun += 1;
        self.saving.past.last_try_ms = self.now_ms;
        let wish = Wish {
            path: Some(self.settings.dbfilename.clone().into()),
            temporary: temporary_name().into(),
            is_base: false,
            is_foreground,
            at_cut: None,
            done: Box::new(done),
        };
        self.queue_snapshot(wish);
    }

    /// BGSAVE and save points.
    fn save_in_background(&mut self) {
        self.saving.past.is_scheduled = false;
        notice(&format!("Background saving started by pid {}", std::process::id()));
        self.save_now(false, |_, result| match result {
            Ok(()) => notice("Background saving terminated with success"),
            Err(_) => warning("Background saving error"),
        });
    }

    /// Looks whether a save point has come, or a scheduled snapshot may begin.
    pub fn check_save_points(&mut self) {
        if self.id() != 0 || self.is_stopping() || self.stop.is_under_way() {
            return;
        }
        self.save_after_flush();
        if self.saving.is_busy() {
            return;
        }
        let past = &self.saving.past;
        let may_try = past.is_ok || self.now_ms.saturating_sub(past.last_try_ms) > RETRY_S * 1000;
        if !may_try {
            return;
        }
        if past.is_scheduled {
            return self.save_in_background();
        }
        let changes = self.changes();
        let wall_s = (self.now_ms as i64 + self.wall_offset_ms) / 1000;
        let age_s = wall_s - self.shared.last_save_s.load(Ordering::Relaxed);
        let points = &self.settings.save;
        let due = points.iter().find(|point| changes >= point.changes.max(0) as u64 && age_s > point.seconds);
        if let Some(due) = due {
            notice(&format!("{} changes in {} seconds. Saving...", due.changes, due.seconds));
            self.save_in_background();
        }
    }

    /// As redis: with save points, FLUSHALL is followed by a save, and a snapshot under way of what is gone is given up.
    fn save_after_flush(&mut self) {
        let Some(flushes) = self.shard.as_ref().map(|shard| shard.space.common.flushes) else { return };
        if std::mem::replace(&mut self.saving.past.flushes, flushes) == flushes
            || self.settings.save.is_empty()
        {
            return;
        }
        if self.saving.is_saving_in_background() {
            let at_cut = self.saving.job.as_ref().and_then(|job| job.flushes);
            if at_cut.is_none_or(|at_cut| at_cut == flushes) {
                // It has seen the flush, or will.
                return;
            }
            self.give_up_snapshot("all keys have been flushed");
        }
        self.save_now(true, |_, _| ());
    }

    /// Changes since the last snapshot that succeeded.
    pub fn changes(&self) -> u64 {
        let counts = self.shared.dirty[..self.cores()].iter();
        let all: u64 = counts.map(|count| count.load(Ordering::Relaxed)).sum();
        all.saturating_sub(self.saving.past.dirty)
    }

    /// Tells all cores whether writes are possible, and LASTSAVE its time.
    pub fn publish_save_status(&mut self, wrote_at_s: Option<i64>) {
        if let Some(wall_s) = wrote_at_s {
            self.shared.last_save_s.store(wall_s, Ordering::Relaxed);
        }
        let failed = !self.saving.past.is_ok
            && self.settings.stop_writes_on_bgsave_error
            && !self.settings.save.is_empty();
        self.refuse_writes(refusal::SNAPSHOT, failed);
    }

    /// Sets or clears a reason to refuse writes.
    pub fn refuse_writes(&mut self, why: u32, is_on: bool) {
        match is_on {
            true => self.shared.refusing.fetch_or(why, Ordering::Relaxed),
            false => self.shared.refusing.fetch_and(!why, Ordering::Relaxed),
        };
    }
}

/// `SAVE`
pub fn save(core: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let ticket = core.take_ticket();
    core.on_core(0, move |core| {
        if core.saving.is_saving_in_background() {
            return answer(core, ticket, Err(IN_PROGRESS));
        }
        core.save_now(true, move |core, result| match result {
            Ok(()) => core.answer(ticket, Box::new(|_, session| session.out.ok())),
            Err(_) => answer(core, ticket, Err(ReplyError::Text("ERR"))),
        });
    });
    Ok(Flow::Hold(ticket))
}

/// `BGSAVE [SCHEDULE]`
pub fn bgsave(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let schedule = match args.len() {
        1 => false,
        2 if args.get(1).eq_ignore_ascii_case(b"schedule") => true,
        _ => return Err(ReplyError::Syntax),
    };
    if session.client.flags & super::client_flag::EXECUTING != 0 {
        // As redis: within a transaction it is put off to its end.
        core.on_core(0, |core| core.saving.past.is_scheduled = true);
        session.out.simple("Background saving scheduled");
        return Ok(Flow::Done);
    }
    let ticket = core.take_ticket();
    core.on_core(0, move |core| {
        let reply = if core.saving.is_saving_in_background() {
            Err(IN_PROGRESS)
        } else if !core.saving.is_busy() {
            core.save_in_background();
            Ok("Background saving started")
        } else if schedule {
            core.saving.past.is_scheduled = true;
            Ok("Background saving scheduled")
        } else {
            Err(OTHER_IN_PROGRESS)
        };
        answer(core, ticket, reply);
    });
    Ok(Flow::Hold(ticket))
}

/// Answers a held command with a status or an error.
pub fn answer(core: &mut Core, ticket: Ticket, reply: Result<&'static str, ReplyError>) {
    core.answer(
        ticket,
        Box::new(move |_, session| match reply {
            Ok(text) => session.out.simple(text),
            Err(error) => session.out.error_bytes(error.text(b"")),
        }),
    );
}

/// `LASTSAVE`
pub fn lastsave(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.integer(core.shared.last_save_s.load(Ordering::Relaxed));
    Ok(Flow::Done)
}

/// The commands of this file.
pub const CONTROLS: &[(&str, super::Control)] = &[("save", save), ("bgsave", bgsave), ("lastsave", lastsave)];
