//! The watch table: which keys some client WATCHes, and how often each changed.
//!
//! Every mutation in `db` calls `changed` (one branch while nobody watches); WATCH, UNWATCH and EXEC call the rest.
//! Per key two counters: logical changes, and removals of an expired key, which do not dirty a watcher that saw the
//! key already expired. Bounds: one map entry per distinct watched key (the session bounds its watches).
use std::collections::HashMap;

use super::track::TrackTable;

#[derive(Debug, Default)]
struct Watched {
    watchers: u32,
    changes: u32,
    expiries: u32,
}

/// What a watcher remembers about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchVersion {
    changes: u32,
    expiries: u32,
    was_expired: bool,
}

/// Watched keys of one core's databases.
#[derive(Debug, Default)]
pub struct WatchTable {
    databases: Vec<HashMap<Box<[u8]>, Watched>>,
    live: usize,
    /// Who may hold copies of keys: hears of the same changes.
    pub track: TrackTable,
}

impl WatchTable {
    /// Whether nobody watches anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Distinct watched keys.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Registers one watcher; `is_expired`: the key is there but its time is over.
    pub fn watch(&mut self, db: usize, key: &[u8], is_expired: bool) -> WatchVersion {
        if self.databases.len() <= db {
            self.databases.resize_with(db + 1, HashMap::new);
        }
        let map = &mut self.databases[db];
        if !map.contains_key(key) {
            map.insert(key.into(), Watched::default());
            self.live += 1;
        }
        let Some(watched) = map.get_mut(key) else { unreachable!("inserted above") };
        watched.watchers += 1;
        WatchVersion { changes: watched.changes, expiries: watched.expiries, was_expired: is_expired }
    }

    /// Takes one watcher off.
    pub fn unwatch(&mut self, db: usize, key: &[u8]) {
        let Some(map) = self.databases.get_mut(db) else { return };
        let Some(watched) = map.get_mut(key) else { return };
        watched.watchers -= 1;
        if watched.watchers == 0 {
            map.remove(key);
            self.live -= 1;
        }
    }

    /// Whether EXEC must fail for this key; `is_expired`: it is there now but its time is over.
    pub fn is_dirty(&self, db: usize, key: &[u8], version: WatchVersion, is_expired: bool) -> bool {
        let Some(watched) = self.databases.get(db).and_then(|map| map.get(key)) else { return true };
        let expired_since = watched.expiries != version.expiries || is_expired;
        watched.changes != version.changes || (!version.was_expired && expired_since)
    }

    /// The key's value or expiry changed.
    #[inline]
    pub fn changed(&mut self, db: usize, key: &[u8]) {
        if self.live != 0 || !self.track.is_idle() {
            self.touched(db, key);
            self.track.report(key, false);
        }
    }

    /// The key of that name is another one now (FLUSHDB, SWAPDB): for watchers only.
    pub fn touched(&mut self, db: usize, key: &[u8]) {
        if self.live != 0
            && let Some(watched) = self.databases.get_mut(db).and_then(|map| map.get_mut(key))
        {
            watched.changes = watched.changes.wrapping_add(1);
        }
    }

    /// The key was removed because its time was over.
    #[inline]
    pub fn expired(&mut self, db: usize, key: &[u8]) {
        if self.live != 0
            && let Some(watched) = self.databases.get_mut(db).and_then(|map| map.get_mut(key))
        {
            watched.expiries = watched.expiries.wrapping_add(1);
        }
    }

    /// The key left by itself.
    #[inline]
    pub fn departed(&mut self, key: &[u8]) {
        if !self.track.is_idle() {
            self.track.report(key, true);
        }
    }

    /// All watched keys of a database, to be judged by FLUSHDB and SWAPDB.
    pub fn keys_of(&self, db: usize) -> Vec<Box<[u8]>> {
        self.databases.get(db).map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }
}
