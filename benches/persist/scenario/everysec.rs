//! `everysec`: SET at P16 and P1 with appendonly yes, appendfsync everysec, beside the same without AOF: CPU per request.
//!
//! Bar (issue 4): 0.7 of the peer's at P16. No rewrite comes in between (auto-aof-rewrite-percentage 0).

use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::generator::Traffic;
use crate::report::{CPU_US, Report};
use crate::sample::{Case, VALUE_SIZE, fill};
use crate::work;

const BAR: f64 = 0.7;

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    for appendonly in ["yes", "no"] {
        let logged = appendonly == "yes";
        let settings =
            [("appendonly", appendonly), ("appendfsync", "everysec"), ("auto-aof-rewrite-percentage", "0")];
        let servers = [
            (Side::Ours, work::start(bench, Side::Ours, &settings)?),
            (Side::Peer, work::start(bench, Side::Peer, &settings)?),
        ];
        let key_range = bench.scaled(1_000_000, 10_000);
        bench::alternate(&servers, 1, |_, server| fill(bench, server, key_range))?;
        for (pipeline, requests) in [(16, 2_000_000), (1, 300_000)] {
            let requests = bench.scaled(requests, 20_000);
            let case = Case { traffic: Traffic::Set, connections: 50, pipeline, requests, key_range };
            let label = format!("{} {}", case.label(), if logged { "everysec" } else { "without AOF" });
            bench::alternate(&servers, bench.options.pairs, |side, server| {
                report.add_sample(side, &label, &case.measure(bench, server)?);
                let least = if logged { key_range + requests } else { return Ok(()) };
                work::wait_logged(server, least, VALUE_SIZE as u64)
            })?;
            if pipeline == 16 && logged {
                report.set_bar(&label, CPU_US, BAR);
            }
        }
    }
    Ok(())
}
