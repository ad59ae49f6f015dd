//! Layer 7: what operators see: the log, INFO, SLOWLOG, LATENCY, counters, crash reports.
//!
//! Counters belong to a core and are written by it alone; whoever shows them visits every core (`session::visit`).
//! Invariant: no number is made up; a figure that has no source here is 0 as on a server without that subsystem.

pub mod commands;
pub mod crash;
pub mod identity;
pub mod info;
pub mod latency;
pub mod log;
pub mod rates;
pub mod slowlog;
pub mod sparkline;
pub mod stats;
