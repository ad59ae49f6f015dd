//! The append-only file: a journal that writes the stream, a scanner that reads it back.
//!
//! - [`Journal`]: what is written, synced, rotated, installed and when ([`append`] the bytes, [`job`] the files, [`aftermath`] how that comes out, [`trouble`] why writes are refused).
//! - [`frame`]: annotations and group checksums. [`scan`], [`command`]: a file as whole units.
//!
//! Invariant: an incremental file holds the replication stream from its rotation on, whole batches, nothing else but annotations. Bounds: those of the files.
//! Why one file for all cores: redis refuses a torn part that is not the last, so parts per core would not move to it (DESIGN §4).
mod aftermath;
mod append;
pub mod command;
pub mod frame;
mod job;
mod journal;
pub mod scan;
mod trouble;
mod words;

pub use job::write_manifest;
pub use journal::{Action, Event, Journal, Last, Level, Policy, Settings, Start};
pub use trouble::Trouble;

/// How files are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `appenddirname`.
    pub directory: String,
    /// `appendfilename`.
    pub append: String,
}

impl Names {
    /// The path of a file in the directory.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }
}
