//! `# Stats`: counters since the start or CONFIG RESETSTAT.
//!
//! Sums over the cores; rates are means of the last 1.6 seconds. Bounds: none of its own.

use super::{Totals, line};
use crate::base::ticks;
use crate::observe::rates::{BUSY, COMMANDS, INPUT, OUTPUT, TURNS};
use crate::session::core::Core;

pub(super) fn stats(_: &Core, totals: &Totals, text: &mut String) {
    text.push_str("# Stats\r\n");
    traffic(totals, text);
    keys(totals, text);
    rare(totals, text);
    loops(totals, text);
}

fn traffic(totals: &Totals, text: &mut String) {
    let (sums, rates) = (&totals.sums, &totals.rates);
    let kbps = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    line(text, "total_connections_received", sums.connections_received);
    line(text, "total_commands_processed", sums.commands);
    line(text, "instantaneous_ops_per_sec", rates[COMMANDS]);
    line(text, "total_net_input_bytes", sums.net_input_bytes);
    line(text, "total_net_output_bytes", sums.net_output_bytes);
    line(text, "total_net_repl_input_bytes", 0);
    line(text, "total_net_repl_output_bytes", 0);
    line(text, "instantaneous_input_kbps", kbps(rates[INPUT]));
    line(text, "instantaneous_output_kbps", kbps(rates[OUTPUT]));
    line(text, "instantaneous_input_repl_kbps", "0.00");
    line(text, "instantaneous_output_repl_kbps", "0.00");
    line(text, "rejected_connections", sums.rejected_connections);
    line(text, "sync_full", 0);
    line(text, "sync_partial_ok", 0);
    line(text, "sync_partial_err", 0);
}

fn keys(totals: &Totals, text: &mut String) {
    let (sums, keyspace) = (&totals.sums, &totals.keyspace);
    line(text, "expired_subkeys", keyspace.expired_fields);
    line(text, "expired_keys", keyspace.expired);
    line(text, "expired_stale_perc", format_args!("{:.2}", keyspace.expired_stale_perc));
    line(text, "expired_time_cap_reached_count", keyspace.expired_time_cap_reached);
    line(text, "expire_cycle_cpu_milliseconds", ticks::to_ns(sums.expire_ticks) / 1_000_000);
    line(text, "evicted_keys", keyspace.evicted);
    line(text, "evicted_clients", sums.evicted_clients);
    line(text, "total_eviction_exceeded_time", 0);
    line(text, "current_eviction_exceeded_time", 0);
    line(text, "keyspace_hits", keyspace.hits);
    line(text, "keyspace_misses", keyspace.misses);
    line(text, "pubsub_channels", sums.channels);
    line(text, "pubsub_patterns", sums.patterns);
    line(text, "pubsubshard_channels", sums.shard_channels);
}

/// What this server does not do: forks, defragmentation; and tracking.
fn rare(totals: &Totals, text: &mut String) {
    let sums = &totals.sums;
    for name in [
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ] {
        line(text, name, 0);
    }
    line(text, "tracking_total_keys", sums.tracked_keys);
    line(text, "tracking_total_items", sums.tracked_items);
    line(text, "tracking_total_prefixes", sums.tracked_prefixes);
    line(text, "unexpected_error_replies", 0);
}

fn loops(totals: &Totals, text: &mut String) {
    let (sums, rates) = (&totals.sums, &totals.rates);
    let usec = |ticks: u64| ticks::to_ns(ticks) / 1000;
    let command_ticks: u64 = totals.commands.iter().map(|command| command.ticks).sum();
    line(text, "total_error_replies", sums.error_replies);
    line(text, "dump_payload_sanitizations", 0);
    line(text, "total_reads_processed", sums.reads);
    line(text, "total_writes_processed", sums.writes);
    line(text, "io_threaded_reads_processed", 0);
    line(text, "io_threaded_writes_processed", 0);
    line(text, "client_query_buffer_limit_disconnections", sums.query_limit_disconnections);
    line(text, "client_output_buffer_limit_disconnections", sums.output_limit_disconnections);
    line(text, "reply_buffer_shrinks", 0);
    line(text, "reply_buffer_expands", 0);
    line(text, "eventloop_cycles", sums.turns);
    line(text, "eventloop_duration_sum", usec(sums.busy_ticks));
    line(text, "eventloop_duration_cmd_sum", usec(command_ticks));
    line(text, "instantaneous_eventloop_cycles_per_sec", rates[TURNS]);
    line(text, "instantaneous_eventloop_duration_usec", usec(rates[BUSY] / rates[TURNS].max(1)));
    line(text, "acl_access_denied_auth", sums.acl_denied_auth);
    line(text, "acl_access_denied_cmd", sums.acl_denied[0]);
    line(text, "acl_access_denied_key", sums.acl_denied[1]);
    line(text, "acl_access_denied_channel", sums.acl_denied[2]);
}
