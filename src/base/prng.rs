//! Pseudo-random numbers: xoshiro256**, seeded through splitmix64.
//!
//! Called by sampling (eviction, RANDOMKEY, SPOP), skip-list heights, simulators and tests; calls the kernel only for
//! `from_entropy`. Invariant: one seed gives one sequence, on every machine and in every version. Not for secrets.
//! Why not a crate: the sequence is part of the simulators' replay contract.

/// One step of splitmix64: spreads a counter or a poor seed over 64 bits.
#[inline]
pub fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// A seedable generator, 32 bytes of state.
#[derive(Debug, Clone)]
pub struct Prng {
    state: [u64; 4],
}

impl Prng {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        let mut mix = seed;
        Self { state: [0; 4].map(|_: u64| splitmix64(&mut mix)) }
    }

    /// A generator seeded by the kernel.
    pub fn from_entropy() -> Self {
        let mut bytes = [0u8; 8];
        fill_from_kernel(&mut bytes);
        Self::new(u64::from_ne_bytes(bytes))
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..bound`, unbiased. `bound` 0 gives 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let floor = bound.wrapping_neg() % bound;
            while (product as u64) < floor {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// A number in `0.0..1.0` with 53 random bits.
    #[inline]
    pub fn unit_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True with probability `p`.
    #[inline]
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit_f64() < p
    }

    /// Fills `bytes` with random bits.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index as u64 + 1) as usize);
        }
    }
}

/// Fills `bytes` from the kernel's generator (also good for run ids and secrets). Panics if the kernel has none, which
/// no kernel we run on does.
pub fn fill_from_kernel(bytes: &mut [u8]) {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &mut bytes[done..];
        // SAFETY: the pointer and length are of a live exclusive slice; the call writes at most that many bytes.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        if got < 0 {
            let error = std::io::Error::last_os_error();
            assert!(error.kind() == std::io::ErrorKind::Interrupted, "getrandom: {error}");
            continue;
        }
        done += got as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_fixed() {
        let mut mix = 1234567;
        assert_eq!(splitmix64(&mut mix), 6457827717110365317);
        assert_eq!(splitmix64(&mut mix), 3203168211198807973);
        let mut generator = Prng { state: [1, 2, 3, 4] };
        let expected = [11520, 0, 1509978240, 1215971899390074240];
        assert_eq!([0; 4].map(|_: u64| generator.next_u64()), expected);
    }

    #[test]
    fn below_is_even_and_bounded() {
        let mut prng = Prng::new(3);
        let mut seen = [0u32; 7];
        for _ in 0..70_000 {
            seen[prng.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (9_500..10_500).contains(&count)), "{seen:?}");
        assert_eq!(prng.below(0), 0);
        assert_eq!(prng.below(1), 0);
        assert!((0..1000).all(|_| prng.unit_f64() < 1.0));
    }

    #[test]
    fn entropy_differs_and_shuffle_keeps() {
        assert_ne!(Prng::from_entropy().next_u64(), Prng::from_entropy().next_u64());
        let mut items: Vec<u32> = (0..100).collect();
        Prng::new(1).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
