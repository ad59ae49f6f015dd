//! Load driver 2: an io_uring load generator in a pinned thread of the harness.
//!
//! Called by sample and the scenarios. Two paces. Closed loop: a connection sends its next batch when the last one is
//! answered. Open loop: batches are due on a fixed schedule, whatever the server does, and latency counts from the due
//! time, so a stall is charged to every request that was due during it (no coordinated omission).
//! Invariant: every request sent is answered before `run_pinned` returns, and an error reply fails the run.
//! Bounds: 30 s without any completion is an error; an open loop may take 10 s + 5 times its schedule.

mod connection;
mod pump;
pub mod reply_scan;
mod traffic;

use std::sync::atomic::AtomicBool;
use std::time::Instant;

pub use traffic::{Keys, Traffic};

use crate::Outcome;
use crate::cores;
use crate::sample::DriverRun;

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as replies allow, until so many are answered.
    Closed {
        /// Requests in all.
        requests: u64,
    },
    /// On a schedule.
    Open {
        /// Requests per second, over all connections.
        rate: f64,
        /// Length of the schedule.
        seconds: f64,
    },
}

/// What the generator is to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The server's port at 127.0.0.1.
    pub port: u16,
    /// Connections.
    pub connections: usize,
    /// Requests per batch; a connection has one batch in flight.
    pub pipeline: usize,
    /// The command.
    pub traffic: Traffic,
    /// The keys.
    pub keys: Keys,
    /// Bytes of a value.
    pub value_size: usize,
    /// When.
    pub pace: Pace,
    /// Of the key sequence.
    pub seed: u64,
}

/// One request of a traced run.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When it was due, in ms from the start.
    pub due_ms: u32,
    /// From then to its reply.
    pub took_us: u32,
}

/// A run of which every request is known.
pub struct Trace {
    /// The sums.
    pub run: DriverRun,
    /// When it began.
    pub start: Instant,
    /// In the order of the replies.
    pub moments: Vec<Moment>,
}

/// Runs a plan on the given core until its end or `stop`, and keeps every request.
pub fn run_traced(plan: &Plan, cpu: usize, stop: &AtomicBool) -> Outcome<Trace> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            cores::pin_here(&[cpu])?;
            pump::Pump::connect(plan)?.run_traced(stop)
        });
        worker.join().unwrap_or_else(|_| Err("the load generator's thread panicked".into()))
    })
}

/// Runs a plan to its end in a thread of its own on the given core.
pub fn run_pinned(plan: &Plan, cpu: usize) -> Outcome<DriverRun> {
    run_until(plan, cpu, &AtomicBool::new(false), false).map(|(run, _)| run)
}

/// As `run_pinned`; an open loop ends early when `stop` is set. `preferred` asks for real-time priority, and the flag
/// given back says whether it was granted.
pub fn run_until(plan: &Plan, cpu: usize, stop: &AtomicBool, preferred: bool) -> Outcome<(DriverRun, bool)> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            cores::pin_here(&[cpu])?;
            let granted = preferred && cores::prefer_here();
            pump::Pump::connect(plan)?.run(stop).map(|run| (run, granted))
        });
        worker.join().unwrap_or_else(|_| Err("the load generator's thread panicked".into()))
    })
}
