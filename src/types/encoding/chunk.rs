//! `Chunk`: a run of listpack entries with room at both ends.
//!
//! Used by `list` (the whole of a small list, a leaf of a large one); calls `packed` and `listpack` for the entries' bytes. Layout:
//! ```text
//! block:  [ free | entry entry … entry | free ]        entries are a listpack's, without its header and terminator
//!         0      start                 end   capacity
//! ```
//! Invariants: `start <= end <= capacity`, the bytes between are initialised and are `count` whole entries; the block is `capacity` bytes,
//! which is a size class of the allocator (0: no block). Bounds: 4 GB; whoever fills it keeps it far below. A push at either end is amortised constant.
//! Why not a ListPack: its header stands in the way of the front, so that LPUSH and LPOP would move everything each time.
use super::listpack::{HEAD, ListPack, backlen_size, body_len, decode};
use super::packed::Packed;
use crate::base::memory::good_size;
use crate::types::element::Element;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Blocks below this size are never made smaller, bytes.
const KEPT: usize = 64;

/// See the module's text.
pub struct Chunk {
    data: NonNull<u8>,
    capacity: u32,
    start: u32,
    end: u32,
    count: u32,
}

// SAFETY: a chunk owns its block alone.
unsafe impl Send for Chunk {}

impl Default for Chunk {
    fn default() -> Self {
        Self { data: NonNull::dangling(), capacity: 0, start: 0, end: 0, count: 0 }
    }
}

impl Clone for Chunk {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.move_to(self.bytes(), 0, 0);
        copy.count = self.count;
        copy
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: the block was allocated with this layout (module invariant).
            unsafe { dealloc(self.data.as_ptr(), layout(self.capacity as usize)) }
        }
    }
}

fn layout(size: usize) -> Layout {
    // SAFETY: 1 is a power of two; capacities are u32.
    unsafe { Layout::from_size_align_unchecked(size, 1) }
}

impl Chunk {
    /// Of a listpack's entries; None if one of them is not as [`Packed`] would write it.
    pub fn from_listpack(stored: &ListPack) -> Option<Self> {
        let bytes = stored.as_bytes();
        let mut entries = Entries { bytes: &bytes[HEAD..bytes.len() - 1] };
        let (mut chunk, mut count) = (Self::default(), 0);
        let all = entries.bytes;
        while let Some(body) = entries.next_body() {
            if !Packed::of(decode(body)).is_body(body) {
                return None;
            }
            count += 1;
        }
        chunk.move_to(all, 0, 0);
        chunk.count = count;
        Some(chunk)
    }

    /// Entries held.
    #[inline]
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Bytes of the entries.
    #[inline]
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes the allocator holds for it.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.capacity as usize
    }

    /// The entries, one behind the other.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: start..end is initialised and inside the block (module invariant).
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().add(self.start as usize), self.len()) }
    }

    /// Entries from the first on.
    #[inline]
    pub fn entries(&self) -> Entries<'_> {
        Entries { bytes: self.bytes() }
    }

    /// Offset of entry `index` (the end, if it is the count), found from the nearer end.
    pub fn offset_of(&self, index: usize) -> usize {
        let mut entries = self.entries();
        if index <= self.count() / 2 {
            for _ in 0..index {
                entries.next_body();
            }
            return self.len() - entries.bytes.len();
        }
        for _ in index..self.count() {
            entries.previous_body();
        }
        entries.bytes.len()
    }

    /// Entries from `index` on.
    pub fn entries_from(&self, index: usize) -> Entries<'_> {
        Entries { bytes: &self.bytes()[self.offset_of(index)..] }
    }

    /// Entries before `index`.
    pub fn entries_to(&self, index: usize) -> Entries<'_> {
        Entries { bytes: &self.bytes()[..self.offset_of(index)] }
    }

    /// The entry at offset `at`.
    pub fn get(&self, at: usize) -> Option<Element<'_>> {
        Entries { bytes: &self.bytes()[at..] }.next()
    }

    /// Adds an entry at the end.
    #[inline]
    pub fn push_back(&mut self, entry: &Packed<'_>) {
        let len = entry.len();
        if len > (self.capacity - self.end) as usize {
            self.make_room(0, len);
        }
        self.write(self.end as usize, entry);
        self.end += len as u32;
        self.count += 1;
    }

    /// Adds an entry at the front.
    #[inline]
    pub fn push_front(&mut self, entry: &Packed<'_>) {
        let len = entry.len();
        if len > self.start as usize {
            self.make_room(len, 0);
        }
        self.start -= len as u32;
        self.write(self.start as usize, entry);
        self.count += 1;
    }

    /// Copies an entry to `at`.
    #[inline]
    fn write(&mut self, at: usize, entry: &Packed<'_>) {
        assert!(at + entry.len() <= self.capacity as usize);
        let mut at = at;
        for part in entry.parts() {
            // SAFETY: inside the block (asserted); `part` cannot lie in it, for the block is borrowed exclusively.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), self.data.as_ptr().add(at), part.len()) }
            at += part.len();
        }
    }

    /// Sees to it that `front` and `back` bytes are free, by sliding the entries or in another block.
    #[cold]
    fn make_room(&mut self, front: usize, back: usize) {
        let (len, capacity) = (self.len(), self.capacity as usize);
        let need = len + front + back;
        if need + need / 8 <= capacity {
            let start = if front > 0 { capacity - len - back } else { front };
            // SAFETY: both ranges are inside the block, since need <= capacity.
            unsafe {
                let data = self.data.as_ptr();
                std::ptr::copy(data.add(self.start as usize), data.add(start), len);
            }
            (self.start, self.end) = (start as u32, (start + len) as u32);
            return;
        }
        let mut grown = Self::default();
        grown.move_to(self.bytes(), front, back);
        grown.count = self.count;
        *self = grown;
    }

    /// Fills this chunk, which has no block, with `bytes`; what the size class leaves over goes to the end that asked for room.
    fn move_to(&mut self, bytes: &[u8], front: usize, back: usize) {
        let need = bytes.len() + front + back;
        if need == 0 {
            return;
        }
        let capacity = good_size(need);
        assert!(capacity <= u32::MAX as usize);
        let layout = layout(capacity);
        // SAFETY: the size is not zero.
        let Some(data) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let start = if front > 0 { capacity - bytes.len() - back } else { 0 };
        // SAFETY: the fresh block has room for the bytes from `start` on.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), data.as_ptr().add(start), bytes.len()) }
        (self.data, self.capacity) = (data, capacity as u32);
        (self.start, self.end) = (start as u32, (start + bytes.len()) as u32);
    }

    /// Gives a block that is mostly free back for a smaller one.
    #[inline]
    fn shrink(&mut self) {
        if self.capacity as usize > KEPT && self.len() < self.capacity as usize / 2 {
            let mut small = Self::default();
            small.move_to(self.bytes(), 0, 0);
            small.count = self.count;
            *self = small;
        }
    }

    /// Drops `count` entries from the front (at most all).
    pub fn drop_front(&mut self, count: usize) {
        let mut entries = self.entries();
        let dropped = (0..count).take_while(|_| entries.next_body().is_some()).count();
        self.start = self.end - entries.bytes.len() as u32;
        self.count -= dropped as u32;
        self.shrink();
    }

    /// Drops `count` entries from the end (at most all).
    pub fn drop_back(&mut self, count: usize) {
        let mut entries = self.entries();
        let dropped = (0..count).take_while(|_| entries.previous_body().is_some()).count();
        self.end = self.start + entries.bytes.len() as u32;
        self.count -= dropped as u32;
        self.shrink();
    }

    /// Puts `entry` before the one at offset `at` (or at the end).
    pub fn insert(&mut self, at: usize, entry: &Packed<'_>) {
        self.open(at, 0, entry.len());
        self.write(self.start as usize + at, entry);
        self.count += 1;
    }

    /// Puts `entry` in the place of the one at offset `at`.
    pub fn replace(&mut self, at: usize, entry: &Packed<'_>) {
        let old = self.entry_len(at);
        self.open(at, old, entry.len());
        self.write(self.start as usize + at, entry);
        self.shrink();
    }

    /// Takes the entry at offset `at` out.
    pub fn remove(&mut self, at: usize) {
        let old = self.entry_len(at);
        self.open(at, old, 0);
        self.count -= 1;
        self.shrink();
    }

    /// Takes the entries that equal `entry` out, but for the first `skipped` and at most `limit`; returns how many went.
    pub fn remove_equal(&mut self, entry: &Packed<'_>, skipped: usize, limit: usize) -> usize {
        let (mut read, mut written, mut seen, mut gone) = (0, 0, 0, 0);
        let len = self.len();
        // SAFETY: start..end is initialised and inside the block, which is borrowed exclusively.
        let bytes =
            unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr().add(self.start as usize), len) };
        while read < len && gone < limit {
            let body = body_len(&bytes[read..]).unwrap_or(len - read);
            let whole = (body + backlen_size(body)).min(len - read);
            let equal = entry.is_body(&bytes[read..read + body]);
            seen += usize::from(equal);
            if equal && seen > skipped {
                gone += 1;
            } else {
                bytes.copy_within(read..read + whole, written);
                written += whole;
            }
            read += whole;
        }
        bytes.copy_within(read.., written);
        self.end -= (read - written) as u32;
        self.count -= gone as u32;
        self.shrink();
        gone
    }

    /// Bytes of the entry at offset `at`.
    fn entry_len(&self, at: usize) -> usize {
        let body = body_len(&self.bytes()[at..]).unwrap_or(0);
        body + backlen_size(body)
    }

    /// Makes the gap of `old` bytes at offset `at` one of `new` bytes, by moving the shorter side.
    fn open(&mut self, at: usize, old: usize, new: usize) {
        let (len, more) = (self.len(), new.saturating_sub(old));
        assert!(at + old <= len);
        let (before, after) = (at, len - at - old);
        if before < after {
            if more > self.start as usize {
                self.make_room(more, 0);
            }
            let start = self.start as usize;
            let moved = start + old - new;
            // SAFETY: `before` bytes from either place are inside the block: `start + old - new >= 0` was seen to.
            unsafe { std::ptr::copy(self.data.as_ptr().add(start), self.data.as_ptr().add(moved), before) }
            self.start = moved as u32;
        } else {
            if more > (self.capacity - self.end) as usize {
                self.make_room(0, more);
            }
            let gap = self.start as usize + at;
            // SAFETY: `after` bytes from either place are inside the block: room for the growth was seen to.
            unsafe {
                let data = self.data.as_ptr();
                std::ptr::copy(data.add(gap + old), data.add(gap + new), after);
            }
            self.end = (gap + new + after) as u32;
        }
    }

    /// Cuts the entries from offset `at` on off into a chunk of their own.
    pub fn split_off(&mut self, at: usize) -> Self {
        let mut right = Self::default();
        right.move_to(&self.bytes()[at..], 0, 0);
        right.count = right.entries().count() as u32;
        self.count -= right.count;
        self.end = self.start + at as u32;
        self.shrink();
        right
    }

    /// Adds all entries of `other`.
    pub fn append(&mut self, other: &Self) {
        let len = other.len();
        if len > (self.capacity - self.end) as usize {
            self.make_room(0, len);
        }
        assert!(self.end as usize + len <= self.capacity as usize);
        let bytes = other.bytes();
        // SAFETY: room was made (asserted); the chunks have different blocks.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.data.as_ptr().add(self.end as usize), len);
        }
        self.end += len as u32;
        self.count += other.count;
    }
}

/// Entries of a chunk, from either end.
#[derive(Clone, Default)]
pub struct Entries<'a> {
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    /// Bytes left.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next entry without its backlen.
    #[inline]
    pub fn next_body(&mut self) -> Option<&'a [u8]> {
        let len = body_len(self.bytes)?;
        let (body, rest) = self.bytes.split_at(len);
        self.bytes = &rest[backlen_size(len)..];
        Some(body)
    }

    /// The last entry without its backlen.
    #[inline]
    pub fn previous_body(&mut self) -> Option<&'a [u8]> {
        let (mut len, mut size) = (0usize, 0);
        loop {
            let at = self.bytes.len().checked_sub(size + 1)?;
            let byte = self.bytes[at];
            len |= usize::from(byte & 127) << (7 * size);
            size += 1;
            if byte & 128 == 0 {
                break;
            }
        }
        let end = self.bytes.len() - size;
        let (rest, body) = self.bytes[..end].split_at(end - len);
        self.bytes = rest;
        Some(body)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        self.next_body().map(decode)
    }
}

impl DoubleEndedIterator for Entries<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.previous_body().map(decode)
    }
}
