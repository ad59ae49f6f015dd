//! The log in redis' line format: `PID:ROLE DATE LEVEL message`.
//!
//! The facade is the `log` crate; this is its one backend. The file is opened for each line, as redis does, so
//! that it can be rotated by renaming. Called from everywhere; never on a command's path.
//! Invariant: a line is one write. Levels: `.` debug, `-` verbose, `*` notice, `#` warning.

use std::io::Write;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU8, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Where lines go; an empty path is standard output.
static TARGET: RwLock<String> = RwLock::new(String::new());
/// The role letter: `M` master, `S` replica.
static ROLE: AtomicU8 = AtomicU8::new(b'M');

struct RedisFormat;

impl Log for RedisFormat {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("shoal")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mark = match record.level() {
            Level::Error | Level::Warn => '#',
            Level::Info => '*',
            Level::Debug => '-',
            Level::Trace => '.',
        };
        let role = ROLE.load(Ordering::Relaxed) as char;
        let line = format!("{}:{role} {} {mark} {}\n", std::process::id(), local_time(), record.args());
        write_line(line.as_bytes());
    }

    fn flush(&self) {}
}

/// Writes text as it is: the crash report.
pub fn write_raw(text: &[u8]) {
    write_line(text);
}

fn write_line(line: &[u8]) {
    // A panicking thread must not wait for a lock it may hold itself.
    let Ok(target) = TARGET.try_read() else { return };
    if target.is_empty() {
        let _ = std::io::stdout().lock().write_all(line);
    } else if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(&*target) {
        let _ = file.write_all(line);
    }
}

/// `21 Nov 2026 09:21:07.123` in local time.
fn local_time() -> String {
    let wall_us = crate::base::clock::wall_us();
    let seconds = (wall_us / 1_000_000) as libc::time_t;
    // SAFETY: an all-zero tm is valid; localtime_r fills it from a valid time.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut time);
        time
    };
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.get(time.tm_mon as usize).unwrap_or(&"Jan");
    let millis = wall_us / 1000 % 1000;
    let (day, year) = (time.tm_mday, time.tm_year + 1900);
    format!("{day:02} {month} {year} {:02}:{:02}:{:02}.{millis:03}", time.tm_hour, time.tm_min, time.tm_sec)
}

/// Starts the log: `path` empty for standard output, `level` as the directive says.
///
/// Errors: the file cannot be opened.
pub fn start(path: &str, level: &str) -> Result<(), String> {
    if !path.is_empty() {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
        opened.map_err(|error| format!("Can't open the log file: {error}"))?;
    }
    if let Ok(mut target) = TARGET.write() {
        path.clone_into(&mut target);
    }
    let _ = log::set_logger(&RedisFormat);
    set_level(level);
    Ok(())
}

/// CONFIG SET loglevel.
pub fn set_level(level: &str) {
    log::set_max_level(match level {
        "debug" => LevelFilter::Trace,
        "verbose" => LevelFilter::Debug,
        "notice" => LevelFilter::Info,
        "nothing" => LevelFilter::Off,
        _ => LevelFilter::Warn,
    });
}

/// A `#` line.
pub fn warning(text: &str) {
    log::warn!("{text}");
}

/// A `*` line.
pub fn notice(text: &str) {
    log::info!("{text}");
}

/// A `-` line.
pub fn verbose(text: &str) {
    log::debug!("{text}");
}
