//! Records of a snapshot file on their way into a shard.
//!
//! Whoever parses the file (`server::load`) packs the raw entries of one core into a [`Batch`]; the owning core decodes and adds them ([`Intake::step`]), in
//! slices of its own choosing. Calls `rdb` and `keyspace`. Invariant: a key that is there is never replaced unless `replaces` says so; what is skipped is counted.
//! Bounds: a batch is as large as its packer lets it grow. Why raw records: parsing is sequential, decoding need not be.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::base::ticks;
use crate::keyspace::{Access, Freshness, Key};
use crate::rdb::decode::{Damage, Decoder, EMPTY};
use crate::rdb::file::{Recency, Record, open_record};
use crate::rdb::load::{Limits, load_value};

use super::Shard;

/// Records between two looks at the clock, whose places in the tables are fetched into the cache together.
const STRIDE: usize = 32;

/// Where a record lies in its batch, and what the file says of its key.
struct Head {
    end: usize,
    db: usize,
    offset: u64,
    expire_wall_ms: Option<i64>,
    recency: Option<Recency>,
}

impl Head {
    fn fault(&self, key: &[u8], damage: Option<Damage>) -> Fault {
        Fault { offset: self.offset, db: self.db, key: key.to_vec(), damage }
    }
}

/// A record whose value has not been looked at.
struct Opened<'b> {
    kind: u8,
    slot: u16,
    hash: u64,
    name: Cow<'b, [u8]>,
    value: &'b [u8],
}

impl Opened<'_> {
    fn key(&self) -> Key<'_> {
        Key { bytes: &self.name, slot: self.slot, hash: self.hash }
    }
}

/// Raw records of one core, in the file's order.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    heads: Vec<Head>,
    /// Records done, and where the next one begins.
    done: usize,
    at: usize,
}

impl Batch {
    /// A batch with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Batch {
        Batch { bytes: Vec::with_capacity(bytes), ..Batch::default() }
    }

    /// Adds a record (type byte, key, value) that begins at `offset` in its file.
    #[inline]
    pub fn push(
        &mut self,
        db: usize,
        offset: u64,
        expire_wall_ms: Option<i64>,
        recency: Option<Recency>,
        record: &[u8],
    ) {
        self.bytes.extend_from_slice(record);
        self.heads.push(Head { end: self.bytes.len(), db, offset, expire_wall_ms, recency });
    }

    /// Bytes of its records.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }
}

/// What became of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Keys added.
    pub loaded: u64,
    /// Keys whose time was over.
    pub expired: u64,
    /// Collections without elements.
    pub empty: u64,
}

/// Why a record cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it begins in its file, in bytes.
    pub offset: u64,
    /// Its database.
    pub db: usize,
    /// Its key.
    pub key: Vec<u8>,
    /// What is wrong with its value; `None`: the key came before.
    pub damage: Option<Damage>,
}

/// How records are taken.
#[derive(Clone, Copy, Debug)]
pub struct Intake {
    /// The encoding thresholds in force.
    pub limits: Limits,
    /// The recency clock in force.
    pub freshness: Freshness,
    /// Wall clock when loading began, in ms: judges expiry.
    pub now_wall_ms: i64,
    /// Keys whose time is over are left out.
    pub skips_expired: bool,
    /// A key that is there is replaced.
    pub replaces: bool,
}

impl Intake {
    /// Adds records of `batch` for about `budget` clock ticks; whether all are done. Keys of empty collections go to `skipped`.
    ///
    /// Errors: the first record that cannot be taken.
    pub fn step(
        &self,
        shard: &mut Shard,
        batch: &mut Batch,
        budget: u64,
        tally: &mut Tally,
        skipped: &mut Vec<Vec<u8>>,
    ) -> Result<bool, Fault> {
        let began = ticks::now();
        while batch.done < batch.heads.len() {
            let end = (batch.done + STRIDE).min(batch.heads.len());
            let mut opened: SmallVec<[Opened<'_>; STRIDE]> = SmallVec::new();
            let mut at = batch.at;
            for head in &batch.heads[batch.done..end] {
                let record = &batch.bytes[at..head.end];
                let Record { kind, key: name, value } =
                    open_record(record).map_err(|damage| head.fault(b"", Some(damage)))?;
                let key = Key::new(&name);
                shard.space.dict(head.db).prefetch_slot(&key);
                let (slot, hash) = (key.slot, key.hash);
                opened.push(Opened { kind, slot, hash, name, value });
                at = head.end;
            }
            for (head, opened) in batch.heads[batch.done..end].iter().zip(&opened) {
                shard.space.dict(head.db).prefetch(&opened.key());
            }
            for (head, opened) in batch.heads[batch.done..end].iter().zip(opened) {
                self.take(shard, head, opened, tally, skipped)?;
            }
            (batch.at, batch.done) = (at, end);
            if ticks::now().wrapping_sub(began) > budget {
                break;
            }
        }
        Ok(batch.done == batch.heads.len())
    }

    fn take(
        &self,
        shard: &mut Shard,
        head: &Head,
        opened: Opened<'_>,
        tally: &mut Tally,
        skipped: &mut Vec<Vec<u8>>,
    ) -> Result<(), Fault> {
        let Opened { kind, slot, hash, name, value: mut rest } = opened;
        let is_over = head.expire_wall_ms.is_some_and(|at| at < self.now_wall_ms);
        // As redis: the value is read even so, and a broken one is fatal.
        let value = match load_value(kind, &mut Decoder::new(&mut rest), &self.limits) {
            Ok(value) => value,
            Err(damage) if damage == EMPTY => {
                tally.empty += 1;
                skipped.push(name.into_owned());
                return Ok(());
            }
            Err(damage) => return Err(head.fault(&name, Some(damage))),
        };
        if is_over && self.skips_expired {
            tally.expired += 1;
            return Ok(());
        }
        let now_ms = self.now_wall_ms.saturating_sub(self.limits.wall_offset_ms).max(0) as u64;
        let to_internal = |ms: i64| ms.saturating_sub(self.limits.wall_offset_ms).max(0) as u64;
        let expire_ms = head.expire_wall_ms.map(to_internal);
        let lru = match head.recency {
            Some(Recency::IdleS(idle_s)) if !self.freshness.lfu => {
                self.freshness.with_idle_ms(idle_s.saturating_mul(1000), now_ms)
            }
            Some(Recency::Freq(counter)) if self.freshness.lfu => {
                self.freshness.with_frequency(counter, now_ms)
            }
            _ => self.freshness.initial(now_ms),
        };
        let key = Key { bytes: &name, slot, hash };
        let mut db = shard.space.db(head.db, Access::at(now_ms));
        if self.replaces {
            db.remove(&key);
        }
        if !value.store(|value| db.load(&key, value, expire_ms, lru)) {
            return Err(head.fault(&name, None));
        }
        tally.loaded += 1;
        Ok(())
    }
}
