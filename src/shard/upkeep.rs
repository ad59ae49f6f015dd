//! Writes nobody asked for: active expiry, eviction, and freeing what was unlinked, in budgeted steps.
//!
//! The core's background task calls these between turns. They are writes of the owning core and leave through the
//! same door as a command's (DESIGN §4). Bounds: each call stops after its budget.
//! Why not on the command's path: a command pays for its own key only.

use super::Shard;
use super::execute::{close_unit, stage_departed};
use crate::command::Outcome;
use crate::config::Settings;

/// Expires due keys for about `budget_us`; returns whether more are due.
pub fn expire(shard: &mut Shard, now_ms: u64, budget_us: u64, settings: &Settings, outcome: &mut Outcome) -> bool {
    let more = shard.space.expire_step(now_ms, budget_us);
    flush_departed(shard, settings, outcome);
    more
}

/// Stages what left the keyspace outside a command, as units of their own.
pub fn flush_departed(shard: &mut Shard, settings: &Settings, outcome: &mut Outcome) {
    if shard.space.common.departed.is_empty() {
        return;
    }
    let departed = std::mem::take(&mut shard.space.common.departed);
    for gone in departed.chunks(1) {
        stage_departed(shard, gone, settings, outcome);
        close_unit(shard);
    }
}
