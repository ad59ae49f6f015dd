//! `EntryMut`: a key found for changing; accounts and touches WATCHers when it goes.
//!
//! Made by `Db::write` and `Db::create`, used by command handlers. Invariant: when it is dropped the database's `bytes`, expiry count
//! and hints are exact, and if the value, its type or its expiry really changed, the key's watchers know.
use super::Common;
use super::boxed::{Boxed, Stored};
use super::dict::Found;
use super::entry::{Entry, ValueMut};
use super::string_in::StrIn;

/// See the module's text.
pub struct EntryMut<'a> {
    found: Option<Found<'a>>,
    common: &'a mut Common,
    db: usize,
    now_ms: u64,
    /// Bytes of the entry before `get_mut` let go of it; None while nothing is unaccounted.
    open_bytes: Option<usize>,
    changed: bool,
}

impl<'a> EntryMut<'a> {
    #[inline(always)]
    pub(super) fn new(found: Found<'a>, common: &'a mut Common, db: usize, now_ms: u64) -> Self {
        Self { found: Some(found), common, db, now_ms, open_bytes: None, changed: false }
    }

    fn found(&self) -> &Found<'a> {
        let Some(found) = &self.found else { unreachable!("only `remove` takes it, and consumes self") };
        found
    }

    fn found_mut(&mut self) -> &mut Found<'a> {
        let Some(found) = &mut self.found else { unreachable!("only `remove` takes it, and consumes self") };
        found
    }

    /// Views it.
    pub fn get(&self) -> Entry<'_> {
        self.found().get()
    }

    /// The collection of type `T` for changing; None for other types. What it changed is noticed by itself.
    pub fn get_mut<T: Stored>(&mut self) -> Option<&mut T> {
        if self.open_bytes.is_none() {
            self.open_bytes = Some(self.get().heap_bytes());
        }
        T::of_mut(self.found_mut().get_mut())
    }

    /// The string's bytes for changing in place (encoding raw from now on); None for other types. Counts as a change.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        if !self.found_mut().update(|entry| entry.bytes_mut().is_some()) {
            return None;
        }
        self.changed = true;
        match self.found_mut().get_mut() {
            ValueMut::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Makes a string's encoding raw without changing its text, as redis does when it is about to write a bit; no WATCHer
    /// is told.
    pub fn make_raw(&mut self) {
        self.found_mut().update(|entry| entry.bytes_mut().is_some());
    }

    /// APPEND: false for other types than string.
    pub fn append(&mut self, more: &[u8]) -> bool {
        self.changed = true;
        self.found_mut().update(|entry| entry.append(more))
    }

    /// Cuts the string or extends it by zero bytes; false for other types.
    pub fn resize(&mut self, len: usize) -> bool {
        self.changed = true;
        self.found_mut().update(|entry| entry.resize(len))
    }

    /// Replaces the value by a string; the expiry stays.
    pub fn set_string(&mut self, value: StrIn<'_>) {
        self.close();
        self.changed = true;
        let lru = self.common.freshness.replaced(self.get().lru(), self.now_ms);
        self.found_mut().update(|entry| entry.set_string(value, entry.view().expire_at(), lru));
    }

    /// Sets (internal ms) or clears the expiry.
    pub fn set_expire(&mut self, expire_ms: Option<u64>) {
        self.close();
        self.changed = true;
        self.found_mut().update(|entry| entry.set_expire(expire_ms));
    }

    /// Sets the recency bits (RESTORE's IDLETIME and FREQ).
    pub fn set_lru(&mut self, lru: u32) {
        self.get().set_lru(lru);
    }

    /// Deletes the key (for a collection that became empty).
    pub fn remove(mut self) {
        self.close();
        self.changed = true;
        if let Some(found) = self.found.take() {
            self.common.watch.changed(self.db, found.get().key());
            self.common.waiters.removed(self.db, found.get().key());
            self.common.discard(found.remove());
        }
    }

    /// Settles the accounts of `get_mut`.
    #[inline]
    fn close(&mut self) {
        let Some(before) = self.open_bytes.take() else { return };
        let found = self.found_mut();
        let changed = found.get_mut().collection().is_some_and(|collection| collection.take_changed());
        let after = found.get().heap_bytes();
        found.add_bytes(before, after);
        if changed {
            found.file(false);
        }
        self.changed |= changed;
    }
}

impl Drop for EntryMut<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.found.is_none() {
            return;
        }
        self.close();
        if self.changed
            && let Some(found) = &self.found
        {
            self.common.watch.changed(self.db, found.get().key());
        }
    }
}

/// A value for `Db::create` and `Db::set_value`.
pub enum NewValue<'v> {
    /// A string.
    Str(StrIn<'v>),
    /// A collection (never empty when the command is done).
    Boxed(Boxed),
}

impl<T: Stored> From<T> for NewValue<'_> {
    fn from(collection: T) -> Self {
        Self::Boxed(collection.boxed())
    }
}
