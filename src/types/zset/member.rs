//! One member of a large sorted set: its text and score in one allocation, held by the member table and by the order's leaves.
//!
//! Used only by `zset::big` and `zset::run`. Layout: `holders u32 | len u32 | score f64 | text`; the block is of one allocator size class.
//! The score here is the table's (ZSCORE); a leaf keeps its own copy, so that a pinned leaf keeps the score it was pinned with.
//! Invariant: the text never changes; the score changes only through [`Member::set_score`], and nobody holds a reference to it.
//! All holders of one member live in one shard (as in `encoding::shared`, which explains why a plain counter is enough).
use crate::base::memory::good_size;
use crate::base::siphash::key_hash;
use crate::types::encoding::segment::Item;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

const HEAD: usize = 16;

/// One holder's share of a member.
pub struct Member(NonNull<u8>);

// SAFETY: the holders of one member move between threads together, with their shard (module invariant).
unsafe impl Send for Member {}

/// A view of a member.
#[derive(Debug, Clone, Copy)]
pub struct MemberRef<'a> {
    /// Its text.
    pub text: &'a [u8],
    /// Its score in the table.
    pub score: f64,
}

fn layout(len: usize) -> Layout {
    // SAFETY: 8 is a power of two; len is a u32.
    unsafe { Layout::from_size_align_unchecked(good_size(HEAD + len), 8) }
}

impl Member {
    /// A new member with one holder (its text at most u32::MAX bytes, which the protocol's limits guarantee).
    pub fn new(text: &[u8], score: f64) -> Self {
        assert!(text.len() <= u32::MAX as usize);
        let layout = layout(text.len());
        // SAFETY: the size is at least HEAD.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the fresh block has room for the head and the text.
        unsafe {
            let at = block.as_ptr();
            at.cast::<u32>().write(1);
            at.cast::<u32>().add(1).write(text.len() as u32);
            at.cast::<f64>().add(1).write(score);
            std::ptr::copy_nonoverlapping(text.as_ptr(), at.add(HEAD), text.len());
        }
        Self(block)
    }

    /// The text.
    #[inline]
    pub fn text(&self) -> &[u8] {
        // SAFETY: the block lives as long as this holder; the text is never changed.
        unsafe { Self::borrow(self.0).text }
    }

    /// Asks the cache for the block.
    #[inline]
    pub fn prefetch(&self) {
        crate::base::cache::prefetch(self.0.as_ptr(), 64);
    }

    /// Bytes of the block.
    pub fn heap_bytes(&self) -> usize {
        layout(self.text().len()).size()
    }

    /// Sets the table's score.
    pub fn set_score(&mut self, score: f64) {
        // SAFETY: a live block; no reference to the score exists (module invariant).
        unsafe { self.0.as_ptr().cast::<f64>().add(1).write(score) }
    }
}

impl Clone for Member {
    /// One more holder.
    fn clone(&self) -> Self {
        // SAFETY: a live block, touched by one thread at a time (module invariant).
        unsafe {
            let holders = self.0.as_ptr().cast::<u32>();
            let Some(more) = (*holders).checked_add(1) else { unreachable!("four billion pins of a leaf") };
            *holders = more;
        }
        Self(self.0)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // SAFETY: a live block, touched by one thread at a time; freed with the layout it was made with by its last holder.
        unsafe {
            let holders = self.0.as_ptr().cast::<u32>();
            *holders -= 1;
            if *holders == 0 {
                let len = *holders.add(1) as usize;
                dealloc(self.0.as_ptr(), layout(len));
            }
        }
    }
}

// SAFETY: a plain heap block; views live within the block.
unsafe impl Item for Member {
    type Ref<'a> = MemberRef<'a>;
    type Mut<'a> = ();

    fn into_ptr(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0
    }

    unsafe fn from_ptr(pointer: NonNull<u8>) -> Self {
        Self(pointer)
    }

    #[inline]
    unsafe fn borrow<'a>(pointer: NonNull<u8>) -> MemberRef<'a> {
        // SAFETY: a live block, which the caller keeps alive for 'a; the text lies behind the head.
        unsafe {
            let at = pointer.as_ptr();
            let len = *at.cast::<u32>().add(1) as usize;
            let score = *at.cast::<f64>().add(1);
            MemberRef { text: std::slice::from_raw_parts(at.add(HEAD), len), score }
        }
    }

    unsafe fn borrow_mut<'a>(_: NonNull<u8>) -> Self::Mut<'a> {}

    fn hash_of(item: MemberRef<'_>) -> u64 {
        key_hash(item.text)
    }

    /// Never needed by a sorted set: a snapshot pins its order, not its table.
    fn duplicate(item: MemberRef<'_>) -> Self {
        Self::new(item.text, item.score)
    }
}
