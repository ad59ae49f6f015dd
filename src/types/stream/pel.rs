//! `IdTree`: records ordered by their stream ID in chunks, for pending entries lists (a group's and its consumers').
//!
//! Used by `group`; calls `encoding::tree`. Invariant: chunks are never empty, records ascend, `heap_bytes` is exact. Bounds: a call costs a chunk of
//! [`CHUNK`] records and the path to it; a pin copies one chunk per write; [`IdTree::free_step`] frees a chunk. Why not a `BTreeMap`: a list of a million
//! entries could be neither pinned, nor freed in steps, nor counted.
use super::id::StreamId;
use crate::base::memory::good_size;
use crate::types::encoding::tree::{Cursor, Leaf, Tree};

/// Most records of a chunk.
const CHUNK: usize = 64;

/// A record that has an ID.
pub trait Keyed: Clone {
    /// Its ID.
    fn id(&self) -> StreamId;
}

impl Keyed for StreamId {
    fn id(&self) -> StreamId {
        *self
    }
}

/// A message delivered and not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The message.
    pub id: StreamId,
    /// When it was delivered last, unix ms.
    pub delivery_ms: i64,
    /// How often it was delivered.
    pub delivery_count: u64,
    /// To whom (a consumer's number in its group).
    pub consumer: u32,
}

impl Keyed for Pending {
    fn id(&self) -> StreamId {
        self.id
    }
}

#[derive(Clone)]
struct Chunk<T: Keyed>(Vec<T>);

impl<T: Keyed> Leaf for Chunk<T> {
    type Sep = StreamId;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn heap_bytes(&self) -> usize {
        if self.0.capacity() == 0 { 0 } else { good_size(self.0.capacity() * size_of::<T>()) }
    }

    fn sep(&self) -> StreamId {
        self.0.first().map_or(StreamId::MIN, Keyed::id)
    }
}

impl<T: Keyed> Chunk<T> {
    fn search(&self, id: StreamId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, Keyed::id)
    }

    fn insert(&mut self, at: usize, record: T) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact((self.0.len() / 2).clamp(1, CHUNK / 4));
        }
        self.0.insert(at, record);
    }

    fn remove(&mut self, at: usize) -> T {
        let record = self.0.remove(at);
        if self.0.len() < self.0.capacity() / 2 {
            self.0.shrink_to_fit();
        }
        record
    }
}

/// See the module's text.
#[derive(Clone)]
pub struct IdTree<T: Keyed> {
    chunks: Tree<Chunk<T>>,
}

impl<T: Keyed> Default for IdTree<T> {
    fn default() -> Self {
        Self { chunks: Tree::default() }
    }
}

impl<T: Keyed> IdTree<T> {
    /// Records.
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Bytes the allocator holds.
    pub fn heap_bytes(&self) -> usize {
        self.chunks.heap_bytes()
    }

    fn seek(&self, id: StreamId) -> Option<Cursor> {
        self.chunks.seek(|probe| *probe.sep > id)
    }

    fn find(&self, id: StreamId) -> Option<(Cursor, usize)> {
        let cursor = self.seek(id)?;
        let at = self.chunks.leaf(&cursor)?.search(id).ok()?;
        Some((cursor, at))
    }

    /// The record of this ID.
    pub fn get(&self, id: StreamId) -> Option<&T> {
        let (cursor, at) = self.find(id)?;
        self.chunks.leaf(&cursor)?.0.get(at)
    }

    /// Changes the record of this ID (not its ID); None if there is none.
    pub fn edit<R>(&mut self, id: StreamId, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let (cursor, at) = self.find(id)?;
        self.chunks.edit(&cursor, |chunk| chunk.0.get_mut(at).map(change))?
    }

    /// Adds a record; false (and nothing done) if its ID is there.
    pub fn insert(&mut self, record: T) -> bool {
        let id = record.id();
        let Some(cursor) = self.seek(id) else {
            self.chunks.push_back(Chunk(vec![record]));
            return true;
        };
        let Some((at, len)) = self.chunks.leaf(&cursor).map(|chunk| (chunk.search(id), chunk.0.len())) else {
            return false;
        };
        let Err(at) = at else { return false };
        if len < CHUNK {
            self.chunks.edit(&cursor, |chunk| chunk.insert(at, record));
            return true;
        }
        // A full chunk: growth at the end begins a new one, elsewhere the upper half moves out.
        let mut right = Chunk(Vec::new());
        if at < len {
            let middle = len / 2;
            self.chunks.edit(&cursor, |chunk| {
                right.0 = chunk.0.split_off(middle);
                chunk.0.shrink_to_fit();
                if at <= middle {
                    chunk.insert(at, record);
                } else {
                    right.insert(at - middle, record);
                }
            });
        } else {
            right.insert(0, record);
        }
        self.chunks.insert_after(&cursor, right);
        true
    }

    /// Takes the record of this ID out.
    pub fn remove(&mut self, id: StreamId) -> Option<T> {
        let (cursor, at) = self.find(id)?;
        let last_one = self.chunks.leaf(&cursor)?.0.len() == 1;
        if last_one {
            return self.chunks.remove(&cursor)?.0.pop();
        }
        self.chunks.edit(&cursor, |chunk| chunk.remove(at))
    }

    /// Records from `start` on.
    pub fn range(&self, start: StreamId) -> impl Iterator<Item = &T> {
        let mut cursor = self.seek(start);
        let mut chunk: &[T] =
            cursor.as_ref().and_then(|at| self.chunks.leaf(at)).map_or(&[], |chunk| &chunk.0);
        let skip = chunk.partition_point(|record| record.id() < start);
        chunk = &chunk[skip..];
        std::iter::from_fn(move || {
            if chunk.is_empty() {
                let at = cursor.as_mut()?;
                if !self.chunks.next(at) {
                    cursor = None;
                    return None;
                }
                chunk = &self.chunks.leaf(at)?.0;
            }
            let (first, rest) = chunk.split_first()?;
            chunk = rest;
            Some(first)
        })
    }

    /// The record with the smallest ID.
    pub fn first(&self) -> Option<&T> {
        self.chunks.leaf(&self.chunks.first()?)?.0.first()
    }

    /// The record with the largest ID.
    pub fn last(&self) -> Option<&T> {
        self.chunks.leaf(&self.chunks.last()?)?.0.last()
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.0.iter())
    }

    /// Frees a chunk; true when nothing is left.
    pub fn free_step(&mut self) -> bool {
        self.chunks.free_step()
    }

    /// A copy that shares nothing, to go to another shard.
    pub fn deep_copy(&self) -> Self {
        let mut copy = Self::default();
        self.chunks.iter().for_each(|chunk| copy.chunks.push_back(chunk.clone()));
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use std::collections::BTreeSet;

    #[test]
    fn behaves_like_an_ordered_set() {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(3);
        println!("SEED={seed}");
        let mut prng = Prng::new(seed);
        let (mut tree, mut model) = (IdTree::<StreamId>::default(), BTreeSet::new());
        for step in 0..20_000 {
            let grow = step < 12_000;
            let id = StreamId { ms: prng.below(2000), seq: prng.below(4) };
            if prng.below(10) < if grow { 7 } else { 3 } {
                assert_eq!(tree.insert(id), model.insert(id));
            } else {
                assert_eq!(tree.remove(id).is_some(), model.remove(&id));
            }
            assert_eq!(tree.len(), model.len());
            assert_eq!((tree.first(), tree.last()), (model.first(), model.last()));
            if step % 500 == 0 {
                assert!(tree.iter().eq(model.iter()));
                assert!(tree.range(id).eq(model.range(id..)));
            }
        }
        while !tree.free_step() {}
        assert_eq!(tree.heap_bytes(), 0);
    }
}
