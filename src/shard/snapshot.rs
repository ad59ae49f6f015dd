//! A core's part of a snapshot: its share of the cut, walked in budgeted steps and written into chunks.
//!
//! `session::saving` opens the cut on all shards at once and calls [`step`] from the core's upkeep until the last chunk; calls `keyspace::cut` for entries, `rdb` for their bytes.
//! ```text
//! pre-images first (they take room), then the tables:   entry -> [SELECTDB] head value -> chunk -> when CHUNK bytes are full, away with it
//! a bulky value:  pinned entry -> Saver, a slice per step, the chunk may end in the middle of it (`Chunk::is_whole`)
//! ```
//! Invariant: every chunk that begins between two entries names its database, so chunks of any cores may follow each other. Bounds: [`step`] ends about `budget_us` after it began,
//! an entry of `cut::BULKY` bytes later at most. Why pre-images are kept as entries and not written at once: compressing is the dear part, and a client's write does not wait for it.

use super::Shard;
use crate::base::crc64::crc64;
use crate::base::ticks;
use crate::effect::{Rewriter, append_select, rewrite};
use crate::keyspace::{Entry, Freshness, OwnedEntry};
use crate::rdb::encode::{Encoder, Style};
use crate::rdb::file::write::{self, Recency};
use crate::rdb::save::{Saver, type_of};

/// Bytes of a chunk, about.
const CHUNK: usize = 256 * 1024;
/// Entries asked of the walk between two looks at the clock.
const WANT: usize = 32;
/// Bytes written of a bulky value between two looks at the clock.
const SLICE: usize = 32 * 1024;

/// What a snapshot's entries become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An RDB file's items.
    Rdb,
    /// The commands that make them (`aof-use-rdb-preamble no`).
    Commands,
}

/// How a snapshot is written.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// As what.
    pub form: Form,
    /// rdbcompression, and the wall clock at the cut.
    pub style: Style,
    /// rdbchecksum.
    pub checksum: bool,
    /// LRU or LFU of each key is written, as maxmemory-policy asks.
    pub recency: bool,
    /// Internal time of the cut, ms.
    pub now_ms: u64,
}

/// A piece of the file.
pub struct Chunk {
    /// What to write.
    pub bytes: Vec<u8>,
    /// Their CRC-64 alone; 0 without checksums.
    pub sum: u64,
    /// Entries ended in it.
    pub keys: u64,
    /// It ends between two entries: another core's chunk may follow.
    pub is_whole: bool,
    /// The core has no more.
    pub is_last: bool,
}

/// A value that is written in slices.
struct Current {
    entry: OwnedEntry,
    writer: Writer,
}

/// Where the writing of a value stands.
enum Writer {
    Rdb(Saver),
    Commands(Rewriter),
}

impl Writer {
    fn new(manner: &Manner) -> Writer {
        match manner.form {
            Form::Rdb => Writer::Rdb(Saver::new()),
            Form::Commands => Writer::Commands(Rewriter::new(manner.style.wall_offset_ms)),
        }
    }

    /// Writes about `budget` bytes more; true when the value is written.
    fn step(&mut self, entry: Entry<'_>, manner: &Manner, bytes: &mut Vec<u8>, budget: usize) -> bool {
        match self {
            Writer::Rdb(saver) => saver.step(entry.value(), &mut Encoder::new(bytes, manner.style), budget),
            Writer::Commands(rewriter) => {
                let is_done = rewriter.step(entry.key(), entry.value(), bytes, budget);
                if let (true, Some(ms)) = (is_done, entry.expire_at()) {
                    rewrite::expire(bytes, entry.key(), manner.wall_ms(ms));
                }
                is_done
            }
        }
    }
}

impl Manner {
    fn wall_ms(&self, internal_ms: u64) -> i64 {
        (internal_ms as i64).saturating_add(self.style.wall_offset_ms)
    }
}

/// See the module's text.
pub struct Walk {
    /// Of which snapshot.
    pub number: u64,
    manner: Manner,
    bytes: Vec<u8>,
    db: Option<usize>,
    keys: u64,
    current: Option<Current>,
    /// The last chunk ended within a value: no other core's can be written before the rest.
    owes: bool,
    /// Nobody wants it any more: it is walked to the end all the same, so that no entry is left unseen.
    is_discarding: bool,
}

impl Walk {
    /// A walk of the cut that has just been opened.
    pub fn new(number: u64, manner: Manner) -> Walk {
        Walk {
            number,
            manner,
            bytes: Vec::new(),
            db: None,
            keys: 0,
            current: None,
            owes: false,
            is_discarding: false,
        }
    }

    /// Whether the file waits for the rest of a value.
    pub fn owes(&self) -> bool {
        self.owes
    }

    /// Nobody wants it any more.
    pub fn discard(&mut self) {
        self.is_discarding = true;
        self.bytes = Vec::new();
    }

    fn head(&mut self, db: usize, entry: Entry<'_>, freshness: &Freshness) {
        let is_rdb = self.manner.form == Form::Rdb;
        if self.db.replace(db) != Some(db) {
            match is_rdb {
                true => write::select_db(&mut self.bytes, db),
                false => append_select(&mut self.bytes, db),
            }
        }
        if !is_rdb {
            return;
        }
        let recency = self.manner.recency.then(|| match freshness.lfu {
            true => Recency::Freq(freshness.frequency(entry.lru(), self.manner.now_ms).min(255) as u8),
            false => Recency::IdleS(freshness.idle_ms(entry.lru(), self.manner.now_ms) / 1000),
        });
        let kind = type_of(entry.value());
        write::entry_head(
            &mut self.bytes,
            kind,
            entry.key(),
            entry.expire_at().map(|ms| self.manner.wall_ms(ms)),
            recency,
        );
    }

    fn put(&mut self, db: usize, entry: Entry<'_>, freshness: &Freshness) {
        if self.is_discarding {
            return;
        }
        self.head(db, entry, freshness);
        Writer::new(&self.manner).step(entry, &self.manner, &mut self.bytes, usize::MAX);
        self.keys += 1;
    }

    fn seal(&mut self, is_last: bool) -> Chunk {
        let bytes = std::mem::replace(
            &mut self.bytes,
            Vec::with_capacity(if is_last { 0 } else { CHUNK + CHUNK / 8 }),
        );
        let sum = if self.manner.checksum { crc64(0, &bytes) } else { 0 };
        self.db = None;
        self.owes = self.current.is_some();
        Chunk { bytes, sum, keys: std::mem::take(&mut self.keys), is_whole: !self.owes, is_last }
    }
}

/// How much a step may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As configured.
    Easy,
    /// Clients wait meanwhile: pre-images are not compressed, which is most of the work.
    Pressed,
}

/// Goes on for about `budget_us`; what is full is added to `full`. False when this core's part is over, or there is none.
pub fn step(shard: &mut Shard, budget_us: u64, pace: Pace, full: &mut Vec<Chunk>) -> bool {
    let Some(mut walk) = shard.walk.take() else { return false };
    let (started, budget) = (ticks::now(), budget_us * ticks::per_us());
    let freshness = shard.space.common.freshness;
    let compress = walk.manner.style.compress;
    walk.manner.style.compress &= pace == Pace::Easy;
    let more = loop {
        if !advance(shard, &mut walk, &freshness) {
            break false;
        }
        if walk.bytes.len() >= CHUNK || (walk.owes && walk.current.is_none()) {
            full.push(walk.seal(false));
        }
        if ticks::now().wrapping_sub(started) > budget {
            break true;
        }
    };
    walk.manner.style.compress = compress;
    match more {
        true => shard.walk = Some(walk),
        false => full.push(walk.seal(true)),
    }
    more
}

/// One thing more; false when nothing is left.
fn advance(shard: &mut Shard, walk: &mut Walk, freshness: &Freshness) -> bool {
    if let Some(mut current) = walk.current.take() {
        let Current { entry, writer } = &mut current;
        if !walk.is_discarding && !writer.step(entry.view(), &walk.manner, &mut walk.bytes, SLICE) {
            walk.current = Some(current);
            return true;
        }
        walk.keys += 1;
        shard.space.let_go(current.entry);
        return true;
    }
    if let Some((db, entry)) = shard.space.take_saved() {
        if entry.heap_bytes() < crate::keyspace::BULKY || walk.is_discarding {
            walk.put(db, entry.view(), freshness);
            shard.space.let_go(entry);
        } else {
            walk.head(db, entry.view(), freshness);
            walk.current = Some(Current { entry, writer: Writer::new(&walk.manner) });
        }
        return true;
    }
    shard.space.walk_cut(WANT, |db, entry| walk.put(db, entry, freshness))
}
