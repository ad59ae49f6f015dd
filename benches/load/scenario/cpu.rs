//! `cpu`: server CPU per request in a closed loop, SET and GET at pipeline depths 1, 16 and 64.
//!
//! Bars (issue 2): 0.95 / 0.55 / 0.40 of the peer. Every key exists before the first measurement, so that each SET
//! replaces and each GET finds, on both sides alike. `measure_cases` also serves cpu500.

use crate::Outcome;
use crate::bench::{self, Bench};
use crate::generator::Traffic;
use crate::report::{CPU_US, Report};
use crate::sample::{Case, fill};

const CONNECTIONS: usize = 50;
const KEY_RANGE: u64 = 1_000_000;
/// Depth, requests per measurement, bar.
const DEPTHS: [(usize, u64, f64); 3] = [(1, 300_000, 0.95), (16, 2_000_000, 0.55), (64, 3_000_000, 0.40)];

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let mut cases = Vec::new();
    for (pipeline, requests, bar) in DEPTHS {
        for traffic in [Traffic::Set, Traffic::Get] {
            let requests = bench.scaled(requests, 20_000);
            let key_range = bench.scaled(KEY_RANGE, 10_000);
            cases.push((Case { traffic, connections: CONNECTIONS, pipeline, requests, key_range }, bar));
        }
    }
    measure_cases(bench, report, &cases)
}

/// Fills both servers, then measures every case in turn, A B A B.
pub fn measure_cases(bench: &Bench, report: &mut Report, cases: &[(Case, f64)]) -> Outcome<()> {
    let servers = bench.start_both()?;
    let key_range = cases.iter().map(|(case, _)| case.key_range).max().unwrap_or(1);
    bench::alternate(&servers, 1, |_, server| fill(bench, server, key_range))?;
    for (case, bar) in cases {
        // A tenth of a run to warm up, thrown away.
        let warm_up = Case { requests: (case.requests / 10).max(1), ..*case };
        bench::alternate(&servers, 1, |_, server| warm_up.measure(bench, server).map(drop))?;
        bench::alternate(&servers, bench.options.pairs, |side, server| {
            report.add_sample(side, &case.label(), &case.measure(bench, server)?);
            Ok(())
        })?;
        report.set_bar(&case.label(), CPU_US, *bar);
    }
    Ok(())
}
