//! ACL LOG: what was refused lately, equal refusals within a minute counted as one.
//!
//! Written by `session::gate` when a command or login is refused, read by ACL LOG. One for the process behind a lock: a refusal is rare
//! and has cost its reply already; per core, equal refusals on two cores would stand twice. Invariant: newest first. Bounds: acllog-max-len
//! entries; ten are looked at for an equal one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::check::Reason;

/// Equal refusals further apart are two entries, in milliseconds.
const GROUPING_MS: u64 = 60_000;
/// Newest entries compared with a new one.
const LOOKED_AT: usize = 10;

/// Where a command came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A client.
    TopLevel,
    /// A transaction, while queueing or at EXEC.
    Multi,
    /// A script.
    Lua,
}

/// One refusal, or several equal ones.
#[derive(Clone, Debug)]
pub struct Record {
    /// How many.
    pub count: u64,
    /// What was refused.
    pub reason: Reason,
    /// Where it came from.
    pub context: Context,
    /// The command, key, channel or, for a login, the command used.
    pub object: Vec<u8>,
    /// Who was refused.
    pub username: Vec<u8>,
    /// When last, on the internal clock in milliseconds.
    pub at_ms: u64,
    /// The last client's line of CLIENT LIST.
    pub client: Vec<u8>,
}

/// The entries, newest first.
#[derive(Debug, Default)]
pub struct Log {
    /// Newest first.
    pub entries: VecDeque<Record>,
}

static LOG: Mutex<Log> = Mutex::new(Log { entries: VecDeque::new() });

/// The log of the process.
pub fn log() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Record {
    /// The reason as ACL LOG names it.
    pub fn reason_name(&self) -> &'static str {
        match self.reason {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Auth => "auth",
        }
    }

    /// The context as ACL LOG names it.
    pub fn context_name(&self) -> &'static str {
        match self.context {
            Context::TopLevel => "toplevel",
            Context::Multi => "multi",
            Context::Lua => "lua",
        }
    }

    fn is_like(&self, other: &Record) -> bool {
        self.reason == other.reason
            && self.context == other.context
            && self.at_ms.abs_diff(other.at_ms) <= GROUPING_MS
            && self.object == other.object
            && self.username == other.username
    }
}

impl Log {
    /// Adds a refusal; `max` is acllog-max-len.
    pub fn add(&mut self, mut record: Record, max: usize) {
        let like = self.entries.iter().take(LOOKED_AT).position(|known| known.is_like(&record));
        match like.and_then(|at| self.entries.remove(at)) {
            Some(known) => {
                record.count += known.count;
                self.entries.push_front(record);
            }
            // As in redis only a new entry drops old ones.
            None => {
                self.entries.push_front(record);
                self.entries.truncate(max);
            }
        }
    }
}
