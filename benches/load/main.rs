//! `load`: drives shoal and a peer (redis-server) side by side and says how they compare.
//!
//! Called by `cargo bench --bench load -- --scenario cpu --pairs 5`, or as a plain binary. It starts both servers on
//! free loopback ports, pins them and the load apart, drives them in turn (A B A B), and writes a table, a JSON file
//! with every sample and one SVG chart per scenario.
//! Invariant: a number is only ever compared with one taken in the same run, on the same cores, moments apart.
//! Bounds: only processes started here are signalled, by their own pid; they die with the harness.
//! Why not criterion: it times a function in this process; here the cost to be known is another process's CPU time.

mod account;
mod bench;
mod chart;
mod client;
mod cores;
#[allow(dead_code, reason = "the bench persist uses the rest")]
mod generator;
mod options;
mod program;
mod redis_benchmark;
mod report;
mod sample;
mod scenario;
#[allow(dead_code, reason = "the bench persist uses the rest")]
mod server;
mod table;

use std::process::ExitCode;

/// What goes wrong in the harness is told to a person once, so a message is all an error needs to be.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    program::run_all()
}
