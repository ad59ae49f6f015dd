//! One segment of a [`SegTable`](super::seg_table::SegTable): a packed array of item pointers with a tag byte each.
//!
//! Called only by `seg_table`; calls only the allocator. One allocation of exactly one allocator size class:
//! ```text
//! 0        8        12   14   16     17   20        items_at(cap)
//! min_expire version len  cap  depth  pins tag[cap]  (pad) item[cap]: 8-byte word     (a byte of padding before pins)
//! word: bit 63 = mark ("has an expiry"), bits 48..62 = top 15 bits of the hash, bits 0..47 = address
//! ```
//! Tags hold the low 8 bits of the hash, so a lookup is an SSE2 scan over one or two cache lines, and a tag match
//! is confirmed with 15 more bits before the item itself is touched. Entries are packed: insert pushes, remove swaps
//! the last one in. Bounds: at most [`MAX_LEN`] entries before the owner splits (more only if hashes collide).
//! Why not a classic open table: no empty slots to pay for, growth is one size class at a time.
//!
//! `Seg` is a plain copyable handle. Invariant that every `unsafe` here leans on: a `Seg` in circulation points at a
//! live block made by [`Seg::alloc`], of the size its `cap` says, with `len <= cap`, the first `len` tags and words
//! initialised; `seg_table` is its only owner and drops every handle before freeing.
use crate::base::memory::good_size;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Where the tags begin.
const TAGS_AT: usize = 20;
/// Entries a segment holds before it is split: what fits the 1280-byte size class.
pub const MAX_LEN: usize = 140;
/// `min_expire` of a segment without expiring entries.
pub const NEVER: u64 = u64::MAX;
/// Hash bits kept in an item word, from the top of the hash.
pub const WORD_HASH_BITS: u32 = 15;

/// Far beyond what equal 48-bit hash prefixes can bring; `cap` stays within its u16 with the class' slack.
const MAX_COLLIDING: usize = 50_000;
const ADDRESS: usize = (1 << 48) - 1;
const HASH_MASK: usize = 0x7fff << 48;
const MARK: usize = 1 << 63;

/// An owned thing behind one thin pointer, storable in a segment.
///
/// # Safety
/// `into_ptr` gives a pointer to a live allocation (address below 2^48) that stays valid until `from_ptr` takes it
/// back; `borrow` yields a view valid as long as the item is not taken back.
pub unsafe trait Item: Sized {
    /// A shared view of the item.
    type Ref<'a>: Copy
    where
        Self: 'a;
    /// An exclusive view of the item's value (not its key).
    type Mut<'a>
    where
        Self: 'a;
    /// Gives up ownership.
    fn into_ptr(self) -> NonNull<u8>;
    /// Takes ownership back.
    ///
    /// # Safety
    /// `pointer` came from `into_ptr` and is taken back once.
    unsafe fn from_ptr(pointer: NonNull<u8>) -> Self;
    /// Views the item in place.
    ///
    /// # Safety
    /// `pointer` came from `into_ptr` and was not taken back; it is not during `'a`.
    unsafe fn borrow<'a>(pointer: NonNull<u8>) -> Self::Ref<'a>;
    /// Views the item in place for changing it.
    ///
    /// # Safety
    /// As `borrow`, and there is no other view during `'a`.
    unsafe fn borrow_mut<'a>(pointer: NonNull<u8>) -> Self::Mut<'a>;
    /// The full hash of the item's key.
    fn hash_of(item: Self::Ref<'_>) -> u64;
    /// The same item again, in an allocation of the same size class (for a segment that is copied beside a pin).
    fn duplicate(item: Self::Ref<'_>) -> Self;
}

#[repr(C, packed(4))]
struct Header {
    min_expire: u64,
    version: u32,
    len: u16,
    cap: u16,
    depth: u8,
    pad: u8,
    /// Holders besides the first (see `seg_pin`).
    others: u16,
}
const _: () = assert!(size_of::<Header>() == TAGS_AT);

const fn items_at(cap: usize) -> usize {
    (TAGS_AT + cap + 7) & !7
}

const fn bytes_for(cap: usize) -> usize {
    let size = items_at(cap) + 8 * cap;
    // The SSE2 scan reads whole 16-byte groups of tags: the block must cover them.
    if size < 48 { 48 } else { size }
}

/// The largest capacity whose block is not bigger than the class that serves `least` entries.
fn fit(least: usize) -> (usize, usize) {
    assert!(least <= MAX_COLLIDING, "more entries with equal hashes than a segment can hold");
    let size = good_size(bytes_for(least));
    let mut cap = (size - TAGS_AT) / 9;
    while items_at(cap) + 8 * cap > size {
        cap -= 1;
    }
    (cap, size)
}

fn layout(size: usize) -> Layout {
    // SAFETY: 8 is a power of two and sizes are far below isize::MAX (cap is a u16).
    unsafe { Layout::from_size_align_unchecked(size, 8) }
}

/// Asks for a cache line; any address is allowed.
#[inline]
fn prefetch(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has no effect but on the cache and faults on no address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// A handle of a segment of `T`s (see the module's invariant).
pub(super) struct Seg<T>(NonNull<u8>, PhantomData<*const T>);

impl<T> Clone for Seg<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Seg<T> {}

impl<T: Item> Seg<T> {
    /// A new empty segment for at least `least` entries; adds its size to `mem`.
    pub fn alloc(least: usize, depth: u8, mem: &mut usize) -> Self {
        let (cap, size) = fit(least);
        *mem += size;
        // SAFETY: size is not zero.
        let raw = unsafe { alloc(layout(size)) };
        let Some(block) = NonNull::new(raw) else { handle_alloc_error(layout(size)) };
        let header =
            Header { min_expire: NEVER, version: 0, len: 0, cap: cap as u16, depth, pad: 0, others: 0 };
        // SAFETY: the fresh block covers the header and everything up to the first item; tags are zeroed because
        // the group scan reads them beyond `len`, and so are the bytes behind them that it may touch.
        unsafe {
            block.cast::<Header>().write(header);
            std::ptr::write_bytes(block.as_ptr().add(TAGS_AT), 0, (cap + 15).min(size - TAGS_AT));
        }
        Self(block, PhantomData)
    }

    /// Frees the block only (the items were moved out or freed before); takes its size off `mem`.
    pub fn free(self, mem: &mut usize) {
        let size = self.block_size();
        *mem -= size;
        // SAFETY: made by `alloc` with this size, by the module's invariant.
        unsafe { dealloc(self.0.as_ptr(), layout(size)) }
    }

    /// Bytes of the block.
    pub fn block_size(self) -> usize {
        good_size(bytes_for(self.cap()))
    }

    /// The raw pointer, for a link.
    pub fn as_ptr(self) -> *mut u8 {
        self.0.as_ptr()
    }

    /// The handle of a block that `as_ptr` gave out.
    ///
    /// # Safety
    /// The module's invariant holds for `pointer`.
    pub unsafe fn from_ptr(pointer: NonNull<u8>) -> Self {
        Self(pointer, PhantomData)
    }

    #[inline]
    fn header(self) -> *mut Header {
        self.0.as_ptr().cast()
    }

    /// Entries held.
    #[inline]
    pub fn len(self) -> usize {
        // SAFETY: module invariant.
        usize::from(unsafe { (*self.header()).len })
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Entries the block has room for.
    #[inline]
    pub fn cap(self) -> usize {
        // SAFETY: module invariant.
        usize::from(unsafe { (*self.header()).cap })
    }

    /// How many top hash bits all entries share.
    #[inline]
    pub fn depth(self) -> u32 {
        // SAFETY: module invariant.
        u32::from(unsafe { (*self.header()).depth })
    }

    /// A lower bound of the entries' expiry times, ms; [`NEVER`] without any.
    #[inline]
    pub fn min_expire(self) -> u64 {
        // SAFETY: module invariant.
        unsafe { (*self.header()).min_expire }
    }

    /// Sets the bound.
    #[inline]
    pub fn set_min_expire(self, ms: u64) {
        // SAFETY: module invariant.
        unsafe { (*self.header()).min_expire = ms }
    }

    /// The snapshot version stamped last.
    pub fn version(self) -> u32 {
        // SAFETY: module invariant.
        unsafe { (*self.header()).version }
    }

    /// Stamps the snapshot version.
    pub fn set_version(self, version: u32) {
        // SAFETY: module invariant.
        unsafe { (*self.header()).version = version }
    }

    /// Holders besides the first: a segment with any is never changed.
    #[inline]
    pub fn others(self) -> u16 {
        // SAFETY: module invariant.
        unsafe { (*self.header()).others }
    }

    /// Sets the number of further holders.
    pub fn set_others(self, others: u16) {
        // SAFETY: module invariant.
        unsafe { (*self.header()).others = others }
    }

    /// A copy of the block and of every item in it, with one holder.
    pub fn duplicate(self) -> Self {
        let mut mem = 0;
        let copy = Self::alloc(self.cap(), self.depth() as u8, &mut mem);
        for index in 0..self.len() {
            copy.push_from(self, index);
            copy.set_item(index, T::duplicate(self.view(index)).into_ptr());
        }
        copy.set_min_expire(self.min_expire());
        copy.set_version(self.version());
        copy
    }

    fn set_len(self, len: usize) {
        // SAFETY: module invariant.
        unsafe { (*self.header()).len = len as u16 }
    }

    #[inline]
    fn tag(self, index: usize) -> *mut u8 {
        // SAFETY: callers pass index < cap.
        unsafe { self.0.as_ptr().add(TAGS_AT + index) }
    }

    #[inline]
    fn word(self, index: usize) -> *mut *mut u8 {
        // SAFETY: callers pass index < cap; items_at is 8-aligned as the block is.
        unsafe { self.0.as_ptr().add(items_at(self.cap())).cast::<*mut u8>().add(index) }
    }

    #[inline]
    fn word_value(self, index: usize) -> *mut u8 {
        debug_assert!(index < self.len());
        // SAFETY: words below len are initialised.
        unsafe { *self.word(index) }
    }

    /// The pointer of entry `index`.
    #[inline]
    pub fn item(self, index: usize) -> NonNull<u8> {
        let pointer = self.word_value(index).map_addr(|word| word & ADDRESS);
        // SAFETY: packed from a NonNull.
        unsafe { NonNull::new_unchecked(pointer) }
    }

    /// Views entry `index`; the caller bounds `'a` by its borrow of the table.
    #[inline]
    pub fn view<'a>(self, index: usize) -> T::Ref<'a>
    where
        T: 'a,
    {
        // SAFETY: the segment owns the item; the table hands out views bound to its own borrow.
        unsafe { T::borrow(self.item(index)) }
    }

    /// Whether entry `index` is marked (has an expiry).
    #[inline]
    pub fn is_marked(self, index: usize) -> bool {
        self.word_value(index).addr() & MARK != 0
    }

    /// Sets or clears the mark of entry `index`.
    pub fn set_mark(self, index: usize, on: bool) {
        let word = self.word_value(index).map_addr(|word| if on { word | MARK } else { word & !MARK });
        // SAFETY: index < len.
        unsafe { *self.word(index) = word }
    }

    /// The top [`WORD_HASH_BITS`] bits of entry `index`'s hash, without touching the entry.
    #[inline]
    pub fn hash_top(self, index: usize) -> u64 {
        ((self.word_value(index).addr() & HASH_MASK) >> 48) as u64
    }

    /// Replaces the pointer of entry `index`, keeping its hash bits and mark.
    pub fn set_item(self, index: usize, item: NonNull<u8>) {
        let upper = self.word_value(index).addr() & !ADDRESS;
        debug_assert_eq!(item.addr().get() & !ADDRESS, 0);
        // SAFETY: index < len.
        unsafe { *self.word(index) = item.as_ptr().map_addr(|address| address | upper) }
    }

    /// Appends an entry; there must be room.
    pub fn push(self, hash: u64, item: NonNull<u8>, marked: bool) {
        assert_eq!(item.addr().get() & !ADDRESS, 0, "address beyond 48 bits");
        let upper = (((hash >> 49) as usize) << 48) | if marked { MARK } else { 0 };
        self.push_word(hash as u8, item.as_ptr().map_addr(|address| address | upper));
    }

    fn push_word(self, tag: u8, word: *mut u8) {
        let index = self.len();
        assert!(index < self.cap());
        // SAFETY: index < cap.
        unsafe {
            *self.tag(index) = tag;
            self.word(index).write(word);
        }
        self.set_len(index + 1);
    }

    /// Copies entry `index` of `from`, tag and word, to the end.
    pub fn push_from(self, from: Self, index: usize) {
        // SAFETY: index < from.len().
        let tag = unsafe { *from.tag(index) };
        self.push_word(tag, from.word_value(index));
    }

    /// Takes entry `index` out; the last one moves into its place.
    pub fn swap_remove(self, index: usize) -> NonNull<u8> {
        let item = self.item(index);
        let last = self.len() - 1;
        // SAFETY: index <= last < len.
        unsafe {
            *self.tag(index) = *self.tag(last);
            *self.word(index) = *self.word(last);
        }
        self.set_len(last);
        item
    }

    /// Copies all entries and the bounds into a block for at least `least` entries and frees this one.
    pub fn resize(self, least: usize, mem: &mut usize) -> Self {
        let len = self.len();
        debug_assert!(least >= len);
        let new = Self::alloc(least, self.depth() as u8, mem);
        // SAFETY: both blocks hold at least len tags and words and do not overlap.
        unsafe {
            std::ptr::copy_nonoverlapping(self.tag(0), new.tag(0), len);
            std::ptr::copy_nonoverlapping(self.word(0), new.word(0), len);
        }
        new.set_len(len);
        new.set_min_expire(self.min_expire());
        new.set_version(self.version());
        self.free(mem);
        new
    }

    /// Whether a smaller size class would do with room to spare (avoids flapping).
    pub fn is_sparse(self) -> bool {
        let cap = self.cap();
        cap > 3 && self.len() <= cap - cap / 4 - 2
    }

    /// The index of the entry with `hash` for which `same` holds.
    #[inline]
    pub fn find(self, hash: u64, mut same: impl FnMut(T::Ref<'_>) -> bool) -> Option<usize> {
        let len = self.len();
        let want = ((hash >> 49) as usize) << 48;
        let mut base = 0;
        while base < len {
            let mut hits = self.match_group(base, hash as u8);
            if len - base < 16 {
                hits &= (1 << (len - base)) - 1;
            }
            while hits != 0 {
                let index = base + hits.trailing_zeros() as usize;
                hits &= hits - 1;
                if self.word_value(index).addr() & HASH_MASK == want && same(self.view(index)) {
                    return Some(index);
                }
            }
            base += 16;
        }
        None
    }

    /// Fetches the head and the first tags into the cache.
    #[inline]
    pub fn prefetch(self) {
        prefetch(self.0.as_ptr());
        prefetch(self.0.as_ptr().wrapping_add(64));
    }

    /// Fetches the item that looks like `hash` into the cache.
    #[inline]
    pub fn prefetch_item(self, hash: u64) {
        // `find` compares tag and word bits before it asks; saying yes stops at the first that fits.
        if let Some(index) = self.find(hash, |_| true) {
            let item = self.item(index).as_ptr();
            prefetch(item);
            prefetch(item.wrapping_add(64));
        }
    }

    /// Bit i set: tag base+i equals `tag` (bits beyond `len` are noise).
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn match_group(self, base: usize, tag: u8) -> u32 {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8};
        // SAFETY: base < len <= cap, and TAGS_AT + base + 16 <= block size: the smallest block is 48 bytes with cap 3;
        // from there on 8 * cap bytes of items follow the tags. SSE2 is part of x86_64.
        unsafe {
            let group = _mm_loadu_si128(self.tag(base).cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(group, _mm_set1_epi8(tag as i8))) as u32
        }
    }

    /// Bit i set: tag base+i equals `tag` (bits beyond `len` are noise).
    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn match_group(self, base: usize, tag: u8) -> u32 {
        let mut hits = 0;
        for offset in 0..16.min(self.len() - base) {
            // SAFETY: base + offset < len.
            hits |= u32::from(unsafe { *self.tag(base + offset) } == tag) << offset;
        }
        hits
    }
}
