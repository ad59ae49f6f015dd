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

/// Latency events of one core.
#[derive(Default)]
pub struct Latency {
    /// By event name.
    pub events: BTreeMap<&'static str, Samples>,
}
