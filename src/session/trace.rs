//! What a test needs to judge when replies leave: writes and fsyncs of files as the kernel reports them, sends as they begin. Feature `test-switches` only.
//!
//! `disk` and `deliver` call it; `SHOAL_TEST_TRACE` names the file. io_uring is not seen by strace, so the server itself must tell; but it tells of bytes of files and
//! of connections only, nothing of stream offsets or held replies: what has to be on the disk before a reply the test finds in the file itself (tests/crash/trace.rs).
//! ```text
//! <us> open <file> <path>        <us> wrote <file> <up to>       <us> begin <file>   a sync of what was written before
//! <us> synced <file> <up to>     (0: what `begin` covers)        <us> send <client id> <bytes>
//! ```
//! Invariant: a sync's line is written before what it releases, a send's before it is handed to the kernel; lines of all cores are in one order (O_APPEND). Bounds: none; tests only.

#[cfg(feature = "test-switches")]
mod lines {
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::sync::LazyLock;

    static FILE: LazyLock<Option<File>> = LazyLock::new(|| {
        let path = std::env::var_os("SHOAL_TEST_TRACE")?;
        OpenOptions::new().create(true).append(true).open(path).ok()
    });

    pub fn add(text: std::fmt::Arguments<'_>) {
        if let Some(mut file) = FILE.as_ref() {
            let line = format!("{} {text}\n", crate::base::clock::monotonic_us());
            // One write: a line lies in one piece.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

/// Nothing, in a build without the switches.
#[cfg(not(feature = "test-switches"))]
mod lines {
    #[inline(always)]
    pub fn add(_: std::fmt::Arguments<'_>) {}
}

/// A file was opened.
#[inline]
pub fn opened(file: u32, path: &str) {
    lines::add(format_args!("open {file} {path}"));
}

/// The kernel has taken the bytes before `to`.
#[inline]
pub fn wrote(file: u32, to: u64) {
    lines::add(format_args!("wrote {file} {to}"));
}

/// A sync is asked for.
#[inline]
pub fn begins_sync(file: u32) {
    lines::add(format_args!("begin {file}"));
}

/// The kernel says that the bytes before `to` are on the disk; 0: those written before the sync was asked for.
#[inline]
pub fn synced(file: u32, to: u64) {
    lines::add(format_args!("synced {file} {to}"));
}

/// Bytes of a connection are about to be handed to the kernel.
#[inline]
pub fn sends(client: u64, bytes: usize) {
    lines::add(format_args!("send {client} {bytes}"));
}
