//! Who serves which control command: one list per subsystem, joined here.
//!
//! Shard commands carry their handler in their row (`command::rows`); everything else is served by the session's loop through a
//! [`Control`]. A command that is neither is unknown to clients. Called by `boot`.

use crate::command::lookup::Table;
use crate::observe;
use crate::session::{self, Control};

/// All control commands by full name (`config|get`).
fn controls() -> Vec<(&'static str, Control)> {
    let mut all = Vec::new();
    all.extend_from_slice(session::multi::CONTROLS);
    all.extend(session::commands::controls());
    all.extend(observe::commands::controls());
    all
}

/// The command table and, by command id, its control functions.
///
/// Errors: a rename-command directive that cannot be obeyed.
pub fn build(renames: &[(String, String)]) -> Result<(Table, Vec<Option<Control>>), String> {
    let controls = controls();
    let names: Vec<&str> = controls.iter().map(|(name, _)| *name).collect();
    let mut table = Table::build(&names);
    for (from, to) in renames {
        table.rename(from, to)?;
    }
    let mut by_id = vec![None; table.len()];
    for (name, control) in controls {
        if let Some(command) = table.by_full_name(name) {
            by_id[command.id as usize] = Some(control);
        }
    }
    Ok((table, by_id))
}
