//! SipHash-1-3, the keyed hash of every table.
//!
//! Called by the keyspace and the collection types; calls nothing but `getrandom` once. Invariant: within a process
//! `key_hash` of equal bytes is equal, and clients cannot predict it (the seed comes from the kernel), so they cannot
//! pile keys on one bucket. Why not std's hasher: it carries state for streaming and is slower on the short
//! keys that are nearly all of the traffic; a table needs the plain function over a slice.
use std::sync::atomic::{AtomicU64, Ordering};

static SEED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

#[inline(always)]
fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

/// The last 0..=7 bytes of `data` as a little-endian number. Overlapping loads instead of a loop over bytes.
#[inline(always)]
fn tail_word(data: &[u8]) -> u64 {
    let odd = data.len() % 8;
    if odd == 0 {
        return 0;
    }
    if let Some(word) = data.last_chunk::<8>() {
        return u64::from_le_bytes(*word) >> (64 - 8 * odd);
    }
    if let (Some(low), Some(high)) = (data.first_chunk::<4>(), data.last_chunk::<4>()) {
        let (low, high) = (u32::from_le_bytes(*low), u32::from_le_bytes(*high));
        return u64::from(low) | u64::from(high) << (8 * (odd - 4));
    }
    // One to three bytes: first, middle and last cover them, twice where they coincide.
    u64::from(data[0])
        | u64::from(data[odd / 2]) << (8 * (odd / 2))
        | u64::from(data[odd - 1]) << (8 * (odd - 1))
}

/// SipHash with one round per word and three at the end, keyed by `k0` and `k1`.
#[inline]
pub fn siphash13(data: &[u8], k0: u64, k1: u64) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, _) = data.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        v[3] ^= word;
        round(&mut v);
        v[0] ^= word;
    }
    let last = tail_word(data) | (data.len() as u64) << 56;
    v[3] ^= last;
    round(&mut v);
    v[0] ^= last;
    v[2] ^= 0xff;
    round(&mut v);
    round(&mut v);
    round(&mut v);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

/// Draws the process' seed from the kernel. The first caller wins; later calls change nothing. `key_hash` calls it by
/// itself when the seed is missing.
#[cold]
#[inline(never)]
pub fn init_seed() -> (u64, u64) {
    let mut bytes = [0u8; 16];
    super::prng::fill_from_kernel(&mut bytes);
    let words = [0, 8].map(|at| {
        let mut word = [0u8; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_ne_bytes(word) | 1
    });
    // The second word is decided first: whoever sees the first word (never zero) sees a decided second one.
    let k1 = decide(&SEED[1], words[1]);
    let k0 = decide(&SEED[0], words[0]);
    (k0, k1)
}

fn decide(cell: &AtomicU64, wanted: u64) -> u64 {
    match cell.compare_exchange(0, wanted, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => wanted,
        Err(present) => present,
    }
}

/// The process' seed (never zero words).
#[inline(always)]
pub fn seed() -> (u64, u64) {
    let (k0, k1) = (SEED[0].load(Ordering::Relaxed), SEED[1].load(Ordering::Relaxed));
    if k0 == 0 || k1 == 0 { init_seed() } else { (k0, k1) }
}

/// Hash of `data` under the process' seed.
#[inline]
pub fn key_hash(data: &[u8]) -> u64 {
    let (k0, k1) = seed();
    siphash13(data, k0, k1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hasher;

    /// std's deprecated hasher is SipHash-1-3's older brother 2-4; its default hasher is 1-3 with zero keys.
    #[test]
    fn equals_std_with_zero_keys() {
        let data: Vec<u8> = (0..=255u8).chain(0..50).collect();
        for len in 0..data.len() {
            let mut oracle = std::collections::hash_map::DefaultHasher::new();
            oracle.write(&data[..len]);
            assert_eq!(siphash13(&data[..len], 0, 0), oracle.finish(), "length {len}");
        }
    }

    #[test]
    fn keys_matter_and_the_seed_stays() {
        assert_ne!(siphash13(b"a", 1, 2), siphash13(b"a", 2, 1));
        assert_eq!(seed(), seed());
        assert_eq!(key_hash(b"k"), key_hash(b"k"));
        assert_eq!(init_seed(), seed());
    }
}
