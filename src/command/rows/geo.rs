//! The commands of group *geo*: one row each, sorted by name. Pure table; `command::row` explains the columns,
//! `command::lookup` serves the rows whose `handler` is filled in (or that a control command stands behind).
use crate::command::geo;
use crate::command::row::{
    ARG, Arg, Begin, Categories, DocFlags, Find, Flags, KeyFlags, KeySpec, Kind, Movable, ROW, Row,
    category as c, doc_flag as d, flag as f, key_flag as k,
};

/// The rows of group geo.
pub static ROWS: &[Row] = &[
    Row {
        name: "geoadd",
        full_name: "geoadd",
        handler: Some(geo::add::geoadd),
        arity: -5,
        flags: Flags(f::WRITE | f::DENYOOM),
        acl: Categories(c::WRITE | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RW | k::UPDATE)],
        group: "geo",
        since: "3.2.0",
        summary: "Add one or more geospatial items in the geospatial index represented using a sorted set",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg {
                name: "condition",
                kind: Kind::Oneof,
                since: "6.2.0",
                optional: true,
                args: &[
                    Arg { name: "nx", kind: Kind::PureToken, token: Some("NX"), ..ARG },
                    Arg { name: "xx", kind: Kind::PureToken, token: Some("XX"), ..ARG },
                ],
                ..ARG
            },
            Arg {
                name: "change",
                kind: Kind::PureToken,
                token: Some("CH"),
                since: "6.2.0",
                optional: true,
                ..ARG
            },
            Arg {
                name: "longitude_latitude_member",
                kind: Kind::Block,
                multiple: true,
                args: &[
                    Arg { name: "longitude", kind: Kind::Double, ..ARG },
                    Arg { name: "latitude", kind: Kind::Double, ..ARG },
                    Arg { name: "member", kind: Kind::String, ..ARG },
                ],
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "geodist",
        full_name: "geodist",
        handler: Some(geo::read::geodist),
        arity: -4,
        flags: Flags(f::READONLY),
        acl: Categories(c::READ | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "geo",
        since: "3.2.0",
        summary: "Returns the distance between two members of a geospatial index",
        complexity: "O(log(N))",
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "member1", kind: Kind::String, ..ARG },
            Arg { name: "member2", kind: Kind::String, ..ARG },
            Arg {
                name: "unit",
                kind: Kind::Oneof,
                optional: true,
                args: &[
                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                ],
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "geohash",
        full_name: "geohash",
        handler: Some(geo::read::geohash),
        arity: -2,
        flags: Flags(f::READONLY),
        acl: Categories(c::READ | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "geo",
        since: "3.2.0",
        summary: "Returns members of a geospatial index as standard geohash strings",
        complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "member", kind: Kind::String, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "geopos",
        full_name: "geopos",
        handler: Some(geo::read::geopos),
        arity: -2,
        flags: Flags(f::READONLY),
        acl: Categories(c::READ | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "geo",
        since: "3.2.0",
        summary: "Returns longitude and latitude of members of a geospatial index",
        complexity: "O(N) where N is the number of members requested.",
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "member", kind: Kind::String, multiple: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "georadius",
        full_name: "georadius",
        handler: Some(geo::search::georadius),
        arity: -6,
        flags: Flags(f::WRITE | f::DENYOOM | f::MOVABLEKEYS),
        acl: Categories(c::WRITE | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[
            KeySpec::key(1, k::RO | k::ACCESS),
            KeySpec {
                notes: "",
                flags: KeyFlags(k::OW | k::UPDATE),
                begin: Begin::Keyword { word: "STORE", start: 6 },
                find: Find::Range { last: 0, step: 1, limit: 0 },
            },
            KeySpec {
                notes: "",
                flags: KeyFlags(k::OW | k::UPDATE),
                begin: Begin::Keyword { word: "STOREDIST", start: 6 },
                find: Find::Range { last: 0, step: 1, limit: 0 },
            },
        ],
        movable: Movable::GeoRadius,
        group: "geo",
        since: "3.2.0",
        summary: "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a point",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        deprecated_since: "6.2.0",
        replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        doc_flags: DocFlags(d::DEPRECATED),
        history: &[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ],
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "longitude", kind: Kind::Double, ..ARG },
            Arg { name: "latitude", kind: Kind::Double, ..ARG },
            Arg { name: "radius", kind: Kind::Double, ..ARG },
            Arg {
                name: "unit",
                kind: Kind::Oneof,
                args: &[
                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                ],
                ..ARG
            },
            Arg { name: "withcoord", kind: Kind::PureToken, token: Some("WITHCOORD"), optional: true, ..ARG },
            Arg { name: "withdist", kind: Kind::PureToken, token: Some("WITHDIST"), optional: true, ..ARG },
            Arg { name: "withhash", kind: Kind::PureToken, token: Some("WITHHASH"), optional: true, ..ARG },
            Arg {
                name: "count",
                kind: Kind::Block,
                optional: true,
                args: &[
                    Arg { name: "count", kind: Kind::Integer, token: Some("COUNT"), ..ARG },
                    Arg {
                        name: "any",
                        kind: Kind::PureToken,
                        token: Some("ANY"),
                        since: "6.2.0",
                        optional: true,
                        ..ARG
                    },
                ],
                ..ARG
            },
            Arg {
                name: "order",
                kind: Kind::Oneof,
                optional: true,
                args: &[
                    Arg { name: "asc", kind: Kind::PureToken, token: Some("ASC"), ..ARG },
                    Arg { name: "desc", kind: Kind::PureToken, token: Some("DESC"), ..ARG },
                ],
                ..ARG
            },
            Arg { name: "key", kind: Kind::Key, key_spec: 1, token: Some("STORE"), optional: true, ..ARG },
            Arg {
                name: "key",
                kind: Kind::Key,
                key_spec: 2,
                token: Some("STOREDIST"),
                optional: true,
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "georadius_ro",
        full_name: "georadius_ro",
        handler: Some(geo::search::georadius_ro),
        arity: -6,
        flags: Flags(f::READONLY),
        acl: Categories(c::READ | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "geo",
        since: "3.2.10",
        summary: "A read-only variant for GEORADIUS",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        deprecated_since: "6.2.0",
        replaced_by: "`GEOSEARCH` with the `BYRADIUS` argument",
        doc_flags: DocFlags(d::DEPRECATED),
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "longitude", kind: Kind::Double, ..ARG },
            Arg { name: "latitude", kind: Kind::Double, ..ARG },
            Arg { name: "radius", kind: Kind::Double, ..ARG },
            Arg {
                name: "unit",
                kind: Kind::Oneof,
                args: &[
                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                ],
                ..ARG
            },
            Arg { name: "withcoord", kind: Kind::PureToken, token: Some("WITHCOORD"), optional: true, ..ARG },
            Arg { name: "withdist", kind: Kind::PureToken, token: Some("WITHDIST"), optional: true, ..ARG },
            Arg { name: "withhash", kind: Kind::PureToken, token: Some("WITHHASH"), optional: true, ..ARG },
            Arg {
                name: "count",
                kind: Kind::Block,
                optional: true,
                args: &[
                    Arg { name: "count", kind: Kind::Integer, token: Some("COUNT"), ..ARG },
                    Arg {
                        name: "any",
                        kind: Kind::PureToken,
                        token: Some("ANY"),
                        since: "6.2.0",
                        optional: true,
                        ..ARG
                    },
                ],
                ..ARG
            },
            Arg {
                name: "order",
                kind: Kind::Oneof,
                optional: true,
                args: &[
                    Arg { name: "asc", kind: Kind::PureToken, token: Some("ASC"), ..ARG },
                    Arg { name: "desc", kind: Kind::PureToken, token: Some("DESC"), ..ARG },
                ],
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "georadiusbymember",
        full_name: "georadiusbymember",
        handler: Some(geo::search::georadiusbymember),
        arity: -5,
        flags: Flags(f::WRITE | f::DENYOOM | f::MOVABLEKEYS),
        acl: Categories(c::WRITE | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[
            KeySpec::key(1, k::RO | k::ACCESS),
            KeySpec {
                notes: "",
                flags: KeyFlags(k::OW | k::UPDATE),
                begin: Begin::Keyword { word: "STORE", start: 5 },
                find: Find::Range { last: 0, step: 1, limit: 0 },
            },
            KeySpec {
                notes: "",
                flags: KeyFlags(k::OW | k::UPDATE),
                begin: Begin::Keyword { word: "STOREDIST", start: 5 },
                find: Find::Range { last: 0, step: 1, limit: 0 },
            },
        ],
        movable: Movable::GeoRadius,
        group: "geo",
        since: "3.2.0",
        summary: "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a member",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        deprecated_since: "6.2.0",
        replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        doc_flags: DocFlags(d::DEPRECATED),
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "member", kind: Kind::String, ..ARG },
            Arg { name: "radius", kind: Kind::Double, ..ARG },
            Arg {
                name: "unit",
                kind: Kind::Oneof,
                args: &[
                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                ],
                ..ARG
            },
            Arg { name: "withcoord", kind: Kind::PureToken, token: Some("WITHCOORD"), optional: true, ..ARG },
            Arg { name: "withdist", kind: Kind::PureToken, token: Some("WITHDIST"), optional: true, ..ARG },
            Arg { name: "withhash", kind: Kind::PureToken, token: Some("WITHHASH"), optional: true, ..ARG },
            Arg {
                name: "count",
                kind: Kind::Block,
                optional: true,
                args: &[
                    Arg { name: "count", kind: Kind::Integer, token: Some("COUNT"), ..ARG },
                    Arg { name: "any", kind: Kind::PureToken, token: Some("ANY"), optional: true, ..ARG },
                ],
                ..ARG
            },
            Arg {
                name: "order",
                kind: Kind::Oneof,
                optional: true,
                args: &[
                    Arg { name: "asc", kind: Kind::PureToken, token: Some("ASC"), ..ARG },
                    Arg { name: "desc", kind: Kind::PureToken, token: Some("DESC"), ..ARG },
                ],
                ..ARG
            },
            Arg { name: "key", kind: Kind::Key, key_spec: 1, token: Some("STORE"), optional: true, ..ARG },
            Arg {
                name: "key",
                kind: Kind::Key,
                key_spec: 2,
                token: Some("STOREDIST"),
                optional: true,
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "georadiusbymember_ro",
        full_name: "georadiusbymember_ro",
        handler: Some(geo::search::georadiusbymember_ro),
        arity: -5,
        flags: Flags(f::READONLY),
        acl: Categories(c::READ | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "geo",
        since: "3.2.10",
        summary: "A read-only variant for GEORADIUSBYMEMBER",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        deprecated_since: "6.2.0",
        replaced_by: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
        doc_flags: DocFlags(d::DEPRECATED),
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "member", kind: Kind::String, ..ARG },
            Arg { name: "radius", kind: Kind::Double, ..ARG },
            Arg {
                name: "unit",
                kind: Kind::Oneof,
                args: &[
                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                ],
                ..ARG
            },
            Arg { name: "withcoord", kind: Kind::PureToken, token: Some("WITHCOORD"), optional: true, ..ARG },
            Arg { name: "withdist", kind: Kind::PureToken, token: Some("WITHDIST"), optional: true, ..ARG },
            Arg { name: "withhash", kind: Kind::PureToken, token: Some("WITHHASH"), optional: true, ..ARG },
            Arg {
                name: "count",
                kind: Kind::Block,
                optional: true,
                args: &[
                    Arg { name: "count", kind: Kind::Integer, token: Some("COUNT"), ..ARG },
                    Arg { name: "any", kind: Kind::PureToken, token: Some("ANY"), optional: true, ..ARG },
                ],
                ..ARG
            },
            Arg {
                name: "order",
                kind: Kind::Oneof,
                optional: true,
                args: &[
                    Arg { name: "asc", kind: Kind::PureToken, token: Some("ASC"), ..ARG },
                    Arg { name: "desc", kind: Kind::PureToken, token: Some("DESC"), ..ARG },
                ],
                ..ARG
            },
        ],
        ..ROW
    },
    Row {
        name: "geosearch",
        full_name: "geosearch",
        handler: Some(geo::search::geosearch),
        arity: -7,
        flags: Flags(f::READONLY),
        acl: Categories(c::READ | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 1,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::RO | k::ACCESS)],
        group: "geo",
        since: "6.2.0",
        summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle.",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        args: &[
            Arg { name: "key", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg {
                name: "from",
                kind: Kind::Oneof,
                args: &[
                    Arg { name: "member", kind: Kind::String, token: Some("FROMMEMBER"), ..ARG },
                    Arg {
                        name: "longitude_latitude",
                        kind: Kind::Block,
                        token: Some("FROMLONLAT"),
                        args: &[
                            Arg { name: "longitude", kind: Kind::Double, ..ARG },
                            Arg { name: "latitude", kind: Kind::Double, ..ARG },
                        ],
                        ..ARG
                    },
                ],
                ..ARG
            },
            Arg {
                name: "by",
                kind: Kind::Oneof,
                args: &[
                    Arg {
                        name: "circle",
                        kind: Kind::Block,
                        args: &[
                            Arg { name: "radius", kind: Kind::Double, token: Some("BYRADIUS"), ..ARG },
                            Arg {
                                name: "unit",
                                kind: Kind::Oneof,
                                args: &[
                                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                                ],
                                ..ARG
                            },
                        ],
                        ..ARG
                    },
                    Arg {
                        name: "box",
                        kind: Kind::Block,
                        args: &[
                            Arg { name: "width", kind: Kind::Double, token: Some("BYBOX"), ..ARG },
                            Arg { name: "height", kind: Kind::Double, ..ARG },
                            Arg {
                                name: "unit",
                                kind: Kind::Oneof,
                                args: &[
                                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                                ],
                                ..ARG
                            },
                        ],
                        ..ARG
                    },
                ],
                ..ARG
            },
            Arg {
                name: "order",
                kind: Kind::Oneof,
                optional: true,
                args: &[
                    Arg { name: "asc", kind: Kind::PureToken, token: Some("ASC"), ..ARG },
                    Arg { name: "desc", kind: Kind::PureToken, token: Some("DESC"), ..ARG },
                ],
                ..ARG
            },
            Arg {
                name: "count",
                kind: Kind::Block,
                optional: true,
                args: &[
                    Arg { name: "count", kind: Kind::Integer, token: Some("COUNT"), ..ARG },
                    Arg { name: "any", kind: Kind::PureToken, token: Some("ANY"), optional: true, ..ARG },
                ],
                ..ARG
            },
            Arg { name: "withcoord", kind: Kind::PureToken, token: Some("WITHCOORD"), optional: true, ..ARG },
            Arg { name: "withdist", kind: Kind::PureToken, token: Some("WITHDIST"), optional: true, ..ARG },
            Arg { name: "withhash", kind: Kind::PureToken, token: Some("WITHHASH"), optional: true, ..ARG },
        ],
        ..ROW
    },
    Row {
        name: "geosearchstore",
        full_name: "geosearchstore",
        handler: Some(geo::search::geosearchstore),
        arity: -8,
        flags: Flags(f::WRITE | f::DENYOOM),
        acl: Categories(c::WRITE | c::GEO | c::SLOW),
        first_key: 1,
        last_key: 2,
        step: 1,
        keyspecs: &[KeySpec::key(1, k::OW | k::UPDATE), KeySpec::key(2, k::RO | k::ACCESS)],
        group: "geo",
        since: "6.2.0",
        summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle, and store the result in another key.",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        args: &[
            Arg { name: "destination", kind: Kind::Key, key_spec: 0, ..ARG },
            Arg { name: "source", kind: Kind::Key, key_spec: 1, ..ARG },
            Arg {
                name: "from",
                kind: Kind::Oneof,
                args: &[
                    Arg { name: "member", kind: Kind::String, token: Some("FROMMEMBER"), ..ARG },
                    Arg {
                        name: "longitude_latitude",
                        kind: Kind::Block,
                        token: Some("FROMLONLAT"),
                        args: &[
                            Arg { name: "longitude", kind: Kind::Double, ..ARG },
                            Arg { name: "latitude", kind: Kind::Double, ..ARG },
                        ],
                        ..ARG
                    },
                ],
                ..ARG
            },
            Arg {
                name: "by",
                kind: Kind::Oneof,
                args: &[
                    Arg {
                        name: "circle",
                        kind: Kind::Block,
                        args: &[
                            Arg { name: "radius", kind: Kind::Double, token: Some("BYRADIUS"), ..ARG },
                            Arg {
                                name: "unit",
                                kind: Kind::Oneof,
                                args: &[
                                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                                ],
                                ..ARG
                            },
                        ],
                        ..ARG
                    },
                    Arg {
                        name: "box",
                        kind: Kind::Block,
                        args: &[
                            Arg { name: "width", kind: Kind::Double, token: Some("BYBOX"), ..ARG },
                            Arg { name: "height", kind: Kind::Double, ..ARG },
                            Arg {
                                name: "unit",
                                kind: Kind::Oneof,
                                args: &[
                                    Arg { name: "m", kind: Kind::PureToken, token: Some("M"), ..ARG },
                                    Arg { name: "km", kind: Kind::PureToken, token: Some("KM"), ..ARG },
                                    Arg { name: "ft", kind: Kind::PureToken, token: Some("FT"), ..ARG },
                                    Arg { name: "mi", kind: Kind::PureToken, token: Some("MI"), ..ARG },
                                ],
                                ..ARG
                            },
                        ],
                        ..ARG
                    },
                ],
                ..ARG
            },
            Arg {
                name: "order",
                kind: Kind::Oneof,
                optional: true,
                args: &[
                    Arg { name: "asc", kind: Kind::PureToken, token: Some("ASC"), ..ARG },
                    Arg { name: "desc", kind: Kind::PureToken, token: Some("DESC"), ..ARG },
                ],
                ..ARG
            },
            Arg {
                name: "count",
                kind: Kind::Block,
                optional: true,
                args: &[
                    Arg { name: "count", kind: Kind::Integer, token: Some("COUNT"), ..ARG },
                    Arg { name: "any", kind: Kind::PureToken, token: Some("ANY"), optional: true, ..ARG },
                ],
                ..ARG
            },
            Arg { name: "storedist", kind: Kind::PureToken, token: Some("STOREDIST"), optional: true, ..ARG },
        ],
        ..ROW
    },
];
