//! `Dict`: the keys of one database on one core: a slot directory with a `SegTable` per slot, and exact counts.
//!
//! Owned by `Keyspace`, worked through `db::Db`. The directory (16384 records of 16 bytes) is made with the first key. A record:
//! `table 8 | count u32 | hint u32`; `hint` is a lower bound of the slot's earliest expiry in units of 256 ms ([`NO_HINT`]:
//! nothing expires), so that a sweep for due keys reads records, not tables. `groups` sums the counts of 128 slots each:
//! uniform random picks and scans over empty stretches need no walk over 16384 records.
//! Invariant: counts, `expires` and `bytes` are exact after every call; only `bytes` is approximate while an `EntryMut` lives.
use crate::base::prng::Prng;
use crate::base::slot::SLOT_COUNT;
use crate::types::encoding::seg_table::{Occupied, SegTable};
use crate::types::encoding::seg_walk::DrainStep;
use crate::types::field::NEVER;

use super::cut::{Cut, Fate};
use super::entry::{Entry, ValueMut};
use super::fields::TimedHashes;
use super::key::Key;
use super::owned_entry::OwnedEntry;

/// Hint of a slot without expiring keys.
pub const NO_HINT: u32 = u32::MAX;
/// Slots per group.
const GROUP: usize = 128;

/// 2020-01-01: hints count from here, so that 32 bits of 256 ms last until 2054 (later times are merely looked at too often).
const HINT_EPOCH_MS: u64 = 1_577_836_800_000;

/// The hint of a time in ms (rounded down to 256 ms).
pub fn hint_of(ms: u64) -> u32 {
    u32::try_from(ms.saturating_sub(HINT_EPOCH_MS) >> 8).unwrap_or(NO_HINT - 1).min(NO_HINT - 1)
}

/// One slot.
pub struct SlotRec {
    table: SegTable<OwnedEntry>,
    count: u32,
    hint: u32,
}
const _: () = assert!(size_of::<SlotRec>() == 16);

impl SlotRec {
    /// Frees one segment, for the trash; returns the number of entries handed out.
    pub fn free_segment(&mut self, gone: impl FnMut(OwnedEntry)) -> usize {
        // The bytes were taken off when the table was detached.
        let mut mem = usize::MAX / 2;
        self.table.free_segment(&mut mem, gone)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

/// Counts of a database on this core.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Bytes the allocator holds for entries, values and tables.
    pub bytes: usize,
    /// Running average of sampled remaining times, ms (INFO avg_ttl).
    pub avg_ttl_ms: u64,
    /// Hashes of which fields have an expiry (INFO subexpiry).
    pub timed: u64,
}

/// See the module's text.
#[derive(Default)]
pub struct Dict {
    slots: Vec<SlotRec>,
    groups: Vec<u64>,
    pub(super) totals: Totals,
    timed: TimedHashes,
    /// The snapshot's cut through it.
    pub(super) cut: Cut,
}

/// A key in place: the item and the counts that change with it.
pub struct Found<'a> {
    item: Occupied<'a, OwnedEntry>,
    count: &'a mut u32,
    hint: &'a mut u32,
    group: &'a mut u64,
    totals: &'a mut Totals,
    timed: &'a mut TimedHashes,
    cut: &'a mut Cut,
}

impl<'a> Found<'a> {
    /// Views it.
    #[inline]
    pub fn get(&self) -> Entry<'_> {
        self.item.get()
    }

    /// Views it as long as the database is borrowed.
    #[inline]
    pub fn into_ref(self) -> Entry<'a> {
        self.item.into_ref()
    }

    /// To be called before it changes: what an open cut wants of it is kept.
    #[inline(always)]
    fn prepare(&mut self, fate: Fate) {
        if self.cut.is_unseen(self.item.get()) {
            self.preserve(fate);
        }
    }

    /// The entry, and the cut it may belong to.
    pub(super) fn with_cut(&mut self) -> (Entry<'_>, &mut Cut) {
        (self.item.get(), self.cut)
    }

    /// Takes it out.
    pub fn remove(mut self) -> OwnedEntry {
        self.prepare(Fate::Goes);
        let entry = self.item.remove(&mut self.totals.bytes);
        *self.count -= 1;
        *self.group -= 1;
        if *self.count == 0 {
            *self.hint = NO_HINT;
        }
        self.totals.keys -= 1;
        self.totals.expires -= u64::from(entry.view().expire_at().is_some());
        self.totals.bytes -= entry.heap_bytes();
        self.timed.forget(entry.view().key(), entry.view().filed_ms());
        entry
    }

    /// Views its value for changing it where it lies, unaccounted (see [`Found::add_bytes`]).
    #[inline]
    pub fn get_mut(&mut self) -> ValueMut<'_> {
        self.prepare(Fate::Stays);
        self.item.get_mut()
    }

    /// Changes the owned entry (not its key), keeping `bytes`, the expiry count and the hints right.
    #[inline]
    pub fn update<R>(&mut self, change: impl FnOnce(&mut OwnedEntry) -> R) -> R {
        // Of a string: it is replaced, or copied for the change.
        self.prepare(Fate::Goes);
        let result = self.change(change);
        self.cut.stamp(self.item.get());
        result
    }

    /// [`Found::update`] of which no cut hears.
    #[inline]
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut OwnedEntry) -> R) -> R {
        let before = self.get();
        let (old_bytes, old_expire, filed_ms) = (before.heap_bytes(), before.expire_at(), before.filed_ms());
        let result = self.item.update(change);
        let after = self.item.get();
        let (new_bytes, new_expire) = (after.heap_bytes(), after.expire_at());
        self.totals.bytes = self.totals.bytes - old_bytes + new_bytes;
        if old_expire != new_expire {
            self.note_expire(old_expire, new_expire);
        }
        if filed_ms != NEVER && self.get().filed_ms() != filed_ms {
            self.timed.forget(self.item.get().key(), filed_ms);
        }
        result
    }

    fn note_expire(&mut self, old: Option<u64>, new: Option<u64>) {
        self.item.set_expire(new);
        self.totals.expires = self.totals.expires + u64::from(new.is_some()) - u64::from(old.is_some());
        if let Some(ms) = new {
            *self.hint = (*self.hint).min(hint_of(ms));
        }
    }

    /// After a change: files a hash under the earliest expiry of its fields, if that came nearer (or, with `exactly`, moved at all).
    pub fn file(&mut self, exactly: bool) {
        let ValueMut::Hash(hash) = self.item.get_mut() else { return };
        if hash.earliest_ms() < hash.filed_ms() || (exactly && hash.earliest_ms() != hash.filed_ms()) {
            let (old, new) = (hash.filed_ms(), hash.earliest_ms());
            hash.set_filed(new);
            self.timed.refile(self.item.get().key(), old, new);
        }
    }

    /// Accounts what a change through `get_mut` did to the entry's size.
    pub fn add_bytes(&mut self, before: usize, after: usize) {
        self.totals.bytes = self.totals.bytes - before + after;
    }
}

impl Dict {
    /// Keys.
    pub fn len(&self) -> u64 {
        self.totals.keys
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.totals.keys == 0
    }

    /// Counts.
    pub fn totals(&self) -> Totals {
        Totals { timed: self.timed.len() as u64, ..self.totals }
    }

    /// The hashes whose fields expire.
    pub fn timed(&self) -> &TimedHashes {
        &self.timed
    }

    /// The same, for taking one out that is not there any more.
    pub fn timed_mut(&mut self) -> &mut TimedHashes {
        &mut self.timed
    }

    /// The slot tables and the filing of its hashes, for the trash.
    pub(super) fn into_parts(self) -> (Vec<SlotRec>, TimedHashes) {
        (self.slots, self.timed)
    }

    /// Views a key.
    #[inline]
    pub fn find(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        self.slots.get(usize::from(key.slot))?.table.find(key.hash, |entry| entry.key() == key.bytes)
    }

    /// Before the first step, where lookups are known early: fetches what leads to the slot's tags.
    #[inline]
    pub fn prefetch_slot(&self, key: &Key<'_>) {
        if let Some(rec) = self.slots.get(usize::from(key.slot)) {
            crate::base::cache::prefetch_value(rec);
        }
    }

    /// First step of a lookup that will come soon: fetches the slot's tags into the cache.
    #[inline]
    pub fn prefetch(&self, key: &Key<'_>) {
        if let Some(rec) = self.slots.get(usize::from(key.slot)) {
            rec.table.prefetch(key.hash);
        }
    }

    /// Second step, after the first had time to work: fetches the entry.
    #[inline]
    pub fn prefetch_entry(&self, key: &Key<'_>) {
        if let Some(rec) = self.slots.get(usize::from(key.slot)) {
            rec.table.prefetch_item(key.hash);
        }
    }

    /// Finds a key for changing.
    #[inline(always)]
    pub fn find_mut(&mut self, key: &Key<'_>) -> Option<Found<'_>> {
        let slot = usize::from(key.slot);
        let rec = self.slots.get_mut(slot)?;
        let item = rec.table.find_mut(key.hash, |entry| entry.key() == key.bytes)?;
        let group = &mut self.groups[slot / GROUP];
        let (totals, timed, cut) = (&mut self.totals, &mut self.timed, &mut self.cut);
        Some(Found { item, count: &mut rec.count, hint: &mut rec.hint, group, totals, timed, cut })
    }

    /// Adds a key that is not there.
    pub fn insert(&mut self, key: &Key<'_>, mut entry: OwnedEntry) {
        if let Some(hash) = entry.timed_hash() {
            hash.set_filed(hash.earliest_ms());
            self.timed.refile(key.bytes, NEVER, hash.earliest_ms());
        }
        self.cut.stamp(entry.view());
        if self.slots.is_empty() {
            let empty = || SlotRec { table: SegTable::new(), count: 0, hint: NO_HINT };
            self.slots = std::iter::repeat_with(empty).take(SLOT_COUNT).collect();
            self.groups = vec![0; SLOT_COUNT / GROUP];
        }
        let slot = usize::from(key.slot);
        let rec = &mut self.slots[slot];
        let expire_ms = entry.view().expire_at();
        self.totals.bytes += entry.heap_bytes();
        rec.table.insert(key.hash, entry, expire_ms, &mut self.totals.bytes);
        rec.count += 1;
        self.groups[slot / GROUP] += 1;
        self.totals.keys += 1;
        if let Some(ms) = expire_ms {
            self.totals.expires += 1;
            rec.hint = rec.hint.min(hint_of(ms));
        }
    }

    /// Keys in a slot.
    pub fn count_in_slot(&self, slot: u16) -> usize {
        self.slots.get(usize::from(slot)).map_or(0, |rec| rec.count as usize)
    }

    /// The next slot at or after `slot` and before `end` that holds keys.
    pub fn next_slot(&self, slot: usize, end: usize) -> Option<usize> {
        let end = end.min(self.slots.len());
        let mut at = slot;
        while at < end {
            if at.is_multiple_of(GROUP) && self.groups[at / GROUP] == 0 {
                at += GROUP;
            } else if self.slots[at].count == 0 {
                at += 1;
            } else {
                return Some(at);
            }
        }
        None
    }

    /// Walks a slot from `position` on: about `want` entries, then the next position (None: slot done).
    pub fn scan_slot<'a>(
        &'a self,
        slot: usize,
        position: u64,
        want: usize,
        visit: impl FnMut(Entry<'a>),
    ) -> Option<u64> {
        self.slots.get(slot)?.table.scan(position, want, visit)
    }

    /// All entries of a slot.
    pub fn iter_slot(&self, slot: usize) -> impl Iterator<Item = Entry<'_>> {
        self.slots.get(slot).into_iter().flat_map(|rec| rec.table.iter())
    }

    /// All entries by slot.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.slots.iter().flat_map(|rec| rec.table.iter())
    }

    /// The slot of the key of rank `rank` (0..len) in slot order.
    fn slot_of_rank(&self, mut rank: u64) -> Option<&SlotRec> {
        for (group, &keys) in self.groups.iter().enumerate() {
            if rank >= keys {
                rank -= keys;
                continue;
            }
            for rec in &self.slots[group * GROUP..(group + 1) * GROUP] {
                if rank < u64::from(rec.count) {
                    return Some(rec);
                }
                rank -= u64::from(rec.count);
            }
        }
        None
    }

    /// A uniformly chosen entry.
    pub fn random(&self, prng: &mut Prng) -> Option<Entry<'_>> {
        if self.is_empty() {
            return None;
        }
        self.slot_of_rank(prng.below(self.len()))?.table.random(prng)
    }

    /// Up to `count` random entries (for eviction and averages): a few of each of some random segments, so that a sample
    /// costs less than one cache miss per key and is still mixed. Finds nothing if only stale hints promise volatile keys.
    pub fn sample(
        &self,
        prng: &mut Prng,
        count: usize,
        volatile_only: bool,
        mut visit: impl FnMut(Entry<'_>),
    ) {
        let mut left = count;
        for _ in 0..count {
            if left == 0 || self.is_empty() || (volatile_only && self.totals.expires == 0) {
                return;
            }
            let rec = if volatile_only {
                let first = prng.below(self.slots.len() as u64) as usize;
                let mut order = (first..self.slots.len()).chain(0..first);
                order.find(|&slot| self.slots[slot].hint != NO_HINT).map(|slot| &self.slots[slot])
            } else {
                self.slot_of_rank(prng.below(self.len()))
            };
            left -= rec.map_or(0, |rec| rec.table.sample(prng, left, volatile_only, &mut visit));
        }
    }

    /// The first slot at or after `from` whose hint is at most `hint`.
    pub fn next_due_slot(&self, from: usize, hint: u32) -> Option<usize> {
        let slots = self.slots.get(from..)?;
        slots.iter().position(|rec| rec.hint <= hint && rec.hint != NO_HINT).map(|offset| from + offset)
    }

    /// Sets a slot's hint (`expire` knows the exact bound after a visit).
    pub fn set_hint(&mut self, slot: usize, hint: u32) {
        if let Some(rec) = self.slots.get_mut(slot) {
            rec.hint = if rec.count == 0 { NO_HINT } else { hint };
        }
    }

    /// Takes the entries of one segment out whose time is over.
    pub fn drain_due(
        &mut self,
        slot: usize,
        position: u64,
        now_ms: u64,
        mut gone: impl FnMut(OwnedEntry),
    ) -> DrainStep {
        let (totals, timed) = (&mut self.totals, &mut self.timed);
        let rec = &mut self.slots[slot];
        let (mut keys, mut bytes) = (0, 0);
        let step = rec.table.drain_due(
            position,
            now_ms,
            |entry| entry.expire_at().unwrap_or(u64::MAX),
            |entry| {
                keys += 1;
                bytes += entry.heap_bytes();
                timed.forget(entry.view().key(), entry.view().filed_ms());
                gone(entry);
            },
            &mut totals.bytes,
        );
        totals.bytes -= bytes;
        totals.keys -= keys;
        totals.expires -= keys;
        rec.count -= keys as u32;
        self.groups[slot / GROUP] -= keys;
        step
    }

    /// Recounts everything (tests): must equal what is tracked.
    pub fn recount(&self) -> Totals {
        let mut totals = Totals { avg_ttl_ms: self.totals.avg_ttl_ms, ..Totals::default() };
        for (slot, rec) in self.slots.iter().enumerate() {
            totals.bytes += rec.table.count_bytes();
            let mut count = 0;
            for entry in rec.table.iter() {
                count += 1;
                totals.expires += u64::from(entry.expire_at().is_some());
                totals.timed += u64::from(entry.filed_ms() != NEVER);
                totals.bytes += entry.heap_bytes();
                let hint = entry.expire_at().map_or(NO_HINT, hint_of);
                assert!(rec.hint <= hint, "slot {slot}: hint {} above {hint}", rec.hint);
            }
            assert_eq!(count, rec.count, "slot {slot}");
            totals.keys += u64::from(count);
        }
        totals
    }
}
