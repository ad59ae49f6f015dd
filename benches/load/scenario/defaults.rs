//! `defaults`: redis-benchmark's whole default set, 50 connections, at pipeline depths 1 and 16: server CPU per request.
//!
//! In redis-benchmark's own order and with its own keys and sizes, so that LPOP finds what LPUSH left. Its LRANGE tests begin with an LPUSH run that would be
//! counted with them: here the list is made first, as theirs is, and the commands are given by words. Bars (issue 3): 0.9 of the peer at P1, 0.7 at P16.

use crate::Outcome;
use crate::bench::{self, Bench};
use crate::client;
use crate::redis_benchmark::{self, Job, What};
use crate::report::{CPU_US, Report};
use crate::sample::{Sample, account_run};
use crate::server::Server;

const CONNECTIONS: usize = 50;
const VALUE_SIZE: usize = 3;
/// redis-benchmark's LRANGE tests have at least the longest range in the list.
const LIST_LEN: usize = 1000;
/// Depth, bar, requests of a cheap test.
const DEPTHS: [(usize, f64, u64); 2] = [(1, 0.9, 100_000), (16, 0.7, 600_000)];

/// A test: its label, what is sent, and the share of the requests that it gets (long replies are dear).
type Test = (&'static str, What<'static>, f64);

const TESTS: &[Test] = &[
    ("PING_INLINE", What::Test("ping_inline"), 1.0),
    ("PING_MBULK", What::Test("ping_mbulk"), 1.0),
    ("SET", What::Test("set"), 1.0),
    ("GET", What::Test("get"), 1.0),
    ("INCR", What::Test("incr"), 1.0),
    ("LPUSH", What::Test("lpush"), 1.0),
    ("RPUSH", What::Test("rpush"), 1.0),
    ("LPOP", What::Test("lpop"), 1.0),
    ("RPOP", What::Test("rpop"), 1.0),
    ("SADD", What::Test("sadd"), 1.0),
    ("HSET", What::Test("hset"), 1.0),
    ("SPOP", What::Test("spop"), 1.0),
    ("ZADD", What::Test("zadd"), 1.0),
    ("ZPOPMIN", What::Test("zpopmin"), 1.0),
    ("LRANGE_100", What::Words(&["LRANGE", "ranged", "0", "99"]), 0.5),
    ("LRANGE_300", What::Words(&["LRANGE", "ranged", "0", "299"]), 0.2),
    ("LRANGE_500", What::Words(&["LRANGE", "ranged", "0", "449"]), 0.15),
    ("LRANGE_600", What::Words(&["LRANGE", "ranged", "0", "599"]), 0.1),
    ("MSET", What::Test("mset"), 0.5),
];

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    for (pipeline, bar, requests) in DEPTHS {
        let servers = bench.start_both()?;
        bench::alternate(&servers, 1, |_, server| fill_list(server))?;
        for (name, what, share) in TESTS {
            let requests = bench.scaled((requests as f64 * share) as u64, 5_000);
            let label = format!("P{pipeline} {name}");
            bench::alternate(&servers, bench.options.pairs, |side, server| {
                report.add_sample(side, &label, &measure(bench, server, *what, pipeline, requests)?);
                Ok(())
            })?;
            report.set_bar(&label, CPU_US, bar);
        }
    }
    Ok(())
}

fn fill_list(server: &Server) -> Outcome<()> {
    server.client()?.pipeline(&client::encode(&[b"LPUSH", b"ranged", b"xxx"]).repeat(LIST_LEN), LIST_LEN)
}

fn measure(bench: &Bench, server: &Server, what: What, pipeline: usize, requests: u64) -> Outcome<Sample> {
    account_run(server, || {
        redis_benchmark::run(&Job {
            binary: &bench.options.redis_benchmark,
            port: server.port,
            command: what,
            connections: CONNECTIONS,
            pipeline,
            requests,
            key_range: 0,
            value_size: VALUE_SIZE,
            cpu: bench.load_cpu,
        })
    })
}
