//! `case`: one load of one's own, described by flags (--traffic --connections --pipeline --key-range --value-size
//! --requests, --rate for an open loop); the tool for asking "and what if" after a scenario surprised.
//!
//! Always the own generator: redis-benchmark knows neither mixed traffic nor an open loop.

use crate::Outcome;
use crate::bench::{self, Bench};
use crate::generator::{self, Keys, Pace, Plan, Traffic};
use crate::report::Report;
use crate::sample::{account_run, fill};

/// What the flags describe.
#[derive(Clone, Copy)]
pub struct Flags {
    /// `--traffic`.
    pub traffic: Traffic,
    /// `--connections`.
    pub connections: usize,
    /// `--pipeline`.
    pub pipeline: usize,
    /// `--key-range`.
    pub key_range: u64,
    /// `--value-size`, bytes.
    pub value_size: usize,
    /// `--requests`, before scaling.
    pub requests: u64,
    /// `--rate`, requests per second; 0 is a closed loop.
    pub rate: f64,
}

impl Default for Flags {
    fn default() -> Self {
        Flags {
            traffic: Traffic::Mixed(50),
            connections: 50,
            pipeline: 1,
            key_range: 1_000_000,
            value_size: 64,
            requests: 300_000,
            rate: 0.0,
        }
    }
}

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let flags = bench.options.case;
    let requests = bench.scaled(flags.requests, 1000);
    let pace = if flags.rate > 0.0 {
        Pace::Open { rate: flags.rate, seconds: requests as f64 / flags.rate }
    } else {
        Pace::Closed { requests }
    };
    let servers = bench.start_both()?;
    bench::alternate(&servers, 1, |_, server| fill(bench, server, flags.key_range))?;
    let label = format!("P{} {} c{}", flags.pipeline, flags.traffic.name(), flags.connections);
    bench::alternate(&servers, bench.options.pairs, |side, server| {
        let plan = Plan {
            port: server.port,
            connections: flags.connections,
            pipeline: flags.pipeline,
            traffic: flags.traffic,
            keys: Keys::Random { range: flags.key_range },
            value_size: flags.value_size,
            pace,
            seed: 1,
        };
        let sample = account_run(server, || generator::run_pinned(&plan, bench.load_cpu))?;
        report.add_sample(side, &label, &sample);
        Ok(())
    })
}
