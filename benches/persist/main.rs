//! `persist`: what files cost, shoal beside a peer (redis-server): save, load at start, rewrite, fsync policies, and the latency of clients meanwhile.
//!
//! Called by `cargo bench --bench persist -- save --pairs 3`, or as a plain binary. Everything but the scenarios is benches/load's: the same flags, the same
//! turns (A B A B), tables, results.json and charts.
//! Invariant: both sides have the same data, compression, checksum and fsync policy. Bounds: the data set of `latency` is 2 GB at `--scale 1`.

#[path = "../load/account.rs"]
mod account;
#[path = "../load/bench.rs"]
#[allow(dead_code, reason = "shared with load, which uses all of it")]
mod bench;
#[path = "../load/chart.rs"]
mod chart;
#[path = "../load/client.rs"]
#[allow(dead_code, reason = "shared with load, which uses all of it")]
mod client;
#[path = "../load/cores.rs"]
#[allow(dead_code, reason = "shared with load, which uses all of it")]
mod cores;
#[path = "../load/generator/mod.rs"]
#[allow(dead_code, reason = "shared with load, which uses all of it")]
mod generator;
#[path = "../load/options.rs"]
#[allow(dead_code, reason = "shared with load, which uses all of it")]
mod options;
#[path = "../load/program.rs"]
mod program;
#[path = "../load/redis_benchmark.rs"]
#[allow(dead_code, reason = "shared with load, which uses all of it")]
mod redis_benchmark;
#[path = "../load/report.rs"]
#[allow(dead_code, reason = "shared with load, which uses all of it")]
mod report;
#[path = "../load/sample.rs"]
#[allow(dead_code, reason = "shared with load, which uses all of it")]
mod sample;
mod scenario;
#[path = "../load/server.rs"]
mod server;
#[path = "../load/table.rs"]
mod table;
mod timeline;
mod work;

use std::process::ExitCode;

/// What goes wrong in the harness is told to a person once, so a message is all an error needs to be.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    program::run_all()
}
