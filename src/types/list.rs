//! The list value: one [`Chunk`] while small, then a [`Tree`] of chunks; elements of 16 KB and more are leaves of their own.
//!
//! Called by the list commands (through `keyspace`), digest and savers; middle edits are in `edit`, walking in `walk`. Invariants: a tree has at
//! least two leaves or one huge element, no empty leaf; `changed` is set by every method that really changed something. Bounds: ends cost
//! amortised O(1), anything in the middle O(log n + one chunk); a chunk holds what list-max-listpack-size says. list-compress-depth is accepted and
//! has no effect: LZF would cost every access of the middle more CPU than the memory is worth.
//! Why not redis' linked list of nodes: a position would cost a walk, and a snapshot could not pin it.
use crate::base::memory::good_size;
use crate::types::collection::Collection;
use crate::types::element::Element;
use crate::types::encoding::chunk::Chunk;
use crate::types::encoding::listpack::ListPack;
use crate::types::encoding::packed::Packed;
use crate::types::encoding::tree::{Cursor, Leaf, Tree};
use bytes::Bytes;

mod edit;
#[cfg(test)]
mod tests;
mod walk;

pub use walk::{Stretch, Walk};

/// Elements from this size on are kept as a buffer of their own (shared with the one they came in), bytes.
pub const HUGE: usize = 16 * 1024;
/// Bytes of a listpack's header and end, which redis counts.
const PACK_FRAME: usize = 7;
/// Leaves freed in one step.
const FREED_PER_STEP: usize = 64;

/// list-max-listpack-size, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct ListLimits {
    /// Most bytes of a chunk.
    pub max_bytes: usize,
    /// Most entries of a chunk.
    pub max_count: usize,
}

impl ListLimits {
    /// Of the directive's value: entries, or -1 … -5 for 4 … 64 KB.
    pub fn of(size: i32) -> Self {
        if size < 0 {
            let level = size.unsigned_abs().min(5);
            return Self { max_bytes: 2048 << level, max_count: usize::MAX };
        }
        Self { max_bytes: 8192, max_count: size.clamp(1, i32::from(i16::MAX)) as usize }
    }
}

/// One of the ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The head, LEFT.
    Left,
    /// The tail, RIGHT.
    Right,
}

/// An element to be stored.
#[derive(Clone)]
pub enum NewItem<'a> {
    /// Copied.
    Text(&'a [u8]),
    /// Shared if it is huge.
    Shared(Bytes),
}

impl NewItem<'_> {
    /// The bytes.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Shared(bytes) => bytes,
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => Bytes::copy_from_slice(text),
            Self::Shared(bytes) => bytes,
        }
    }
}

/// An element as it lies in the list.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// In a chunk.
    Packed(Element<'a>),
    /// A buffer of its own.
    Huge(&'a Bytes),
}

impl<'a> Item<'a> {
    /// The plain view.
    pub fn element(self) -> Element<'a> {
        match self {
            Self::Packed(element) => element,
            Self::Huge(bytes) => Element::Bytes(bytes),
        }
    }

    /// As something to be stored in another list.
    pub fn to_new(self) -> NewItem<'static> {
        NewItem::Shared(match self {
            Self::Packed(element) => element.to_bytes().into_owned().into(),
            Self::Huge(bytes) => bytes.clone(),
        })
    }
}

/// A leaf of a large list.
#[derive(Clone)]
enum Piece {
    Run(Chunk),
    Huge(Bytes),
}

impl Leaf for Piece {
    type Sep = ();

    #[inline]
    fn count(&self) -> usize {
        match self {
            Self::Run(chunk) => chunk.count(),
            Self::Huge(_) => 1,
        }
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Run(chunk) => chunk.heap_bytes(),
            Self::Huge(bytes) => good_size(bytes.len()),
        }
    }

    fn sep(&self) {}
}

enum Repr {
    Small(Chunk),
    Large(Box<Tree<Piece>>),
}

/// See the module's text.
pub struct List {
    repr: Repr,
    changed: bool,
}

impl Default for List {
    fn default() -> Self {
        Self { repr: Repr::Small(Chunk::default()), changed: false }
    }
}

impl Clone for List {
    fn clone(&self) -> Self {
        let repr = match &self.repr {
            Repr::Small(chunk) => Repr::Small(chunk.clone()),
            Repr::Large(tree) => {
                // Leaf by leaf, not as a pin: the copy may live on another core.
                let mut copy = Box::<Tree<Piece>>::default();
                tree.iter().for_each(|leaf| copy.push_back(leaf.clone()));
                Repr::Large(copy)
            }
        };
        Self { repr, changed: false }
    }
}

/// Whether a chunk takes `more` bytes as one more entry.
#[inline]
fn fits(chunk: &Chunk, more: usize, limits: &ListLimits) -> bool {
    chunk.is_empty()
        || (chunk.len() + more + PACK_FRAME <= limits.max_bytes && chunk.count() < limits.max_count)
}

#[inline]
fn push_entry(chunk: &mut Chunk, end: End, entry: &Packed<'_>) {
    match end {
        End::Left => chunk.push_front(entry),
        End::Right => chunk.push_back(entry),
    }
}

fn leaf_of(entry: &Packed<'_>) -> Piece {
    let mut chunk = Chunk::default();
    chunk.push_back(entry);
    Piece::Run(chunk)
}

impl List {
    /// The list as it is now, without copying a large one: later changes copy the chunk they touch. It must stay in the same shard.
    pub fn pin(&self) -> Self {
        let repr = match &self.repr {
            Repr::Small(chunk) => Repr::Small(chunk.clone()),
            Repr::Large(tree) => Repr::Large(Box::new(tree.pin())),
        };
        Self { repr, changed: false }
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Small(chunk) => chunk.count(),
            Repr::Large(tree) => tree.len(),
        }
    }

    /// Whether there are no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Chunks and huge elements it consists of (DEBUG OBJECT's ql_nodes).
    pub fn nodes(&self) -> usize {
        match &self.repr {
            Repr::Small(chunk) => usize::from(!chunk.is_empty()),
            Repr::Large(tree) => tree.leaves(),
        }
    }

    /// Bytes of all nodes as listpacks (DEBUG OBJECT's ql_uncompressed_size). Costs the nodes.
    pub fn packed_bytes(&self) -> usize {
        let of = |leaf: &Piece| match leaf {
            Piece::Run(chunk) => chunk.len() + PACK_FRAME,
            Piece::Huge(bytes) => bytes.len(),
        };
        match &self.repr {
            Repr::Small(chunk) => chunk.len() + PACK_FRAME,
            Repr::Large(tree) => tree.iter().map(of).sum(),
        }
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, item: NewItem<'_>, limits: &ListLimits) {
        self.changed = true;
        if item.text().len() >= HUGE {
            return self.push_leaf(end, Piece::Huge(item.into_bytes()));
        }
        let entry = Packed::new(item.text());
        if let Repr::Small(chunk) = &mut self.repr
            && fits(chunk, entry.len(), limits)
        {
            return push_entry(chunk, end, &entry);
        }
        let tree = self.make_tree();
        let cursor = end_of(tree, end);
        let open = |cursor: &Cursor| matches!(tree.leaf(cursor), Some(Piece::Run(chunk)) if fits(chunk, entry.len(), limits));
        match cursor.filter(open) {
            Some(cursor) => {
                tree.edit(&cursor, |leaf| {
                    if let Piece::Run(chunk) = leaf {
                        push_entry(chunk, end, &entry);
                    }
                });
            }
            None => self.push_leaf(end, leaf_of(&entry)),
        }
    }

    /// Adds a listpack's elements at the tail, as they lie where the limits allow (LIST_QUICKLIST_2).
    pub fn push_pack(&mut self, stored: &ListPack, limits: &ListLimits) {
        self.changed = true;
        let is_fitting = stored.as_bytes().len() <= limits.max_bytes && stored.len() <= limits.max_count;
        match Chunk::from_listpack(stored).filter(|_| is_fitting && stored.as_bytes().len() < HUGE) {
            Some(chunk) if chunk.is_empty() => {}
            Some(chunk) if self.is_empty() => self.repr = Repr::Small(chunk),
            Some(chunk) => self.push_leaf(End::Right, Piece::Run(chunk)),
            None => {
                stored.iter().for_each(|item| self.push(End::Right, NewItem::Text(&item.to_bytes()), limits))
            }
        }
    }

    fn push_leaf(&mut self, end: End, leaf: Piece) {
        let tree = self.make_tree();
        match end {
            End::Left => tree.push_front(leaf),
            End::Right => tree.push_back(leaf),
        }
    }

    /// The tree, made from a small list's chunk if need be.
    fn make_tree(&mut self) -> &mut Tree<Piece> {
        if let Repr::Small(chunk) = &mut self.repr {
            let chunk = std::mem::take(chunk);
            let mut tree = Box::<Tree<Piece>>::default();
            if !chunk.is_empty() {
                tree.push_back(Piece::Run(chunk));
            }
            self.repr = Repr::Large(tree);
        }
        match &mut self.repr {
            Repr::Large(tree) => tree,
            Repr::Small(_) => unreachable!("made large above"),
        }
    }

    /// A tree that one chunk can replace is replaced by it.
    fn settle(&mut self) {
        let Repr::Large(tree) = &mut self.repr else { return };
        let chunk = match (tree.leaves(), tree.first()) {
            (0, _) => Chunk::default(),
            (1, Some(cursor)) if matches!(tree.leaf(&cursor), Some(Piece::Run(_))) => {
                match tree.remove(&cursor) {
                    Some(Piece::Run(chunk)) => chunk,
                    _ => return,
                }
            }
            _ => return,
        };
        self.repr = Repr::Small(chunk);
    }

    /// The element at an end.
    pub fn at_end(&self, end: End) -> Option<Item<'_>> {
        match end {
            End::Left => self.walk(0).next(),
            End::Right => self.walk_back(self.len().checked_sub(1)?).next(),
        }
    }

    /// The element at `index`, from 0.
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        self.walk(index).next()
    }

    /// Drops `count` elements (at most all) from an end.
    pub fn drop_from(&mut self, end: End, count: usize) {
        self.changed |= count > 0 && !self.is_empty();
        let tree = match &mut self.repr {
            Repr::Small(chunk) => return drop_entries(chunk, end, count),
            Repr::Large(tree) => tree,
        };
        let mut left = count;
        while left > 0
            && let Some(cursor) = end_of(tree, end)
        {
            let held = tree.leaf(&cursor).map_or(0, Leaf::count);
            if held <= left {
                tree.remove(&cursor);
                left -= held;
                continue;
            }
            tree.edit(&cursor, |leaf| {
                if let Piece::Run(chunk) = leaf {
                    drop_entries(chunk, end, left);
                }
            });
            break;
        }
        self.settle();
    }

    /// Counts as changed (LTRIM touches WATCHers even if nothing goes).
    pub fn touch(&mut self) {
        self.changed = true;
    }

    /// The index redis means by `index` (negative: from the end), unclamped.
    pub fn index_of(&self, index: i64) -> Option<usize> {
        let index = if index < 0 { (self.len() as i64).checked_add(index)? } else { index };
        usize::try_from(index).ok().filter(|&index| index < self.len())
    }
}

fn drop_entries(chunk: &mut Chunk, end: End, count: usize) {
    match end {
        End::Left => chunk.drop_front(count),
        End::Right => chunk.drop_back(count),
    }
}

fn end_of(tree: &Tree<Piece>, end: End) -> Option<Cursor> {
    match end {
        End::Left => tree.first(),
        End::Right => tree.last(),
    }
}

impl Collection for List {
    fn heap_bytes(&self) -> usize {
        match &self.repr {
            Repr::Small(chunk) => chunk.heap_bytes(),
            Repr::Large(tree) => good_size(size_of::<Tree<Piece>>()) + tree.heap_bytes(),
        }
    }

    fn own_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn is_heavy(&self) -> bool {
        self.nodes() > FREED_PER_STEP
    }

    fn free_step(&mut self) -> bool {
        let Repr::Large(tree) = &mut self.repr else { return true };
        (0..FREED_PER_STEP).any(|_| tree.free_step())
    }

    fn encoding(&self) -> &'static str {
        "quicklist"
    }
}
