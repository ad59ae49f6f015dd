//! One generator per command: name, weight, arguments. A table of commands, by Redis' groups.
//!
//! Called by `traffic`. A command without a row is not generated; the harness prints which ones both servers know but
//! nobody generates. Weights are relative: writers and readers of the same type keep the keyspace populated.

use crate::traffic::{Args, Step, Traffic, words};

/// Makes one step (or several that belong together).
pub type Generator = fn(&mut Traffic) -> Vec<Step>;

type Row = (&'static str, u64, Generator);

/// All rows.
pub fn all() -> impl Iterator<Item = Row> {
    STRING
        .iter()
        .chain(BITMAP)
        .chain(GENERIC)
        .chain(HASH)
        .chain(CONNECTION)
        .chain(SERVER)
        .chain(TRANSACTION)
        .copied()
}

fn one(args: Args) -> Vec<Step> {
    vec![Step::Command(args)]
}

/// A command from its parts: text literals and generated words.
macro_rules! line {
    ($($part:expr),+ $(,)?) => {
        one(vec![$(Vec::<u8>::from($part)),+])
    };
}

fn with(name: &str, rest: Args) -> Vec<Step> {
    let mut args = words(name);
    args.extend(rest);
    one(args)
}

fn number(value: i64) -> Vec<u8> {
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
    if t.prng.chance(80) { vec![Step::ScanAll(args, 1)] } else { one(args) }
}

fn sort(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), t.any_key()];
    for option in ["ALPHA", "DESC", "LIMIT 0 3", "BY nosort", "GET #"] {
        if t.prng.chance(20) {
            args.extend(words(option));
        }
    }
    one(args)
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
        line!("OBJECT", t.prng.pick(&["ENCODING", "encoding", "REFCOUNT", "IDLETIME", "FREQ"]), t.any_key())
    }),
    ("sort", 2, |t| sort(t, "SORT")),
    ("sort_ro", 2, |t| sort(t, "SORT_RO")),
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

fn client(t: &mut Traffic) -> Vec<Step> {
    const LINES: [&str; 22] = [
        "CLIENT GETNAME",
        "CLIENT SETNAME conn-1",
        "CLIENT SETNAME other",
        "CLIENT ID",
        "CLIENT NO-EVICT on",
        "CLIENT NO-EVICT off",
        "CLIENT NO-EVICT maybe",
        "CLIENT UNPAUSE",
        "CLIENT UNBLOCK 999999999",
        "CLIENT UNBLOCK 999999999 ERROR",
        "CLIENT UNBLOCK abc",
        "CLIENT GETREDIR",
        "CLIENT TRACKINGINFO",
        "CLIENT CACHING yes",
        "CLIENT TRACKING off",
        "CLIENT REPLY on",
        "CLIENT REPLY garbage",
        "CLIENT HELP",
        "CLIENT NOSUCH",
        "CLIENT SETNAME",
        "CLIENT TRACKING maybe",
        "CLIENT",
    ];
    let mut args = words(t.prng.pick(&LINES));
    if t.prng.chance(10) && args.len() > 1 {
        args[1] = args[1].to_ascii_lowercase();
    }
    one(args)
}

fn hello(t: &mut Traffic) -> Vec<Step> {
    let line = t.prng.pick(&[
        "HELLO",
        "HELLO 2",
        "HELLO 3",
        "HELLO 3 SETNAME me",
        "HELLO 4",
        "HELLO x",
        "HELLO 2 AUTH default",
        "HELLO 3 NOSUCH",
        "HELLO 3 AUTH default wrong",
    ]);
    let back = format!("HELLO {}", t.proto);
    vec![Step::Command(words(line)), Step::Command(words(&back))]
}

fn reset(t: &mut Traffic) -> Vec<Step> {
    let back = format!("HELLO {}", t.proto);
    vec![Step::Command(words("RESET")), Step::Command(words(&back))]
}

const CONNECTION: &[Row] = &[
    ("ping", 3, |t| if t.prng.chance(50) { line!("PING") } else { line!("PING", t.value()) }),
    ("echo", 3, |t| line!("ECHO", t.value())),
    ("select", 6, |t| {
        let database = if t.prng.chance(70) { b"0".to_vec() } else { t.small(0, 3) };
        let mut steps = line!("SELECT", database);
        if t.prng.chance(10) {
            steps = line!("SELECT", t.prng.pick(&["16", "-1", "15", "x", "99999999999"]));
            steps.extend(line!("SELECT", "0"));
        }
        steps
    }),
    ("client", 6, client),
    ("hello", 2, hello),
    ("reset", 1, reset),
    ("auth", 1, |t| {
        let line =
            t.prng.pick(&["AUTH wrong", "AUTH default wrong", "AUTH nobody wrong", "AUTH a b c", "AUTH"]);
        one(words(line))
    }),
];

fn server_line(t: &mut Traffic, lines: &[&str]) -> Vec<Step> {
    one(words(t.prng.pick(lines)))
}

const CONFIG_LINES: [&str; 26] = [
    "CONFIG GET maxmemory",
    "CONFIG GET maxmemory-policy",
    "CONFIG GET hash-max-listpack-entries",
    "CONFIG GET hash-max-ziplist-*",
    "CONFIG GET nosuch",
    "CONFIG GET timeout maxclients",
    "CONFIG GET slowlog-*",
    "CONFIG GET LFU-*",
    "CONFIG SET hash-max-listpack-entries 64",
    "CONFIG SET hash-max-listpack-entries 128",
    "CONFIG SET hash-max-ziplist-value 64",
    "CONFIG SET slowlog-max-len 100 timeout 0",
    "CONFIG SET timeout -1",
    "CONFIG SET timeout abc",
    "CONFIG SET nosuch 1",
    "CONFIG SET timeout 0 timeout 0",
    "CONFIG SET timeout",
    "CONFIG SET maxmemory-policy nosuch",
    "CONFIG SET maxmemory 10gb",
    "CONFIG SET maxmemory 0",
    "CONFIG SET maxmemory 1zb",
    "CONFIG SET lazyfree-lazy-user-del maybe",
    "CONFIG SET lfu-log-factor 10",
    "CONFIG SET databases 4",
    "CONFIG NOSUCH",
    "CONFIG",
];

const COMMAND_LINES: [&str; 18] = [
    "COMMAND GETKEYS SET k v",
    "COMMAND GETKEYS MSET a 1 b 2 c 3",
    "COMMAND GETKEYS GET",
    "COMMAND GETKEYS NOSUCH x",
    "COMMAND GETKEYS PING",
    "COMMAND GETKEYS BITOP AND d a b",
    "COMMAND GETKEYS SORT k STORE d",
    "COMMAND GETKEYS MGET a b c",
    "COMMAND GETKEYSANDFLAGS SET k v",
    "COMMAND GETKEYSANDFLAGS COPY a b",
    "COMMAND GETKEYSANDFLAGS MSET a 1 b 2",
    "COMMAND GETKEYSANDFLAGS GETEX k",
    "COMMAND INFO nosuch",
    "COMMAND NOSUCH",
    "COMMAND GETKEYS",
    "COMMAND COUNT",
    "COMMAND LIST FILTERBY NOSUCH x",
    "COMMAND GETKEYS RENAME a b",
];

const DEBUG_LINES: [&str; 7] = [
    "DEBUG SLEEP 0",
    "DEBUG SET-ACTIVE-EXPIRE 1",
    "DEBUG SET-ACTIVE-EXPIRE 0",
    "DEBUG NOSUCH",
    "DEBUG",
    "DEBUG DIGEST-VALUE missing",
    "DEBUG OBJECT missing",
];

const SERVER: &[Row] = &[
    ("dbsize", 3, |_| line!("DBSIZE")),
    ("flushdb", 1, |t| server_line(t, &["FLUSHDB", "FLUSHDB SYNC", "FLUSHDB ASYNC", "FLUSHDB BAD"])),
    ("flushall", 1, |t| server_line(t, &["FLUSHALL", "FLUSHALL SYNC", "FLUSHALL ASYNC", "FLUSHALL BAD"])),
    ("swapdb", 2, |t| line!("SWAPDB", t.small(0, 3), t.small(0, 3))),
    ("time", 1, |_| line!("TIME")),
    ("lastsave", 1, |_| line!("LASTSAVE")),
    ("role", 1, |_| line!("ROLE")),
    ("info", 1, |t| {
        server_line(t, &["INFO", "INFO server", "INFO everything", "INFO nosuch", "INFO keyspace memory"])
    }),
    ("config", 4, |t| server_line(t, &CONFIG_LINES)),
    ("command", 3, |t| server_line(t, &COMMAND_LINES)),
    ("memory", 2, |t| {
        if t.prng.chance(60) {
            line!("MEMORY", "USAGE", t.any_key())
        } else {
            server_line(
                t,
                &[
                    "MEMORY HELP",
                    "MEMORY NOSUCH",
                    "MEMORY USAGE missing SAMPLES -1",
                    "MEMORY USAGE",
                    "MEMORY PURGE",
                ],
            )
        }
    }),
    ("slowlog", 1, |t| {
        server_line(t, &["SLOWLOG LEN", "SLOWLOG GET 0", "SLOWLOG RESET", "SLOWLOG GET x", "SLOWLOG NOSUCH"])
    }),
    ("latency", 1, |t| {
        server_line(
            t,
            &[
                "LATENCY RESET nosuch",
                "LATENCY LATEST",
                "LATENCY HISTORY nosuch",
                "LATENCY HISTOGRAM get",
                "LATENCY NOSUCH",
            ],
        )
    }),
    ("debug", 1, |t| server_line(t, &DEBUG_LINES)),
    ("lolwut", 1, |_| line!("LOLWUT")),
];

/// A whole transaction: WATCH perhaps, MULTI, some commands, EXEC or DISCARD; rarely an error inside.
fn transaction(t: &mut Traffic) -> Vec<Step> {
    let mut steps = Vec::new();
    if t.prng.chance(40) {
        let keys = t.keys(3, Traffic::any_key);
        steps.extend(with("WATCH", keys));
        if t.prng.chance(40) {
            steps.extend(set(t));
        }
    }
    steps.extend(line!("MULTI"));
    for _ in 0..t.prng.below(6) {
        let inner: [Generator; 8] = [
            set,
            mset,
            |t| line!("GET", t.any_key()),
            |t| line!("INCR", t.int_key()),
            |t| hset(t, "HSET"),
            |t| line!("HGETALL", t.hash_key()),
            |t| expire(t, "EXPIRE"),
            |t| line!("DEL", t.any_key(), t.any_key()),
        ];
        let chosen = t.prng.pick(&inner);
        steps.extend(chosen(t));
    }
    if t.prng.chance(4) {
        steps.extend(line!("NOSUCHCOMMAND", "x"));
    }
    steps.extend(if t.prng.chance(85) { line!("EXEC") } else { line!("DISCARD") });
    steps
}

const TRANSACTION: &[Row] = &[
    ("multi", 5, transaction),
    ("exec", 1, |_| line!("EXEC")),
    ("discard", 1, |_| line!("DISCARD")),
    ("watch", 2, |t| {
        let keys = t.keys(3, Traffic::any_key);
        with("WATCH", keys)
    }),
    ("unwatch", 1, |_| line!("UNWATCH")),
];
