//! Making, changing and freeing entries; the layout is `entry`'s.
//!
//! Used by `dict`/`db` (slot tables own `OwnedEntry`s) and `EntryMut`. A change happens in place while the new content fits the
//! block's size class, else a new block is built and the boxed value, if any, moved over. Invariant and bounds: see `entry`.
use super::boxed::Boxed;
use super::entry::{
    Entry, HAS_EXPIRE, INLINE_MAX, IS_RAW, KIND_MASK, Kind, ValueMut, ValueRef, head_len, layout,
};
use super::held::Held;
use super::string_in::StrIn;
use crate::base::memory::good_size;
use crate::base::number::{parse_i64, write_i64};
use crate::base::siphash::key_hash;
use crate::types::encoding::segment::Item;
use crate::types::hash::Hash;
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::stream::Stream;
use crate::types::zset::ZSet;
use bytes::Bytes;
use std::alloc::{alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// An entry out of, or owned by, a table.
pub struct OwnedEntry(NonNull<u8>);

// SAFETY: an entry owns its block and its box alone, and all boxed types are Send.
unsafe impl Send for OwnedEntry {}

/// What a new block gets behind its header.
enum Payload<'p> {
    Int(i64),
    Inline(&'p [u8]),
    Boxed(Boxed),
}

impl OwnedEntry {
    fn build(key: &[u8], payload: Payload<'_>, expire_ms: Option<u64>, flags: u32, lru: u32) -> Self {
        assert!(key.len() <= u32::MAX as usize);
        let (kind, word, value): (Kind, u64, &[u8]) = match payload {
            Payload::Int(number) => (Kind::Int, number as u64, &[]),
            Payload::Inline(bytes) => (Kind::Inline, 0, bytes),
            Payload::Boxed(_) => (Kind::Hash, 0, &[]),
        };
        let (kind, pointer) = match payload {
            Payload::Boxed(boxed) => boxed.into_raw(),
            _ => (kind, std::ptr::null_mut()),
        };
        let head = head_len(expire_ms.is_some(), kind);
        let layout = layout(head + key.len() + value.len());
        // SAFETY: the size is not zero.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let meta = kind as u32 | flags & IS_RAW | if expire_ms.is_some() { HAS_EXPIRE } else { 0 } | lru << 8;
        // SAFETY: the block has room for head, key and value; offsets follow the layout in the module text and are aligned.
        unsafe {
            let at = block.as_ptr();
            at.cast::<u32>().write(meta);
            at.cast::<u32>().add(1).write(key.len() as u32);
            let mut payload = at.add(8);
            if let Some(ms) = expire_ms {
                payload.cast::<u64>().write(ms);
                payload = payload.add(8);
            }
            match kind {
                Kind::Int => payload.cast::<u64>().write(word),
                Kind::Inline => payload.cast::<u32>().write(value.len() as u32),
                _ => payload.cast::<*mut u8>().write(pointer),
            }
            std::ptr::copy_nonoverlapping(key.as_ptr(), at.add(head), key.len());
            std::ptr::copy_nonoverlapping(value.as_ptr(), at.add(head + key.len()), value.len());
        }
        Self(block)
    }

    /// A string entry.
    pub fn new_string(key: &[u8], value: StrIn<'_>, expire_ms: Option<u64>, lru: u32) -> Self {
        with_payload(value, |payload, flags| Self::build(key, payload, expire_ms, flags, lru))
    }

    /// An entry of a boxed value.
    pub fn new_boxed(key: &[u8], value: Boxed, expire_ms: Option<u64>, lru: u32) -> Self {
        Self::build(key, Payload::Boxed(value), expire_ms, 0, lru)
    }

    /// Views it.
    #[inline]
    pub fn view(&self) -> Entry<'_> {
        Entry { at: self.0, life: PhantomData }
    }

    /// Its hash, if fields of it may expire.
    pub fn timed_hash(&mut self) -> Option<&mut Hash> {
        if self.view().kind() != Kind::Hash {
            return None;
        }
        // SAFETY: the entry is owned and borrowed exclusively: there is no other view.
        match unsafe { Self::borrow_mut(self.0) } {
            ValueMut::Hash(hash) if hash.is_timed() => Some(hash),
            _ => None,
        }
    }

    /// Bytes the allocator holds for it.
    pub fn heap_bytes(&self) -> usize {
        self.view().heap_bytes()
    }

    fn set_flags(&mut self, set: u32, clear: u32) {
        let view = self.view();
        // SAFETY: exclusive access to the meta word.
        unsafe { *view.meta_ptr() = view.meta() & !clear | set }
    }

    /// Replaces the string (or any value) by a string, in place when the block allows.
    pub fn set_string(&mut self, value: StrIn<'_>, expire_ms: Option<u64>, lru: u32) {
        with_payload(value, |payload, flags| self.overwrite(payload, flags, expire_ms, lru));
    }

    fn overwrite(&mut self, payload: Payload<'_>, flags: u32, expire_ms: Option<u64>, lru: u32) {
        let view = self.view();
        let same_head = view.has_expire() == expire_ms.is_some();
        match (&payload, view.kind()) {
            (Payload::Int(number), Kind::Int) if same_head => {
                // SAFETY: an Int entry's payload is an i64; exclusive access.
                unsafe { *view.payload().cast::<i64>() = *number }
            }
            (Payload::Inline(bytes), Kind::Inline)
                if same_head
                    && good_size(view.total()) == good_size(view.head() + view.key_len() + bytes.len()) =>
            {
                let start = view.head() + view.key_len();
                // SAFETY: the block's class holds the new total; `bytes` cannot lie in this block (it would be a view
                // of self, but self is borrowed exclusively).
                unsafe {
                    *view.payload().cast::<u32>() = bytes.len() as u32;
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_ptr().add(start), bytes.len());
                }
            }
            _ => {
                *self = Self::build(view.key(), payload, expire_ms, flags, lru);
                return;
            }
        }
        if let Some(ms) = expire_ms {
            self.write_expire(ms);
        }
        self.set_flags(flags & IS_RAW, IS_RAW);
        self.view().set_lru(lru);
    }

    /// Replaces the value by a boxed one.
    pub fn set_boxed(&mut self, value: Boxed, expire_ms: Option<u64>, lru: u32) {
        *self = Self::build(self.view().key(), Payload::Boxed(value), expire_ms, 0, lru);
    }

    /// Turns a growable string into a shared buffer of the same bytes, which a snapshot can hold too.
    pub fn share(&mut self) {
        let (expire_ms, lru) = (self.view().expire_at(), self.view().lru());
        if self.view().kind() == Kind::Blob
            && let Some(Boxed::Blob(blob)) = self.detach()
        {
            self.set_boxed(Boxed::Shared(Box::new(Bytes::from(*blob))), expire_ms, lru);
        }
    }

    fn write_expire(&mut self, ms: u64) {
        debug_assert!(self.view().has_expire());
        // SAFETY: with the flag the second 8 bytes are the expiry.
        unsafe { *self.0.as_ptr().add(8).cast::<u64>() = ms }
    }

    /// Sets or clears the expiry; the block moves when the field appears or goes.
    pub fn set_expire(&mut self, expire_ms: Option<u64>) {
        match (self.view().has_expire(), expire_ms) {
            (true, Some(ms)) => self.write_expire(ms),
            (false, None) => {}
            _ => self.rebuild(None, expire_ms),
        }
    }

    /// The same entry under another key.
    pub fn set_key(&mut self, key: &[u8]) {
        self.rebuild(Some(key), self.view().expire_at());
    }

    /// A new block with the same value, moved, not copied, if it is boxed.
    fn rebuild(&mut self, key: Option<&[u8]>, expire_ms: Option<u64>) {
        let boxed = self.detach();
        let view = self.view();
        let payload = match (boxed, view.value()) {
            (Some(boxed), _) => Payload::Boxed(boxed),
            (None, ValueRef::Int(number)) => Payload::Int(number),
            (None, ValueRef::Bytes(bytes)) => Payload::Inline(bytes),
            (None, _) => unreachable!("only boxed kinds have other values"),
        };
        let flags = view.meta();
        *self = Self::build(key.unwrap_or(view.key()), payload, expire_ms, flags, view.lru());
    }

    /// Takes a boxed value out, leaving the integer 0 in its place.
    pub fn detach(&mut self) -> Option<Boxed> {
        let view = self.view();
        let kind = view.kind();
        if matches!(kind, Kind::Int | Kind::Inline) {
            return None;
        }
        // SAFETY: the box is taken once: the kind becomes Int, whose payload has the same size and place.
        let boxed = unsafe { Boxed::from_raw(kind, view.boxed_ptr()) };
        // SAFETY: exclusive access to the payload word.
        unsafe { *view.payload().cast::<u64>() = 0 }
        self.set_flags(Kind::Int as u32, KIND_MASK);
        boxed
    }

    fn blob_mut(&mut self) -> Option<&mut Vec<u8>> {
        let view = self.view();
        // SAFETY: a live box of this kind, exclusively borrowed through self.
        (view.kind() == Kind::Blob).then(|| unsafe { &mut *view.boxed_ptr().cast::<Vec<u8>>() })
    }

    /// The string's bytes for changing in place; integers become text, shared buffers are copied. The string is raw
    /// from now on. None for other types.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let (expire_ms, lru) = (self.view().expire_at(), self.view().lru());
        match self.view().value() {
            ValueRef::Int(number) => {
                let mut text = Vec::with_capacity(20);
                write_i64(&mut text, number);
                self.overwrite(Payload::Inline(&text), IS_RAW, expire_ms, lru);
            }
            ValueRef::Shared(shared) => {
                let blob = shared.to_vec();
                self.set_boxed(Boxed::Blob(Box::new(blob)), expire_ms, lru);
            }
            ValueRef::Bytes(_) => {}
            _ => return None,
        }
        self.set_flags(IS_RAW, 0);
        if self.view().kind() == Kind::Blob {
            return self.blob_mut().map(Vec::as_mut_slice);
        }
        let view = self.view();
        let start = view.head() + view.key_len();
        // SAFETY: the inline value's bytes, exclusively borrowed through self.
        Some(unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr().add(start), view.inline_len()) })
    }

    /// Appends to the string, raw from now on; false for other types.
    pub fn append(&mut self, more: &[u8]) -> bool {
        let Some(len) = self.bytes_mut().map(|bytes| bytes.len()) else { return false };
        self.grow(len + more.len(), more);
        true
    }

    /// Cuts the string or extends it with zero bytes, raw from now on; false for other types.
    pub fn resize(&mut self, len: usize) -> bool {
        let Some(old) = self.bytes_mut().map(|bytes| bytes.len()) else { return false };
        if len > old {
            self.grow(len, &[]);
        } else if let Some(blob) = self.blob_mut() {
            blob.truncate(len);
        } else if let ValueRef::Bytes(bytes) = self.view().value() {
            let cut = bytes[..len].to_vec();
            let view = self.view();
            self.overwrite(Payload::Inline(&cut), IS_RAW, view.expire_at(), view.lru());
        }
        true
    }

    /// Extends an inline or blob string to `len` bytes: zeros, then `tail`.
    fn grow(&mut self, len: usize, tail: &[u8]) {
        if let Some(blob) = self.blob_mut() {
            blob.resize(len - tail.len(), 0);
            blob.extend_from_slice(tail);
            return;
        }
        let view = self.view();
        let (expire_ms, lru) = (view.expire_at(), view.lru());
        let ValueRef::Bytes(old) = view.value() else { return };
        let mut text = Vec::with_capacity(len);
        text.extend_from_slice(old);
        text.resize(len - tail.len(), 0);
        text.extend_from_slice(tail);
        if len <= INLINE_MAX {
            self.overwrite(Payload::Inline(&text), IS_RAW, expire_ms, lru);
        } else {
            self.set_boxed(Boxed::Blob(Box::new(text)), expire_ms, lru);
            self.set_flags(IS_RAW, 0);
        }
    }
}

/// Turns an incoming string into a payload and flags.
fn with_payload<R>(value: StrIn<'_>, then: impl FnOnce(Payload<'_>, u32) -> R) -> R {
    let flags = if matches!(value, StrIn::Raw(_)) { IS_RAW } else { 0 };
    match value {
        StrIn::Int(number) => then(Payload::Int(number), 0),
        StrIn::Shared(bytes) => then(Payload::Boxed(Boxed::Shared(Box::new(bytes))), 0),
        StrIn::Bytes(bytes) | StrIn::Plain(bytes) | StrIn::Raw(bytes) => {
            let number = match value {
                StrIn::Bytes(_) if bytes.len() <= 20 => parse_i64(bytes),
                _ => None,
            };
            match number {
                Some(number) => then(Payload::Int(number), 0),
                None if bytes.len() <= INLINE_MAX => then(Payload::Inline(bytes), flags),
                None => then(Payload::Boxed(Boxed::Blob(Box::new(bytes.to_vec()))), flags),
            }
        }
    }
}

impl Drop for OwnedEntry {
    fn drop(&mut self) {
        let view = self.view();
        let kind = view.kind();
        let layout = layout(view.total());
        if !matches!(kind, Kind::Int | Kind::Inline) {
            // SAFETY: the entry owns the box; this is the only time it is taken.
            drop(unsafe { Boxed::from_raw(kind, view.boxed_ptr()) });
        }
        // SAFETY: the block was allocated with this layout (module invariant).
        unsafe { dealloc(self.0.as_ptr(), layout) }
    }
}

// SAFETY: a plain heap block; views live within the block and its box.
unsafe impl Item for OwnedEntry {
    type Ref<'a> = Entry<'a>;
    type Mut<'a> = ValueMut<'a>;

    fn into_ptr(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0
    }

    unsafe fn from_ptr(pointer: NonNull<u8>) -> Self {
        Self(pointer)
    }

    #[inline]
    unsafe fn borrow<'a>(pointer: NonNull<u8>) -> Entry<'a> {
        Entry { at: pointer, life: PhantomData }
    }

    unsafe fn borrow_mut<'a>(pointer: NonNull<u8>) -> ValueMut<'a> {
        let view: Entry<'a> = Entry { at: pointer, life: PhantomData };
        // SAFETY: live boxes of the kind's type, or bytes of the block, exclusively the caller's during 'a.
        unsafe {
            match view.kind() {
                Kind::Inline => {
                    let start = view.head() + view.key_len();
                    let bytes =
                        std::slice::from_raw_parts_mut(pointer.as_ptr().add(start), view.inline_len());
                    ValueMut::Bytes(bytes)
                }
                Kind::Blob => ValueMut::Bytes((*view.boxed_ptr().cast::<Vec<u8>>()).as_mut_slice()),
                Kind::Hash => ValueMut::Hash(&mut *Held::<Hash>::place(view.payload())),
                Kind::List => ValueMut::List(&mut *Held::<List>::place(view.payload())),
                Kind::Set => ValueMut::Set(&mut *Held::<Set>::place(view.payload())),
                Kind::ZSet => ValueMut::ZSet(&mut *Held::<ZSet>::place(view.payload())),
                Kind::Stream => ValueMut::Stream(&mut *Held::<Stream>::place(view.payload())),
                Kind::Int | Kind::Shared => ValueMut::Fixed,
            }
        }
    }

    fn duplicate(item: Entry<'_>) -> Self {
        item.duplicate(item.key())
    }

    fn hash_of(item: Entry<'_>) -> u64 {
        key_hash(item.key())
    }
}
