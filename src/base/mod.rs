//! Layer 0: what everything stands on and what knows nothing above it.
//!
//! Pure functions and small data structures; the only state is the clock's base, the hash seed and the allocator's
//! counters, each set once or written by one thread.
pub mod cache;
pub mod clock;
pub mod cpu_time;
pub mod crc64;
pub mod glob;
pub mod memory;
pub mod number;
pub mod partial_sort;
pub mod prng;
pub mod purge;
pub mod reclaim;
pub mod siphash;
pub mod slab;
pub mod slot;
#[cfg(test)]
pub(crate) mod tests;
pub mod ticks;
