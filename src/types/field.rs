//! One field of a large hash: field and value in one allocation behind a thin pointer, stored in a `SegTable`.
//!
//! Used only by `hash`. Layout: `field_len u32 | value_len u32 | field | value`; the block is of one allocator size class.
//! Invariant: a [`Field`] owns a live block of `good_size(8 + field_len + value_len)` bytes, all of them written. A
//! per-field expiry (later) goes between the lengths and the field under the table's mark bit.
use crate::base::memory::good_size;
use crate::base::siphash::key_hash;
use crate::types::encoding::segment::Item;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

const HEAD: usize = 8;

/// An owned field.
pub struct Field(NonNull<u8>);

// SAFETY: a field owns its block alone.
unsafe impl Send for Field {}

/// A view of a field.
#[derive(Debug, Clone, Copy)]
pub struct FieldRef<'a> {
    /// The field's name.
    pub field: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
}

fn layout(field: usize, value: usize) -> Layout {
    // SAFETY: 8 is a power of two; lengths are u32 each.
    unsafe { Layout::from_size_align_unchecked(good_size(HEAD + field + value), 8) }
}

impl Field {
    /// A new field (both at most u32::MAX bytes, which the protocol's limits guarantee).
    pub fn new(field: &[u8], value: &[u8]) -> Self {
        assert!(field.len() <= u32::MAX as usize && value.len() <= u32::MAX as usize);
        let layout = layout(field.len(), value.len());
        // SAFETY: the size is at least HEAD.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the fresh block has room for the head and both strings.
        unsafe {
            let at = block.as_ptr();
            at.cast::<u32>().write(field.len() as u32);
            at.cast::<u32>().add(1).write(value.len() as u32);
            std::ptr::copy_nonoverlapping(field.as_ptr(), at.add(HEAD), field.len());
            std::ptr::copy_nonoverlapping(value.as_ptr(), at.add(HEAD + field.len()), value.len());
        }
        Self(block)
    }

    fn lens(at: NonNull<u8>) -> (usize, usize) {
        // SAFETY: callers pass a live field's block.
        unsafe {
            let lens = at.as_ptr().cast::<u32>();
            (*lens as usize, *lens.add(1) as usize)
        }
    }

    /// Bytes of the block.
    pub fn heap_bytes(&self) -> usize {
        let (field, value) = Self::lens(self.0);
        layout(field, value).size()
    }

    /// Overwrites the value, in place if it stays in its size class.
    pub fn set_value(&mut self, value: &[u8]) {
        let (field_len, old_len) = Self::lens(self.0);
        assert!(value.len() <= u32::MAX as usize);
        if layout(field_len, value.len()) == layout(field_len, old_len) {
            // SAFETY: the block has the size class that holds the new value.
            unsafe {
                let at = self.0.as_ptr();
                at.cast::<u32>().add(1).write(value.len() as u32);
                std::ptr::copy_nonoverlapping(value.as_ptr(), at.add(HEAD + field_len), value.len());
            }
        } else {
            // SAFETY: viewed only until the new block is made.
            let own = unsafe { Self::borrow(self.0) };
            *self = Self::new(own.field, value);
        }
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let (field, value) = Self::lens(self.0);
        // SAFETY: the block was allocated with this layout (module invariant).
        unsafe { dealloc(self.0.as_ptr(), layout(field, value)) }
    }
}

// SAFETY: a plain heap block; views live within the block.
unsafe impl Item for Field {
    type Ref<'a> = FieldRef<'a>;
    type Mut<'a> = ();

    fn into_ptr(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0
    }

    unsafe fn from_ptr(pointer: NonNull<u8>) -> Self {
        Self(pointer)
    }

    unsafe fn borrow<'a>(pointer: NonNull<u8>) -> FieldRef<'a> {
        let (field, value) = Self::lens(pointer);
        // SAFETY: both strings lie in the block, which the caller keeps alive for 'a.
        unsafe {
            let at = pointer.as_ptr().add(HEAD);
            FieldRef {
                field: std::slice::from_raw_parts(at, field),
                value: std::slice::from_raw_parts(at.add(field), value),
            }
        }
    }

    unsafe fn borrow_mut<'a>(_: NonNull<u8>) -> Self::Mut<'a> {}

    fn hash_of(item: FieldRef<'_>) -> u64 {
        key_hash(item.field)
    }

    fn duplicate(item: FieldRef<'_>) -> Self {
        Self::new(item.field, item.value)
    }
}
