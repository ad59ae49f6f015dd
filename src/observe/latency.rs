//! LATENCY: events that took longer than latency-monitor-threshold, per core and event class.
//!
//! Filled by `session::account` and upkeep, read by a visit. Bounds: 160 samples per event, as in redis' latency.c.

use std::collections::BTreeMap;

/// Samples of one event.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// (wall seconds, milliseconds), oldest first.
    pub series: Vec<(i64, u64)>,
    /// Worst ever, in milliseconds.
    pub max_ms: u64,
}

/// Samples kept per event.
pub const SERIES_LEN: usize = 160;

impl Samples {
    /// Adds the samples of another core: one per second, the larger one kept.
    pub fn merge(&mut self, other: &Samples) {
        self.max_ms = self.max_ms.max(other.max_ms);
        self.series.extend_from_slice(&other.series);
        self.series.sort_unstable();
        // Sorted by time, then size: of equal seconds the last is the largest.
        self.series.reverse();
        self.series.dedup_by_key(|sample| sample.0);
        self.series.reverse();
    }
}

impl Latency {
    /// Books an event of `took_ms`; events of the same second keep their maximum.
    pub fn add(&mut self, event: &'static str, wall_s: i64, took_ms: u64) {
        let samples = self.events.entry(event).or_default();
        samples.max_ms = samples.max_ms.max(took_ms);
        match samples.series.last_mut() {
            Some(last) if last.0 == wall_s => last.1 = last.1.max(took_ms),
            _ => samples.series.push((wall_s, took_ms)),
        }
        if samples.series.len() > SERIES_LEN {
            samples.series.remove(0);
        }
    }
}

/// Latency events of one core.
#[derive(Default)]
pub struct Latency {
    /// By event name.
    pub events: BTreeMap<&'static str, Samples>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_the_larger_of_a_second() {
        let mut here = Samples { series: vec![(1, 5), (3, 2)], max_ms: 5 };
        here.merge(&Samples { series: vec![(1, 7), (2, 1), (3, 1)], max_ms: 7 });
        assert_eq!(here.series, [(1, 7), (2, 1), (3, 2)]);
        assert_eq!(here.max_ms, 7);
    }
}
