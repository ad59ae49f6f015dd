//! Traffic of the list commands, and of the generic ones on lists.
//!
//! Called by `families`. Elements repeat, so that searches find something; some lists pass a chunk's limit, some elements are large.

use crate::families::{Row, line, one, with};
use crate::traffic::{Args, Step, Traffic, words};

/// A key that mostly holds a list.
pub fn key(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(3) { t.any_key() } else { format!("l{}", t.prng.below(6)).into_bytes() }
}

fn element(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(24) {
        0 => t.value(),
        1 => t.int(),
        2 => t.float(),
        3 => vec![b'B'; 8000 + t.prng.index(20_000)],
        4..10 => t.small(-3, 12),
        _ => format!("e{}", t.prng.below(9)).into_bytes(),
    }
}

fn push(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), key(t)];
    let count = if t.prng.chance(4) { 400 } else { 1 + t.prng.below(5) };
    for index in 0..count {
        args.push(if count > 100 { format!("many-elements-{index}").into_bytes() } else { element(t) });
    }
    one(args)
}

fn pop(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), key(t)];
    if t.prng.chance(40) {
        args.push(if t.prng.chance(10) { t.small(100, 900) } else { t.small(-1, 12) });
    }
    one(args)
}

fn end(t: &mut Traffic) -> Vec<u8> {
    t.prng.pick(&["LEFT", "RIGHT", "left", "Right"]).into()
}

fn lmpop(t: &mut Traffic) -> Vec<Step> {
    let count = 1 + t.prng.below(4);
    let mut args = vec![b"LMPOP".to_vec(), count.to_string().into_bytes()];
    (0..count).for_each(|_| args.push(key(t)));
    args.push(end(t));
    if t.prng.chance(50) {
        args.extend([b"COUNT".to_vec(), t.small(0, 20)]);
    }
    one(args)
}

fn lpos(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"LPOS".to_vec(), key(t), element(t)];
    if t.prng.chance(40) {
        args.extend([b"RANK".to_vec(), t.small(-4, 4)]);
    }
    if t.prng.chance(40) {
        args.extend([b"count".to_vec(), t.small(-1, 5)]);
    }
    if t.prng.chance(30) {
        args.extend([b"MAXLEN".to_vec(), t.small(-1, 40)]);
    }
    one(args)
}

/// Positions near either end of short and long lists.
fn position(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(80) { t.small(-8, 8) } else { t.small(-600, 600) }
}

fn range(t: &mut Traffic, name: &str) -> Vec<Step> {
    if name == "LTRIM" && t.prng.chance(70) {
        return line!(name, key(t), t.small(0, 2), t.small(-4, -1));
    }
    line!(name, key(t), position(t), position(t))
}

/// Elements are few and named after keys of other types, so that patterns find something.
fn sortable_key(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(30) {
        0 => t.any_key(),
        1..4 => format!("set{}", t.prng.below(5)).into_bytes(),
        4..7 => format!("{{is}}{}", t.prng.below(5)).into_bytes(),
        7..10 => format!("z{}", t.prng.below(6)).into_bytes(),
        10..16 => key(t),
        _ => format!("sortme{}", t.prng.below(3)).into_bytes(),
    }
}

fn pattern(t: &mut Traffic) -> Vec<u8> {
    t.prng
        .pick(&[
            "w_*",
            "w_*",
            "s*",
            "{n}*",
            "h*->f1",
            "h*->f2",
            "h*->count",
            "#",
            "fixed",
            "*",
            "w_*->f",
            "h*->",
        ])
        .into()
}

/// Ties of an unordered collection come in the order of redis' own table: those are sorted by what cannot tie.
fn sort(t: &mut Traffic, name: &str) -> Vec<Step> {
    let key = sortable_key(t);
    let is_ordered = key.starts_with(b"sortme") || key.starts_with(b"l");
    let mut args = vec![name.into(), key];
    if t.prng.chance(60) {
        args.push(b"ALPHA".to_vec());
    }
    if is_ordered && t.prng.chance(50) {
        args.extend([b"BY".to_vec(), pattern(t)]);
    }
    if t.prng.chance(40) {
        args.extend([b"LIMIT".to_vec(), t.small(-1, 5), t.small(-1, 12)]);
    }
    if t.prng.chance(40) {
        args.extend(words(t.prng.pick(&["DESC", "desc", "ASC"])));
    }
    for _ in 0..t.prng.below(4) {
        args.extend([b"GET".to_vec(), pattern(t)]);
    }
    if name == "SORT" && t.prng.chance(30) {
        args.push(b"STORE".to_vec());
        args.push(if t.prng.chance(50) {
            format!("stored{}", t.prng.below(3)).into_bytes()
        } else {
            self::key(t)
        });
    }
    one(args)
}

/// Elements and weights for SORT.
fn feed_sort(t: &mut Traffic) -> Vec<Step> {
    let element = |t: &mut Traffic| match t.prng.below(12) {
        0 => t.value(),
        1 => t.float(),
        _ => t.small(0, 15),
    };
    match t.prng.below(4) {
        0 | 1 => line!("SET", format!("w_{}", t.prng.below(16)), t.small(0, 6)),
        2 => line!("SET", format!("w_{}", t.prng.below(16)), t.value()),
        _ if t.prng.chance(10) => line!("LTRIM", format!("sortme{}", t.prng.below(3)), "0", "9"),
        _ => {
            let count = if t.prng.chance(4) { 60 } else { 1 + t.prng.below(4) };
            let mut args = vec![b"RPUSH".to_vec(), format!("sortme{}", t.prng.below(3)).into_bytes()];
            (0..count).for_each(|_| args.push(element(t)));
            one(args)
        }
    }
}

fn words_then(t: &mut Traffic, text: &str) -> Args {
    let mut args = words(text);
    args.push(key(t));
    args
}

/// The list commands, and SORT over everything that can be sorted.
pub const LIST: &[Row] = &[
    ("lpush", 12, |t| push(t, "LPUSH")),
    ("rpush", 16, |t| push(t, "RPUSH")),
    ("lpushx", 3, |t| push(t, "LPUSHX")),
    ("rpushx", 3, |t| push(t, "RPUSHX")),
    ("lpop", 6, |t| pop(t, "LPOP")),
    ("rpop", 6, |t| pop(t, "RPOP")),
    ("lmpop", 4, lmpop),
    ("llen", 4, |t| line!("LLEN", key(t))),
    ("lrange", 10, |t| range(t, "LRANGE")),
    ("lindex", 8, |t| line!("LINDEX", key(t), position(t))),
    ("lset", 8, |t| line!("LSET", key(t), position(t), element(t))),
    ("linsert", 10, |t| {
        line!("LINSERT", key(t), t.prng.pick(&["BEFORE", "AFTER", "after"]), element(t), element(t))
    }),
    ("lrem", 6, |t| line!("LREM", key(t), t.small(-3, 3), element(t))),
    ("ltrim", 3, |t| range(t, "LTRIM")),
    ("lpos", 6, lpos),
    ("lmove", 6, |t| line!("LMOVE", key(t), key(t), end(t), end(t))),
    ("rpoplpush", 4, |t| line!("RPOPLPUSH", key(t), key(t))),
    ("sort", 10, |t| sort(t, "SORT")),
    ("sort_ro", 4, |t| sort(t, "SORT_RO")),
    ("rpush", 12, feed_sort),
    ("del", 1, |t| with("DEL", vec![key(t)])),
    ("copy", 1, |t| line!("COPY", key(t), key(t), "REPLACE")),
    ("rename", 1, |t| line!("RENAME", key(t), key(t))),
    ("object", 2, |t| one(words_then(t, "OBJECT ENCODING"))),
    ("debug", 2, |t| one(words_then(t, "DEBUG DIGEST-VALUE"))),
];
