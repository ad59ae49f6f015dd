//! One measurement: a driver's run and what it cost the server meanwhile.
//!
//! Called by the scenarios; calls the two drivers and account. Invariant: requests counted are requests answered
//! between the two readings of the account, so cost per request includes connecting (well under 0.1 % at full scale).

use crate::Outcome;
use crate::account::Account;
use crate::bench::Bench;
use crate::generator::{self, Keys, Pace, Plan, Traffic};
use crate::options::Driver;
use crate::redis_benchmark::{self, Job, What};
use crate::server::Server;

/// Latency in µs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// Median.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// 99.9th percentile.
    pub p999_us: f64,
    /// The worst.
    pub max_us: f64,
}

/// What a driver saw.
#[derive(Clone, Copy, Debug)]
pub struct DriverRun {
    /// Requests answered.
    pub requests: u64,
    /// Wall time from first send to last reply.
    pub seconds: f64,
    /// Per request.
    pub latency: Latency,
}

/// A driver's run and its cost.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What the driver saw.
    pub run: DriverRun,
    /// Server CPU time per request, all threads.
    pub cpu_us: f64,
    /// Sleeps of server threads per request.
    pub wakeups: f64,
    /// Times per second that a server thread lost its core to someone else.
    pub preemptions: f64,
}

impl Sample {
    /// Requests per second.
    pub fn per_second(&self) -> f64 {
        self.run.requests as f64 / self.run.seconds
    }
}

/// Takes a server's account before and after a driver's run.
pub fn account_run(server: &Server, drive: impl FnOnce() -> Outcome<DriverRun>) -> Outcome<Sample> {
    let before = Account::read(server.pid())?;
    let run = drive()?;
    let spent = Account::read(server.pid())?.since(&before);
    let requests = run.requests.max(1) as f64;
    Ok(Sample {
        run,
        cpu_us: spent.cpu_ns as f64 / 1e3 / requests,
        wakeups: spent.sleeps as f64 / requests,
        preemptions: spent.preemptions as f64 / run.seconds.max(1e-9),
    })
}

/// A closed-loop case that either driver can run.
#[derive(Clone, Copy)]
pub struct Case {
    /// SET or GET.
    pub traffic: Traffic,
    /// Connections.
    pub connections: usize,
    /// Requests in flight per connection.
    pub pipeline: usize,
    /// Requests in all.
    pub requests: u64,
    /// Keys are drawn from 0..key_range.
    pub key_range: u64,
}

/// Bytes of a value in every scenario that does not say otherwise.
pub const VALUE_SIZE: usize = 64;

impl Case {
    /// `P16 SET`.
    pub fn label(&self) -> String {
        format!("P{} {}", self.pipeline, self.traffic.name().to_uppercase())
    }

    /// Runs the case with the driver of the command line.
    pub fn measure(&self, bench: &Bench, server: &Server) -> Outcome<Sample> {
        account_run(server, || match bench.options.driver {
            Driver::RedisBenchmark => redis_benchmark::run(&Job {
                binary: &bench.options.redis_benchmark,
                port: server.port,
                command: What::Test(self.traffic.name()),
                connections: self.connections,
                pipeline: self.pipeline,
                requests: self.requests,
                key_range: self.key_range,
                value_size: VALUE_SIZE,
                cpu: bench.load_cpu,
            }),
            Driver::Own => generator::run_pinned(&self.plan(server.port), bench.load_cpu),
        })
    }

    /// The same case for the own generator.
    pub fn plan(&self, port: u16) -> Plan {
        Plan {
            port,
            connections: self.connections,
            pipeline: self.pipeline,
            traffic: self.traffic,
            keys: Keys::Random { range: self.key_range },
            value_size: VALUE_SIZE,
            pace: Pace::Closed { requests: self.requests },
            seed: 1,
        }
    }
}

/// Stores keys 0..count, each once, by the own generator; fails unless the server then holds them.
pub fn fill(bench: &Bench, server: &Server, count: u64) -> Outcome<()> {
    let plan = Plan {
        port: server.port,
        connections: 4,
        pipeline: 64,
        traffic: Traffic::Set,
        keys: Keys::Sequential,
        value_size: VALUE_SIZE,
        pace: Pace::Closed { requests: count },
        seed: 1,
    };
    generator::run_pinned(&plan, bench.load_cpu)?;
    let held = server.client()?.integer(&[b"DBSIZE"])?;
    if held < count as i64 {
        return Err(format!("{} holds {held} keys after {count} were stored", server.name).into());
    }
    Ok(())
}
