//! The cut of a snapshot: which entries of a database it has not seen yet, and what they were before they changed.
//!
//! Opened on all cores at once by an all-shard transaction ([`Keyspace::open_cut`]), walked in steps by `shard::snapshot`; `dict` calls
//! [`Cut::is_unseen`] before it lets anybody change or take an entry. Every entry carries one bit, the *mark*. Outside a snapshot all marks of a database are equal;
//! opening a cut turns the meaning of the bit over, so in constant time every entry is unseen. The walk sees an entry, or somebody wants to change it: either way
//! its state goes to the snapshot once, and the bit turns. New entries are born seen.
//! ```text
//! open_cut: mark = !mark                      entry.mark != mark  <=>  in the cut and not yet seen
//! walk:   unseen entry -> visit, mark it      change: unseen entry -> pre-image to `saved`, mark it, then change
//! ```
//! Invariant: an entry of the cut reaches the snapshot exactly once, as it was at the cut, whatever happens to it: the bit travels with the entry (RENAME, rehash),
//! the cut with its tables (SWAPDB), and tables that are flushed are kept aside until they have been walked. Bounds: a pre-image costs the entry, or, if that is
//! larger than [`BULKY`], a pin of its nodes; a step of the walk one segment. Why a bit and not a position: positions are confused by whatever moves.
use std::collections::VecDeque;

use smallvec::SmallVec;

use super::boxed::Stored;
use super::dict::{Dict, Found};
use super::entry::{Entry, Kind, ValueRef};
use super::owned_entry::OwnedEntry;
use super::{Key, Keyspace, Totals};

/// Values of more bytes than this are pinned, not copied, and written in slices.
pub const BULKY: usize = 16 * 1024;
/// What a pinned value counts in the budget of pre-images, bytes.
const PIN_BYTES: usize = 1024;

/// See the module's text.
#[derive(Default)]
pub struct Cut {
    /// What the bit of a seen entry is.
    mark: u32,
    is_open: bool,
    /// The database's index at the cut.
    db: usize,
    slot: usize,
    position: u64,
    /// Pre-images, and what each counts.
    saved: VecDeque<(OwnedEntry, usize)>,
    saved_bytes: usize,
}

impl Cut {
    /// Marks an entry that comes into the tables: no cut wants it.
    #[inline]
    pub fn stamp(&self, entry: Entry<'_>) {
        entry.set_mark(self.mark);
    }

    /// Whether the open cut still wants this entry.
    #[inline]
    pub fn is_unseen(&self, entry: Entry<'_>) -> bool {
        self.is_open && entry.mark() != self.mark
    }

    fn open(&mut self, db: usize) {
        debug_assert!(!self.is_open, "one snapshot at a time");
        self.mark = Entry::other_mark(self.mark);
        (self.is_open, self.db, self.slot, self.position) = (true, db, 0, 0);
    }

    fn keep(&mut self, entry: Entry<'_>, fate: Fate) {
        let copy = entry.pinned();
        let bytes = match entry.heap_bytes() {
            bytes if bytes >= BULKY && fate == Fate::Stays => PIN_BYTES,
            bytes => bytes,
        };
        self.saved_bytes += bytes;
        self.saved.push_back((copy, bytes));
        self.stamp(entry);
    }
}

/// What happens to an entry that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It changes in part, or not at all: a pin of it takes no room.
    Stays,
    /// It is removed or replaced: what is kept is all that is left of it.
    Goes,
}

impl Entry<'_> {
    /// The same entry for the snapshot to read: small values are copied, large ones share their nodes. To be kept in the same shard.
    fn pinned(self) -> OwnedEntry {
        let (key, expire_ms, lru) = (self.key(), self.expire_at(), self.lru());
        let boxed = match self.value() {
            ValueRef::Int(_) | ValueRef::Bytes(_) | ValueRef::Shared(_) => return self.duplicate(key),
            ValueRef::Hash(hash) => {
                let pin = hash.pin();
                pin.see(0);
                pin.boxed()
            }
            ValueRef::List(list) => list.pin().boxed(),
            ValueRef::Set(set) => set.pin().boxed(),
            ValueRef::ZSet(set) => set.pin().boxed(),
            ValueRef::Stream(stream) => stream.pin().boxed(),
        };
        OwnedEntry::new_boxed(key, boxed, expire_ms, lru)
    }
}

impl Found<'_> {
    /// What the cut wants of an entry that is about to change.
    #[cold]
    pub(super) fn preserve(&mut self, fate: Fate) {
        if self.get().kind() == Kind::Blob && self.get().heap_bytes() >= BULKY {
            self.change(OwnedEntry::share);
        }
        let (entry, cut) = self.with_cut();
        cut.keep(entry, fate);
    }
}

impl Dict {
    /// Walks about `want` entries on; small ones are shown to `visit`, bulky ones saved.
    fn walk_cut(&mut self, want: usize, visit: &mut impl FnMut(usize, Entry<'_>)) {
        let (db, mark) = (self.cut.db, self.cut.mark);
        let slot = match self.cut.position {
            0 => self.next_slot(self.cut.slot, usize::MAX),
            _ => Some(self.cut.slot),
        };
        let Some(slot) = slot else {
            // What is saved is still to be taken.
            self.cut.is_open = false;
            return;
        };
        let mut seen: SmallVec<[Entry<'_>; 256]> = SmallVec::new();
        let next = self.scan_slot(slot, self.cut.position, want, |entry| seen.push(entry));
        seen.iter().for_each(|entry| entry.prefetch());
        let mut bulky: Vec<Box<[u8]>> = Vec::new();
        for entry in seen {
            if entry.mark() == mark {
                continue;
            }
            if entry.heap_bytes() >= BULKY {
                bulky.push(entry.key().into());
                continue;
            }
            entry.show(0);
            visit(db, entry);
            entry.set_mark(mark);
        }
        for name in bulky {
            if let Some(mut found) = self.find_mut(&Key::new(&name)) {
                found.preserve(Fate::Stays);
            }
        }
        (self.cut.slot, self.cut.position) = match next {
            Some(next) => (slot, next),
            None => (slot + 1, 0),
        };
    }
}

impl Keyspace {
    /// Opens a cut through all databases; returns their counts. The one before must have been walked to its end ([`Keyspace::has_cut`]).
    pub fn open_cut(&mut self) -> Vec<Totals> {
        for (index, dict) in self.dicts.iter_mut().enumerate().filter(|(_, dict)| !dict.is_empty()) {
            dict.cut.open(index);
        }
        self.dicts.iter().map(Dict::totals).collect()
    }

    /// Whether a cut has not been walked to its end.
    pub fn has_cut(&self) -> bool {
        self.all_dicts().any(|dict| dict.cut.is_open || !dict.cut.saved.is_empty())
    }

    /// Bytes of pre-images that wait to be taken.
    pub fn saved_bytes(&self) -> usize {
        self.all_dicts().map(|dict| dict.cut.saved_bytes).sum()
    }

    fn all_dicts(&self) -> impl Iterator<Item = &Dict> {
        self.detached.iter().chain(&self.dicts)
    }

    /// Takes the oldest pre-image of some database: its index at the cut, and the entry. Give it back to [`Keyspace::let_go`].
    pub fn take_saved(&mut self) -> Option<(usize, OwnedEntry)> {
        let dict = self.detached.iter_mut().chain(&mut self.dicts).find(|dict| !dict.cut.saved.is_empty())?;
        let (entry, bytes) = dict.cut.saved.pop_front()?;
        dict.cut.saved_bytes -= bytes;
        Some((dict.cut.db, entry))
    }

    /// Frees a pre-image, in steps if it is large.
    pub fn let_go(&mut self, entry: OwnedEntry) {
        self.common.discard(entry);
    }

    /// Shows about `want` entries of the cut that nobody has changed since; false when there are no more. Bulky ones come from
    /// [`Keyspace::take_saved`] instead.
    pub fn walk_cut(&mut self, want: usize, mut visit: impl FnMut(usize, Entry<'_>)) -> bool {
        let open = self.detached.iter_mut().chain(&mut self.dicts).find(|dict| dict.cut.is_open);
        if let Some(dict) = open {
            dict.walk_cut(want, &mut visit);
            return true;
        }
        for dict in self.detached.extract_if(.., |dict| dict.cut.saved.is_empty()) {
            self.common.trash.push_dict(dict);
        }
        false
    }

    /// Puts a flushed database's tables where they are freed, at once or after the cut has been walked.
    pub(super) fn put_away(&mut self, dict: Dict) {
        match dict.cut.is_open || !dict.cut.saved.is_empty() {
            true => self.detached.push(dict),
            false => self.common.trash.push_dict(dict),
        }
    }
}
