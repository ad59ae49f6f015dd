//! One generator per command on keys: name, weight, arguments. A table of commands, by Redis' groups; `control` has the others.
//!
//! Called by `traffic`. A command without a row is not generated; the harness prints which ones both servers know but
//! nobody generates. Weights are relative: writers and readers of the same type keep the keyspace populated.

#[path = "acl.rs"]
pub mod acl;
#[path = "blocking.rs"]
mod blocking;
#[path = "functions.rs"]
pub mod functions;
#[path = "geos.rs"]
mod geos;
#[path = "hyperloglogs.rs"]
mod hyperloglogs;
#[path = "lists.rs"]
mod lists;
#[path = "programs.rs"]
mod programs;
#[path = "scripts.rs"]
pub mod scripts;
#[path = "sets.rs"]
mod sets;
#[path = "streams.rs"]
mod streams;
#[path = "zsets.rs"]
mod zsets;

use crate::control;
use crate::traffic::{Args, Step, Traffic, words};

/// Makes one step (or several that belong together).
pub type Generator = fn(&mut Traffic) -> Vec<Step>;

/// Name, weight, generator.
pub type Row = (&'static str, u64, Generator);

/// The rows of each family.
#[rustfmt::skip]
const FAMILIES: &[&[Row]] = &[
    STRING,
    BITMAP,
    GENERIC,
    HASH,
    geos::GEO,
    lists::LIST,
    sets::SET,
    streams::STREAM,
    zsets::ZSET,
    blocking::BLOCKING,
    hyperloglogs::HYPERLOGLOG,
];

/// Rows of commands on keys.
pub fn on_keys() -> impl Iterator<Item = Row> {
    FAMILIES.iter().copied().flatten().copied()
}

/// All rows.
pub fn all() -> impl Iterator<Item = Row> {
    let others = [scripts::SCRIPTING, functions::FUNCTIONS, acl::ROWS, blocking::SITUATIONS];
    on_keys().chain(control::all()).chain(others.into_iter().flatten().copied())
}

/// What any of the rows on keys makes that both servers know.
pub fn any_on_keys(t: &mut Traffic) -> Vec<Step> {
    let chosen = t.prng.pick(&t.on_keys.clone());
    chosen(t)
}

/// A single command.
pub fn one(args: Args) -> Vec<Step> {
    vec![Step::Command(args)]
}

/// A command from its parts: text literals and generated words.
macro_rules! line {
    ($($part:expr),+ $(,)?) => {
        $crate::families::one(vec![$(Vec::<u8>::from($part)),+])
    };
}
pub(crate) use line;

/// A command from its name's words and its other arguments.
pub fn with(name: &str, rest: Args) -> Vec<Step> {
    let mut args = words(name);
    args.extend(rest);
    one(args)
}

/// An integer as an argument.
pub fn number(value: i64) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Options that follow SET and GETEX: a far or past expiry in one of its spellings. SET gets no absolute time in the past: redis
/// then stores a key that is expired but counted (DBSIZE, DIGEST) until the active expiry comes by, at its own time.
fn expiry_option(t: &mut Traffic, keep: &str) -> Args {
    let earliest = if keep == "KEEPTTL" { 4_000_000_000 } else { 1 };
    match t.prng.below(5) {
        0 => vec![b"EX".to_vec(), number(t.far_seconds())],
        1 => vec![b"px".to_vec(), number(t.far_seconds() * 1000)],
        2 => vec![b"EXAT".to_vec(), number(t.far_unix_seconds().max(earliest))],
        3 => vec![b"PXAT".to_vec(), number(t.far_unix_seconds().max(earliest) * 1000)],
        _ => words(keep),
    }
}

fn set(t: &mut Traffic) -> Vec<Step> {
    let (key, value) = match t.prng.below(4) {
        0 => (t.int_key(), t.int()),
        1 => (t.float_key(), t.float()),
        _ => (t.string_key(), t.value()),
    };
    let mut args = vec![b"SET".to_vec(), key, value];
    if t.prng.chance(30) {
        args.extend(expiry_option(t, "KEEPTTL"));
    }
    if t.prng.chance(20) {
        args.push(t.prng.pick(&["NX", "XX", "xx"]).into());
    }
    if t.prng.chance(20) {
        args.push(b"GET".to_vec());
    }
    one(args)
}

fn getex(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"GETEX".to_vec(), t.string_key()];
    if t.prng.chance(70) {
        args.extend(expiry_option(t, "PERSIST"));
    }
    one(args)
}

fn mset(t: &mut Traffic) -> Vec<Step> {
    let name = if t.prng.chance(70) { "MSET" } else { "MSETNX" };
    let mut rest = Vec::new();
    for _ in 0..1 + t.prng.below(5) {
        rest.push(t.string_key());
        rest.push(t.value());
    }
    with(name, rest)
}

fn lcs(t: &mut Traffic) -> Vec<Step> {
    let value: Vec<u8> = (0..t.prng.below(40)).map(|_| t.prng.pick(b"abcd")).collect();
    let mut args = vec![b"LCS".to_vec(), t.short_key(), t.short_key()];
    match t.prng.below(4) {
        0 => args.push(b"LEN".to_vec()),
        1 => args.push(b"IDX".to_vec()),
        2 => args.extend(words("IDX MINMATCHLEN 3 WITHMATCHLEN")),
        _ => {}
    }
    vec![Step::Command(vec![b"SET".to_vec(), t.short_key(), value]), Step::Command(args)]
}

fn range_command(t: &mut Traffic, name: &str) -> Vec<Step> {
    line!(name, t.string_key(), t.small(-30, 30), t.small(-30, 60))
}

const STRING: &[Row] = &[
    ("set", 40, set),
    ("get", 25, |t| line!("GET", t.string_key())),
    ("append", 10, |t| line!("APPEND", t.string_key(), t.value())),
    ("strlen", 6, |t| line!("STRLEN", t.string_key())),
    ("getrange", 8, |t| range_command(t, "GETRANGE")),
    ("substr", 3, |t| range_command(t, "SUBSTR")),
    ("setrange", 8, |t| line!("SETRANGE", t.string_key(), t.small(0, 400), t.value())),
    ("getset", 5, |t| line!("GETSET", t.string_key(), t.value())),
    ("getdel", 3, |t| line!("GETDEL", t.string_key())),
    ("getex", 8, getex),
    ("setnx", 4, |t| line!("SETNX", t.string_key(), t.value())),
    ("setex", 4, |t| line!("SETEX", t.string_key(), number(t.far_seconds().max(1_000_000)), t.value())),
    ("psetex", 4, |t| {
        line!("PSETEX", t.string_key(), number(t.far_seconds().max(1_000_000) * 1000), t.value())
    }),
    ("mset", 10, mset),
    ("msetnx", 2, mset),
    ("mget", 10, |t| {
        let keys = t.keys(6, Traffic::any_key);
        with("MGET", keys)
    }),
    ("incr", 8, |t| line!("INCR", t.int_key())),
    ("decr", 6, |t| line!("DECR", t.int_key())),
    ("incrby", 8, |t| line!("INCRBY", t.int_key(), t.small(-5000, 5000))),
    ("decrby", 6, |t| line!("DECRBY", t.int_key(), t.small(-5000, 5000))),
    ("incrbyfloat", 10, |t| line!("INCRBYFLOAT", t.float_key(), t.float())),
    ("lcs", 4, lcs),
];

fn bitfield_ops(t: &mut Traffic, read_only: bool) -> Args {
    let mut args = Vec::new();
    for _ in 0..1 + t.prng.below(4) {
        let bits = 1 + t.prng.below(63);
        let kind = format!("{}{bits}", t.prng.pick(&["u", "i"]));
        let offset = format!("{}{}", t.prng.pick(&["", "", "#"]), t.prng.below(100));
        match if read_only { 0 } else { t.prng.below(4) } {
            0 => args.extend([b"GET".to_vec(), kind.into(), offset.into()]),
            1 => args.extend([b"SET".to_vec(), kind.into(), offset.into(), t.int()]),
            2 => args.extend([b"INCRBY".to_vec(), kind.into(), offset.into(), t.int()]),
            _ => {
                args.extend([b"OVERFLOW".to_vec(), t.prng.pick(&["WRAP", "SAT", "FAIL", "sat"]).into()]);
                args.extend([b"INCRBY".to_vec(), kind.into(), offset.into(), t.int()]);
            }
        }
    }
    args
}

fn bitfield(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), t.bit_key()];
    args.extend(bitfield_ops(t, name == "BITFIELD_RO"));
    one(args)
}

fn bit_range(t: &mut Traffic, mut args: Args) -> Vec<Step> {
    if t.prng.chance(60) {
        args.push(t.small(-40, 40));
        args.push(t.small(-40, 200));
        if t.prng.chance(50) {
            args.push(t.prng.pick(&["BIT", "BYTE", "bit"]).into());
        }
    }
    one(args)
}

fn bitop(t: &mut Traffic) -> Vec<Step> {
    let operation = t.prng.pick(&["AND", "OR", "XOR", "NOT", "and"]);
    let mut args = vec![b"BITOP".to_vec(), operation.into(), t.bit_key()];
    let sources = if operation == "NOT" { 0 } else { t.prng.below(4) };
    for _ in 0..=sources {
        args.push(t.bit_key());
    }
    one(args)
}

const BITMAP: &[Row] = &[
    ("setbit", 14, |t| {
        let most = if t.prng.chance(3) { 65_535 } else { 600 };
        line!("SETBIT", t.bit_key(), t.small(0, most), t.small(0, 1))
    }),
    ("getbit", 8, |t| line!("GETBIT", t.bit_key(), t.small(0, 700))),
    ("bitcount", 8, |t| {
        let args = vec![b"BITCOUNT".to_vec(), t.bit_key()];
        bit_range(t, args)
    }),
    ("bitpos", 8, |t| {
        let mut args = vec![b"BITPOS".to_vec(), t.bit_key(), t.small(0, 1)];
        if t.prng.chance(20) {
            args.push(t.small(-10, 40));
            return one(args);
        }
        bit_range(t, args)
    }),
    ("bitop", 6, bitop),
    ("bitfield", 10, |t| bitfield(t, "BITFIELD")),
    ("bitfield_ro", 4, |t| bitfield(t, "BITFIELD_RO")),
];

fn expire(t: &mut Traffic, name: &str) -> Vec<Step> {
    let seconds = if name.contains("AT") { t.far_unix_seconds() } else { t.far_seconds() };
    let time = if name.starts_with('P') { seconds * 1000 } else { seconds };
    let mut args = vec![name.into(), t.any_key(), number(time)];
    if t.prng.chance(35) {
        args.push(t.prng.pick(&["NX", "XX", "GT", "LT", "gt"]).into());
    }
    one(args)
}

fn copy(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"COPY".to_vec(), t.any_key(), t.any_key()];
    if t.prng.chance(30) {
        args.extend([b"DB".to_vec(), t.small(0, 3)]);
    }
    if t.prng.chance(50) {
        args.push(b"REPLACE".to_vec());
    }
    one(args)
}

fn scan(t: &mut Traffic) -> Vec<Step> {
    let mut args = words("SCAN 0");
    if t.prng.chance(40) {
        args.extend([b"MATCH".to_vec(), t.prng.pick(&["s*", "h?", "*1", "[bf]*", "\\{n}*"]).into()]);
    }
    if t.prng.chance(40) {
        args.extend([b"COUNT".to_vec(), t.small(1, 100)]);
    }
    if t.prng.chance(40) {
        args.extend([b"TYPE".to_vec(), t.prng.pick(&["string", "hash", "list", "nosuch"]).into()]);
    }
    if t.prng.chance(5) {
        args[1] = t.garbage();
        return one(args);
    }
    if t.prng.chance(80) { vec![Step::ScanAll(args, 1)] } else { one(args) }
}

const GENERIC: &[Row] = &[
    ("del", 8, |t| {
        let keys = t.keys(3, Traffic::any_key);
        with("DEL", keys)
    }),
    ("unlink", 4, |t| {
        let keys = t.keys(3, Traffic::any_key);
        with("UNLINK", keys)
    }),
    ("exists", 6, |t| {
        let keys = t.keys(4, Traffic::any_key);
        with("EXISTS", keys)
    }),
    ("touch", 3, |t| {
        let keys = t.keys(4, Traffic::any_key);
        with("TOUCH", keys)
    }),
    ("type", 5, |t| line!("TYPE", t.any_key())),
    ("ttl", 6, |t| line!("TTL", t.any_key())),
    ("pttl", 6, |t| line!("PTTL", t.any_key())),
    ("expiretime", 4, |t| line!("EXPIRETIME", t.any_key())),
    ("pexpiretime", 4, |t| line!("PEXPIRETIME", t.any_key())),
    ("expire", 6, |t| expire(t, "EXPIRE")),
    ("pexpire", 5, |t| expire(t, "PEXPIRE")),
    ("expireat", 5, |t| expire(t, "EXPIREAT")),
    ("pexpireat", 5, |t| expire(t, "PEXPIREAT")),
    ("persist", 5, |t| line!("PERSIST", t.any_key())),
    ("rename", 4, |t| line!("RENAME", t.any_key(), t.any_key())),
    ("renamenx", 3, |t| line!("RENAMENX", t.any_key(), t.any_key())),
    ("copy", 6, copy),
    ("move", 4, |t| line!("MOVE", t.any_key(), t.small(0, 3))),
    ("keys", 3, |t| {
        line!("KEYS", t.prng.pick(&["*", "s*", "h?", "[^h]*", "\\{n}*", "{n}1", "nothing*", "*[0-3]"]))
    }),
    ("randomkey", 2, |_| line!("RANDOMKEY")),
    ("scan", 4, scan),
    ("object", 6, |t| {
        line!(
            "OBJECT",
            t.prng.pick(&["ENCODING", "encoding", "REFCOUNT", "IDLETIME", "FREQ", "NOSUCH"]),
            t.any_key()
        )
    }),
    ("restore", 4, |t| vec![Step::Restore { from: t.any_key(), to: t.any_key() }]),
    ("dump", 1, |t| line!("DUMP", t.any_key())),
    ("wait", 1, |t| line!("WAIT", "0", t.small(0, 5))),
];

fn hset(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), t.hash_key()];
    let fields = if t.prng.chance(2) { 150 } else { 1 + t.prng.below(4) };
    for index in 0..fields {
        let field = if fields > 100 { format!("many{index}").into_bytes() } else { t.field() };
        args.push(field);
        args.push(if t.prng.chance(50) { t.int() } else { t.value() });
    }
    one(args)
}

fn hscan(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"HSCAN".to_vec(), t.hash_key(), b"0".to_vec()];
    if t.prng.chance(40) {
        args.extend([b"MATCH".to_vec(), t.prng.pick(&["f*", "many?", "*1"]).into()]);
    }
    if t.prng.chance(40) {
        args.extend([b"COUNT".to_vec(), t.small(1, 200)]);
    }
    if t.prng.chance(80) { vec![Step::ScanAll(args, 2)] } else { one(args) }
}

fn hrandfield(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"HRANDFIELD".to_vec(), t.hash_key()];
    if t.prng.chance(80) {
        args.push(t.small(-15, 20));
        if t.prng.chance(50) {
            args.push(b"WITHVALUES".to_vec());
        }
    }
    one(args)
}

const HASH: &[Row] = &[
    ("hset", 24, |t| hset(t, "HSET")),
    ("hmset", 4, |t| hset(t, "HMSET")),
    ("hsetnx", 5, |t| line!("HSETNX", t.hash_key(), t.field(), t.value())),
    ("hget", 10, |t| line!("HGET", t.hash_key(), t.field())),
    ("hmget", 6, |t| {
        let mut args = vec![t.hash_key()];
        args.extend(t.keys(5, Traffic::field));
        with("HMGET", args)
    }),
    ("hgetall", 6, |t| line!("HGETALL", t.hash_key())),
    ("hkeys", 4, |t| line!("HKEYS", t.hash_key())),
    ("hvals", 4, |t| line!("HVALS", t.hash_key())),
    ("hlen", 4, |t| line!("HLEN", t.hash_key())),
    ("hstrlen", 4, |t| line!("HSTRLEN", t.hash_key(), t.field())),
    ("hexists", 4, |t| line!("HEXISTS", t.hash_key(), t.field())),
    ("hdel", 8, |t| {
        let mut args = vec![t.hash_key()];
        args.extend(t.keys(3, Traffic::field));
        with("HDEL", args)
    }),
    ("hincrby", 6, |t| {
        line!("HINCRBY", t.hash_key(), t.prng.pick(&["count", "total", "f1"]), t.small(-500, 500))
    }),
    ("hincrbyfloat", 6, |t| {
        line!("HINCRBYFLOAT", t.hash_key(), t.prng.pick(&["count", "sum", "f2"]), t.float())
    }),
    ("hrandfield", 5, hrandfield),
    ("hscan", 4, hscan),
];
