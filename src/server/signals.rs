//! SIGTERM and SIGINT as readable events: a signalfd on core 0's ring.
//!
//! Blocked in every thread before any is started, so that none is interrupted. SIGPIPE and SIGHUP are ignored as in
//! redis. Called by `boot`. Bounds: one descriptor.

use std::os::fd::RawFd;

/// Blocks the signals we handle and returns the descriptor that tells of them.
///
/// Errors: those of signalfd(2).
pub fn catch() -> std::io::Result<RawFd> {
    // SAFETY: the set is initialised by sigemptyset before use; signal() with SIG_IGN has no handler to misuse.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGTERM);
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        let fd = libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
        if fd < 0 { Err(std::io::Error::last_os_error()) } else { Ok(fd) }
    }
}
