//! Entries of a stream in a range of IDs, one way or the other.
//!
//! Made by `Stream::range`, read by the read commands, digest and savers; calls `node` and `encoding::tree`. Invariant: yields live entries only, in
//! order. Bounds: finding the start costs the path to a node and that node; a step costs one entry (and deleted ones beside it).
use super::id::StreamId;
use super::node::{Fields, Node, Place, Walk};
use crate::types::encoding::tree::{Cursor, Tree};

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Its ID.
    pub id: StreamId,
    /// Its fields and values in order.
    pub fields: Fields<'a>,
}

/// See the module's text.
pub struct Entries<'a> {
    nodes: &'a Tree<Node>,
    at: Option<Cursor>,
    walk: Option<Walk<'a>>,
    start: StreamId,
    end: StreamId,
    back: bool,
}

impl<'a> Entries<'a> {
    pub(super) fn new(nodes: &'a Tree<Node>, start: StreamId, end: StreamId, back: bool) -> Self {
        let target = if back { end } else { start };
        let at = nodes.seek(|probe| *probe.sep > target).filter(|_| start <= end);
        let mut entries = Self { nodes, at, walk: None, start, end, back };
        entries.open();
        entries
    }

    fn open(&mut self) {
        let node = self.at.as_ref().and_then(|at| self.nodes.leaf(at));
        self.walk = node.map(|node| if self.back { node.walk_back() } else { node.walk() });
    }

    /// The next place in range; None at the end.
    fn step(&mut self) -> Option<(&'a Node, Place)> {
        loop {
            let walk = self.walk.as_mut()?;
            let Some(place) = walk.next_live() else {
                let at = self.at.as_mut()?;
                let more = if self.back { self.nodes.prev(at) } else { self.nodes.next(at) };
                if !more {
                    self.walk = None;
                    return None;
                }
                self.open();
                continue;
            };
            let (before, beyond) = match self.back {
                false => (place.id < self.start, place.id > self.end),
                true => (place.id > self.end, place.id < self.start),
            };
            if beyond {
                self.walk = None;
                return None;
            }
            if !before {
                return Some((walk.node, place));
            }
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let (node, place) = self.step()?;
        Some(Entry { id: place.id, fields: node.fields(&place) })
    }
}
