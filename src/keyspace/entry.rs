//! One key with its value: the layout of its single allocation, and the read-only views of it.
//!
//! Used by `dict`/`db` (which own entries in slot tables) and, as [`Entry`], by every command handler. Layout:
//! ```text
//! 0                          4        8            (8|16)                            then
//! kind 5 | flags 3 | lru 24  key_len  [expire_at]  Int: i64, Inline: val_len u32,    key bytes [value bytes]
//!                                                  else: the word of a `Boxed`
//! ```
//! Invariant: an [`OwnedEntry`](super::owned_entry::OwnedEntry) owns a live block of `good_size(total)` bytes, where `total` follows from the header, all of
//! it written; the word of a boxed kind owns a value of that kind. Only this file,
//! `owned_entry` (making and changing) and `boxed` know the layout.
//! Bounds: an inline value has at most [`INLINE_MAX`] bytes; key and value at most u32::MAX (protocol: 512 MB).
//! Why not an enum of Strings: 16+64 bytes fit a 96-byte class this way, everything included. `Entry` is a handle, not a
//! reference to a header struct, because a `&Header` may not be used to read the bytes behind it.
use super::boxed::{Stored, blob_bytes, collection_bytes, shared_bytes};
use super::held::Held;
use super::owned_entry::OwnedEntry;
use crate::base::memory::good_size;
use crate::types::element::Element;
use crate::types::hash::Hash;
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::stream::Stream;
use crate::types::zset::ZSet;
use bytes::Bytes;
use std::alloc::Layout;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Longest string kept inside the entry, bytes.
pub const INLINE_MAX: usize = 2048;
/// Longest string redis calls embstr.
const EMBSTR_MAX: usize = 44;

pub(super) const KIND_MASK: u32 = 0x1f;
pub(super) const HAS_EXPIRE: u32 = 0x20;
/// The string is "raw" whatever its length: it was modified in place.
pub(super) const IS_RAW: u32 = 0x40;

/// The bit of snapshots (`cut`).
const MARK: u32 = 0x80;

/// How the value is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An integer in the entry.
    Int,
    /// A string in the entry.
    Inline,
    /// A growable string outside.
    Blob,
    /// A shared buffer outside.
    Shared,
    /// A hash outside.
    Hash,
    /// A list outside.
    List,
    /// A set outside.
    Set,
    /// A sorted set outside.
    ZSet,
    /// A stream outside.
    Stream,
}

const KINDS: [Kind; 9] = [
    Kind::Int,
    Kind::Inline,
    Kind::Blob,
    Kind::Shared,
    Kind::Hash,
    Kind::List,
    Kind::Set,
    Kind::ZSet,
    Kind::Stream,
];

/// The types clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A string of any encoding.
    String,
    /// A hash.
    Hash,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    ZSet,
    /// A stream.
    Stream,
}

impl ValueType {
    /// TYPE's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Hash => "hash",
            Self::List => "list",
            Self::Set => "set",
            Self::ZSet => "zset",
            Self::Stream => "stream",
        }
    }
}

/// A value as readers see it.
#[derive(Clone, Copy)]
pub enum ValueRef<'a> {
    /// A string kept as an integer.
    Int(i64),
    /// A string.
    Bytes(&'a [u8]),
    /// A large string that can be sent without copying.
    Shared(&'a Bytes),
    /// A hash.
    Hash(&'a Hash),
    /// A list.
    List(&'a List),
    /// A set.
    Set(&'a Set),
    /// A sorted set.
    ZSet(&'a ZSet),
    /// A stream.
    Stream(&'a Stream),
}

/// A value that can be changed where it lies.
pub enum ValueMut<'a> {
    /// A string's bytes (same length).
    Bytes(&'a mut [u8]),
    /// A hash.
    Hash(&'a mut Hash),
    /// A list.
    List(&'a mut List),
    /// A set.
    Set(&'a mut Set),
    /// A sorted set.
    ZSet(&'a mut ZSet),
    /// A stream.
    Stream(&'a mut Stream),
    /// An integer or a shared buffer: to be replaced, not changed.
    Fixed,
}

/// A view of an entry in its table. The recency bits change under it (they are not part of the value).
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub(super) at: NonNull<u8>,
    pub(super) life: PhantomData<&'a OwnedEntry>,
}

pub(super) fn layout(total: usize) -> Layout {
    // SAFETY: 8 is a power of two; lengths are u32, far from isize::MAX.
    unsafe { Layout::from_size_align_unchecked(good_size(total), 8) }
}

pub(super) const fn head_len(has_expire: bool, kind: Kind) -> usize {
    8 + if has_expire { 8 } else { 0 } + if matches!(kind, Kind::Inline) { 4 } else { 8 }
}

impl<'a> Entry<'a> {
    #[inline]
    pub(super) fn meta_ptr(self) -> *mut u32 {
        self.at.as_ptr().cast()
    }

    #[inline]
    pub(super) fn meta(self) -> u32 {
        // SAFETY: a live entry begins with its meta word.
        unsafe { *self.meta_ptr() }
    }

    /// How the value is held.
    #[inline]
    pub fn kind(self) -> Kind {
        KINDS[((self.meta() & KIND_MASK) as usize).min(KINDS.len() - 1)]
    }

    #[inline]
    pub(super) fn has_expire(self) -> bool {
        self.meta() & HAS_EXPIRE != 0
    }

    #[inline]
    pub(super) fn key_len(self) -> usize {
        // SAFETY: the second word of a live entry.
        unsafe { *self.meta_ptr().add(1) as usize }
    }

    /// Where the payload word is: right behind the header and the optional expiry.
    #[inline]
    pub(super) fn payload(self) -> *mut u8 {
        // SAFETY: within the block by the layout.
        unsafe { self.at.as_ptr().add(if self.has_expire() { 16 } else { 8 }) }
    }

    #[inline]
    pub(super) fn head(self) -> usize {
        head_len(self.has_expire(), self.kind())
    }

    #[inline]
    pub(super) fn inline_len(self) -> usize {
        debug_assert_eq!(self.kind(), Kind::Inline);
        // SAFETY: the payload of an inline entry is its length, 4-aligned.
        unsafe { *self.payload().cast::<u32>() as usize }
    }

    pub(super) fn boxed_ptr(self) -> *mut u8 {
        // SAFETY: the payload of a boxed kind is a pointer, 8-aligned (callers checked the kind).
        unsafe { *self.payload().cast::<*mut u8>() }
    }

    pub(super) fn total(self) -> usize {
        let value = if self.kind() == Kind::Inline { self.inline_len() } else { 0 };
        self.head() + self.key_len() + value
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        // SAFETY: the key's bytes lie behind the head.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr().add(self.head()), self.key_len()) }
    }

    /// The value.
    #[inline]
    pub fn value(self) -> ValueRef<'a> {
        match self.kind() {
            Kind::Inline => {
                let start = self.head() + self.key_len();
                // SAFETY: the value's bytes follow the key's.
                ValueRef::Bytes(unsafe {
                    std::slice::from_raw_parts(self.at.as_ptr().add(start), self.inline_len())
                })
            }
            // SAFETY: the payload of an Int entry is an i64, 8-aligned.
            Kind::Int => ValueRef::Int(unsafe { *self.payload().cast::<i64>() }),
            // SAFETY: the pointer is a live Box of the kind's type, not mutably borrowed while this view is.
            Kind::Blob => ValueRef::Bytes(unsafe { (*self.boxed_ptr().cast::<Vec<u8>>()).as_slice() }),
            // SAFETY: as above.
            Kind::Shared => ValueRef::Shared(unsafe { &*self.boxed_ptr().cast::<Bytes>() }),
            // SAFETY: as above.
            Kind::Hash => ValueRef::Hash(unsafe { &*Held::<Hash>::place(self.payload()) }),
            // SAFETY: as above.
            Kind::List => ValueRef::List(unsafe { &*Held::<List>::place(self.payload()) }),
            // SAFETY: as above.
            Kind::Set => ValueRef::Set(unsafe { &*Held::<Set>::place(self.payload()) }),
            // SAFETY: as above.
            Kind::ZSet => ValueRef::ZSet(unsafe { &*Held::<ZSet>::place(self.payload()) }),
            // SAFETY: as above.
            Kind::Stream => ValueRef::Stream(unsafe { &*Held::<Stream>::place(self.payload()) }),
        }
    }

    /// The type clients know.
    pub fn value_type(self) -> ValueType {
        match self.kind() {
            Kind::Int | Kind::Inline | Kind::Blob | Kind::Shared => ValueType::String,
            Kind::Hash => ValueType::Hash,
            Kind::List => ValueType::List,
            Kind::Set => ValueType::Set,
            Kind::ZSet => ValueType::ZSet,
            Kind::Stream => ValueType::Stream,
        }
    }

    /// The string value; None for other types.
    pub fn string(self) -> Option<Element<'a>> {
        match self.value() {
            ValueRef::Int(number) => Some(Element::Int(number)),
            ValueRef::Bytes(bytes) => Some(Element::Bytes(bytes)),
            ValueRef::Shared(bytes) => Some(Element::Bytes(bytes)),
            _ => None,
        }
    }

    /// The string's text; None for other types.
    pub fn text(self) -> Option<Cow<'a, [u8]>> {
        self.string().map(Element::to_bytes)
    }

    /// Length of the string's text; None for other types.
    pub fn string_len(self) -> Option<usize> {
        self.string().map(Element::text_len)
    }

    /// The collection of type `T`; None for other types.
    #[inline]
    pub fn get<T: Stored>(self) -> Option<&'a T> {
        T::of(self.value())
    }

    /// When it expires, internal ms.
    #[inline]
    pub fn expire_at(self) -> Option<u64> {
        // SAFETY: with the flag set the second 8 bytes are the expiry.
        self.has_expire().then(|| unsafe { *self.at.as_ptr().add(8).cast::<u64>() })
    }

    /// Whether it is logically gone at `now_ms` (redis: strictly later than its time).
    #[inline]
    pub fn is_expired(self, now_ms: u64) -> bool {
        self.expire_at().is_some_and(|ms| now_ms > ms)
    }

    /// The 24 recency bits (see `freshness`).
    #[inline]
    pub fn lru(self) -> u32 {
        self.meta() >> 8
    }

    /// Sets the recency bits, also through a shared view.
    #[inline]
    pub fn set_lru(self, lru: u32) {
        // SAFETY: the meta word is only ever read and written by value, on the owning thread (views are not Sync).
        unsafe { *self.meta_ptr() = (self.meta() & 0xff) | lru << 8 }
    }

    /// The snapshot's bit (`cut`).
    #[inline]
    pub(super) fn mark(self) -> u32 {
        self.meta() & MARK
    }

    /// Sets the snapshot's bit, also through a shared view.
    #[inline]
    pub(super) fn set_mark(self, mark: u32) {
        // SAFETY: as in `set_lru`.
        unsafe { *self.meta_ptr() = self.meta() & !MARK | mark }
    }

    /// The other value of the bit.
    pub(super) fn other_mark(mark: u32) -> u32 {
        mark ^ MARK
    }

    /// Asks the cache for the entry's first line.
    #[inline]
    pub(super) fn prefetch(self) {
        crate::base::cache::prefetch(self.at.as_ptr(), 1);
    }

    /// OBJECT ENCODING's word.
    pub fn encoding(self) -> &'static str {
        match self.value() {
            ValueRef::Int(_) => "int",
            ValueRef::Bytes(bytes) if bytes.len() <= EMBSTR_MAX && self.meta() & IS_RAW == 0 => "embstr",
            ValueRef::Bytes(_) | ValueRef::Shared(_) => "raw",
            value => value.collection().map_or("raw", |collection| collection.encoding()),
        }
    }

    /// Bytes the allocator holds for the entry and its value (not its place in the table).
    #[inline]
    pub fn heap_bytes(self) -> usize {
        let block = good_size(self.total());
        match self.kind() {
            Kind::Int | Kind::Inline => block,
            // SAFETY: a live box of the kind's type.
            Kind::Blob => block + blob_bytes(unsafe { &*self.boxed_ptr().cast::<Vec<u8>>() }),
            // SAFETY: as above.
            Kind::Shared => block + shared_bytes(unsafe { &*self.boxed_ptr().cast::<Bytes>() }),
            _ => block + self.value().collection().map_or(0, collection_bytes),
        }
    }
}
