//! The crash report: what a panic leaves in the log before the process ends.
//!
//! [`install`] sets the panic hook (panic = abort in every profile, so the hook is the last code that runs). The report has redis' frame: a thread,
//! the reason, the command being executed, a backtrace, and what of INFO can be read without touching any core's state.
//! Invariant: the hook takes no lock but the log's and never panics itself. Bounds: one report; a second panic while it is written
//! is cut short. Why the command is kept per thread: the hook cannot reach the core that panicked.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::identity::REDIS_VERSION;
use super::info::human;
use super::log::write_raw;
use crate::base::memory;
use crate::command::row::Row;
use crate::runtime::process;

thread_local! {
    /// The command this thread is executing, and for whom.
    static CURRENT: Cell<Option<(&'static Row, u64)>> = const { Cell::new(None) };
}

/// A report is being written.
static WRITING: AtomicBool = AtomicBool::new(false);

/// Notes the command this thread executes, and the client's id.
#[inline]
pub fn note(row: &'static Row, client: u64) {
    CURRENT.set(Some((row, client)));
}

/// Makes panics leave a report.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        if WRITING.swap(true, Ordering::SeqCst) {
            return;
        }
        let reason = panic.to_string();
        write_raw(report(&reason).as_bytes());
    }));
}

fn report(reason: &str) -> String {
    let thread = std::thread::current();
    let command = match CURRENT.try_with(Cell::get) {
        Ok(Some((row, client))) => format!("cmd={} client id={client}", row.full_name),
        Ok(None) => String::from("none on this thread"),
        Err(_) => String::from("unknown: the thread is ending"),
    };
    let used = memory::used();
    format!(
        "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n\
         shoal {} (redis {REDIS_VERSION}) crashed: {reason}\n\
         \n------ THREAD ------\n{} pid={}\n\
         \n------ CURRENT COMMAND ------\n{command}\n\
         \n------ STACK TRACE ------\n{}\n\
         \n------ INFO OUTPUT ------\n# Memory\nused_memory:{used}\nused_memory_human:{}\nused_memory_peak:{}\nused_memory_rss:{}\n\
         \n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n",
        env!("CARGO_PKG_VERSION"),
        thread.name().unwrap_or("unnamed"),
        std::process::id(),
        Backtrace::force_capture(),
        human(used as u64),
        memory::peak(),
        process::resident_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_reason_thread_and_ends() {
        let text = report("because");
        assert!(text.contains("crashed: because") && text.contains("------ STACK TRACE ------"));
        assert!(text.trim_end().ends_with("START to END. ==="));
    }
}
