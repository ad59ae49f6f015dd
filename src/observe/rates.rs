//! Events per second of one core, over the last 1.6 seconds: redis' instantaneous metrics.
//!
//! `Core::upkeep` feeds [`Rates::sample`] with the core's running counters; INFO sums [`Rates::per_second`] over cores. Invariant: a sample is the
//! change between two calls at least [`INTERVAL_MS`] apart. Bounds: 16 samples per metric, as in redis.

/// Least distance of two samples, in milliseconds.
const INTERVAL_MS: u64 = 100;
/// Samples kept.
const SAMPLES: usize = 16;
/// What is sampled.
const METRICS: usize = 5;

/// The counters that rates are made of, as they stand.
pub type Counters = [u64; METRICS];

/// Index of commands executed.
pub const COMMANDS: usize = 0;
/// Index of bytes received.
pub const INPUT: usize = 1;
/// Index of bytes sent.
pub const OUTPUT: usize = 2;
/// Index of turns.
pub const TURNS: usize = 3;
/// Index of ticks spent in turns.
pub const BUSY: usize = 4;

/// Rates of one core.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    last_ms: u64,
    last: Counters,
    per_second: [Counters; SAMPLES],
    next: usize,
}

impl Rates {
    /// Takes a sample if it is time.
    pub fn sample(&mut self, now_ms: u64, counters: Counters) {
        let elapsed_ms = now_ms.saturating_sub(self.last_ms);
        if elapsed_ms < INTERVAL_MS {
            return;
        }
        if self.last_ms != 0 {
            let of = |metric: usize| counters[metric].saturating_sub(self.last[metric]) * 1000 / elapsed_ms;
            self.per_second[self.next] = std::array::from_fn(of);
            self.next = (self.next + 1) % SAMPLES;
        }
        (self.last_ms, self.last) = (now_ms, counters);
    }

    /// The mean of the samples, per second.
    pub fn per_second(&self) -> Counters {
        std::array::from_fn(|metric| {
            self.per_second.iter().map(|sample| sample[metric]).sum::<u64>() / SAMPLES as u64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_its_own_mean() {
        let mut rates = Rates::default();
        for step in 0..40 {
            rates.sample(1000 + step * 100, [step * 5, 0, 0, 0, 0]);
            rates.sample(1000 + step * 100 + 50, [step * 5 + 3, 0, 0, 0, 0]);
        }
        assert_eq!(rates.per_second()[COMMANDS], 50);
    }
}
