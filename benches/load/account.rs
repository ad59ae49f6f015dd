//! What a process has cost so far: CPU time, sleeps and memory, read from /proc.
//!
//! Called by sample and the scenarios. Invariant: CPU time is the sum over all threads, io_uring workers included.
//! Bounds: a thread that ends between two readings takes its time with it (neither server ends threads under load).
//! Why schedstat: nanoseconds the thread really ran; utime+stime of `stat` counts ticks of 10 ms and is the fall-back.

use std::fs;

use crate::Outcome;

/// One reading.
#[derive(Clone, Copy, Default)]
pub struct Account {
    /// Time on a CPU, user and kernel, in ns.
    pub cpu_ns: u64,
    /// Voluntary context switches: how often a thread went to sleep, and so was woken.
    pub sleeps: u64,
    /// Involuntary context switches: how often someone else took the core.
    pub preemptions: u64,
}

impl Account {
    /// Reads the sum over the threads of a process.
    pub fn read(pid: u32) -> Outcome<Account> {
        let tasks = format!("/proc/{pid}/task");
        let mut sum = Account::default();
        for task in fs::read_dir(&tasks).map_err(|error| format!("{tasks}: {error}"))? {
            let task = task?.path();
            let Ok(status) = fs::read_to_string(task.join("status")) else { continue };
            let schedstat = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let ran_ns =
                schedstat.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0);
            sum.cpu_ns += if ran_ns > 0 {
                ran_ns
            } else {
                stat_ns(&fs::read_to_string(task.join("stat")).unwrap_or_default())
            };
            sum.sleeps += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            sum.preemptions += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(sum)
    }

    /// What was added since an earlier reading.
    pub fn since(&self, earlier: &Account) -> Account {
        Account {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            sleeps: self.sleeps.saturating_sub(earlier.sleeps),
            preemptions: self.preemptions.saturating_sub(earlier.preemptions),
        }
    }
}

/// utime + stime of a `stat` line in ns; they are the 12th and 13th field after the parenthesized name.
fn stat_ns(stat: &str) -> u64 {
    // SAFETY: sysconf reads a constant of the system.
    let ticks_per_s = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64;
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0 };
    let ticks: u64 =
        rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks * (1_000_000_000 / ticks_per_s)
}

/// Resident memory of a process in bytes.
pub fn resident_bytes(pid: u32) -> Outcome<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let kib = field(&status, "VmRSS:").ok_or_else(|| format!("{path}: no VmRSS, the process is ending"))?;
    Ok(kib * 1024)
}

/// The number on the line that starts with `name`.
fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}
