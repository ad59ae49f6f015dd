//! What is wrong with the append-only file, and what that means to clients.
//!
//! Asked by `session::journal`, which has all cores refuse writes, and by INFO. Invariant: trouble is over only when the file holds everything again. Bounds: none.
//! Why a failed sync outlasts a later one that succeeds: the kernel has dropped the pages.
use super::journal::{Journal, State};
use crate::persist::storage::error_text;

/// Why writes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A write failed with this errno; it is tried again every second.
    Write(i32),
    /// A sync failed with this errno: only a rewrite helps.
    Sync(i32),
    /// A manifest may or may not be on disk; it is written again every second.
    Manifest(i32),
}

impl Trouble {
    /// Its errno.
    pub fn errno(self) -> i32 {
        match self {
            Trouble::Write(errno) | Trouble::Sync(errno) | Trouble::Manifest(errno) => errno,
        }
    }
}

impl Journal {
    /// Why writes are refused, if they are.
    pub fn trouble(&self) -> Option<Trouble> {
        let write = self.write_error.map(Trouble::Write);
        let sync = self.broken.map(|(_, errno)| Trouble::Sync(errno));
        write.or(sync).or(self.manifest_error.map(Trouble::Manifest)).filter(|_| self.state != State::Off)
    }

    /// The reply to a refused write, without its dash; `None` if writes are taken.
    pub fn refusal(&self) -> Option<String> {
        let errno = self.trouble()?.errno();
        Some(format!("MISCONF Errors writing to the AOF file: {}", error_text(errno)))
    }

    /// A sync has failed: only a rewrite brings the file back.
    pub fn needs_rewrite(&self) -> bool {
        self.broken.is_some() && self.state != State::Off
    }
}
