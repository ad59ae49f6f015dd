//! Generators of the commands that are not about keys: connection, pub/sub, server, transactions.
//!
//! Called by `families::all`. Most are picked from the lists of `lines`; `traffic` spoils further ones.

use crate::families::{self, Generator, Row, line, number, one, with};
use crate::lines::{
    CLIENT_LINES, COMMAND_LINES, CONFIG_LINES, CONTAINERS, DEBUG_LINES, LATENCY_LINES, MEMORY_LINES,
    PUBSUB_LINES, SLOWLOG_LINES,
};
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
    line!(t.prng.pick(CONTAINERS), "HELP")
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
    ("client", 6, |t| pick_line(t, CLIENT_LINES)),
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
    ("pubsub", 2, |t| pick_line(t, PUBSUB_LINES)),
];

/// COMMAND GETKEYS of any generated command.
fn command(t: &mut Traffic) -> Vec<Step> {
    if t.prng.chance(40) {
        return pick_line(t, COMMAND_LINES);
    }
    let Some(Step::Command(inner)) = families::any_on_keys(t).into_iter().next() else {
        return line!("COMMAND", "COUNT");
    };
    let name = t.prng.pick(&["COMMAND GETKEYS", "COMMAND GETKEYSANDFLAGS"]);
    with(name, inner)
}

fn debug(t: &mut Traffic) -> Vec<Step> {
    const TYPES: [&str; 14] = [
        "string", "integer", "double", "null", "array", "set", "map", "attrib", "true", "false", "bignum",
        "verbatim", "nosuch", "STRING",
    ];
    match t.prng.below(4) {
        0 => pick_line(t, DEBUG_LINES),
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
    if t.prng.chance(60) { line!("MEMORY", "USAGE", t.any_key()) } else { pick_line(t, MEMORY_LINES) }
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
    ("save", 1, |_| line!("SAVE")),
    ("role", 1, |_| line!("ROLE")),
    ("info", 1, |t| {
        pick_line(t, &["INFO", "INFO server", "INFO everything", "INFO nosuch", "INFO keyspace memory"])
    }),
    ("config", 4, |t| pick_line(t, CONFIG_LINES)),
    ("command", 4, command),
    ("memory", 2, memory),
    ("slowlog", 1, |t| pick_line(t, SLOWLOG_LINES)),
    ("latency", 1, |t| pick_line(t, LATENCY_LINES)),
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
