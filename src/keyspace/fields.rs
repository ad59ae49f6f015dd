//! Hashes whose fields expire: filed by the earliest expiry of their fields, drained when it comes or when a command meets them.
//!
//! `Dict` keeps one [`TimedHashes`] and files a hash when it comes in or changes; `Db` drains a due hash before it shows it; the upkeep
//! calls [`Keyspace::fields_step`]. Invariant: a hash with an expiry is filed under a time not later than its earliest one, and the hash
//! knows which; a hash that leaves its dict is taken out. Bounds: a drain opens as many segments as it is told.
//! Why a tree beside the keys' own bounds: those belong to the keys' expiry, which eviction and INFO count.
use super::dict::Found;
use super::entry::{Entry, Kind, ValueMut, ValueRef};
use super::{Common, Departed, DepartedWhy, Key, Keyspace};
use crate::types::collection::Collection;
use crate::types::field::NEVER;
use crate::types::hash::Hash;
use std::collections::BTreeSet;

/// Segments opened of a due hash that a command meets; what is left over is hidden from it.
const MET_SEGMENTS: usize = 8;
/// Segments passed per unit of the upkeep's budget: most are only looked at.
const STEP_SEGMENTS: usize = 8;

/// The hashes of a database by the earliest expiry of their fields.
#[derive(Default)]
pub struct TimedHashes {
    filed: BTreeSet<(u64, Box<[u8]>)>,
}

impl TimedHashes {
    /// How many.
    pub fn len(&self) -> usize {
        self.filed.len()
    }

    /// Files the hash of `key`, so far filed under `old_ms`, under `new_ms` ([`NEVER`]: not).
    pub fn refile(&mut self, key: &[u8], old_ms: u64, new_ms: u64) {
        self.forget(key, old_ms);
        if new_ms != NEVER {
            self.filed.insert((new_ms, key.into()));
        }
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.filed.is_empty()
    }

    /// Takes out the hash of `key`, filed under `filed_ms`.
    pub fn forget(&mut self, key: &[u8], filed_ms: u64) {
        if filed_ms != NEVER {
            self.filed.remove(&(filed_ms, Box::from(key)));
        }
    }

    /// Frees about `budget` of them; true when none is left.
    pub fn free_step(&mut self, budget: usize) -> bool {
        (0..budget).all(|_| self.filed.pop_first().is_some());
        self.filed.is_empty()
    }

    fn first_due(&self, now_ms: u64) -> Option<(u64, Box<[u8]>)> {
        self.filed.first().filter(|(due, _)| *due < now_ms).cloned()
    }
}

impl<'a> Entry<'a> {
    /// Under which time its hash is filed; [`NEVER`] for all else.
    #[inline]
    pub(super) fn filed_ms(self) -> u64 {
        self.hash().map_or(NEVER, Hash::filed_ms)
    }

    /// Shows a hash as it is at `now_ms` (0: with fields whose time is over); true if some of them should be drained.
    #[inline]
    pub(super) fn show(self, now_ms: u64) -> bool {
        let Some(hash) = self.hash() else { return false };
        hash.see(now_ms);
        hash.earliest_ms() < now_ms
    }

    #[inline]
    fn hash(self) -> Option<&'a Hash> {
        if self.kind() != Kind::Hash {
            return None;
        }
        if let ValueRef::Hash(hash) = self.value() { Some(hash) } else { None }
    }
}

/// Drains a hash; the key goes with its last field.
fn drain(mut found: Found<'_>, common: &mut Common, db: usize, now_ms: u64, budget: usize) {
    let before = found.get().heap_bytes();
    let key: Box<[u8]> = found.get().key().into();
    let mut fields: Vec<Box<[u8]>> = Vec::new();
    let ValueMut::Hash(hash) = found.get_mut() else { return };
    let done = hash.drain(now_ms, budget, |field| fields.push(field.into()));
    let (emptied, changed) = (done && hash.is_empty(), hash.take_changed());
    let after = found.get().heap_bytes();
    found.add_bytes(before, after);
    found.file(true);
    if changed {
        common.watch.changed(db, &key);
        common.stats.expired_fields += fields.len() as u64;
    }
    if common.observed && !fields.is_empty() {
        common.departed.push(Departed { db, key, why: DepartedWhy::Fields { emptied }, fields });
    }
    if emptied {
        common.discard(found.remove());
    }
}

/// Drains what a command meets, a bounded part of it.
pub(super) fn drain_met(found: Found<'_>, common: &mut Common, db: usize, now_ms: u64) {
    drain(found, common, db, now_ms, MET_SEGMENTS);
}

impl Keyspace {
    /// Takes out due fields, opening about `budget` segments' worth; true when nothing is due any more.
    pub fn fields_step(&mut self, now_ms: u64, budget: usize) -> bool {
        let mut left = budget;
        for db in 0..self.dicts.len() {
            while let Some((due_ms, name)) = self.dicts[db].timed().first_due(now_ms) {
                if left == 0 {
                    return false;
                }
                left -= 1;
                match self.dicts[db].find_mut(&Key::new(&name)) {
                    Some(found) => {
                        drain(found, &mut self.common, db, now_ms, STEP_SEGMENTS);
                    }
                    None => {
                        debug_assert!(false, "a hash that left was forgotten");
                        self.dicts[db].timed_mut().forget(&name, due_ms);
                    }
                }
            }
        }
        true
    }
}
