//! SLOWLOG: commands of this core that took longer than slowlog-log-slower-than.
//!
//! Filled by `session::run` (accounting), read by a visit. Bounds: slowlog-max-len entries; 32 words of 128 bytes each.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

/// The next entry's id: one sequence for all cores, touched only by slow commands.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// One slow command.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Sequence number.
    pub id: u64,
    /// Wall time, unix seconds.
    pub at_s: i64,
    /// Microseconds it took.
    pub took_us: u64,
    /// Its words, shortened as redis shortens them.
    pub words: Vec<Vec<u8>>,
    /// Peer address.
    pub peer: String,
    /// Client name.
    pub name: Vec<u8>,
}

/// The slow log of one core.
#[derive(Default)]
pub struct SlowLog {
    /// Newest first.
    pub entries: VecDeque<Entry>,
}

impl SlowLog {
    /// Adds an entry and keeps at most `max` of them.
    pub fn push(&mut self, mut entry: Entry, max: usize) {
        entry.id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        self.entries.push_front(entry);
        self.entries.truncate(max);
    }
}
