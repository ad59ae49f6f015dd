//! The journal's file operations on core 0's ring: what is open, what is under way, what has come of it.
//!
//! `session::journal` hands in [`Op`]s with their tickets and completions of [`crate::runtime::ring`], and takes outcomes out. Invariant: paths, slices and payloads of an operation stay where
//! they are until its last completion; a write's sync begins after the whole write. Bounds: the journal has one write, one sync and one step of a job under way. Why not wait in place: no
//! core ever waits for a disk.

use std::collections::{HashMap, VecDeque};
use std::ffi::CString;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::trace;
use crate::base::slab::Slab;
use crate::persist::storage::{FileId, Op, Outcome, Payload, Ticket};
use crate::runtime::ring::files::FileOp;
use crate::runtime::ring::{Completion, Op as RingOp, Ring};

/// A write, perhaps with its sync.
struct Write {
    payload: Arc<Payload>,
    skip: u64,
    file: FileId,
    fd: RawFd,
    at: u64,
    syncs: bool,
    /// Names the payload's bytes.
    slices: Vec<libc::iovec>,
    /// The sync went with the write: two completions come.
    is_linked: bool,
    written: Option<i32>,
    synced: Option<i32>,
}

/// What an operation without bytes is made of: steps on the ring, each after the one before.
struct Simple {
    op: Op,
    paths: [CString; 2],
    step: u32,
    fd: RawFd,
    /// What it comes to, once that is known and only a close is left.
    result: Option<Result<(), i32>>,
}

enum Kind {
    Write(Write),
    Simple(Simple),
}

struct Flight {
    ticket: Ticket,
    kind: Kind,
}

// SAFETY: the slices point into the payload that lies beside them, which any thread may read.
unsafe impl Send for Flight {}

/// See the module's text.
#[derive(Default)]
pub struct Disk {
    files: HashMap<u32, RawFd>,
    flights: Slab<Flight>,
    done: VecDeque<(Ticket, Outcome)>,
}

impl Drop for Disk {
    fn drop(&mut self) {
        if !self.is_idle() {
            // The kernel may still read what they name; the process is ending.
            std::mem::forget(std::mem::take(&mut self.flights));
        }
    }
}

impl Disk {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.flights.is_empty()
    }

    /// The next operation that is over.
    pub fn next_done(&mut self) -> Option<(Ticket, Outcome)> {
        self.done.pop_front()
    }

    /// Begins an operation.
    pub fn begin(&mut self, ring: &mut Ring, ticket: Ticket, op: Op) {
        let kind = match self.prepare(op) {
            Ok(kind) => kind,
            Err(errno) => return self.done.push_back((ticket, Outcome::Done(Err(errno)))),
        };
        let index = self.flights.insert(Flight { ticket, kind });
        let Some(flight) = self.flights.get_mut(index) else { return };
        match &mut flight.kind {
            Kind::Write(write) => write.begin(ring, index),
            Kind::Simple(simple) => simple.begin(ring, index),
        }
    }

    fn prepare(&mut self, op: Op) -> Result<Kind, i32> {
        let fd_of = |file: &FileId| self.files.get(&file.0).copied().ok_or(libc::EBADF);
        let path_of = |path: &str| CString::new(path).map_err(|_| libc::EINVAL);
        let (first, second, fd) = match &op {
            Op::Write { file, at, payload, skip, sync } => {
                let write = Write {
                    payload: Arc::clone(payload),
                    skip: *skip,
                    file: *file,
                    fd: fd_of(file)?,
                    at: *at,
                    syncs: *sync,
                    slices: Vec::new(),
                    is_linked: false,
                    written: None,
                    synced: None,
                };
                return Ok(Kind::Write(write));
            }
            Op::Open { path, .. } | Op::Unlink { path } | Op::MakeDir { path } | Op::SyncDir { path } => {
                (path_of(path)?, CString::default(), -1)
            }
            Op::Rename { from, to } => (path_of(from)?, path_of(to)?, -1),
            Op::Sync { file } | Op::Truncate { file, .. } => {
                (CString::default(), CString::default(), fd_of(file)?)
            }
            Op::Close { file } => {
                let fd = self.files.remove(&file.0).ok_or(libc::EBADF)?;
                (CString::default(), CString::default(), fd)
            }
        };
        Ok(Kind::Simple(Simple { op, paths: [first, second], step: 0, fd, result: None }))
    }

    /// An operation on the ring is over.
    pub fn completed(&mut self, ring: &mut Ring, completion: Completion) {
        let index = completion.token.index;
        let Some(flight) = self.flights.get_mut(index) else { return };
        let outcome = match &mut flight.kind {
            Kind::Write(write) => {
                let is_sync = completion.token.op == RingOp::FileSync || completion.token.generation == 1;
                write.completed(ring, index, is_sync, completion.result)
            }
            Kind::Simple(simple) => simple.completed(ring, index, completion.result),
        };
        let Some(outcome) = outcome else { return };
        match &flight.kind {
            Kind::Simple(Simple { op: Op::Open { file, path, .. }, fd, .. }) if *fd >= 0 => {
                self.files.insert(file.0, *fd);
                trace::opened(file.0, path);
            }
            Kind::Simple(Simple { op: Op::Sync { file }, .. }) if outcome == Outcome::Done(Ok(())) => {
                trace::synced(file.0, 0);
            }
            _ => {}
        }
        let ticket = flight.ticket;
        self.flights.remove(index);
        self.done.push_back((ticket, outcome));
    }
}

/// Whether the kernel wants to be asked once more.
fn is_again(result: i32) -> bool {
    result == -libc::EINTR || result == -libc::EAGAIN
}

fn outcome_of(result: i32) -> Result<(), i32> {
    if result < 0 { Err(-result) } else { Ok(()) }
}

impl Write {
    fn begin(&mut self, ring: &mut Ring, index: u32) {
        (self.written, self.synced) = (None, None);
        self.slices.clear();
        let slices = &mut self.slices;
        self.payload.each(self.skip, |bytes| {
            slices.push(libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
        });
        // SAFETY: payload and list belong to this flight, which lives until its completion and is not changed before.
        self.is_linked = unsafe { ring.write_file(self.fd, &self.slices, self.at, self.syncs, index, 0) };
    }

    fn completed(&mut self, ring: &mut Ring, index: u32, is_sync: bool, result: i32) -> Option<Outcome> {
        match is_sync {
            true => self.synced = Some(result),
            false => self.written = Some(result),
        }
        let written = self.written?;
        if self.is_linked && self.synced.is_none() {
            return None;
        }
        if is_again(written) {
            self.begin(ring, index);
            return None;
        }
        if written < 0 {
            return Some(Outcome::Written(Err(-written), Ok(())));
        }
        let count = written as u64;
        trace::wrote(self.file.0, self.at + count);
        if count < self.payload.len - self.skip || !self.syncs {
            return Some(Outcome::Written(Ok(count), Ok(())));
        }
        match self.synced {
            Some(synced) if !is_again(synced) && synced != -libc::ECANCELED => {
                if synced >= 0 {
                    trace::synced(self.file.0, self.at + count);
                }
                Some(Outcome::Written(Ok(count), outcome_of(synced)))
            }
            _ => {
                (self.is_linked, self.synced) = (false, None);
                // SAFETY: no path.
                unsafe { ring.file(FileOp::SyncData(self.fd), index, 1) };
                None
            }
        }
    }
}

impl Simple {
    fn begin(&mut self, ring: &mut Ring, index: u32) {
        let [first, second] = &self.paths;
        let op = match (&self.op, self.step) {
            (Op::Open { truncate, .. }, _) => {
                let emptied = if *truncate { libc::O_TRUNC } else { 0 };
                FileOp::Open(first, libc::O_WRONLY | libc::O_CREAT | emptied)
            }
            (Op::Sync { file }, _) => {
                trace::begins_sync(file.0);
                FileOp::SyncData(self.fd)
            }
            (Op::Truncate { len, .. }, _) => FileOp::Truncate(self.fd, *len),
            (Op::Close { .. }, _) => FileOp::Close(self.fd),
            (Op::Rename { .. }, _) => FileOp::Rename(first, second),
            (Op::Unlink { .. }, _) => FileOp::Unlink(first),
            (Op::MakeDir { .. }, _) => FileOp::MakeDir(first),
            (Op::SyncDir { .. }, 0) => FileOp::Open(first, libc::O_RDONLY | libc::O_DIRECTORY),
            (Op::SyncDir { .. }, 1) => FileOp::Sync(self.fd),
            (Op::SyncDir { .. } | Op::Write { .. }, _) => FileOp::Close(self.fd),
        };
        // SAFETY: the paths belong to this flight and do not change.
        unsafe { ring.file(op, index, 0) };
    }

    fn completed(&mut self, ring: &mut Ring, index: u32, result: i32) -> Option<Outcome> {
        if is_again(result) {
            self.begin(ring, index);
            return None;
        }
        match (&self.op, self.step) {
            (Op::Open { .. }, _) => self.fd = result,
            (Op::Truncate { len, .. }, _) if result == -libc::EINVAL => {
                // A kernel before 6.9 has no such operation; cutting happens after failures only.
                // SAFETY: a plain call on a descriptor we own.
                let cut = unsafe { libc::ftruncate(self.fd, *len as i64) };
                let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
                return Some(Outcome::Done(if cut == 0 { Ok(()) } else { Err(errno) }));
            }
            (Op::SyncDir { .. }, 0) if result >= 0 => {
                self.fd = result;
                self.step = 1;
                self.begin(ring, index);
                return None;
            }
            (Op::SyncDir { .. }, 1) => {
                self.result = Some(outcome_of(result));
                self.step = 2;
                self.begin(ring, index);
                return None;
            }
            _ => {}
        }
        Some(Outcome::Done(self.result.unwrap_or_else(|| outcome_of(result))))
    }
}
