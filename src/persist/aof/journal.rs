//! The journal of the append-only file: its state, what it is told, what it says.
//!
//! `session::journal` pushes batches in stream order, tells the time and the outcomes of operations, and carries out the [`Action`]s; `tests` do the same on a simulated disk. [`super::append`] is the
//! lane of writes and syncs, [`super::job`] the sequences of file operations (start, rotation, installation …), one at a time.
//!
//! ```text
//! batches -> queue -> group (one write in flight; with its sync if `always`) -> file
//!            sync once a second (everysec), beside the writes; a job's operations beside both, but a rotation holds what lies behind its cut
//! offsets:   durable <= synced <= written <= queued_to
//! ```
//! Invariant: `durable` covers only bytes that a recovery after a crash right now finds: written, synced, listed in a synced manifest, and no sync of their file has ever failed since.
//! After a failed sync it stays where it is until a rewrite has replaced the file. Bounds: the queue is the reader's account; the driver pushes back ([`Journal::unwritten`]).
//! Why no threads and no clock: see `persist`.
use std::collections::VecDeque;

use super::Names;
use super::append::{Group, OpenFile, SyncFlight};
use super::job::Job;
use crate::effect::Batch;
use crate::persist::manifest::Manifest;
use crate::persist::storage::{FileId, Op, Outcome, Ticket};

/// When the file is synced (`appendfsync`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// With every write; replies wait.
    Always,
    /// Once a second.
    EverySec,
    /// Never, but for rotations and the end.
    No,
}

/// Directives the journal goes by.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `appendfsync`.
    pub policy: Policy,
    /// `no-appendfsync-on-rewrite`.
    pub no_sync_on_rewrite: bool,
    /// `aof-timestamp-enabled`.
    pub timestamps: bool,
    /// Groups carry checksums.
    pub checksums: bool,
    /// `aof-disable-auto-gc`.
    pub keeps_history: bool,
    /// How often `everysec` syncs.
    pub sync_every_us: u64,
    /// Broken on purpose, to prove that tests see it: syncs are pretended.
    pub pretends_sync: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            policy: Policy::EverySec,
            no_sync_on_rewrite: false,
            timestamps: false,
            checksums: true,
            keeps_history: false,
            sync_every_us: super::append::SYNC_EVERY_US,
            pretends_sync: false,
        }
    }
}

/// How loud a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `*`
    Notice,
    /// `#`
    Warning,
}

/// What became of something asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The file is open, from this stream offset on.
    Started,
    /// A start failed: the process cannot go on.
    StartFailed(i32),
    /// What lies at or behind the cut goes to a new file: the rewrite may be installed when it is done.
    Rotated,
    /// The rotation was undone: no rewrite.
    RotateFailed(i32),
    /// The new base counts.
    Installed,
    /// The installation was undone.
    InstallFailed(i32),
    /// Bytes are collected; a rewrite makes the file whole.
    TurnedOn,
    /// Turning on was undone.
    TurnOnFailed(i32),
    /// Everything is written, synced and closed.
    TurnedOff,
}

/// What the driver is to do.
pub enum Action {
    /// Carry out; then [`Journal::done`].
    Do(Ticket, Op),
    /// Log.
    Log(Level, String),
    /// End the process with status 1, after this line.
    Exit(String),
    /// Know.
    Event(Event),
}

/// How the last incremental file was found: `Scanner::last`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Last {
    /// Whole bytes.
    pub len: u64,
    /// What lies behind is to be cut off.
    pub is_torn: bool,
    /// Checksum of what is kept of a group that the file's end cuts off.
    pub crc: u64,
}

/// What there is at start.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// As loaded.
    pub manifest: Manifest,
    /// The last incremental file.
    pub last: Last,
    /// Bytes of the base and of the other incremental files.
    pub sizes: (u64, u64),
    /// If nothing is listed: the bytes of a base of the empty dataset, and whether they are an RDB.
    pub empty_base: Option<(Vec<u8>, bool)>,
    /// Where the stream goes on.
    pub offset: u64,
}

/// Whether there is a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Off,
    /// Collecting, until the first rewrite is installed.
    Waiting,
    On,
}

/// See the module's text.
pub struct Journal {
    pub(super) names: Names,
    pub(super) settings: Settings,
    pub(super) state: State,
    /// What is on disk.
    pub(super) manifest: Manifest,
    pub(super) file: Option<OpenFile>,
    pub(super) queue: VecDeque<Batch>,
    pub(super) queued_bytes: u64,
    pub(super) queued_to: u64,
    /// When the oldest queued batch came.
    pub(super) queued_since_us: u64,
    pub(super) group: Option<Group>,
    pub(super) sync: Option<SyncFlight>,
    pub(super) last_sync_us: u64,
    pub(super) written: u64,
    pub(super) synced: u64,
    pub(super) durable: u64,
    /// Number of the youngest file a sync of which failed.
    pub(super) broken: Option<(i64, i32)>,
    pub(super) write_error: Option<i32>,
    pub(super) manifest_error: Option<i32>,
    /// No write reaches beyond this offset until the running job has opened the next file.
    pub(super) held_at: Option<u64>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) actions: VecDeque<Action>,
    pub(super) is_flushing: bool,
    pub(super) is_saving: bool,
    pub(super) base_size: u64,
    /// Whole incremental files: (number, bytes).
    pub(super) closed: Vec<(i64, u64)>,
    pub(super) rewrite_base_size: u64,
    pub(super) delayed_syncs: u64,
    pub(super) last_delay_us: u64,
    pub(super) last_error_log_us: Option<u64>,
    pub(super) last_stamp_s: i64,
    pub(super) now_us: u64,
    pub(super) wall_s: i64,
    tickets: Ticket,
    files: u32,
}

impl Journal {
    /// A journal that is off.
    pub fn new(names: Names, settings: Settings) -> Journal {
        Journal {
            names,
            settings,
            state: State::Off,
            manifest: Manifest::default(),
            file: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            queued_to: 0,
            queued_since_us: 0,
            group: None,
            sync: None,
            last_sync_us: 0,
            written: 0,
            synced: 0,
            durable: 0,
            broken: None,
            write_error: None,
            manifest_error: None,
            held_at: None,
            jobs: VecDeque::new(),
            actions: VecDeque::new(),
            is_flushing: false,
            is_saving: false,
            base_size: 0,
            closed: Vec::new(),
            rewrite_base_size: 0,
            delayed_syncs: 0,
            last_delay_us: 0,
            last_error_log_us: None,
            last_stamp_s: 0,
            now_us: 0,
            wall_s: 0,
            tickets: 0,
            files: 0,
        }
    }

    /// New directives.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
        self.collect_history();
        self.pump();
    }

    /// What is listed on disk, of a journal that is off.
    pub fn know(&mut self, manifest: Manifest) {
        self.manifest = manifest;
    }

    /// Opens the files of a server that starts with `appendonly yes`. Answered by `Started` or `StartFailed`.
    pub fn start(&mut self, start: Start) {
        self.manifest = start.manifest.clone();
        self.begin_stream(start.offset);
        self.durable = start.offset;
        self.base_size = start.sizes.0;
        self.rewrite_base_size = start.sizes.0;
        self.jobs.push_back(Job::start(start));
        self.pump();
    }

    /// `appendonly yes` at run time: batches from `at` on are collected, a rewrite with the same cut is installed later. Also for a new attempt
    /// after that rewrite failed. Answered by `TurnedOn` or `TurnOnFailed`.
    pub fn turn_on(&mut self, at: u64) {
        if self.state == State::Off && self.jobs.is_empty() {
            self.begin_stream(at);
        }
        self.jobs.push_back(Job::turn_on(at));
        self.pump();
    }

    /// `appendonly no`: what lies before `at` is written and synced, then the file is closed. Answered by `TurnedOff`.
    pub fn turn_off(&mut self, at: u64) {
        self.is_flushing = true;
        self.jobs.push_back(Job::turn_off(at));
        self.pump();
    }

    /// A rewrite's cut was made at `at`, a batch's edge: a new file begins there. Answered by `Rotated` or `RotateFailed`.
    pub fn rotate(&mut self, at: u64) {
        self.jobs.push_back(Job::rotate(at));
        self.pump();
    }

    /// A rewrite's base, whole and synced, lies at `temp` with `size` bytes: it becomes the base of everything from the last cut on. Answered by `Installed` or `InstallFailed`.
    pub fn install(&mut self, temp: String, is_rdb: bool, size: u64) {
        self.jobs.push_back(Job::install(temp, is_rdb, size));
        self.pump();
    }

    /// Deletes history files that a former process left listed.
    pub fn collect_history(&mut self) {
        if !self.settings.keeps_history && !self.manifest.history.is_empty() {
            self.jobs.push_back(Job::collect(false));
            self.pump();
        }
    }

    /// Writes and syncs everything at once, until [`Journal::is_settled`].
    pub fn flush(&mut self) {
        self.is_flushing = true;
        self.pump();
    }

    /// A rewrite or save runs (`no-appendfsync-on-rewrite`).
    pub fn set_saving(&mut self, is_saving: bool) {
        self.is_saving = is_saving;
        self.pump();
    }

    /// The next batch of the stream. Nothing happens before [`Journal::tick`].
    pub fn push(&mut self, batch: Batch) {
        debug_assert_eq!(batch.offset(), self.queued_to, "batches follow each other");
        if self.queue.is_empty() {
            self.queued_since_us = self.now_us;
        }
        self.queued_bytes += batch.bytes().len() as u64;
        self.queued_to = batch.end();
        self.queue.push_back(batch);
    }

    /// The time, in microseconds of any monotonic clock and seconds of the wall clock; also to be called after [`Journal::push`].
    pub fn tick(&mut self, now_us: u64, wall_s: i64) {
        self.now_us = now_us;
        self.wall_s = wall_s;
        self.pump();
    }

    /// What came of an operation.
    pub fn done(&mut self, ticket: Ticket, outcome: Outcome) {
        if self.group.as_ref().is_some_and(|group| group.ticket == Some(ticket)) {
            self.group_done(outcome);
        } else if self.sync.as_ref().is_some_and(|flight| flight.ticket == ticket) {
            self.sync_done(outcome.whole(0));
        } else {
            self.job_done(ticket, outcome);
        }
        self.pump();
    }

    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn pump(&mut self) {
        self.pump_jobs();
        self.pump_group();
        self.pump_sync();
        if self.is_flushing && self.is_settled() {
            self.is_flushing = false;
        }
    }

    fn begin_stream(&mut self, offset: u64) {
        (self.queued_to, self.written, self.synced) = (offset, offset, offset);
        self.broken = None;
        self.write_error = None;
        self.manifest_error = None;
    }

    pub(super) fn ask(&mut self, op: Op) -> Ticket {
        self.tickets += 1;
        self.actions.push_back(Action::Do(self.tickets, op));
        self.tickets
    }

    pub(super) fn new_file(&mut self) -> FileId {
        self.files += 1;
        FileId(self.files)
    }

    pub(super) fn log(&mut self, level: Level, text: String) {
        self.actions.push_back(Action::Log(level, text));
    }

    /// `durable` follows `synced` where nothing is wrong.
    pub(super) fn raise_durable(&mut self) {
        if self.state == State::On && self.broken.is_none() && self.manifest_error.is_none() {
            self.durable = self.durable.max(self.synced);
        }
    }

    /// A recovery after a crash now finds everything before this stream offset.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Replies to writes before this stream offset may leave.
    pub fn released(&self) -> u64 {
        match self.settings.policy {
            Policy::Always if self.skips_sync() => self.written,
            Policy::Always => self.synced,
            Policy::EverySec | Policy::No => u64::MAX,
        }
    }

    /// Written before this stream offset.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that were pushed and are not written yet (`aof_buffer_length`).
    pub fn unwritten(&self) -> u64 {
        self.queued_to - self.written
    }

    /// Bytes of base and incremental files (`aof_current_size`).
    pub fn current_size(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(|(_, len)| len).sum();
        self.base_size + closed + self.file.as_ref().map_or(0, |file| file.len)
    }

    /// Size at the last rewrite (`aof_base_size`).
    pub fn rewrite_base_size(&self) -> u64 {
        self.rewrite_base_size
    }

    /// Syncs that took more than two seconds while writes went on (`aof_delayed_fsync`).
    pub fn delayed_syncs(&self) -> u64 {
        self.delayed_syncs
    }

    /// Whether a sync of its own is under way (`aof_pending_bio_fsync`).
    pub fn is_syncing(&self) -> bool {
        self.sync.is_some()
    }

    /// Whether `auto-aof-rewrite-*` ask for a rewrite: the growth in percent.
    pub fn growth_over(&self, percentage: u64, min_size: u64) -> Option<u64> {
        let (size, base) = (self.current_size(), self.rewrite_base_size.max(1));
        if self.state != State::On || percentage == 0 || size <= min_size {
            return None;
        }
        let growth = (u128::from(size) * 100 / u128::from(base)).saturating_sub(100) as u64;
        (growth >= percentage).then_some(growth)
    }

    /// Whether there is a file, or one is being made (`aof_enabled`).
    pub fn is_on(&self) -> bool {
        self.state != State::Off
    }

    /// Collecting for a first rewrite, not recoverable yet.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// Nothing is in flight, queued or unsynced.
    pub fn is_settled(&self) -> bool {
        let is_clean = self.file.as_ref().is_none_or(|file| file.synced_len == file.len);
        self.queue.is_empty()
            && self.group.is_none()
            && self.sync.is_none()
            && self.jobs.is_empty()
            && is_clean
    }

    /// The manifest on disk.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// When [`Journal::tick`] has something to do at the latest, in microseconds of its clock; `None`: not before something is pushed or done.
    pub fn wake_at_us(&self) -> Option<u64> {
        [self.group_due_us(), self.sync_due_us(), self.job_due_us()].into_iter().flatten().min()
    }
}
