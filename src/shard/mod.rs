//! Layer 5: the shard of one core: its keyspace and its log, the one door for writes, and lending for transactions.
//!
//! `session::run` executes commands through [`execute`]; a [`Shard`] is a plain owned value that a core keeps
//! while it is at home and lends, whole, to a transaction over several cores ([`lending`]). While it is away the
//! owner queues what needs it. Nothing is ever shared: a shard is reachable from exactly one thread.
//!
//! Invariant: every write of a keyspace happens inside [`execute::execute`] or [`upkeep`], and leaves as an effect.

pub mod blocking;
pub mod execute;
pub mod intake;
pub mod lending;
pub mod snapshot;
pub mod upkeep;

use crate::config::{EvictionPolicy, Settings};
use crate::effect::Log;
use crate::keyspace::{Freshness, Keyspace};

/// One core's share of the keys, and the log of what happened to them.
pub struct Shard {
    /// The core it belongs to.
    pub core: usize,
    /// Keys of the core's slots, in all databases.
    pub space: Keyspace,
    /// Effects in order of execution.
    pub log: Log,
    /// Changes since the start.
    pub dirty: u64,
    /// Its part of the snapshot under way.
    pub walk: Option<Box<snapshot::Walk>>,
}

impl Shard {
    /// Takes the recency clock's settings into use; a shard that was lent catches up when it comes home.
    pub fn configure(&mut self, settings: &Settings) {
        self.space.common.freshness = freshness(settings);
    }
}

/// The recency clock that `maxmemory-policy` and the `lfu-*` directives ask for.
pub fn freshness(settings: &Settings) -> Freshness {
    use EvictionPolicy::{AllKeysLfu, VolatileLfu};
    Freshness {
        lfu: matches!(settings.maxmemory_policy, Some(AllKeysLfu | VolatileLfu)),
        log_factor: settings.lfu_log_factor,
        decay_minutes: settings.lfu_decay_time_min,
    }
}

// Shards travel between threads: the compiler checks that every field may.
const _: fn() = || {
    fn assert_send<T: Send>() {}
    assert_send::<Shard>();
};
