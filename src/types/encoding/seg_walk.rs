//! Walks over a `SegTable`: scanning by position, iterating, fair sampling, removing what is due, freeing in steps.
//!
//! Used by the keyspace's SCAN, eviction, expiry and trash, and by hashes; works on the directory that `seg_table` keeps.
//! Invariant: a position is a hash prefix, so every walk survives growth and shrinking between its calls; `free_segment`
//! leaves a table that may only be freed further, and only lets go of what a pin holds too. Bounds: each call handles one segment, except `iter` and `count_bytes`.
use super::seg_table::{Link, Node, Place, SegTable, after};
use super::segment::{Item, MAX_LEN, NEVER, Seg, WORD_HASH_BITS};
use crate::base::prng::Prng;

/// What [`SegTable::drain_due`] did to one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainStep {
    /// Where the next segment begins; None after the last.
    pub next: Option<u64>,
    /// The lower bound of expiry times left in this segment.
    pub min_expire: u64,
}

impl<T: Item> SegTable<T> {
    /// Walks on from `position` (0 = start): hands out about `want` items (all of one hash prefix) and returns the
    /// next position, None at the end. Positions are multiples of 2^16.
    pub fn scan<'a>(&'a self, position: u64, want: usize, mut visit: impl FnMut(T::Ref<'a>)) -> Option<u64> {
        let segment = self.locate(position)?;
        let len = segment.len();
        let mut depth = segment.depth();
        while depth < WORD_HASH_BITS && len >> (depth - segment.depth()) > want.max(1) {
            depth += 1;
        }
        // Below WORD_HASH_BITS only what lies in [position, next): what is before was returned, also after a merge.
        let low = position >> (64 - WORD_HASH_BITS);
        let high = after(position, depth).map_or(1 << WORD_HASH_BITS, |next| next >> (64 - WORD_HASH_BITS));
        let all = depth > WORD_HASH_BITS;
        for index in 0..len {
            if all || (low..high).contains(&segment.hash_top(index)) {
                visit(segment.view(index));
            }
        }
        after(position, depth)
    }

    /// An iterator over all items in order of segments.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { table: self, next: Some(0), segment: None, index: 0 }
    }

    /// A uniformly chosen item.
    pub fn random(&self, prng: &mut Prng) -> Option<T::Ref<'_>> {
        let deepest = match self.root.open::<T>() {
            Place::Empty => return None,
            Place::Segment(segment) => {
                return Some(segment.view(prng.below(segment.len() as u64) as usize));
            }
            // SAFETY: a live node of this table.
            Place::Node(node) => u32::from(unsafe { (*node).max_depth }),
        };
        let mut fallback = None;
        for _ in 0..4096 {
            let segment = self.locate(prng.next_u64())?;
            let index = prng.below(segment.len().max(MAX_LEN) as u64) as usize;
            if index >= segment.len() {
                continue;
            }
            fallback = Some(segment.view(index));
            // A segment of depth d is met with probability 2^-d: thin out the shallow ones.
            if prng.next_u64().leading_zeros() >= deepest.saturating_sub(segment.depth()) {
                return fallback;
            }
        }
        fallback.or_else(|| self.iter().next())
    }

    /// Up to `count` random picks from one random segment (at most an eighth of it, at least one), only marked ones if
    /// `marked_only`; returns how many.
    pub fn sample(
        &self,
        prng: &mut Prng,
        count: usize,
        marked_only: bool,
        mut visit: impl FnMut(T::Ref<'_>),
    ) -> usize {
        let Some(segment) = self.locate(prng.next_u64()) else { return 0 };
        let len = segment.len();
        if len == 0 {
            return 0;
        }
        let count = count.min(len / 8 + 1);
        if !marked_only {
            (0..count).for_each(|_| visit(segment.view(prng.below(len as u64) as usize)));
            return count;
        }
        let first = prng.below(len as u64) as usize;
        let marked = (first..len).chain(0..first).filter(|&index| segment.is_marked(index));
        marked.take(count).map(|index| visit(segment.view(index))).count()
    }

    /// Takes out of the segment at `position` what `due` (given marked items) says is due, if its bound has come;
    /// `due` returns the item's expiry time, and it is due when that lies before `now_ms`.
    pub fn drain_due(
        &mut self,
        position: u64,
        now_ms: u64,
        mut expire_of: impl FnMut(T::Ref<'_>) -> u64,
        mut gone: impl FnMut(T),
        mem: &mut usize,
    ) -> DrainStep {
        let Some(segment) = self.locate(position) else { return DrainStep { next: None, min_expire: NEVER } };
        let next = after(position, segment.depth());
        if segment.min_expire() >= now_ms {
            return DrainStep { next, min_expire: segment.min_expire() };
        }
        let segment = self.locate_own(position).unwrap_or(segment);
        let mut min_expire = NEVER;
        let mut removed = false;
        for index in (0..segment.len()).rev() {
            if !segment.is_marked(index) {
                continue;
            }
            let ms = expire_of(segment.view(index));
            if ms < now_ms {
                // SAFETY: swap_remove takes the pointer out of the table: ours alone now.
                gone(unsafe { T::from_ptr(segment.swap_remove(index)) });
                removed = true;
            } else {
                min_expire = min_expire.min(ms);
            }
        }
        segment.set_min_expire(min_expire);
        if removed {
            self.settle(position, mem);
        }
        DrainStep { next, min_expire }
    }

    /// How many items are due before `now_ms`, as [`SegTable::drain_due`] would judge; opens only segments whose bound has come.
    pub fn count_due(&self, now_ms: u64, expire_of: impl Fn(T::Ref<'_>) -> u64) -> usize {
        let (mut next, mut due) = (Some(0), 0);
        while let Some((position, segment)) = next.and_then(|at| Some((at, self.locate(at)?))) {
            if segment.min_expire() < now_ms {
                let marked = (0..segment.len()).filter(|&index| segment.is_marked(index));
                due += marked.filter(|&index| expire_of(segment.view(index)) < now_ms).count();
            }
            next = after(position, segment.depth());
        }
        due
    }

    /// Frees one segment with its items (for freeing in steps); returns how many items went.
    pub fn free_segment(&mut self, mem: &mut usize, mut gone: impl FnMut(T)) -> usize {
        let mut place = &raw mut self.root;
        let mut parent: Option<*mut Node> = None;
        loop {
            // SAFETY: `place` is the root or the last link of a live node.
            match (unsafe { *place }).open::<T>() {
                Place::Empty => return 0,
                Place::Node(raw) => {
                    // SAFETY: a live node, reached through the exclusive borrow of self.
                    let node = unsafe { &mut *raw };
                    if node.others > 0 {
                        // Someone else's from now on, with all that is below.
                        node.others -= 1;
                        // SAFETY: `place` as above; a node sits at one link, which is its parent's last.
                        unsafe {
                            *place = Link::NULL;
                            if let Some(parent) = parent {
                                (*parent).links.pop();
                            }
                        }
                        return 0;
                    }
                    if let Some(last) = node.links.last_mut() {
                        place = last;
                        parent = Some(raw);
                        continue;
                    }
                    *mem -= node.heap_bytes();
                    // SAFETY: unlinked here, children freed before.
                    unsafe {
                        *place = Link::NULL;
                        drop(Box::from_raw(raw));
                    }
                    let Some(parent) = parent.take() else { return 0 };
                    // SAFETY: the emptied node's parent lives; its last link was the one just nulled.
                    unsafe { (*parent).links.pop() };
                    place = &raw mut self.root;
                }
                Place::Segment(segment) => {
                    let link = Link::to_segment(segment);
                    match parent {
                        None => self.root = Link::NULL,
                        // SAFETY: the live node whose last links point at this segment.
                        Some(raw) => unsafe {
                            let links = &mut (*raw).links;
                            while links.last() == Some(&link) {
                                links.pop();
                            }
                        },
                    }
                    if segment.others() > 0 {
                        segment.set_others(segment.others() - 1);
                        *mem -= segment.block_size();
                        return 0;
                    }
                    let len = segment.len();
                    for index in 0..len {
                        // SAFETY: the segment is unlinked: each item is taken once.
                        gone(unsafe { T::from_ptr(segment.item(index)) });
                    }
                    segment.free(mem);
                    return len;
                }
            }
        }
    }

    /// Bytes of segments and directory, counted afresh (tests).
    pub fn count_bytes(&self) -> usize {
        fn below<T: Item>(link: Link) -> usize {
            match link.open::<T>() {
                Place::Empty => 0,
                Place::Segment(segment) => segment.block_size(),
                Place::Node(node) => {
                    // SAFETY: a live node of the borrowed table.
                    let node = unsafe { &*node };
                    let mut sum = node.heap_bytes();
                    let mut last = Link::NULL;
                    for &link in &node.links {
                        if link != last {
                            sum += below::<T>(link);
                            last = link;
                        }
                    }
                    sum
                }
            }
        }
        below::<T>(self.root)
    }
}

/// See [`SegTable::iter`].
pub struct Iter<'a, T: Item> {
    table: &'a SegTable<T>,
    next: Option<u64>,
    segment: Option<Seg<T>>,
    index: usize,
}

impl<'a, T: Item> Iterator for Iter<'a, T> {
    type Item = T::Ref<'a>;

    fn next(&mut self) -> Option<T::Ref<'a>> {
        loop {
            if let Some(segment) = self.segment
                && self.index < segment.len()
            {
                self.index += 1;
                return Some(segment.view(self.index - 1));
            }
            let position = self.next?;
            let segment = self.table.locate(position)?;
            self.next = after(position, segment.depth());
            self.segment = Some(segment);
            self.index = 0;
        }
    }
}
