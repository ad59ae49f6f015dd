//! `Tree`: a sequence of chunks (leaves) as a copy-on-write B+tree that knows the number of elements below every node.
//!
//! Used by the large forms of list (by position), zset (by score and rank) and stream (by ID); calls `shared`. What a leaf is, and
//! when it is split or merged, is its type's business ([`Leaf`]); the tree keeps the directory:
//! ```text
//! Tree -> Inner [ {elements below, lower bound, child} … up to FAN ] -> … -> Leaf   all leaves at the same depth
//! ```
//! A position among the leaves is a [`Cursor`]: the path of child indexes; it is valid until leaves are inserted or removed.
//! Invariants: no empty inner node; `count` and `sep` of a child are those of its subtree; `len`, `leaves` and `bytes` are exact.
//! Bounds: every call costs O(FAN · height), height <= 6 for 10^9 leaves; a write beside a pin copies the leaf and its path. [`Tree::pin`] costs one
//! count. Why not a skip list: nodes of one element cannot be pinned together, and cost a pointer chase each.
//! Length: the steps of insertion and removal share the invariant of the sums, which has to be checked in one sitting.
use super::shared::Shared;
use crate::base::memory::good_size;
use smallvec::SmallVec;

/// Most children of an inner node.
const FAN: usize = 64;
/// Neighbours are joined when together they have at most this many children.
const JOIN: usize = FAN / 2;

/// A chunk of elements.
pub trait Leaf: Clone {
    /// Lower bound of a leaf's elements, kept in the directory (`()` where only positions count).
    type Sep: Clone;
    /// Elements in it.
    fn count(&self) -> usize;
    /// Bytes the allocator holds for it beyond its own struct.
    fn heap_bytes(&self) -> usize;
    /// Its lower bound.
    fn sep(&self) -> Self::Sep;
}

#[derive(Clone)]
enum Node<L: Leaf> {
    Leaf(L),
    Inner(Vec<Child<L>>),
}

#[derive(Clone)]
struct Child<L: Leaf> {
    count: usize,
    sep: L::Sep,
    node: Shared<Node<L>>,
}

/// The path to a leaf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor(SmallVec<[u8; 8]>);

/// A subtree as [`Tree::seek`] shows it.
pub struct Probe<'a, L: Leaf> {
    /// Its lower bound.
    pub sep: &'a L::Sep,
    node: &'a Shared<Node<L>>,
}

impl<'a, L: Leaf> Probe<'a, L> {
    /// Its first leaf, for bounds that `sep` alone does not decide.
    pub fn first_leaf(&self) -> &'a L {
        let mut node = self.node.get();
        loop {
            match node {
                Node::Leaf(leaf) => return leaf,
                Node::Inner(children) => node = children[0].node.get(),
            }
        }
    }
}

/// See the module's text.
#[derive(Clone)]
pub struct Tree<L: Leaf> {
    root: Option<Shared<Node<L>>>,
    len: usize,
    leaves: usize,
    bytes: usize,
}

impl<L: Leaf> Default for Tree<L> {
    fn default() -> Self {
        Self { root: None, len: 0, leaves: 0, bytes: 0 }
    }
}

impl<L: Leaf> Node<L> {
    /// Bytes of this node alone.
    fn own_bytes(&self) -> usize {
        good_size(Shared::<Self>::BYTES)
            + match self {
                Node::Leaf(leaf) => leaf.heap_bytes(),
                Node::Inner(children) => good_size(children.capacity() * size_of::<Child<L>>()),
            }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.count(),
            Node::Inner(children) => children.iter().map(|child| child.count).sum(),
        }
    }

    fn sep(&self) -> L::Sep {
        match self {
            Node::Leaf(leaf) => leaf.sep(),
            Node::Inner(children) => children[0].sep.clone(),
        }
    }
}

impl<L: Leaf> Child<L> {
    fn new(node: Node<L>) -> Self {
        Self { count: node.count(), sep: node.sep(), node: Shared::new(node) }
    }

    /// Brings `count` and `sep` up to date after a change below.
    fn refresh(&mut self) {
        self.count = self.node.get().count();
        self.sep = self.node.get().sep();
    }
}

/// Where a new leaf goes.
#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

impl<L: Leaf> Tree<L> {
    /// Elements in all leaves.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Number of leaves.
    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// Bytes the allocator holds for everything reachable (shared with pins or not).
    pub fn heap_bytes(&self) -> usize {
        self.bytes
    }

    /// The same tree at this instant, sharing every node: later writes copy what they touch. Must stay in the shard (see `shared`).
    pub fn pin(&self) -> Self {
        self.clone()
    }

    /// The leaf at `cursor`.
    pub fn leaf(&self, cursor: &Cursor) -> Option<&L> {
        let mut node = self.root.as_ref()?.get();
        for &index in &cursor.0 {
            let Node::Inner(children) = node else { return None };
            node = children.get(index as usize)?.node.get();
        }
        match node {
            Node::Leaf(leaf) => Some(leaf),
            Node::Inner(_) => None,
        }
    }

    fn descend(&self, mut pick: impl FnMut(&[Child<L>]) -> usize) -> Option<Cursor> {
        let mut cursor = Cursor::default();
        let mut node = self.root.as_ref()?.get();
        while let Node::Inner(children) = node {
            let index = pick(children);
            cursor.0.push(index as u8);
            node = children[index].node.get();
        }
        Some(cursor)
    }

    /// The first leaf.
    pub fn first(&self) -> Option<Cursor> {
        self.descend(|_| 0)
    }

    /// The last leaf.
    pub fn last(&self) -> Option<Cursor> {
        self.descend(|children| children.len() - 1)
    }

    /// The leaf with element `rank` (from 0), and the element's index in it.
    pub fn seek_rank(&self, rank: usize) -> Option<(Cursor, usize)> {
        if rank >= self.len {
            return None;
        }
        let mut left = rank;
        let cursor = self.descend(|children| {
            let mut index = 0;
            while index + 1 < children.len() && left >= children[index].count {
                left -= children[index].count;
                index += 1;
            }
            index
        })?;
        Some((cursor, left))
    }

    /// The last leaf whose lower bound is not beyond the target, or the first leaf. `is_beyond` must be false, then true, along the leaves.
    pub fn seek(&self, mut is_beyond: impl FnMut(Probe<'_, L>) -> bool) -> Option<Cursor> {
        self.descend(|children| {
            let beyond = |child: &Child<L>| !is_beyond(Probe { sep: &child.sep, node: &child.node });
            children[1..].partition_point(beyond)
        })
    }

    /// Elements before the leaf at `cursor`.
    pub fn rank_of(&self, cursor: &Cursor) -> usize {
        let Some(root) = &self.root else { return 0 };
        let (mut node, mut rank) = (root.get(), 0);
        for &index in &cursor.0 {
            let Node::Inner(children) = node else { return rank };
            rank += children[..index as usize].iter().map(|child| child.count).sum::<usize>();
            node = children[index as usize].node.get();
        }
        rank
    }

    /// Moves to the next leaf; false (and unmoved) at the last.
    pub fn next(&self, cursor: &mut Cursor) -> bool {
        self.step(cursor, true)
    }

    /// Moves to the previous leaf; false (and unmoved) at the first.
    pub fn prev(&self, cursor: &mut Cursor) -> bool {
        self.step(cursor, false)
    }

    fn step(&self, cursor: &mut Cursor, forward: bool) -> bool {
        let Some(root) = &self.root else { return false };
        let mut node = root.get();
        // The deepest level at which there is room to move, and what is below it.
        let mut turn = None;
        for (level, &index) in cursor.0.iter().enumerate() {
            let Node::Inner(children) = node else { return false };
            let index = index as usize;
            let beside = if forward { index + 1 } else { index.wrapping_sub(1) };
            if let Some(child) = children.get(beside) {
                turn = Some((level, beside, child));
            }
            node = children[index].node.get();
        }
        let Some((level, beside, child)) = turn else { return false };
        cursor.0.truncate(level);
        cursor.0.push(beside as u8);
        let mut node = child.node.get();
        while let Node::Inner(children) = node {
            let index = if forward { 0 } else { children.len() - 1 };
            cursor.0.push(index as u8);
            node = children[index].node.get();
        }
        true
    }

    /// Leaves in order.
    pub fn iter(&self) -> Iter<'_, L> {
        let mut iter = Iter { stack: SmallVec::new(), single: None };
        match self.root.as_ref().map(Shared::get) {
            None => {}
            Some(Node::Leaf(leaf)) => iter.single = Some(leaf),
            Some(Node::Inner(children)) => iter.stack.push(children.iter()),
        }
        iter
    }

    /// Changes the leaf at `cursor` (its own copy, beside a pin). None if there is no such leaf. A leaf left empty must be
    /// removed by the caller.
    pub fn edit<R>(&mut self, cursor: &Cursor, change: impl FnOnce(&mut L) -> R) -> Option<R> {
        let root = self.root.as_mut()?;
        let mut delta = Delta::default();
        let result = edit_at(root, &cursor.0, change, &mut delta)?;
        self.len = self.len.wrapping_add_signed(delta.count);
        self.bytes = self.bytes.wrapping_add_signed(delta.bytes);
        Some(result)
    }

    /// Adds a leaf at the end.
    pub fn push_back(&mut self, leaf: L) {
        match self.last() {
            Some(cursor) => self.insert(&cursor, leaf, Side::After),
            None => self.plant(leaf),
        }
    }

    /// Adds a leaf at the front.
    pub fn push_front(&mut self, leaf: L) {
        match self.first() {
            Some(cursor) => self.insert(&cursor, leaf, Side::Before),
            None => self.plant(leaf),
        }
    }

    /// Adds a leaf right after the one at `cursor`. Cursors are void afterwards.
    pub fn insert_after(&mut self, cursor: &Cursor, leaf: L) {
        self.insert(cursor, leaf, Side::After);
    }

    /// Adds a leaf right before the one at `cursor`. Cursors are void afterwards.
    pub fn insert_before(&mut self, cursor: &Cursor, leaf: L) {
        self.insert(cursor, leaf, Side::Before);
    }

    fn plant(&mut self, leaf: L) {
        let node = Node::Leaf(leaf);
        (self.len, self.leaves, self.bytes) = (node.count(), 1, node.own_bytes());
        self.root = Some(Shared::new(node));
    }

    fn insert(&mut self, cursor: &Cursor, leaf: L, side: Side) {
        let Some(root) = self.root.as_mut() else { return self.plant(leaf) };
        let mut bytes = 0;
        self.len += leaf.count();
        self.leaves += 1;
        let split = insert_at(root, &cursor.0, leaf, side, &mut bytes);
        if let Some(right) = split {
            let left = root.clone();
            let left = Child { count: left.get().count(), sep: left.get().sep(), node: left };
            let node = Node::Inner(vec![left, right]);
            bytes += node.own_bytes() as isize;
            *root = Shared::new(node);
        }
        self.bytes = self.bytes.wrapping_add_signed(bytes);
    }

    /// Takes the leaf at `cursor` out. Cursors are void afterwards.
    pub fn remove(&mut self, cursor: &Cursor) -> Option<L> {
        self.leaf(cursor)?;
        let root = self.root.as_mut()?;
        let mut bytes = 0;
        let leaf = if cursor.0.is_empty() {
            bytes -= root.get().own_bytes() as isize;
            match self.root.take()?.into_inner() {
                Node::Leaf(leaf) => leaf,
                Node::Inner(_) => return None,
            }
        } else {
            let leaf = remove_at(root, &cursor.0, &mut bytes)?;
            self.shrink_root(&mut bytes);
            leaf
        };
        self.len -= leaf.count();
        self.leaves -= 1;
        self.bytes = self.bytes.wrapping_add_signed(bytes);
        Some(leaf)
    }

    /// A root with one child gives way to it; one without any goes.
    fn shrink_root(&mut self, bytes: &mut isize) {
        while let Some(root) = &self.root
            && let Node::Inner(children) = root.get()
            && children.len() <= 1
        {
            *bytes -= root.get().own_bytes() as isize;
            let only = children.first().map(|child| child.node.clone());
            self.root = only;
        }
    }

    /// Frees the last leaf; true when nothing is left. Nodes that a pin still holds cost nothing.
    pub fn free_step(&mut self) -> bool {
        let is_pinned = self.root.as_ref().is_none_or(Shared::is_shared);
        match self.last() {
            Some(cursor) if !is_pinned => {
                self.remove(&cursor);
            }
            _ => *self = Self::default(),
        }
        self.is_empty()
    }
}

/// What an edit did to the sums above.
#[derive(Default)]
struct Delta {
    count: isize,
    bytes: isize,
}

fn edit_at<L: Leaf, R>(
    node: &mut Shared<Node<L>>,
    path: &[u8],
    change: impl FnOnce(&mut L) -> R,
    delta: &mut Delta,
) -> Option<R> {
    let before = node.get().own_bytes() as isize;
    let result = match (node.make_mut(), path.split_first()) {
        (Node::Leaf(leaf), None) => {
            let count = leaf.count() as isize;
            let result = change(leaf);
            delta.count = leaf.count() as isize - count;
            result
        }
        (Node::Inner(children), Some((&index, rest))) => {
            let child = children.get_mut(index as usize)?;
            let result = edit_at(&mut child.node, rest, change, delta)?;
            child.count = child.count.wrapping_add_signed(delta.count);
            child.sep = child.node.get().sep();
            result
        }
        _ => return None,
    };
    delta.bytes += node.get().own_bytes() as isize - before;
    Some(result)
}

/// Inserts beside the leaf at `path`; a node that overflows gives its right part back.
fn insert_at<L: Leaf>(
    node: &mut Shared<Node<L>>,
    path: &[u8],
    leaf: L,
    side: Side,
    bytes: &mut isize,
) -> Option<Child<L>> {
    let Some((&index, rest)) = path.split_first() else {
        // A root that is a leaf: the caller makes an inner node of the two.
        let fresh = Node::Leaf(leaf);
        *bytes += fresh.own_bytes() as isize;
        if matches!(side, Side::After) {
            return Some(Child::new(fresh));
        }
        let old = std::mem::replace(node, Shared::new(fresh));
        return Some(Child { count: old.get().count(), sep: old.get().sep(), node: old });
    };
    let index = index as usize;
    let before = node.get().own_bytes() as isize;
    let Node::Inner(children) = node.make_mut() else { return None };
    let split = insert_at(&mut children[index].node, rest, leaf, side, bytes);
    children[index].refresh();
    let mut overflow = None;
    if let Some(right) = split {
        let at = index + 1;
        children.insert(at, right);
        if children.len() > FAN {
            // Growth at an end leaves full nodes behind.
            let middle = if at + 1 == children.len() {
                at
            } else if index == 0 {
                1
            } else {
                children.len() / 2
            };
            let right = Node::Inner(children.split_off(middle));
            *bytes += right.own_bytes() as isize;
            overflow = Some(Child::new(right));
        }
    }
    *bytes += node.get().own_bytes() as isize - before;
    overflow
}

/// Takes the leaf at `path` (not empty) out; the caller drops a child that became empty, joins one that became small.
fn remove_at<L: Leaf>(node: &mut Shared<Node<L>>, path: &[u8], bytes: &mut isize) -> Option<L> {
    let (&index, rest) = path.split_first()?;
    let index = index as usize;
    let before = node.get().own_bytes() as isize;
    let Node::Inner(children) = node.make_mut() else { return None };
    let leaf = if rest.is_empty() {
        let child = children.remove(index);
        *bytes -= child.node.get().own_bytes() as isize;
        match child.node.into_inner() {
            Node::Leaf(leaf) => leaf,
            Node::Inner(_) => return None,
        }
    } else {
        let leaf = remove_at(&mut children[index].node, rest, bytes)?;
        match children[index].node.get() {
            Node::Inner(below) if below.is_empty() => {
                let gone = children.remove(index);
                *bytes -= gone.node.get().own_bytes() as isize;
            }
            _ => {
                children[index].refresh();
                join_around(children, index, bytes);
            }
        }
        leaf
    };
    *bytes += node.get().own_bytes() as isize - before;
    Some(leaf)
}

fn width<L: Leaf>(child: &Child<L>) -> usize {
    match child.node.get() {
        Node::Inner(children) => children.len(),
        Node::Leaf(_) => FAN,
    }
}

/// Joins the inner node at `index` with a neighbour if both are small.
fn join_around<L: Leaf>(children: &mut Vec<Child<L>>, index: usize, bytes: &mut isize) {
    let fits =
        |at: usize| children.get(at + 1).is_some_and(|right| width(&children[at]) + width(right) <= JOIN);
    let left = match index {
        _ if fits(index) => index,
        1.. if fits(index - 1) => index - 1,
        _ => return,
    };
    let right = children.remove(left + 1);
    *bytes -= right.node.get().own_bytes() as isize + children[left].node.get().own_bytes() as isize;
    if let (Node::Inner(into), Node::Inner(more)) = (children[left].node.make_mut(), right.node.into_inner())
    {
        into.extend(more);
    }
    *bytes += children[left].node.get().own_bytes() as isize;
    children[left].refresh();
}

/// See [`Tree::iter`].
pub struct Iter<'a, L: Leaf> {
    stack: SmallVec<[std::slice::Iter<'a, Child<L>>; 6]>,
    single: Option<&'a L>,
}

impl<'a, L: Leaf> Iterator for Iter<'a, L> {
    type Item = &'a L;

    fn next(&mut self) -> Option<&'a L> {
        if let Some(leaf) = self.single.take() {
            return Some(leaf);
        }
        loop {
            match self.stack.last_mut()?.next() {
                None => {
                    self.stack.pop();
                }
                Some(child) => match child.node.get() {
                    Node::Leaf(leaf) => return Some(leaf),
                    Node::Inner(children) => self.stack.push(children.iter()),
                },
            }
        }
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
