//! Traffic of the sorted set commands, and of the generic ones on sorted sets.
//!
//! Called by `families`. Some sets pass the limits of the listpack. Ranges by text go to keys of their own (`zl`), whose members all have score 0
//! as the commands demand; on other keys redis' answer depends on the dice of its skip list.

use crate::families::{Row, line, one, with};
use crate::traffic::{Args, Step, Traffic, words};

/// A key that mostly holds a sorted set.
pub fn key(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(3) { t.any_key() } else { format!("z{}", t.prng.below(6)).into_bytes() }
}

/// A key whose members all have the same score.
fn lex_key(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(3) { t.string_key() } else { format!("zl{}", t.prng.below(3)).into_bytes() }
}

fn keys(t: &mut Traffic, most: u64) -> Args {
    let count = 1 + t.prng.below(most);
    (0..count)
        .map(|_| match t.prng.below(12) {
            0 | 1 => format!("set{}", t.prng.below(5)).into(),
            2 => b"zl0".to_vec(),
            _ => key(t),
        })
        .collect()
}

fn member(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(16) {
        0 => t.value(),
        1 => t.int(),
        2..4 => t.small(0, 9),
        _ => format!("m{}", t.prng.below(25)).into_bytes(),
    }
}

fn score(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(20) {
        0 => t
            .prng
            .pick(&["inf", "-inf", "+inf", "1e300", "-1e-300", "0x1p3", "-0", "1e17", "12345678901234567890"])
            .into(),
        1..5 => t.float(),
        5 => t.int(),
        _ => t.small(-20, 60),
    }
}

fn bound(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(12) {
        0 => t.prng.pick(&["-inf", "+inf", "inf", "(inf", "(-inf", "", "(", " 5", "1e999", "5\0x"]).into(),
        1..4 => [b"(".to_vec(), score(t)].concat(),
        _ => score(t),
    }
}

fn lex_bound(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(10) {
        0..2 => b"-".to_vec(),
        2..4 => b"+".to_vec(),
        _ => [t.prng.pick(&["[", "("]).into(), lex_member(t)].concat(),
    }
}

fn lex_member(t: &mut Traffic) -> Vec<u8> {
    let length = t.prng.below(4);
    (0..length).map(|_| t.prng.pick(b"abcd")).collect()
}

fn zadd(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"ZADD".to_vec(), key(t)];
    let mut incr = false;
    if t.prng.chance(35) {
        for _ in 0..1 + t.prng.below(2) {
            let option = t.prng.pick(&["NX", "XX", "GT", "LT", "CH", "ch", "INCR"]);
            incr |= option == "INCR";
            args.push(option.into());
        }
    }
    let many = t.prng.chance(4) && !incr;
    let pairs = if many {
        140
    } else if incr && t.prng.chance(90) {
        1
    } else {
        1 + t.prng.below(5)
    };
    for index in 0..pairs {
        args.push(score(t));
        args.push(if many { format!("many{index}").into_bytes() } else { member(t) });
    }
    one(args)
}

/// Members of score 0; two commands, which are never spoilt.
fn zadd_lex(t: &mut Traffic) -> Vec<Step> {
    let key = format!("zl{}", t.prng.below(3)).into_bytes();
    let mut args = vec![b"ZADD".to_vec(), key.clone()];
    let many = t.prng.chance(4);
    for index in 0..if many { 140 } else { 1 + t.prng.below(5) } {
        args.push(b"0".to_vec());
        args.push(if many { format!("b{index}").into_bytes() } else { lex_member(t) });
    }
    vec![Step::Command(args), Step::Command(vec![b"ZCARD".to_vec(), key])]
}

fn on_members(t: &mut Traffic, name: &str, most: u64) -> Vec<Step> {
    let mut args = vec![name.into(), key(t)];
    for _ in 0..1 + t.prng.below(most) {
        args.push(member(t));
    }
    one(args)
}

fn with_limit(t: &mut Traffic, args: &mut Args) {
    if t.prng.chance(35) {
        args.extend([b"LIMIT".to_vec(), t.small(-1, 6), t.small(-2, 8)]);
    }
}

fn with_scores(t: &mut Traffic, args: &mut Args) {
    if t.prng.chance(45) {
        args.push(t.prng.pick(&["WITHSCORES", "withscores"]).into());
    }
}

/// The source, the bounds and the options of ZRANGE and ZRANGESTORE.
fn range_of(t: &mut Traffic, store: bool) -> Args {
    let mut args = Vec::new();
    match t.prng.below(4) {
        0 => {
            args.extend([lex_key(t), lex_bound(t), lex_bound(t), b"BYLEX".to_vec()]);
            with_limit(t, &mut args);
        }
        1 | 2 => {
            args.extend([key(t), bound(t), bound(t), b"BYSCORE".to_vec()]);
            with_limit(t, &mut args);
            if !store {
                with_scores(t, &mut args);
            }
        }
        _ => {
            args.extend([key(t), t.small(-30, 30), t.small(-30, 60)]);
            if !store {
                with_scores(t, &mut args);
            }
        }
    }
    if t.prng.chance(35) {
        args.push(b"REV".to_vec());
    }
    args
}

fn zrange(t: &mut Traffic) -> Vec<Step> {
    let rest = range_of(t, false);
    with("ZRANGE", rest)
}

fn zrangestore(t: &mut Traffic) -> Vec<Step> {
    let mut rest = vec![key(t)];
    rest.extend(range_of(t, true));
    with("ZRANGESTORE", rest)
}

fn by_score(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), key(t), bound(t), bound(t)];
    if !name.starts_with("ZREM") && name != "ZCOUNT" {
        with_scores(t, &mut args);
        with_limit(t, &mut args);
    }
    one(args)
}

fn by_lex(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), lex_key(t), lex_bound(t), lex_bound(t)];
    if name.contains("RANGEBYLEX") && !name.starts_with("ZREM") {
        with_limit(t, &mut args);
    }
    one(args)
}

fn by_rank(t: &mut Traffic, name: &str) -> Vec<Step> {
    let (first, last) = if name == "ZREVRANGE" {
        (t.small(-30, 30), t.small(-30, 60))
    } else {
        (t.small(-3, 9), t.small(-9, 9))
    };
    let mut args = vec![name.into(), key(t), first, last];
    if name == "ZREVRANGE" {
        with_scores(t, &mut args);
    }
    one(args)
}

fn pop(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), key(t)];
    if t.prng.chance(50) {
        args.push(t.small(-1, 5));
    }
    one(args)
}

fn zmpop(t: &mut Traffic) -> Vec<Step> {
    let keys: Args = (0..1 + t.prng.below(3)).map(|_| key(t)).collect();
    let mut args = vec![b"ZMPOP".to_vec(), keys.len().to_string().into_bytes()];
    args.extend(keys);
    args.push(t.prng.pick(&["MIN", "MAX", "min"]).into());
    if t.prng.chance(50) {
        args.extend([b"COUNT".to_vec(), t.small(0, 5)]);
    }
    one(args)
}

fn combine(t: &mut Traffic, name: &str) -> Vec<Step> {
    let store = name.ends_with("STORE");
    let keys = keys(t, 4);
    let mut args = vec![name.into()];
    if store {
        args.push(format!("z{}", t.prng.below(6)).into());
    }
    args.push(keys.len().to_string().into_bytes());
    let count = keys.len();
    args.extend(keys);
    if !name.starts_with("ZDIFF") && name != "ZINTERCARD" {
        if t.prng.chance(40) {
            args.push(b"WEIGHTS".to_vec());
            for _ in 0..count {
                args.push(t.prng.pick(&["1", "2", "0", "-1", "0.1", "1.7", "inf", "-inf", "1e-5"]).into());
            }
        }
        if t.prng.chance(40) {
            args.extend([b"AGGREGATE".to_vec(), t.prng.pick(&["SUM", "MIN", "MAX", "max"]).into()]);
        }
    }
    if name == "ZINTERCARD" && t.prng.chance(40) {
        args.extend([b"LIMIT".to_vec(), t.small(-1, 6)]);
    } else if !store && name != "ZINTERCARD" {
        with_scores(t, &mut args);
    }
    one(args)
}

fn scan(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"ZSCAN".to_vec(), key(t), b"0".to_vec()];
    if t.prng.chance(40) {
        args.extend([b"MATCH".to_vec(), t.prng.pick(&["m*", "many?", "*1"]).into()]);
    }
    if t.prng.chance(40) {
        args.extend([b"COUNT".to_vec(), t.small(1, 200)]);
    }
    if t.prng.chance(80) { vec![Step::ScanAll(args, 2)] } else { one(args) }
}

fn draw(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"ZRANDMEMBER".to_vec(), key(t)];
    if t.prng.chance(80) {
        args.push(t.small(-15, 20));
        with_scores(t, &mut args);
    }
    one(args)
}

/// Commands that are not of sorted sets, on sorted sets.
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
    let mut args = vec![name.into(), key(t), format!("z{}", t.prng.below(6)).into_bytes()];
    if name == "COPY" {
        args.extend(words("REPLACE"));
    }
    one(args)
}

/// The rows.
pub const ZSET: &[Row] = &[
    ("zadd", 30, zadd),
    ("zadd", 8, zadd_lex),
    ("zincrby", 8, |t| line!("ZINCRBY", key(t), score(t), member(t))),
    ("zrem", 8, |t| on_members(t, "ZREM", 3)),
    ("zcard", 4, |t| line!("ZCARD", key(t))),
    ("zscore", 6, |t| line!("ZSCORE", key(t), member(t))),
    ("zmscore", 5, |t| on_members(t, "ZMSCORE", 4)),
    ("zrank", 5, |t| line!("ZRANK", key(t), member(t))),
    ("zrevrank", 5, |t| line!("ZREVRANK", key(t), member(t))),
    ("zcount", 5, |t| by_score(t, "ZCOUNT")),
    ("zlexcount", 4, |t| by_lex(t, "ZLEXCOUNT")),
    ("zrange", 14, zrange),
    ("zrangestore", 6, zrangestore),
    ("zrevrange", 5, |t| by_rank(t, "ZREVRANGE")),
    ("zrangebyscore", 6, |t| by_score(t, "ZRANGEBYSCORE")),
    ("zrevrangebyscore", 6, |t| by_score(t, "ZREVRANGEBYSCORE")),
    ("zrangebylex", 5, |t| by_lex(t, "ZRANGEBYLEX")),
    ("zrevrangebylex", 5, |t| by_lex(t, "ZREVRANGEBYLEX")),
    ("zremrangebyrank", 2, |t| by_rank(t, "ZREMRANGEBYRANK")),
    ("zremrangebyscore", 2, |t| by_score(t, "ZREMRANGEBYSCORE")),
    ("zremrangebylex", 3, |t| by_lex(t, "ZREMRANGEBYLEX")),
    ("zpopmin", 5, |t| pop(t, "ZPOPMIN")),
    ("zpopmax", 5, |t| pop(t, "ZPOPMAX")),
    ("zmpop", 6, zmpop),
    ("zunion", 6, |t| combine(t, "ZUNION")),
    ("zinter", 6, |t| combine(t, "ZINTER")),
    ("zdiff", 6, |t| combine(t, "ZDIFF")),
    ("zunionstore", 5, |t| combine(t, "ZUNIONSTORE")),
    ("zinterstore", 5, |t| combine(t, "ZINTERSTORE")),
    ("zdiffstore", 5, |t| combine(t, "ZDIFFSTORE")),
    ("zintercard", 5, |t| combine(t, "ZINTERCARD")),
    ("zscan", 4, scan),
    ("zrandmember", 5, draw),
    ("object", 6, foreign),
    ("del", 1, |t| line!("DEL", key(t))),
    ("copy", 2, |t| between(t, "COPY")),
    ("rename", 2, |t| between(t, "RENAME")),
    ("expire", 2, |t| line!("EXPIRE", key(t), t.small(1_000_000, 2_000_000))),
];
