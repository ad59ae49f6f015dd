//! The seeded generator of all random tests, and the `SEED=` habit.
//!
//! Called by every random test. Invariant: the same seed gives the same sequence on every machine and in every
//! later version of this file (splitmix64 seeds xoshiro256**; both are fixed by their published reference values).
//! Not the `rand` crate: its streams may change between versions, and a seed printed by CI must stay replayable.

/// xoshiro256** seeded by splitmix64.
pub struct Prng {
    state: [u64; 4],
}

/// One step of splitmix64, also used alone to derive independent seeds.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Prng {
    /// A generator for this seed.
    pub fn new(seed: u64) -> Prng {
        let mut at = seed;
        Prng { state: std::array::from_fn(|_| split_mix(&mut at)) }
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        let state = &mut self.state;
        let result = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// Uniform in `0..bound` (bound 0 gives 0).
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64 }
    }

    /// Uniform index in `0..bound`.
    pub fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// Uniform in `low..=high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        low.wrapping_add(self.below((high - low) as u64 + 1) as i64)
    }

    /// True with `percent` in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One element, copied out.
    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())].clone()
    }

    /// `length` random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// A number from the environment, or the default; an unreadable one is fatal rather than silently ignored.
pub fn env_number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.trim().parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}

/// The seeds of a run: `SEED=n` gives that one only, else `count` seeds from `first` on.
pub fn seeds(first: u64, count: u64) -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(_) => vec![env_number("SEED", first)],
        Err(_) => (first..first + count).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_values() {
        let mut state = 1_234_567;
        assert_eq!(split_mix(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(split_mix(&mut state), 3_203_168_211_198_807_973);
    }
}
