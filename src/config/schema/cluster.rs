//! Rows of the directive table: cluster mode. Read by `schema`; pure data.
use super::*;
use crate::config::check;

pub(super) static ROWS: &[Directive] = &[
    yes_no("cluster-enabled", false, "cluster mode").flags(IMMUTABLE).accepted(),
    text("cluster-config-file", "nodes.conf", "file of the node's view of the cluster")
        .flags(IMMUTABLE)
        .accepted(),
    number("cluster-port", 0, 65535, "0", "port of the bus; 0 is port + 10000").flags(IMMUTABLE).accepted(),
    number("cluster-node-timeout", 0, I64, "15000", "milliseconds after which a node is suspected")
        .accepted(),
    number(
        "cluster-replica-validity-factor",
        0,
        I32,
        "10",
        "how stale a replica may be and still be elected",
    )
    .alias("cluster-slave-validity-factor")
    .accepted(),
    number("cluster-migration-barrier", 0, I32, "1", "replicas a primary keeps when one migrates").accepted(),
    yes_no("cluster-allow-replica-migration", true, "replicas move to primaries without one").accepted(),
    yes_no("cluster-require-full-coverage", true, "refuse commands when slots are uncovered").accepted(),
    yes_no("cluster-replica-no-failover", false, "this replica never tries to be elected")
        .alias("cluster-slave-no-failover")
        .accepted(),
    yes_no("cluster-allow-reads-when-down", false, "answer reads while the cluster is down").accepted(),
    yes_no("cluster-allow-pubsubshard-when-down", true, "sharded channels while the cluster is down")
        .accepted(),
    bytes(
        "cluster-link-sendbuf-limit",
        0,
        u64::MAX as i128,
        "0",
        "bytes queued to a node before its link is cut",
    )
    .accepted(),
    optional_text("cluster-announce-ip", "address told to other nodes").accepted(),
    number("cluster-announce-port", 0, 65535, "0", "port told to other nodes").accepted(),
    number("cluster-announce-tls-port", 0, 65535, "0", "TLS port told to other nodes").accepted(),
    number("cluster-announce-bus-port", 0, 65535, "0", "bus port told to other nodes").accepted(),
    checked_text("cluster-announce-hostname", "", true, check::hostname, "host name told to clients")
        .accepted(),
    checked_text("cluster-announce-human-nodename", "", true, check::nodename, "name of the node in the log")
        .accepted(),
    choice(
        "cluster-preferred-endpoint-type",
        &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)],
        "ip",
        "what redirects and CLUSTER SLOTS name",
    )
    .accepted(),
];
