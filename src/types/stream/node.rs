//! A node of a stream: up to stream-node-max-entries entries in one listpack, byte for byte as redis keeps, dumps and trims them.
//!
//! Used by `Stream` (as leaves of its tree), by `entries` and by `rdb`. Layout, every item an entry of the listpack:
//! ```text
//! master:  live count | deleted count | fields F | name … (F) | 0
//! entry:   flags | ms - master.ms | seq - master.seq | [SAME: value … (F)] or [fields N | name value … (N)] | items before this one
//! flags:   1 = deleted, 2 = SAME (the master's names)
//! ```
//! Invariants: counts are true; entries ascend; the last item of an entry tells how to walk back over it. A `Node` was built by its own methods or
//! passed [`Node::from_pack`]. Bounds: a call costs the node. Why deleted entries stay: redis' nodes do, and trimming and XINFO show it.
use super::id::StreamId;
use crate::types::element::Element;
use crate::types::encoding::listpack::{self, ListPack};
use crate::types::encoding::tree::Leaf;

const DELETED: i64 = 1;
const SAME: i64 = 2;

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Node {
    master: StreamId,
    pack: ListPack,
}

/// Where the parts of a node's master entry lie.
#[derive(Debug, Clone, Copy)]
struct Master {
    fields: usize,
    names_at: usize,
    entries_at: usize,
}

/// Where the parts of an entry lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its ID.
    pub id: StreamId,
    /// Marked deleted.
    pub deleted: bool,
    flags_at: usize,
    flags: i64,
    fields: usize,
    body_at: usize,
}

/// The fields and values of one entry.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    left: usize,
    names: Option<listpack::Iter<'a>>,
    body: listpack::Iter<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next(),
            None => self.body.next(),
        };
        Some((name?, self.body.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl Leaf for Node {
    type Sep = StreamId;

    fn count(&self) -> usize {
        self.live()
    }

    fn heap_bytes(&self) -> usize {
        self.pack.heap_bytes()
    }

    fn sep(&self) -> StreamId {
        self.master
    }
}

impl Node {
    /// A node of one entry; word `2i` is the name of field `i`, the next its value.
    pub fn new<'w>(id: StreamId, pairs: usize, words: impl Fn(usize) -> &'w [u8]) -> Self {
        let mut node = Self { master: id, pack: ListPack::new() };
        let head = [Element::Int(1), Element::Int(0), Element::Int(pairs as i64)];
        let names = (0..pairs).map(|pair| Element::Bytes(words(2 * pair)));
        node.pack.extend(head.into_iter().chain(names).chain([Element::Int(0)]));
        node.append_entry(id, pairs, &words, SAME);
        node
    }

    /// A node of a validated listpack from outside; None if it is not laid out as the module's text says.
    pub fn from_pack(master: StreamId, pack: ListPack) -> Option<Self> {
        let node = Self { master, pack };
        node.is_sound().then_some(node)
    }

    fn is_sound(&self) -> bool {
        let mut items = self.pack.iter();
        let number = |items: &mut listpack::Iter<'_>| match items.next() {
            Some(Element::Int(number)) => u32::try_from(number).ok().map(|number| number as usize),
            _ => None,
        };
        let head = (number(&mut items), number(&mut items), number(&mut items));
        let (Some(live), Some(deleted), Some(fields)) = head else { return false };
        if fields >= self.pack.len()
            || items.by_ref().take(fields).count() != fields
            || number(&mut items) != Some(0)
        {
            return false;
        }
        let mut seen = (0, 0);
        while let Some(flags) = items.next() {
            let Element::Int(flags @ 0..=3) = flags else { return false };
            let id = (items.next(), items.next());
            let (Some(Element::Int(_)), Some(Element::Int(_))) = id else { return false };
            let (count, extra) = match flags & SAME != 0 {
                true => (fields, 3),
                false => match number(&mut items) {
                    Some(pairs) if pairs < self.pack.len() => (2 * pairs, 4),
                    _ => return false,
                },
            };
            if items.by_ref().take(count).count() != count || number(&mut items) != Some(count + extra) {
                return false;
            }
            if flags & DELETED != 0 { seen.1 += 1 } else { seen.0 += 1 }
        }
        seen == (live, deleted) && live + deleted > 0
    }

    /// Adds an entry behind the last.
    pub fn append<'w>(&mut self, id: StreamId, pairs: usize, words: impl Fn(usize) -> &'w [u8]) {
        let master = self.master_entry();
        let mut names = self.pack.iter_from(master.names_at);
        let same = master.fields == pairs
            && (0..pairs).all(|pair| names.next().is_some_and(|name| name.is_text(words(2 * pair))));
        self.pack.replace_int(self.live_at(), self.live() as i64 + 1);
        self.append_entry(id, pairs, &words, if same { SAME } else { 0 });
    }

    fn append_entry<'w>(
        &mut self,
        id: StreamId,
        pairs: usize,
        words: &impl Fn(usize) -> &'w [u8],
        flags: i64,
    ) {
        let ms = id.ms.wrapping_sub(self.master.ms) as i64;
        let seq = id.seq.wrapping_sub(self.master.seq) as i64;
        let head = [Element::Int(flags), Element::Int(ms), Element::Int(seq)];
        if flags & SAME != 0 {
            let values = (0..pairs).map(|pair| Element::Bytes(words(2 * pair + 1)));
            let back = Element::Int(pairs as i64 + 3);
            self.pack.extend(head.into_iter().chain(values).chain([back]));
        } else {
            let body = (0..2 * pairs).map(|index| Element::Bytes(words(index)));
            let (count, back) = (Element::Int(pairs as i64), Element::Int(2 * pairs as i64 + 4));
            self.pack.extend(head.into_iter().chain([count]).chain(body).chain([back]));
        }
    }

    /// The node's key: the ID of the entry it began with (perhaps deleted since).
    pub fn master(&self) -> StreamId {
        self.master
    }

    /// The listpack (DUMP, RDB).
    pub fn pack(&self) -> &ListPack {
        &self.pack
    }

    /// Bytes of the listpack.
    pub fn pack_len(&self) -> usize {
        self.pack.as_bytes().len()
    }

    /// Gives back what growth reserved; called when no more will be added.
    pub fn shrink(&mut self) {
        self.pack.shrink();
    }

    fn int(&self, at: usize) -> i64 {
        match self.pack.get(at) {
            Element::Int(number) => number,
            Element::Bytes(_) => 0,
        }
    }

    fn live_at(&self) -> usize {
        listpack::HEAD
    }

    /// Entries not deleted.
    pub fn live(&self) -> usize {
        self.int(self.live_at()) as usize
    }

    /// Entries marked deleted.
    pub fn deleted(&self) -> usize {
        self.pack.next(self.live_at()).map_or(0, |at| self.int(at) as usize)
    }

    fn set_counts(&mut self, live: usize, deleted: usize) {
        self.pack.replace_int(self.live_at(), live as i64);
        if let Some(at) = self.pack.next(self.live_at()) {
            self.pack.replace_int(at, deleted as i64);
        }
    }

    /// The offset after `count` items from `at`.
    fn skip(&self, at: usize, count: usize) -> usize {
        (0..count).fold(at, |at, _| self.pack.next(at).unwrap_or(self.pack.end()))
    }

    fn master_entry(&self) -> Master {
        let fields_at = self.skip(self.live_at(), 2);
        let fields = self.int(fields_at) as usize;
        let names_at = self.skip(fields_at, 1);
        Master { fields, names_at, entries_at: self.skip(names_at, fields + 1) }
    }

    fn place(&self, at: usize, master: &Master) -> Place {
        let flags = self.int(at);
        let ms_at = self.skip(at, 1);
        let seq_at = self.skip(ms_at, 1);
        let id = StreamId {
            ms: self.master.ms.wrapping_add(self.int(ms_at) as u64),
            seq: self.master.seq.wrapping_add(self.int(seq_at) as u64),
        };
        let after = self.skip(seq_at, 1);
        let (fields, body_at) = match flags & SAME != 0 {
            true => (master.fields, after),
            false => (self.int(after) as usize, self.skip(after, 1)),
        };
        Place { id, deleted: flags & DELETED != 0, flags_at: at, flags, fields, body_at }
    }

    fn after(&self, place: &Place) -> usize {
        let items = if place.flags & SAME != 0 { place.fields } else { 2 * place.fields };
        self.skip(place.body_at, items + 1)
    }

    /// The deleted mark of the entry, without touching the counts.
    fn mark(&mut self, place: &Place) {
        self.pack.replace_int(place.flags_at, place.flags | DELETED);
    }

    /// The ID of the last entry, deleted or not.
    pub fn last_id(&self) -> StreamId {
        let mut walk = self.walk_back();
        walk.next_any().map_or(self.master, |place| place.id)
    }

    /// Deletes an entry; false if it is not there (or was deleted before).
    pub fn delete(&mut self, id: StreamId) -> bool {
        let mut walk = self.walk();
        let found = loop {
            match walk.next_live() {
                Some(place) if place.id < id => {}
                Some(place) if place.id == id => break place,
                _ => return false,
            }
        };
        self.mark(&found);
        self.set_counts(self.live() - 1, self.deleted() + 1);
        true
    }

    /// Deletes live entries from the front, up to `most` of them, while they are below `below`.
    pub fn trim_front(&mut self, most: usize, below: StreamId) -> usize {
        let mut doomed = Vec::new();
        let mut walk = self.walk();
        while doomed.len() < most {
            match walk.next_live() {
                Some(place) if place.id < below => doomed.push(place),
                _ => break,
            }
        }
        doomed.iter().for_each(|place| self.mark(place));
        self.set_counts(self.live() - doomed.len(), self.deleted() + doomed.len());
        doomed.len()
    }

    /// The fields of an entry.
    pub(super) fn fields(&self, place: &Place) -> Fields<'_> {
        let names = (place.flags & SAME != 0).then(|| self.pack.iter_from(self.skip(self.live_at(), 3)));
        Fields { left: place.fields, names, body: self.pack.iter_from(place.body_at) }
    }

    /// Entries from the first on.
    pub(super) fn walk(&self) -> Walk<'_> {
        let master = self.master_entry();
        Walk { node: self, master, at: master.entries_at, back: false }
    }

    /// Entries from the last back.
    pub(super) fn walk_back(&self) -> Walk<'_> {
        Walk { node: self, master: self.master_entry(), at: self.pack.end(), back: true }
    }
}

/// Entries of one node, one way.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    /// The node.
    pub node: &'a Node,
    master: Master,
    at: usize,
    back: bool,
}

impl Walk<'_> {
    /// The next entry, deleted or not.
    pub fn next_any(&mut self) -> Option<Place> {
        let pack = &self.node.pack;
        if self.back {
            if self.at <= self.master.entries_at {
                return None;
            }
            let count_at = pack.previous(self.at)?;
            let items = self.node.int(count_at);
            self.at = (0..items).try_fold(count_at, |at, _| pack.previous(at))?;
            return Some(self.node.place(self.at, &self.master));
        }
        if self.at >= pack.end() {
            return None;
        }
        let place = self.node.place(self.at, &self.master);
        self.at = self.node.after(&place);
        Some(place)
    }

    /// The next entry that is not deleted.
    pub fn next_live(&mut self) -> Option<Place> {
        loop {
            let place = self.next_any()?;
            if !place.deleted {
                return Some(place);
            }
        }
    }
}
