//! The commands of group *scripting*: one row each, sorted by name. Pure table; `command::row` explains the columns,
//! `command::lookup` serves the rows whose `handler` is filled in (or that a control command stands behind).
use crate::command::describe;
use crate::command::row::{
    ARG, Arg, Begin, Categories, Find, Flags, KeyFlags, KeySpec, Kind, Movable, ROW, Row, category as c,
    flag as f, key_flag as k,
};
use crate::command::script::function;

/// The rows of group scripting.
pub static ROWS: &[Row] = &[
    Row {
        name: "eval",
        full_name: "eval",
        handler: None,
        arity: -3,
        flags: Flags(
            f::NOSCRIPT
                | f::STALE
                | f::SKIP_MONITOR
                | f::NO_MANDATORY_KEYS
                | f::MOVABLEKEYS
                | f::MAY_REPLICATE,
        ),
        acl: Categories(c::SLOW | c::SCRIPTING),
        keyspecs: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
            flags: KeyFlags(k::RW | k::ACCESS | k::UPDATE),
            begin: Begin::Index(2),
            find: Find::Count { at: 0, first: 1, step: 1 },
        }],
        movable: Movable::Counted { store: 0, count: 2 },
        group: "scripting",
        since: "2.6.0",
        summary: "Execute a Lua script server side",
        complexity: "Depends on the script that is executed.",
        args: &[
            Arg { name: "script", kind: Kind::String, ..ARG },
            Arg { name: "numkeys", kind: Kind::Integer, ..ARG },
            Arg { name: "key", kind: Kind::Key, key_spec: 0, optional: true, multiple: true, ..ARG },
            Arg { name: "arg", kind: Kind::String, optional: true, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "eval_ro",
        full_name: "eval_ro",
        handler: None,
        arity: -3,
        flags: Flags(
            f::READONLY | f::NOSCRIPT | f::STALE | f::SKIP_MONITOR | f::NO_MANDATORY_KEYS | f::MOVABLEKEYS,
        ),
        acl: Categories(c::SLOW | c::SCRIPTING),
        keyspecs: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
            flags: KeyFlags(k::RO | k::ACCESS),
            begin: Begin::Index(2),
            find: Find::Count { at: 0, first: 1, step: 1 },
        }],
        movable: Movable::Counted { store: 0, count: 2 },
        group: "scripting",
        since: "7.0.0",
        summary: "Execute a read-only Lua script server side",
        complexity: "Depends on the script that is executed.",
        args: &[
            Arg { name: "script", kind: Kind::String, ..ARG },
            Arg { name: "numkeys", kind: Kind::Integer, ..ARG },
            Arg { name: "key", kind: Kind::Key, key_spec: 0, optional: true, multiple: true, ..ARG },
            Arg { name: "arg", kind: Kind::String, optional: true, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "evalsha",
        full_name: "evalsha",
        handler: None,
        arity: -3,
        flags: Flags(
            f::NOSCRIPT
                | f::STALE
                | f::SKIP_MONITOR
                | f::NO_MANDATORY_KEYS
                | f::MOVABLEKEYS
                | f::MAY_REPLICATE,
        ),
        acl: Categories(c::SLOW | c::SCRIPTING),
        keyspecs: &[KeySpec {
            notes: "",
            flags: KeyFlags(k::RW | k::ACCESS | k::UPDATE),
            begin: Begin::Index(2),
            find: Find::Count { at: 0, first: 1, step: 1 },
        }],
        movable: Movable::Counted { store: 0, count: 2 },
        group: "scripting",
        since: "2.6.0",
        summary: "Execute a Lua script server side",
        complexity: "Depends on the script that is executed.",
        args: &[
            Arg { name: "sha1", kind: Kind::String, ..ARG },
            Arg { name: "numkeys", kind: Kind::Integer, ..ARG },
            Arg { name: "key", kind: Kind::Key, key_spec: 0, optional: true, multiple: true, ..ARG },
            Arg { name: "arg", kind: Kind::String, optional: true, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "evalsha_ro",
        full_name: "evalsha_ro",
        handler: None,
        arity: -3,
        flags: Flags(
            f::READONLY | f::NOSCRIPT | f::STALE | f::SKIP_MONITOR | f::NO_MANDATORY_KEYS | f::MOVABLEKEYS,
        ),
        acl: Categories(c::SLOW | c::SCRIPTING),
        keyspecs: &[KeySpec {
            notes: "",
            flags: KeyFlags(k::RO | k::ACCESS),
            begin: Begin::Index(2),
            find: Find::Count { at: 0, first: 1, step: 1 },
        }],
        movable: Movable::Counted { store: 0, count: 2 },
        group: "scripting",
        since: "7.0.0",
        summary: "Execute a read-only Lua script server side",
        complexity: "Depends on the script that is executed.",
        args: &[
            Arg { name: "sha1", kind: Kind::String, ..ARG },
            Arg { name: "numkeys", kind: Kind::Integer, ..ARG },
            Arg { name: "key", kind: Kind::Key, key_spec: 0, optional: true, multiple: true, ..ARG },
            Arg { name: "arg", kind: Kind::String, optional: true, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "fcall",
        full_name: "fcall",
        handler: None,
        arity: -3,
        flags: Flags(
            f::NOSCRIPT
                | f::STALE
                | f::SKIP_MONITOR
                | f::NO_MANDATORY_KEYS
                | f::MOVABLEKEYS
                | f::MAY_REPLICATE,
        ),
        acl: Categories(c::SLOW | c::SCRIPTING),
        keyspecs: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
            flags: KeyFlags(k::RW | k::ACCESS | k::UPDATE),
            begin: Begin::Index(2),
            find: Find::Count { at: 0, first: 1, step: 1 },
        }],
        movable: Movable::Counted { store: 0, count: 2 },
        group: "scripting",
        since: "7.0.0",
        summary: "Invoke a function",
        complexity: "Depends on the function that is executed.",
        args: &[
            Arg { name: "function", kind: Kind::String, ..ARG },
            Arg { name: "numkeys", kind: Kind::Integer, ..ARG },
            Arg { name: "key", kind: Kind::Key, key_spec: 0, optional: true, multiple: true, ..ARG },
            Arg { name: "arg", kind: Kind::String, optional: true, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "fcall_ro",
        full_name: "fcall_ro",
        handler: None,
        arity: -3,
        flags: Flags(
            f::READONLY | f::NOSCRIPT | f::STALE | f::SKIP_MONITOR | f::NO_MANDATORY_KEYS | f::MOVABLEKEYS,
        ),
        acl: Categories(c::SLOW | c::SCRIPTING),
        keyspecs: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
            flags: KeyFlags(k::RO | k::ACCESS),
            begin: Begin::Index(2),
            find: Find::Count { at: 0, first: 1, step: 1 },
        }],
        movable: Movable::Counted { store: 0, count: 2 },
        group: "scripting",
        since: "7.0.0",
        summary: "Invoke a read-only function",
        complexity: "Depends on the function that is executed.",
        args: &[
            Arg { name: "function", kind: Kind::String, ..ARG },
            Arg { name: "numkeys", kind: Kind::Integer, ..ARG },
            Arg { name: "key", kind: Kind::Key, key_spec: 0, optional: true, multiple: true, ..ARG },
            Arg { name: "arg", kind: Kind::String, optional: true, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "function",
        full_name: "function",
        handler: None,
        arity: -2,
        flags: Flags(0),
        acl: Categories(c::SLOW),
        group: "scripting",
        since: "7.0.0",
        summary: "A container for function commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            Row {
                name: "delete",
                full_name: "function|delete",
                container: "function",
                handler: Some(function::delete),
                arity: 3,
                flags: Flags(f::WRITE | f::NOSCRIPT),
                acl: Categories(c::WRITE | c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "Delete a function by name",
                complexity: "O(1)",
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                args: &[Arg { name: "library-name", kind: Kind::String, ..ARG }],
                ..ROW
            },
            Row {
                name: "dump",
                full_name: "function|dump",
                container: "function",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "Dump all functions into a serialized binary payload",
                complexity: "O(N) where N is the number of functions",
                ..ROW
            },
            Row {
                name: "flush",
                full_name: "function|flush",
                container: "function",
                handler: Some(function::flush),
                arity: -2,
                flags: Flags(f::WRITE | f::NOSCRIPT),
                acl: Categories(c::WRITE | c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "Deleting all functions",
                complexity: "O(N) where N is the number of functions deleted",
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                args: &[Arg {
                    name: "async",
                    kind: Kind::Oneof,
                    optional: true,
                    args: &[
                        Arg { name: "async", kind: Kind::PureToken, token: Some("ASYNC"), ..ARG },
                        Arg { name: "sync", kind: Kind::PureToken, token: Some("SYNC"), ..ARG },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "help",
                full_name: "function|help",
                container: "function",
                handler: Some(describe::help),
                arity: 2,
                flags: Flags(f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "Show helpful text about the different subcommands",
                complexity: "O(1)",
                ..ROW
            },
            Row {
                name: "kill",
                full_name: "function|kill",
                container: "function",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT | f::ALLOW_BUSY),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "Kill the function currently in execution.",
                complexity: "O(1)",
                tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
                ..ROW
            },
            Row {
                name: "list",
                full_name: "function|list",
                container: "function",
                handler: None,
                arity: -2,
                flags: Flags(f::NOSCRIPT),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "List information about all the functions",
                complexity: "O(N) where N is the number of functions",
                tips: &["nondeterministic_output_order"],
                args: &[
                    Arg {
                        name: "library-name-pattern",
                        kind: Kind::String,
                        token: Some("LIBRARYNAME"),
                        optional: true,
                        ..ARG
                    },
                    Arg {
                        name: "withcode",
                        kind: Kind::PureToken,
                        token: Some("WITHCODE"),
                        optional: true,
                        ..ARG
                    },
                ],
                ..ROW
            },
            Row {
                name: "load",
                full_name: "function|load",
                container: "function",
                handler: Some(function::load),
                arity: -3,
                flags: Flags(f::WRITE | f::DENYOOM | f::NOSCRIPT),
                acl: Categories(c::WRITE | c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "Create a function with the given arguments (name, code, description)",
                complexity: "O(1) (considering compilation time is redundant)",
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                args: &[
                    Arg {
                        name: "replace",
                        kind: Kind::PureToken,
                        token: Some("REPLACE"),
                        optional: true,
                        ..ARG
                    },
                    Arg { name: "function-code", kind: Kind::String, ..ARG },
                ],
                ..ROW
            },
            Row {
                name: "restore",
                full_name: "function|restore",
                container: "function",
                handler: Some(function::restore),
                arity: -3,
                flags: Flags(f::WRITE | f::DENYOOM | f::NOSCRIPT),
                acl: Categories(c::WRITE | c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "Restore all the functions on the given payload",
                complexity: "O(N) where N is the number of functions on the payload",
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                args: &[
                    Arg { name: "serialized-value", kind: Kind::String, ..ARG },
                    Arg {
                        name: "policy",
                        kind: Kind::Oneof,
                        optional: true,
                        args: &[
                            Arg { name: "flush", kind: Kind::PureToken, token: Some("FLUSH"), ..ARG },
                            Arg { name: "append", kind: Kind::PureToken, token: Some("APPEND"), ..ARG },
                            Arg { name: "replace", kind: Kind::PureToken, token: Some("REPLACE"), ..ARG },
                        ],
                        ..ARG
                    },
                ],
                ..ROW
            },
            Row {
                name: "stats",
                full_name: "function|stats",
                container: "function",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT | f::ALLOW_BUSY),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "7.0.0",
                summary: "Return information about the function currently running (name, description, duration)",
                complexity: "O(1)",
                tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
                ..ROW
            },
        ],
        ..ROW
    },
    Row {
        name: "script",
        full_name: "script",
        handler: None,
        arity: -2,
        flags: Flags(0),
        acl: Categories(c::SLOW),
        group: "scripting",
        since: "2.6.0",
        summary: "A container for Lua scripts management commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            Row {
                name: "debug",
                full_name: "script|debug",
                container: "script",
                handler: None,
                arity: 3,
                flags: Flags(f::NOSCRIPT),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "3.2.0",
                summary: "Set the debug mode for executed scripts.",
                complexity: "O(1)",
                args: &[Arg {
                    name: "mode",
                    kind: Kind::Oneof,
                    args: &[
                        Arg { name: "yes", kind: Kind::PureToken, token: Some("YES"), ..ARG },
                        Arg { name: "sync", kind: Kind::PureToken, token: Some("SYNC"), ..ARG },
                        Arg { name: "no", kind: Kind::PureToken, token: Some("NO"), ..ARG },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "exists",
                full_name: "script|exists",
                container: "script",
                handler: None,
                arity: -3,
                flags: Flags(f::NOSCRIPT),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "2.6.0",
                summary: "Check existence of scripts in the script cache.",
                complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
                tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
                args: &[Arg { name: "sha1", kind: Kind::String, multiple: true, ..ARG }],
                ..ROW
            },
            Row {
                name: "flush",
                full_name: "script|flush",
                container: "script",
                handler: None,
                arity: -2,
                flags: Flags(f::NOSCRIPT),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "2.6.0",
                summary: "Remove all the scripts from the script cache.",
                complexity: "O(N) with N being the number of scripts in cache",
                history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                args: &[Arg {
                    name: "async",
                    kind: Kind::Oneof,
                    since: "6.2.0",
                    optional: true,
                    args: &[
                        Arg { name: "async", kind: Kind::PureToken, token: Some("ASYNC"), ..ARG },
                        Arg { name: "sync", kind: Kind::PureToken, token: Some("SYNC"), ..ARG },
                    ],
                    ..ARG
                }],
                ..ROW
            },
            Row {
                name: "help",
                full_name: "script|help",
                container: "script",
                handler: Some(describe::help),
                arity: 2,
                flags: Flags(f::LOADING | f::STALE),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "5.0.0",
                summary: "Show helpful text about the different subcommands",
                complexity: "O(1)",
                ..ROW
            },
            Row {
                name: "kill",
                full_name: "script|kill",
                container: "script",
                handler: None,
                arity: 2,
                flags: Flags(f::NOSCRIPT | f::ALLOW_BUSY),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "2.6.0",
                summary: "Kill the script currently in execution.",
                complexity: "O(1)",
                tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
                ..ROW
            },
            Row {
                name: "load",
                full_name: "script|load",
                container: "script",
                handler: None,
                arity: 3,
                flags: Flags(f::NOSCRIPT | f::STALE),
                acl: Categories(c::SLOW | c::SCRIPTING),
                group: "scripting",
                since: "2.6.0",
                summary: "Load the specified Lua script into the script cache.",
                complexity: "O(N) with N being the length in bytes of the script body.",
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                args: &[Arg { name: "script", kind: Kind::String, ..ARG }],
                ..ROW
            },
        ],
        ..ROW
    },
];
