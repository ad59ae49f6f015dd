//! Rows of the directive table: encodings of collections, scripts, slow log and latency. Read by `schema`; pure data.
use super::*;

pub(super) static ROWS: &[Directive] = &[
    number("hash-max-listpack-entries", 0, I64, "512", "fields up to which a hash is compact")
        .alias("hash-max-ziplist-entries"),
    bytes("hash-max-listpack-value", 0, I64, "64", "longest field or value of a compact hash")
        .alias("hash-max-ziplist-value"),
    number(
        "list-max-listpack-size",
        i32::MIN as i128,
        I32,
        "-2",
        "size of a list node: entries, or -1..-5 for 4..64 kB",
    )
    .alias("list-max-ziplist-size"),
    number("list-compress-depth", 0, I32, "0", "list nodes at each end left uncompressed").accepted(),
    number("set-max-intset-entries", 0, I64, "512", "members up to which a set of integers is compact"),
    number("set-max-listpack-entries", 0, I64, "128", "members up to which a set is compact"),
    bytes("set-max-listpack-value", 0, I64, "64", "longest member of a compact set"),
    number("zset-max-listpack-entries", 0, I64, "128", "members up to which a sorted set is compact")
        .alias("zset-max-ziplist-entries"),
    bytes("zset-max-listpack-value", 0, I64, "64", "longest member of a compact sorted set")
        .alias("zset-max-ziplist-value"),
    bytes("hll-sparse-max-bytes", 0, I64, "3000", "bytes up to which a HyperLogLog is sparse"),
    bytes("stream-node-max-bytes", 0, I64, "4096", "bytes of a stream node"),
    number("stream-node-max-entries", 0, I64, "100", "entries of a stream node"),
    choice(
        "sanitize-dump-payload",
        &[("no", 0), ("yes", 1), ("clients", 2)],
        "no",
        "how deeply RESTORE payloads are checked",
    ),
    Directive::new("notify-keyspace-events", Kind::NotifyEvents, "", "classes of keyspace notifications"),
    number("busy-reply-threshold", 0, I64, "5000", "milliseconds after which a script answers BUSY")
        .alias("lua-time-limit"),
    yes_no("lua-enable-deprecated-api", false, "deprecated functions of scripts")
        .flags(HIDDEN | IMMUTABLE)
        .accepted(),
    number(
        "slowlog-log-slower-than",
        -1,
        I64,
        "10000",
        "microseconds above which a command is logged; -1 is off",
    ),
    number("slowlog-max-len", 0, I64, "128", "entries of SLOWLOG"),
    number("latency-monitor-threshold", 0, I64, "0", "milliseconds above which LATENCY records; 0 is off"),
    yes_no("latency-tracking", true, "per-command latency distributions"),
    Directive::new(
        "latency-tracking-info-percentiles",
        Kind::Percentiles,
        "50 99 99.9",
        "percentiles shown by INFO latencystats",
    )
    .flags(MULTI_ARG),
];
