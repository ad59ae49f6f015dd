//! `latency`: 50 clients SET in an open loop at 70 % of the peer's maximum while 2 GB (`--scale`) are saved: latency before and during, memory, longest step.
//!
//! Bars (issue 4): p99.9 during the save at most twice that without, and under the peer's; peak memory at most 5 % above the data set; no step of a shard
//! over 1 ms. One run has both phases: some seconds without, then BGSAVE, until its end. `DIR/latency-over-time.svg` and `.csv` show the last pair.
//! The peer's child is let onto every core but the load's: on a machine of two cores it shares its parent's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::account::resident_bytes;
use crate::bench::{self, Bench, Side};
use crate::generator::{self, Keys, Pace, Plan, Trace, Traffic};
use crate::report::{MAX_US, Metric, P50_US, P99_US, P999_US, Report, STEP_US, Spread, metric};
use crate::server::{Server, Setup};
use crate::timeline::{self, Line, percentile};
use crate::work::{self, WALL_S, identity};

const KEYS: u64 = 2_000_000;
const VALUE_SIZE: usize = 1000;
const CONNECTIONS: usize = 50;
const SHARE: f64 = 0.7;
/// Without a save, measured first.
const QUIET_S: f64 = 8.0;
/// Of it, what is left out for warming up.
const WARM_MS: u32 = 1000;
/// No run takes longer.
const LONGEST_S: f64 = 120.0;

const RATIO: Metric = metric("p99.9 during / without", true, true);
const MEMORY: Metric = metric("peak / data set", true, true);
const FORK_US: Metric = metric("fork us", true, false);
const COW_MIB: Metric = metric("copied on write MiB", true, false);

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let keys = bench.scaled(KEYS, 20_000);
    let servers = [(Side::Ours, start(bench, Side::Ours)?), (Side::Peer, start(bench, Side::Peer)?)];
    bench::alternate(&servers, 1, |_, server| work::fill(bench, server, keys, VALUE_SIZE, true))?;
    let mut maxima = Vec::new();
    bench::alternate(&servers, 3, |side, server| {
        let closed = Pace::Closed { requests: bench.scaled(300_000, 50_000) };
        let run = generator::run_pinned(&plan(server, keys, closed), bench.load_cpu)?;
        if side == Side::Peer {
            maxima.push(run.requests as f64 / run.seconds);
        }
        Ok(())
    })?;
    let maximum = Spread::of(&maxima).map_or(0.0, |spread| spread.median);
    let rate = maximum * SHARE;
    let mut lines = Vec::new();
    for pair in 0..bench.options.pairs {
        bench::alternate(&servers, 1, |side, server| {
            let line = measure(bench, report, side, server, keys, rate)?;
            if pair + 1 == bench.options.pairs {
                lines.push(line);
            }
            Ok(())
        })?;
    }
    report.set_bar("during BGSAVE", P999_US, 1.0);
    report.set_limit("during BGSAVE", RATIO, 2.0);
    report.set_limit("during BGSAVE", MEMORY, 1.05);
    if bench.ours_is_shoal() {
        report.set_limit("during BGSAVE", STEP_US, 1000.0);
    }
    report.note(format!(
        "{keys} keys x {VALUE_SIZE} bytes; {rate:.0} SET/s = 70 % of the peer's {maximum:.0}/s; latency from the due time"
    ));
    std::fs::create_dir_all(&bench.options.out)?;
    timeline::write(&bench.options.out, &lines)
}

fn start(bench: &Bench, side: Side) -> Outcome<Server> {
    let setup = bench.setup(side);
    let mut cores: Vec<usize> =
        bench.allowed.iter().copied().filter(|&core| core != bench.load_cpu).collect();
    if cores.is_empty() {
        cores.push(bench.server_cpu);
    }
    Server::start(&Setup { cores, ..setup })
}

fn plan(server: &Server, keys: u64, pace: Pace) -> Plan {
    Plan {
        port: server.port,
        connections: CONNECTIONS,
        pipeline: 1,
        traffic: Traffic::SetRandom,
        keys: Keys::Random { range: keys },
        value_size: VALUE_SIZE,
        pace,
        seed: 1,
    }
}

/// One run of a side: quiet, save, end.
fn measure(
    bench: &Bench,
    report: &mut Report,
    side: Side,
    server: &Server,
    keys: u64,
    rate: f64,
) -> Outcome<Line> {
    let stop = AtomicBool::new(false);
    let peak = AtomicU64::new(0);
    let data_set = resident_bytes(server.pid())?;
    let mut admin = server.client()?;
    let (trace, saved) = std::thread::scope(|scope| {
        let (stop, peak) = (&stop, &peak);
        let pace = Pace::Open { rate, seconds: LONGEST_S };
        let load =
            scope.spawn(move || generator::run_traced(&plan(server, keys, pace), bench.load_cpu, stop));
        let saved = save_amid(bench, server, &mut admin, peak);
        stop.store(true, Ordering::Relaxed);
        let trace = load.join().unwrap_or_else(|_| Err("the load's thread panicked".into()));
        (trace, saved)
    });
    let (trace, (from, to)) = (trace?, saved?);
    let steps = server.counted("longest_step_usec")?;
    let counted = |field: &str| server.counted(field).map(|value| value.unwrap_or(0));
    let (fork_us, cow) = (counted("latest_fork_usec")?, counted("rdb_last_cow_size")?);
    let ms = |at: Instant| at.duration_since(trace.start).as_millis() as u32;
    let (from_ms, to_ms) = (ms(from), ms(to));
    let without = record(report, side, "without", &trace, WARM_MS, from_ms);
    let during = record(report, side, "during BGSAVE", &trace, from_ms, to_ms);
    report.add(side, "during BGSAVE", RATIO, during / without.max(1.0));
    // What the child has copied lies beside the parent's memory.
    let peak_bytes = peak.load(Ordering::Relaxed) + cow;
    report.add(side, "during BGSAVE", MEMORY, peak_bytes as f64 / data_set as f64);
    report.add(side, "during BGSAVE", WALL_S, to.duration_since(from).as_secs_f64());
    report.add(side, "during BGSAVE", FORK_US, fork_us as f64);
    report.add(side, "during BGSAVE", COW_MIB, cow as f64 / f64::from(1 << 20));
    if let Some(us) = steps {
        report.add(side, "during BGSAVE", STEP_US, us as f64);
    }
    Ok(Line {
        name: server.name.clone(),
        is_ours: side == Side::Ours,
        moments: trace.moments,
        from_ms,
        to_ms,
    })
}

/// Lets the load run, saves amid it; when the save began and ended. Keeps the highest resident memory.
fn save_amid(
    bench: &Bench,
    server: &Server,
    admin: &mut crate::client::Client,
    peak: &AtomicU64,
) -> Outcome<(Instant, Instant)> {
    let file = server.directory().join("dump.rdb");
    let quiet_s = (QUIET_S * bench.options.scale).clamp(3.0, QUIET_S);
    std::thread::sleep(Duration::from_secs_f64(quiet_s));
    admin.call(&[b"CONFIG", b"RESETSTAT"])?;
    let old = identity(&file);
    let from = Instant::now();
    admin.text(&[b"BGSAVE"])?;
    while identity(&file) == old {
        peak.fetch_max(resident_bytes(server.pid())?, Ordering::Relaxed);
        if from.elapsed().as_secs_f64() > LONGEST_S - QUIET_S {
            return Err(format!("{} does not finish its BGSAVE\n{}", server.name, server.log_tail()).into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let to = Instant::now();
    // redis-server takes note of its child's end a little later, and tells of its memory only then.
    work::wait_zero(server, "rdb_bgsave_in_progress")?;
    std::thread::sleep(Duration::from_secs(1));
    Ok((from, to))
}

/// Records the latencies of what was due within a span; gives p99.9 in µs.
fn record(report: &mut Report, side: Side, case: &str, trace: &Trace, from_ms: u32, to_ms: u32) -> f64 {
    let within = trace.moments.iter().filter(|moment| (from_ms..to_ms).contains(&moment.due_ms));
    let mut took: Vec<u32> = within.map(|moment| moment.took_us).collect();
    took.sort_unstable();
    for (metric, share) in [(P50_US, 0.5), (P99_US, 0.99), (P999_US, 0.999), (MAX_US, 1.0)] {
        report.add(side, case, metric, percentile(&took, share));
    }
    percentile(&took, 0.999)
}
