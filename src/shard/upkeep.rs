//! Writes nobody asked for: active expiry, eviction, and freeing what was unlinked, in budgeted steps.
//!
//! The core's background task calls these between turns. They are writes of the owning core and leave through the
//! same door as a command's (DESIGN §4). Bounds: each call stops after its budget.
//! Why not on the command's path: a command pays for its own key only.

use super::Shard;
use super::execute::{close_unit, stage_departed};
use crate::base::ticks;
use crate::command::Outcome;
use crate::config::{EvictionPolicy, Settings};
use crate::keyspace::Policy;

/// Segments (140 keys at most) opened between two looks at the clock.
const EXPIRE_SEGMENTS: usize = 2;
/// Allocations freed between two looks at the clock.
const FREE_BATCH: usize = 64;

/// Expires due keys for about `budget_us`; returns whether more are due.
pub fn expire(
    shard: &mut Shard,
    now_ms: u64,
    budget_us: u64,
    settings: &Settings,
    outcome: &mut Outcome,
) -> bool {
    let started = ticks::now();
    let budget = budget_us * ticks::per_us();
    loop {
        let more = !shard.space.expire_step(now_ms, EXPIRE_SEGMENTS).is_done;
        flush_departed(shard, settings, outcome);
        if !more || ticks::now().wrapping_sub(started) > budget {
            return more;
        }
    }
}

/// Frees what was unlinked for about `budget_us`; returns whether everything is gone.
pub fn free(shard: &mut Shard, budget_us: u64) -> bool {
    let started = ticks::now();
    let budget = budget_us * ticks::per_us();
    loop {
        let done = shard.space.free_step(FREE_BATCH);
        if done || ticks::now().wrapping_sub(started) > budget {
            return done;
        }
    }
}

/// Evicts one key by the configured policy; returns the bytes freed, 0 if no key qualifies.
pub fn evict(shard: &mut Shard, now_ms: u64, settings: &Settings, outcome: &mut Outcome) -> usize {
    let Some(policy) = settings.maxmemory_policy.map(policy) else { return 0 };
    let freed = shard.space.evict_one(policy, settings.maxmemory_samples, now_ms).unwrap_or(0);
    flush_departed(shard, settings, outcome);
    freed
}

fn policy(policy: EvictionPolicy) -> Policy {
    match policy {
        EvictionPolicy::AllKeysLru => Policy::AllKeysLru,
        EvictionPolicy::AllKeysLfu => Policy::AllKeysLfu,
        EvictionPolicy::AllKeysRandom => Policy::AllKeysRandom,
        EvictionPolicy::VolatileLru => Policy::VolatileLru,
        EvictionPolicy::VolatileLfu => Policy::VolatileLfu,
        EvictionPolicy::VolatileRandom => Policy::VolatileRandom,
        EvictionPolicy::VolatileTtl => Policy::VolatileTtl,
    }
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
