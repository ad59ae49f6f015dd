//! File operations as data, and what came of them.
//!
//! `aof::Journal` makes [`Op`]s and is told of each one's [`Outcome`] under the same [`Ticket`]; `session::journal` carries them out on the ring, tests on a simulated disk. Paths are relative to
//! the working directory (`dir`). Invariant: the journal orders operations by waiting for outcomes; whoever carries them out may run those at hand in any order, except
//! that a write's sync begins after the whole write. Bounds: a write names at most [`WRITE_SLICES`] slices. Why data and not a trait: the same value can be queued on a ring, logged,
//! failed and replayed.
use crate::effect::Batch;

/// Most slices of one write (the kernel takes 1024).
pub const WRITE_SLICES: usize = 512;

/// Names an operation under way.
pub type Ticket = u64;

/// An open file of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId(pub u32);

/// Bytes to write, in order.
#[derive(Clone)]
pub enum Slice {
    /// A whole batch, from where it lies.
    Batch(Batch),
    /// Bytes made for the file.
    Own(Vec<u8>),
}

impl Slice {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Slice::Batch(batch) => batch.bytes(),
            Slice::Own(bytes) => bytes,
        }
    }
}

/// What a write puts into a file. Shared, so that a retry needs no copy.
pub struct Payload {
    /// In order.
    pub slices: Vec<Slice>,
    /// Sum of their bytes.
    pub len: u64,
}

impl Payload {
    /// A payload of these slices.
    pub fn new(slices: Vec<Slice>) -> Payload {
        let len = slices.iter().map(|slice| slice.bytes().len() as u64).sum();
        Payload { slices, len }
    }

    /// The bytes from `skip` on, slice by slice.
    pub fn each(&self, skip: u64, mut take: impl FnMut(&[u8])) {
        let mut skip = usize::try_from(skip).unwrap_or(usize::MAX);
        for slice in &self.slices {
            let bytes = slice.bytes();
            if skip < bytes.len() {
                take(&bytes[skip..]);
            }
            skip = skip.saturating_sub(bytes.len());
        }
    }
}

/// One operation.
#[derive(Clone)]
pub enum Op {
    /// Opens for writing, creating the file; `truncate` empties it. Mode 0644. Later named by `file`.
    Open {
        /// The name from now on.
        file: FileId,
        /// Where.
        path: String,
        /// Whether what is there goes.
        truncate: bool,
    },
    /// Writes at a position, then fdatasyncs if `sync`; the sync does not begin if the write fell short.
    Write {
        /// Into.
        file: FileId,
        /// Where in the file.
        at: u64,
        /// What.
        payload: std::sync::Arc<Payload>,
        /// Bytes of the payload that are in the file already.
        skip: u64,
        /// Whether to sync behind it.
        sync: bool,
    },
    /// fdatasync.
    Sync {
        /// Of.
        file: FileId,
    },
    /// Cuts to a length.
    Truncate {
        /// What.
        file: FileId,
        /// Bytes that stay.
        len: u64,
    },
    /// Closes; the name is free again.
    Close {
        /// What.
        file: FileId,
    },
    /// Renames, replacing what is there.
    Rename {
        /// From.
        from: String,
        /// To.
        to: String,
    },
    /// Deletes.
    Unlink {
        /// What.
        path: String,
    },
    /// Makes a directory (mode 0755); one that is there already is no error.
    MakeDir {
        /// Where.
        path: String,
    },
    /// fsync of a directory: creations, renames and deletions in it last.
    SyncDir {
        /// Which.
        path: String,
    },
}

/// What came of an operation: errno if it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An operation other than a write.
    Done(Result<(), i32>),
    /// A write: bytes written, and what its sync gave (`Ok` if none was asked for or the write was short).
    Written(Result<u64, i32>, Result<(), i32>),
}

impl Outcome {
    /// The operation as a whole: `len` bytes were to be written.
    pub fn whole(self, len: u64) -> Result<(), i32> {
        match self {
            Outcome::Done(result) => result,
            Outcome::Written(Err(errno), _) => Err(errno),
            Outcome::Written(Ok(written), _) if written < len => Err(libc::ENOSPC),
            Outcome::Written(Ok(_), synced) => synced,
        }
    }
}

/// The system's text of an errno, as C's strerror has it.
pub fn error_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
