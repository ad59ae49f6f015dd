//! The process' allocator: mimalloc, with every byte counted.
//!
//! `lib.rs` installs [`Counting`]; INFO, maxmemory and eviction ask [`used`]. It calls mimalloc, and `reclaim` when a huge block is freed.
//! Ordinary alignments go to `mi_malloc` itself: the crate's `GlobalAlloc` always calls `mi_malloc_aligned`, which
//! over-allocates above 1 KB even for the alignment every block has (1280 bytes at 8 cost 1536).
//! Invariant: `used()` is the sum of the block sizes mimalloc gives out for the live allocations (not the sizes asked
//! for), up to what other threads are changing at that moment. Each thread writes only its own padded counter: no lock
//! and no shared line on the path. Memory freed by another thread than it was allocated on makes one counter fall
//! below zero; only the sum means anything.
//! Bounds: 256 threads have their own counter, later ones share the last by atomic addition.
//! Why arithmetic for the block size and not `mi_usable_size`: that is a lookup in the page map for each free; the
//! size classes are a simple function of the size, checked against mimalloc by a test. (A block shrunk in place
//! keeps its old size until it is freed; it is counted by its new one.)
use super::reclaim;
use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads with a counter of their own; the last place is shared by all further ones.
const PLACES: usize = 256;
const SHARED_PLACE: usize = PLACES - 1;
/// Above this size a block is not from a size class but whole slices of an arena.
const LARGEST_CLASS: usize = 512 * 1024;
const SLICE: usize = 64 * 1024;
const PAGE: usize = 4096;

/// Two cache lines, so that the neighbour prefetcher does not couple two threads.
#[repr(align(128))]
struct Place(AtomicUsize);

static COUNTERS: [Place; PLACES] = [const { Place(AtomicUsize::new(0)) }; PLACES];
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

const UNREGISTERED: usize = usize::MAX;

thread_local! {
    /// This thread's place. Constant-initialized and without destructor: reading it can neither allocate nor fail.
    static MY_PLACE: Cell<usize> = const { Cell::new(UNREGISTERED) };
}

#[cold]
#[inline(never)]
fn register() -> usize {
    let place = TAKEN.fetch_add(1, Ordering::Relaxed).min(SHARED_PLACE);
    MY_PLACE.with(|mine| mine.set(place));
    place
}

/// Adds `change` (wrapping, so a negative one too) to this thread's counter.
#[inline(always)]
fn count(change: usize) {
    let mut place = MY_PLACE.with(Cell::get);
    if place >= SHARED_PLACE {
        if place == UNREGISTERED {
            place = register();
        }
        if place == SHARED_PLACE {
            COUNTERS[SHARED_PLACE].0.fetch_add(change, Ordering::Relaxed);
            return;
        }
    }
    // Only this thread writes here, so load and store need not be one step.
    let counter = &COUNTERS[place].0;
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(change), Ordering::Relaxed);
}

/// The size of the block mimalloc gives for `size` bytes of ordinary alignment (up to 16).
#[inline]
pub const fn good_size(size: usize) -> usize {
    if size <= 64 {
        // 8, then multiples of 16.
        return if size <= 8 { 8 } else { (size + 15) & !15 };
    }
    if size > LARGEST_CLASS {
        return size.saturating_add(SLICE - 1) & !(SLICE - 1);
    }
    // Four classes between powers of two: keep the three leading bits, rounded up.
    let step = 1usize << ((size - 1).ilog2() - 2);
    (size + step - 1) & !(step - 1)
}

/// Whether every block for such a layout is aligned enough by itself: mimalloc's blocks are at multiples of 16, those of
/// up to 8 bytes at multiples of 8.
#[inline(always)]
const fn is_ordinary(size: usize, align: usize) -> bool {
    align <= 8 || (align == 16 && size > 8)
}

/// The counted size of an allocation.
#[inline(always)]
const fn counted_size(size: usize, align: usize) -> usize {
    if is_ordinary(size, align) { good_size(size) } else { aligned_size(size, align) }
}

/// The block behind a larger alignment: mimalloc asks for more and aligns inside, unless the class is aligned anyway.
#[cold]
const fn aligned_size(size: usize, align: usize) -> usize {
    let plain = good_size(size);
    if align <= size && plain.is_power_of_two() && plain <= PAGE {
        return plain;
    }
    if align == PAGE && size >= PAGE && plain.is_multiple_of(PAGE) {
        return plain;
    }
    good_size((if size < 16 { 16 } else { size }).saturating_add(align - 1))
}

// The library behind the `mimalloc` crate, which exports only its aligned functions.
unsafe extern "C" {
    fn mi_malloc(size: usize) -> *mut libc::c_void;
    fn mi_zalloc(size: usize) -> *mut libc::c_void;
    fn mi_realloc(block: *mut libc::c_void, size: usize) -> *mut libc::c_void;
    fn mi_free(block: *mut libc::c_void);
}

/// mimalloc with counters; the type of the global allocator.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counting;

// SAFETY: every call goes to mimalloc, with the alignment unless `is_ordinary` says that any block has it; counting
// allocates nothing and cannot unwind.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: the caller's contract is mimalloc's.
        let block =
            unsafe { if is_ordinary(size, align) { mi_malloc(size).cast() } else { MiMalloc.alloc(layout) } };
        if !block.is_null() {
            count(counted_size(size, align));
        }
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: the caller's contract is mimalloc's.
        let block = unsafe {
            if is_ordinary(size, align) { mi_zalloc(size).cast() } else { MiMalloc.alloc_zeroed(layout) }
        };
        if !block.is_null() {
            count(counted_size(size, align));
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(counted_size(layout.size(), layout.align()).wrapping_neg());
        // SAFETY: the block is given up by the caller, and is at least that large.
        if layout.size() >= reclaim::HUGE && unsafe { reclaim::defer(block, layout.size()) } {
            return;
        }
        // SAFETY: the block came from mimalloc, by whichever of its functions.
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let align = layout.align();
        // SAFETY: the caller's contract is mimalloc's; a block may go from one function to the other.
        let moved = unsafe {
            if is_ordinary(new_size, align) {
                mi_realloc(block.cast(), new_size).cast()
            } else {
                MiMalloc.realloc(block, layout, new_size)
            }
        };
        if !moved.is_null() {
            count(counted_size(new_size, align).wrapping_sub(counted_size(layout.size(), align)));
        }
        moved
    }
}

/// Bytes in use by the whole process, as mimalloc's block sizes. Also feeds [`peak`].
pub fn used() -> usize {
    let places = TAKEN.load(Ordering::Relaxed).min(PLACES);
    let sum = COUNTERS[..places]
        .iter()
        .fold(0usize, |sum, place| sum.wrapping_add(place.0.load(Ordering::Relaxed)));
    // A free may be seen before its allocation when two threads are at it: not below zero.
    let sum = (sum as isize).max(0) as usize;
    if sum > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(sum, Ordering::Relaxed);
    }
    sum
}

/// What this thread has allocated minus what it has freed, in bytes (wrapping: another thread's blocks may be freed here). For measuring one piece of work.
pub fn taken_by_thread() -> usize {
    match MY_PLACE.with(Cell::get) {
        place if place < SHARED_PLACE => COUNTERS[place].0.load(Ordering::Relaxed),
        _ => 0,
    }
}

/// The largest value [`used`] has returned (so as exact as its callers are frequent).
pub fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Makes the present use the peak (CONFIG RESETSTAT keeps it; tests need it).
pub fn reset_peak() {
    PEAK.store(0, Ordering::Relaxed);
    used();
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn mi_usable_size(block: *const libc::c_void) -> usize;
    }

    fn real_size(size: usize, align: usize) -> usize {
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: the layout is not empty and the block is freed with the same layout.
        unsafe {
            let block = Counting.alloc(layout);
            assert!(!block.is_null());
            let usable = mi_usable_size(block.cast());
            Counting.dealloc(block, layout);
            assert!(block.addr().is_multiple_of(align));
            usable
        }
    }

    #[test]
    fn classes_are_those_of_mimalloc() {
        for size in 1..=65_536 {
            assert_eq!(good_size(size), real_size(size, 1), "size {size}");
            if size % 8 == 0 {
                assert_eq!(good_size(size), real_size(size, 8), "size {size} aligned");
            }
        }
        for size in (65_536..LARGEST_CLASS + 1).step_by(1000) {
            assert_eq!(good_size(size), real_size(size, 8), "size {size}");
        }
        for size in [LARGEST_CLASS + 1, 1_000_000, 3_000_000, 20_000_000, 100_000_000] {
            let (ours, theirs) = (good_size(size), real_size(size, 8));
            assert!(ours.abs_diff(theirs) * 20 <= theirs, "size {size}: {ours} {theirs}");
        }
    }

    #[test]
    fn alignments_are_counted() {
        for align in [32, 64, 128, 256, 4096] {
            for size in [1, 32, 64, 100, 128, 256, 1000, 4096, 8192, 10_000] {
                let (ours, theirs) = (counted_size(size, align), real_size(size, align));
                // What is usable begins at the aligned address, somewhere inside the block.
                assert!(ours >= theirs && ours <= theirs + align, "{size} at {align}: {ours} {theirs}");
            }
        }
    }

    #[test]
    fn use_follows_allocations_over_threads() {
        // Other tests allocate meanwhile: large blocks stand out.
        const SIZE: usize = 256 << 20;
        let before = used();
        let block = vec![0u8; SIZE];
        let during = used();
        assert!(during >= before + SIZE - (64 << 20), "{before} {during}");
        assert!(peak() >= during);
        std::thread::spawn(move || drop(block)).join().unwrap();
        assert!(used() < before + SIZE / 2);
    }
}
