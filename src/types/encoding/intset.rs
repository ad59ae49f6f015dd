//! `IntSet`: a sorted array of integers, each kept as its distance from a base in as few whole bytes as the largest needs.
//!
//! Used by `types::set`; calls the allocator. One allocation of exactly one allocator size class behind a thin pointer:
//! ```text
//! u32: width 4 bits | wide base 1 bit | count 27 bits      base: i32, or i64 if wide      distance[count]: width bytes, little endian
//! ```
//! Invariant: the block is `good_size(head + count * width)` bytes, all initialised; distances rise strictly; every value is
//! `base + distance`. Bounds: lookups O(log n), changes move or rewrite the array; at most [`MAX_LEN`] values.
//! Why not redis' array of 2, 4 or 8 byte numbers: ids that lie close together (or need 3 bytes) take a half; redis' bytes are
//! made on demand ([`IntSet::to_redis`]) and taken after a full check ([`IntSet::from_redis`]).
use crate::base::memory::good_size;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

/// Most values one may hold.
pub const MAX_LEN: usize = (1 << 27) - 1;
const COUNT_SHIFT: u32 = 5;
const WIDE: u32 = 16;

/// See the module's text.
pub struct IntSet(NonNull<u8>);

// SAFETY: it owns its block alone.
unsafe impl Send for IntSet {}

/// What the head says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    width: usize,
    base: i64,
    count: usize,
}

/// Bytes a distance needs.
const fn width_of(distance: u64) -> usize {
    if distance == 0 { 1 } else { (71 - distance.leading_zeros() as usize) / 8 }
}

fn layout(bytes: usize) -> Layout {
    // SAFETY: 8 is a power of two; at most 8 * MAX_LEN bytes.
    unsafe { Layout::from_size_align_unchecked(good_size(bytes), 8) }
}

impl Form {
    fn is_wide(self) -> bool {
        i32::try_from(self.base).is_err()
    }

    fn head(self) -> usize {
        if self.is_wide() { 12 } else { 8 }
    }

    fn layout(self) -> Layout {
        layout(self.head() + self.count * self.width)
    }

    fn write(self, block: &mut [u8]) {
        let word =
            self.width as u32 | if self.is_wide() { WIDE } else { 0 } | (self.count as u32) << COUNT_SHIFT;
        block[..4].copy_from_slice(&word.to_le_bytes());
        let base = self.base.to_le_bytes();
        block[4..self.head()].copy_from_slice(&base[..self.head() - 4]);
    }
}

impl Default for IntSet {
    fn default() -> Self {
        Self::build(0, 0, std::iter::empty())
    }
}

impl Clone for IntSet {
    fn clone(&self) -> Self {
        let form = self.form();
        let mut copy = Self::alloc(form);
        copy.block_mut(form).copy_from_slice(self.block(form));
        copy
    }
}

impl Drop for IntSet {
    fn drop(&mut self) {
        // SAFETY: allocated with the layout its head says (module invariant).
        unsafe { dealloc(self.0.as_ptr(), self.form().layout()) }
    }
}

impl IntSet {
    fn alloc(form: Form) -> Self {
        let layout = form.layout();
        // SAFETY: at least 8 bytes.
        let Some(block) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the fresh, zeroed block of that size.
        form.write(unsafe { std::slice::from_raw_parts_mut(block.as_ptr(), layout.size()) });
        Self(block)
    }

    /// One of rising `values` between `low` and `high`.
    fn build(low: i64, high: i64, values: impl ExactSizeIterator<Item = i64>) -> Self {
        let width = width_of(high.wrapping_sub(low) as u64);
        let form = Form { width, base: low, count: values.len() };
        let mut set = Self::alloc(form);
        let block = set.block_mut(form);
        for (slot, value) in block[form.head()..].chunks_exact_mut(width).zip(values) {
            slot.copy_from_slice(&value.wrapping_sub(low).to_le_bytes()[..width]);
        }
        set
    }

    fn form(&self) -> Form {
        // SAFETY: a block has at least 8 bytes, 12 if wide, all initialised.
        unsafe {
            let word = u32::from_le(self.0.as_ptr().cast::<u32>().read());
            let base = self.0.as_ptr().add(4);
            let base = match word & WIDE {
                0 => i64::from(i32::from_le_bytes(base.cast::<[u8; 4]>().read())),
                _ => i64::from_le_bytes(base.cast::<[u8; 8]>().read()),
            };
            Form { width: (word & 15) as usize, base, count: (word >> COUNT_SHIFT) as usize }
        }
    }

    fn block(&self, form: Form) -> &[u8] {
        // SAFETY: the block has that size and is initialised (module invariant); `form` is its head.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), form.layout().size()) }
    }

    fn block_mut(&mut self, form: Form) -> &mut [u8] {
        // SAFETY: as `block`, borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr(), form.layout().size()) }
    }

    fn value_at(block: &[u8], form: Form, index: usize) -> i64 {
        let at = form.head() + index * form.width;
        let distance = match block.get(at..at + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) {
            Some(bytes) => u64::from_le_bytes(bytes) & (u64::MAX >> (64 - 8 * form.width)),
            None => {
                let mut wide = [0; 8];
                wide[..form.width].copy_from_slice(&block[at..at + form.width]);
                u64::from_le_bytes(wide)
            }
        };
        form.base.wrapping_add(distance as i64)
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.form().count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes the allocator holds for it.
    pub fn heap_bytes(&self) -> usize {
        self.form().layout().size()
    }

    /// The value of rank `index`; None beyond the end.
    pub fn get(&self, index: usize) -> Option<i64> {
        let form = self.form();
        (index < form.count).then(|| Self::value_at(self.block(form), form, index))
    }

    /// All values, rising.
    pub fn iter(&self) -> Iter<'_> {
        let form = self.form();
        Iter { block: self.block(form), form, index: 0 }
    }

    /// The rank of `value`, or where it belongs.
    fn search(&self, value: i64) -> Result<usize, usize> {
        let form = self.form();
        let block = self.block(form);
        let (mut low, mut high) = (0, form.count);
        while low < high {
            let middle = low.midpoint(high);
            match Self::value_at(block, form, middle).cmp(&value) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Whether `value` is there.
    pub fn contains(&self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// Gives the block the size that `form` asks for; the array stays where it is.
    fn resize(&mut self, old: Form, form: Form) {
        if old.layout() == form.layout() {
            return;
        }
        // SAFETY: allocated with `old`'s layout; the new size is not zero.
        let raw = unsafe { realloc(self.0.as_ptr(), old.layout(), form.layout().size()) };
        let Some(block) = NonNull::new(raw) else { handle_alloc_error(form.layout()) };
        if let Some(more) = form.layout().size().checked_sub(old.layout().size()) {
            // SAFETY: the grown block's tail, so far uninitialised.
            unsafe { std::ptr::write_bytes(block.as_ptr().add(old.layout().size()), 0, more) }
        }
        self.0 = block;
    }

    /// Adds a value; false if it is there, or if there is no room ([`MAX_LEN`]).
    pub fn insert(&mut self, value: i64) -> bool {
        let Err(rank) = self.search(value) else { return false };
        let old = self.form();
        if old.count == MAX_LEN {
            return false;
        }
        let distance = value.wrapping_sub(old.base) as u64;
        if old.count == 0 || value < old.base || width_of(distance) > old.width {
            let low = self.get(0).map_or(value, |first| first.min(value));
            let high = self.get(old.count.wrapping_sub(1)).map_or(value, |last| last.max(value));
            let mut values: Vec<i64> = Vec::with_capacity(old.count + 1);
            values.extend(self.iter());
            values.insert(rank, value);
            *self = Self::build(low, high, values.into_iter());
            return true;
        }
        let form = Form { count: old.count + 1, ..old };
        self.resize(old, form);
        let block = self.block_mut(form);
        form.write(block);
        let (head, width) = (form.head(), form.width);
        let at = head + rank * width;
        block.copy_within(at..head + old.count * width, at + width);
        block[at..at + width].copy_from_slice(&distance.to_le_bytes()[..width]);
        true
    }

    /// Removes a value; false if it is not there.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(rank) = self.search(value) else { return false };
        let old = self.form();
        let form = Form { count: old.count - 1, ..old };
        let (head, width) = (old.head(), old.width);
        let at = head + rank * width;
        let block = self.block_mut(old);
        block.copy_within(at + width..head + old.count * width, at);
        form.write(block);
        self.resize(old, form);
        true
    }

    /// Redis' bytes: encoding u32 (2, 4 or 8), count u32, the values, all little endian.
    pub fn to_redis(&self) -> Vec<u8> {
        let fits = |low: i64, high: i64| self.iter().all(|value| (low..=high).contains(&value));
        let width = match () {
            () if fits(i16::MIN.into(), i16::MAX.into()) => 2,
            () if fits(i32::MIN.into(), i32::MAX.into()) => 4,
            () => 8,
        };
        let mut bytes = Vec::with_capacity(8 + self.len() * width);
        bytes.extend_from_slice(&(width as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.len() as u32).to_le_bytes());
        self.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()[..width]));
        bytes
    }

    /// Takes redis' bytes: None unless the size fits, there is a value, and the values rise strictly.
    pub fn from_redis(bytes: &[u8]) -> Option<Self> {
        let width = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let count = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
        let body = bytes.get(8..)?;
        if !matches!(width, 2 | 4 | 8)
            || count == 0
            || count > MAX_LEN
            || count.checked_mul(width)? != body.len()
        {
            return None;
        }
        let values: Vec<i64> = body
            .chunks_exact(width)
            .map(|raw| {
                let mut wide = [if raw[width - 1] & 0x80 != 0 { 0xff } else { 0 }; 8];
                wide[..width].copy_from_slice(raw);
                i64::from_le_bytes(wide)
            })
            .collect();
        let (low, high) = (*values.first()?, *values.last()?);
        let rises = values.windows(2).all(|pair| pair[0] < pair[1]);
        rises.then(|| Self::build(low, high, values.into_iter()))
    }
}

/// See [`IntSet::iter`].
#[derive(Clone)]
pub struct Iter<'a> {
    block: &'a [u8],
    form: Form,
    index: usize,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        if self.index >= self.form.count {
            return None;
        }
        self.index += 1;
        Some(IntSet::value_at(self.block, self.form, self.index - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use std::collections::BTreeSet;

    #[test]
    fn behaves_like_a_sorted_set_of_integers() {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(5);
        println!("SEED={seed}");
        let mut prng = Prng::new(seed);
        for round in 0..64 {
            let (mut set, mut model) = (IntSet::default(), BTreeSet::new());
            for _ in 0..400 {
                let bits = prng.below(64) as u32;
                let mut value =
                    if round % 2 == 0 { prng.below(300) as i64 } else { prng.next_u64() as i64 >> bits };
                if prng.below(100) == 0 {
                    value = if value % 2 == 0 { i64::MIN } else { i64::MAX };
                }
                value = value.wrapping_add([0, 1 << 33, -70_000, 40_000][round % 4]);
                if prng.below(3) == 0 {
                    assert_eq!(set.remove(value), model.remove(&value));
                } else {
                    assert_eq!(set.insert(value), model.insert(value));
                }
                assert!(set.contains(value) == model.contains(&value));
                assert_eq!(set.len(), model.len());
            }
            assert!(set.iter().eq(model.iter().copied()));
            assert!(set.clone().iter().eq(model.iter().copied()));
            if let Some(copy) = IntSet::from_redis(&set.to_redis()) {
                assert!(copy.iter().eq(set.iter()));
            } else {
                assert!(set.is_empty());
            }
        }
    }

    #[test]
    fn redis_bytes_are_checked() {
        let mut set = IntSet::default();
        for value in [5, -1, 70_000] {
            assert!(set.insert(value));
        }
        let good = set.to_redis();
        assert_eq!(good, [4, 0, 0, 0, 3, 0, 0, 0, 255, 255, 255, 255, 5, 0, 0, 0, 112, 17, 1, 0]);
        for cut in 0..good.len() {
            assert!(IntSet::from_redis(&good[..cut]).is_none());
        }
        for at in 0..good.len() {
            for flip in 1..=255u8 {
                let mut bad = good.clone();
                bad[at] ^= flip;
                if let Some(set) = IntSet::from_redis(&bad) {
                    assert_eq!(set.len(), 3);
                }
            }
        }
    }
}
