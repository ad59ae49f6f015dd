//! CLIENT PAUSE: commands wait until a time, all of them or only those that may write.
//!
//! Set on every core by a visit; `session::admit` asks [`Pause::holds`]; the core's upkeep lets waiting sessions go.
//! Invariant: a paused session keeps its input; nothing is lost or reordered. Bounds: one entry per connection.

use super::Session;
use crate::command::row::{Row, flag};

/// The pause of one core.
#[derive(Default)]
pub struct Pause {
    /// Internal time until which commands wait; 0 for none.
    pub until_ms: u64,
    /// Whether reads wait as well.
    pub all: bool,
    /// The server is about to stop: everything waits.
    pub is_stopping: bool,
    /// Sessions that wait.
    pub sessions: std::collections::VecDeque<Box<Session>>,
}

impl Pause {
    /// Whether `row` must wait at `now_ms`.
    pub fn holds(&self, now_ms: u64, row: &Row, session: &Session) -> bool {
        if self.is_stopping {
            // A script in the way can still be ended.
            return !row.flags.has(flag::ALLOW_BUSY);
        }
        if self.until_ms <= now_ms {
            return false;
        }
        if self.all {
            return row.name != "unpause" && row.name != "pause";
        }
        may_write(row, session)
    }

    /// Whether a pause is on.
    pub fn is_on(&self, now_ms: u64) -> bool {
        self.until_ms > now_ms || self.is_stopping
    }
}

/// Whether a command may leave an effect.
pub fn may_write(row: &Row, session: &Session) -> bool {
    match &session.multi {
        Some(multi) if row.name == "exec" => multi.writes,
        _ => row.flags.has(flag::WRITE | flag::MAY_REPLICATE),
    }
}
