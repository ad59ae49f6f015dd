//! The log of one core: sealed batches at their offsets in the process-wide stream, readable from any thread.
//!
//! `shard::execute` seals a batch per turn; [`super::merge`] and `DEBUG STREAM` read. The log moves with its shard from thread to thread; a
//! reader never asks it: it holds a [`Cursor`] on a chain whose last link is always an empty one, and sealing fills that link, next link included, once. The position of a batch is
//! its byte offset in the stock replication stream: one `fetch_add` per batch on the one shared atomic that a write may touch, and only while a reader exists (DESIGN §4).
//!
//! ```text
//! head ──> link {offset, bytes, index, next} ──> link {…} ──> empty link <── tail
//!            ^ backlog begins                      ^ a reader's cursor: it keeps what follows alive
//! ```
//! Invariant: offsets grow along a log, and over all logs the batches tile the stream without holes. Filling a link is the publication (a
//! `OnceLock`, a release store in effect): who sees it filled sees the batch whole. Bounds: what the slowest cursor and `capacity` keep; nothing without readers.
//! Why not a fixed ring: a reference-counted batch can be written or sent from where it lies while the log goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

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

/// One place in a log: empty until sealed.
#[derive(Default)]
struct Link {
    filled: OnceLock<Filled>,
}

struct Filled {
    offset: u64,
    bytes: Vec<u8>,
    index: Vec<EntryIndex>,
    next: Arc<Link>,
}

impl Drop for Link {
    /// A long chain is taken apart link by link: a recursion would need stack for all of it.
    fn drop(&mut self) {
        let mut next = self.filled.take().map(|filled| filled.next);
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.filled.take().map(|filled| filled.next);
        }
    }
}

/// The effects of one turn of one core, shared by whoever needs them.
#[derive(Clone)]
pub struct Batch {
    link: Arc<Link>,
}

impl Batch {
    /// A batch that is in no log (tests, replays).
    pub fn detached(offset: u64, bytes: Vec<u8>) -> Batch {
        let link = Link::default();
        let filled = Filled { offset, bytes, index: Vec::new(), next: Arc::default() };
        let _ = link.filled.set(filled);
        Batch { link: Arc::new(link) }
    }

    fn filled(&self) -> &Filled {
        match self.link.filled.get() {
            Some(filled) => filled,
            None => unreachable!("a batch is made of a filled link only"),
        }
    }

    /// Position of the first byte in the stream.
    pub fn offset(&self) -> u64 {
        self.filled().offset
    }

    /// Position behind the last byte.
    pub fn end(&self) -> u64 {
        let filled = self.filled();
        filled.offset + filled.bytes.len() as u64
    }

    /// Wire form.
    pub fn bytes(&self) -> &[u8] {
        &self.filled().bytes
    }

    /// One row per effect, if a reader asked for them ([`Reader::Debug`]).
    pub fn index(&self) -> &[EntryIndex] {
        &self.filled().index
    }
}

/// A reader's place in one log.
#[derive(Clone)]
pub struct Cursor {
    link: Arc<Link>,
}

impl Cursor {
    /// Offset of the next batch, if it is published.
    pub fn next_offset(&self) -> Option<u64> {
        self.link.filled.get().map(|filled| filled.offset)
    }

    /// The next batch.
    pub fn take(&mut self) -> Option<Batch> {
        let next = self.link.filled.get().map(|filled| filled.next.clone())?;
        Some(Batch { link: std::mem::replace(&mut self.link, next) })
    }
}

/// Who reads a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The append-only file: wants what changes keys.
    File,
    /// Replicas and their backlog: want published messages too.
    Replicas,
    /// `DEBUG STREAM`: wants everything.
    Debug,
}

/// One core's log.
pub struct Log {
    /// Effects not sealed yet.
    pub staging: Staging,
    tail: Arc<Link>,
    /// The oldest batch of the backlog: `capacity` bytes are kept from here on.
    head: Option<Arc<Link>>,
    held_bytes: usize,
    capacity: usize,
    /// How many of each kind, and of all kinds.
    kinds: [u32; 3],
    readers: u32,
    /// The counter that places are reserved from: [`STREAM`], but for tests.
    stream: &'static AtomicU64,
}

impl Default for Log {
    fn default() -> Log {
        Log::of_stream(&STREAM)
    }
}

impl Log {
    /// A log that is part of another stream than the process' (tests).
    pub fn of_stream(stream: &'static AtomicU64) -> Log {
        Log {
            staging: Staging::default(),
            tail: Arc::default(),
            head: None,
            held_bytes: 0,
            capacity: 0,
            kinds: [0; 3],
            readers: 0,
            stream,
        }
    }

    /// Whether anyone reads: the one branch a write pays without readers.
    #[inline]
    pub fn is_read(&self) -> bool {
        self.readers > 0
    }

    /// Whether published messages are wanted too.
    #[inline]
    pub fn wants_messages(&self) -> bool {
        self.kinds[Reader::Replicas as usize] + self.kinds[Reader::Debug as usize] > 0
    }

    /// A reader comes that wants the last `capacity` bytes kept beyond its own cursor; it reads what is sealed from now on.
    ///
    /// Several logs are one stream only if they are attached at a moment when none has anything unsealed and none seals: with all shards in hand.
    pub fn attach(&mut self, kind: Reader, capacity: usize) -> Cursor {
        self.readers += 1;
        self.kinds[kind as usize] += 1;
        self.capacity = self.capacity.max(capacity);
        if self.capacity > 0 && self.head.is_none() {
            self.head = Some(self.tail.clone());
        }
        self.staging.keep_index(self.kinds[Reader::Debug as usize] > 0);
        Cursor { link: self.tail.clone() }
    }

    /// A reader goes; without readers nothing is kept.
    pub fn detach(&mut self, kind: Reader) {
        self.kinds[kind as usize] = self.kinds[kind as usize].saturating_sub(1);
        self.readers = self.kinds.iter().sum();
        if !self.wants_messages() {
            // Only replicas and the test reader ask for a backlog.
            self.head = None;
            self.held_bytes = 0;
            self.capacity = 0;
        }
        if self.readers == 0 {
            self.staging = Staging::default();
        }
        self.staging.keep_index(self.kinds[Reader::Debug as usize] > 0);
    }

    /// Reserves the turn's place in the stream and publishes it. Must precede every message of the turn.
    pub fn seal(&mut self) {
        let Some((bytes, index)) = self.staging.take() else { return };
        let len = bytes.len();
        let offset = self.stream.fetch_add(len as u64, Ordering::AcqRel);
        let next = Arc::<Link>::default();
        let filled = Filled { offset, bytes, index, next: next.clone() };
        let sealed = std::mem::replace(&mut self.tail, next);
        if sealed.filled.set(filled).is_err() {
            unreachable!("only the log itself fills its last link");
        }
        if self.head.is_some() {
            self.held_bytes += len;
            self.trim();
        }
    }

    /// Lets go of what lies more than `capacity` behind; the newest batch stays.
    fn trim(&mut self) {
        while self.held_bytes > self.capacity
            && let Some(filled) = self.head.as_deref().and_then(|link| link.filled.get())
            && filled.next.filled.get().is_some()
        {
            self.held_bytes -= filled.bytes.len();
            self.head = Some(filled.next.clone());
        }
    }

    /// Bytes of backlog held (what a reader has not taken yet is the reader's account).
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The batches of the backlog that end after `offset`, oldest first.
    pub fn since(&self, offset: u64) -> Vec<Batch> {
        let mut cursor = match &self.head {
            Some(link) => Cursor { link: link.clone() },
            None => return Vec::new(),
        };
        std::iter::from_fn(|| cursor.take()).filter(|batch| batch.end() > offset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Effect;

    fn write(log: &mut Log, key: &[u8]) {
        let words = [&b"DEL"[..], key].into_iter().collect();
        log.staging.add(&Effect { db: 0, slot: None, kind: Kind::Plain, words });
        log.staging.close_unit();
        log.seal();
    }

    #[test]
    fn a_cursor_keeps_what_it_has_not_read_and_a_long_chain_falls_without_recursion() {
        let mut log = Log::default();
        let mut cursor = log.attach(Reader::File, 0);
        let behind = cursor.clone();
        for number in 0..200_000u32 {
            write(&mut log, &number.to_le_bytes());
        }
        assert_eq!(log.held_bytes(), 0);
        let (mut count, mut end) = (0, None);
        while let Some(batch) = cursor.take() {
            assert!(end.is_none_or(|end| batch.offset() >= end));
            end = Some(batch.end());
            count += 1;
        }
        assert_eq!(count, 200_000);
        drop(behind);
        assert!(cursor.take().is_none());
        write(&mut log, b"x");
        assert_eq!(cursor.take().map(|batch| batch.bytes().len()), Some(20));
    }

    #[test]
    fn the_backlog_keeps_its_capacity_and_goes_with_its_reader() {
        let mut log = Log::default();
        log.attach(Reader::Debug, 60);
        assert!(log.wants_messages());
        for _ in 0..10 {
            write(&mut log, b"k");
        }
        assert_eq!(log.held_bytes(), 60);
        assert_eq!(log.since(0).len(), 3);
        assert_eq!(log.since(0)[0].index().len(), 1);
        log.attach(Reader::File, 0);
        log.detach(Reader::Debug);
        assert!(log.is_read() && !log.wants_messages() && log.held_bytes() == 0 && log.since(0).is_empty());
        log.detach(Reader::File);
        assert!(!log.is_read());
    }
}
