//! The commands of group *bitmap*: one row each, sorted by name. Pure table; `command::row` explains the columns,
//! `command::lookup` serves the rows whose `handler` is filled in (or that a control command stands behind).
use crate::command::bitmap;
use crate::command::row::{
    ARG, Arg, Begin, Categories, Find, Flags, KeyFlags, KeySpec, Kind, Movable, ROW, Row, category as c,
    flag as f, key_flag as k,
};

/// The rows of group bitmap.
pub static ROWS: &[Row] = &[
    Row {
        name: "bitcount",
        full_name: "bitcount",
        handler: Some(bitmap::count::bitcount),
        arity: -2,
        flags: Flags(f::READONLY),
        acl: Categories(c::READ | c::BITMAP | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "bitmap",
        since: "2.6.0",
        summary: "Count set bits in a string",
        complexity: "O(N)",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg {
                name: "index",
                kind: Kind::Block,
                optional: true,
                args: &[
                    Arg { name: "start", kind: Kind::Integer, ..ARG },
                    Arg { name: "end", kind: Kind::Integer, ..ARG },
                    Arg {
                        name: "index_unit",
                        kind: Kind::Oneof,
                        since: "7.0.0",
                        optional: true,
                        args: &[
                            Arg { name: "byte", kind: Kind::PureToken, token: Some("BYTE"), ..ARG },
                            Arg { name: "bit", kind: Kind::PureToken, token: Some("BIT"), ..ARG },
                        ],
                        ..ARG
                    },
                ],
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "bitfield",
        full_name: "bitfield",
        handler: Some(bitmap::field::bitfield),
        arity: -2,
        flags: Flags(f::WRITE | f::DENYOOM),
        acl: Categories(c::WRITE | c::BITMAP | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec {
            notes: "This command allows both access and modification of the key",
            flags: KeyFlags(k::RW | k::ACCESS | k::UPDATE | k::VARIABLE_FLAGS),
            begin: Begin::Index(1),
            find: Find::Range { last: 0, step: 1, limit: 0 },
        }],
        movable: Movable::Bitfield,
        group: "bitmap",
        since: "3.2.0",
        summary: "Perform arbitrary bitfield integer operations on strings",
        complexity: "O(1) for each subcommand specified",
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg {
                name: "operation",
                kind: Kind::Oneof,
                optional: true,
                multiple: true,
                args: &[
                    Arg {
                        name: "encoding_offset",
                        kind: Kind::Block,
                        token: Some("GET"),
                        args: &[
                            Arg { name: "encoding", kind: Kind::String, ..ARG },
                            Arg { name: "offset", kind: Kind::Integer, ..ARG },
                        ],
                        ..ARG
                    },
                    Arg {
                        name: "write",
                        kind: Kind::Block,
                        args: &[
                            Arg {
                                name: "wrap_sat_fail",
                                kind: Kind::Oneof,
                                token: Some("OVERFLOW"),
                                optional: true,
                                args: &[
                                    Arg { name: "wrap", kind: Kind::PureToken, token: Some("WRAP"), ..ARG },
                                    Arg { name: "sat", kind: Kind::PureToken, token: Some("SAT"), ..ARG },
                                    Arg { name: "fail", kind: Kind::PureToken, token: Some("FAIL"), ..ARG },
                                ],
                                ..ARG
                            },
                            Arg {
                                name: "write_operation",
                                kind: Kind::Oneof,
                                args: &[
                                    Arg {
                                        name: "encoding_offset_value",
                                        kind: Kind::Block,
                                        token: Some("SET"),
                                        args: &[
                                            Arg { name: "encoding", kind: Kind::String, ..ARG },
                                            Arg { name: "offset", kind: Kind::Integer, ..ARG },
                                            Arg { name: "value", kind: Kind::Integer, ..ARG },
                                        ],
                                        ..ARG
                                    },
                                    Arg {
                                        name: "encoding_offset_increment",
                                        kind: Kind::Block,
                                        token: Some("INCRBY"),
                                        args: &[
                                            Arg { name: "encoding", kind: Kind::String, ..ARG },
                                            Arg { name: "offset", kind: Kind::Integer, ..ARG },
                                            Arg { name: "increment", kind: Kind::Integer, ..ARG },
                                        ],
                                        ..ARG
                                    },
                                ],
                                ..ARG
                            },
                        ],
                        ..ARG
                    },
                ],
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "bitfield_ro",
        full_name: "bitfield_ro",
        handler: Some(bitmap::field::bitfield_ro),
        arity: -2,
        flags: Flags(f::READONLY | f::FAST),
        acl: Categories(c::READ | c::BITMAP | c::FAST),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "bitmap",
        since: "6.0.0",
        summary: "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD",
        complexity: "O(1) for each subcommand specified",
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg {
                name: "encoding_offset",
                kind: Kind::Block,
                token: Some("GET"),
                optional: true,
                multiple: true,
                multiple_token: true,
                args: &[
                    Arg { name: "encoding", kind: Kind::String, ..ARG },
                    Arg { name: "offset", kind: Kind::Integer, ..ARG },
                ],
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "bitop",
        full_name: "bitop",
        handler: Some(bitmap::combine::bitop),
        arity: -4,
        flags: Flags(f::WRITE | f::DENYOOM),
        acl: Categories(c::WRITE | c::BITMAP | c::SLOW),
        first_key: 2,
        last_key: -1,
        step: 1,
        keyspecs: &[
            KeySpec::key(2, k::OW | k::UPDATE),
            KeySpec {
                notes: "",
                flags: KeyFlags(k::RO | k::ACCESS),
                begin: Begin::Index(3),
                find: Find::Range { last: -1, step: 1, limit: 0 },
            },
        ],
        group: "bitmap",
        since: "2.6.0",
        summary: "Perform bitwise operations between strings",
        complexity: "O(N)",
        args: &[
            Arg { name: "operation", kind: Kind::String, ..ARG },
            Arg { name: "destkey", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "key", kind: Kind::Key, key_spec: 1, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "bitpos",
        full_name: "bitpos",
        handler: Some(bitmap::position::bitpos),
        arity: -3,
        flags: Flags(f::READONLY),
        acl: Categories(c::READ | c::BITMAP | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "bitmap",
        since: "2.8.7",
        summary: "Find first bit set or clear in a string",
        complexity: "O(N)",
        history: &[("7.0.0", "Added the `BYTE|BIT` option.")],
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "bit", kind: Kind::Integer, ..ARG },
            Arg {
                name: "index",
                kind: Kind::Block,
                optional: true,
                args: &[
                    Arg { name: "start", kind: Kind::Integer, ..ARG },
                    Arg {
                        name: "end_index",
                        kind: Kind::Block,
                        optional: true,
                        args: &[
                            Arg { name: "end", kind: Kind::Integer, ..ARG },
                            Arg {
                                name: "index_unit",
                                kind: Kind::Oneof,
                                since: "7.0.0",
                                optional: true,
                                args: &[
                                    Arg { name: "byte", kind: Kind::PureToken, token: Some("BYTE"), ..ARG },
                                    Arg { name: "bit", kind: Kind::PureToken, token: Some("BIT"), ..ARG },
                                ],
                                ..ARG
                            },
                        ],
                        ..ARG
                    },
                ],
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "getbit",
        full_name: "getbit",
        handler: Some(bitmap::bit::getbit),
        arity: 3,
        flags: Flags(f::READONLY | f::FAST),
        acl: Categories(c::READ | c::BITMAP | c::FAST),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "bitmap",
        since: "2.2.0",
        summary: "Returns the bit value at offset in the string value stored at key",
        complexity: "O(1)",
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "offset", kind: Kind::Integer, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "setbit",
        full_name: "setbit",
        handler: Some(bitmap::bit::setbit),
        arity: 4,
        flags: Flags(f::WRITE | f::DENYOOM),
        acl: Categories(c::WRITE | c::BITMAP | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RW | k::ACCESS | k::UPDATE)],
        group: "bitmap",
        since: "2.2.0",
        summary: "Sets or clears the bit at offset in the string value stored at key",
        complexity: "O(1)",
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "offset", kind: Kind::Integer, ..ARG },
            Arg { name: "value", kind: Kind::Integer, ..ARG },
        ],
        ..ROW
    },
];
