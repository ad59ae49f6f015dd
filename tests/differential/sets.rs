//! Traffic of the set commands, and of the generic ones on sets.
//!
//! Called by `families`. Members are mostly small numbers or short words, so that sets meet; some sets pass the limits of their encodings.

use crate::families::{Row, line, one, with};
use crate::traffic::{Args, Step, Traffic, words};

/// A key that mostly holds a set; every second universe holds integers only.
fn key(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(3) {
        return t.any_key();
    }
    format!("{}{}", t.prng.pick(&["set", "{is}"]), t.prng.below(5)).into_bytes()
}

fn keys(t: &mut Traffic, most: u64) -> Args {
    let count = 1 + t.prng.below(most);
    (0..count).map(|_| key(t)).collect()
}

fn member(t: &mut Traffic, key: &[u8]) -> Vec<u8> {
    if key.starts_with(b"{is}") && !t.prng.chance(2) {
        return match t.prng.below(30) {
            0 => t.int(),
            1 => t.small(-70_000, 70_000),
            _ => t.small(-20, 60),
        };
    }
    match t.prng.below(12) {
        0 => t.value(),
        1 => t.int(),
        2..4 => t.small(0, 9),
        _ => format!("m{}", t.prng.below(25)).into_bytes(),
    }
}

fn on_members(t: &mut Traffic, name: &str, most: u64) -> Vec<Step> {
    let key = key(t);
    let mut args = vec![name.into(), key.clone()];
    if name == "SADD" && t.prng.chance(3) {
        let first = t.prng.below(500);
        let many = if key.starts_with(b"{is}") { 600 } else { 150 };
        args.extend((first..first + many).map(|number| number.to_string().into_bytes()));
        return one(args);
    }
    for _ in 0..1 + t.prng.below(most) {
        let member = member(t, &key);
        args.push(member);
    }
    one(args)
}

fn algebra(t: &mut Traffic, name: &str) -> Vec<Step> {
    let rest = keys(t, 4);
    with(name, rest)
}

fn store(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut rest = vec![key(t)];
    rest.extend(keys(t, 3));
    with(name, rest)
}

fn intercard(t: &mut Traffic) -> Vec<Step> {
    let keys = keys(t, 3);
    let mut args = vec![b"SINTERCARD".to_vec(), keys.len().to_string().into_bytes()];
    args.extend(keys);
    if t.prng.chance(40) {
        args.extend([b"LIMIT".to_vec(), t.small(-1, 6)]);
    }
    one(args)
}

fn scan(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"SSCAN".to_vec(), key(t), b"0".to_vec()];
    if t.prng.chance(40) {
        args.extend([b"MATCH".to_vec(), t.prng.pick(&["m*", "1?", "*1"]).into()]);
    }
    if t.prng.chance(40) {
        args.extend([b"COUNT".to_vec(), t.small(1, 200)]);
    }
    if t.prng.chance(80) { vec![Step::ScanAll(args, 2)] } else { one(args) }
}

fn draw(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"SRANDMEMBER".to_vec(), key(t)];
    if t.prng.chance(80) {
        args.push(t.small(-15, 20));
    }
    one(args)
}

/// SPOP where the outcome is certain: all members, none, or a wrong count.
fn pop(t: &mut Traffic) -> Vec<Step> {
    let count = t.prng.pick(&["1000000", "1000000", "0", "-1", "abc"]);
    line!("SPOP", key(t), count)
}

fn move_one(t: &mut Traffic) -> Vec<Step> {
    let (from, to) = (key(t), key(t));
    let member = member(t, &from);
    line!("SMOVE", from, to, member)
}

/// Commands that are not of sets, on sets.
fn foreign(t: &mut Traffic) -> Vec<Step> {
    let key = key(t);
    match t.prng.below(12) {
        0..4 => line!("OBJECT", "ENCODING", key),
        4 => line!("TYPE", key),
        5 => line!("GET", key),
        6 => line!("HGET", key, "f1"),
        7 => line!("APPEND", key, "x"),
        8 => line!("EXISTS", key),
        9 => line!("DEBUG", "DIGEST-VALUE", key),
        _ => with("MGET", vec![key]),
    }
}

fn between(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), key(t), key(t)];
    if name == "COPY" {
        args.extend(words("REPLACE"));
    }
    one(args)
}

/// The rows.
pub const SET: &[Row] = &[
    ("sadd", 26, |t| on_members(t, "SADD", 6)),
    ("srem", 10, |t| on_members(t, "SREM", 3)),
    ("sismember", 6, |t| on_members(t, "SISMEMBER", 1)),
    ("smismember", 5, |t| on_members(t, "SMISMEMBER", 4)),
    ("scard", 5, |t| line!("SCARD", key(t))),
    ("smembers", 8, |t| line!("SMEMBERS", key(t))),
    ("smove", 8, move_one),
    ("spop", 2, pop),
    ("srandmember", 5, draw),
    ("sinter", 6, |t| algebra(t, "SINTER")),
    ("sunion", 5, |t| algebra(t, "SUNION")),
    ("sdiff", 6, |t| algebra(t, "SDIFF")),
    ("sintercard", 6, intercard),
    ("sinterstore", 5, |t| store(t, "SINTERSTORE")),
    ("sunionstore", 4, |t| store(t, "SUNIONSTORE")),
    ("sdiffstore", 5, |t| store(t, "SDIFFSTORE")),
    ("sscan", 4, scan),
    ("object", 6, foreign),
    ("del", 1, |t| line!("DEL", key(t))),
    ("copy", 2, |t| between(t, "COPY")),
    ("rename", 2, |t| between(t, "RENAME")),
    ("expire", 2, |t| line!("EXPIRE", key(t), t.small(1_000_000, 2_000_000))),
];
