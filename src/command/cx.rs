//! What a command handler sees: its arguments, the reply, the keyspaces it may touch, and the time it judges by.
//!
//! `shard::execute` makes one per command; handlers of every family take `&mut Cx`. A handler knows no cores:
//! [`Spaces`] answers for the keys' shards whether they are one or lent from several cores.
//!
//! Invariant: a handler that changed something calls [`Cx::propagate`] or [`Cx::propagate_as`]; nothing else writes
//! effects. All expiry in one command is judged by `now_ms`. Bounds: none of its own.
//! Why not one trait object per family: a plain function pointer and one struct cost nothing.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::command::reply_error::ReplyError;
use crate::command::row::Row;
use crate::config::Settings;
use crate::effect::{Effect, Kind, Staging};
use crate::keyspace::{Access, Db, Entry, EntryMut, Key, Keyspace, NewValue, Stored};
use crate::resp::{Args, Out};

/// slot -> core, versioned; the same table in standalone and cluster mode.
#[derive(Clone)]
pub struct SlotMap {
    cores: usize,
    owner: std::sync::Arc<[u8]>,
}

impl SlotMap {
    /// Even, contiguous ranges of slots for `cores` cores (at most `limits::MAX_CORES`).
    pub fn even(cores: usize) -> SlotMap {
        let owner = (0..crate::base::slot::SLOT_COUNT)
            .map(|slot| (slot * cores / crate::base::slot::SLOT_COUNT) as u8)
            .collect();
        SlotMap { cores, owner }
    }

    /// The core that owns `slot`.
    #[inline]
    pub fn core_of(&self, slot: u16) -> usize {
        self.owner[slot as usize] as usize
    }

    /// One past the last slot of the range of its core that `slot` lies in.
    pub fn end_of(&self, slot: u16) -> usize {
        let owner = self.owner[slot as usize];
        let rest = self.owner[slot as usize..].iter();
        slot as usize + rest.take_while(|&&core| core == owner).count()
    }

    /// How many cores share the slots.
    pub fn cores(&self) -> usize {
        self.cores
    }
}

/// The keyspaces a command may touch.
pub enum Spaces<'a> {
    /// All its keys live on one shard.
    One(&'a mut Keyspace),
    /// Shards lent to a transaction, by core; cores that are not involved are `None`.
    Many(&'a SlotMap, Vec<Option<&'a mut Keyspace>>),
}

impl Spaces<'_> {
    /// The keyspace that owns `key`.
    #[inline]
    pub fn of(&mut self, key: &Key<'_>) -> &mut Keyspace {
        match self {
            Spaces::One(space) => space,
            Spaces::Many(map, list) => match list[map.core_of(key.slot)].as_deref_mut() {
                Some(space) => space,
                None => unreachable!("route involves the shard of every key"),
            },
        }
    }

    /// The keyspace that owns `key`, for reading only: views of several keys may live side by side.
    pub fn view(&self, key: &Key<'_>) -> &Keyspace {
        match self {
            Spaces::One(space) => space,
            Spaces::Many(map, list) => match list[map.core_of(key.slot)].as_deref() {
                Some(space) => space,
                None => unreachable!("route involves the shard of every key"),
            },
        }
    }
}

/// Event classes of keyspace notifications (`notify-keyspace-events`), as bits.
pub mod notify {
    /// `K`: keyspace events.
    pub const KEYSPACE: u32 = 1;
    /// `E`: keyevent events.
    pub const KEYEVENT: u32 = 1 << 1;
    /// `g`
    pub const GENERIC: u32 = 1 << 2;
    /// `$`
    pub const STRING: u32 = 1 << 3;
    /// `l`
    pub const LIST: u32 = 1 << 4;
    /// `s`
    pub const SET: u32 = 1 << 5;
    /// `h`
    pub const HASH: u32 = 1 << 6;
    /// `z`
    pub const ZSET: u32 = 1 << 7;
    /// `x`
    pub const EXPIRED: u32 = 1 << 8;
    /// `e`
    pub const EVICTED: u32 = 1 << 9;
    /// `t`
    pub const STREAM: u32 = 1 << 10;
    /// `m`
    pub const KEY_MISS: u32 = 1 << 11;
    /// `d`
    pub const MODULE: u32 = 1 << 13;
    /// `n`
    pub const NEW: u32 = 1 << 14;
}

/// A keyspace event to publish after the command.
#[derive(Debug, Clone)]
pub struct Event {
    /// Class bit.
    pub class: u32,
    /// Event name.
    pub name: &'static str,
    /// Database index.
    pub db: usize,
    /// The key.
    pub key: Vec<u8>,
}

/// Who calls, as far as a reply depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caller {
    /// A script.
    pub is_script: bool,
    /// A user who may not read every key; known for rows with [`Row::beyond`] only.
    pub is_restricted: bool,
}

/// What a command did, gathered while its handler runs.
#[derive(Default)]
pub struct Outcome {
    /// Changes made (`rdb_changes_since_last_save`).
    pub dirty: u64,
    /// Keyspace events, in order.
    pub events: Vec<Event>,
    /// What the command changes is not to be propagated: a script asked for that (`redis.set_repl`).
    pub is_unlogged: bool,
    /// An effect has been staged.
    pub has_staged: bool,
    /// Text of a formatted error (`ReplyError::Formatted`).
    pub error_text: Vec<u8>,
    /// Who calls.
    pub caller: Caller,
    /// Whether the command may block, and whether it wants to.
    pub blocking: crate::command::blocking::Blocking,
}

/// The handler's view of one command.
pub struct Cx<'a> {
    /// The command's words; `args.get(0)` is its name.
    pub args: Args<'a>,
    /// The reply.
    pub out: &'a mut Out,
    /// Selected database.
    pub db: usize,
    /// The internal clock, in milliseconds: sampled once per command or transaction.
    pub now_ms: u64,
    /// Wall clock minus internal clock, in milliseconds.
    pub wall_offset_ms: i64,
    /// Hot configuration.
    pub settings: &'a Settings,
    /// The command's row.
    pub row: &'static Row,
    /// Keyspaces in reach.
    pub spaces: Spaces<'a>,
    /// slot -> core.
    pub map: &'a SlotMap,
    /// How lookups count and touch.
    pub access: Access,
    /// One of the words as a key, if it has been hashed already.
    pub known: Key<'a>,
    /// The open batch of the log; `None` while nobody reads.
    pub staging: Option<&'a mut Staging>,
    /// What was done.
    pub outcome: &'a mut Outcome,
}

impl<'a> Cx<'a> {
    /// Number of words, the name included.
    #[inline]
    pub fn argc(&self) -> usize {
        self.args.len()
    }

    /// Word `index`.
    #[inline]
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.get(index)
    }

    /// Word `index` as `Bytes`: a large received value is shared, a small one copied.
    pub fn arg_bytes(&self, index: usize) -> Bytes {
        self.args.bytes(index)
    }

    /// Word `index` as a key.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'a> {
        let word = self.args.get(index);
        match !word.is_empty() && std::ptr::eq(word, self.known.bytes) {
            true => self.known,
            false => Key::new(word),
        }
    }

    /// Any bytes as a key.
    #[inline]
    pub fn key_of<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        Key::new(bytes)
    }

    /// The keyspace that owns `key`.
    #[inline]
    pub fn space(&mut self, key: &Key<'_>) -> &mut Keyspace {
        self.spaces.of(key)
    }

    /// The collections of type `T` at words `keys`, all at once; each is looked up as a read first, in order.
    ///
    /// # Errors
    /// `WrongType` at the first key that holds something else.
    pub fn read_all<T: Stored>(
        &mut self,
        keys: std::ops::Range<usize>,
    ) -> Result<Vec<Option<&T>>, ReplyError> {
        let mut found = Vec::with_capacity(keys.len());
        for index in keys.clone() {
            let key = self.key(index);
            let is_there = self.read_as::<T>(&key)?.is_some();
            if !is_there {
                self.notify_miss(key.bytes);
            }
            found.push(is_there);
        }
        let view = |(index, is_there): (usize, bool)| {
            let key = self.key(index);
            let entry = self.spaces.view(&key).dict(self.db).find(&key).filter(|_| is_there);
            entry.and_then(|entry| entry.get::<T>())
        };
        Ok(keys.zip(found).map(view).collect())
    }

    /// Every keyspace in reach, by core.
    pub fn each_space(&mut self) -> SmallVec<[&mut Keyspace; 4]> {
        match &mut self.spaces {
            Spaces::One(space) => std::iter::once(&mut **space).collect(),
            Spaces::Many(_, list) => list.iter_mut().filter_map(|space| space.as_deref_mut()).collect(),
        }
    }

    /// The selected database of the shard that owns `key`, judged and touched as this command does.
    #[inline]
    pub fn dbm(&mut self, key: &Key<'_>) -> Db<'_> {
        self.db_at(self.db, key)
    }

    /// Database `index` of the shard that owns `key`.
    #[inline]
    pub fn db_at(&mut self, index: usize, key: &Key<'_>) -> Db<'_> {
        let access = self.access;
        self.space(key).db(index, access)
    }

    /// Looks a key up to read it: lazy expiry, hit and miss counters, LRU/LFU touch.
    #[inline]
    pub fn lookup_read(&mut self, key: &Key<'_>) -> Option<Entry<'_>> {
        self.dbm(key).read(key)
    }

    /// As [`Cx::lookup_read`], with the reply beside it: a value is written from where it lies.
    #[inline]
    pub fn read_beside_out(&mut self, key: &Key<'_>) -> (Option<Entry<'_>>, &mut Out) {
        let space = self.spaces.of(key);
        (space.db(self.db, self.access).read(key), &mut *self.out)
    }

    /// As [`Cx::lookup_write`], with the reply beside it.
    #[inline]
    pub fn write_beside_out(&mut self, key: &Key<'_>) -> (Option<EntryMut<'_>>, &mut Out) {
        let space = self.spaces.of(key);
        (space.db(self.db, self.access).write(key), &mut *self.out)
    }

    /// Looks a key up to change it.
    #[inline]
    pub fn lookup_write(&mut self, key: &Key<'_>) -> Option<EntryMut<'_>> {
        self.dbm(key).write(key)
    }

    /// The collection of type `T` at `key` for reading; `None` if there is no key.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    #[inline]
    pub fn read_as<T: Stored>(&mut self, key: &Key<'_>) -> Result<Option<&T>, ReplyError> {
        match self.lookup_read(key) {
            None => Ok(None),
            Some(entry) => entry.get().map(Some).ok_or(ReplyError::WrongType),
        }
    }

    /// The entry of the collection of type `T` at `key` for changing; `None` if there is no key.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    #[inline]
    pub fn write_as<T: Stored>(&mut self, key: &Key<'_>) -> Result<Option<EntryMut<'_>>, ReplyError> {
        match self.lookup_write(key) {
            None => Ok(None),
            Some(entry) if entry.get().get::<T>().is_some() => Ok(Some(entry)),
            Some(_) => Err(ReplyError::WrongType),
        }
    }

    /// The entry of the collection of type `T` at `key`, made empty if there is no key.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    pub fn open_as<T: Stored>(&mut self, key: &Key<'_>) -> Result<EntryMut<'_>, ReplyError> {
        let this: *mut Self = self;
        // SAFETY: this borrow of `self` lives on only where its entry is returned, and then nothing below runs. The compiler cannot see that yet (it takes a
        // borrow that is returned on one path to hold on all of them), and a second lookup would be a tenth of a small LPUSH.
        if let Some(entry) = unsafe { &mut *this }.lookup_write(key) {
            return match entry.get().get::<T>() {
                Some(_) => Ok(entry),
                None => Err(ReplyError::WrongType),
            };
        }
        self.notify(notify::NEW, "new", key.bytes);
        Ok(self.dbm(key).create(key, NewValue::from(T::default())))
    }

    /// A change really happened: it leaves with the words it came with.
    #[inline]
    pub fn propagate(&mut self) {
        self.outcome.dirty += 1;
        if self.staging.is_some() {
            let words: SmallVec<[&[u8]; 8]> =
                (0..self.args.len()).map(|index| self.args.get(index)).collect();
            self.stage(Kind::Plain, &words);
        }
    }

    /// A change really happened: it leaves as `words` (deterministic form).
    #[inline]
    pub fn propagate_as(&mut self, words: &[&[u8]]) {
        self.propagate_kind(Kind::Plain, words);
    }

    /// As [`Cx::propagate_as`], keeping the operation beside its stock words.
    pub fn propagate_kind(&mut self, kind: Kind, words: &[&[u8]]) {
        self.outcome.dirty += 1;
        if self.staging.is_some() {
            self.stage(kind, words);
        }
    }

    /// Whether effects are read at all: lets a handler skip building rewritten words.
    #[inline]
    pub fn is_observed(&self) -> bool {
        self.staging.is_some()
    }

    fn stage(&mut self, kind: Kind, words: &[&[u8]]) {
        let slot = words.get(1).map(|key| crate::base::slot::key_slot(key));
        let effect = Effect { db: self.db, slot, kind, words: words.iter().copied().collect() };
        if let Some(staging) = self.staging.as_deref_mut() {
            staging.add(&effect);
        }
    }

    /// A keyspace event of `class` for `key` in the selected database.
    #[inline]
    pub fn notify(&mut self, class: u32, name: &'static str, key: &[u8]) {
        if self.settings.notify_keyspace_events & class != 0 {
            let db = self.db;
            self.outcome.events.push(Event { class, name, db, key: key.to_vec() });
        }
    }

    /// A read found no key.
    #[inline]
    pub fn notify_miss(&mut self, key: &[u8]) {
        self.notify(notify::KEY_MISS, "keymiss", key);
    }

    /// The error whose text is made at run time; it may quote the client's bytes.
    pub fn fail(&mut self, text: impl Into<Vec<u8>>) -> ReplyError {
        self.outcome.error_text = text.into();
        ReplyError::Formatted
    }

    /// A wall-clock time of the user (unix ms) on the internal clock; times before 0 become 0.
    pub fn from_wall_ms(&self, wall_ms: i64) -> u64 {
        wall_ms.saturating_sub(self.wall_offset_ms).max(0) as u64
    }

    /// A time of the internal clock as unix ms.
    pub fn to_wall_ms(&self, internal_ms: u64) -> i64 {
        (internal_ms as i64).saturating_add(self.wall_offset_ms)
    }
}
