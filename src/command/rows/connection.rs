//! The commands of group *connection*: one row each, sorted by name. Pure table; `command::row` explains the columns,
//! `command::lookup` serves the rows whose `handler` is filled in (or that a control command stands behind).
use crate::command::describe;
use crate::command::row::{ARG, Arg, Categories, Flags, Kind, ROW, Row, category as c, flag as f};

/// The rows of group connection.
pub static ROWS: &[Row] = &[
    Row {
        name: "auth",
        full_name: "auth",
        handler: None,
        arity: -2,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::FAST | f::NO_AUTH | f::ALLOW_BUSY),
        acl: Categories(c::FAST | c::CONNECTION),
        group: "connection",
        since: "1.0.0",
        summary: "Authenticate to the server",
        complexity: "O(N) where N is the number of passwords defined for the user",
        history: &[("6.0.0", "Added ACL style (username and password).")],
        args: &[
            Arg { name: "username", kind: Kind::String, since: "6.0.0", optional: true, ..ARG },
            Arg { name: "password", kind: Kind::String, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "client",
        full_name: "client",
        handler: None,
        arity: -2,
        flags: Flags(0),
        acl: Categories(c::SLOW),
        group: "connection",
        since: "2.4.0",
        summary: "A container for client connection commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            Row {
                name: "caching",
                full_name: "client|caching",
                container: "client",
                handler: None,
                arity: 3,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "6.0.0",
                summary: "Instruct the server about tracking or not keys in the next request",
                complexity: "O(1)",
                args: &[Arg {
                    name: "mode",
                    kind: Kind::Oneof,
                    args: &[
                        Arg { name: "yes", kind: Kind::PureToken, token: Some("YES"), ..ARG },
                        Arg { name: "no", kind: Kind::PureToken, token: Some("NO"), ..ARG },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "getname",
                full_name: "client|getname",
                container: "client",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "2.6.9",
                summary: "Get the current connection name",
                complexity: "O(1)",
                ..ROW
            },
            Row {
                name: "getredir",
                full_name: "client|getredir",
                container: "client",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "6.0.0",
                summary: "Get tracking notifications redirection client ID if any",
                complexity: "O(1)",
                ..ROW
            },
            Row {
                name: "help",
                full_name: "client|help",
                container: "client",
                handler: Some(describe::help),
                arity: 2,
                flags: Flags(f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "5.0.0",
                summary: "Show helpful text about the different subcommands",
                complexity: "O(1)",
                ..ROW
            },
            Row {
                name: "id",
                full_name: "client|id",
                container: "client",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "5.0.0",
                summary: "Returns the client ID for the current connection",
                complexity: "O(1)",
                ..ROW
            },
            Row {
                name: "info",
                full_name: "client|info",
                container: "client",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "6.2.0",
                summary: "Returns information about the current client connection.",
                complexity: "O(1)",
                tips: &["nondeterministic_output"],
                ..ROW
            },
            Row {
                name: "kill",
                full_name: "client|kill",
                container: "client",
                handler: None,
                arity: -3,
                flags: Flags(f::ADMIN | f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::ADMIN | c::SLOW | c::DANGEROUS | c::CONNECTION),
                group: "connection",
                since: "2.4.0",
                summary: "Kill the connection of a client",
                complexity: "O(N) where N is the number of client connections",
                history: &[
                    ("2.8.12", "Added new filter format."),
                    ("2.8.12", "`ID` option."),
                    ("3.2.0", "Added `master` type in for `TYPE` option."),
                    (
                        "5.0.0",
                        "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.",
                    ),
                    ("6.2.0", "`LADDR` option."),
                ],
                args: &[Arg {
                    name: "filter",
                    kind: Kind::Oneof,
                    args: &[
                        Arg { name: "ip:port", kind: Kind::String, deprecated_since: "2.8.12", ..ARG },
                        Arg {
                            name: "new-format",
                            kind: Kind::Oneof,
                            multiple: true,
                            args: &[
                                Arg {
                                    name: "client-id",
                                    kind: Kind::Integer,
                                    token: Some("ID"),
                                    since: "2.8.12",
                                    optional: true,
                                    ..ARG
                                },
                                Arg {
                                    name: "normal_master_slave_pubsub",
                                    kind: Kind::Oneof,
                                    token: Some("TYPE"),
                                    since: "2.8.12",
                                    optional: true,
                                    args: &[
                                        Arg {
                                            name: "normal",
                                            kind: Kind::PureToken,
                                            token: Some("NORMAL"),
                                            ..ARG
                                        },
                                        Arg {
                                            name: "master",
                                            kind: Kind::PureToken,
                                            token: Some("MASTER"),
                                            since: "3.2.0",
                                            ..ARG
                                        },
                                        Arg {
                                            name: "slave",
                                            kind: Kind::PureToken,
                                            token: Some("SLAVE"),
                                            ..ARG
                                        },
                                        Arg {
                                            name: "replica",
                                            kind: Kind::PureToken,
                                            token: Some("REPLICA"),
                                            since: "5.0.0",
                                            ..ARG
                                        },
                                        Arg {
                                            name: "pubsub",
                                            kind: Kind::PureToken,
                                            token: Some("PUBSUB"),
                                            ..ARG
                                        },
                                    ],
                                    ..ARG
                                },
                                Arg {
                                    name: "username",
                                    kind: Kind::String,
                                    token: Some("USER"),
                                    optional: true,
                                    ..ARG
                                },
                                Arg {
                                    name: "ip:port",
                                    kind: Kind::String,
                                    token: Some("ADDR"),
                                    optional: true,
                                    ..ARG
                                },
                                Arg {
                                    name: "ip:port",
                                    kind: Kind::String,
                                    token: Some("LADDR"),
                                    since: "6.2.0",
                                    optional: true,
                                    ..ARG
                                },
                                Arg {
                                    name: "yes/no",
                                    kind: Kind::String,
                                    token: Some("SKIPME"),
                                    optional: true,
                                    ..ARG
                                },
                            ],
                            ..ARG
                        },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "list",
                full_name: "client|list",
                container: "client",
                handler: None,
                arity: -2,
                flags: Flags(f::ADMIN | f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::ADMIN | c::SLOW | c::DANGEROUS | c::CONNECTION),
                group: "connection",
                since: "2.4.0",
                summary: "Get the list of client connections",
                complexity: "O(N) where N is the number of client connections",
                history: &[
                    ("2.8.12", "Added unique client `id` field."),
                    ("5.0.0", "Added optional `TYPE` filter."),
                    ("6.0.0", "Added `user` field."),
                    (
                        "6.2.0",
                        "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
                    ),
                    ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
                    ("7.0.3", "Added `ssub` field."),
                ],
                tips: &["nondeterministic_output"],
                args: &[
                    Arg {
                        name: "normal_master_replica_pubsub",
                        kind: Kind::Oneof,
                        token: Some("TYPE"),
                        since: "5.0.0",
                        optional: true,
                        args: &[
                            Arg { name: "normal", kind: Kind::PureToken, token: Some("NORMAL"), ..ARG },
                            Arg { name: "master", kind: Kind::PureToken, token: Some("MASTER"), ..ARG },
                            Arg { name: "replica", kind: Kind::PureToken, token: Some("REPLICA"), ..ARG },
                            Arg { name: "pubsub", kind: Kind::PureToken, token: Some("PUBSUB"), ..ARG },
                        ],
                        ..ARG
                    },
                    Arg {
                        name: "id",
                        kind: Kind::Block,
                        token: Some("ID"),
                        since: "6.2.0",
                        optional: true,
                        args: &[Arg { name: "client-id", kind: Kind::Integer, multiple: true, ..ARG }],
                        ..ARG
                    },
                ],
                ..ROW
            },
            Row {
                name: "no-evict",
                full_name: "client|no-evict",
                container: "client",
                handler: None,
                arity: 3,
                flags: Flags(f::ADMIN | f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::ADMIN | c::SLOW | c::DANGEROUS | c::CONNECTION),
                group: "connection",
                since: "7.0.0",
                summary: "Set client eviction mode for the current connection",
                complexity: "O(1)",
                args: &[Arg {
                    name: "enabled",
                    kind: Kind::Oneof,
                    args: &[
                        Arg { name: "on", kind: Kind::PureToken, token: Some("ON"), ..ARG },
                        Arg { name: "off", kind: Kind::PureToken, token: Some("OFF"), ..ARG },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "no-touch",
                full_name: "client|no-touch",
                container: "client",
                handler: None,
                arity: 3,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "7.2.0",
                summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
                complexity: "O(1)",
                args: &[Arg {
                    name: "enabled",
                    kind: Kind::Oneof,
                    args: &[
                        Arg { name: "on", kind: Kind::PureToken, token: Some("ON"), ..ARG },
                        Arg { name: "off", kind: Kind::PureToken, token: Some("OFF"), ..ARG },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "pause",
                full_name: "client|pause",
                container: "client",
                handler: None,
                arity: -3,
                flags: Flags(f::ADMIN | f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::ADMIN | c::SLOW | c::DANGEROUS | c::CONNECTION),
                group: "connection",
                since: "2.9.50",
                summary: "Stop processing commands from clients for some time",
                complexity: "O(1)",
                history: &[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")],
                args: &[
                    Arg { name: "timeout", kind: Kind::Integer, ..ARG },
                    Arg {
                        name: "mode",
                        kind: Kind::Oneof,
                        since: "6.2.0",
                        optional: true,
                        args: &[
                            Arg { name: "write", kind: Kind::PureToken, token: Some("WRITE"), ..ARG },
                            Arg { name: "all", kind: Kind::PureToken, token: Some("ALL"), ..ARG },
                        ],
                        ..ARG
                    },
                ],
                ..ROW
            },
            Row {
                name: "reply",
                full_name: "client|reply",
                container: "client",
                handler: None,
                arity: 3,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "3.2.0",
                summary: "Instruct the server whether to reply to commands",
                complexity: "O(1)",
                args: &[Arg {
                    name: "on_off_skip",
                    kind: Kind::Oneof,
                    args: &[
                        Arg { name: "on", kind: Kind::PureToken, token: Some("ON"), ..ARG },
                        Arg { name: "off", kind: Kind::PureToken, token: Some("OFF"), ..ARG },
                        Arg { name: "skip", kind: Kind::PureToken, token: Some("SKIP"), ..ARG },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "setinfo",
                full_name: "client|setinfo",
                container: "client",
                handler: None,
                arity: 4,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "7.2.0",
                summary: "Sets information specific to the client or connection.",
                complexity: "O(1)",
                args: &[Arg {
                    name: "attr",
                    kind: Kind::Oneof,
                    args: &[
                        Arg { name: "libname", kind: Kind::String, token: Some("LIB-NAME"), ..ARG },
                        Arg { name: "libver", kind: Kind::String, token: Some("LIB-VER"), ..ARG },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "setname",
                full_name: "client|setname",
                container: "client",
                handler: None,
                arity: 3,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "2.6.9",
                summary: "Set the current connection name",
                complexity: "O(1)",
                args: &[Arg { name: "connection-name", kind: Kind::String, ..ARG }],
                ..ROW
            },
            Row {
                name: "tracking",
                full_name: "client|tracking",
                container: "client",
                handler: None,
                arity: -3,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "6.0.0",
                summary: "Enable or disable server assisted client side caching support",
                complexity: "O(1). Some options may introduce additional complexity.",
                args: &[
                    Arg {
                        name: "status",
                        kind: Kind::Oneof,
                        args: &[
                            Arg { name: "on", kind: Kind::PureToken, token: Some("ON"), ..ARG },
                            Arg { name: "off", kind: Kind::PureToken, token: Some("OFF"), ..ARG },
                        ],
                        ..ARG
                    },
                    Arg {
                        name: "client-id",
                        kind: Kind::Integer,
                        token: Some("REDIRECT"),
                        optional: true,
                        ..ARG
                    },
                    Arg {
                        name: "prefix",
                        kind: Kind::String,
                        token: Some("PREFIX"),
                        optional: true,
                        multiple: true,
                        multiple_token: true,
                        ..ARG
                    },
                    Arg { name: "bcast", kind: Kind::PureToken, token: Some("BCAST"), optional: true, ..ARG },
                    Arg { name: "optin", kind: Kind::PureToken, token: Some("OPTIN"), optional: true, ..ARG },
                    Arg {
                        name: "optout",
                        kind: Kind::PureToken,
                        token: Some("OPTOUT"),
                        optional: true,
                        ..ARG
                    },
                    Arg {
                        name: "noloop",
                        kind: Kind::PureToken,
                        token: Some("NOLOOP"),
                        optional: true,
                        ..ARG
                    },
                ],
                ..ROW
            },
            Row {
                name: "trackinginfo",
                full_name: "client|trackinginfo",
                container: "client",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::CONNECTION),
                group: "connection",
                since: "6.2.0",
                summary: "Return information about server assisted client side caching for the current connection",
                complexity: "O(1)",
                ..ROW
            },
            Row {
                name: "unblock",
                full_name: "client|unblock",
                container: "client",
                handler: None,
                arity: -3,
                flags: Flags(f::ADMIN | f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::ADMIN | c::SLOW | c::DANGEROUS | c::CONNECTION),
                group: "connection",
                since: "5.0.0",
                summary: "Unblock a client blocked in a blocking command from a different connection",
                complexity: "O(log N) where N is the number of client connections",
                args: &[
                    Arg { name: "client-id", kind: Kind::Integer, ..ARG },
                    Arg {
                        name: "timeout_error",
                        kind: Kind::Oneof,
                        optional: true,
                        args: &[
                            Arg { name: "timeout", kind: Kind::PureToken, token: Some("TIMEOUT"), ..ARG },
                            Arg { name: "error", kind: Kind::PureToken, token: Some("ERROR"), ..ARG },
                        ],
                        ..ARG
                    },
                ],
                ..ROW
            },
            Row {
                name: "unpause",
                full_name: "client|unpause",
                container: "client",
                handler: None,
                arity: 2,
                flags: Flags(f::ADMIN | f::NOSCRIPT | f::LOADING | f::STALE),
                acl: Categories(c::ADMIN | c::SLOW | c::DANGEROUS | c::CONNECTION),
                group: "connection",
                since: "6.2.0",
                summary: "Resume processing of clients that were paused",
                complexity: "O(N) Where N is the number of paused clients",
                ..ROW
            },
        ],
        ..ROW
    },
    Row {
        name: "echo",
        full_name: "echo",
        handler: None,
        arity: 2,
        flags: Flags(f::LOADING | f::STALE | f::FAST),
        acl: Categories(c::FAST | c::CONNECTION),
        group: "connection",
        since: "1.0.0",
        summary: "Echo the given string",
        complexity: "O(1)",
        args: &[Arg { name: "message", kind: Kind::String, ..ARG }],
        ..ROW
    },
    Row {
        name: "hello",
        full_name: "hello",
        handler: None,
        arity: -1,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::FAST | f::NO_AUTH | f::ALLOW_BUSY),
        acl: Categories(c::FAST | c::CONNECTION),
        group: "connection",
        since: "6.0.0",
        summary: "Handshake with Redis",
        complexity: "O(1)",
        history: &[(
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the current connection's context.",
        )],
        args: &[Arg {
            name: "arguments",
            kind: Kind::Block,
            optional: true,
            args: &[
                Arg { name: "protover", kind: Kind::Integer, ..ARG },
                Arg {
                    name: "username_password",
                    kind: Kind::Block,
                    token: Some("AUTH"),
                    optional: true,
                    args: &[
                        Arg { name: "username", kind: Kind::String, ..ARG },
                        Arg { name: "password", kind: Kind::String, ..ARG },
                    ],
                    ..ARG
                },
                Arg { name: "clientname", kind: Kind::String, token: Some("SETNAME"), optional: true, ..ARG },
            ],
            ..ARG
        }],
        ..ROW
    },
    Row {
        name: "ping",
        full_name: "ping",
        handler: None,
        arity: -1,
        flags: Flags(f::FAST),
        acl: Categories(c::FAST | c::CONNECTION),
        group: "connection",
        since: "1.0.0",
        summary: "Ping the server",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        args: &[Arg { name: "message", kind: Kind::String, optional: true, ..ARG }],
        ..ROW
    },
    Row {
        name: "quit",
        full_name: "quit",
        handler: None,
        arity: -1,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::FAST | f::NO_AUTH | f::ALLOW_BUSY),
        acl: Categories(c::FAST | c::CONNECTION),
        group: "connection",
        since: "1.0.0",
        summary: "Close the connection",
        complexity: "O(1)",
        ..ROW
    },
    Row {
        name: "reset",
        full_name: "reset",
        handler: None,
        arity: 1,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::FAST | f::NO_AUTH | f::ALLOW_BUSY),
        acl: Categories(c::FAST | c::CONNECTION),
        group: "connection",
        since: "6.2.0",
        summary: "Reset the connection",
        complexity: "O(1)",
        ..ROW
    },
    Row {
        name: "select",
        full_name: "select",
        handler: None,
        arity: 2,
        flags: Flags(f::LOADING | f::STALE | f::FAST),
        acl: Categories(c::FAST | c::CONNECTION),
        group: "connection",
        since: "1.0.0",
        summary: "Change the selected database for the current connection",
        complexity: "O(1)",
        args: &[Arg { name: "index", kind: Kind::Integer, ..ARG }],
        ..ROW
    },
];
