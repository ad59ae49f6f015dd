//! Frees huge blocks in slices: their pages go back to the kernel a part at a time, then the block itself.
//!
//! The allocator (`base::memory`) offers each huge block that is freed to [`defer`]; a core's upkeep calls [`step`] until nothing is left. Unmapping costs
//! the kernel 30–100 µs per megabyte, all at once if the block is simply freed (then or later, when mimalloc purges): a deleted value of 100 MB
//! would stop the core for milliseconds. A waiting block is linked through its own first bytes, so that freeing allocates nothing.
//!
//! Invariant: a waiting block belongs to nobody else, and only to the thread that freed it. Bounds: [`MAX_WAITING`] bytes wait per thread, more is freed at once;
//! threads that never called [`enable`] (no upkeep) free at once. Why not a helper thread: the unmapping would still hold the process' page-table lock for long.
use std::cell::Cell;

use super::ticks;

/// Smaller blocks are freed at once, in bytes.
pub const HUGE: usize = 2 << 20;
/// Most bytes that wait on one thread.
const MAX_WAITING: usize = 1 << 30;
/// Bytes given back by one system call.
const SLICE: usize = 256 << 10;
const PAGE: usize = 4096;

/// The head of a waiting block.
struct Waiting {
    next: *mut Waiting,
    size: usize,
    /// Where the pages not yet given back begin.
    from: usize,
}

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(false) };
    static FIRST: Cell<*mut Waiting> = const { Cell::new(std::ptr::null_mut()) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// The library behind the `mimalloc` crate.
unsafe extern "C" {
    fn mi_free(block: *mut libc::c_void);
}

/// This thread will call [`step`].
pub fn enable() {
    ENABLED.set(true);
}

/// This thread ends: what waits is freed, nothing waits any more.
pub fn disable() {
    ENABLED.set(false);
    while !step(u64::MAX) {}
}

/// Bytes that wait on this thread.
pub fn waiting_bytes() -> usize {
    BYTES.get()
}

/// Takes over a block of at least [`HUGE`] bytes instead of `mi_free`; false if it must be freed at once.
///
/// # Safety
/// `block` is a live mimalloc block of at least `size` bytes, which the caller gives up if this returns true.
#[cold]
pub unsafe fn defer(block: *mut u8, size: usize) -> bool {
    if !ENABLED.get()
        || BYTES.get() + size > MAX_WAITING
        || !block.addr().is_multiple_of(align_of::<Waiting>())
    {
        return false;
    }
    let waiting = block.cast::<Waiting>();
    let from = (block.addr() + size_of::<Waiting>()).next_multiple_of(PAGE);
    // SAFETY: the block is ours now, large enough and aligned for a `Waiting`.
    unsafe { waiting.write(Waiting { next: FIRST.get(), size, from }) };
    FIRST.set(waiting);
    BYTES.set(BYTES.get() + size);
    true
}

/// Gives pages back for about `budget_us`; true when nothing waits.
pub fn step(budget_us: u64) -> bool {
    let (started, budget) = (ticks::now(), budget_us.saturating_mul(ticks::per_us()));
    loop {
        let first = FIRST.get();
        if first.is_null() {
            return true;
        }
        // SAFETY: written by `defer`, belongs to this thread until freed below.
        let waiting = unsafe { &mut *first };
        let end = (first.addr() + waiting.size) & !(PAGE - 1);
        if waiting.from < end {
            let len = SLICE.min(end - waiting.from);
            let at = first.with_addr(waiting.from);
            // SAFETY: whole pages inside the block, behind its head; nobody reads them again. If the kernel refuses, nothing is lost but the effect.
            unsafe { libc::madvise(at.cast(), len, libc::MADV_DONTNEED) };
            waiting.from += len;
        } else {
            FIRST.set(waiting.next);
            BYTES.set(BYTES.get() - waiting.size);
            // SAFETY: the block came from mimalloc and is not used any more.
            unsafe { mi_free(first.cast()) };
        }
        if ticks::now().wrapping_sub(started) > budget {
            return FIRST.get().is_null();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_blocks_wait_and_go() {
        ticks::calibrate();
        std::thread::spawn(|| {
            drop(vec![1u8; HUGE]);
            assert_eq!(waiting_bytes(), 0);
            enable();
            drop(vec![1u8; HUGE - 1]);
            drop(vec![1u8; 3 * HUGE]);
            drop(vec![1u8; HUGE]);
            assert_eq!(waiting_bytes(), 4 * HUGE);
            let mut steps = 1;
            while !step(0) {
                steps += 1;
            }
            assert!(steps >= 4 * HUGE / SLICE);
            assert_eq!(waiting_bytes(), 0);
            drop(vec![1u8; MAX_WAITING + 1]);
            assert_eq!(waiting_bytes(), 0);
            disable();
        })
        .join()
        .unwrap();
    }
}
