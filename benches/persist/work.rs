//! Pieces of work that are measured by wall clock and CPU: filling with keys, and what a server does in the background until a file tells its end.
//!
//! Called by the scenarios. Invariant: the CPU time counts the children that a server has forked and waited for. Bounds: 120 s per piece of work.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::account::Account;
use crate::bench::{Bench, Side};
use crate::generator::{self, Keys, Pace, Plan, Traffic};
use crate::report::{Metric, metric};
use crate::server::{Server, Setup};

/// Wall time of a piece of work.
pub const WALL_S: Metric = metric("wall s", true, true);
/// Its CPU time, all threads and ended children.
pub const CPU_S: Metric = metric("cpu s", true, true);

const LIMIT: Duration = Duration::from_secs(120);
/// How often the end is looked for.
const POLL: Duration = Duration::from_millis(1);

/// CPU time of a process and of the children it has waited for, in seconds.
pub fn cpu_s(pid: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').ok_or("no stat of the server")?;
    // SAFETY: sysconf reads a constant of the system.
    let ticks_per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as f64;
    let children: u64 =
        rest.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Account::read(pid)?.cpu_ns as f64 / 1e9 + children as f64 / ticks_per_s)
}

/// Does a piece of work and waits for `done`, then until a field of INFO says that it is over (a child's CPU time is known only then);
/// wall seconds to `done`, CPU seconds of all.
pub fn timed(
    server: &Server,
    begin: impl FnOnce() -> Outcome<()>,
    mut done: impl FnMut() -> bool,
    field: &str,
) -> Outcome<(f64, f64)> {
    let (before, started) = (cpu_s(server.pid())?, Instant::now());
    begin()?;
    while !done() {
        if started.elapsed() > LIMIT {
            return Err(format!("{} does not come to an end\n{}", server.name, server.log_tail()).into());
        }
        std::thread::sleep(POLL);
    }
    let wall_s = started.elapsed().as_secs_f64();
    wait_zero(server, field)?;
    Ok((wall_s, cpu_s(server.pid())? - before))
}

/// Waits until a field of INFO is 0.
pub fn wait_zero(server: &Server, field: &str) -> Outcome<()> {
    let deadline = Instant::now() + LIMIT;
    while server.counted(field)? != Some(0) {
        if Instant::now() > deadline {
            return Err(format!("{}: {field} stays", server.name).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// What tells one file from its successor under the same name.
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let data = fs::metadata(path).ok()?;
    Some((data.ino(), data.len()))
}

/// A one-core server of a side with more directives.
pub fn start(bench: &Bench, side: Side, directives: &[(&str, &str)]) -> Outcome<Server> {
    let setup = bench.setup(side);
    let directives =
        directives.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Server::start(&Setup { directives, ..setup })
}

/// Stores keys 0..count once each.
pub fn fill(bench: &Bench, server: &Server, count: u64, size: usize, random: bool) -> Outcome<()> {
    let plan = Plan {
        port: server.port,
        connections: 4,
        pipeline: 64,
        traffic: if random { Traffic::SetRandom } else { Traffic::Set },
        keys: Keys::Sequential,
        value_size: size,
        pace: Pace::Closed { requests: count },
        seed: 1,
    };
    generator::run_pinned(&plan, bench.load_cpu)?;
    let held = server.client()?.integer(&[b"DBSIZE"])?;
    if held == count as i64 {
        Ok(())
    } else {
        Err(format!("{} holds {held} keys, not {count}", server.name).into())
    }
}

/// Fails unless within 3 s the server's log holds at least so many bytes per request: a side that does not write would win every comparison.
pub fn wait_logged(server: &Server, requests: u64, bytes_each: u64) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let entries = fs::read_dir(server.directory().join("appendonlydir"))
            .map_err(|error| format!("{} has no AOF: {error}", server.name))?;
        let held: u64 =
            entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum();
        let wanted = requests * bytes_each;
        if held >= wanted {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{}: an AOF of {held} bytes, not {wanted}", server.name).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
