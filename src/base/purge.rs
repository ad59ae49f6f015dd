//! Returns freed memory to the kernel from a thread of its own.
//!
//! mimalloc purges what was freed from within some later allocation: megabytes at once, 100–200 µs each, seen as commands of several milliseconds after
//! a FLUSHALL. Here its own delay is made so long that no core ever purges, and [`run`] purges all arenas every [`PERIOD`] on the thread it is given.
//! `server::boot` calls [`postpone`] before the cores start and spawns the thread.
//!
//! Invariant: mimalloc claims a range before it purges it, so allocations go on meanwhile. Bounds: freed memory goes back within a second or so; should this thread
//! not run for ten seconds, cores purge again. Why not `purge_delay` 0: each freed page would be unmapped and faulted in again, even in a steady state.
use std::time::Duration;

/// How often what was freed is given back.
pub const PERIOD: Duration = Duration::from_millis(500);

/// `mi_option_purge_delay` of mimalloc 3 (include/mimalloc.h); the test checks it.
const PURGE_DELAY: libc::c_int = 15;
/// The delay in milliseconds.
const DELAY_MS: libc::c_long = 10_000;

// The library behind the `mimalloc` crate.
unsafe extern "C" {
    fn mi_option_set(option: libc::c_int, value: libc::c_long);
    fn mi_collect(force: bool);
}

/// Makes cores leave purging to [`run`].
pub fn postpone() {
    // SAFETY: a plain setter of a number.
    unsafe { mi_option_set(PURGE_DELAY, DELAY_MS) };
}

/// Gives freed memory back until `is_over`; the calling thread's own job.
pub fn run(is_over: impl Fn() -> bool) {
    while !is_over() {
        std::thread::sleep(PERIOD);
        // SAFETY: collects this thread's (empty) heap and purges the arenas' free ranges, which any thread may.
        unsafe { mi_collect(true) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn mi_option_get(option: libc::c_int) -> libc::c_long;
        fn mi_version() -> libc::c_int;
    }

    #[test]
    fn the_option_is_the_one_meant() {
        // SAFETY: plain getters.
        unsafe {
            assert_eq!(mi_version() / 10000, 3);
            // The default of mimalloc 3, or what another test has set.
            let delay = mi_option_get(PURGE_DELAY);
            assert!([1000, DELAY_MS].contains(&delay), "{delay}");
            postpone();
            assert_eq!(mi_option_get(PURGE_DELAY), DELAY_MS);
        }
    }
}
