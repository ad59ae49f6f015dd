//! How the operations of a job come out, and what follows: the next step, the commit, undoing, the end.
//!
//! Called by `journal` and [`super::job`]. Invariant: a job whose manifest has replaced the old one is carried through, any other is undone; either way its event is given once. Bounds: an operation
//! behind the commit is tried once a second, for ever. Why apart from `job`: that says what is done, this what becomes of it.
use super::append::OpenFile;
use super::job::{Job, Task, write_manifest};
use super::journal::{Action, Event, Journal, Level, State};
use super::words::describe;
use crate::persist::manifest::Manifest;
use crate::persist::storage::{FileId, Op, Outcome, Ticket};

/// An operation behind the commit that failed is tried again after this.
const RETRY_US: u64 = 1_000_000;

impl Journal {
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
    pub(super) fn end_job(&mut self) {
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
