//! The lane of bytes: groups of batches to the file, syncs behind them, and what to do when either fails.
//!
//! Called by `journal`. One write is in flight; what is published meanwhile makes the next group (group commit). Invariant: the file ends with a whole group, or with a part that is being
//! cut off again, or (where it cannot be cut) with a part that the next write completes. Bounds: [`GROUP_BYTES`] and `WRITE_SLICES` a group, one batch at least.
//! Source: redis-server 7.0.15 for the texts and for what ends the process. Unlike redis, a failed sync is not forgotten when a later one succeeds: the kernel has dropped the pages.
use std::sync::Arc;

use super::frame::{self, timestamp_line};
use super::job::Task;
use super::journal::{Action, Journal, Level, Policy};
use crate::base::crc64::crc64;
use crate::persist::storage::{FileId, Op, Outcome, Payload, Slice, Ticket, WRITE_SLICES, error_text};

/// A group is full with so many bytes.
const GROUP_BYTES: u64 = 1 << 20;
/// Without `always`, so many bytes are written at once …
const WRITE_BYTES: u64 = 64 << 10;
/// … or what has waited for so long, in microseconds.
const WRITE_DELAY_US: u64 = 3_000;
/// `everysec`.
pub(super) const SYNC_EVERY_US: u64 = 1_000_000;
/// A failed write is tried again after this.
const RETRY_US: u64 = 1_000_000;
/// A sync that takes longer counts as delayed, once per this.
const DELAYED_US: u64 = 2_000_000;
/// Failed writes are logged at most once per this.
const LOG_EVERY_US: u64 = 30_000_000;
/// A write that brought at least so many bytes was cut by the kernel's own limit (2 GB), not by an error.
const KERNEL_LIMIT: u64 = 1 << 30;

/// The file that is written.
pub(super) struct OpenFile {
    pub id: FileId,
    pub seq: i64,
    /// Bytes of whole groups.
    pub len: u64,
    /// How many of them are synced.
    pub synced_len: u64,
}

/// What is being written.
pub(super) struct Group {
    payload: Arc<Payload>,
    /// Stream offset behind it.
    end: u64,
    /// Bytes of it that are in the file for good.
    skip: u64,
    syncs: bool,
    /// The write, or the cut after it failed.
    pub ticket: Option<Ticket>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Writing,
    /// Cutting off so many bytes of it.
    Cutting(u64),
    /// Making the cut last, so that no sector of the failed write can turn up between those of the next.
    Settling,
    /// Until then.
    Waiting(u64),
}

/// A sync without a write.
pub(super) struct SyncFlight {
    pub ticket: Ticket,
    /// What it covers: stream offset, bytes of the file.
    to: u64,
    len: u64,
    began_us: u64,
}

impl Journal {
    /// Whether `no-appendfsync-on-rewrite` holds syncs back.
    pub(super) fn skips_sync(&self) -> bool {
        self.settings.no_sync_on_rewrite && self.is_saving && !self.is_flushing
    }

    /// When queued bytes are to be written.
    pub(super) fn group_due_us(&self) -> Option<u64> {
        match &self.group {
            Some(group) => match group.phase {
                Phase::Waiting(until) => Some(until),
                _ => None,
            },
            None if self.queue.is_empty() || self.file.is_none() => None,
            None if self.writes_at_once() => Some(self.now_us),
            None => Some(self.queued_since_us + WRITE_DELAY_US),
        }
    }

    fn writes_at_once(&self) -> bool {
        let is_held = self.held_at.is_some_and(|at| self.written < at);
        let is_urgent = self.settings.policy == Policy::Always || self.is_flushing || is_held;
        is_urgent || self.queued_bytes >= WRITE_BYTES
    }

    pub(super) fn pump_group(&mut self) {
        if let Some(group) = &self.group {
            if matches!(group.phase, Phase::Waiting(until) if until <= self.now_us) {
                self.write_group();
            }
            return;
        }
        if self.file.is_some() && self.group_due_us().is_some_and(|due| due <= self.now_us) {
            self.form_group();
        }
    }

    fn form_group(&mut self) {
        let limit = self.held_at.unwrap_or(u64::MAX);
        let Some(file) = &self.file else { return };
        let (mut slices, mut len, mut end) = (Vec::new(), 0, self.written);
        if self.settings.timestamps && self.wall_s > self.last_stamp_s {
            self.last_stamp_s = self.wall_s;
            slices.push(Slice::Own(timestamp_line(self.wall_s)));
        }
        let stamps = slices.len();
        while len < GROUP_BYTES
            && slices.len() < WRITE_SLICES - 1
            && let Some(batch) = self.queue.pop_front_if(|batch| batch.offset() < limit)
        {
            len += batch.bytes().len() as u64;
            end = batch.end();
            slices.push(Slice::Batch(batch));
        }
        if slices.len() == stamps {
            return;
        }
        self.queued_bytes -= len;
        self.queued_since_us = self.now_us;
        if self.settings.checksums {
            let crc = slices.iter().fold(0, |crc, slice| crc64(crc, slice.bytes()));
            let len = slices.iter().map(|slice| slice.bytes().len() as u64).sum();
            let line = frame::Group { at: file.len, len, crc, synced: file.synced_len }.to_line();
            slices.insert(0, Slice::Own(line));
        }
        let payload = Arc::new(Payload::new(slices));
        self.group = Some(Group { payload, end, skip: 0, syncs: false, ticket: None, phase: Phase::Writing });
        self.write_group();
    }

    /// Asks for the write of the group at hand, or of what is missing of it.
    fn write_group(&mut self) {
        let wants_sync = self.settings.policy == Policy::Always && !self.skips_sync();
        let pretends = self.settings.pretends_sync;
        let (Some(file), Some(group)) = (&self.file, &mut self.group) else { return };
        group.syncs = wants_sync;
        group.phase = Phase::Writing;
        let op = Op::Write {
            file: file.id,
            at: file.len + group.skip,
            payload: group.payload.clone(),
            skip: group.skip,
            sync: wants_sync && !pretends,
        };
        let ticket = self.ask(op);
        if let Some(group) = &mut self.group {
            group.ticket = Some(ticket);
        }
    }

    /// The group's write, or its cut, is done.
    pub(super) fn group_done(&mut self, outcome: Outcome) {
        let Some(group) = &mut self.group else { return };
        group.ticket = None;
        match group.phase {
            Phase::Cutting(written) => return self.cut_done(outcome.whole(0), written),
            Phase::Settling => {
                match (outcome.whole(0), &self.file) {
                    (Err(errno), _) => self.sync_failed(errno),
                    (Ok(()), Some(file)) => self.note_synced(self.written, file.len),
                    (Ok(()), None) => {}
                }
                return self.wait_or_exit();
            }
            _ => {}
        }
        let wanted = group.payload.len - group.skip;
        match outcome {
            Outcome::Written(Ok(written), synced) if written >= wanted => self.group_written(synced),
            Outcome::Written(Ok(written), _) if written >= KERNEL_LIMIT => {
                group.skip += written;
                self.write_group();
            }
            Outcome::Written(Ok(written), _) => {
                let text = format!(
                    "Short write while writing to the AOF file: (nwritten={written}, expected={wanted})"
                );
                self.write_failed(libc::ENOSPC, written, text);
            }
            Outcome::Written(Err(errno), _) | Outcome::Done(Err(errno)) => {
                let text = format!("Error writing to the AOF file: {}", error_text(errno));
                self.write_failed(errno, 0, text);
            }
            Outcome::Done(Ok(())) => self.group_written(Ok(())),
        }
    }

    fn group_written(&mut self, synced: Result<(), i32>) {
        let (Some(file), Some(group)) = (&mut self.file, self.group.take()) else { return };
        file.len += group.payload.len;
        let len = file.len;
        self.written = group.end;
        if self.write_error.take().is_some() {
            self.log(Level::Warning, "AOF write error looks solved, Redis can write again.".into());
        }
        match synced {
            Ok(()) if group.syncs => self.note_synced(self.written, len),
            Ok(()) => {}
            Err(errno) => self.sync_failed(errno),
        }
    }

    /// Everything up to `len` of the present file, that is up to `to` of the stream, is synced, if no sync of this file has failed before.
    fn note_synced(&mut self, to: u64, len: u64) {
        let broken = self.broken.map(|(seq, _)| seq);
        if let Some(file) = self.file.as_mut().filter(|file| Some(file.seq) != broken) {
            file.synced_len = file.synced_len.max(len);
            self.synced = self.synced.max(to);
        }
        self.last_sync_us = self.now_us;
        self.raise_durable();
    }

    fn write_failed(&mut self, errno: i32, written: u64, text: String) {
        let may_log =
            self.last_error_log_us.is_none_or(|last| self.now_us.saturating_sub(last) > LOG_EVERY_US);
        if may_log {
            self.last_error_log_us = Some(self.now_us);
            self.log(Level::Warning, text);
        }
        self.write_error = Some(errno);
        self.fail_rotation(errno);
        let (Some(file), Some(group)) = (&self.file, &self.group) else { return };
        if written == 0 {
            return self.wait_or_exit();
        }
        let op = Op::Truncate { file: file.id, len: file.len + group.skip };
        let ticket = self.ask(op);
        if let Some(group) = &mut self.group {
            group.phase = Phase::Cutting(written);
            group.ticket = Some(ticket);
        }
    }

    /// The bytes of a failed write are cut off, or stay: then the next attempt writes what is missing.
    fn cut_done(&mut self, result: Result<(), i32>, written: u64) {
        if let Err(errno) = result {
            let why = error_text(errno);
            self.log(
                Level::Warning,
                format!(
                    "Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next time it starts.  ftruncate: {why}"
                ),
            );
            if let Some(group) = &mut self.group {
                group.skip += written;
            }
            return self.wait_or_exit();
        }
        let Some(id) = self.file.as_ref().map(|file| file.id) else { return };
        let ticket = self.ask(Op::Sync { file: id });
        if let Some(group) = &mut self.group {
            group.phase = Phase::Settling;
            group.ticket = Some(ticket);
        }
    }

    fn wait_or_exit(&mut self) {
        if self.settings.policy == Policy::Always {
            let text = "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...";
            self.actions.push_back(Action::Exit(text.into()));
        }
        if let Some(group) = &mut self.group {
            group.phase = Phase::Waiting(self.now_us + RETRY_US);
        }
    }

    /// When a sync without a write is due.
    pub(super) fn sync_due_us(&self) -> Option<u64> {
        if let Some(flight) = &self.sync {
            return Some(flight.began_us.max(self.last_delay_us) + DELAYED_US);
        }
        self.file.as_ref().filter(|file| file.synced_len < file.len)?;
        if self.held_at.is_some() || self.skips_sync() {
            return None;
        }
        match self.settings.policy {
            _ if self.broken.is_none()
                && self.is_flushing
                && self.queue.is_empty()
                && self.group.is_none() =>
            {
                Some(self.now_us)
            }
            Policy::Always if self.group.is_none() => Some(self.now_us),
            Policy::EverySec => Some(self.last_sync_us + self.settings.sync_every_us),
            Policy::Always | Policy::No => None,
        }
    }

    pub(super) fn pump_sync(&mut self) {
        if self.sync_due_us().is_none_or(|due| due > self.now_us) {
            return;
        }
        if self.sync.is_some() {
            if self.unwritten() > 0 {
                self.delayed_syncs += 1;
                let text = "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis.";
                self.log(Level::Notice, text.into());
            }
            self.last_delay_us = self.now_us;
            return;
        }
        let Some(file) = &self.file else { return };
        let (id, len) = (file.id, file.len);
        if self.settings.pretends_sync {
            return self.note_synced(self.written, len);
        }
        let ticket = self.ask(Op::Sync { file: id });
        self.last_sync_us = self.now_us;
        self.sync = Some(SyncFlight { ticket, to: self.written, len, began_us: self.now_us });
    }

    pub(super) fn sync_done(&mut self, result: Result<(), i32>) {
        let Some(flight) = self.sync.take() else { return };
        match result {
            Err(errno) => self.sync_failed(errno),
            Ok(()) => self.note_synced(flight.to, flight.len),
        }
    }

    /// The present file can no longer be trusted, whatever later syncs say.
    pub(super) fn sync_failed(&mut self, errno: i32) {
        let why = error_text(errno);
        let Some(seq) = self.file.as_ref().map(|file| file.seq) else { return };
        if self.settings.policy == Policy::Always {
            let text = format!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {why}. Exiting..."
            );
            self.actions.push_back(Action::Exit(text));
        } else if self.broken.is_none() {
            self.log(Level::Warning, format!("Fail to fsync the AOF file: {why}"));
        }
        self.broken = Some((seq, errno));
    }

    /// A rotation that still waits for bytes which cannot be written is given up.
    fn fail_rotation(&mut self, errno: i32) {
        if self.jobs.front().is_some_and(|job| matches!(job.task, Task::Rotate { .. }) && !job.has_begun()) {
            self.give_up_job(errno);
        }
    }
}
