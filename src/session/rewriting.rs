//! Rewrites of the append-only file: BGREWRITEAOF, growth, and turning the file on and off at run time; on core 0.
//!
//! A rewrite is a snapshot (`saving`) whose cut is the place where the journal (`journal`) begins a new file:
//! ```text
//! begin: the journal's gathering rests ──cut at offset O──> rotate(O), gathering goes on      base written ──> install: rename, manifest, history deleted
//! turn on: nothing is read yet        ──cut at offset O──> logs attached, turn_on(O)           base written ──> install
//! turn off: all shards in hand at O, logs detached ──> turn_off(O): what lies before is written, synced, closed
//! ```
//! Invariant: the base and the new file meet at O: neither misses a byte, neither has one twice. Bounds: one rewrite at a time; it shares the one snapshot with BGSAVE, so each waits for the other.
//! Why the gathering rests from before the cut until it is known: bytes behind it must not reach the old file.

use std::path::PathBuf;

use super::core::Core;
use super::hold::Ticket;
use super::journal::Drive;
use super::saving::Wish;
use super::{Flow, Session};
use crate::command::reply_error::ReplyError;
use crate::effect::{Merge, Reader, stream_offset};
use crate::observe::log::{notice, warning};
use crate::persist::aof::Event;
use crate::resp::Args;

/// Failures in a row after which a rewrite that nobody asked for waits.
const PATIENCE: u32 = 3;
/// It waits so long at first, and twice as long each time, up to this.
const WAIT_MS: u64 = 60_000;
const WAIT_MOST_MS: u64 = 3_600_000;
/// How soon one is tried again that the file needs.
const RETRY_MS: u64 = 1_000;

const IN_PROGRESS: ReplyError =
    ReplyError::Text("ERR Background append only file rewriting already in progress");

/// What a rewrite under way waits for.
struct Running {
    started_ms: u64,
    /// The journal has gone over to the new file, or could not (an errno).
    rotated: Option<Result<(), i32>>,
    /// The base is written, or cannot be.
    written: Option<Result<(), String>>,
    is_rdb: bool,
}

/// The rewrites of the process.
#[derive(Default)]
pub struct Rewriting {
    running: Option<Running>,
    /// BGREWRITEAOF waits for the snapshot under way.
    pub is_scheduled: bool,
    /// The last one failed.
    pub has_failed: bool,
    /// How long the last one took, seconds.
    pub took_s: Option<u64>,
    /// Rewrites begun.
    pub begun: u64,
    /// Failures in a row.
    pub failures: u32,
    next_try_ms: u64,
    /// Being turned off: until it is, nothing else begins.
    is_leaving: bool,
    /// The start is complete.
    pub is_open: bool,
}

impl Rewriting {
    /// For how many milliseconds one has been under way.
    pub fn running_for_ms(&self, now_ms: u64) -> Option<u64> {
        self.running.as_ref().map(|running| now_ms.saturating_sub(running.started_ms))
    }
}

fn temporary() -> PathBuf {
    format!("temp-rewriteaof-bg-{}.aof", std::process::id()).into()
}

impl Core {
    /// Whether the append-only file that shall be is being made: the data set would be lost without it.
    pub fn is_writing_first_log(&self) -> bool {
        let is_on = |drive: &Drive| drive.journal.is_on() && !drive.journal.is_waiting();
        self.settings.appendonly
            && self.rewriting.running.is_some()
            && !self.journal.as_deref().is_some_and(is_on)
    }

    /// Whether the file is to be turned on and that has not begun.
    pub fn is_turning_on(&self) -> bool {
        let stays_on = |drive: &Drive| drive.journal.is_on() && !self.rewriting.is_leaving;
        let is_on = self.journal.as_deref().is_some_and(stays_on);
        self.rewriting.is_open && self.settings.appendonly && !is_on && self.rewriting.running.is_none()
    }

    /// Begins what is due: a scheduled rewrite, one that growth asks for, or that the file needs; turns the file on or off as configured. With upkeep, and when directives change.
    pub fn check_rewrites(&mut self) {
        let is_open = self.rewriting.is_open && !self.loading.is_on && !self.stop.is_under_way();
        if self.id() != 0 || self.is_stopping() || !is_open {
            return;
        }
        self.follow_appendonly();
        if self.rewriting.running.is_some() || self.rewriting.is_leaving || self.saving.is_busy() {
            return;
        }
        if self.rewriting.is_scheduled {
            return self.begin_rewrite();
        }
        let Some(journal) = self.journal.as_deref().map(|drive| &drive.journal) else { return };
        if self.now_ms < self.rewriting.next_try_ms || !journal.is_on() {
            return;
        }
        if journal.needs_rewrite() || journal.is_waiting() {
            return self.begin_rewrite();
        }
        let (percentage, min_size) =
            (self.settings.auto_aof_rewrite_percentage.into(), self.settings.auto_aof_rewrite_min_size);
        if let Some(growth) = journal.growth_over(percentage, min_size) {
            notice(&format!("Starting automatic rewriting of AOF on {growth}% growth"));
            self.begin_rewrite();
        }
    }

    /// `appendonly` may have changed at run time.
    fn follow_appendonly(&mut self) {
        let is_on = self.journal.as_ref().is_some_and(|drive| drive.journal.is_on());
        let is_under_way = self.rewriting.running.is_some() || self.rewriting.is_leaving;
        if is_under_way || is_on == self.settings.appendonly {
            return;
        }
        match self.settings.appendonly {
            true if !self.saving.is_busy() => self.begin_rewrite(),
            true => {}
            false => self.turn_off(),
        }
    }

    /// A rewrite begins; with the file off but wanted, it is turned on.
    fn begin_rewrite(&mut self) {
        self.rewriting.is_scheduled = false;
        self.rewriting.begun += 1;
        notice(&format!("Background append only file rewriting started by pid {}", std::process::id()));
        let is_rdb = self.settings.aof_use_rdb_preamble;
        self.rewriting.running =
            Some(Running { started_ms: self.now_ms, rotated: None, written: None, is_rdb });
        let settings = std::sync::Arc::clone(&self.settings);
        let drive = self.journal.get_or_insert_with(|| Drive::with_known_files(&settings));
        drive.rests = true;
        let turns_on = settings.appendonly && (!drive.journal.is_on() || drive.journal.is_waiting());
        let rotates = drive.journal.is_on() && !turns_on;
        let reattaches = drive.journal.is_on();
        let at_cut: super::saving::AtCut = Box::new(move |core, shards, cut| {
            let at = cut.offset;
            let merge = (turns_on && !reattaches).then(|| {
                let logs = shards.iter_mut().flatten();
                Merge::new(logs.map(|shard| shard.log.attach(Reader::File, 0)).collect(), at)
            });
            core.on_core(0, move |core| core.rewrite_cut(at, merge, turns_on, rotates));
        });
        let wish = Wish {
            temporary: temporary(),
            path: None,
            is_base: true,
            is_foreground: false,
            at_cut: Some(at_cut),
            done: Box::new(|core, result| core.base_written(result)),
        };
        self.queue_snapshot(wish);
    }

    fn rewrite_cut(&mut self, at: u64, merge: Option<Merge>, turns_on: bool, rotates: bool) {
        let Some(drive) = &mut self.journal else { return };
        drive.rests = false;
        if let Some(merge) = merge {
            drive.follow(merge);
        }
        match (turns_on, rotates) {
            (true, _) => drive.journal.turn_on(at),
            (false, true) => drive.journal.rotate(at),
            (false, false) => self.rewrite_rotated(Ok(())),
        }
        self.tend_journal();
    }

    fn base_written(&mut self, result: Result<(), String>) {
        if let Some(drive) = &mut self.journal {
            drive.rests = false;
        }
        let Some(running) = &mut self.rewriting.running else { return };
        running.written = Some(result);
        self.go_on_rewriting();
    }

    fn rewrite_rotated(&mut self, result: Result<(), i32>) {
        let Some(running) = &mut self.rewriting.running else { return };
        running.rotated = Some(result);
        if result.is_err() {
            self.give_up_snapshot("the append-only file cannot go on in a new file");
        }
        self.go_on_rewriting();
    }

    /// Installs the base when both the new file and it are there.
    fn go_on_rewriting(&mut self) {
        let Some(running) = &self.rewriting.running else { return };
        match (&running.rotated, &running.written) {
            (Some(Ok(())), Some(Ok(()))) => {
                let (name, is_rdb) = (temporary(), running.is_rdb);
                let size = std::fs::metadata(&name).map_or(0, |found| found.len());
                if let Some(drive) = &mut self.journal {
                    drive.journal.install(name.display().to_string(), is_rdb, size);
                    self.tend_journal();
                }
            }
            (Some(_), Some(_)) => self.end_rewrite(false),
            _ => {}
        }
    }

    /// The journal tells of its files.
    pub(super) fn rewrite_event(&mut self, event: Event) {
        match event {
            Event::Rotated | Event::TurnedOn => self.rewrite_rotated(Ok(())),
            Event::RotateFailed(errno) | Event::TurnOnFailed(errno) => self.rewrite_rotated(Err(errno)),
            Event::Installed => self.end_rewrite(true),
            Event::InstallFailed(_) => self.end_rewrite(false),
            Event::TurnedOff => self.rewriting.is_leaving = false,
            Event::Started | Event::StartFailed(_) => {}
        }
    }

    fn end_rewrite(&mut self, is_ok: bool) {
        let Some(running) = self.rewriting.running.take() else { return };
        let now_ms = self.now_ms;
        let state = &mut self.rewriting;
        state.took_s = Some(now_ms.saturating_sub(running.started_ms) / 1000);
        state.has_failed = !is_ok;
        if is_ok {
            state.failures = 0;
            notice("Background AOF rewrite finished successfully");
            return;
        }
        let _ = std::fs::remove_file(temporary());
        state.failures += 1;
        let beyond = state.failures.saturating_sub(PATIENCE);
        let wait_ms = match state.failures < PATIENCE {
            true => RETRY_MS,
            false => (WAIT_MS << beyond.min(6)).min(WAIT_MOST_MS),
        };
        state.next_try_ms = now_ms + wait_ms;
        warning("Background AOF rewrite terminated with error");
    }

    fn turn_off(&mut self) {
        self.rewriting.is_leaving = true;
        self.send_errand(Box::new(|core, shards| {
            let at = stream_offset();
            shards.iter_mut().flatten().for_each(|shard| shard.log.detach(Reader::File));
            core.on_core(0, move |core| core.journal_detached(at));
        }));
    }
}

/// `BGREWRITEAOF`
pub fn bgrewriteaof(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    const SCHEDULED: &str = "Background append only file rewriting scheduled";
    if session.exec.is_some() {
        // As redis: within a transaction it is put off to its end.
        core.on_core(0, |core| core.rewriting.is_scheduled = true);
        session.out.simple(SCHEDULED);
        return Ok(Flow::Done);
    }
    let ticket: Ticket = core.take_ticket();
    core.on_core(0, move |core| {
        let reply = if core.rewriting.running.is_some() {
            Err(IN_PROGRESS)
        } else if core.saving.is_busy() || core.rewriting.is_leaving {
            core.rewriting.is_scheduled = true;
            core.rewriting.failures = 0;
            core.rewriting.next_try_ms = 0;
            Ok(SCHEDULED)
        } else {
            core.begin_rewrite();
            Ok("Background append only file rewriting started")
        };
        super::save_points::answer(core, ticket, reply);
    });
    Ok(Flow::Hold(ticket))
}

/// The commands of this file.
pub const CONTROLS: &[(&str, super::Control)] = &[("bgrewriteaof", bgrewriteaof)];
