//! One member of a large set: a string in one allocation behind a thin pointer, stored in a `SegTable`.
//!
//! Used only by `set`. Layout: `len u8 | bytes`, or `255 | len u32 | bytes` from 255 bytes on; the block is of one allocator size class.
//! Invariant: a [`Member`] owns a live block of `good_size` of that many bytes, all of them written.
use crate::base::memory::good_size;
use crate::base::siphash::key_hash;
use crate::types::encoding::segment::Item;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

const LONG: u8 = 255;

/// An owned member.
pub struct Member(NonNull<u8>);

// SAFETY: a member owns its block alone.
unsafe impl Send for Member {}

const fn head(len: usize) -> usize {
    if len < LONG as usize { 1 } else { 5 }
}

fn layout(len: usize) -> Layout {
    // SAFETY: 8 is a power of two; the length is a u32.
    unsafe { Layout::from_size_align_unchecked(good_size(head(len) + len), 8) }
}

impl Member {
    /// A new member (at most u32::MAX bytes, which the protocol's limits guarantee).
    pub fn new(text: &[u8]) -> Self {
        assert!(text.len() <= u32::MAX as usize);
        let layout = layout(text.len());
        // SAFETY: the size is at least 1.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the fresh block has room for the head and the text.
        unsafe {
            let at = block.as_ptr();
            if text.len() < usize::from(LONG) {
                at.write(text.len() as u8);
            } else {
                at.write(LONG);
                at.add(1).cast::<[u8; 4]>().write((text.len() as u32).to_le_bytes());
            }
            std::ptr::copy_nonoverlapping(text.as_ptr(), at.add(head(text.len())), text.len());
        }
        Self(block)
    }

    fn len(at: NonNull<u8>) -> usize {
        // SAFETY: callers pass a live member's block.
        unsafe {
            match *at.as_ptr() {
                LONG => u32::from_le_bytes(at.as_ptr().add(1).cast::<[u8; 4]>().read()) as usize,
                len => usize::from(len),
            }
        }
    }

    /// Bytes of the block.
    pub fn heap_bytes(&self) -> usize {
        layout(Self::len(self.0)).size()
    }

    /// Bytes of the block of a member with that text.
    pub fn bytes_for(text: &[u8]) -> usize {
        layout(text.len()).size()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // SAFETY: the block was allocated with this layout (module invariant).
        unsafe { dealloc(self.0.as_ptr(), layout(Self::len(self.0))) }
    }
}

// SAFETY: a plain heap block; views live within the block.
unsafe impl Item for Member {
    type Ref<'a> = &'a [u8];
    type Mut<'a> = ();

    fn into_ptr(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0
    }

    unsafe fn from_ptr(pointer: NonNull<u8>) -> Self {
        Self(pointer)
    }

    unsafe fn borrow<'a>(pointer: NonNull<u8>) -> &'a [u8] {
        let len = Self::len(pointer);
        // SAFETY: the text lies in the block, which the caller keeps alive for 'a.
        unsafe { std::slice::from_raw_parts(pointer.as_ptr().add(head(len)), len) }
    }

    unsafe fn borrow_mut<'a>(_: NonNull<u8>) -> Self::Mut<'a> {}

    fn hash_of(item: &[u8]) -> u64 {
        key_hash(item)
    }

    fn duplicate(item: &[u8]) -> Self {
        Self::new(item)
    }
}
