//! The commands of group *hyperloglog*: one row each, sorted by name. Pure table; `command::row` explains the columns,
//! `command::lookup` serves the rows whose `handler` is filled in (or that a control command stands behind).
use crate::command::hyperloglog;
use crate::command::row::{
    ARG, Arg, Begin, Categories, DocFlags, Find, Flags, KeyFlags, KeySpec, Kind, ROW, Row, category as c,
    doc_flag as d, flag as f, key_flag as k,
};

/// The rows of group hyperloglog.
pub static ROWS: &[Row] = &[
    Row {
        name: "pfadd",
        full_name: "pfadd",
        handler: Some(hyperloglog::pfadd),
        arity: -2,
        flags: Flags(f::WRITE | f::DENYOOM | f::FAST),
        acl: Categories(c::WRITE | c::HYPERLOGLOG | c::FAST),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RW | k::INSERT)],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Adds the specified elements to the specified HyperLogLog.",
        complexity: "O(1) to add every element.",
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "element", kind: Kind::String, optional: true, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "pfcount",
        full_name: "pfcount",
        handler: Some(hyperloglog::count::pfcount),
        arity: -2,
        flags: Flags(f::READONLY | f::MAY_REPLICATE),
        acl: Categories(c::READ | c::HYPERLOGLOG | c::SLOW),
        first_key: 1,
        last_key: -1,
        step: 1,
        keyspecs: &[KeySpec {
            notes: "RW because it may change the internal representation of the key, and propagate to replicas",
            flags: KeyFlags(k::RW | k::ACCESS),
            begin: Begin::Index(1),
            find: Find::Range { last: -1, step: 1, limit: 0 },
        }],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).",
        complexity: "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        args: &[Arg { name: "key", kind: Kind::Key, key_spec: 0, multiple: true, ..ARG }],
        ..ROW
    },
    Row {
        name: "pfdebug",
        full_name: "pfdebug",
        handler: Some(hyperloglog::debug::pfdebug),
        arity: 3,
        flags: Flags(f::WRITE | f::DENYOOM | f::ADMIN),
        acl: Categories(c::WRITE | c::HYPERLOGLOG | c::ADMIN | c::SLOW | c::DANGEROUS),
        first_key: 2,
        last_key: 2,
        step: 1,
        keyspecs: &[KeySpec::key(2, k::RW | k::ACCESS)],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Internal commands for debugging HyperLogLog values",
        complexity: "N/A",
        doc_flags: DocFlags(d::SYSCMD),
        args: &[
            Arg { name: "subcommand", kind: Kind::String, ..ARG },
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "pfmerge",
        full_name: "pfmerge",
        handler: Some(hyperloglog::count::pfmerge),
        arity: -2,
        flags: Flags(f::WRITE | f::DENYOOM),
        acl: Categories(c::WRITE | c::HYPERLOGLOG | c::SLOW),
        first_key: 1,
        last_key: -1,
        step: 1,
        keyspecs: &[
            KeySpec::key(1, k::RW | k::ACCESS | k::INSERT),
            KeySpec {
                notes: "",
                flags: KeyFlags(k::RO | k::ACCESS),
                begin: Begin::Index(2),
                find: Find::Range { last: -1, step: 1, limit: 0 },
            },
        ],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Merge N different HyperLogLogs into a single one.",
        complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
        args: &[
            Arg { name: "destkey", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "sourcekey", kind: Kind::Key, key_spec: 1, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "pfselftest",
        full_name: "pfselftest",
        handler: Some(hyperloglog::debug::pfselftest),
        arity: 1,
        flags: Flags(f::ADMIN),
        acl: Categories(c::HYPERLOGLOG | c::ADMIN | c::SLOW | c::DANGEROUS),
        group: "hyperloglog",
        since: "2.8.9",
        summary: "An internal command for testing HyperLogLog values",
        complexity: "N/A",
        doc_flags: DocFlags(d::SYSCMD),
        ..ROW
    },
];
