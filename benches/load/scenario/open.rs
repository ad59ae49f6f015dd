//! `open`: latency on a fixed schedule, at 70 % of what the peer can do, P1 and P16, SET and GET.
//!
//! The peer's maximum is the median of three closed-loop runs of the own generator; both sides then get the same rate.
//! Bars (issue 2): p50, p99, p99.9 not above the peer's. Always the own generator: redis-benchmark has no open loop.

use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::generator::{self, Pace, Plan, Traffic};
use crate::report::{P50_US, P99_US, P999_US, Report, Spread};
use crate::sample::{Case, account_run, fill};

const SHARE: f64 = 0.7;

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let servers = bench.start_both()?;
    let key_range = bench.scaled(1_000_000, 10_000);
    bench::alternate(&servers, 1, |_, server| fill(bench, server, key_range))?;
    for (pipeline, requests) in [(1, 300_000), (16, 1_500_000)] {
        for traffic in [Traffic::Set, Traffic::Get] {
            let requests = bench.scaled(requests, 20_000);
            let case = Case { traffic, connections: 50, pipeline, requests, key_range };
            let mut maxima = Vec::new();
            bench::alternate(&servers, 3, |side, server| {
                // Ours runs too, so that it meets the schedule as warm as the peer does.
                let run = generator::run_pinned(&case.plan(server.port), bench.load_cpu)?;
                if side == Side::Peer {
                    maxima.push(run.requests as f64 / run.seconds);
                }
                Ok(())
            })?;
            let maximum = Spread::of(&maxima).map_or(0.0, |spread| spread.median);
            let pace = Pace::Open { rate: maximum * SHARE, seconds: bench.seconds(5.0) };
            bench::alternate(&servers, bench.options.pairs, |side, server| {
                let plan = Plan { pace, ..case.plan(server.port) };
                let sample = account_run(server, || generator::run_pinned(&plan, bench.load_cpu))?;
                report.add_sample(side, &case.label(), &sample);
                Ok(())
            })?;
            for metric in [P50_US, P99_US, P999_US] {
                report.set_bar(&case.label(), metric, 1.0);
            }
            report.note(format!(
                "{}: rate {:.0}/s = {:.0} % of the peer's {maximum:.0}/s; latency from the due time",
                case.label(),
                maximum * SHARE,
                SHARE * 100.0
            ));
        }
    }
    Ok(())
}
