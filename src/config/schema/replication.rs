//! Rows of the directive table: primary and replica. Read by `schema`; pure data.
use super::*;

pub(super) static ROWS: &[Directive] = &[
    Directive::new("replicaof", Kind::PrimaryAddress, "no one", "primary to follow: host port")
        .alias("slaveof")
        .flags(IMMUTABLE | MULTI_ARG)
        .accepted(),
    optional_text("masteruser", "user sent to the primary").flags(SENSITIVE).accepted(),
    optional_text("masterauth", "password sent to the primary").flags(SENSITIVE).accepted(),
    yes_no("replica-serve-stale-data", true, "answer while the link to the primary is down")
        .alias("slave-serve-stale-data")
        .accepted(),
    yes_no("replica-read-only", true, "a replica refuses writes of clients")
        .alias("slave-read-only")
        .accepted(),
    yes_no("replica-lazy-flush", false, "flush in the background before a full sync")
        .alias("slave-lazy-flush")
        .accepted(),
    yes_no("replica-ignore-maxmemory", true, "a replica does not evict")
        .alias("slave-ignore-maxmemory")
        .accepted(),
    yes_no("replica-ignore-disk-write-errors", false, "a replica goes on after a failed write to disk")
        .accepted(),
    number("replica-priority", 0, I32, "100", "preference for promotion; 0 is never")
        .alias("slave-priority")
        .accepted(),
    yes_no("replica-announced", true, "Sentinel may show this replica").accepted(),
    optional_text("replica-announce-ip", "address told to the primary").alias("slave-announce-ip").accepted(),
    number("replica-announce-port", 0, 65535, "0", "port told to the primary")
        .alias("slave-announce-port")
        .accepted(),
    choice(
        "propagation-error-behavior",
        &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)],
        "ignore",
        "what a replica does when a replicated command fails",
    )
    .accepted(),
    yes_no("repl-diskless-sync", true, "full sync over the socket without a file").accepted(),
    number("repl-diskless-sync-delay", 0, I32, "5", "seconds to wait for more replicas").accepted(),
    number("repl-diskless-sync-max-replicas", 0, I32, "0", "replicas that end the wait").accepted(),
    choice(
        "repl-diskless-load",
        &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2)],
        "disabled",
        "whether a replica loads from the socket",
    )
    .flags(DENY_LOADING)
    .accepted(),
    number("repl-ping-replica-period", 1, I32, "10", "seconds between pings to replicas")
        .alias("repl-ping-slave-period")
        .accepted(),
    number("repl-timeout", 1, I32, "60", "seconds without a sign after which a link is dead").accepted(),
    yes_no("repl-disable-tcp-nodelay", false, "fewer, larger packets to replicas").accepted(),
    bytes("repl-backlog-size", 1, I64, "1mb", "bytes kept for partial resync").accepted(),
    number("repl-backlog-ttl", 0, I64, "3600", "seconds the backlog outlives its last replica").accepted(),
    number("min-replicas-to-write", 0, I32, "0", "replicas below which writes are refused")
        .alias("min-slaves-to-write")
        .accepted(),
    number("min-replicas-max-lag", 0, I32, "10", "seconds of silence after which a replica does not count")
        .alias("min-slaves-max-lag")
        .accepted(),
];
