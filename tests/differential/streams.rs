//! Traffic of the stream commands, and of the generic ones on streams.
//!
//! Called by `families`. IDs are few, so that commands meet: entries are added as `3-*` (mostly) and named as `3-n`. No `*`: the two servers' clocks differ.
//! Minimum idle times are 0 or hours, never what the run could reach.

use crate::families::{Row, line, one};
use crate::traffic::{Args, Step, Traffic};

/// A key that mostly holds a stream.
pub fn key(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(3) { t.any_key() } else { format!("x{}", t.prng.below(4)).into_bytes() }
}

fn group(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(3) { b"nogroup".to_vec() } else { format!("g{}", t.prng.below(2)).into_bytes() }
}

fn consumer(t: &mut Traffic) -> Vec<u8> {
    t.prng.pick(&["alice", "bob", "carol"]).into()
}

/// An ID that may be there.
fn id(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(30) {
        0 => t.garbage(),
        1 => b"0".to_vec(),
        2..5 => format!("{}-{}", t.prng.below(3), t.prng.below(3)).into_bytes(),
        5 => b"3".to_vec(),
        _ => format!("3-{}", t.prng.below(50)).into_bytes(),
    }
}

fn bound(t: &mut Traffic, open: &str) -> Vec<u8> {
    match t.prng.below(10) {
        0..5 => open.into(),
        5 => [b"(".to_vec(), id(t)].concat(),
        _ => id(t),
    }
}

fn add_id(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(40) {
        0..30 => b"3-*".to_vec(),
        30..36 => format!("{}-*", t.prng.below(4)).into_bytes(),
        36 => b"0-0".to_vec(),
        _ => format!("3-{}", t.prng.below(80)).into_bytes(),
    }
}

fn trim(t: &mut Traffic) -> Args {
    let by_length = t.prng.chance(60);
    let mut args =
        vec![t.prng.pick(if by_length { &["MAXLEN", "maxlen"] } else { &["MINID", "minid"] }).into()];
    let sign: &str = t.prng.pick(&["", "", "=", "~"]);
    if !sign.is_empty() {
        args.push(sign.into());
    }
    args.push(if by_length { t.small(0, 40) } else { id(t) });
    if t.prng.chance(if sign == "~" { 40 } else { 3 }) {
        args.extend([b"LIMIT".to_vec(), t.small(0, 30)]);
    }
    args
}

fn xadd(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"XADD".to_vec(), key(t)];
    if t.prng.chance(6) {
        args.push(b"NOMKSTREAM".to_vec());
    }
    if t.prng.chance(20) {
        args.extend(trim(t));
    }
    args.push(add_id(t));
    for index in 0..1 + t.prng.below(3) {
        args.push(if t.prng.chance(80) { format!("f{index}").into() } else { t.field() });
        args.push(t.value());
    }
    one(args)
}

/// Several entries at once, so that streams have several nodes.
fn fill(t: &mut Traffic) -> Vec<Step> {
    let key = key(t);
    let add = |_| Step::Command(vec!["XADD".into(), key.clone(), "3-*".into(), "f".into(), "v".into()]);
    (0..30).map(add).collect()
}

fn count(t: &mut Traffic, percent: u64, args: &mut Args) {
    if t.prng.chance(percent) {
        args.extend([b"COUNT".to_vec(), t.small(-1, 12)]);
    }
}

fn xrange(t: &mut Traffic, name: &str) -> Vec<Step> {
    let (low, high) = (bound(t, "-"), bound(t, "+"));
    let (first, second) = if name == "XRANGE" { (low, high) } else { (high, low) };
    let mut args = vec![name.into(), key(t), first, second];
    count(t, 50, &mut args);
    one(args)
}

fn xread(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"XREAD".to_vec()];
    count(t, 60, &mut args);
    args.push(b"STREAMS".to_vec());
    let streams = 1 + t.prng.below(3);
    (0..streams).for_each(|_| args.push(key(t)));
    (0..streams).for_each(|_| args.push(if t.prng.chance(10) { b"$".to_vec() } else { id(t) }));
    one(args)
}

fn xreadgroup(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"XREADGROUP".to_vec(), b"GROUP".to_vec(), group(t), consumer(t)];
    count(t, 75, &mut args);
    if t.prng.chance(15) {
        args.push(b"NOACK".to_vec());
    }
    args.push(b"STREAMS".to_vec());
    let streams = 1 + t.prng.below(2);
    (0..streams).for_each(|_| args.push(key(t)));
    (0..streams).for_each(|_| args.push(if t.prng.chance(75) { b">".to_vec() } else { id(t) }));
    one(args)
}

fn create_group(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"XGROUP".to_vec(), b"CREATE".to_vec(), key(t), group(t)];
    args.push(if t.prng.chance(20) { b"$".to_vec() } else { b"0".to_vec() });
    if t.prng.chance(70) {
        args.push(b"MKSTREAM".to_vec());
    }
    if t.prng.chance(15) {
        args.extend([b"ENTRIESREAD".to_vec(), t.small(-1, 40)]);
    }
    one(args)
}

fn xgroup(t: &mut Traffic) -> Vec<Step> {
    match t.prng.below(10) {
        0..4 => create_group(t),
        4..6 => {
            let mut args = vec![b"XGROUP".to_vec(), b"SETID".to_vec(), key(t), group(t)];
            args.push(if t.prng.chance(20) { b"$".to_vec() } else { id(t) });
            if t.prng.chance(30) {
                args.extend([b"ENTRIESREAD".to_vec(), t.small(-2, 60)]);
            }
            one(args)
        }
        6 => line!("XGROUP", "DESTROY", key(t), group(t)),
        7..9 => line!("XGROUP", "CREATECONSUMER", key(t), group(t), consumer(t)),
        _ => line!("XGROUP", "DELCONSUMER", key(t), group(t), consumer(t)),
    }
}

fn ids(t: &mut Traffic, most: u64) -> Args {
    (0..1 + t.prng.below(most)).map(|_| id(t)).collect()
}

fn xpending(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"XPENDING".to_vec(), key(t), group(t)];
    if t.prng.chance(60) {
        if t.prng.chance(25) {
            args.extend([b"IDLE".to_vec(), t.prng.pick(&["0", "10000000"]).into()]);
        }
        args.extend([bound(t, "-"), bound(t, "+"), t.small(0, 15)]);
        if t.prng.chance(30) {
            args.push(consumer(t));
        }
    }
    one(args)
}

fn min_idle(t: &mut Traffic) -> Vec<u8> {
    t.prng.pick(&["0", "0", "0", "10000000"]).into()
}

fn xclaim(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"XCLAIM".to_vec(), key(t), group(t), consumer(t), min_idle(t)];
    args.extend(ids(t, 6));
    for option in ["IDLE", "TIME", "RETRYCOUNT", "FORCE", "JUSTID", "LASTID"] {
        if !t.prng.chance(15) {
            continue;
        }
        args.push(option.into());
        match option {
            "IDLE" => args.push(t.small(0, 5000)),
            "TIME" => args.push(t.small(1_600_000_000_000, 1_600_000_100_000)),
            "RETRYCOUNT" => args.push(t.small(-1, 9)),
            "LASTID" => args.push(id(t)),
            _ => {}
        }
    }
    one(args)
}

fn xautoclaim(t: &mut Traffic) -> Vec<Step> {
    let start = if t.prng.chance(70) { b"0".to_vec() } else { bound(t, "-") };
    let mut args = vec![b"XAUTOCLAIM".to_vec(), key(t), group(t), consumer(t), min_idle(t), start];
    if t.prng.chance(60) {
        args.extend([b"COUNT".to_vec(), t.small(0, 8)]);
    }
    if t.prng.chance(30) {
        args.push(b"JUSTID".to_vec());
    }
    one(args)
}

fn xinfo(t: &mut Traffic) -> Vec<Step> {
    match t.prng.below(5) {
        0 => line!("XINFO", "STREAM", key(t)),
        1..3 => {
            let mut args = vec![b"XINFO".to_vec(), b"STREAM".to_vec(), key(t), b"FULL".to_vec()];
            count(t, 50, &mut args);
            one(args)
        }
        3 => line!("XINFO", "GROUPS", key(t)),
        _ => line!("XINFO", "CONSUMERS", key(t), group(t)),
    }
}

fn xsetid(t: &mut Traffic) -> Vec<Step> {
    let id = format!("3-{}", 30 + t.prng.below(60)).into_bytes();
    let mut args = vec![b"XSETID".to_vec(), key(t), id];
    if t.prng.chance(40) {
        args.extend([b"ENTRIESADDED".to_vec(), t.small(-1, 300)]);
        args.extend([b"MAXDELETEDID".to_vec(), self::id(t)]);
    }
    one(args)
}

/// Commands on a whole key, aimed at streams.
fn whole(t: &mut Traffic) -> Vec<Step> {
    match t.prng.below(5) {
        0 => line!("DEL", key(t)),
        1 => line!("COPY", key(t), key(t), "REPLACE"),
        2 => line!("RENAME", key(t), key(t)),
        3 => line!("TYPE", key(t)),
        _ => line!("OBJECT", "ENCODING", key(t)),
    }
}

/// The rows of streams.
pub const STREAM: &[Row] = &[
    ("xadd", 34, xadd),
    ("xadd", 1, fill),
    ("xlen", 3, |t| line!("XLEN", key(t))),
    ("xrange", 8, |t| xrange(t, "XRANGE")),
    ("xrevrange", 6, |t| xrange(t, "XREVRANGE")),
    ("xdel", 6, |t| {
        let mut args = vec![b"XDEL".to_vec(), key(t)];
        args.extend(ids(t, 4));
        one(args)
    }),
    ("xtrim", 4, |t| {
        let mut args = vec![b"XTRIM".to_vec(), key(t)];
        args.extend(trim(t));
        one(args)
    }),
    ("xread", 6, xread),
    ("xreadgroup", 16, xreadgroup),
    ("xgroup", 10, xgroup),
    ("xgroup", 6, create_group),
    ("xack", 6, |t| {
        let mut args = vec![b"XACK".to_vec(), key(t), group(t)];
        args.extend(ids(t, 5));
        one(args)
    }),
    ("xpending", 8, xpending),
    ("xclaim", 6, xclaim),
    ("xautoclaim", 6, xautoclaim),
    ("xinfo", 10, xinfo),
    ("xsetid", 2, xsetid),
    ("restore", 1, |t| vec![Step::Restore { from: key(t), to: key(t) }]),
    ("type", 2, whole),
];
