//! Who waits for which key: the blocked clients of one core's databases, per key in order of arrival.
//!
//! Registered by `session::blocking` with the key's shard in hand; every way a key can come into being or go (`db`, `entry_mut`, `Keyspace::flush_db`
//! and `swap_db`, expiry) reports here and pays one branch while nobody waits. What became ready is collected in order of the first report and
//! served by `session::offer` after the command or transaction. Invariant: a key is in the map while somebody waits for it, in the ready list at most
//! once. Bounds: one [`Waiter`] per client and key. Why in the shard and not in the session: arrival order per key needs one place, and the shard is it.
use std::collections::{HashMap, VecDeque};

use super::entry::{Entry, ValueType};

/// Whether a waiter would find something in the value its key has now; spares a waiter on another core the trip.
pub type Probe = Box<dyn Fn(Entry<'_>) -> bool + Send>;

/// A client that waits for one key.
pub struct Waiter {
    /// Client id.
    pub client: u64,
    /// Its home core.
    pub home: usize,
    /// Its connection slot there.
    pub conn: u32,
    /// Which of the client's blocked commands this is.
    pub ticket: u64,
    /// The type that can serve it.
    pub kind: ValueType,
    /// It is also woken when the key goes or changes its type (XREADGROUP).
    pub on_nokey: bool,
    /// The key that serving it writes to (BLMOVE's destination).
    pub feeds: Option<Box<[u8]>>,
    /// See [`Probe`]; `None`: any value of the right type will do.
    pub probe: Option<Probe>,
}

/// A key that may serve its waiters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
}

/// The waiters of one key.
#[derive(Default)]
struct Queue {
    /// By arrival: numbers ascend.
    waiters: VecDeque<(u64, Waiter)>,
    on_nokey: usize,
    is_ready: bool,
}

/// See the module's text.
#[derive(Default)]
pub struct WaitTable {
    databases: Vec<HashMap<Box<[u8]>, Queue>>,
    keys: usize,
    keys_on_nokey: usize,
    wide: usize,
    next: u64,
    ready: Vec<Ready>,
}

impl WaitTable {
    /// Whether nobody waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// Distinct keys somebody waits for.
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Those among them with a waiter that is woken when the key goes.
    pub fn len_on_nokey(&self) -> usize {
        self.keys_on_nokey
    }

    /// Whether serving some waiter writes to a second key.
    #[inline]
    pub fn has_wide(&self) -> bool {
        self.wide != 0
    }

    /// Appends a waiter; returns its number, by which it is removed.
    pub fn add(&mut self, db: usize, key: &[u8], waiter: Waiter) -> u64 {
        if self.databases.len() <= db {
            self.databases.resize_with(db + 1, HashMap::new);
        }
        self.next += 1;
        self.wide += usize::from(waiter.feeds.is_some());
        let queue = match self.databases[db].get_mut(key) {
            Some(queue) => queue,
            None => {
                self.keys += 1;
                self.databases[db].entry(key.into()).or_default()
            }
        };
        if waiter.on_nokey {
            self.keys_on_nokey += usize::from(queue.on_nokey == 0);
            queue.on_nokey += 1;
        }
        queue.waiters.push_back((self.next, waiter));
        self.next
    }

    /// Takes a waiter off; no harm if it is gone already.
    pub fn remove(&mut self, db: usize, key: &[u8], number: u64) {
        let Some(map) = self.databases.get_mut(db) else { return };
        let Some(queue) = map.get_mut(key) else { return };
        let Ok(at) = queue.waiters.binary_search_by_key(&number, |(number, _)| *number) else { return };
        let Some((_, waiter)) = queue.waiters.remove(at) else { return };
        self.wide -= usize::from(waiter.feeds.is_some());
        if waiter.on_nokey {
            queue.on_nokey -= 1;
            self.keys_on_nokey -= usize::from(queue.on_nokey == 0);
        }
        if queue.waiters.is_empty() {
            map.remove(key);
            self.keys -= 1;
        }
    }

    /// A key came into being, or has more for its waiters (XADD).
    #[inline]
    pub fn created(&mut self, db: usize, key: &[u8]) {
        if self.keys != 0 {
            self.mark(db, key, false);
        }
    }

    /// A key went, or is another type now.
    #[inline]
    pub fn removed(&mut self, db: usize, key: &[u8]) {
        if self.keys_on_nokey != 0 {
            self.mark(db, key, true);
        }
    }

    /// All keys of a database may have come or gone (SWAPDB).
    pub fn swapped(&mut self, db: usize) {
        self.mark_all(db, false);
    }

    /// All keys of a database are gone.
    pub fn emptied(&mut self, db: usize) {
        if self.keys_on_nokey != 0 {
            self.mark_all(db, true);
        }
    }

    fn mark_all(&mut self, db: usize, only_on_nokey: bool) {
        if self.keys != 0 {
            let names: Vec<Box<[u8]>> =
                self.databases.get(db).map(|map| map.keys().cloned().collect()).unwrap_or_default();
            names.iter().for_each(|name| self.mark(db, name, only_on_nokey));
        }
    }

    #[cold]
    fn mark(&mut self, db: usize, key: &[u8], only_on_nokey: bool) {
        let Some(queue) = self.databases.get_mut(db).and_then(|map| map.get_mut(key)) else { return };
        if !queue.is_ready && (!only_on_nokey || queue.on_nokey > 0) {
            queue.is_ready = true;
            self.ready.push(Ready { db, key: key.into() });
        }
    }

    /// Whether some key may serve its waiters.
    #[inline]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The keys that may, in the order in which they became ready.
    pub fn take_ready(&mut self) -> Vec<Ready> {
        std::mem::take(&mut self.ready)
    }

    /// Adds another shard's ready keys behind the own ones: a transaction keeps one list.
    pub fn append_ready(&mut self, ready: &mut Vec<Ready>) {
        self.ready.append(ready);
    }

    /// The key's waiters are being served: from now on it can become ready again.
    pub fn begin(&mut self, ready: &Ready) {
        if let Some(queue) = self.databases.get_mut(ready.db).and_then(|map| map.get_mut(&ready.key)) {
            queue.is_ready = false;
        }
    }

    /// The first waiter behind number `after` whom `value` (the key's value now) may serve.
    pub fn next(&self, ready: &Ready, after: u64, value: Option<Entry<'_>>) -> Option<(u64, &Waiter)> {
        let queue = self.databases.get(ready.db)?.get(&ready.key)?;
        let from = queue.waiters.partition_point(|(number, _)| *number <= after);
        let value_type = value.map(Entry::value_type);
        if value_type.is_none() && queue.on_nokey == 0 {
            return None;
        }
        let mut rest = queue.waiters.range(from..).map(|(number, waiter)| (*number, waiter));
        rest.find(|(_, waiter)| match value {
            Some(value) if value_type == Some(waiter.kind) => {
                waiter.probe.as_ref().is_none_or(|probe| probe(value))
            }
            _ => waiter.on_nokey,
        })
    }

    /// The keys that serving the waiters of `key` (of any database) would write to.
    pub fn fed_by<'t>(&'t self, key: &'t [u8]) -> impl Iterator<Item = &'t [u8]> + 't {
        let queues = self.databases.iter().filter_map(move |map| map.get(key));
        queues.flat_map(|queue| queue.waiters.iter()).filter_map(|(_, waiter)| waiter.feeds.as_deref())
    }
}

impl WaitTable {
    /// The keys with a waiter that writes to a second key.
    pub fn feeding_keys(&self) -> impl Iterator<Item = &[u8]> {
        let queues = self.databases.iter().flatten();
        queues
            .filter(|(_, queue)| queue.waiters.iter().any(|(_, waiter)| waiter.feeds.is_some()))
            .map(|(key, _)| &**key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Access, Expire, Key, Keyspace, NewValue, Stored, StrIn};
    use crate::types::list::List;
    use crate::types::stream::Stream;

    fn waiter(client: u64, kind: ValueType) -> Waiter {
        let on_nokey = kind == ValueType::Stream;
        Waiter { client, home: 0, conn: 0, ticket: 1, kind, on_nokey, feeds: None, probe: None }
    }

    fn ready(key: &[u8]) -> Ready {
        Ready { db: 0, key: key.into() }
    }

    fn next_client(space: &mut Keyspace, key: &[u8], after: u64) -> Option<(u64, u64)> {
        let Keyspace { dicts, common, .. } = space;
        let found = common.waiters.next(&ready(key), after, dicts[0].find(&Key::new(key)));
        found.map(|(number, waiter)| (number, waiter.client))
    }

    #[test]
    fn waiters_are_found_by_arrival_and_by_type() {
        let mut space = Keyspace::new(2, 1);
        let first = space.common.waiters.add(0, b"k", waiter(7, ValueType::List));
        let second = space.common.waiters.add(0, b"k", waiter(8, ValueType::ZSet));
        space.common.waiters.add(0, b"k", waiter(9, ValueType::List));
        space.db(0, Access::at(1)).set_value(
            &Key::new(b"k"),
            NewValue::Boxed(List::default().boxed()),
            Expire::Clear,
        );
        space.db(1, Access::at(1)).set_value(
            &Key::new(b"k"),
            NewValue::Boxed(List::default().boxed()),
            Expire::Clear,
        );
        assert_eq!(space.common.waiters.take_ready(), [ready(b"k")]);
        assert_eq!(next_client(&mut space, b"k", 0), Some((first, 7)));
        assert_eq!(next_client(&mut space, b"k", first).map(|found| found.1), Some(9));
        space.common.waiters.remove(0, b"k", second);
        space.common.waiters.remove(0, b"k", first);
        assert_eq!(next_client(&mut space, b"k", 0).map(|found| found.1), Some(9));
        assert_eq!(space.common.waiters.len(), 1);
        space.db(0, Access::at(1)).remove(&Key::new(b"k"));
        assert_eq!(next_client(&mut space, b"k", 0), None);
    }

    #[test]
    fn a_lost_key_wakes_only_those_who_asked_for_it() {
        let mut space = Keyspace::new(1, 1);
        let key = Key::new(b"s");
        let stream = || NewValue::Boxed(Stream::default().boxed());
        space.db(0, Access::at(1)).set_value(&key, stream(), Expire::Clear);
        let number = space.common.waiters.add(0, b"s", waiter(1, ValueType::Stream));
        space.common.waiters.add(0, b"l", waiter(2, ValueType::List));
        space.db(0, Access::at(1)).set_string(&key, StrIn::Bytes(b"x"), Expire::Clear);
        assert_eq!(space.common.waiters.take_ready(), [ready(b"s")]);
        space.common.waiters.begin(&ready(b"s"));
        assert_eq!(next_client(&mut space, b"s", 0), Some((number, 1)));
        space.db(0, Access::at(1)).set_value(&key, stream(), Expire::At(5));
        space.common.waiters.take_ready();
        space.common.waiters.begin(&ready(b"s"));
        assert!(space.db(0, Access::at(9)).read(&key).is_none());
        assert_eq!(space.common.waiters.take_ready(), [ready(b"s")]);
        space.common.waiters.begin(&ready(b"s"));
        space.flush_db(0);
        assert_eq!(space.common.waiters.take_ready(), [ready(b"s")]);
        space.common.waiters.remove(0, b"s", number);
        assert_eq!((space.common.waiters.len(), space.common.waiters.len_on_nokey()), (1, 0));
    }

    #[test]
    fn what_a_waiter_would_write_to_is_known() {
        let mut table = WaitTable::default();
        let feeds = Some(Box::from(&b"d"[..]));
        let number = table.add(0, b"s", Waiter { feeds, ..waiter(1, ValueType::List) });
        assert!(table.has_wide());
        assert_eq!(table.fed_by(b"s").collect::<Vec<_>>(), [b"d"]);
        table.remove(0, b"s", number);
        assert!(!table.has_wide() && table.is_empty());
    }
}
