//! Load driver 1: redis-benchmark, as anyone can repeat it; its text output is parsed.
//!
//! Called by sample. Invariant: a run that did not report its own end is an error, never a zero. Bounds: percentiles
//! are those redis-benchmark prints (p99.9 is its 99.902 % line) in its resolution. Why not --csv: it has no p99.9.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Outcome;
use crate::cores;
use crate::sample::{DriverRun, Latency};

/// What redis-benchmark sends.
#[derive(Clone, Copy)]
pub enum What<'a> {
    /// `-t`: one of its own tests.
    Test(&'a str),
    /// A command of ours.
    Words(&'a [&'a str]),
}

/// What redis-benchmark is to do.
pub struct Job<'a> {
    /// Its binary.
    pub binary: &'a Path,
    /// The server's port at 127.0.0.1.
    pub port: u16,
    /// What it sends.
    pub command: What<'a>,
    /// `-c`.
    pub connections: usize,
    /// `-P`.
    pub pipeline: usize,
    /// `-n`.
    pub requests: u64,
    /// `-r`; 0: not given.
    pub key_range: u64,
    /// `-d`, in bytes.
    pub value_size: usize,
    /// The core it is pinned to.
    pub cpu: usize,
}

/// Runs it to its end.
pub fn run(job: &Job) -> Outcome<DriverRun> {
    let mut command = Command::new(job.binary);
    command.args(["-h", "127.0.0.1", "--precision", "3", "-p", &job.port.to_string()]);
    for (flag, value) in [
        ("-c", job.connections as u64),
        ("-P", job.pipeline as u64),
        ("-n", job.requests),
        ("-r", job.key_range),
        ("-d", job.value_size as u64),
    ] {
        if value > 0 {
            command.arg(flag).arg(value.to_string());
        }
    }
    match job.command {
        What::Test(name) => command.args(["-t", name]),
        What::Words(words) => command.args(words),
    };
    command.stdin(Stdio::null());
    cores::pin_child(&mut command, &[job.cpu]);
    let started = Instant::now();
    let output = command.output()?;
    let wall_s = started.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    // It exits with 0 after an error reply, too, and tells of it only in words.
    let complaint = text.lines().chain(errors.lines()).find(|line| line.contains("Error from server"));
    if let Some(line) = complaint {
        return Err(format!("redis-benchmark: {line}").into());
    }
    parse(&text, job.requests, wall_s)
        .ok_or_else(|| format!("redis-benchmark gave no result ({}): {errors}", output.status).into())
}

/// Reads the summary and the percentile lines.
fn parse(text: &str, requests: u64, wall_s: f64) -> Option<DriverRun> {
    let per_s: f64 = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("throughput summary: "))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())?;
    let columns = text.lines().skip_while(|line| line.trim() != "latency summary (msec):").nth(2)?;
    let columns: Vec<f64> = columns.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [_avg, _min, p50, _p95, p99, max] = columns[..] else { return None };
    let tail = text
        .lines()
        .skip_while(|line| !line.starts_with("Latency by percentile"))
        .skip(1)
        .map_while(percentile_line)
        .find(|(percentile, _)| *percentile >= 99.9)
        .map(|(_, ms)| ms)?;
    let latency = Latency { p50_us: p50 * 1e3, p99_us: p99 * 1e3, p999_us: tail * 1e3, max_us: max * 1e3 };
    let seconds = if per_s > 0.0 { requests as f64 / per_s } else { wall_s };
    Some(DriverRun { requests, seconds, latency })
}

/// `99.902% <= 3.479 milliseconds (cumulative count 99904)` as percent and ms.
fn percentile_line(line: &str) -> Option<(f64, f64)> {
    let (percentile, rest) = line.split_once("% <= ")?;
    Some((percentile.trim().parse().ok()?, rest.split_whitespace().next()?.parse().ok()?))
}
