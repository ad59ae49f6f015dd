//! The drive of the append-only file, on core 0: batches in, file operations out, what follows from their outcomes.
//!
//! The network task calls [`Core::tend_journal`] after every turn; completions come by [`Core::file_done`]. Rules are `persist::aof::Journal`'s, operations `disk`'s.
//! ```text
//! logs of all cores ──Merge──> Journal ──actions──> disk (our ring)      released offset ──> held replies, on all cores
//!                                 ^───outcomes─────────┘                 trouble ──> writes are refused; Exit ──> orderly stop with status 1
//! ```
//! Without `always` batches are gathered when [`GATHER_BYTES`] are published or [`GATHER_US`] have passed: nobody waits, no core is woken. With it, cores that hold replies wake this one; one
//! write with its sync is under way, what is published meanwhile goes with the next.
//! Invariant: core 0 alone has the journal; it leaves last and takes everything with it. Bounds: see [`UNWRITTEN_MOST`]. Why core 0: one file has one end.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::core::Core;
use super::disk::Disk;
use super::save_points::{self, refusal};
use super::saving::Cut;
use crate::base::clock;
use crate::base::crc64::crc64;
use crate::config::{FsyncPolicy, Settings};
use crate::effect::{Merge, Reader, stream_offset};
use crate::observe::log::{notice, warning};
use crate::persist::aof::{self, Action, Event, Journal, Level, Names, Policy, Start};
use crate::persist::manifest::{self, Manifest};
use crate::persist::storage::error_text;
use crate::rdb::file::write;
use crate::runtime::ring::{Completion, Op};
use crate::shard::lending::{Fault, is_broken};

/// Without `always`, so many published bytes are gathered at once …
const GATHER_BYTES: u64 = 64 << 10;
/// … or what there is after so long, in microseconds.
const GATHER_US: u64 = 5_000;
/// With more published bytes that are not written, writes wait; they go on at half of it.
const UNWRITTEN_MOST: u64 = 256 << 20;
/// How long core 0 waits at the end for the other cores to leave.
const LEAVE_MOST: Duration = Duration::from_secs(2);
/// How long it then waits for the disk.
const FLUSH_MOST: Duration = Duration::from_secs(60);

/// Hears whether the file is open: an errno if it cannot be.
pub type Started = Box<dyn FnOnce(&mut Core, Result<(), i32>) + Send>;

/// See the module's text.
pub struct Drive {
    /// The rules.
    pub journal: Journal,
    disk: Disk,
    /// Where it reads the stream; `None` until the logs are attached.
    merge: Option<Merge>,
    gathered_us: u64,
    released: u64,
    durable: u64,
    unwritten_most: u64,
    errno: i32,
    started: Option<Started>,
    /// A cut is being made: nothing is gathered until it is known where.
    pub(super) rests: bool,
    /// What the rewrite is told when the drive is back in its place.
    later: VecDeque<Event>,
}

fn names(settings: &Settings) -> Names {
    Names { directory: settings.appenddirname.clone(), append: settings.appendfilename.clone() }
}

fn settings_of(settings: &Settings) -> aof::Settings {
    aof::Settings {
        policy: match settings.appendfsync {
            FsyncPolicy::Always => Policy::Always,
            FsyncPolicy::EverySecond => Policy::EverySec,
            FsyncPolicy::No => Policy::No,
        },
        no_sync_on_rewrite: settings.no_appendfsync_on_rewrite,
        timestamps: settings.aof_timestamp_enabled,
        keeps_history: settings.aof_disable_auto_gc,
        sync_every_us: match is_broken(Fault::LateFsync) {
            true => 10_000_000,
            false => aof::Settings::default().sync_every_us,
        },
        pretends_sync: is_broken(Fault::SkipFsync),
        ..aof::Settings::default()
    }
}

impl Drive {
    fn new(settings: &Settings) -> Box<Drive> {
        Box::new(Drive {
            journal: Journal::new(names(settings), settings_of(settings)),
            disk: Disk::default(),
            merge: None,
            gathered_us: 0,
            released: u64::MAX,
            durable: 0,
            unwritten_most: unwritten_most(),
            errno: 0,
            started: None,
            rests: false,
            later: VecDeque::new(),
        })
    }

    /// A drive that is off, with the files that are listed in the directory.
    pub(super) fn with_known_files(settings: &Settings) -> Box<Drive> {
        let mut drive = Drive::new(settings);
        let names = names(settings);
        let listed = std::fs::read(names.path(&manifest::file_name(&names.append)));
        if let Some(manifest) = listed.ok().and_then(|text| Manifest::parse(&text).ok()) {
            drive.journal.know(manifest);
        }
        drive
    }

    /// Reads the stream from here on.
    pub(super) fn follow(&mut self, merge: Merge) {
        self.merge = Some(merge);
    }

    /// Whether to look at the logs now.
    fn is_due(&self, now_us: u64, is_always: bool) -> bool {
        let Some(merge) = self.merge.as_ref().filter(|_| !self.rests) else { return false };
        match is_always {
            true => merge.has_next(),
            false => {
                let waits = stream_offset() - merge.offset();
                waits >= GATHER_BYTES || (waits > 0 && now_us >= self.gathered_us + GATHER_US)
            }
        }
    }

    /// Published bytes that are not in the file yet (`aof_buffer_length`).
    pub fn unwritten(&self) -> u64 {
        match self.merge {
            Some(_) => stream_offset().saturating_sub(self.journal.written()),
            None => 0,
        }
    }

    fn gather(&mut self, now_us: u64) {
        self.gathered_us = now_us;
        if self.rests {
            return;
        }
        while let Some(batch) = self.merge.as_mut().and_then(Merge::next) {
            self.journal.push(batch);
        }
    }
}

impl Core {
    /// Opens the append-only file as `start` says, the data being loaded and no client served; on core 0.
    pub fn start_journal(&mut self, start: Start, started: Started) {
        self.journal = Some(Drive::new(&self.settings));
        self.send_errand(Box::new(move |core, shards| {
            let logs = shards.iter_mut().flatten();
            let cursors = logs.map(|shard| shard.log.attach(Reader::File, 0)).collect();
            let merge = Merge::new(cursors, stream_offset());
            core.on_core(0, move |core| {
                let Some(drive) = &mut core.journal else { return };
                let start = Start { offset: merge.offset(), ..start };
                drive.merge = Some(merge);
                drive.started = Some(started);
                drive.journal.start(start);
            });
        }));
    }

    /// A base of the empty data set, for a directory without files; whether it is an RDB.
    pub fn empty_base(&self) -> (Vec<u8>, bool) {
        if !self.settings.aof_use_rdb_preamble {
            return (Vec::new(), false);
        }
        let cut =
            Cut { offset: 0, totals: Vec::new(), dirty: 0, functions: Vec::new(), used_bytes: 0, flushes: 0 };
        let mut bytes = save_points::header(self, &cut, true);
        write::end(&mut bytes);
        let sum = if self.settings.rdbchecksum { crc64(0, &bytes) } else { 0 };
        bytes.extend_from_slice(&sum.to_le_bytes());
        (bytes, true)
    }

    /// Directives have changed.
    pub(super) fn configure_journal(&mut self) {
        self.holds.is_on = is_always(&self.settings);
        let settings = settings_of(&self.settings);
        if let Some(drive) = &mut self.journal {
            drive.journal.configure(settings);
        }
    }

    /// After a turn: gathers and writes what is due.
    #[inline]
    pub fn tend_journal(&mut self) {
        if self.journal.is_some() {
            self.tend_now(false);
        }
    }

    fn tend_now(&mut self, everything: bool) {
        let Some(mut drive) = self.journal.take() else { return };
        let now_us = clock::monotonic_us();
        let gathers = everything || drive.is_due(now_us, self.holds.is_on);
        if gathers {
            drive.gather(now_us);
        }
        self.push_back(&drive);
        if gathers || drive.journal.wake_at_us().is_some_and(|at| at <= now_us) {
            drive.journal.tick(now_us, (clock::wall_us() / 1_000_000) as i64);
        }
        self.carry_out(&mut drive);
        self.put_back(drive);
    }

    /// Writes wait while the disk is too far behind: what it has not taken yet is memory.
    fn push_back(&mut self, drive: &Drive) {
        let unwritten = drive.unwritten();
        let is_behind = self.shared.refusing.load(Ordering::Relaxed) & refusal::BEHIND != 0;
        let most = drive.unwritten_most;
        if is_behind != (unwritten > if is_behind { most / 2 } else { most }) {
            self.refuse_writes(refusal::BEHIND, !is_behind);
        }
    }

    /// An operation of the journal is over.
    pub(super) fn file_done(&mut self, completion: Completion) {
        let Some(mut drive) = self.journal.take() else { return };
        drive.disk.completed(&mut self.ring, completion);
        self.carry_out(&mut drive);
        self.put_back(drive);
    }

    /// The drive is core 0's again; what it has to tell is heard.
    fn put_back(&mut self, mut drive: Box<Drive>) {
        let later = std::mem::take(&mut drive.later);
        self.journal = Some(drive);
        later.into_iter().for_each(|event| self.rewrite_event(event));
    }

    /// No log is read any more from `at` on: what lies before is written, then the files are closed.
    pub(super) fn journal_detached(&mut self, at: u64) {
        let Some(drive) = &mut self.journal else { return };
        drive.rests = false;
        drive.gather(clock::monotonic_us());
        drive.merge = None;
        drive.journal.turn_off(at);
        self.tend_now(true);
    }

    /// Whether a write can be begun, or held replies can leave: asked before the core sleeps.
    pub fn has_journal_news(&self) -> bool {
        let gathers = |drive: &Drive| drive.merge.as_ref().is_some_and(Merge::has_next);
        self.has_released() || (self.holds.is_on && self.journal.as_deref().is_some_and(gathers))
    }

    fn carry_out(&mut self, drive: &mut Drive) {
        loop {
            while let Some(action) = drive.journal.next_action() {
                match action {
                    Action::Do(ticket, op) => drive.disk.begin(&mut self.ring, ticket, op),
                    Action::Log(Level::Notice, text) => notice(&text),
                    Action::Log(Level::Warning, text) => warning(&text),
                    Action::Exit(text) => self.stop_for(text),
                    Action::Event(event) => self.journal_event(drive, event),
                }
            }
            match drive.disk.next_done() {
                Some((ticket, outcome)) => drive.journal.done(ticket, outcome),
                None => break,
            }
        }
        let is_held = drive.journal.is_on() && !is_broken(Fault::EarlyRelease);
        let released = if is_held { drive.journal.released() } else { u64::MAX };
        let durable = drive.journal.durable();
        if (released, durable) != (drive.released, drive.durable) {
            (drive.released, drive.durable) = (released, durable);
            self.publish_released(released, durable);
        }
        let errno = drive.journal.trouble().map_or(0, |trouble| trouble.errno());
        if errno != drive.errno {
            drive.errno = errno;
            self.shared.board.errno.store(errno, Ordering::Relaxed);
            self.refuse_writes(refusal::APPEND_ONLY, errno != 0);
        }
    }

    fn journal_event(&mut self, drive: &mut Drive, event: Event) {
        let result = match event {
            Event::Started => {
                drive.journal.collect_history();
                Ok(())
            }
            Event::StartFailed(errno) => Err(errno),
            event => return drive.later.push_back(event),
        };
        if let Some(started) = drive.started.take() {
            started(self, result);
        }
    }

    /// Writes and syncs what the stream has so far; whether it is done. To be called again until it is.
    pub fn flush_journal(&mut self) -> bool {
        self.journal.iter_mut().for_each(|drive| drive.journal.flush());
        self.tend_now(true);
        self.journal.as_ref().is_none_or(|drive| drive.journal.is_settled() && drive.disk.is_idle())
    }

    /// Ends the process with status 1, after this line.
    pub fn stop_for(&mut self, text: String) {
        let _ = self.shared.board.fatal.set(text);
        self.stop();
    }

    /// The core's turns are over. Core 0 waits until all others have left, then writes and syncs what is left of the stream.
    pub fn leave(&mut self) {
        let board = &self.shared.board;
        board.running.fetch_sub(1, Ordering::AcqRel);
        if self.journal.is_none() || board.fatal.get().is_some() {
            return;
        }
        let began = Instant::now();
        while self.shared.board.running.load(Ordering::Acquire) > 0 && began.elapsed() < LEAVE_MOST {
            std::thread::sleep(Duration::from_micros(100));
        }
        self.publish_and_flush();
        let began = Instant::now();
        while began.elapsed() < FLUSH_MOST && !self.flush_step() {}
    }

    /// Goes on writing what is left; true when it is on the disk, or never will be.
    fn flush_step(&mut self) -> bool {
        if self.flush_journal() {
            return true;
        }
        if let Some(trouble) = self.journal.as_ref().and_then(|drive| drive.journal.trouble()) {
            warning(&format!("Fail to fsync the AOF file: {}.", error_text(trouble.errno())));
            return true;
        }
        let mut completions = VecDeque::new();
        if self.ring.wait(1000).is_err() {
            return true;
        }
        self.ring.reap(&mut completions);
        for completion in completions {
            if matches!(completion.token.op, Op::File | Op::FileSync) {
                self.file_done(completion);
            }
        }
        false
    }
}

/// [`UNWRITTEN_MOST`], unless a test wants it smaller.
fn unwritten_most() -> u64 {
    #[cfg(feature = "test-switches")]
    if let Some(bytes) = std::env::var("SHOAL_TEST_UNWRITTEN").ok().and_then(|text| text.parse().ok()) {
        return bytes;
    }
    UNWRITTEN_MOST
}

fn is_always(settings: &Settings) -> bool {
    settings.appendonly && settings.appendfsync == FsyncPolicy::Always
}
