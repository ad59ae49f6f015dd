//! Which cores there are, who is pinned where, and how many descriptors a process may hold.
//!
//! Called by bench (the plan), server and redis_benchmark (pinning a child), generator (pinning its thread).
//! Invariant: with two cores or more, the load's core never is a one-core server's core.
//! Why not the `taskset` program: the mask is set between fork and exec, so no instant of a server runs unpinned.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Core numbers as the kernel counts them.
pub type Cores = Vec<usize>;

/// The cores this process may run on, ascending.
pub fn allowed() -> io::Result<Cores> {
    // SAFETY: cpu_set_t is plain bits, for which all-zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid for writes of the size that is passed with it; pid 0 is the caller.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the index stays below CPU_SETSIZE, the number of bits of the set.
    Ok((0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect())
}

/// Pins the calling thread, and what it starts from now on.
pub fn pin_here(cores: &[usize]) -> io::Result<()> {
    // SAFETY: cpu_set_t is plain bits, for which all-zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &core in cores.iter().filter(|&&core| core < libc::CPU_SETSIZE as usize) {
        // SAFETY: the filter keeps the index within the set's bits.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    // SAFETY: the set is valid for reads of the size that is passed with it; pid 0 is the caller.
    if unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Lets a command start pinned to the cores, and die when the thread that started it dies.
pub fn pin_child(command: &mut Command, cores: &[usize]) {
    let cores = cores.to_vec();
    let start = move || {
        // SAFETY: PR_SET_PDEATHSIG takes one integer and touches no memory of ours.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        pin_here(&cores)
    };
    // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(start) };
}

/// Raises this process's descriptor limit towards `wanted` and says what it is now.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is valid for writes.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur >= wanted {
        return Ok(limit.rlim_cur);
    }
    let above = libc::rlimit { rlim_cur: wanted, rlim_max: wanted.max(limit.rlim_max) };
    let within = libc::rlimit { rlim_cur: wanted.min(limit.rlim_max), rlim_max: limit.rlim_max };
    for attempt in [above, within] {
        // SAFETY: the struct is valid for reads.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &attempt) } == 0 {
            return Ok(attempt.rlim_cur);
        }
    }
    Ok(limit.rlim_cur)
}

/// Puts the calling thread above ordinary ones, so that what else runs on the load's core does not look like a slow
/// server. Needs a privilege; says whether it was granted.
pub fn prefer_here() -> bool {
    let parameter = libc::sched_param { sched_priority: 1 };
    // SAFETY: the struct is valid for reads; pid 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameter) == 0 }
}
