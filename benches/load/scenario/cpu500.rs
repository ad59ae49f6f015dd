//! `cpu500`: as `cpu` at P1, with 500 connections: many small completions per turn. Bar (issue 2): 0.95 of the peer.

use super::cpu::measure_cases;
use crate::Outcome;
use crate::bench::Bench;
use crate::generator::Traffic;
use crate::report::Report;
use crate::sample::Case;

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let case = |traffic| Case {
        traffic,
        connections: 500,
        pipeline: 1,
        requests: bench.scaled(300_000, 20_000),
        key_range: bench.scaled(1_000_000, 10_000),
    };
    measure_cases(bench, report, &[(case(Traffic::Set), 0.95), (case(Traffic::Get), 0.95)])
}
