//! `threads`: our server with 2 threads beside itself with 1, random keys, pipeline-order strict and relaxed.
//!
//! "Ours" is 2 threads, "peer" is 1 thread of the same binary: the ratio of CPU per request is what crossing cores costs.
//! Bars (issue 2) at P16: 1.4 strict, 1.3 relaxed; P1 is reported with wake-ups. On a 2-core machine the load shares the second core:
//! throughput then says little, CPU per request stays comparable. With a redis-server as ours, its io-threads are compared.

use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::generator::Traffic;
use crate::report::{CPU_US, Report};
use crate::sample::{Case, fill};
use crate::server::{Server, Setup};

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let variant = |threads: usize, order: &str| {
        let setup = bench.setup(Side::Ours);
        Server::start(&Setup {
            cores: bench.cores_for(threads),
            threads,
            directives: vec![("pipeline-order".to_owned(), order.to_owned())],
            name: format!("{}-{threads}-{order}", setup.name),
            ..setup
        })
    };
    let mut orders = vec![("strict", 1.4)];
    if bench.ours_is_shoal() {
        orders.push(("relaxed", 1.3));
    } else {
        report.note("ours is no shoal: io-threads 2 beside 1, one pipeline order".to_owned());
    }
    let ours = bench.name_of(Side::Ours);
    report.name_columns([format!("{ours} 2 threads"), format!("{ours} 1 thread")]);
    if bench.cores_for(2).contains(&bench.load_cpu) {
        report.note("the load shares the second core: compare CPU per request, not throughput".to_owned());
    }
    let key_range = bench.scaled(1_000_000, 10_000);
    for (order, bar) in orders {
        let servers = [(Side::Ours, variant(2, order)?), (Side::Peer, variant(1, order)?)];
        bench::alternate(&servers, 1, |_, server| fill(bench, server, key_range))?;
        for (pipeline, requests) in [(1, 200_000), (16, 1_500_000)] {
            for traffic in [Traffic::Set, Traffic::Get] {
                let requests = bench.scaled(requests, 20_000);
                let case = Case { traffic, connections: 50, pipeline, requests, key_range };
                let label = format!("{} {order}", case.label());
                bench::alternate(&servers, bench.options.pairs, |side, server| {
                    report.add_sample(side, &label, &case.measure(bench, server)?);
                    Ok(())
                })?;
                if pipeline == 16 {
                    report.set_bar(&label, CPU_US, bar);
                }
            }
        }
    }
    Ok(())
}
