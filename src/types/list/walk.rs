//! Walking a list from any position in either direction.
//!
//! Used by the list commands, SORT, digest and savers. Invariant: a walk borrows the list, so nothing moves under it. Bounds: starting costs
//! O(log n + one chunk), a step O(1). Why one type for both directions: LPOS and LREM choose at run time.
use super::{HUGE, Item, List, Piece, Repr};
use crate::types::encoding::chunk::Entries;
use crate::types::encoding::packed::Packed;
use crate::types::encoding::tree::{Cursor, Tree};
use bytes::Bytes;

/// See the module's text.
pub struct Walk<'a> {
    entries: Entries<'a>,
    huge: Option<&'a Bytes>,
    rest: Option<(&'a Tree<Piece>, Cursor)>,
    backwards: bool,
}

impl List {
    /// Elements from `index` on.
    pub fn walk(&self, index: usize) -> Walk<'_> {
        self.walk_from(index, false)
    }

    /// Elements from `index` towards the head, that one first.
    pub fn walk_back(&self, index: usize) -> Walk<'_> {
        self.walk_from(index, true)
    }

    fn walk_from(&self, index: usize, backwards: bool) -> Walk<'_> {
        let mut walk = Walk { entries: Entries::default(), huge: None, rest: None, backwards };
        match &self.repr {
            Repr::Small(chunk) if index >= chunk.count() => {}
            Repr::Small(chunk) if backwards => walk.entries = chunk.entries_to(index + 1),
            Repr::Small(chunk) => walk.entries = chunk.entries_from(index),
            Repr::Large(tree) => {
                let Some((cursor, index)) = tree.seek_rank(index) else { return walk };
                match tree.leaf(&cursor) {
                    Some(Piece::Run(chunk)) if backwards => walk.entries = chunk.entries_to(index + 1),
                    Some(Piece::Run(chunk)) => walk.entries = chunk.entries_from(index),
                    Some(Piece::Huge(bytes)) => walk.huge = Some(bytes),
                    None => {}
                }
                walk.rest = Some((tree, cursor));
            }
        }
        walk
    }
}

/// A stretch of a list as it lies in memory, for savers.
pub enum Stretch<'a> {
    /// Listpack entries, without header and terminator, and how many they are.
    Run(&'a [u8], usize),
    /// One huge element.
    Huge(&'a Bytes),
}

impl List {
    /// The stretch that begins with element `index` (0, or that plus the elements of the stretch before); None at the end.
    pub fn stretch(&self, index: usize) -> Option<Stretch<'_>> {
        let chunk = match &self.repr {
            Repr::Small(chunk) if index == 0 && !chunk.is_empty() => chunk,
            Repr::Small(_) => return None,
            Repr::Large(tree) => match tree.leaf(&tree.seek_rank(index)?.0)? {
                Piece::Run(chunk) => chunk,
                Piece::Huge(bytes) => return Some(Stretch::Huge(bytes)),
            },
        };
        Some(Stretch::Run(chunk.bytes(), chunk.count()))
    }
}

impl List {
    /// Index of the first element equal to `text` at or behind `from`.
    pub fn position(&self, text: &[u8], from: usize) -> Option<usize> {
        let needle = (text.len() < HUGE).then(|| Packed::new(text));
        let mut walk = self.walk(from);
        let mut index = from;
        loop {
            if walk.next_equals(needle.as_ref(), text)? {
                return Some(index);
            }
            index += 1;
        }
    }

    /// Indexes of elements equal to `text`, from the head or the tail, of which at most `most` elements are looked at.
    pub fn positions<'a>(
        &'a self,
        text: &'a [u8],
        backwards: bool,
        most: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        let len = self.len();
        let needle = (text.len() < HUGE).then(|| Packed::new(text));
        let mut walk = if backwards { self.walk_back(len.wrapping_sub(1)) } else { self.walk(0) };
        let equal = (0..len.min(most)).map_while(move |_| walk.next_equals(needle.as_ref(), text));
        let index_of = move |at: usize| if backwards { len - 1 - at } else { at };
        equal.enumerate().filter(|(_, equal)| *equal).map(move |(at, _)| index_of(at))
    }
}

impl<'a> Walk<'a> {
    /// Whether the next element is `text`, packed as `needle` if it is not huge; None at the end.
    #[inline]
    fn next_equals(&mut self, needle: Option<&Packed<'_>>, text: &[u8]) -> Option<bool> {
        loop {
            let body = if self.backwards { self.entries.previous_body() } else { self.entries.next_body() };
            if let Some(body) = body {
                return Some(needle.is_some_and(|needle| needle.is_body(body)));
            }
            if let Some(bytes) = self.huge.take() {
                return Some(bytes == text);
            }
            if !self.turn() {
                return None;
            }
        }
    }

    /// Goes on to the next leaf; false at the end.
    #[cold]
    fn turn(&mut self) -> bool {
        let Some((tree, cursor)) = &mut self.rest else { return false };
        let moved = if self.backwards { tree.prev(cursor) } else { tree.next(cursor) };
        if !moved {
            return false;
        }
        match tree.leaf(cursor) {
            Some(Piece::Run(chunk)) => self.entries = chunk.entries(),
            Some(Piece::Huge(bytes)) => self.huge = Some(bytes),
            None => return false,
        }
        true
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let element = if self.backwards { self.entries.next_back() } else { self.entries.next() };
            if let Some(element) = element {
                return Some(Item::Packed(element));
            }
            if let Some(bytes) = self.huge.take() {
                return Some(Item::Huge(bytes));
            }
            if !self.turn() {
                return None;
            }
        }
    }
}
