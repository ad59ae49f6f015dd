//! The process' place on the machine: usable cores, cgroup quota, resource limits, memory figures of /proc.
//!
//! Called by `server::boot` and `observe::info`. Invariant: nothing here changes what the administrator set beyond
//! raising soft limits up to hard ones. Sources: sched_setaffinity(2), cgroup v2 `cpu.max`, cgroup v1
//! `cpu.cfs_quota_us`, getrlimit(2), proc(5).

use std::fs;

use crate::limits::MAX_CORES;

/// Which cores we may use, and whether they are ours alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// CPU ids of the affinity mask.
    pub cpus: Vec<usize>,
    /// Threads that make sense under the cgroup's quota.
    pub threads: usize,
    /// A quota below the mask: cores are shared, so pinning would hurt.
    pub shared: bool,
}

/// Reads the affinity mask and the cgroup's CPU quota.
pub fn allowance() -> Allowance {
    let mut cpus: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    cpus.sort_unstable();
    if cpus.is_empty() {
        cpus.push(0);
    }
    allowance_of(cpus, cpu_quota())
}

fn allowance_of(cpus: Vec<usize>, quota: Option<f64>) -> Allowance {
    let all = cpus.len().min(MAX_CORES);
    let threads = quota.map_or(all, |quota| (quota.floor() as usize).clamp(1, all));
    let shared = quota.is_some_and(|quota| quota < cpus.len() as f64);
    Allowance { cpus, threads, shared }
}

/// The cgroup's quota in cores, if it has one: the least along the path of the own cgroup.
fn cpu_quota() -> Option<f64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut quota: Option<f64> = None;
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let v2 = controllers.is_empty();
        if !v2 && !controllers.split(',').any(|name| name == "cpu") {
            continue;
        }
        let root = if v2 { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/cpu" };
        for ancestor in std::path::Path::new(path).ancestors() {
            let dir = format!("{root}{}", ancestor.display());
            if let Some(found) = if v2 { quota_v2(&dir) } else { quota_v1(&dir) } {
                quota = Some(quota.map_or(found, |least| least.min(found)));
            }
        }
    }
    quota
}

fn quota_v2(dir: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("{dir}/cpu.max")).ok()?;
    let mut words = text.split_whitespace();
    let (quota, period) = (words.next()?.parse::<f64>().ok()?, words.next()?.parse::<f64>().ok()?);
    Some(quota / period)
}

fn quota_v1(dir: &str) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(format!("{dir}/{name}")).ok()?.trim().parse::<f64>().ok();
    let (quota, period) = (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?);
    (quota > 0.0).then_some(quota / period)
}

/// The soft limit of `resource`.
pub fn limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit writes the struct given.
    unsafe { libc::getrlimit(resource, &mut limit) };
    limit.rlim_cur
}

/// Raises the soft limit of `resource` towards `wanted`; returns what it is afterwards.
pub fn raise_limit(resource: libc::__rlimit_resource_t, wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit and setrlimit only read and write the struct given.
    unsafe {
        if libc::getrlimit(resource, &mut limit) != 0 || limit.rlim_cur >= wanted {
            return limit.rlim_cur;
        }
        let before = limit;
        limit.rlim_cur = wanted;
        limit.rlim_max = limit.rlim_max.max(wanted);
        if libc::setrlimit(resource, &limit) == 0 {
            return wanted;
        }
        limit = libc::rlimit { rlim_cur: wanted.min(before.rlim_max), rlim_max: before.rlim_max };
        if libc::setrlimit(resource, &limit) == 0 { limit.rlim_cur } else { before.rlim_cur }
    }
}

/// Turns transparent huge pages off for this process: a page fault would clear 2 MiB at once, a stall of milliseconds, and small
/// segments would hold whole huge pages resident.
pub fn disable_huge_pages() {
    // SAFETY: this prctl takes plain integers; an old kernel that refuses it leaves things as they are.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// Resident set size in bytes.
pub fn resident_bytes() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    pages * 4096
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_follow_quota_and_mask() {
        let all = allowance_of(vec![0, 1, 2, 3], None);
        assert_eq!((all.threads, all.shared), (4, false));
        let quota = allowance_of(vec![0, 1, 2, 3], Some(2.5));
        assert_eq!((quota.threads, quota.shared), (2, true));
        assert_eq!(allowance_of(vec![5], Some(0.2)).threads, 1);
        assert!(!allowance_of(vec![0, 1], Some(2.0)).shared);
    }
}
