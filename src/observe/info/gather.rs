//! What INFO adds up: one [`Totals`] that visits every core.
//!
//! Counters come from `CoreStats`, the keyspace's from the shard (at home or in the visitor's hands), clients from the connections.
//! Invariant: reading changes nothing. Bounds: one row per command, database and core.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::base::ticks;
use crate::keyspace::Stats as KeyspaceStats;
use crate::observe::rates::Counters;
use crate::session::Session;
use crate::session::commands::client_row;
use crate::session::core::Core;
use crate::session::visit::shard_of;

/// Figures of one core, for `# Cores`.
#[derive(Clone, Debug, Default)]
pub struct PerCore {
    /// Its index.
    pub core: usize,
    /// Commands executed.
    pub ops: u64,
    /// Sessions that arrived.
    pub hops_in: u64,
    /// Sessions sent away for a shard.
    pub hops_out: u64,
    /// Times its shard was lent.
    pub lends: u64,
    /// Shards it borrowed from others.
    pub borrows: u64,
    /// Connections at home.
    pub connections: usize,
    /// Keys in all databases.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: usize,
    /// Messages that wait to leave.
    pub ring_depth: usize,
    /// Messages sent.
    pub messages: u64,
    /// Sleepers rung.
    pub doorbells: u64,
    /// Sessions that wait for the shard.
    pub waiting: usize,
    /// Microseconds spent in turns.
    pub busy_usec: u64,
    /// Microseconds since the start.
    pub life_usec: u64,
    /// Waits that slept.
    pub sleeps: u64,
    /// Syscalls of the ring.
    pub enters: u64,
    /// Longest turn.
    pub longest_step_usec: u64,
    /// Of turns, submissions, upkeep, commands.
    pub longest_usec: [u64; 4],
}

/// One command over all cores.
#[derive(Clone, Debug, Default)]
pub struct CommandTotals {
    /// Executions.
    pub calls: u64,
    /// Clock ticks.
    pub ticks: u64,
    /// Refused before execution.
    pub rejected: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Latency in nanoseconds.
    pub histogram: Option<Histogram<u32>>,
}

/// One database over all cores.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseTotals {
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Hashes of which fields have an expiry.
    pub timed: u64,
    /// Sum of avg_ttl × expires over cores.
    pub weighted_ttl: u128,
}

/// Everything INFO shows, over all cores.
#[derive(Default)]
pub struct Totals {
    /// By core.
    pub cores: Vec<PerCore>,
    /// By command id.
    pub commands: Vec<CommandTotals>,
    /// Error replies by code.
    pub errors: BTreeMap<String, u64>,
    /// By database.
    pub databases: Vec<DatabaseTotals>,
    /// Of all keyspaces.
    pub keyspace: KeyspaceStats,
    /// Of all cores, per second.
    pub rates: Counters,
    /// Sums of the counters of the same name.
    pub sums: Sums,
    /// CPU of core 0's thread: user and system microseconds.
    pub main_thread_usec: (u64, u64),
    /// Of core 0.
    pub snapshots: super::persistence::Snapshots,
}

/// Counters that are simply added up.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)] // the fields of INFO and of CoreStats of the same name
pub struct Sums {
    pub commands: u64,
    pub connections_received: u64,
    pub rejected_connections: u64,
    pub net_input_bytes: u64,
    pub net_output_bytes: u64,
    pub reads: u64,
    pub writes: u64,
    pub query_limit_disconnections: u64,
    pub output_limit_disconnections: u64,
    pub error_replies: u64,
    pub acl_denied_auth: u64,
    /// Commands, keys and channels refused by ACL.
    pub acl_denied: [u64; 3],
    pub evicted_clients: u64,
    pub blocked_clients: usize,
    pub clients_with_deadline: usize,
    pub blocking_keys: usize,
    pub blocking_keys_on_nokey: usize,
    pub expire_ticks: u64,
    pub turns: u64,
    pub busy_ticks: u64,
    pub clients: u64,
    pub client_bytes: usize,
    pub max_query_bytes: usize,
    pub max_output_bytes: usize,
    pub channels: usize,
    pub patterns: usize,
    pub shard_channels: usize,
    pub pubsub_clients: usize,
    pub tracking_clients: usize,
    pub tracked_prefixes: usize,
    pub tracked_keys: usize,
    pub tracked_items: usize,
    pub dirty: u64,
    pub pending_frees: u64,
    pub freed: u64,
    pub log_bytes: usize,
    pub space_bytes: usize,
    /// Lua memory: EVAL's interpreters, the functions'.
    pub lua_bytes: [usize; 2],
}

impl Totals {
    /// Adds one core.
    pub fn add(&mut self, core: &mut Core, session: &mut Session) {
        self.add_clients(core, session);
        self.add_counters(core);
        self.add_commands(core);
        let mut own = PerCore {
            core: core.id(),
            ops: core.stats.commands,
            hops_in: core.stats.hops_in,
            hops_out: core.stats.hops_out,
            lends: core.stats.lends,
            borrows: core.stats.borrows,
            connections: core.connections.len(),
            ring_depth: core.mesh.queued(),
            messages: core.mesh.messages,
            doorbells: core.mesh.doorbells,
            waiting: core.waiting.len(),
            busy_usec: ticks::to_ns(core.stats.busy_ticks) / 1000,
            life_usec: core.now_ms.saturating_sub(core.shared.identity.started_ms) * 1000,
            sleeps: core.stats.sleeps,
            enters: core.ring.enters(),
            longest_step_usec: core.stats.longest_step_us,
            longest_usec: [
                core.stats.longest_turn_us,
                core.stats.longest_submit_us,
                core.stats.longest_upkeep_us,
                core.stats.longest_command_us,
            ],
            ..PerCore::default()
        };
        self.add_shard(core, session, &mut own);
        self.cores.push(own);
        self.cores.sort_unstable_by_key(|core| core.core);
        if core.id() == 0 {
            self.snapshots = super::persistence::Snapshots::of(core);
            self.main_thread_usec = super::server::usage(libc::RUSAGE_THREAD);
        }
    }

    fn add_clients(&mut self, core: &Core, session: &Session) {
        let sums = &mut self.sums;
        for row in client_row::rows(core, session, 0) {
            sums.clients += 1;
            sums.client_bytes += row.memory();
            sums.max_query_bytes = sums.max_query_bytes.max(row.query_room());
            sums.max_output_bytes = sums.max_output_bytes.max(row.waiting_bytes());
        }
        sums.blocked_clients += core.blocked.count + core.paused.sessions.len();
        sums.clients_with_deadline += core.blocked.with_deadline();
        sums.channels = core.pubsub.channels.len();
        sums.patterns = core.pubsub.patterns.len();
        sums.shard_channels = core.pubsub.shards.len();
        sums.pubsub_clients += core.pubsub.clients;
        sums.tracking_clients += core.tracking.members.len();
        sums.tracked_prefixes = core.tracking.prefixes.len();
    }

    fn add_counters(&mut self, core: &Core) {
        let (sums, stats) = (&mut self.sums, &core.stats);
        sums.commands += stats.commands;
        sums.connections_received += stats.connections_received;
        sums.rejected_connections += stats.rejected_connections;
        sums.net_input_bytes += stats.net_input_bytes;
        sums.net_output_bytes += stats.net_output_bytes;
        sums.reads += stats.reads;
        sums.writes += stats.writes;
        sums.query_limit_disconnections += stats.query_buffer_limit_disconnections;
        sums.output_limit_disconnections += stats.output_buffer_limit_disconnections;
        sums.error_replies += stats.error_replies;
        sums.acl_denied_auth += stats.acl_denied_auth;
        let lua = crate::command::script::engine::used();
        sums.lua_bytes.iter_mut().zip(lua).for_each(|(sum, own)| *sum += own);
        sums.acl_denied[0] += stats.acl_denied_cmd;
        sums.acl_denied[1] += stats.acl_denied_key;
        sums.acl_denied[2] += stats.acl_denied_channel;
        sums.evicted_clients += stats.evicted_clients;
        sums.expire_ticks += stats.expire_ticks;
        sums.turns += stats.turns;
        sums.busy_ticks += stats.busy_ticks;
        for (code, count) in &stats.errors {
            *self.errors.entry(code.clone()).or_default() += count;
        }
        let rates = stats.rates.per_second();
        self.rates.iter_mut().zip(rates).for_each(|(sum, rate)| *sum += rate);
    }

    fn add_commands(&mut self, core: &Core) {
        let by_command = &core.stats.by_command;
        self.commands.resize_with(by_command.len(), CommandTotals::default);
        for (total, own) in self.commands.iter_mut().zip(by_command) {
            total.calls += own.calls;
            total.ticks += own.ticks;
            total.rejected += own.rejected;
            total.failed += own.failed;
            match (&mut total.histogram, &own.histogram) {
                (Some(total), Some(own)) => {
                    // Same bounds and precision: cannot fail.
                    let _ = total.add(&**own);
                }
                (None, Some(own)) => total.histogram = Some((**own).clone()),
                (_, None) => {}
            }
        }
    }

    fn add_shard(&mut self, core: &mut Core, session: &mut Session, own: &mut PerCore) {
        let Some(shard) = shard_of(core, session) else { return };
        let count = shard.space.databases();
        self.databases.resize_with(count.max(self.databases.len()), DatabaseTotals::default);
        for (index, total) in self.databases.iter_mut().enumerate().take(count) {
            let found = shard.space.totals(index);
            total.keys += found.keys;
            total.timed += found.timed;
            total.expires += found.expires;
            total.weighted_ttl += u128::from(found.avg_ttl_ms) * u128::from(found.expires);
            own.keys += found.keys;
            own.bytes += found.bytes;
        }
        let (sums, stats) = (&mut self.sums, &shard.space.common.stats);
        self.keyspace.hits += stats.hits;
        self.keyspace.misses += stats.misses;
        self.keyspace.expired += stats.expired;
        self.keyspace.expired_fields += stats.expired_fields;
        self.keyspace.evicted += stats.evicted;
        self.keyspace.expired_stale_perc = self.keyspace.expired_stale_perc.max(stats.expired_stale_perc);
        self.keyspace.expired_time_cap_reached += stats.expired_time_cap_reached;
        sums.blocking_keys += shard.space.common.waiters.len();
        sums.blocking_keys_on_nokey += shard.space.common.waiters.len_on_nokey();
        sums.tracked_keys += shard.space.common.watch.track.len();
        sums.tracked_items += shard.space.common.watch.track.items();
        sums.dirty += shard.dirty;
        sums.pending_frees += shard.space.common.trash.pending();
        sums.freed += shard.space.common.trash.freed();
        sums.log_bytes += shard.log.held_bytes();
        sums.space_bytes += own.bytes;
    }

    /// Keys in all databases.
    pub fn keys(&self) -> u64 {
        self.databases.iter().map(|database| database.keys).sum()
    }
}
