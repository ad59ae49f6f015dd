//! The provided-buffer ring of one core: memory the kernel receives into, given back after parsing.
//!
//! ```text
//! entries (shared with the kernel, page aligned)      storage
//! [addr u64 | len u32 | bid u16 | resv/tail u16] x n   [buffer 0][buffer 1]…[buffer n-1]
//! ```
//! The tail lives in the reserved field of entry 0 (`struct io_uring_buf_ring`, linux/io_uring.h).
//! Used by [`super::Ring`] only. Invariant: a buffer is either the kernel's (between `recycle` and a completion that
//! names it) or ours. Bounds: count is a power of two up to 32768. Why not one buffer per connection: ten
//! thousand idle connections would hold ten thousand of them.

use std::alloc::Layout;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

/// The buffer group id of socket receives.
pub const BUFFER_GROUP: u16 = 0;

/// The ring and its storage, both freed with it (after the io_uring that uses them, see field order in `Ring`).
pub struct BufferRing {
    entries: *mut BufRingEntry,
    entries_layout: Layout,
    storage: *mut u8,
    storage_layout: Layout,
    count: u16,
    size: u32,
    tail: u16,
}

impl BufferRing {
    /// Allocates and registers `count` (a power of two) buffers of `size` bytes.
    pub fn register(submitter: &Submitter<'_>, count: u16, size: u32) -> io::Result<BufferRing> {
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let entries_layout =
            Layout::from_size_align(count as usize * size_of::<BufRingEntry>(), 4096).map_err(invalid)?;
        let storage_layout =
            Layout::from_size_align(count as usize * size as usize, 4096).map_err(invalid)?;
        // SAFETY: both layouts have a size above zero (count and size are constants of limits.rs).
        let (entries, storage) =
            unsafe { (std::alloc::alloc_zeroed(entries_layout), std::alloc::alloc(storage_layout)) };
        if entries.is_null() || storage.is_null() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let entries = entries.cast::<BufRingEntry>();
        let mut ring = BufferRing { entries, entries_layout, storage, storage_layout, count, size, tail: 0 };
        // SAFETY: the entries are page aligned, zeroed, `count` long, and live as long as the ring (Drop order).
        unsafe { submitter.register_buf_ring_with_flags(entries as u64, count, BUFFER_GROUP, 0)? };
        for id in 0..count {
            ring.recycle(id);
        }
        Ok(ring)
    }

    /// The bytes of buffer `id`.
    pub fn slice(&self, id: u16, len: usize) -> (*const u8, usize) {
        debug_assert!(id < self.count && len <= self.size as usize);
        // SAFETY: the kernel names only ids that were provided, so the offset is inside the storage.
        (unsafe { self.storage.add(id as usize * self.size as usize) }, len)
    }

    /// Hands buffer `id` to the kernel.
    pub fn recycle(&mut self, id: u16) {
        let slot = self.tail & (self.count - 1);
        let (address, _) = self.slice(id, 0);
        // SAFETY: slot < count; this thread alone writes entries behind the published tail. The tail field (entry 0's
        // reserved u16) is written only by the atomic store below.
        unsafe {
            let entry = &mut *self.entries.add(slot as usize);
            entry.set_addr(address as u64);
            entry.set_len(self.size);
            entry.set_bid(id);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.entries).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

impl Drop for BufferRing {
    fn drop(&mut self) {
        // SAFETY: allocated in `register` with these layouts; the io_uring is a field declared before this one and
        // therefore already closed.
        unsafe {
            std::alloc::dealloc(self.entries.cast(), self.entries_layout);
            std::alloc::dealloc(self.storage, self.storage_layout);
        }
    }
}
