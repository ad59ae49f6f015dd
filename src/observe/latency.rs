//! LATENCY: events that took longer than latency-monitor-threshold, per core and event class.
//!
//! Filled by `session` and upkeep, read by a visit. Bounds: 160 samples per event, as in redis' latency.c.

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
const SERIES_LEN: usize = 160;

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
