//! Generators of the commands that are not about keys: connection, pub/sub, server, transactions.
//!
//! Called by `families::all`. Most are picked from lists of lines, the wrong ones among them; `traffic` spoils further ones. What
//! a line must never do is end, stop or starve a server or the harness' own connections.

use crate::families::{self, Generator, Row, line, number, one, with};
use crate::traffic::{Args, Step, Traffic, words};

/// All rows of this file.
pub fn all() -> impl Iterator<Item = Row> {
    CONNECTION.iter().chain(PUBSUB).chain(SERVER).chain(TRANSACTION).copied()
}

fn pick_line(t: &mut Traffic, lines: &[&str]) -> Vec<Step> {
    let mut args = words(t.prng.pick(lines));
    if t.prng.chance(10) && args.len() > 1 {
        args[1] = args[1].to_ascii_lowercase();
    }
    one(args)
}

const CLIENT_LINES: [&str; 50] = [
    "CLIENT PAUSE 1",
    "CLIENT PAUSE 1 WRITE",
    "CLIENT INFO",
    "CLIENT LIST",
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
    "CLIENT UNBLOCK 999999999 NOSUCH",
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
    "CLIENT LIST TYPE nosuch",
    "CLIENT LIST TYPE",
    "CLIENT LIST ID abc",
    "CLIENT LIST ID",
    "CLIENT LIST NOSUCH 1",
    "CLIENT LIST ID 99999999",
    "CLIENT LIST TYPE replica",
    "CLIENT PAUSE abc",
    "CLIENT PAUSE -1",
    "CLIENT PAUSE 0 NOSUCH",
    "CLIENT PAUSE",
    "CLIENT KILL",
    "CLIENT KILL 1.2.3.4:5",
    "CLIENT KILL ID 0",
    "CLIENT KILL ID abc",
    "CLIENT KILL ID 99999999",
    "CLIENT KILL TYPE nosuch",
    "CLIENT KILL USER nobody",
    "CLIENT KILL ADDR 1.2.3.4:5 SKIPME maybe",
    "CLIENT KILL ADDR 1.2.3.4:5",
    "CLIENT KILL LADDR 1.2.3.4:5 SKIPME yes",
    "CLIENT KILL NOSUCH x",
    "CLIENT KILL ID 99999999 ADDR",
];

/// Modes of tracking; nothing is read meanwhile, so nothing is pushed (`frames` has that).
fn tracking(t: &mut Traffic) -> Vec<Step> {
    let mut steps = Vec::new();
    let on = t.prng.pick(&[
        "on",
        "on OPTIN",
        "on OPTOUT NOLOOP",
        "on OPTIN OPTOUT",
        "on PREFIX a",
        "on REDIRECT 99999999",
    ]);
    let then = [
        "CLIENT CACHING yes",
        "CLIENT CACHING no",
        "CLIENT TRACKINGINFO",
        "CLIENT GETREDIR",
        "CLIENT CACHING x",
    ];
    steps.extend(one(words(&format!("CLIENT TRACKING {on}"))));
    (0..t.prng.below(4)).for_each(|_| steps.extend(one(words(t.prng.pick(&then)))));
    steps.extend(one(words("CLIENT TRACKING off")));
    steps
}

/// HELP of any container.
fn help(t: &mut Traffic) -> Vec<Step> {
    const CONTAINERS: [&str; 13] = [
        "ACL", "CLIENT", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MEMORY", "OBJECT", "PUBSUB", "SCRIPT",
        "SLOWLOG", "XGROUP", "XINFO",
    ];
    line!(t.prng.pick(&CONTAINERS), "HELP")
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
        "HELLO 1",
        "HELLO 3 SETNAME",
        "HELLO 2 SETNAME a AUTH default x",
        "HELLO 3 SETNAME a SETNAME b",
        "HELLO 99999999999999999999",
        "HELLO 3 AUTH nobody x",
    ]);
    let back = format!("HELLO {}", t.proto);
    vec![Step::Command(words(line)), Step::Command(words(&back))]
}

fn reset(t: &mut Traffic) -> Vec<Step> {
    let back = format!("HELLO {}", t.proto);
    let mut steps = match t.prng.below(4) {
        0 => [line!("MULTI"), line!("SET", t.string_key(), t.value())].concat(),
        1 => line!("SUBSCRIBE", "news-1"),
        2 => line!("CLIENT", "SETNAME", "forgotten"),
        _ => Vec::new(),
    };
    steps.extend(line!("RESET"));
    steps.extend(one(words(&back)));
    steps
}

fn select(t: &mut Traffic) -> Vec<Step> {
    let database = if t.prng.chance(70) { b"0".to_vec() } else { t.small(0, 3) };
    if !t.prng.chance(10) {
        return line!("SELECT", database);
    }
    const WRONG: [&str; 9] = ["16", "-1", "15", "x", "99999999999", "2147483648", "-2147483649", "01", "+1"];
    [line!("SELECT", t.prng.pick(&WRONG)), line!("SELECT", "0")].concat()
}

const CONNECTION: &[Row] = &[
    ("ping", 3, |t| if t.prng.chance(50) { line!("PING") } else { line!("PING", t.value()) }),
    ("echo", 3, |t| line!("ECHO", t.value())),
    ("select", 6, select),
    ("client", 6, |t| pick_line(t, &CLIENT_LINES)),
    ("client", 2, tracking),
    ("hello", 2, hello),
    ("reset", 1, reset),
    ("auth", 1, |t| {
        let lines = [
            "AUTH wrong",
            "AUTH default wrong",
            "AUTH nobody wrong",
            "AUTH a b c",
            "AUTH",
            "AUTH default",
            "AUTH default x y",
        ];
        pick_line(t, &lines)
    }),
];

/// Joins one channel or pattern, does what a subscriber may (and, in RESP2, may not) do, leaves.
fn subscription(t: &mut Traffic, name: &str) -> Vec<Step> {
    let channel = format!("news-{}", t.prng.below(4));
    let mut steps = line!(name, channel.clone());
    for _ in 0..t.prng.below(4) {
        let inner: [Generator; 9] = [
            |t| line!("PUBSUB", "SHARDNUMSUB", format!("news-{}", t.prng.below(4))),
            |_| line!("PUBSUB", "SHARDCHANNELS"),
            |_| line!("PING"),
            |t| line!("PING", t.value()),
            |t| line!("GET", t.string_key()),
            |t| line!("SET", t.string_key(), t.value()),
            |_| line!("SUBSCRIBE"),
            |_| line!("SUBSCRIBE", "news-1"),
            |t| line!("PUBSUB", "NUMSUB", format!("news-{}", t.prng.below(4))),
        ];
        let chosen = t.prng.pick(&inner);
        steps.extend(chosen(t));
    }
    steps.extend(line!("UNSUBSCRIBE", channel.clone()));
    steps.extend(line!("UNSUBSCRIBE", "news-1"));
    steps.extend(line!("SUNSUBSCRIBE", channel.clone()));
    steps.extend(line!("PUNSUBSCRIBE", channel));
    steps
}

const PUBSUB: &[Row] = &[
    ("subscribe", 1, |t| subscription(t, "SUBSCRIBE")),
    ("psubscribe", 1, |t| subscription(t, "PSUBSCRIBE")),
    ("ssubscribe", 1, |t| subscription(t, "SSUBSCRIBE")),
    ("sunsubscribe", 1, |t| line!("SUNSUBSCRIBE", format!("news-{}", t.prng.below(4)))),
    ("spublish", 1, |t| line!("SPUBLISH", "quiet", t.value())),
    ("unsubscribe", 1, |t| line!("UNSUBSCRIBE", format!("news-{}", t.prng.below(4)))),
    ("punsubscribe", 1, |t| line!("PUNSUBSCRIBE", format!("news-{}", t.prng.below(4)))),
    ("publish", 1, |t| line!("PUBLISH", "quiet", t.value())),
    ("pubsub", 2, |t| {
        let lines = [
            "PUBSUB CHANNELS",
            "PUBSUB CHANNELS news-*",
            "PUBSUB CHANNELS nothing",
            "PUBSUB NUMPAT",
            "PUBSUB NUMSUB",
            "PUBSUB NUMSUB news-1 nothing",
            "PUBSUB NOSUCH",
            "PUBSUB",
            "PUBSUB CHANNELS a b",
            "PUBSUB NUMPAT x",
            "PUBSUB SHARDCHANNELS",
            "PUBSUB SHARDCHANNELS news-*",
            "PUBSUB SHARDNUMSUB news-1 nothing",
            "PUBSUB SHARDNUMSUB",
            "PUBSUB HELP",
        ];
        pick_line(t, &lines)
    }),
];

const CONFIG_LINES: [&str; 50] = [
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
    "CONFIG GET",
    "CONFIG SET",
    "CONFIG RESETSTAT",
    "CONFIG RESETSTAT x",
    "CONFIG SET hash-max-listpack-value 32",
    "CONFIG SET hash-max-listpack-value 64",
    "CONFIG SET hash-max-listpack-entries -1",
    "CONFIG SET maxmemory-policy allkeys-lfu",
    "CONFIG SET maxmemory-policy noeviction",
    "CONFIG SET maxmemory-policy allkeys-lru",
    "CONFIG SET notify-keyspace-events KEA",
    "CONFIG SET notify-keyspace-events KEAX1",
    "CONFIG SET notify-keyspace-events \"\"",
    "CONFIG GET notify-keyspace-events",
    "CONFIG SET hz 1000",
    "CONFIG GET hz",
    "CONFIG SET hz 200",
    "CONFIG SET maxclients 0",
    "CONFIG SET client-query-buffer-limit 1",
    "CONFIG SET proto-max-bulk-len 10",
    "CONFIG GET client-output-buffer-limit",
    "CONFIG SET client-output-buffer-limit x",
    "CONFIG SET lazyfree-lazy-expire yes",
    "CONFIG SET lazyfree-lazy-expire no",
];

const COMMAND_LINES: [&str; 30] = [
    "COMMAND DOCS get set",
    "COMMAND",
    "COMMAND GETKEYS SET k v",
    "COMMAND GETKEYS MSET a 1 b 2 c 3",
    "COMMAND GETKEYS GET",
    "COMMAND GETKEYS NOSUCH x",
    "COMMAND GETKEYS PING",
    "COMMAND GETKEYS BITOP AND d a b",
    "COMMAND GETKEYS CONFIG GET x",
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
    "COMMAND GETKEYS OBJECT ENCODING x",
    "COMMAND GETKEYS MEMORY USAGE x",
    "COMMAND LIST FILTERBY PATTERN l[a-z]*t",
    "COMMAND LIST FILTERBY ACLCAT nosuch",
    "COMMAND LIST FILTERBY ACLCAT bitmap",
    "COMMAND LIST FILTERBY MODULE x",
    "COMMAND LIST FILTERBY PATTERN",
    "COMMAND INFO get nosuch set",
    "COMMAND INFO mset hset del",
    "COMMAND LIST x",
];

/// COMMAND GETKEYS of any generated command.
fn command(t: &mut Traffic) -> Vec<Step> {
    if t.prng.chance(40) {
        return pick_line(t, &COMMAND_LINES);
    }
    let Some(Step::Command(inner)) = families::any_on_keys(t).into_iter().next() else {
        return line!("COMMAND", "COUNT");
    };
    let name = t.prng.pick(&["COMMAND GETKEYS", "COMMAND GETKEYSANDFLAGS"]);
    with(name, inner)
}

const DEBUG_LINES: [&str; 14] = [
    "DEBUG SLEEP 0",
    "DEBUG SET-ACTIVE-EXPIRE 1",
    "DEBUG SET-ACTIVE-EXPIRE 0",
    "DEBUG NOSUCH",
    "DEBUG",
    "DEBUG DIGEST-VALUE missing",
    "DEBUG OBJECT missing",
    "DEBUG ERROR text-of-mine",
    "DEBUG OBJECT",
    "DEBUG SLEEP",
    "DEBUG POPULATE",
    "DEBUG POPULATE x",
    "DEBUG POPULATE 3 populated 20",
    "DEBUG POPULATE 2 populated",
];

fn debug(t: &mut Traffic) -> Vec<Step> {
    const TYPES: [&str; 14] = [
        "string", "integer", "double", "null", "array", "set", "map", "attrib", "true", "false", "bignum",
        "verbatim", "nosuch", "STRING",
    ];
    match t.prng.below(4) {
        0 => pick_line(t, &DEBUG_LINES),
        // In RESP3 the push is followed by a second reply.
        1 if t.proto == 2 && t.prng.chance(20) => line!("DEBUG", "PROTOCOL", "push"),
        1 => line!("DEBUG", "PROTOCOL", t.prng.pick(&TYPES)),
        _ => {
            let keys = t.keys(5, Traffic::any_key);
            with("DEBUG DIGEST-VALUE", keys)
        }
    }
}

fn memory(t: &mut Traffic) -> Vec<Step> {
    const LINES: [&str; 9] = [
        "MEMORY STATS",
        "MEMORY DOCTOR",
        "MEMORY MALLOC-STATS",
        "MEMORY NOSUCH",
        "MEMORY USAGE missing SAMPLES -1",
        "MEMORY USAGE",
        "MEMORY PURGE",
        "MEMORY USAGE missing NOSUCH 1",
        "MEMORY",
    ];
    if t.prng.chance(60) { line!("MEMORY", "USAGE", t.any_key()) } else { pick_line(t, &LINES) }
}

const SERVER: &[Row] = &[
    ("dbsize", 3, |_| line!("DBSIZE")),
    ("flushdb", 1, |t| {
        pick_line(t, &["FLUSHDB", "FLUSHDB SYNC", "FLUSHDB ASYNC", "FLUSHDB BAD", "FLUSHDB SYNC ASYNC"])
    }),
    ("flushall", 1, |t| {
        pick_line(t, &["FLUSHALL", "FLUSHALL SYNC", "FLUSHALL ASYNC", "FLUSHALL BAD", "FLUSHALL SYNC x"])
    }),
    ("swapdb", 2, |t| {
        let wrong = ["x", "16", "-1", "99999999999"];
        let second = if t.prng.chance(10) { t.prng.pick(&wrong).into() } else { t.small(0, 3) };
        line!("SWAPDB", t.small(0, 3), second)
    }),
    ("time", 1, |_| line!("TIME")),
    ("lastsave", 1, |_| line!("LASTSAVE")),
    ("role", 1, |_| line!("ROLE")),
    ("info", 1, |t| {
        pick_line(t, &["INFO", "INFO server", "INFO everything", "INFO nosuch", "INFO keyspace memory"])
    }),
    ("config", 4, |t| pick_line(t, &CONFIG_LINES)),
    ("command", 4, command),
    ("memory", 2, memory),
    ("slowlog", 1, |t| {
        let lines = [
            "SLOWLOG LEN",
            "SLOWLOG GET 0",
            "SLOWLOG RESET",
            "SLOWLOG GET x",
            "SLOWLOG NOSUCH",
            "SLOWLOG GET -2",
            "SLOWLOG GET -1",
            "SLOWLOG GET 1 2",
            "SLOWLOG LEN x",
            "SLOWLOG",
        ];
        pick_line(t, &lines)
    }),
    ("latency", 1, |t| {
        let lines = [
            "LATENCY RESET nosuch",
            "LATENCY LATEST",
            "LATENCY DOCTOR",
            "LATENCY HISTORY nosuch",
            "LATENCY HISTOGRAM get",
            "LATENCY NOSUCH",
            "LATENCY GRAPH nosuch",
            "LATENCY HISTORY",
            "LATENCY GRAPH",
            "LATENCY HISTOGRAM nosuch",
            "LATENCY RESET",
            "LATENCY",
        ];
        pick_line(t, &lines)
    }),
    ("debug", 2, debug),
    ("acl", 3, help),
    ("pfselftest", 1, |_| line!("PFSELFTEST")),
    ("lolwut", 1, |t| {
        pick_line(t, &["LOLWUT", "LOLWUT VERSION", "LOLWUT VERSION x", "LOLWUT VERSION 5 1 1 1"])
    }),
    ("shutdown", 1, |t| {
        pick_line(t, &["SHUTDOWN NOSUCH", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN ABORT", "SHUTDOWN ABORT NOW"])
    }),
];

/// One command for the inside of a transaction: mostly on keys, sometimes one that moves the connection or the whole data.
fn inner(t: &mut Traffic) -> Args {
    const OTHERS: [&str; 14] = [
        "SELECT 0",
        "SELECT 1",
        "SELECT 77",
        "DBSIZE",
        "FLUSHDB",
        "SWAPDB 0 1",
        "PING",
        "CLIENT GETNAME",
        "MULTI",
        "WATCH s1",
        "CONFIG GET timeout",
        "CONFIG SET timeout abc",
        "UNWATCH",
        "COMMAND GETKEYS GET x",
    ];
    if t.prng.chance(15) {
        return words(t.prng.pick(&OTHERS));
    }
    loop {
        if let Some(Step::Command(args)) = families::any_on_keys(t).into_iter().next_back() {
            return args;
        }
    }
}

/// A whole transaction: WATCH perhaps, MULTI, some commands, EXEC or DISCARD; rarely an error inside.
fn transaction(t: &mut Traffic) -> Vec<Step> {
    let mut steps = Vec::new();
    if t.prng.chance(40) {
        let keys = t.keys(3, Traffic::any_key);
        steps.extend(with("WATCH", keys));
        if t.prng.chance(40) {
            steps.extend(line!("SET", t.string_key(), t.value()));
        }
        if t.prng.chance(20) {
            steps.extend(line!("EXPIRE", t.any_key(), number(-1)));
        }
    }
    steps.extend(line!("MULTI"));
    for _ in 0..t.prng.below(6) {
        steps.extend(one(inner(t)));
    }
    if t.prng.chance(4) {
        steps.extend(t.prng.pick(&[
            line!("NOSUCHCOMMAND", "x"),
            line!("GET"),
            line!("EXEC", "x"),
            line!("CLIENT", "NOSUCH"),
        ]));
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
