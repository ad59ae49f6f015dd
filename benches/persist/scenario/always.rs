//! `always`: SET at P1 from 50 clients with appendfsync always: throughput and latency. Bar (issue 4): not below the peer's throughput.

use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::generator::Traffic;
use crate::report::{PER_SECOND, Report};
use crate::sample::{Case, VALUE_SIZE, fill};
use crate::work;

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let settings = [("appendonly", "yes"), ("appendfsync", "always"), ("auto-aof-rewrite-percentage", "0")];
    let servers = [
        (Side::Ours, work::start(bench, Side::Ours, &settings)?),
        (Side::Peer, work::start(bench, Side::Peer, &settings)?),
    ];
    let key_range = bench.scaled(1_000_000, 10_000);
    bench::alternate(&servers, 1, |_, server| fill(bench, server, key_range))?;
    for (connections, requests) in [(50, 100_000), (1, 2_000)] {
        let requests = bench.scaled(requests, 500);
        let case = Case { traffic: Traffic::Set, connections, pipeline: 1, requests, key_range };
        let label = format!("{} c{connections}", case.label());
        bench::alternate(&servers, bench.options.pairs, |side, server| {
            report.add_sample(side, &label, &case.measure(bench, server)?);
            work::wait_logged(server, key_range + requests, VALUE_SIZE as u64)
        })?;
        if connections == 50 {
            report.set_bar(&label, PER_SECOND, 1.0);
        }
    }
    Ok(())
}
