//! A large sorted set: a table from member to score, and an order tree of runs.
//!
//! Used only by `zset`; calls `seg_table`, `tree`, `run`, `member`. Both sides hold the same [`Member`] blocks. Invariant: table and tree hold the same
//! members with equal scores; `bytes` counts the member blocks and the table, `tree.heap_bytes()` the rest. Ranks come from the tree's counts.
//! Bounds: every change costs one segment, one run and a path of the tree (beside a pin: copies of run and path), whatever the size.
//! Why not redis' skip list: a node per element costs some 45 bytes more and a cache miss per step, and cannot be pinned in one piece.
use super::member::Member;
use super::range::{LexRange, ScoreRange};
use super::run::{MAX, Run, SPARSE, Slot};
use crate::base::prng::Prng;
use crate::base::siphash::key_hash;
use crate::types::encoding::seg_table::SegTable;
use crate::types::encoding::tree::{Cursor, Leaf, Tree};
use std::cmp::Ordering;

/// See the module's text.
#[derive(Default)]
pub struct Big {
    members: SegTable<Member>,
    order: Tree<Run>,
    bytes: usize,
    changed: bool,
}

impl Big {
    /// Number of members.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Bytes the allocator holds for everything in it.
    pub fn heap_bytes(&self) -> usize {
        self.bytes + self.order.heap_bytes()
    }

    /// The order as it is now, without the table: for walks; later writes copy what they touch. Must stay in the shard.
    pub fn pin(&self) -> Self {
        Self { order: self.order.pin(), ..Self::default() }
    }

    /// Reads and clears the mark that something changed.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The score of `member`.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        Some(self.members.find(key_hash(member), |own| own.text == member)?.score)
    }

    /// The run that holds or would hold (score, text).
    fn seek(&self, score: f64, text: &[u8]) -> Option<Cursor> {
        self.order.seek(|probe| match probe.sep.partial_cmp(&score) {
            Some(Ordering::Less) => false,
            Some(Ordering::Greater) => true,
            _ => probe.first_leaf().slots().first().is_some_and(|slot| slot.member.text() > text),
        })
    }

    /// The number of members before `member`, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        let cursor = self.seek(score, member)?;
        let index = self.order.leaf(&cursor)?.find(score, member).ok()?;
        Some((self.order.rank_of(&cursor) + index, score))
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, text: &[u8], score: f64) {
        self.changed = true;
        let member = Member::new(text, score);
        self.bytes += member.heap_bytes();
        self.members.insert(key_hash(text), member.clone(), None, &mut self.bytes);
        self.link(Slot { score, member });
    }

    /// Of members in any order; None if one comes twice. Those in ascending order fill run after run without a search.
    pub fn from_stored<'m>(members: impl Iterator<Item = (&'m [u8], f64)>) -> Option<Self> {
        let mut big = Self::default();
        let mut run: Vec<Slot> = Vec::with_capacity(MAX);
        let mut rest = Vec::new();
        for (text, score) in members {
            let hash = key_hash(text);
            if big.members.find(hash, |own| own.text == text).is_some() {
                return None;
            }
            let member = Member::new(text, score);
            big.bytes += member.heap_bytes();
            big.members.insert(hash, member.clone(), None, &mut big.bytes);
            let slot = Slot { score, member };
            if run.last().is_some_and(|last| last.order(score, text) != Ordering::Less) {
                rest.push(slot);
                continue;
            }
            if run.len() == MAX {
                let full = std::mem::replace(&mut run, Vec::with_capacity(MAX));
                big.order.push_back(Run::of(full));
            }
            run.push(slot);
        }
        if !run.is_empty() {
            big.order.push_back(Run::of(run));
        }
        rest.into_iter().for_each(|slot| big.link(slot));
        Some(big)
    }

    /// Puts a slot into the order.
    fn link(&mut self, slot: Slot) {
        let Some(cursor) = self.seek(slot.score, slot.member.text()) else {
            let mut run = Run::default();
            run.insert(0, slot);
            return self.order.push_back(run);
        };
        let Some(run) = self.order.leaf(&cursor) else { return };
        let index = run.find(slot.score, slot.member.text()).unwrap_or_else(|index| index);
        if run.count() < MAX {
            self.order.edit(&cursor, |run| run.insert(index, slot));
            return;
        }
        // A full run at which elements are appended stays full: ascending scores leave no half-empty runs.
        if index == MAX {
            let mut right = Run::default();
            right.insert(0, slot);
            return self.order.insert_after(&cursor, right);
        }
        let right = self.order.edit(&cursor, |run| {
            let mut right = run.split_off(MAX / 2);
            if index > MAX / 2 {
                right.insert(index - MAX / 2, slot);
            } else {
                run.insert(index, slot);
            }
            right
        });
        if let Some(right) = right {
            self.order.insert_after(&cursor, right);
        }
    }

    /// Takes (score, text) out of the order.
    fn unlink(&mut self, score: f64, text: &[u8]) -> Option<Slot> {
        let cursor = self.seek(score, text)?;
        let index = self.order.leaf(&cursor)?.find(score, text).ok()?;
        let slot = self.order.edit(&cursor, |run| run.remove(index))?;
        self.settle(&cursor);
        Some(slot)
    }

    /// After removals from the run at `cursor`: drops it if empty, joins it with a neighbour if both are small.
    fn settle(&mut self, cursor: &Cursor) {
        let Some(count) = self.order.leaf(cursor).map(Leaf::count) else { return };
        if count == 0 {
            self.order.remove(cursor);
            return;
        }
        if count >= SPARSE {
            return;
        }
        let fits =
            |beside: &Cursor| self.order.leaf(beside).is_some_and(|run| run.count() + count <= MAX / 2);
        let (mut next, mut prev) = (cursor.clone(), cursor.clone());
        let (left, right) = if self.order.next(&mut next) && fits(&next) {
            (cursor.clone(), next)
        } else if self.order.prev(&mut prev) && fits(&prev) {
            (prev, cursor.clone())
        } else {
            return;
        };
        // The left run first, while both cursors hold; then the right one goes.
        let Some(more) = self.order.leaf(&right).cloned() else { return };
        self.order.edit(&left, |run| run.join(more));
        self.order.remove(&right);
    }

    /// Changes the score of a member that is there with another one.
    pub fn change(&mut self, text: &[u8], old: f64, score: f64) {
        self.changed = true;
        if let Some(mut found) = self.members.find_mut(key_hash(text), |own| own.text == text) {
            found.update(|own| own.set_score(score));
        }
        let Some(cursor) = self.seek(old, text) else { return };
        let Some(run) = self.order.leaf(&cursor) else { return };
        let Ok(index) = run.find(old, text) else { return };
        // Still between its neighbours in the run: only the score changes.
        let slots = run.slots();
        let after = index > 0 && slots[index - 1].order(score, text) == Ordering::Less;
        let before = index + 1 < slots.len() && slots[index + 1].order(score, text) == Ordering::Greater;
        if after && before {
            self.order.edit(&cursor, |run| run.set_score(index, score));
            return;
        }
        if let Some(slot) = self.order.edit(&cursor, |run| run.remove(index)) {
            self.settle(&cursor);
            self.link(Slot { score, member: slot.member });
        }
    }

    /// Removes a member; true if it was there.
    pub fn remove(&mut self, text: &[u8]) -> bool {
        let Some(score) = self.forget(text) else { return false };
        self.unlink(score, text);
        true
    }

    /// Takes a member out of the table; its score.
    fn forget(&mut self, text: &[u8]) -> Option<f64> {
        let found = self.members.find_mut(key_hash(text), |own| own.text == text)?;
        let score = found.get().score;
        let member = found.remove(&mut self.bytes);
        self.changed = true;
        self.bytes -= member.heap_bytes();
        Some(score)
    }

    /// Removes the members of ranks `from..to`, which exist.
    pub fn remove_span(&mut self, from: usize, to: usize) {
        if to - from == 1 {
            return self.remove_rank(from);
        }
        let mut left = to - from;
        while left > 0 {
            let Some((cursor, index)) = self.order.seek_rank(from) else { return };
            let Some(count) = self.order.leaf(&cursor).map(Leaf::count) else { return };
            let end = count.min(index + left);
            let Some(gone) = self.order.edit(&cursor, |run| run.drain(index, end)) else { return };
            left -= gone.len();
            for slot in &gone {
                self.forget(slot.member.text());
            }
            self.settle(&cursor);
        }
    }

    /// Removes the member of `rank` (ZPOPMIN, ZPOPMAX).
    fn remove_rank(&mut self, rank: usize) {
        let Some((cursor, index)) = self.order.seek_rank(rank) else { return };
        let Some((slot, count)) = self.order.edit(&cursor, |run| (run.remove(index), run.count())) else {
            return;
        };
        self.forget(slot.member.text());
        if count < SPARSE {
            self.settle(&cursor);
        } else if let Some(run) = self.order.leaf(&cursor) {
            self.look_ahead(run.slots(), index);
        }
    }

    /// Pops mostly follow each other: fetches what the next one will touch, the member after it first.
    fn look_ahead(&self, slots: &[Slot], index: usize) {
        let (next, after) = if index == 0 { (0, 1) } else { (index - 1, index.saturating_sub(2)) };
        if let Some(slot) = slots.get(after) {
            slot.member.prefetch();
        }
        if let Some(slot) = slots.get(next) {
            self.members.prefetch(key_hash(slot.member.text()));
        }
    }

    /// How many members come before the first for which `is_within` holds (false, then true, along the order).
    fn rank_by(
        &self,
        mut is_within: impl FnMut(&Slot) -> bool,
        mut decides: impl FnMut(f64) -> Option<bool>,
    ) -> usize {
        let cursor = self.order.seek(|probe| match decides(*probe.sep) {
            Some(within) => within,
            None => probe.first_leaf().slots().first().is_some_and(&mut is_within),
        });
        let Some(cursor) = cursor else { return 0 };
        let Some(run) = self.order.leaf(&cursor) else { return 0 };
        self.order.rank_of(&cursor) + run.slots().partition_point(|slot| !is_within(slot))
    }

    /// The ranks (from, to) of the members with scores in `range`.
    pub fn score_span(&self, range: &ScoreRange) -> (usize, usize) {
        let from = self.rank_by(|slot| range.reaches(slot.score), |score| Some(range.reaches(score)));
        let to = self.rank_by(|slot| !range.covers(slot.score), |score| Some(!range.covers(score)));
        (from, to.max(from))
    }

    /// The ranks (from, to) of the members with texts in `range`, all scores being equal.
    pub fn lex_span(&self, range: &LexRange<'_>) -> (usize, usize) {
        let from = self.rank_by(|slot| range.reaches(slot.member.text()), |_| None);
        let to = self.rank_by(|slot| !range.covers(slot.member.text()), |_| None);
        (from, to.max(from))
    }

    /// The members of ranks `from..to` in order, or from the last to the first.
    pub fn walk(&self, from: usize, to: usize, reverse: bool) -> Walk<'_> {
        let to = to.min(self.len());
        let left = to.saturating_sub(from);
        let start = if left == 0 { None } else { self.order.seek_rank(if reverse { to - 1 } else { from }) };
        let Some((cursor, index)) = start else {
            return Walk { order: &self.order, cursor: Cursor::default(), slots: &[], left: 0, reverse };
        };
        let slots = self.order.leaf(&cursor).map_or(&[][..], Run::slots);
        let slots = if reverse { &slots[..=index] } else { &slots[index..] };
        Walk { order: &self.order, cursor, slots, left, reverse }
    }

    /// A uniformly chosen member.
    pub fn random(&self, prng: &mut Prng) -> Option<(&[u8], f64)> {
        let own = self.members.random(prng)?;
        Some((own.text, own.score))
    }

    /// ZSCAN, see `SegTable::scan`.
    pub fn scan<'a>(
        &'a self,
        position: u64,
        want: usize,
        mut visit: impl FnMut(&'a [u8], f64),
    ) -> Option<u64> {
        self.members.scan(position, want, |own| visit(own.text, own.score))
    }

    /// Frees a run or a segment; true when nothing is left.
    pub fn free_step(&mut self) -> bool {
        if !self.order.is_empty() {
            self.order.free_step();
            return false;
        }
        let mut freed = 0;
        self.members.free_segment(&mut self.bytes, |own| freed += own.heap_bytes());
        self.bytes -= freed;
        self.members.is_empty()
    }

    /// Recounts (tests): both sides agree and bytes are exact.
    pub fn is_consistent(&self) -> bool {
        let blocks: usize =
            self.members.iter().map(|own| crate::base::memory::good_size(16 + own.text.len())).sum();
        let table = self.members.iter().count();
        let sorted = self.order.iter().flat_map(Run::slots).try_fold(None::<&Slot>, |before, slot| {
            let text = slot.member.text();
            let follows = before.is_none_or(|before| before.order(slot.score, text) == Ordering::Less);
            (follows && self.score(text) == Some(slot.score)).then_some(Some(slot))
        });
        let runs = self.order.iter().all(|run| (1..=MAX).contains(&run.count()));
        blocks + self.members.count_bytes() == self.bytes && table == self.len() && sorted.is_some() && runs
    }
}

/// See [`Big::walk`].
pub struct Walk<'a> {
    order: &'a Tree<Run>,
    cursor: Cursor,
    slots: &'a [Slot],
    left: usize,
    reverse: bool,
}

impl<'a> Iterator for Walk<'a> {
    type Item = (&'a [u8], f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.slots.is_empty() {
            let moved = if self.reverse {
                self.order.prev(&mut self.cursor)
            } else {
                self.order.next(&mut self.cursor)
            };
            self.slots = if moved { self.order.leaf(&self.cursor)?.slots() } else { return None };
        }
        let (slot, rest) = if self.reverse { self.slots.split_last()? } else { self.slots.split_first()? };
        self.slots = rest;
        Some((slot.member.text(), slot.score))
    }
}
