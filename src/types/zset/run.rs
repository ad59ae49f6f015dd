//! A run: up to [`MAX`] members of a large sorted set in order, one leaf of its order tree.
//!
//! Used only by `zset::big`. Invariant: sorted by score, then by text bytewise, as redis sorts. Bounds: 16 bytes an element, one
//! memory move of at most 2 KB per change; the array grows and shrinks by the allocator's size classes, so that little of it is empty.
//! Why scores beside the pointers: a search touches member texts only among equal scores.
use super::member::Member;
use crate::base::memory::good_size;
use crate::types::encoding::tree::Leaf;
use std::cmp::Ordering;

/// Most elements of a run.
pub const MAX: usize = 128;
/// A run of fewer looks for a neighbour to join.
pub const SPARSE: usize = MAX / 4;

/// One element.
#[derive(Clone)]
pub struct Slot {
    /// Its score when it was put here.
    pub score: f64,
    /// The member.
    pub member: Member,
}

/// See the module's text.
#[derive(Clone, Default)]
pub struct Run {
    slots: Vec<Slot>,
}

impl Slot {
    /// Its place relative to (score, text).
    #[inline]
    pub fn order(&self, score: f64, text: &[u8]) -> Ordering {
        match self.score.partial_cmp(&score) {
            Some(Ordering::Equal) | None => self.member.text().cmp(text),
            Some(unequal) => unequal,
        }
    }
}

impl Run {
    /// A run of these elements, already sorted.
    pub fn of(mut slots: Vec<Slot>) -> Self {
        slots.shrink_to(capacity_for(slots.len()));
        Self { slots }
    }

    /// The elements in order.
    #[inline]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Where (score, text) is (`Ok`) or belongs (`Err`).
    #[inline]
    pub fn find(&self, score: f64, text: &[u8]) -> Result<usize, usize> {
        self.slots.binary_search_by(|slot| slot.order(score, text))
    }

    /// Puts an element at `index`; there must be room.
    pub fn insert(&mut self, index: usize, slot: Slot) {
        let len = self.slots.len();
        if len == self.slots.capacity() {
            self.slots.reserve_exact(capacity_for(len + 1) - len);
        }
        self.slots.insert(index, slot);
    }

    /// Takes the element at `index` out.
    pub fn remove(&mut self, index: usize) -> Slot {
        let slot = self.slots.remove(index);
        self.trim();
        slot
    }

    /// Takes elements `from..to` out.
    pub fn drain(&mut self, from: usize, to: usize) -> Vec<Slot> {
        let gone = self.slots.drain(from..to).collect();
        self.trim();
        gone
    }

    /// Cuts off the elements from `index` on.
    pub fn split_off(&mut self, index: usize) -> Self {
        let right = Self::of(self.slots.split_off(index));
        self.trim();
        right
    }

    /// Appends the elements of the run after this one.
    pub fn join(&mut self, right: Self) {
        let len = self.slots.len() + right.slots.len();
        if len > self.slots.capacity() {
            self.slots.reserve_exact(capacity_for(len) - self.slots.len());
        }
        self.slots.extend(right.slots);
    }

    /// Sets the score of the element at `index`, whose place stays.
    pub fn set_score(&mut self, index: usize, score: f64) {
        self.slots[index].score = score;
    }

    /// Gives memory back when a third of it would do with room to spare (so that no size flaps).
    fn trim(&mut self) {
        let len = self.slots.len();
        if capacity_for(len + len / 4 + 1) < self.slots.capacity() {
            self.slots.shrink_to(capacity_for(len + 1));
        }
    }
}

/// The capacity that fills the size class of `len` elements.
fn capacity_for(len: usize) -> usize {
    (good_size(len.max(4) * size_of::<Slot>()) / size_of::<Slot>()).max(len)
}

impl Leaf for Run {
    type Sep = f64;

    fn count(&self) -> usize {
        self.slots.len()
    }

    fn heap_bytes(&self) -> usize {
        good_size(self.slots.capacity() * size_of::<Slot>())
    }

    fn sep(&self) -> f64 {
        self.slots.first().map_or(f64::INFINITY, |slot| slot.score)
    }
}
