//! `Block`: a run of bytes, a count and a mark behind one word: what the small form of a hash or a sorted set lies in.
//!
//! Used by `encoding::pack` and `zset::pack`, which know what the bytes say; calls the allocator. Layout (no allocation at all while there are no bytes):
//! ```text
//! length u32, its top bit is the mark | count u16 (65535: more than fit) | bytes …
//! ```
//! Invariant: the allocation is of exactly `good_size(HEAD + length)` bytes, so that no capacity is kept; all `length` bytes are initialised.
//! Bounds: 1 GB, far above what the *-max-listpack-* limits let grow; a change moves what lies behind it. Why not a `Vec`: its three words
//! and the box around them cost a small hash a tenth of its memory, and reading it one more cache miss.
use crate::base::memory::good_size;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Bytes before the run.
const HEAD: usize = 6;
const MARK: u32 = 1 << 31;
const MANY: u16 = u16::MAX;

/// See the module's text.
#[derive(Default)]
#[repr(transparent)]
pub struct Block(Option<NonNull<u8>>);

// SAFETY: a block owns its allocation alone.
unsafe impl Send for Block {}

fn layout(len: usize) -> Layout {
    // SAFETY: 8 is a power of two; lengths are below 2^31.
    unsafe { Layout::from_size_align_unchecked(good_size(HEAD + len), 8) }
}

fn allocate(len: usize) -> NonNull<u8> {
    let layout = layout(len);
    // SAFETY: the size is at least HEAD.
    let Some(block) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
    block
}

impl Block {
    #[inline]
    fn word(&self) -> u32 {
        // SAFETY: a block begins with its length, 4-aligned.
        self.0.map_or(0, |block| unsafe { *block.as_ptr().cast::<u32>() })
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let Some(block) = self.0 else { return &[] };
        // SAFETY: `length` initialised bytes lie behind the head, borrowed as long as self is.
        unsafe {
            let word = *block.as_ptr().cast::<u32>();
            std::slice::from_raw_parts(block.as_ptr().add(HEAD), (word & !MARK) as usize)
        }
    }

    /// The bytes for changing them; sets the mark.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let Some(block) = self.0 else { return &mut [] };
        let len = self.bytes().len();
        // SAFETY: as for `bytes`, exclusively borrowed.
        unsafe {
            block.as_ptr().cast::<u32>().write(len as u32 | MARK);
            std::slice::from_raw_parts_mut(block.as_ptr().add(HEAD), len)
        }
    }

    /// The count; None if it was too large to be kept.
    #[inline]
    pub fn count(&self) -> Option<usize> {
        let Some(block) = self.0 else { return Some(0) };
        // SAFETY: the count is behind the length, 2-aligned.
        let count = unsafe { *block.as_ptr().add(4).cast::<u16>() };
        (count != MANY).then_some(usize::from(count))
    }

    /// Reads and clears the mark, which every change sets.
    #[inline]
    pub fn take_mark(&mut self) -> bool {
        let word = self.word();
        if let Some(block) = self.0
            && word & MARK != 0
        {
            // SAFETY: the length's word, exclusively borrowed.
            unsafe { *block.as_ptr().cast::<u32>() = word & !MARK }
        }
        word & MARK != 0
    }

    /// Bytes the allocator holds for it.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        if self.0.is_some() { good_size(HEAD + self.bytes().len()) } else { 0 }
    }

    /// Replaces `removed` bytes at `at` by the `added` ones (together below 1 GB); the count is `count` then, and the mark is set.
    pub fn splice(&mut self, at: usize, removed: usize, added: &[&[u8]], count: usize) {
        let old = self.bytes().len();
        let room: usize = added.iter().map(|part| part.len()).sum();
        assert!(at <= old && removed <= old - at && room < MARK as usize / 2);
        let len = old - removed + room;
        assert!(len < MARK as usize);
        let tail = old - removed - at;
        let block = match self.0 {
            // SAFETY: source and target lie in the allocation, which is as large for the new length.
            Some(block) if layout(old).size() == layout(len).size() => unsafe {
                let place = block.as_ptr().add(HEAD + at);
                if removed != room {
                    std::ptr::copy(place.add(removed), place.add(room), tail);
                }
                block
            },
            other => {
                let block = allocate(len);
                if let Some(from) = other {
                    // SAFETY: both allocations hold what is copied and are different ones; the old one was made with this layout.
                    unsafe {
                        let (from, to) = (from.as_ptr(), block.as_ptr());
                        std::ptr::copy_nonoverlapping(from.add(HEAD), to.add(HEAD), at);
                        let (from_tail, to_tail) = (from.add(HEAD + at + removed), to.add(HEAD + at + room));
                        std::ptr::copy_nonoverlapping(from_tail, to_tail, tail);
                        dealloc(from, layout(old));
                    }
                }
                block
            }
        };
        self.0 = Some(block);
        // SAFETY: the allocation holds head and `len` bytes; the parts cannot lie in it, for self is borrowed exclusively.
        unsafe {
            let mut place = block.as_ptr().add(HEAD + at);
            for part in added {
                std::ptr::copy_nonoverlapping(part.as_ptr(), place, part.len());
                place = place.add(part.len());
            }
            block.as_ptr().cast::<u32>().write(len as u32 | MARK);
            block.as_ptr().add(4).cast::<u16>().write(u16::try_from(count).unwrap_or(MANY));
        }
    }
}

impl Clone for Block {
    /// The copy is not marked.
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        if self.0.is_some() {
            copy.splice(0, 0, &[self.bytes()], self.count().unwrap_or(usize::MAX));
            copy.take_mark();
        }
        copy
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(block) = self.0 {
            // SAFETY: allocated with this layout (module invariant), freed once.
            unsafe { dealloc(block.as_ptr(), layout(self.bytes().len())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn splices_like_a_vector() {
        let mut prng = Prng::new(11);
        let (mut block, mut model) = (Block::default(), Vec::new());
        assert_eq!((block.bytes(), block.count(), block.heap_bytes()), (&[][..], Some(0), 0));
        assert!(!block.take_mark());
        for step in 0..20_000 {
            let at = prng.below(model.len() as u64 + 1) as usize;
            let most = if step % 4000 < 2500 { 20 } else { 60 };
            let removed = (prng.below(most) as usize).min(model.len() - at);
            let parts: Vec<Vec<u8>> =
                (0..prng.below(4)).map(|_| vec![prng.below(256) as u8; prng.below(25) as usize]).collect();
            let added: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let count = prng.below(70_000) as usize;
            block.splice(at, removed, &added, count);
            model.splice(at..at + removed, added.concat());
            assert_eq!(block.bytes(), model);
            assert_eq!(block.count(), (count < 65_535).then_some(count));
            assert!(block.clone().bytes() == model && !block.clone().take_mark());
            assert_eq!(block.heap_bytes(), good_size(HEAD + model.len()));
            assert!(block.take_mark() && !block.take_mark());
        }
    }
}
