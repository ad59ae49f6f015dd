//! `# Cores`: our own section, one line per core.
//!
//! `busy` is the share of the core's life spent in turns, in percent; `ring_depth` the messages that wait to leave. Bounds: one line per core.

use super::{PerCore, Totals, line};
use crate::session::core::Core;

pub(super) fn cores(_: &Core, totals: &Totals, text: &mut String) {
    text.push_str("# Cores\r\n");
    for core in &totals.cores {
        line(text, &format!("core{}", core.core), figures(core));
    }
}

fn figures(core: &PerCore) -> String {
    let busy = core.busy_usec as f64 * 100.0 / core.life_usec.max(1) as f64;
    format!(
        "ops={},hops_in={},hops_out={},lends={},borrows={},connections={},keys={},bytes={},ring_depth={},messages={},doorbells={},\
         waiting={},busy={busy:.2},sleeps={},enters={},longest_step_usec={},longest_turn_usec={},longest_submit_usec={},\
         longest_upkeep_usec={},longest_command_usec={}",
        core.ops,
        core.hops_in,
        core.hops_out,
        core.lends,
        core.borrows,
        core.connections,
        core.keys,
        core.bytes,
        core.ring_depth,
        core.messages,
        core.doorbells,
        core.waiting,
        core.sleeps,
        core.enters,
        core.longest_step_usec,
        core.longest_usec[0],
        core.longest_usec[1],
        core.longest_usec[2],
        core.longest_usec[3],
    )
}
