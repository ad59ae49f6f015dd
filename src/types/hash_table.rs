//! The large form of a hash: a `SegTable` of fields with exact counts of entries and bytes.
//!
//! Used only by `hash` and `hash_ttl`; calls `seg_table` and `field`. Invariant: `bytes` counts segments, directory and fields exactly; a
//! field with an expiry is marked in its segment, so that expiring opens only segments where something is due.
//! Bounds: every call costs one segment. A field whose time is over is still in it until it is drained: callers pass the time to judge by.
use crate::base::siphash::key_hash;
use crate::types::encoding::seg_table::SegTable;
use crate::types::field::{Field, FieldRef, NEVER};

/// See the module's text.
#[derive(Default)]
pub struct Table {
    /// The fields.
    pub fields: SegTable<Field>,
    /// How many, those whose time is over included.
    pub len: usize,
    /// Bytes the allocator holds.
    pub bytes: usize,
    /// Something really changed since it was last asked.
    pub changed: bool,
}

impl Table {
    /// The field, whatever its time.
    pub fn find(&self, field: &[u8]) -> Option<FieldRef<'_>> {
        self.fields.find(key_hash(field), |own| own.field == field)
    }

    /// Adds a field that is not there.
    pub fn insert(&mut self, field: &[u8], value: &[u8], expire_ms: u64) {
        let own = Field::new(field, value, expire_ms);
        self.changed = true;
        self.bytes += own.heap_bytes();
        let marked = (expire_ms != NEVER).then_some(expire_ms);
        self.fields.insert(key_hash(field), own, marked, &mut self.bytes);
        self.len += 1;
    }

    /// Sets a field; its expiry stays if `keep_ttl` and its time is not over. True if it is new (or its time was over).
    pub fn set(&mut self, field: &[u8], value: &[u8], keep_ttl: bool, now_ms: u64) -> bool {
        let Some(mut found) = self.fields.find_mut(key_hash(field), |own| own.field == field) else {
            self.insert(field, value, NEVER);
            return true;
        };
        self.changed = true;
        let (before, old) = (found.get().heap_bytes(), found.get().expire_ms);
        let was_over = old < now_ms;
        let clears = old != NEVER && (!keep_ttl || was_over);
        let after = found.update(|own| {
            own.set_value(value);
            if clears {
                own.set_expire(NEVER);
            }
            own.heap_bytes()
        });
        if clears {
            found.set_expire(None);
        }
        self.bytes = self.bytes - before + after;
        was_over
    }

    /// Removes a field; None if it is not there, else whether its time was not over.
    pub fn remove(&mut self, field: &[u8], now_ms: u64) -> Option<bool> {
        let found = self.fields.find_mut(key_hash(field), |own| own.field == field)?;
        let is_live = !found.get().is_over(now_ms);
        let own = found.remove(&mut self.bytes);
        self.changed = true;
        self.bytes -= own.heap_bytes();
        self.len -= 1;
        Some(is_live)
    }

    /// Sets or ([`NEVER`]) clears the expiry of a field; false if it is not there.
    pub fn set_expire(&mut self, field: &[u8], expire_ms: u64) -> bool {
        let Some(mut found) = self.fields.find_mut(key_hash(field), |own| own.field == field) else {
            return false;
        };
        self.changed = true;
        let before = found.get().heap_bytes();
        let after = found.update(|own| {
            own.set_expire(expire_ms);
            own.heap_bytes()
        });
        found.set_expire((expire_ms != NEVER).then_some(expire_ms));
        self.bytes = self.bytes - before + after;
        true
    }

    /// Fields whose time is not over.
    pub fn live_len(&self, now_ms: u64) -> usize {
        self.len - self.fields.count_due(now_ms, |own| own.expire_ms)
    }

    /// A copy of everything.
    pub fn duplicate(&self) -> Self {
        let mut copy = Self::default();
        for own in self.fields.iter() {
            copy.insert(own.field, own.value, own.expire_ms);
        }
        copy.changed = false;
        copy
    }

    /// The table as it is now: later changes of either copy what they touch.
    pub fn pin(&self) -> Self {
        Self { fields: self.fields.pin(), len: self.len, bytes: self.bytes, changed: false }
    }
}
