//! What was unlinked but is too large to free at once: whole tables after a flush, large values.
//!
//! Filled by `db` and `Keyspace::flush_db`; emptied by [`Trash::free_step`] from the shard's idle work. Invariant: nothing in it is reachable
//! by commands, and its bytes no longer count in the database's. Bounds: a step frees about `budget` allocations and at most
//! one segment (140) more. A single block of many megabytes is still one `free` (the kernel's unmapping of it cannot be cut).
use super::boxed::Boxed;
use super::dict::{Dict, SlotRec};
use super::fields::TimedHashes;
use std::collections::VecDeque;

/// Unlinked things, freed first in, first out.
#[derive(Default)]
pub struct Trash {
    values: VecDeque<Boxed>,
    tables: VecDeque<Vec<SlotRec>>,
    /// The filing of their hashes.
    timed: Vec<TimedHashes>,
    /// Keys in `tables`, for INFO's lazyfree_pending_objects.
    pending_keys: u64,
    freed: u64,
}

impl Trash {
    /// Adds a value.
    pub fn push_value(&mut self, value: Boxed) {
        self.values.push_back(value);
    }

    /// Adds a database's tables.
    pub fn push_dict(&mut self, dict: Dict) {
        self.pending_keys += dict.len();
        let (slots, timed) = dict.into_parts();
        self.tables.push_back(slots);
        self.timed.extend(Some(timed).filter(|timed| !timed.is_empty()));
    }

    /// Values and keys not yet freed (lazyfree_pending_objects).
    pub fn pending(&self) -> u64 {
        self.values.len() as u64 + self.pending_keys
    }

    /// Values and keys freed so far (lazyfreed_objects).
    pub fn freed(&self) -> u64 {
        self.freed
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.tables.is_empty() && self.timed.is_empty()
    }

    /// Frees about `budget` allocations; true when everything is gone.
    pub fn free_step(&mut self, budget: usize) -> bool {
        let mut left = budget as i64;
        while left > 0 {
            if let Some(value) = self.values.front_mut() {
                left -= 128;
                if value.free_step() {
                    self.values.pop_front();
                    self.freed += 1;
                }
            } else if let Some(timed) = self.timed.last_mut() {
                left -= 128;
                if timed.free_step(128) {
                    self.timed.pop();
                }
            } else if !self.tables.is_empty() {
                left -= self.free_table_step(left);
            } else {
                return true;
            }
        }
        self.is_empty()
    }

    /// Frees from the end of the first table about `budget` entries; returns the work done.
    fn free_table_step(&mut self, budget: i64) -> i64 {
        let (mut work, mut keys) = (0, 0);
        let Some(slots) = self.tables.front_mut() else { return 1 };
        let mut heavy = Vec::new();
        while work <= budget {
            let Some(rec) = slots.last_mut() else { break };
            let gone = rec.free_segment(|mut entry| match entry.detach() {
                Some(value) if value.is_heavy() => heavy.push(value),
                _ => {}
            });
            work += 1 + gone as i64;
            keys += gone as u64;
            if rec.is_empty() {
                slots.pop();
            }
        }
        if slots.is_empty() {
            self.tables.pop_front();
        }
        self.pending_keys = self.pending_keys.saturating_sub(keys);
        self.freed += keys;
        self.values.extend(heavy);
        work
    }
}
