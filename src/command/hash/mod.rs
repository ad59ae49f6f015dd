//! The hash commands.
//!
//! Handlers of the rows in `command::rows::hash`; called by `shard::execute`, they call `keyspace` and `types::hash`. Invariant: a hash that became
//! empty is removed in the same command. Bounds: commands that name fields cost those fields; HGETALL and its like cost the hash.

pub mod change;
pub mod count;
pub mod expiry;
pub mod read;
pub mod walk;

use crate::command::Cx;
use crate::config::Settings;
use crate::types::hash::HashLimits;

/// The encoding thresholds in force.
pub fn limits(cx: &Cx<'_>) -> HashLimits {
    limits_of(cx.settings)
}

/// The same, where no command runs.
pub fn limits_of(settings: &Settings) -> HashLimits {
    HashLimits {
        max_entries: settings.hash_max_listpack_entries,
        max_value: settings.hash_max_listpack_value,
    }
}
