//! Rows of the directive table: sockets, connections and what clients may do. Read by `schema`; pure data.
use super::*;

pub(super) static ROWS: &[Directive] = &[
    Directive::new(
        "bind",
        Kind::Addresses,
        "* -::*",
        "addresses to listen on; a leading '-' makes one optional",
    )
    .flags(MULTI_ARG),
    number("port", 0, 65535, "6379", "TCP port; 0 listens on none"),
    number("tcp-backlog", 0, I32, "511", "length of the listen queue").flags(IMMUTABLE),
    number("tcp-keepalive", 0, I32, "300", "seconds between TCP keepalive probes; 0 is off"),
    number("timeout", 0, I32, "0", "seconds after which an idle client is closed; 0 is never"),
    optional_text("unixsocket", "path of the Unix socket to listen on").flags(IMMUTABLE),
    Directive::new(
        "unixsocketperm",
        Kind::Number { unit: Unit::Octal, min: 0, max: 0o777 },
        "0",
        "mode of the Unix socket, octal",
    )
    .flags(IMMUTABLE),
    optional_text("bind-source-addr", "address from which outgoing connections are made").accepted(),
    number("socket-mark-id", 0, u32::MAX as i128, "0", "mark (SO_MARK) of the sockets")
        .flags(IMMUTABLE)
        .accepted(),
    yes_no("protected-mode", true, "without password and bind, only loopback clients may speak"),
    number("maxclients", 1, u32::MAX as i128, "10000", "clients connected at the same time"),
    bytes(
        "client-query-buffer-limit",
        1 << 20,
        I64,
        "1gb",
        "bytes of an unfinished command a client may send",
    ),
    Directive::new(
        "client-output-buffer-limit",
        Kind::OutputLimits,
        "normal 0 0 0 replica 268435456 67108864 60 pubsub 33554432 8388608 60",
        "per class: hard limit, soft limit, seconds above the soft one before the client is closed",
    )
    .flags(MULTI_ARG),
    bytes("proto-max-bulk-len", 1 << 20, I64, "512mb", "longest single argument"),
    Directive::new(
        "maxmemory-clients",
        Kind::Number { unit: Unit::MemoryOrPercent, min: -100, max: I64 },
        "0",
        "memory of all client buffers, bytes or percent of maxmemory; 0 is unlimited",
    ),
    number("tracking-table-max-keys", 0, I64, "1000000", "keys remembered for client-side caching"),
];
