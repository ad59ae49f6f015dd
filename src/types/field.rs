//! One field of a large hash: field and value in one allocation behind a thin pointer, stored in a `SegTable`.
//!
//! Used only by `hash_table`. Layout: `timed 1 bit, field_len 31 bits | value_len u32 | expiry u64 if timed | field | value`; the block is of
//! one allocator size class. Invariant: a [`Field`] owns a live block of `good_size` of that many bytes, all of them written.
use crate::base::memory::good_size;
use crate::base::siphash::key_hash;
use crate::types::encoding::segment::Item;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// The expiry of a field that has none.
pub const NEVER: u64 = u64::MAX;
const TIMED: u32 = 1 << 31;
/// Fields are shorter than the bit that marks an expiry.
const FIELD_MAX: usize = TIMED as usize - 1;

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
    /// When it goes, ms of the internal clock; [`NEVER`] without an expiry.
    pub expire_ms: u64,
}

impl FieldRef<'_> {
    /// Bytes of the block behind it.
    pub fn heap_bytes(&self) -> usize {
        Lens { timed: self.expire_ms != NEVER, field: self.field.len(), value: self.value.len() }
            .layout()
            .size()
    }

    /// Whether its time is over.
    #[inline]
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.expire_ms < now_ms
    }
}

#[derive(Clone, Copy)]
struct Lens {
    timed: bool,
    field: usize,
    value: usize,
}

impl Lens {
    const fn head(self) -> usize {
        if self.timed { 16 } else { 8 }
    }

    fn layout(self) -> Layout {
        // SAFETY: 8 is a power of two; lengths are u32 each.
        unsafe { Layout::from_size_align_unchecked(good_size(self.head() + self.field + self.value), 8) }
    }

    fn of(at: NonNull<u8>) -> Self {
        // SAFETY: callers pass a live field's block.
        unsafe {
            let lens = at.as_ptr().cast::<u32>();
            Self { timed: *lens & TIMED != 0, field: (*lens & !TIMED) as usize, value: *lens.add(1) as usize }
        }
    }
}

impl Field {
    /// A new field (the protocol's limits are far below the lengths that fit); `expire_ms` may be [`NEVER`].
    pub fn new(field: &[u8], value: &[u8], expire_ms: u64) -> Self {
        assert!(field.len() <= FIELD_MAX && value.len() <= u32::MAX as usize);
        let lens = Lens { timed: expire_ms != NEVER, field: field.len(), value: value.len() };
        let layout = lens.layout();
        // SAFETY: the size is at least that of the head.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the fresh block has room for the head and both strings.
        unsafe {
            let at = block.as_ptr();
            at.cast::<u32>().write(field.len() as u32 | if lens.timed { TIMED } else { 0 });
            at.cast::<u32>().add(1).write(value.len() as u32);
            if lens.timed {
                at.cast::<u64>().add(1).write(expire_ms);
            }
            let text = at.add(lens.head());
            std::ptr::copy_nonoverlapping(field.as_ptr(), text, field.len());
            std::ptr::copy_nonoverlapping(value.as_ptr(), text.add(field.len()), value.len());
        }
        Self(block)
    }

    /// Bytes of the block.
    pub fn heap_bytes(&self) -> usize {
        Lens::of(self.0).layout().size()
    }

    /// Views it.
    pub fn view(&self) -> FieldRef<'_> {
        // SAFETY: the field owns its block for as long as it is borrowed.
        unsafe { Self::borrow(self.0) }
    }

    /// Overwrites the value, in place if it stays in its size class; the expiry stays.
    pub fn set_value(&mut self, value: &[u8]) {
        let old = Lens::of(self.0);
        assert!(value.len() <= u32::MAX as usize);
        let new = Lens { value: value.len(), ..old };
        if new.layout() == old.layout() {
            // SAFETY: the block has the size class that holds the new value.
            unsafe {
                let at = self.0.as_ptr();
                at.cast::<u32>().add(1).write(value.len() as u32);
                std::ptr::copy_nonoverlapping(value.as_ptr(), at.add(old.head() + old.field), value.len());
            }
        } else {
            // SAFETY: viewed only until the new block is made.
            let own = unsafe { Self::borrow(self.0) };
            *self = Self::new(own.field, value, own.expire_ms);
        }
    }

    /// Sets or ([`NEVER`]) clears the expiry.
    pub fn set_expire(&mut self, expire_ms: u64) {
        // SAFETY: viewed only until the new block is made.
        let own = unsafe { Self::borrow(self.0) };
        if own.expire_ms != expire_ms {
            *self = Self::new(own.field, own.value, expire_ms);
        }
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        // SAFETY: the block was allocated with this layout (module invariant).
        unsafe { dealloc(self.0.as_ptr(), Lens::of(self.0).layout()) }
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
        let lens = Lens::of(pointer);
        // SAFETY: all lies in the block, which the caller keeps alive for 'a.
        unsafe {
            let at = pointer.as_ptr();
            let text = at.add(lens.head());
            FieldRef {
                field: std::slice::from_raw_parts(text, lens.field),
                value: std::slice::from_raw_parts(text.add(lens.field), lens.value),
                expire_ms: if lens.timed { at.cast::<u64>().add(1).read() } else { NEVER },
            }
        }
    }

    unsafe fn borrow_mut<'a>(_: NonNull<u8>) -> Self::Mut<'a> {}

    fn hash_of(item: FieldRef<'_>) -> u64 {
        key_hash(item.field)
    }

    fn duplicate(item: FieldRef<'_>) -> Self {
        Self::new(item.field, item.value, item.expire_ms)
    }
}
