//! The log ring of one core: sealed batches at their offsets in the process-wide stream.
//!
//! `shard::execute` seals a batch per turn; [`super::gather`] and later replication, AOF and migration read.
//! The position of a batch is its byte offset in the stock replication stream: one `fetch_add` per batch on the one
//! shared atomic that a write may touch, and only while a reader exists (DESIGN §4).
//!
//! ```text
//! Log    segments: [Arc<Segment>] oldest first
//! Batch  {offset, bytes (wire form), index: [{at, len, db, slot, kind}]}
//! ```
//! Invariant: offsets grow along a log, and over all logs the batches tile the stream without holes.
//! Bounds: batches older than `capacity` bytes behind the newest are dropped. Why a batch per allocation instead of a fixed
//! ring: a reference-counted batch can be sent from where it lies while the log goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::staging::{Kind, Staging};

/// Bytes of stream reserved so far by all cores.
static STREAM: AtomicU64 = AtomicU64::new(0);

/// The stream's end: the next byte's offset.
pub fn stream_offset() -> u64 {
    STREAM.load(Ordering::Acquire)
}

/// What the stock stream does not carry about one effect.
#[derive(Clone, Copy, Debug)]
pub struct EntryIndex {
    /// Byte position in the batch.
    pub at: u32,
    /// Bytes, a leading SELECT included.
    pub len: u32,
    /// Database.
    pub db: u16,
    /// Slot of the first key, `u16::MAX` for none.
    pub slot: u16,
    /// The kept operation.
    pub kind: Kind,
}

/// The effects of one turn of one core.
pub struct Batch {
    /// Position of the first byte in the stream.
    pub offset: u64,
    /// Wire form.
    pub bytes: Vec<u8>,
    /// One row per effect.
    pub index: Vec<EntryIndex>,
}

/// One core's log.
#[derive(Default)]
pub struct Log {
    /// Effects not sealed yet.
    pub staging: Staging,
    batches: VecDeque<Arc<Batch>>,
    held_bytes: usize,
    capacity: usize,
    readers: usize,
}

impl Log {
    /// Whether anyone reads: the one branch a write pays without readers.
    #[inline]
    pub fn is_read(&self) -> bool {
        self.readers > 0
    }

    /// A reader that wants the last `capacity` bytes kept comes.
    pub fn attach(&mut self, capacity: usize) {
        self.readers += 1;
        self.capacity = self.capacity.max(capacity);
    }

    /// A reader goes; without readers nothing is kept.
    pub fn detach(&mut self) {
        self.readers = self.readers.saturating_sub(1);
        if self.readers == 0 {
            self.batches.clear();
            self.held_bytes = 0;
            self.capacity = 0;
            self.staging = Staging::default();
        }
    }

    /// Reserves the turn's place in the stream and publishes it. Must precede every message of the turn.
    pub fn seal(&mut self) {
        let Some((bytes, index)) = self.staging.take() else { return };
        let offset = STREAM.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        self.held_bytes += bytes.len();
        self.batches.push_back(Arc::new(Batch { offset, bytes, index }));
        while self.batches.len() > 1 && self.held_bytes > self.capacity {
            if let Some(old) = self.batches.pop_front() {
                self.held_bytes -= old.bytes.len();
            }
        }
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The batches at or after `offset`, oldest first.
    pub fn since(&self, offset: u64) -> Vec<Arc<Batch>> {
        let from = self.batches.partition_point(|batch| batch.offset + (batch.bytes.len() as u64) <= offset);
        self.batches.iter().skip(from).cloned().collect()
    }
}
