//! Traffic of the blocking commands: served at once or timing out in the single stream, and waiting for others.
//!
//! Called by `families`. The single command has a timeout of some ms; in a transaction or script it never waits. [`blocked`] makes a whole situation:
//! what is prepared, who waits (for ever; the harness unblocks who is left), what another connection does then. Keys of situations (`bl`, `bz`, `bx`) are mostly absent before.
//! No word here may turn a short timeout of the single stream into 0, which waits for ever: these commands are spoilt by [`spoil`] only.

use crate::families::{Row, lists, number, one, streams, zsets};
use crate::traffic::{Args, Step, Traffic, words};

/// In which surroundings a command is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between other commands of one connection.
    Stream,
    /// By a client that may wait.
    Waiter,
}

impl Place {
    fn timeout(self, t: &mut Traffic) -> Vec<u8> {
        let wrong = ["abc", "-1", "nan", "inf", "", "0x", "9223372036854775807", "-inf", "1 "];
        if t.prng.chance(3) {
            return t.prng.pick(&wrong).into();
        }
        match self {
            Place::Stream => t.prng.pick(&["0.001", ".002", "0.005", "1e-3"]).into(),
            Place::Waiter => t.prng.pick(&["0", "0", "0.0", "1000", "99.5", "0e5"]).into(),
        }
    }

    fn milliseconds(self, t: &mut Traffic) -> Vec<u8> {
        if t.prng.chance(3) {
            return t.prng.pick(&["abc", "-1", "1.5", "", "9223372036854775808"]).into();
        }
        match self {
            Place::Stream => t.small(1, 4),
            Place::Waiter => t.prng.pick(&["0", "0", "100000"]).into(),
        }
    }

    fn list(self, t: &mut Traffic) -> Vec<u8> {
        match self {
            Place::Stream => lists::key(t),
            Place::Waiter if t.prng.chance(4) => t.any_key(),
            Place::Waiter => format!("bl{}", t.prng.below(3)).into_bytes(),
        }
    }

    fn zset(self, t: &mut Traffic) -> Vec<u8> {
        match self {
            Place::Stream => zsets::key(t),
            Place::Waiter if t.prng.chance(4) => t.any_key(),
            Place::Waiter => format!("bz{}", t.prng.below(3)).into_bytes(),
        }
    }

    fn stream(self, t: &mut Traffic) -> Vec<u8> {
        match self {
            Place::Stream => streams::key(t),
            Place::Waiter if t.prng.chance(4) => t.any_key(),
            Place::Waiter => format!("bx{}", t.prng.below(2)).into_bytes(),
        }
    }
}

type KeyOf = fn(Place, &mut Traffic) -> Vec<u8>;

fn keys(t: &mut Traffic, place: Place, key: KeyOf, most: u64) -> Args {
    (0..1 + t.prng.below(most)).map(|_| key(place, t)).collect()
}

fn side(t: &mut Traffic) -> Vec<u8> {
    t.prng.pick(&["LEFT", "RIGHT", "left"]).into()
}

/// BLPOP, BRPOP, BZPOPMIN, BZPOPMAX.
fn pop(t: &mut Traffic, place: Place, name: &str) -> Args {
    let key: KeyOf = if name.starts_with("BZ") { Place::zset } else { Place::list };
    let mut args = vec![name.into()];
    args.extend(keys(t, place, key, 3));
    args.push(place.timeout(t));
    args
}

fn mpop(t: &mut Traffic, place: Place, name: &str) -> Args {
    let is_zset = name == "BZMPOP";
    let keys = keys(t, place, if is_zset { Place::zset } else { Place::list }, 3);
    let mut args = vec![name.into(), place.timeout(t), number(keys.len() as i64)];
    args.extend(keys);
    args.push(if is_zset { t.prng.pick(&["MIN", "MAX", "min"]).into() } else { side(t) });
    if t.prng.chance(50) {
        args.extend([b"COUNT".to_vec(), t.small(1, 8)]);
    }
    args
}

fn blmove(t: &mut Traffic, place: Place) -> Args {
    vec![b"BLMOVE".to_vec(), place.list(t), place.list(t), side(t), side(t), place.timeout(t)]
}

fn brpoplpush(t: &mut Traffic, place: Place) -> Args {
    vec![b"BRPOPLPUSH".to_vec(), place.list(t), place.list(t), place.timeout(t)]
}

fn xread(t: &mut Traffic, place: Place) -> Args {
    let mut args = vec![b"XREAD".to_vec()];
    if t.prng.chance(40) {
        args.extend([b"COUNT".to_vec(), t.small(1, 5)]);
    }
    args.extend([b"BLOCK".to_vec(), place.milliseconds(t), b"STREAMS".to_vec()]);
    let keys = keys(t, place, Place::stream, 2);
    let count = keys.len();
    args.extend(keys);
    (0..count).for_each(|_| args.push(t.prng.pick(&["$", "$", "0", "3-5"]).into()));
    args
}

fn xreadgroup(t: &mut Traffic, place: Place) -> Args {
    let mut args = words(t.prng.pick(&["XREADGROUP GROUP g0 alice", "XREADGROUP GROUP g1 bob"]));
    args.extend([b"BLOCK".to_vec(), place.milliseconds(t)]);
    if t.prng.chance(20) {
        args.push(b"NOACK".to_vec());
    }
    args.push(b"STREAMS".to_vec());
    let keys = keys(t, place, Place::stream, 2);
    let count = keys.len();
    args.extend(keys);
    (0..count).for_each(|_| args.push(t.prng.pick(&[">", ">", ">", "0"]).into()));
    args
}

fn any(t: &mut Traffic, place: Place) -> Args {
    match t.prng.below(10) {
        0 => pop(t, place, "BLPOP"),
        1 => pop(t, place, "BRPOP"),
        2 => pop(t, place, "BZPOPMIN"),
        3 => pop(t, place, "BZPOPMAX"),
        4 => mpop(t, place, "BLMPOP"),
        5 => mpop(t, place, "BZMPOP"),
        6 => brpoplpush(t, place),
        7 => xread(t, place),
        8 => xreadgroup(t, place),
        _ => blmove(t, place),
    }
}

/// Makes a command questionable; what is left of its timeout is no longer one, or what it was.
fn spoil(t: &mut Traffic, args: &mut Args) {
    let wrong = t.prng.pick(&["abc", "-7", "1e400", "WITHSCORES", "nan"]);
    match t.prng.below(3) {
        0 => args.push(wrong.into()),
        1 => drop(args.pop()),
        _ => {
            let at = 1 + t.prng.index(args.len() - 1);
            args[at] = wrong.into();
        }
    }
    // A popped timeout leaves a key's name in its place, never a number that could be long.
    if args.last().is_some_and(|word| word.iter().all(u8::is_ascii_digit)) {
        args.push(b"abc".to_vec());
    }
}

/// The command between others; often what it asks for is put there before.
fn single(t: &mut Traffic, args: Args) -> Vec<Step> {
    let mut args = args;
    if t.prng.chance(8) && !args[0].starts_with(b"X") {
        spoil(t, &mut args);
    }
    let mut steps = Vec::new();
    if t.prng.chance(50) {
        let key = match args[0].as_slice() {
            b"BLMPOP" | b"BZMPOP" => args.get(3),
            name if name.starts_with(b"X") => None,
            _ => args.get(1),
        };
        if let Some(key) = key.cloned() {
            let name = if args[0].starts_with(b"BZ") { "ZADD" } else { "RPUSH" };
            let mut feed = vec![name.into(), key, t.small(0, 99), t.small(0, 99)];
            feed.truncate(if name == "ZADD" { 4 } else { 2 + t.prng.index(2) + 1 });
            steps.push(Step::Command(feed));
        }
    }
    steps.extend(one(args));
    steps
}

/// The rows of single commands.
pub const BLOCKING: &[Row] = &[
    ("blpop", 3, |t| {
        let args = pop(t, Place::Stream, "BLPOP");
        single(t, args)
    }),
    ("brpop", 3, |t| {
        let args = pop(t, Place::Stream, "BRPOP");
        single(t, args)
    }),
    ("bzpopmin", 3, |t| {
        let args = pop(t, Place::Stream, "BZPOPMIN");
        single(t, args)
    }),
    ("bzpopmax", 3, |t| {
        let args = pop(t, Place::Stream, "BZPOPMAX");
        single(t, args)
    }),
    ("blmpop", 3, |t| {
        let args = mpop(t, Place::Stream, "BLMPOP");
        single(t, args)
    }),
    ("bzmpop", 3, |t| {
        let args = mpop(t, Place::Stream, "BZMPOP");
        single(t, args)
    }),
    ("blmove", 3, |t| {
        let args = blmove(t, Place::Stream);
        single(t, args)
    }),
    ("brpoplpush", 3, |t| {
        let args = brpoplpush(t, Place::Stream);
        single(t, args)
    }),
    ("xread", 2, |t| {
        let args = xread(t, Place::Stream);
        single(t, args)
    }),
    ("xreadgroup", 2, |t| {
        let args = xreadgroup(t, Place::Stream);
        single(t, args)
    }),
];

fn feed_list(t: &mut Traffic) -> Args {
    let place = Place::Waiter;
    let (name, key) = (t.prng.pick(&["RPUSH", "RPUSH", "LPUSH"]), place.list(t));
    let mut args = vec![name.into(), key];
    (0..1 + t.prng.below(4)).for_each(|_| args.push(t.small(0, 50)));
    args
}

fn feed_zset(t: &mut Traffic) -> Args {
    let mut args = vec![b"ZADD".to_vec(), Place::Waiter.zset(t)];
    for _ in 0..1 + t.prng.below(3) {
        args.extend([t.small(-5, 5), t.small(0, 20)]);
    }
    args
}

fn feed_stream(t: &mut Traffic) -> Args {
    vec![b"XADD".to_vec(), Place::Waiter.stream(t), b"3-*".to_vec(), b"f".to_vec(), t.small(0, 99)]
}

/// A script that writes to waited-for keys, declared or not.
fn feed_by_script(t: &mut Traffic) -> Args {
    let inner = match t.prng.below(3) {
        0 => feed_list(t),
        1 => feed_zset(t),
        _ => feed_stream(t),
    };
    by_script(t, inner)
}

fn by_script(t: &mut Traffic, inner: Args) -> Args {
    let (name, key, rest) = (inner[0].clone(), inner[1].clone(), inner[2..].to_vec());
    let mut args = vec![b"EVAL".to_vec()];
    match t.prng.below(3) {
        0 => {
            args.extend([b"return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))".to_vec(), b"1".to_vec()]);
            args.extend([key, name]);
        }
        1 => {
            args.extend([b"return redis.call(unpack(ARGV))".to_vec(), b"0".to_vec(), name, key]);
        }
        _ => {
            let body =
                b"redis.call('set', KEYS[1], 1) redis.pcall(unpack(ARGV)) return redis.call('del', KEYS[1])";
            args.extend([body.to_vec(), b"1".to_vec(), t.string_key(), name, key]);
        }
    }
    args.extend(rest);
    args
}

/// What one of the waiters waits for.
fn feed_somebody(t: &mut Traffic, waiters: &[Args]) -> Args {
    let args = t.prng.pick(waiters);
    let keys: Vec<&Vec<u8>> = args.iter().filter(|word| word.len() == 3 && word[0] == b'b').collect();
    if keys.is_empty() {
        return feed(t);
    }
    let key = t.prng.pick(&keys).clone();
    let mut args = match key[1] {
        b'l' => feed_list(t),
        b'z' => feed_zset(t),
        _ => feed_stream(t),
    };
    args[1] = key;
    if t.prng.chance(25) { by_script(t, args) } else { args }
}

/// Something that may serve somebody, or take away what would.
fn feed(t: &mut Traffic) -> Args {
    let place = Place::Waiter;
    let (list, zset, stream) = (place.list(t), place.zset(t), place.stream(t));
    let line = |parts: &[&[u8]]| parts.iter().map(|part| part.to_vec()).collect();
    match t.prng.below(34) {
        0..8 => feed_list(t),
        8..12 => feed_zset(t),
        12..16 => feed_stream(t),
        16..19 => feed_by_script(t),
        19 => line(&[b"RENAME", &lists::key(t), &list]),
        20 => line(&[b"COPY", &zsets::key(t), &zset, b"REPLACE"]),
        21 => line(&[b"SORT", b"sortme0", b"BY", b"nosort", b"STORE", &list]),
        22 => line(&[b"LMOVE", &lists::key(t), &list, &side(t), &side(t)]),
        23 => line(&[b"ZUNIONSTORE", &zset, b"1", &zsets::key(t)]),
        24 => line(&[b"ZRANGESTORE", &zset, &zsets::key(t), b"0", b"3"]),
        25 => line(&[b"GEOADD", &zset, b"13.4", b"52.5", b"berlin"]),
        26 => line(&[b"SET", &list, b"v"]),
        27 => line(&[b"DEL", &list, &zset]),
        28 => line(&[b"DEL", &stream]),
        29 => line(&[b"XGROUP", t.prng.pick(&[&b"DESTROY"[..], &b"CREATE"[..]]), &stream, b"g0", b"0"]),
        30 => line(&[b"RENAME", &streams::key(t), &stream]),
        31 => line(&[b"LPOP", &list]),
        32 if t.prng.chance(30) => line(&[b"SWAPDB", b"0", b"1"]),
        33 if t.prng.chance(10) => line(&[b"FLUSHDB"]),
        _ => line(&[b"PEXPIRE", &list, b"-1"]),
    }
}

/// A whole situation: see the module's text.
fn blocked(t: &mut Traffic) -> Vec<Step> {
    let mut before = vec![words("SELECT 0"), words("DEL bl0 bl1 bl2 bz0 bz1 bz2")];
    if t.prng.chance(50) {
        before.push(words("XGROUP CREATE bx0 g0 $ MKSTREAM"));
        before.push(words("XGROUP CREATE bx1 g0 $ MKSTREAM"));
        before.push(words("XREADGROUP GROUP g0 alice STREAMS bx0 bx1 > >"));
    }
    let waiters: Vec<Args> = (0..1 + t.prng.below(3))
        .map(|_| {
            let mut args = any(t, Place::Waiter);
            if t.prng.chance(5) {
                spoil(t, &mut args);
            }
            args
        })
        .collect();
    let mut then: Vec<Args> = Vec::new();
    for _ in 0..1 + t.prng.below(3) {
        if t.prng.chance(25) {
            then.push(words("MULTI"));
            for _ in 0..1 + t.prng.below(4) {
                let next = if t.prng.chance(50) { feed_somebody(t, &waiters) } else { feed(t) };
                then.push(next);
            }
            then.push(words("EXEC"));
        } else {
            let next = if t.prng.chance(60) { feed_somebody(t, &waiters) } else { feed(t) };
            then.push(next);
        }
    }
    vec![Step::Blocked { before, waiters, then }]
}

/// The row of situations.
pub const SITUATIONS: &[Row] = &[("blpop", 10, blocked)];
