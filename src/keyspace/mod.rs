//! L2 keyspace: one core's share of all databases. Imports `base` and `types`.
//!
//! ```text
//! Keyspace::new(databases, seed) .db(index, Access) -> Db<'_>     Access::at(now_ms) [.quiet()] {now_ms, touch, count_stats, expiry}
//!   .len(i) .totals(i) -> Totals{keys,expires,bytes,avg_ttl_ms}  .flush_db(i)  .flush_all()  .swap_db(a, b, now_ms)
//!   .stats: Stats  .freshness: Freshness  .observed: bool  .departed: Vec<Departed>  .trash: Trash   (fields of .common)
//!   .expire_step(now_ms, budget) -> Progress   .evict_one(policy, samples, now_ms) -> Option<freed>   .free_step(budget) -> bool
//! Db: read(self,&key)->Option<Entry>  peek(self,..)  write(self,..)->Option<EntryMut>  exists(self,..)
//!   set_string(&mut self,&key,StrIn,Expire)->created  set_value(..,NewValue,Expire)  create(self,&key,NewValue)->EntryMut
//!   remove(..)->bool  take(..)->Option<OwnedEntry>  put(&key,OwnedEntry)  set_expire(..,Option<ms>)->bool  expire_at(self,..)
//!   random_key()->Option<Vec<u8>>  scan(cursor,end_slot,count,|Entry|)->cursor  watch/unwatch/is_dirty  dict().count_in_slot/iter_slot/iter
//! Entry (Copy view): key() value()->ValueRef{Int,Bytes,Shared,Hash,List,…} value_type() string()->Option<Element> text() string_len()
//!   get::<T>()->Option<&T> (a collection) expire_at() encoding() lru() heap_bytes()
//! EntryMut: get() get_mut::<T>() bytes_mut() append() resize() set_string() set_expire() remove(self); accounts on drop
//! ```
//! DEBUG DIGEST: `database_digest` per core, `combine_digests`, `value_digest`. MEMORY USAGE: `Entry::heap_bytes` + 10 (its place in the table).
//! Key::new(bytes); pipelines: dict(i).prefetch(&key) for all, then dict(i).prefetch_entry(&key) for all, then execute (395 -> 140 ns a GET).
//! Layers inside: `entry`/`owned_entry`/`boxed` (layout) < `dict` (slot tables, counts) < `db` (expiry, statistics, watch) < `expire`, `evict`, `digest`.
//! Invariant: a `Keyspace` is plain single-threaded data (`Send`, not `Sync`); nothing here blocks, does I/O or reads a clock.
//! Bounds: any call on one key costs one segment (140 entries) plus the value's own work; what may be large is freed by `free_step`.
mod boxed;
mod cut;
mod db;
mod dict;
mod digest;
mod duplicate;
mod entry;
mod entry_mut;
mod evict;
mod expire;
mod fields;
mod freshness;
mod held;
mod key;
mod owned_entry;
mod string_in;
mod track;
mod trash;
mod waiters;
mod watch;

#[cfg(test)]
mod tests;

pub use boxed::{Boxed, Stored};
pub use cut::BULKY;
pub use db::{Access, Db, Expire, ExpiryRule, cursor_slot};
pub use dict::{Dict, Totals};
pub use digest::{Digest, combine_digests, database_digest, value_digest};
pub use entry::{Entry, INLINE_MAX, ValueRef, ValueType};
pub use entry_mut::{EntryMut, NewValue};
pub use evict::Policy;
pub use expire::Progress;
pub use freshness::Freshness;
pub use key::Key;
pub use owned_entry::OwnedEntry;
pub use string_in::StrIn;
pub use track::{Changed, News, TrackTable, Tracker, Trackers};
pub use trash::Trash;
pub use waiters::{Probe, Ready, WaitTable, Waiter};
pub use watch::{WatchTable, WatchVersion};

use crate::base::prng::Prng;

/// Why a key left without a command saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepartedWhy {
    /// Its time was over.
    Expired,
    /// maxmemory.
    Evicted,
    /// Only some fields of a hash went, their time being over (with them the key, if none is left).
    Fields {
        /// Whether none is left.
        emptied: bool,
    },
}

/// A key that expired or was evicted: to become an effect and a keyspace event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// Database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// Why.
    pub why: DepartedWhy,
    /// The fields that went ([`DepartedWhy::Fields`]).
    pub fields: Vec<Box<[u8]>>,
}

/// Counters since start or CONFIG RESETSTAT.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Stats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys whose time was over.
    pub expired: u64,
    /// Fields of hashes whose time was over.
    pub expired_fields: u64,
    /// Keys evicted for memory.
    pub evicted: u64,
    /// Running share of overdue keys among those looked at, percent.
    pub expired_stale_perc: f64,
    /// Expiry sweeps that ended by their budget.
    pub expired_time_cap_reached: u64,
}

/// What all databases of a core share.
pub struct Common {
    /// Counters.
    pub stats: Stats,
    /// LRU or LFU and parameters.
    pub freshness: Freshness,
    /// Whether anyone wants `departed`.
    pub observed: bool,
    /// Keys that left by themselves since the executor last took the list.
    pub departed: Vec<Departed>,
    /// What waits to be freed.
    pub trash: Trash,
    /// Watched keys.
    pub watch: WatchTable,
    /// Blocked clients by key.
    pub waiters: WaitTable,
    /// How often everything was flushed.
    pub flushes: u64,
    /// Dice of sampling and LFU; seedable for tests.
    pub prng: Prng,
}

impl Common {
    #[inline]
    fn freshen(&mut self, entry: Entry<'_>, now_ms: u64) {
        let old = entry.lru();
        let new = self.freshness.touched(old, now_ms, &mut self.prng);
        if new != old {
            entry.set_lru(new);
        }
    }

    /// Books a key that left by itself.
    fn depart(&mut self, db: usize, entry: OwnedEntry, why: DepartedWhy) {
        let key = entry.view().key();
        match why {
            DepartedWhy::Expired => {
                self.stats.expired += 1;
                self.watch.expired(db, key);
            }
            DepartedWhy::Evicted => {
                self.stats.evicted += 1;
                self.watch.touched(db, key);
            }
            DepartedWhy::Fields { .. } => {}
        }
        self.waiters.removed(db, key);
        self.watch.departed(key);
        if self.observed {
            self.departed.push(Departed { db, key: key.into(), why, fields: Vec::new() });
        }
        self.discard(entry);
    }

    /// Frees an unlinked entry, later if it is large.
    fn discard(&mut self, mut entry: OwnedEntry) {
        if let Some(value) = entry.detach()
            && value.is_heavy()
        {
            self.trash.push_value(value);
        }
    }
}

/// One core's share of all databases; moves between threads with its shard.
pub struct Keyspace {
    dicts: Vec<Dict>,
    /// Statistics, watch table, trash: public to the executor.
    pub common: Common,
    sweep: expire::Sweep,
    pool: evict::Pool,
    /// Flushed tables that a cut still has to walk.
    detached: Vec<Dict>,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Keyspace>();
};

impl Keyspace {
    /// An empty keyspace of `databases` databases.
    pub fn new(databases: usize, seed: u64) -> Self {
        let common = Common {
            stats: Stats::default(),
            freshness: Freshness::default(),
            observed: false,
            departed: Vec::new(),
            trash: Trash::default(),
            watch: WatchTable::default(),
            waiters: WaitTable::default(),
            flushes: 0,
            prng: Prng::new(seed),
        };
        let dicts = std::iter::repeat_with(Dict::default).take(databases).collect();
        Self {
            dicts,
            common,
            sweep: expire::Sweep::default(),
            pool: evict::Pool::default(),
            detached: Vec::new(),
        }
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.dicts.len()
    }

    /// A database as a command sees it; `index` < `databases()`.
    #[inline]
    pub fn db(&mut self, index: usize, access: Access) -> Db<'_> {
        Db { dict: &mut self.dicts[index], common: &mut self.common, index, access }
    }

    /// A database's tables for read-only walks.
    pub fn dict(&self, index: usize) -> &Dict {
        &self.dicts[index]
    }

    /// Keys of a database on this core.
    pub fn len(&self, index: usize) -> u64 {
        self.dicts[index].len()
    }

    /// Whether no database holds a key.
    pub fn is_empty(&self) -> bool {
        self.dicts.iter().all(Dict::is_empty)
    }

    /// Counts of a database.
    pub fn totals(&self, index: usize) -> Totals {
        self.dicts[index].totals()
    }

    /// Bytes of all databases.
    pub fn bytes(&self) -> usize {
        self.dicts.iter().map(|dict| dict.totals().bytes).sum()
    }

    /// Empties a database: whole tables are detached and freed in steps. Returns the number of keys removed.
    pub fn flush_db(&mut self, index: usize) -> u64 {
        if !self.common.watch.is_empty() {
            for name in self.common.watch.keys_of(index) {
                if self.dicts[index].find(&Key::new(&name)).is_some() {
                    self.common.watch.touched(index, &name);
                }
            }
        }
        self.common.waiters.emptied(index);
        self.common.watch.track.report_flush();
        let old = std::mem::take(&mut self.dicts[index]);
        let keys = old.len();
        if keys > 0 {
            self.put_away(old);
        }
        keys
    }

    /// Empties all databases.
    pub fn flush_all(&mut self) -> u64 {
        self.common.flushes += 1;
        (0..self.dicts.len()).map(|index| self.flush_db(index)).sum()
    }

    /// SWAPDB on this core: watchers of keys that are in either database are dirty, unless an overdue key takes the
    /// place of a missing or overdue one.
    pub fn swap_db(&mut self, a: usize, b: usize, now_ms: u64) {
        if a == b {
            return;
        }
        if !self.common.watch.is_empty() {
            for (own, other) in [(a, b), (b, a)] {
                for name in self.common.watch.keys_of(own) {
                    let key = Key::new(&name);
                    let overdue =
                        |index: usize| self.dicts[index].find(&key).map(|entry| entry.is_expired(now_ms));
                    match (overdue(own), overdue(other)) {
                        (None, None) => {}
                        (Some(true) | None, Some(true) | None) => self.common.watch.expired(own, &name),
                        _ => self.common.watch.touched(own, &name),
                    }
                }
            }
        }
        self.dicts.swap(a, b);
        self.common.waiters.swapped(a);
        self.common.waiters.swapped(b);
    }

    /// Frees about `budget` allocations of what was unlinked; true when nothing is left.
    pub fn free_step(&mut self, budget: usize) -> bool {
        self.common.trash.free_step(budget)
    }
}
