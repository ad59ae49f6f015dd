//! Changes in the middle of a list: LSET, LINSERT, LREM.
//!
//! Called by the list commands. Invariant: as `list`; every leaf beside a removal is joined with a neighbour when both are small.
//! Bounds: O(log n + one chunk) per element changed; LREM costs its search.
use super::{End, HUGE, Leaf, List, ListLimits, NewItem, PACK_FRAME, Piece, Repr, fits, leaf_of};
use crate::types::encoding::chunk::Chunk;
use crate::types::encoding::packed::Packed;
use crate::types::encoding::tree::{Cursor, Tree};

impl List {
    /// Replaces the element at `index`; false if there is none.
    pub fn set(&mut self, index: usize, item: NewItem<'_>, limits: &ListLimits) -> bool {
        if index >= self.len() {
            return false;
        }
        self.changed = true;
        if item.text().len() < HUGE && self.replace(index, &Packed::new(item.text()), limits) {
            return true;
        }
        self.insert(index, item, limits);
        self.remove(index + 1, limits);
        true
    }

    /// Replaces an entry where it lies, if the chunk has room.
    fn replace(&mut self, index: usize, entry: &Packed<'_>, limits: &ListLimits) -> bool {
        let room =
            |chunk: &Chunk| chunk.count() == 1 || chunk.len() + entry.len() + PACK_FRAME <= limits.max_bytes;
        let put = |chunk: &mut Chunk, index: usize| {
            let at = chunk.offset_of(index);
            chunk.replace(at, entry);
        };
        let tree = match &mut self.repr {
            Repr::Small(chunk) if room(chunk) => {
                put(chunk, index);
                return true;
            }
            Repr::Small(_) => return false,
            Repr::Large(tree) => tree,
        };
        let Some((cursor, index)) = tree.seek_rank(index) else { return false };
        if !matches!(tree.leaf(&cursor), Some(Piece::Run(chunk)) if room(chunk)) {
            return false;
        }
        let done = tree.edit(&cursor, |leaf| match leaf {
            Piece::Run(chunk) => put(chunk, index),
            Piece::Huge(_) => {}
        });
        done.is_some()
    }

    /// Puts an element before the one at `index` (at the end, if it is the length).
    pub fn insert(&mut self, index: usize, item: NewItem<'_>, limits: &ListLimits) {
        self.changed = true;
        if index >= self.len() {
            return self.push(End::Right, item, limits);
        }
        if item.text().len() >= HUGE {
            let tree = self.make_tree();
            cut(tree, index);
            return insert_leaf(tree, index, Piece::Huge(item.into_bytes()));
        }
        let entry = Packed::new(item.text());
        if let Repr::Small(chunk) = &mut self.repr
            && fits(chunk, entry.len(), limits)
        {
            let at = chunk.offset_of(index);
            return chunk.insert(at, &entry);
        }
        insert_entry(self.make_tree(), index, &entry, limits);
    }

    /// Takes the element at `index` out.
    fn remove(&mut self, index: usize, limits: &ListLimits) {
        match &mut self.repr {
            Repr::Small(chunk) => {
                let at = chunk.offset_of(index);
                chunk.remove(at);
            }
            Repr::Large(tree) => {
                let Some((cursor, index)) = tree.seek_rank(index) else { return };
                match tree.leaf(&cursor) {
                    Some(Piece::Run(chunk)) if chunk.count() > 1 => {
                        let at = chunk.offset_of(index);
                        tree.edit(&cursor, |leaf| {
                            if let Piece::Run(chunk) = leaf {
                                chunk.remove(at);
                            }
                        });
                        join(tree, cursor, limits);
                    }
                    _ => {
                        tree.remove(&cursor);
                    }
                }
            }
        }
        self.settle();
    }

    /// LREM: takes elements equal to `text` out, the first `count` from the head, or the last from the tail if
    /// `backwards`; returns how many went.
    pub fn remove_equal(&mut self, text: &[u8], count: usize, backwards: bool, limits: &ListLimits) -> usize {
        let entry = (text.len() < HUGE).then(|| Packed::new(text));
        let tree = match (&mut self.repr, &entry) {
            (Repr::Small(chunk), Some(entry)) => {
                let gone = remove_in(chunk, entry, count, backwards);
                self.changed |= gone > 0;
                return gone;
            }
            (Repr::Small(_), None) => return 0,
            (Repr::Large(tree), _) => tree,
        };
        // The leaf that holds element `at` (going back: `at - 1`) is next. It may begin with elements already looked at, after
        // a join: they are all different.
        let (mut at, mut left) = (if backwards { tree.len() } else { 0 }, count);
        while left > 0
            && let Some((cursor, within)) = tree.seek_rank(if backwards { at.wrapping_sub(1) } else { at })
        {
            let start = if backwards { at - 1 - within } else { at - within };
            let held = tree.leaf(&cursor).map_or(0, Leaf::count);
            let gone = remove_in_leaf(tree, &cursor, text, entry.as_ref(), left, backwards);
            left -= gone;
            if gone > 0 && gone < held {
                join(tree, cursor, limits);
            }
            at = if backwards { start } else { start + held - gone };
        }
        self.changed |= left < count;
        self.settle();
        count - left
    }
}

/// Takes equal entries of one chunk out.
fn remove_in(chunk: &mut Chunk, entry: &Packed<'_>, count: usize, backwards: bool) -> usize {
    let found = count_equal(chunk, entry);
    if found == 0 {
        return 0;
    }
    let skipped = if backwards { found.saturating_sub(count) } else { 0 };
    chunk.remove_equal(entry, skipped, count)
}

fn count_equal(chunk: &Chunk, entry: &Packed<'_>) -> usize {
    let mut entries = chunk.entries();
    let mut found = 0;
    while let Some(body) = entries.next_body() {
        found += usize::from(entry.is_body(body));
    }
    found
}

/// Takes equal elements of one leaf out; a leaf without any is not touched, one that becomes empty goes.
fn remove_in_leaf(
    tree: &mut Tree<Piece>,
    cursor: &Cursor,
    text: &[u8],
    entry: Option<&Packed<'_>>,
    count: usize,
    backwards: bool,
) -> usize {
    let found = match (tree.leaf(cursor), entry) {
        (Some(Piece::Run(chunk)), Some(entry)) => count_equal(chunk, entry),
        (Some(Piece::Huge(bytes)), None) => usize::from(bytes == text),
        _ => 0,
    };
    let held = tree.leaf(cursor).map_or(0, Leaf::count);
    if found.min(count) == held {
        tree.remove(cursor);
        return held;
    }
    let (true, Some(entry)) = (found > 0, entry) else { return 0 };
    let gone = tree.edit(cursor, |leaf| match leaf {
        Piece::Run(chunk) => remove_in(chunk, entry, count, backwards),
        Piece::Huge(_) => 0,
    });
    gone.unwrap_or(0)
}

/// Makes `index` the beginning of a leaf.
fn cut(tree: &mut Tree<Piece>, index: usize) {
    let Some((cursor, within)) = tree.seek_rank(index) else { return };
    if within > 0 {
        split(tree, &cursor, within);
    }
}

/// Cuts a leaf of a run before its entry `within`.
fn split(tree: &mut Tree<Piece>, cursor: &Cursor, within: usize) {
    let right = tree.edit(cursor, |leaf| match leaf {
        Piece::Run(chunk) => {
            let at = chunk.offset_of(within);
            Some(chunk.split_off(at))
        }
        Piece::Huge(_) => None,
    });
    if let Some(Some(right)) = right {
        tree.insert_after(cursor, Piece::Run(right));
    }
}

/// Puts a leaf where a leaf begins.
fn insert_leaf(tree: &mut Tree<Piece>, index: usize, leaf: Piece) {
    match tree.seek_rank(index) {
        Some((cursor, _)) => tree.insert_before(&cursor, leaf),
        None => tree.push_back(leaf),
    }
}

fn insert_entry(tree: &mut Tree<Piece>, index: usize, entry: &Packed<'_>, limits: &ListLimits) {
    let takes = |tree: &Tree<Piece>, cursor: &Cursor| matches!(tree.leaf(cursor), Some(Piece::Run(chunk)) if fits(chunk, entry.len(), limits));
    let insert_in = |tree: &mut Tree<Piece>, cursor: &Cursor, within: usize| {
        tree.edit(cursor, |leaf| {
            if let Piece::Run(chunk) = leaf {
                let at = chunk.offset_of(within);
                chunk.insert(at, entry);
            }
        });
    };
    // Halves have room for an entry that is not large itself.
    for _ in 0..2 {
        let Some((mut cursor, within)) = tree.seek_rank(index) else { break };
        if takes(tree, &cursor) {
            return insert_in(tree, &cursor, within);
        }
        let held = tree.leaf(&cursor).map_or(0, Leaf::count);
        if within == 0 && tree.prev(&mut cursor) && takes(tree, &cursor) {
            let end = tree.leaf(&cursor).map_or(0, Leaf::count);
            return insert_in(tree, &cursor, end);
        }
        if held < 2 || limits.max_count < 2 || entry.len() * 2 > limits.max_bytes {
            break;
        }
        let Some((cursor, _)) = tree.seek_rank(index) else { break };
        split(tree, &cursor, held / 2);
    }
    cut(tree, index);
    insert_leaf(tree, index, leaf_of(entry));
}

/// Joins the leaf at `cursor` with a neighbour if together they fill at most half a chunk.
fn join(tree: &mut Tree<Piece>, cursor: Cursor, limits: &ListLimits) {
    let mut right = cursor.clone();
    let mut left = cursor.clone();
    let pairs = [
        tree.next(&mut right).then_some((cursor.clone(), right)),
        tree.prev(&mut left).then_some((left, cursor)),
    ];
    for (left, right) in pairs.into_iter().flatten() {
        let (Some(Piece::Run(head)), Some(Piece::Run(tail))) = (tree.leaf(&left), tree.leaf(&right)) else {
            continue;
        };
        let small = (head.len() + tail.len()) * 2 <= limits.max_bytes
            && (head.count() + tail.count()).saturating_mul(2) <= limits.max_count;
        if !small {
            continue;
        }
        let rank = tree.rank_of(&left);
        let Some(Piece::Run(tail)) = tree.remove(&right) else { return };
        let Some((left, _)) = tree.seek_rank(rank) else { return };
        tree.edit(&left, |leaf| {
            if let Piece::Run(chunk) = leaf {
                chunk.append(&tail);
            }
        });
        return;
    }
}
