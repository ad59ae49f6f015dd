//! The tracking table: which clients may hold a copy of which key (client-side caching), and which keys changed since the executor last looked.
//!
//! `WatchTable::changed` and `expired` report every change of a key here while anybody tracks; `session::tracking` registers readers
//! ([`TrackTable::track`]) and takes the news ([`TrackTable::take`]). Keys are tracked by name, whatever the database, as in redis.
//! Invariant: a reported key is forgotten: its readers are told once. Bounds: `tracking-table-max-keys`, this core's share of it; above, random keys
//! are given up as if they had changed. Why beside WATCH: both must hear of exactly the same changes, by one branch.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

/// A client that read a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// Client id.
    pub id: u64,
    /// Its connection slot on `core`.
    pub conn: u32,
    /// Its home core.
    pub core: u32,
}

/// The clients of one key, by id.
pub type Trackers = SmallVec<[Tracker; 2]>;

/// A key that changed.
#[derive(Debug)]
pub struct Changed {
    /// Its name.
    pub key: Arc<[u8]>,
    /// Who read it.
    pub trackers: Trackers,
    /// It left by itself (expired, evicted), or nothing happened to it (the table was full): no client wrote it.
    pub by_itself: bool,
}

/// What happened since the executor last looked.
#[derive(Debug, Default)]
pub struct News {
    /// Keys, in order.
    pub changed: Vec<Changed>,
    /// A database was emptied.
    pub flushed: bool,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct TrackTable {
    places: HashMap<Arc<[u8]>, u32>,
    entries: Vec<(Arc<[u8]>, Trackers)>,
    items: usize,
    /// Some client wants to hear of keys by prefix: every change is reported.
    pub reports_all: bool,
    news: News,
    dice: u64,
}

impl TrackTable {
    /// Whether changes need not be told.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty() && !self.reports_all
    }

    /// Keys tracked.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is tracked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Clients of all keys together.
    pub fn items(&self) -> usize {
        self.items
    }

    /// A client reads a key. While there are more than `limit` keys (0: any number), others are given up.
    pub fn track(&mut self, key: &[u8], tracker: Tracker, limit: usize) {
        let at = match self.places.get(key) {
            Some(&at) => at as usize,
            None => {
                let name: Arc<[u8]> = key.into();
                self.places.insert(Arc::clone(&name), self.entries.len() as u32);
                self.entries.push((name, Trackers::new()));
                self.entries.len() - 1
            }
        };
        let list = &mut self.entries[at].1;
        if let Err(place) = list.binary_search_by_key(&tracker.id, |known| known.id) {
            list.insert(place, tracker);
            self.items += 1;
        }
        while limit > 0 && self.entries.len() > limit {
            self.dice =
                self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (key, trackers) = self.remove((self.dice >> 33) as usize % self.entries.len());
            self.news.changed.push(Changed { key, trackers, by_itself: true });
        }
    }

    fn remove(&mut self, at: usize) -> (Arc<[u8]>, Trackers) {
        let (key, trackers) = self.entries.swap_remove(at);
        self.places.remove(&key);
        if let Some((moved, _)) = self.entries.get(at) {
            self.places.insert(Arc::clone(moved), at as u32);
        }
        self.items -= trackers.len();
        if self.entries.is_empty() {
            (self.places, self.entries) = Default::default();
        }
        (key, trackers)
    }

    /// A key changed, or left by itself.
    #[cold]
    pub fn report(&mut self, key: &[u8], by_itself: bool) {
        let known = self.places.get(key).copied();
        if let Some(at) = known {
            let (key, trackers) = self.remove(at as usize);
            self.news.changed.push(Changed { key, trackers, by_itself });
        } else if self.reports_all {
            self.news.changed.push(Changed { key: key.into(), trackers: Trackers::new(), by_itself });
        }
    }

    /// A database was emptied: nothing is tracked any more.
    pub fn report_flush(&mut self) {
        (self.places, self.entries, self.items) = Default::default();
        self.news.flushed = true;
    }

    /// Whether there is something to take.
    #[inline]
    pub fn has_news(&self) -> bool {
        !self.news.changed.is_empty() || self.news.flushed
    }

    /// Takes what happened.
    pub fn take(&mut self) -> News {
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(id: u64) -> Tracker {
        Tracker { id, conn: id as u32, core: 0 }
    }

    fn names(news: &News) -> Vec<(String, Vec<u64>)> {
        let name = |changed: &Changed| String::from_utf8_lossy(&changed.key).into_owned();
        let ids = |changed: &Changed| changed.trackers.iter().map(|tracker| tracker.id).collect();
        news.changed.iter().map(|changed| (name(changed), ids(changed))).collect()
    }

    #[test]
    fn a_change_is_told_once_to_each_reader() {
        let mut table = TrackTable::default();
        assert!(table.is_idle());
        for id in [3, 1, 3, 2] {
            table.track(b"k", reader(id), 0);
        }
        table.track(b"other", reader(9), 0);
        assert_eq!((table.len(), table.items()), (2, 4));
        table.report(b"k", false);
        table.report(b"k", false);
        table.report(b"nobody's", false);
        assert_eq!(names(&table.take()), [("k".to_owned(), vec![1, 2, 3])]);
        assert_eq!((table.len(), table.items(), table.has_news()), (1, 1, false));
        table.report(b"other", true);
        assert!(table.take().changed[0].by_itself && table.is_idle());
    }

    #[test]
    fn a_full_table_gives_keys_up_and_tells_their_readers() {
        let mut table = TrackTable::default();
        for number in 0..1000u64 {
            table.track(number.to_string().as_bytes(), reader(number), 10);
        }
        assert_eq!((table.len(), table.items()), (10, 10));
        let mut told: Vec<String> = names(&table.take()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(told.len(), 990);
        for number in 0..1000 {
            table.report(number.to_string().as_bytes(), false);
        }
        told.extend(names(&table.take()).into_iter().map(|(name, _)| name));
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), 1000, "every reader is told of every key, once");
    }

    #[test]
    fn a_flush_forgets_all() {
        let mut table = TrackTable::default();
        table.track(b"a", reader(1), 0);
        table.report_flush();
        assert!(table.is_idle() && table.has_news());
        assert!(table.take().flushed && !table.has_news());
        table.reports_all = true;
        table.report(b"x", false);
        assert_eq!(names(&table.take()), [("x".to_owned(), vec![])]);
    }
}
