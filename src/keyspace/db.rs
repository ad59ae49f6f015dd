//! `Db`: one database of this core as a command sees it; every lookup and change of keys goes through here.
//!
//! A short-lived handle made per call by `Keyspace::db`; it carries the command's [`Access`]. Methods that return something
//! borrowed take `self`, so `cx.dbm(&key).read(&key)` works on the temporary. Calls `dict`, `watch`, `trash`, `stats`.
//! Invariant: under [`ExpiryRule::Delete`] no method returns or keeps a key whose time is over; every change of a key reaches `watch`.
use super::dict::{Dict, Found, Totals};
use super::entry::Entry;
use super::entry_mut::{EntryMut, NewValue};
use super::fields;
use super::key::Key;
use super::owned_entry::OwnedEntry;
use super::string_in::StrIn;
use super::watch::WatchVersion;
use super::{Common, DepartedWhy};
use crate::base::slot::SLOT_COUNT;

/// What happens to a key whose time is over when it is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryRule {
    /// A primary: it is deleted, and reported if observed.
    Delete,
    /// A replica's clients: it is hidden, the primary will delete it.
    Hide,
    /// A replica's link: it is there until the primary says otherwise.
    Ignore,
}

/// How a command looks at keys.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// The command's time, internal ms.
    pub now_ms: u64,
    /// Whether a hit makes the key fresher (off for CLIENT NO-TOUCH, OBJECT, TTL, …).
    pub touch: bool,
    /// Whether reads count as hits and misses.
    pub count_stats: bool,
    /// See [`ExpiryRule`].
    pub expiry: ExpiryRule,
}

impl Access {
    /// A primary's ordinary command.
    pub fn at(now_ms: u64) -> Self {
        Self { now_ms, touch: true, count_stats: true, expiry: ExpiryRule::Delete }
    }

    /// Without freshening and counting.
    pub fn quiet(mut self) -> Self {
        (self.touch, self.count_stats) = (false, false);
        self
    }
}

/// What a new value does to the key's expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expire {
    /// No expiry from now on.
    Clear,
    /// As it was (KEEPTTL).
    Keep,
    /// Internal ms.
    At(u64),
}

/// See the module's text.
pub struct Db<'a> {
    pub(super) dict: &'a mut Dict,
    pub(super) common: &'a mut Common,
    pub(super) index: usize,
    pub(super) access: Access,
}

impl<'a> Db<'a> {
    /// The key in place unless its time is over; handles the latter by the rule.
    #[inline(always)]
    fn find_live(mut self, key: &Key<'_>) -> Option<(Found<'a>, &'a mut Common)> {
        if !self.dict.timed().is_empty() {
            self.settle_fields(key);
        }
        let found = self.dict.find_mut(key)?;
        if self.access.expiry == ExpiryRule::Ignore || !found.get().is_expired(self.access.now_ms) {
            return Some((found, self.common));
        }
        if self.access.expiry == ExpiryRule::Delete {
            self.common.depart(self.index, found.remove(), DepartedWhy::Expired);
        }
        None
    }

    /// Of a live hash the fields whose time is over go, are hidden or ignored, by the rule; it goes with the last one. A lookup of its own: the way of all
    /// other keys stays short.
    #[cold]
    fn settle_fields(&mut self, key: &Key<'_>) {
        let ignores = self.access.expiry == ExpiryRule::Ignore;
        let now_ms = if ignores { 0 } else { self.access.now_ms };
        let Some(found) = self.dict.find_mut(key) else { return };
        if !found.get().is_expired(now_ms)
            && found.get().show(now_ms)
            && self.access.expiry == ExpiryRule::Delete
        {
            fields::drain_met(found, self.common, self.index, now_ms);
        }
    }

    /// The same handle again, for a shorter time.
    #[inline]
    pub fn reborrow(&mut self) -> Db<'_> {
        Db { dict: self.dict, common: self.common, index: self.index, access: self.access }
    }

    /// The same handle without freshening and counting.
    pub fn quiet(mut self) -> Self {
        self.access = self.access.quiet();
        self
    }

    /// Looks a key up for reading: counts hit or miss, freshens.
    #[inline]
    pub fn read(mut self, key: &Key<'_>) -> Option<Entry<'a>> {
        if !self.dict.timed().is_empty() {
            self.settle_fields(key);
        }
        let Db { dict, common, index, access } = self;
        // Not through find_live: a miss must be counted too.
        let live = match dict.find_mut(key) {
            Some(found) if access.expiry == ExpiryRule::Ignore || !found.get().is_expired(access.now_ms) => {
                Some(found)
            }
            Some(found) => {
                if access.expiry == ExpiryRule::Delete {
                    common.depart(index, found.remove(), DepartedWhy::Expired);
                }
                None
            }
            None => None,
        };
        if access.count_stats {
            match live {
                Some(_) => common.stats.hits += 1,
                None => common.stats.misses += 1,
            }
        }
        let entry = live?.into_ref();
        if access.touch {
            common.freshen(entry, access.now_ms);
        }
        Some(entry)
    }

    /// Looks at a key without any effect; hidden if its time is over (unless the rule ignores that).
    pub fn peek(self, key: &Key<'_>) -> Option<Entry<'a>> {
        let ignore = self.access.expiry == ExpiryRule::Ignore;
        let dict: &'a Dict = self.dict;
        let entry = dict.find(key).filter(|entry| ignore || !entry.is_expired(self.access.now_ms))?;
        entry.show(if ignore { 0 } else { self.access.now_ms });
        Some(entry)
    }

    /// Looks a key up for changing it; freshens, counts nothing.
    #[inline(always)]
    pub fn write(self, key: &Key<'_>) -> Option<EntryMut<'a>> {
        let (index, access) = (self.index, self.access);
        let (found, common) = self.find_live(key)?;
        if access.touch {
            common.freshen(found.get(), access.now_ms);
        }
        Some(EntryMut::new(found, common, index, access.now_ms))
    }

    /// Whether the key is there (EXISTS counts and freshens like a read).
    pub fn exists(self, key: &Key<'_>) -> bool {
        self.read(key).is_some()
    }

    /// Sets a string; true if the key is new.
    #[inline]
    pub fn set_string(&mut self, key: &Key<'_>, value: StrIn<'_>, expire: Expire) -> bool {
        let (now_ms, index) = (self.access.now_ms, self.index);
        self.common.watch.changed(index, key.bytes);
        let Some((mut found, common)) = self.reborrow().find_for_overwrite(key) else {
            let expire_ms = if let Expire::At(ms) = expire { Some(ms) } else { None };
            let lru = self.common.freshness.initial(now_ms);
            self.dict.insert(key, OwnedEntry::new_string(key.bytes, value, expire_ms, lru));
            return true;
        };
        let old = found.get();
        let lru = common.freshness.replaced(old.lru(), now_ms);
        let expire_ms = match expire {
            Expire::Clear => None,
            Expire::Keep => old.expire_at(),
            Expire::At(ms) => Some(ms),
        };
        let old = found.update(|entry| {
            let old = entry.detach();
            entry.set_string(value, expire_ms, lru);
            old
        });
        if let Some(old) = old {
            common.waiters.removed(index, key.bytes);
            if old.is_heavy() {
                common.trash.push_value(old);
            }
        }
        false
    }

    /// Like `find_live`, but a hidden key is there to be overwritten.
    #[inline]
    fn find_for_overwrite(mut self, key: &Key<'_>) -> Option<(Found<'a>, &'a mut Common)> {
        if self.access.expiry == ExpiryRule::Hide {
            self.access.expiry = ExpiryRule::Ignore;
        }
        self.find_live(key)
    }

    /// Sets any value; true if the key is new.
    pub fn set_value(&mut self, key: &Key<'_>, value: NewValue<'_>, expire: Expire) -> bool {
        let value = match value {
            NewValue::Boxed(boxed) => boxed,
            NewValue::Str(string) => return self.set_string(key, string, expire),
        };
        let now_ms = self.access.now_ms;
        let old = self.reborrow().find_for_overwrite(key).map(|(found, _)| found.remove());
        let expire_ms = match (expire, &old) {
            (Expire::At(ms), _) => Some(ms),
            (Expire::Keep, Some(old)) => old.view().expire_at(),
            _ => None,
        };
        let fresh = &self.common.freshness;
        let lru = old.as_ref().map_or(fresh.initial(now_ms), |old| fresh.replaced(old.view().lru(), now_ms));
        self.dict.insert(key, OwnedEntry::new_boxed(key.bytes, value, expire_ms, lru));
        self.common.watch.changed(self.index, key.bytes);
        self.common.waiters.created(self.index, key.bytes);
        let created = old.is_none();
        if let Some(old) = old {
            self.common.discard(old);
        }
        created
    }

    /// Makes a key that is not there (replaces it if it is) and opens it for changing.
    pub fn create(mut self, key: &Key<'_>, value: NewValue<'_>) -> EntryMut<'a> {
        self.set_value(key, value, Expire::Clear);
        let Db { dict, common, index, access } = self;
        let Some(found) = dict.find_mut(key) else { unreachable!("set above") };
        EntryMut::new(found, common, index, access.now_ms)
    }

    /// Deletes a key; false if it is not there. Large values are freed later, in steps.
    pub fn remove(&mut self, key: &Key<'_>) -> bool {
        let Some(entry) = self.take(key) else { return false };
        self.common.discard(entry);
        true
    }

    /// Takes a key out, value, expiry and recency included (RENAME, MOVE, GETDEL).
    pub fn take(&mut self, key: &Key<'_>) -> Option<OwnedEntry> {
        let (found, _) = self.reborrow().find_live(key)?;
        let entry = found.remove();
        self.common.watch.changed(self.index, key.bytes);
        self.common.waiters.removed(self.index, key.bytes);
        Some(entry)
    }

    /// Puts a taken entry under `key`; a key that was there is discarded.
    pub fn put(&mut self, key: &Key<'_>, mut entry: OwnedEntry) {
        if let Some(old) = self.dict.find_mut(key).map(Found::remove) {
            self.common.discard(old);
        }
        if entry.view().key() != key.bytes {
            entry.set_key(key.bytes);
        }
        self.dict.insert(key, entry);
        self.common.watch.changed(self.index, key.bytes);
        self.common.waiters.created(self.index, key.bytes);
    }

    /// Adds a key that a file holds, its recency bits as given; false, and nothing changes, if it is there already.
    pub fn load(&mut self, key: &Key<'_>, value: NewValue<'_>, expire_ms: Option<u64>, lru: u32) -> bool {
        if self.dict.find(key).is_some() {
            return false;
        }
        let entry = match value {
            NewValue::Boxed(boxed) => OwnedEntry::new_boxed(key.bytes, boxed, expire_ms, lru),
            NewValue::Str(string) => OwnedEntry::new_string(key.bytes, string, expire_ms, lru),
        };
        self.dict.insert(key, entry);
        self.common.watch.changed(self.index, key.bytes);
        self.common.waiters.created(self.index, key.bytes);
        true
    }

    /// Sets or clears the expiry (internal ms); false if the key is not there.
    pub fn set_expire(&mut self, key: &Key<'_>, expire_ms: Option<u64>) -> bool {
        let Some(mut entry) = self.reborrow().write(key) else { return false };
        entry.set_expire(expire_ms);
        true
    }

    /// When the key expires: None if it is not there, Some(None) if never. No effect on it.
    pub fn expire_at(self, key: &Key<'_>) -> Option<Option<u64>> {
        self.peek(key).map(Entry::expire_at)
    }

    /// Keys, keys with expiry, bytes, average TTL.
    pub fn totals(&self) -> Totals {
        self.dict.totals()
    }

    /// Keys of this database on this core.
    pub fn len(&self) -> u64 {
        self.dict.len()
    }

    /// Whether it holds no keys.
    pub fn is_empty(&self) -> bool {
        self.dict.is_empty()
    }

    /// The tables themselves, for read-only walks (savers, digests, KEYS of a slot).
    pub fn dict(&self) -> &Dict {
        self.dict
    }

    /// A uniformly chosen key (RANDOMKEY); its name, copied.
    pub fn random_key(&mut self) -> Option<Vec<u8>> {
        for _ in 0..100 {
            let entry = self.dict.random(&mut self.common.prng)?;
            let name = entry.key().to_vec();
            if !entry.is_expired(self.access.now_ms) || self.access.expiry == ExpiryRule::Ignore {
                return Some(name);
            }
            if self.access.expiry == ExpiryRule::Delete {
                self.expire_now(&name);
            }
        }
        // A replica full of keys whose time is over: as redis, give one of them.
        self.dict.random(&mut self.common.prng).map(|entry| entry.key().to_vec())
    }

    /// Deletes a key if its time is over.
    pub(super) fn expire_now(&mut self, name: &[u8]) {
        let _ = self.reborrow().find_live(&Key::new(name));
    }

    /// WATCH: what to compare with at EXEC.
    pub fn watch(&mut self, key: &Key<'_>) -> WatchVersion {
        let expired = self.is_overdue(key);
        self.common.watch.watch(self.index, key.bytes, expired)
    }

    /// Ends one watch.
    pub fn unwatch(&mut self, key: &Key<'_>) {
        self.common.watch.unwatch(self.index, key.bytes);
    }

    /// Whether EXEC must fail on account of this key.
    pub fn is_dirty(&self, key: &Key<'_>, version: WatchVersion) -> bool {
        self.common.watch.is_dirty(self.index, key.bytes, version, self.is_overdue(key))
    }

    fn is_overdue(&self, key: &Key<'_>) -> bool {
        self.dict.find(key).is_some_and(|entry| entry.is_expired(self.access.now_ms))
    }

    /// SCAN: visits keys from `cursor` (0 = start) until about `count` were seen or slot `end_slot` is reached; returns
    /// the next cursor: its slot is [`cursor_slot`]; the walk is over when that is `end_slot` or more.
    pub fn scan(
        &mut self,
        cursor: u64,
        end_slot: usize,
        count: usize,
        mut visit: impl FnMut(Entry<'_>),
    ) -> u64 {
        let mut overdue = Vec::new();
        let next = self.walk(cursor, end_slot, count, |entry, now_ms| {
            if now_ms.is_some_and(|now_ms| entry.is_expired(now_ms)) {
                overdue.push(entry.key().to_vec());
            } else {
                visit(entry);
            }
        });
        if self.access.expiry == ExpiryRule::Delete {
            overdue.iter().for_each(|name| self.expire_now(name));
        }
        next
    }

    fn walk(
        &self,
        cursor: u64,
        end: usize,
        count: usize,
        mut visit: impl FnMut(Entry<'_>, Option<u64>),
    ) -> u64 {
        let now_ms = (self.access.expiry != ExpiryRule::Ignore).then_some(self.access.now_ms);
        let end = end.min(SLOT_COUNT);
        let (mut slot, mut position) = (cursor_slot(cursor), cursor << 16);
        let mut seen = 0;
        loop {
            if position == 0 {
                match self.dict.next_slot(slot, end) {
                    Some(found) => slot = found,
                    None => return (end as u64) << 48,
                }
            } else if slot >= end {
                return (end as u64) << 48;
            }
            let next = self.dict.scan_slot(slot, position, count.saturating_sub(seen), |entry| {
                seen += 1;
                visit(entry, now_ms);
            });
            match next {
                Some(next) => position = next,
                None => (slot, position) = (slot + 1, 0),
            }
            if seen >= count {
                return (slot as u64) << 48 | position >> 16;
            }
        }
    }
}

/// The slot a scan cursor stands at; 16384 or more: past the end.
pub fn cursor_slot(cursor: u64) -> usize {
    (cursor >> 48) as usize
}
