//! Cache prefetch of a range of bytes: a hint, never an access.
//!
//! Called where many things from another core are about to be used one after the other (`session::core`), so that their misses overlap.
//! Bounds: one instruction per cache line; a wrong address does no harm.

/// Bytes of a cache line.
const LINE: usize = 64;

/// Asks for `len` bytes at `at`, to be read and written soon.
#[inline]
pub fn prefetch(at: *const u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        let mut offset = 0;
        while offset < len {
            // SAFETY: a prefetch never faults, whatever the address.
            unsafe {
                std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                    at.wrapping_add(offset).cast(),
                );
            }
            offset += LINE;
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, len);
}

/// Asks for all of `value`.
#[inline]
pub fn prefetch_value<T>(value: &T) {
    prefetch(std::ptr::from_ref(value).cast(), size_of::<T>());
}
