//! The commands of group *transactions*: one row each, sorted by name. Pure table; `command::row` explains the columns,
//! `command::lookup` serves the rows whose `handler` is filled in (or that a control command stands behind).
use crate::command::row::{
    ARG, Arg, Begin, Categories, Find, Flags, KeyFlags, KeySpec, Kind, ROW, Row, category as c, flag as f,
    key_flag as k,
};

/// The rows of group transactions.
pub static ROWS: &[Row] = &[
    Row {
        name: "discard",
        full_name: "discard",
        handler: None,
        arity: 1,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::FAST | f::ALLOW_BUSY),
        acl: Categories(c::FAST | c::TRANSACTION),
        group: "transactions",
        since: "2.0.0",
        summary: "Discard all commands issued after MULTI",
        complexity: "O(N), when N is the number of queued commands",
        ..ROW
    },
    Row {
        name: "exec",
        full_name: "exec",
        handler: None,
        arity: 1,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::SKIP_SLOWLOG),
        acl: Categories(c::SLOW | c::TRANSACTION),
        group: "transactions",
        since: "1.2.0",
        summary: "Execute all commands issued after MULTI",
        complexity: "Depends on commands in the transaction",
        ..ROW
    },
    Row {
        name: "multi",
        full_name: "multi",
        handler: None,
        arity: 1,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::FAST | f::ALLOW_BUSY),
        acl: Categories(c::FAST | c::TRANSACTION),
        group: "transactions",
        since: "1.2.0",
        summary: "Mark the start of a transaction block",
        complexity: "O(1)",
        ..ROW
    },
    Row {
        name: "unwatch",
        full_name: "unwatch",
        handler: None,
        arity: 1,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::FAST | f::ALLOW_BUSY),
        acl: Categories(c::FAST | c::TRANSACTION),
        group: "transactions",
        since: "2.2.0",
        summary: "Forget about all watched keys",
        complexity: "O(1)",
        ..ROW
    },
    Row {
        name: "watch",
        full_name: "watch",
        handler: None,
        arity: -2,
        flags: Flags(f::NOSCRIPT | f::LOADING | f::STALE | f::FAST | f::ALLOW_BUSY),
        acl: Categories(c::FAST | c::TRANSACTION),
        first_key: 1,
        last_key: -1,
        step: 1,
        keyspecs: &[KeySpec {
            notes: "",
            flags: KeyFlags(k::RO),
            begin: Begin::Index(1),
            find: Find::Range { last: -1, step: 1, limit: 0 },
        }],
        group: "transactions",
        since: "2.2.0",
        summary: "Watch the given keys to determine execution of the MULTI/EXEC block",
        complexity: "O(1) for every key.",
        args: &[Arg { name: "key", kind: Kind::Key, key_spec: 0, multiple: true, ..ARG }],
        ..ROW
    },
];
