//! `SegTable`: an extendible-hash table of thin pointers whose largest step is one segment.
//!
//! Used by `keyspace` (the entries of a slot) and by `types` (fields of a large hash); calls `segment`. Walks over
//! the whole (scan, sampling, expiry, freeing) are in `seg_walk`. The table itself is one
//! pointer: null (empty), a segment, or (low bit set) a directory [`Node`]:
//! ```text
//! SegTable -> Seg                                     up to 140 items: a slot of an ordinary database
//!          -> Node{base 0, bits b} -> 2^b links       link = Seg of depth d (2^(base+bits-d) links in a row point at it)
//!                                                      or, when the node has 2^10 links already, a Node of the next bits
//! ```
//! A hash is consumed from the top, so iteration goes in order of the hash and a scan position is a hash prefix: it
//! survives growth and shrinking, and everything present throughout is returned (once, but for tables of 2 M items and more).
//! Invariants: links of a node are filled; a segment of depth d sits at the 2^(base+bits-d) links of its prefix; a child
//! node sits at one link and only in a node with `bits == NODE_BITS`; an empty table has no segment.
//! Bounds: a split moves [`MAX_LEN`] words, a doubling copies 512 links: microseconds. Why not one flat directory:
//! doubling it would copy megabytes for a 100 M-field hash.
use super::segment::{Item, MAX_LEN, Seg, WORD_HASH_BITS};
use crate::base::memory::good_size;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Directory bits of one node.
const NODE_BITS: u32 = 10;
/// No segment is split below this depth (a scan position has 48 bits): such entries have colliding hashes.
const MAX_DEPTH: u32 = 46;
/// Buddies are merged when together they hold at most this many.
const MERGE_LEN: usize = MAX_LEN / 2;

pub(super) struct Node {
    /// Hash bits consumed above this node.
    base: u32,
    /// log2 of the number of links.
    bits: u32,
    /// Distinct children at depth base + bits.
    deepest: u16,
    /// Deepest segment ever below (kept in the root): the yardstick of fair sampling.
    pub(super) max_depth: u16,
    /// Holders besides the first (see `seg_pin`).
    pub(super) others: u32,
    pub(super) links: Vec<Link>,
}

/// Null, a segment, or a node with the low bit set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(pub(super) *mut u8);

pub(super) enum Place<T> {
    Empty,
    Segment(Seg<T>),
    Node(*mut Node),
}

impl Link {
    pub(super) const NULL: Self = Self(std::ptr::null_mut());

    pub(super) fn to_segment<T: Item>(segment: Seg<T>) -> Self {
        Self(segment.as_ptr())
    }

    pub(super) fn to_node(node: Box<Node>) -> Self {
        Self(Box::into_raw(node).cast::<u8>().map_addr(|address| address | 1))
    }

    #[inline]
    pub(super) fn open<T: Item>(self) -> Place<T> {
        match NonNull::new(self.0) {
            None => Place::Empty,
            Some(raw) if raw.addr().get() & 1 == 0 => {
                // SAFETY: links without the low bit are live segments of this table.
                Place::Segment(unsafe { Seg::from_ptr(raw) })
            }
            Some(raw) => Place::Node(raw.as_ptr().map_addr(|address| address & !1).cast()),
        }
    }
}

impl Node {
    #[inline]
    pub(super) fn index(&self, hash: u64) -> usize {
        ((hash << self.base) >> (64 - self.bits)) as usize
    }

    pub(super) fn heap_bytes(&self) -> usize {
        good_size(size_of::<Self>()) + good_size(self.links.capacity() * size_of::<Link>())
    }

    /// A copy with the same links; the caller adds their holders.
    pub(super) fn duplicate(&self) -> Self {
        // The same capacity, so that the bytes counted for it stay right.
        let mut links = Vec::with_capacity(self.links.capacity());
        links.extend_from_slice(&self.links);
        Self { links, others: 0, ..*self }
    }

    /// Points every link of the prefix of `hash` of `depth` bits at `link`.
    pub(super) fn set_range(&mut self, hash: u64, depth: u32, link: Link) {
        let span = 1usize << (self.base + self.bits - depth);
        let first = self.index(hash) & !(span - 1);
        self.links[first..first + span].fill(link);
    }
}

/// The hash prefix of `depth` bits of `hash`, other bits zero.
fn prefix(hash: u64, depth: u32) -> u64 {
    if depth == 0 { 0 } else { hash & (u64::MAX << (64 - depth)) }
}

/// The first position after the prefix of `depth` bits of `hash`; None after the last.
pub(super) fn after(hash: u64, depth: u32) -> Option<u64> {
    if depth == 0 { None } else { prefix(hash, depth).checked_add(1 << (64 - depth)) }
}

/// See the module's text. `mem` arguments count the bytes of segments and directory (not of the items).
pub struct SegTable<T: Item> {
    pub(super) root: Link,
    items: PhantomData<T>,
}

// SAFETY: the table owns its blocks and items alone; nothing in it is tied to a thread.
unsafe impl<T: Item + Send> Send for SegTable<T> {}

impl<T: Item> Default for SegTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Item> SegTable<T> {
    /// An empty table: no allocation.
    pub const fn new() -> Self {
        Self { root: Link::NULL, items: PhantomData }
    }

    /// Another table with the same root, whose holder the caller has counted.
    pub(super) fn with_root(&self) -> Self {
        Self { root: self.root, items: PhantomData }
    }

    /// Whether there is nothing in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.root == Link::NULL
    }

    /// The segment that covers `hash`.
    #[inline]
    pub(super) fn locate(&self, hash: u64) -> Option<Seg<T>> {
        let mut link = self.root;
        loop {
            match link.open() {
                Place::Empty => return None,
                Place::Segment(segment) => return Some(segment),
                Place::Node(node) => {
                    // SAFETY: node links are live nodes of this table.
                    let node = unsafe { &*node };
                    link = node.links[node.index(hash)];
                }
            }
        }
    }

    /// The node that holds the segment of `hash`, if it is not the root.
    fn owner(&mut self, hash: u64) -> Option<&mut Node> {
        let mut link = self.root;
        let mut owner = None;
        while let Place::Node(raw) = link.open::<T>() {
            owner = Some(raw);
            // SAFETY: as in `locate`.
            let node = unsafe { &*raw };
            link = node.links[node.index(hash)];
        }
        // SAFETY: a live node, borrowed exclusively through self.
        owner.map(|raw| unsafe { &mut *raw })
    }

    /// Puts `segment` where the segment of the same prefix was.
    fn relink(&mut self, hash: u64, segment: Seg<T>) {
        let link = Link::to_segment(segment);
        match self.owner(hash) {
            None => self.root = link,
            Some(node) => node.set_range(hash, segment.depth(), link),
        }
    }

    /// Views the item with `hash` for which `same` holds.
    #[inline]
    pub fn find(&self, hash: u64, same: impl FnMut(T::Ref<'_>) -> bool) -> Option<T::Ref<'_>> {
        let segment = self.locate(hash)?;
        Some(segment.view(segment.find(hash, same)?))
    }

    /// First step of looking up soon: fetches the segment's head and tags.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        if let Some(segment) = self.locate(hash) {
            segment.prefetch();
        }
    }

    /// Second step, some time after the first: fetches the item itself.
    #[inline]
    pub fn prefetch_item(&self, hash: u64) {
        if let Some(segment) = self.locate(hash) {
            segment.prefetch_item(hash);
        }
    }

    /// Like `find`, for changing or removing it.
    #[inline(always)]
    pub fn find_mut(&mut self, hash: u64, same: impl FnMut(T::Ref<'_>) -> bool) -> Option<Occupied<'_, T>> {
        let (mut segment, is_shared) = self.locate_held(hash)?;
        let index = segment.find(hash, same)?;
        if is_shared {
            segment = self.part(hash)?;
        }
        Some(Occupied { table: self, segment, index, hash })
    }

    /// Adds an item that is not there yet. `expire_ms` marks it.
    pub fn insert(&mut self, hash: u64, item: T, expire_ms: Option<u64>, mem: &mut usize) {
        let mut segment = match self.locate_held(hash) {
            Some((segment, false)) => segment,
            Some((segment, true)) => self.part(hash).unwrap_or(segment),
            None => {
                let segment = Seg::alloc(1, 0, mem);
                self.root = Link::to_segment(segment);
                segment
            }
        };
        while segment.len() == segment.cap() {
            if segment.cap() >= MAX_LEN && segment.depth() < MAX_DEPTH {
                segment = self.split(segment, hash, mem);
            } else {
                segment = segment.resize(segment.cap() + 1, mem);
                self.relink(hash, segment);
            }
        }
        segment.push(hash, item.into_ptr(), expire_ms.is_some());
        if let Some(ms) = expire_ms
            && ms < segment.min_expire()
        {
            segment.set_min_expire(ms);
        }
    }

    /// Splits the full segment of `hash` by its next bit; returns the half that covers `hash`.
    fn split(&mut self, old: Seg<T>, hash: u64, mem: &mut usize) -> Seg<T> {
        let depth = old.depth();
        let len = old.len();
        let one_side = |index: usize| -> bool {
            if depth < WORD_HASH_BITS {
                old.hash_top(index) >> (WORD_HASH_BITS - 1 - depth) & 1 == 1
            } else {
                T::hash_of(old.view(index)) >> (63 - depth) & 1 == 1
            }
        };
        let ones = (0..len).filter(|&index| one_side(index)).count();
        let low = Seg::alloc((len - ones + len / 16).max(1), depth as u8 + 1, mem);
        let high = Seg::alloc((ones + len / 16).max(1), depth as u8 + 1, mem);
        for index in 0..len {
            if one_side(index) { high.push_from(old, index) } else { low.push_from(old, index) }
        }
        for half in [low, high] {
            half.set_min_expire(old.min_expire());
            half.set_version(old.version());
        }
        old.free(mem);
        self.link_halves(hash, depth, low, high, mem);
        if hash >> (63 - depth) & 1 == 1 { high } else { low }
    }

    /// Puts two new segments of depth + 1 where one of `depth` was, growing the directory if it must.
    fn link_halves(&mut self, hash: u64, depth: u32, low: Seg<T>, high: Seg<T>, mem: &mut usize) {
        let pair = [Link::to_segment(low), Link::to_segment(high)];
        let fresh =
            |base: u32| Node { base, bits: 1, deepest: 2, max_depth: 0, others: 0, links: pair.to_vec() };
        match self.owner(hash) {
            None => {
                let node = Box::new(fresh(0));
                *mem += node.heap_bytes();
                self.root = Link::to_node(node);
            }
            Some(node) if depth == node.base + node.bits && node.bits == NODE_BITS => {
                let child = Box::new(fresh(depth));
                *mem += child.heap_bytes();
                let index = node.index(hash);
                node.links[index] = Link::to_node(child);
            }
            Some(node) => {
                if depth == node.base + node.bits {
                    *mem -= node.heap_bytes();
                    node.links = node.links.iter().flat_map(|&link| [link, link]).collect();
                    node.bits += 1;
                    node.deepest = 0;
                    *mem += node.heap_bytes();
                }
                let one = 1 << (63 - depth);
                node.set_range(hash & !one, depth + 1, pair[0]);
                node.set_range(hash | one, depth + 1, pair[1]);
                if depth + 1 == node.base + node.bits {
                    node.deepest += 2;
                }
            }
        }
        if let Place::Node(root) = self.root.open::<T>() {
            // SAFETY: the live root node, borrowed through self.
            let root = unsafe { &mut *root };
            root.max_depth = root.max_depth.max(depth as u16 + 1);
        }
    }

    /// After removals from the segment of `hash`: frees, shrinks or merges it.
    pub(super) fn settle(&mut self, hash: u64, mem: &mut usize) {
        let Some(segment) = self.locate(hash) else { return };
        let len = segment.len();
        if len <= MAX_LEN / 4 && self.merge(segment, hash, mem) {
            return;
        }
        if len == 0 && segment.depth() == 0 {
            self.root = Link::NULL;
            segment.free(mem);
        } else if segment.is_sparse() {
            let segment = segment.resize(len + len / 8 + 1, mem);
            self.relink(hash, segment);
        }
    }

    /// Joins a small segment with its buddy if both fit one comfortably; true if done.
    fn merge(&mut self, segment: Seg<T>, hash: u64, mem: &mut usize) -> bool {
        let depth = segment.depth();
        let Some(node) = self.owner(hash) else { return false };
        if depth == node.base {
            return false;
        }
        let Place::Segment(buddy) = node.links[node.index(hash ^ (1 << (64 - depth)))].open::<T>() else {
            return false;
        };
        let total = segment.len() + buddy.len();
        if buddy.depth() != depth || total > MERGE_LEN {
            return false;
        }
        if buddy.others() > 0 {
            self.part(hash ^ (1 << (64 - depth)));
            return self.merge(segment, hash, mem);
        }
        let joined = Seg::alloc((total + total / 8).max(1), depth as u8 - 1, mem);
        for half in [segment, buddy] {
            (0..half.len()).for_each(|index| joined.push_from(half, index));
        }
        joined.set_min_expire(segment.min_expire().min(buddy.min_expire()));
        joined.set_version(segment.version().min(buddy.version()));
        segment.free(mem);
        buddy.free(mem);
        let link = Link::to_segment(joined);
        if depth - 1 == node.base {
            let base = node.base;
            self.drop_node(hash, base, link, mem);
        } else {
            node.set_range(hash, depth - 1, link);
            if depth == node.base + node.bits {
                node.deepest -= 2;
                Self::halve(node, mem);
            }
        }
        if joined.is_empty() {
            self.settle(hash, mem);
        }
        true
    }

    /// Halves the directory while no child needs its last bit.
    fn halve(node: &mut Node, mem: &mut usize) {
        *mem -= node.heap_bytes();
        while node.deepest == 0 && node.bits > 1 {
            node.links = node.links.iter().step_by(2).copied().collect();
            node.bits -= 1;
            node.max_depth = node.max_depth.min((node.base + node.bits) as u16);
            let bottom = node.base + node.bits;
            let at_bottom = |link: &&Link| matches!(link.open::<T>(), Place::Segment(segment) if segment.depth() == bottom);
            node.deepest = node.links.iter().filter(at_bottom).count() as u16;
        }
        *mem += node.heap_bytes();
    }

    /// Replaces the node of `base` on the way to `hash`, which came down to one segment, by that segment.
    fn drop_node(&mut self, hash: u64, base: u32, link: Link, mem: &mut usize) {
        let mut place = &raw mut self.root;
        loop {
            // SAFETY: `place` points at the root or at a link of a live node of this table.
            let Place::Node(raw) = (unsafe { *place }).open::<T>() else { return };
            // SAFETY: a live node, reached through the exclusive borrow of self.
            let node = unsafe { &mut *raw };
            if node.base == base {
                *mem -= node.heap_bytes();
                // SAFETY: as above; the node is unlinked here and its children were replaced by `link`.
                unsafe {
                    *place = link;
                    drop(Box::from_raw(raw));
                }
                return;
            }
            let index = node.index(hash);
            place = &raw mut node.links[index];
        }
    }
}

impl<T: Item> Drop for SegTable<T> {
    fn drop(&mut self) {
        // The bytes were counted by whoever holds the counter; here only the memory goes.
        let mut mem = usize::MAX / 2;
        while !self.is_empty() {
            self.free_segment(&mut mem, drop);
        }
    }
}

/// An item in place, found by [`SegTable::find_mut`].
pub struct Occupied<'a, T: Item> {
    table: &'a mut SegTable<T>,
    segment: Seg<T>,
    index: usize,
    hash: u64,
}

impl<'a, T: Item> Occupied<'a, T> {
    /// Views it.
    #[inline]
    pub fn get(&self) -> T::Ref<'_> {
        self.segment.view(self.index)
    }

    /// Views it for as long as the table is borrowed.
    #[inline]
    pub fn into_ref(self) -> T::Ref<'a>
    where
        T: 'a,
    {
        self.segment.view(self.index)
    }

    /// Views its value for changing it where it lies.
    pub fn get_mut(&mut self) -> T::Mut<'_> {
        // SAFETY: the table, and with it every view of its items, is borrowed exclusively through self.
        unsafe { T::borrow_mut(self.segment.item(self.index)) }
    }

    /// Runs `change` on the owned item, which may move to another allocation (its key must stay the same).
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        struct Restore<T: Item> {
            segment: Seg<T>,
            index: usize,
            item: Option<T>,
        }
        impl<T: Item> Drop for Restore<T> {
            fn drop(&mut self) {
                if let Some(item) = self.item.take() {
                    self.segment.set_item(self.index, item.into_ptr());
                }
            }
        }
        // SAFETY: the pointer in the segment is overwritten by `Restore` before anyone else can see it, also when
        // `change` unwinds; the table is borrowed exclusively meanwhile.
        let item = unsafe { T::from_ptr(self.segment.item(self.index)) };
        let mut restore = Restore { segment: self.segment, index: self.index, item: Some(item) };
        match restore.item.as_mut() {
            Some(item) => change(item),
            None => unreachable!("set one line above"),
        }
    }

    /// Marks it with an expiry time, or unmarks it.
    pub fn set_expire(&mut self, expire_ms: Option<u64>) {
        self.segment.set_mark(self.index, expire_ms.is_some());
        if let Some(ms) = expire_ms
            && ms < self.segment.min_expire()
        {
            self.segment.set_min_expire(ms);
        }
    }

    /// Takes it out; the table may shrink.
    pub fn remove(self, mem: &mut usize) -> T {
        let pointer = self.segment.swap_remove(self.index);
        self.table.settle(self.hash, mem);
        // SAFETY: out of the table now: ours alone.
        unsafe { T::from_ptr(pointer) }
    }
}
