//! The set commands.
//!
//! Handlers of the rows in `command::rows::set`; called by `shard::execute`, they call `keyspace` and `types::set`. Invariant: a set that became
//! empty is removed in the same command. Bounds: commands that name members cost those; the algebra costs the sets it names.

pub mod algebra;
pub mod change;
pub mod draw;
pub mod pop;
pub mod read;

use crate::command::Cx;
use crate::config::Settings;
use crate::types::set::SetLimits;

/// The encoding thresholds in force.
pub fn limits(cx: &Cx<'_>) -> SetLimits {
    limits_of(cx.settings)
}

/// The same, where no command runs.
pub fn limits_of(settings: &Settings) -> SetLimits {
    SetLimits {
        max_ints: settings.set_max_intset_entries,
        max_pack: settings.set_max_listpack_entries,
        max_value: settings.set_max_listpack_value,
    }
}
