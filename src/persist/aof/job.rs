//! Sequences of file operations: start, rotation, installation, turning on and off, deleting history.
//!
//! Called by `journal`; one job at a time, each operation after the one before. A job is undone if an operation fails before its manifest has replaced the old one, and
//! carried through, however often it takes, if one fails after that: nobody knows then which of both a crash would leave.
//!
//! ```text
//! rotate   [bytes before the cut written] sync old | create new, first line, sync | manifest | close old
//! install  rename base | manifest | then collect: delete history, manifest
//! manifest create temp, write + sync, close, sync directory, RENAME (the commit), sync directory
//! ```
//! The directory is synced before the commit, so a listed file is always there; the old file before the new one is listed, so a torn tail is only ever in the last one that is not empty.
//! Invariant: `Journal::manifest` is what is on disk. Bounds: a dozen operations. Why data and not async code: a test fails, delays or forgets each one.
use std::collections::VecDeque;
use std::sync::Arc;

use super::Names;
use super::append::OpenFile;
use super::frame;
use super::journal::{Action, Event, Journal, Last, Level, Start, State};
use super::words::describe;
use crate::persist::manifest::{Manifest, file_name, temp_name};
use crate::persist::storage::{FileId, Op, Outcome, Payload, Slice, Ticket};

/// An operation behind the commit that failed is tried again after this.
const RETRY_US: u64 = 1_000_000;

/// What a job is for.
pub(super) enum Task {
    Start(Box<Start>),
    TurnOn {
        at: u64,
    },
    TurnOff {
        at: u64,
    },
    Rotate {
        at: u64,
    },
    Install {
        temp: String,
        is_rdb: bool,
        size: u64,
    },
    /// After an installation, or at start.
    Collect {
        ends_install: bool,
    },
}

/// A running or waiting job.
pub(super) struct Job {
    pub task: Task,
    steps: VecDeque<Op>,
    flying: Option<(Ticket, Op)>,
    has_begun: bool,
    /// What takes the present one's place at the commit.
    manifest: Option<Manifest>,
    is_committed: bool,
    /// The file that takes the present one's place.
    file: Option<OpenFile>,
    /// Undoing: no outcome counts any more.
    failed: Option<i32>,
    retry_at_us: Option<u64>,
}

impl Job {
    fn new(task: Task) -> Job {
        Job {
            task,
            steps: VecDeque::new(),
            flying: None,
            has_begun: false,
            manifest: None,
            is_committed: false,
            file: None,
            failed: None,
            retry_at_us: None,
        }
    }

    pub(super) fn start(start: Start) -> Job {
        Job::new(Task::Start(Box::new(start)))
    }

    pub(super) fn turn_on(at: u64) -> Job {
        Job::new(Task::TurnOn { at })
    }

    pub(super) fn turn_off(at: u64) -> Job {
        Job::new(Task::TurnOff { at })
    }

    pub(super) fn rotate(at: u64) -> Job {
        Job::new(Task::Rotate { at })
    }

    pub(super) fn install(temp: String, is_rdb: bool, size: u64) -> Job {
        Job::new(Task::Install { temp, is_rdb, size })
    }

    pub(super) fn collect(ends_install: bool) -> Job {
        Job::new(Task::Collect { ends_install })
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }
}

/// The operations that replace the manifest, each after the one before; `file` is a name for the temporary file.
pub fn write_manifest(names: &Names, manifest: &Manifest, file: FileId) -> Vec<Op> {
    let temp = names.path(&temp_name(&names.append));
    let payload = Arc::new(Payload::new(vec![Slice::Own(manifest.to_text())]));
    vec![
        Op::Open { file, path: temp.clone(), truncate: true },
        Op::Write { file, at: 0, payload, skip: 0, sync: true },
        Op::Close { file },
        Op::SyncDir { path: names.directory.clone() },
        Op::Rename { from: temp, to: names.path(&file_name(&names.append)) },
        Op::SyncDir { path: names.directory.clone() },
    ]
}

impl Journal {
    pub(super) fn job_due_us(&self) -> Option<u64> {
        self.jobs.front().and_then(|job| job.retry_at_us)
    }

    /// Begins jobs, goes on with the first, finishes it.
    pub(super) fn pump_jobs(&mut self) {
        loop {
            let now_us = self.now_us;
            let Some(job) = self.jobs.front_mut() else { return };
            if job.flying.is_some() || job.retry_at_us.is_some_and(|at| at > now_us) {
                return;
            }
            job.retry_at_us = None;
            if !job.has_begun {
                if !self.begin_job() {
                    return;
                }
                continue;
            }
            let Some(op) = job.steps.pop_front() else {
                self.end_job();
                continue;
            };
            let ticket = self.ask(op.clone());
            if let Some(job) = self.jobs.front_mut() {
                job.flying = Some((ticket, op));
            }
            return;
        }
    }

    /// Works out a job's operations, once what they wait for has happened; false if it has not.
    fn begin_job(&mut self) -> bool {
        let Some(mut job) = self.jobs.pop_front() else { return false };
        let begins = match &job.task {
            Task::Start(start) => {
                let start = start.clone();
                self.begin_start(&mut job, &start)
            }
            Task::TurnOn { at } => {
                let at = *at;
                self.begin_turn_on(&mut job, at)
            }
            Task::TurnOff { at } => {
                let at = *at;
                self.begin_turn_off(&mut job, at)
            }
            Task::Rotate { at } => {
                let at = *at;
                self.begin_rotate(&mut job, at)
            }
            Task::Install { temp, is_rdb, .. } => {
                let (temp, is_rdb) = (temp.clone(), *is_rdb);
                self.begin_install(&mut job, temp, is_rdb)
            }
            Task::Collect { .. } => {
                self.begin_collect(&mut job);
                true
            }
        };
        job.has_begun = begins;
        self.jobs.push_front(job);
        begins
    }

    fn begin_start(&mut self, job: &mut Job, start: &Start) -> bool {
        let mut next = start.manifest.clone();
        let directory = self.names.directory.clone();
        job.steps.extend([Op::MakeDir { path: directory.clone() }, Op::SyncDir { path: ".".into() }]);
        if let Some((bytes, is_rdb)) = start.empty_base.clone().filter(|_| next.is_empty()) {
            let file = self.new_file();
            let name = next.add_base(&self.names.append, is_rdb).name.clone();
            let path = self.names.path(&name);
            self.log(Level::Notice, format!("Creating AOF base file {name} on server start"));
            let payload = Arc::new(Payload::new(vec![Slice::Own(bytes)]));
            job.steps.push_back(Op::Open { file, path, truncate: true });
            job.steps.push_back(Op::Write { file, at: 0, payload, skip: 0, sync: true });
            job.steps.push_back(Op::Close { file });
        }
        let Last { len, is_torn, crc } = start.last;
        match next.incrs.pop() {
            Some(last) => {
                if let [before @ .., _] = &start.manifest.incrs[..] {
                    let seq = before.last().map_or(0, |listed| listed.seq);
                    self.closed = if before.is_empty() { Vec::new() } else { vec![(seq, start.sizes.1)] };
                }
                let id = self.new_file();
                let path = self.names.path(&last.name);
                job.steps.push_back(Op::Open { file: id, path, truncate: false });
                if is_torn {
                    job.steps.push_back(Op::Truncate { file: id, len });
                }
                job.steps.push_back(Op::Sync { file: id });
                self.add_first_line(job, OpenFile { id, seq: last.seq, len, synced_len: len }, crc);
                next.incrs.push(last);
            }
            None => {
                if let Some(base) = next.base.as_ref().filter(|_| is_torn) {
                    // It is the last file now, but will not be any more.
                    let (file, path) = (self.new_file(), self.names.path(&base.name));
                    job.steps.push_back(Op::Open { file, path, truncate: false });
                    job.steps.extend([Op::Truncate { file, len }, Op::Sync { file }, Op::Close { file }]);
                }
                self.add_new_file(job, &mut next);
                if let Some(listed) = next.incrs.last() {
                    let text = format!("Creating AOF incr file {} on server start", listed.name);
                    self.log(Level::Notice, text);
                }
            }
        }
        if next != start.manifest {
            self.add_manifest(job, next);
        }
        true
    }

    /// Creates the next incremental file, listed in `next`.
    fn add_new_file(&mut self, job: &mut Job, next: &mut Manifest) {
        let listed = next.add_incr(&self.names.append);
        let id = self.new_file();
        job.steps.push_back(Op::Open { file: id, path: self.names.path(&listed.name), truncate: true });
        self.add_first_line(job, OpenFile { id, seq: listed.seq, len: 0, synced_len: 0 }, 0);
    }

    /// A group of no bytes, synced: what is torn behind it can be told from damage. If the group before it was cut short, this says so: `crc` is that of what was kept.
    fn add_first_line(&mut self, job: &mut Job, mut file: OpenFile, crc: u64) {
        if self.settings.checksums {
            let line = frame::Group { at: file.len, len: 0, crc, synced: file.len }.to_line();
            let payload = Arc::new(Payload::new(vec![Slice::Own(line)]));
            let (at, len) = (file.len, payload.len);
            job.steps.push_back(Op::Write { file: file.id, at, payload, skip: 0, sync: true });
            file.len += len;
            file.synced_len = file.len;
        }
        job.file = Some(file);
    }

    fn add_manifest(&mut self, job: &mut Job, next: Manifest) {
        let file = self.new_file();
        job.steps.extend(write_manifest(&self.names, &next, file));
        job.manifest = Some(next);
    }

    /// Whether everything before `at` is written and nothing moves.
    fn stands_at(&mut self, at: u64) -> bool {
        self.held_at = Some(at);
        self.written == at && self.group.is_none() && self.sync.is_none()
    }

    fn begin_rotate(&mut self, job: &mut Job, at: u64) -> bool {
        if self.state != State::On || self.write_error.is_some() {
            job.failed = Some(self.write_error.unwrap_or(libc::EBADF));
            return true;
        }
        if !self.stands_at(at) {
            return false;
        }
        if let Some(file) = &self.file
            && !self.settings.pretends_sync
        {
            job.steps.push_back(Op::Sync { file: file.id });
        }
        let mut next = self.manifest.clone();
        self.add_new_file(job, &mut next);
        if let Some(listed) = next.incrs.last() {
            self.log(Level::Notice, format!("Creating AOF incr file {} on background rewrite", listed.name));
        }
        self.add_manifest(job, next);
        true
    }

    fn begin_turn_on(&mut self, job: &mut Job, at: u64) -> bool {
        if self.state == State::On {
            job.failed = Some(libc::EBUSY);
            return true;
        }
        self.held_at = Some(at);
        if self.queued_to < at || self.group.is_some() || self.sync.is_some() {
            return false;
        }
        // What lies before the cut will be in the base.
        while let Some(batch) = self.queue.pop_front_if(|batch| batch.offset() < at) {
            self.queued_bytes -= batch.bytes().len() as u64;
        }
        let directory = self.names.directory.clone();
        job.steps.extend([Op::MakeDir { path: directory }, Op::SyncDir { path: ".".into() }]);
        let mut next = self.manifest.clone();
        self.add_new_file(job, &mut next);
        true
    }

    fn begin_turn_off(&mut self, job: &mut Job, at: u64) -> bool {
        if self.state == State::Off {
            return true;
        }
        let is_stuck = self.write_error.is_some() && self.sync.is_none();
        let is_stuck = is_stuck && self.group.as_ref().is_none_or(|group| group.ticket.is_none());
        if !self.stands_at(at) && !is_stuck {
            return false;
        }
        if let Some(file) = self.file.take() {
            job.steps.extend([Op::Sync { file: file.id }, Op::Close { file: file.id }]);
        }
        true
    }

    fn begin_install(&mut self, job: &mut Job, temp: String, is_rdb: bool) -> bool {
        let is_off = self.state == State::Off;
        if self.file.is_none() && !is_off {
            job.failed = Some(libc::EBADF);
            return true;
        }
        // With the file off the base is all there is.
        let first_kept = self.file.as_ref().filter(|_| !is_off).map_or(i64::MAX, |file| file.seq);
        if is_off {
            job.steps.push_back(Op::MakeDir { path: self.names.directory.clone() });
        }
        let mut next = self.manifest.clone();
        let to = self.names.path(&next.add_base(&self.names.append, is_rdb).name);
        if self.state == State::Waiting {
            next.add_incr(&self.names.append);
        }
        next.retire_incrs(first_kept);
        job.steps.push_back(Op::Rename { from: temp, to });
        self.add_manifest(job, next);
        true
    }

    fn begin_collect(&mut self, job: &mut Job) {
        let mut next = self.manifest.clone();
        for listed in next.history.drain(..) {
            let text = format!("Removing the history file {} in the background", listed.name);
            self.actions.push_back(Action::Log(Level::Notice, text));
            job.steps.push_back(Op::Unlink { path: self.names.path(&listed.name) });
        }
        self.add_manifest(job, next);
    }

    /// An operation of the running job is done.
    pub(super) fn job_done(&mut self, ticket: Ticket, outcome: Outcome) {
        let Some(job) = self.jobs.front_mut() else { return };
        if job.flying.as_ref().is_none_or(|(flying, _)| *flying != ticket) {
            return;
        }
        let Some((_, op)) = job.flying.take() else { return };
        if job.failed.is_some() {
            return;
        }
        let wanted = if let Op::Write { payload, .. } = &op { payload.len } else { 0 };
        let Err(errno) = outcome.whole(wanted) else {
            if let (Op::Rename { .. }, true) = (&op, job.steps.len() == 1)
                && let Some(next) = job.manifest.take()
            {
                job.is_committed = true;
                self.manifest = next;
            }
            return;
        };
        match &op {
            // History that is gone, or cannot be deleted, is no reason to keep it listed.
            Op::Unlink { .. } | Op::Close { .. } => return,
            Op::MakeDir { .. } if errno == libc::EEXIST => return,
            _ => {}
        }
        let text = describe(&self.names, &op, outcome, errno);
        self.log(Level::Warning, text);
        self.job_failed(errno, &op);
    }

    fn job_failed(&mut self, errno: i32, op: &Op) {
        let is_old = |id: FileId, file: &Option<OpenFile>| file.as_ref().is_some_and(|file| file.id == id);
        if let Op::Sync { file } = op
            && is_old(*file, &self.file)
        {
            self.sync_failed(errno);
        }
        let Some(job) = self.jobs.front() else { return };
        if !job.is_committed {
            return self.give_up_job(errno);
        }
        self.manifest_error = Some(errno);
        let file = self.new_file();
        let again = write_manifest(&self.names, &self.manifest, file);
        let now_us = self.now_us;
        if let Some(job) = self.jobs.front_mut() {
            job.steps = again.into();
            job.retry_at_us = Some(now_us + RETRY_US);
        }
    }

    /// Undoes the first job, whose commit has not happened.
    pub(super) fn give_up_job(&mut self, errno: i32) {
        let Some(job) = self.jobs.front_mut() else { return };
        job.failed = Some(errno);
        job.has_begun = true;
        job.steps.clear();
        let mut undo = Vec::new();
        if let Some(file) = &job.file {
            undo.push(Op::Close { file: file.id });
        }
        let listed =
            |of: &Manifest| -> Vec<String> { of.to_load().map(|listed| listed.name.clone()).collect() };
        let known = listed(&self.manifest);
        let made = job.manifest.as_ref().map(listed).unwrap_or_default();
        let made = made.into_iter().filter(|name| !known.contains(name));
        undo.extend(made.map(|name| Op::Unlink { path: self.names.path(&name) }));
        job.steps = undo.into();
        // A start ends the process; a file that collects for a first rewrite is needed still.
        if matches!(job.task, Task::Start(_)) {
            job.steps.clear();
        }
        if let (Task::Install { .. }, State::Waiting, Some(file)) = (&job.task, self.state, &self.file) {
            let kept = format!("{}.{}.incr.aof", self.names.append, file.seq);
            let kept = self.names.path(&kept);
            job.steps.retain(|op| !matches!(op, Op::Unlink { path } if *path == kept));
        }
    }

    /// The first job has no operation left.
    fn end_job(&mut self) {
        let Some(mut job) = self.jobs.pop_front() else { return };
        if job.is_committed {
            self.manifest_error = None;
        }
        let event = match (&job.task, job.failed) {
            (Task::Start(_), Some(errno)) => Event::StartFailed(errno),
            (Task::TurnOn { .. }, Some(errno)) => Event::TurnOnFailed(errno),
            (Task::Rotate { .. }, Some(errno)) => Event::RotateFailed(errno),
            (Task::Install { .. }, Some(errno)) => Event::InstallFailed(errno),
            (Task::Collect { ends_install }, _) => {
                let is_end = *ends_install;
                self.raise_durable();
                if is_end {
                    self.actions.push_back(Action::Event(Event::Installed));
                }
                return;
            }
            (Task::Start(_), None) => {
                self.file = job.file.take();
                self.state = State::On;
                Event::Started
            }
            (Task::TurnOn { at }, None) => {
                self.swap_file(job.file.take(), false);
                (self.written, self.synced) = (*at, *at);
                self.broken = None;
                self.state = State::Waiting;
                Event::TurnedOn
            }
            (Task::Rotate { at }, None) => {
                self.swap_file(job.file.take(), true);
                self.synced = self.synced.max(*at);
                Event::Rotated
            }
            (Task::Install { size, .. }, None) => {
                let Some(event) = self.installed(*size) else { return };
                event
            }
            (Task::TurnOff { .. }, _) => self.turned_off(),
        };
        self.held_at = None;
        self.raise_durable();
        self.actions.push_back(Action::Event(event));
    }

    fn swap_file(&mut self, file: Option<OpenFile>, counts: bool) {
        if let Some(old) = std::mem::replace(&mut self.file, file) {
            if counts {
                self.closed.push((old.seq, old.len));
            }
            self.ask(Op::Close { file: old.id });
        }
    }

    /// The new base counts; the event waits for the old files to go, if they do.
    fn installed(&mut self, size: u64) -> Option<Event> {
        let seq = self.file.as_ref().map_or(0, |file| file.seq);
        if self.state != State::Off {
            self.state = State::On;
        }
        self.base_size = size;
        self.closed.retain(|(closed, _)| *closed >= seq);
        if self.broken.is_some_and(|(broken, _)| broken < seq) {
            self.broken = None;
        }
        self.rewrite_base_size = self.current_size();
        if self.settings.keeps_history {
            return Some(Event::Installed);
        }
        self.held_at = None;
        self.raise_durable();
        self.jobs.push_front(Job::collect(true));
        None
    }

    fn turned_off(&mut self) -> Event {
        self.state = State::Off;
        self.queue.clear();
        self.queued_bytes = 0;
        self.group = None;
        self.closed.clear();
        self.base_size = 0;
        self.is_flushing = false;
        self.queued_to = self.written;
        Event::TurnedOff
    }
}
