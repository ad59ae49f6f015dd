//! One pinned thread per core with a glommio `LocalExecutor` on it, and the task classes it schedules.
//!
//! `server::boot` starts the threads; `session::core` runs as the network task of class [`Class::Network`], background
//! work (expiry, lazy free, later snapshot and rewrite) as tasks of class [`Class::Background`] with fewer shares.
//! Invariant: a task borrows the core's state only between two awaits. The network task parks in our own ring, not in
//! glommio: the core's idle wait is our ring (RUNTIME.md).
//! Bounds: glommio's timers fire within a few milliseconds ([`PREEMPT`]).

use std::io;
use std::time::Duration;

use glommio::{Latency, LocalExecutorBuilder, Placement, Shares, TaskQueueHandle};

/// Memory glommio registers per executor for bulk file I/O, in bytes.
const IO_MEMORY: usize = 512 * 1024;
/// glommio's own rings are small: bulk file I/O only.
const RING_DEPTH: usize = 64;

/// glommio looks at its timers and file completions this often while tasks run. Longer than RUNTIME.md's 1 ms because a
/// descheduled thread finds it fired too early (`runtime::watchdog`); timers are at most so late.
const PREEMPT: Duration = Duration::from_millis(5);

/// The task classes of a core.
#[derive(Clone, Copy, Debug)]
pub struct Classes {
    /// Client traffic: most shares.
    pub network: TaskQueueHandle,
    /// Expiry, lazy free, statistics, a snapshot's walk: few shares, budgeted steps.
    pub background: TaskQueueHandle,
    /// What nobody can do without: loading data.
    pub bulk: TaskQueueHandle,
    /// Bytes of files on their way: what waits here takes memory, so it has more.
    pub files: TaskQueueHandle,
}

/// Why a core could not start.
#[derive(Debug)]
pub struct StartError(pub String);

/// Runs `future(classes)` to completion on a new executor of the calling thread, pinned to `cpu` if given.
///
/// Errors: the executor's io_uring set-up failed; the text carries the remedy.
pub fn run<F, T>(cpu: Option<usize>, future: impl FnOnce(Classes) -> F) -> Result<T, StartError>
where
    F: std::future::Future<Output = T>,
{
    if let Some(id) = cpu {
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(IO_MEMORY)
        .ring_depth(RING_DEPTH)
        .preempt_timer(PREEMPT)
        .make()
        .map_err(|error| StartError(explain(&error.to_string(), None)))?;
    Ok(executor.run(async move {
        let handle = glommio::executor();
        let background = Latency::Matters(Duration::from_millis(10));
        let classes = Classes {
            network: handle.create_task_queue(Shares::Static(1000), Latency::NotImportant, "network"),
            background: handle.create_task_queue(Shares::Static(50), background, "background"),
            bulk: handle.create_task_queue(Shares::Static(1000), Latency::NotImportant, "bulk"),
            files: handle.create_task_queue(Shares::Static(400), background, "files"),
        };
        future(classes).await
    }))
}

/// Turns an io_uring set-up failure into one line with its remedy.
pub fn explain(text: &str, error: Option<&io::Error>) -> String {
    let code = error.and_then(io::Error::raw_os_error);
    let says = |word: &str| text.contains(word);
    if code == Some(libc::ENOSYS) || says("os error 38") {
        return format!(
            "io_uring is not available ({text}): the kernel lacks it (6.1 or newer is needed) or a seccomp profile hides it; see tuning/seccomp.json"
        );
    }
    if code == Some(libc::EPERM) || says("os error 1)") {
        return format!(
            "io_uring is forbidden ({text}): allow it in the container's seccomp profile (tuning/seccomp.json) and set sysctl kernel.io_uring_disabled=0"
        );
    }
    if code == Some(libc::ENOMEM) || says("os error 12") || says("MEMLOCK") || says("memlock") {
        return format!(
            "io_uring cannot lock memory ({text}): raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) to 8192 KiB plus 4096 KiB per core"
        );
    }
    if code == Some(libc::EINVAL) || says("os error 22") {
        return format!(
            "the kernel's io_uring lacks what shoal needs ({text}): Linux 6.1 or newer is needed"
        );
    }
    format!("cannot set up io_uring: {text}")
}
