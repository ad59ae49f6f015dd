//! Traffic of the HyperLogLog commands; GET shows that the bytes are equal too.
//!
//! Called by `families`. Some keys get many elements, so that they turn dense.

use crate::families::{Row, line, one, with};
use crate::traffic::{Args, Step, Traffic};

fn key(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(2) {
        return t.any_key();
    }
    format!("pf{}", t.prng.below(6)).into_bytes()
}

fn keys(t: &mut Traffic, most: u64) -> Args {
    let count = 1 + t.prng.below(most);
    (0..count).map(|_| key(t)).collect()
}

fn add(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"PFADD".to_vec(), key(t)];
    let count = if t.prng.chance(6) { t.prng.below(1500) } else { t.prng.below(8) };
    for _ in 0..count {
        args.push(match t.prng.below(5) {
            0 => t.value(),
            1 => t.int(),
            _ => format!("e{}", t.prng.below(3000)).into_bytes(),
        });
    }
    one(args)
}

/// A few bytes of a sparse HyperLogLog overwritten, put back by the next DEL.
fn damage(t: &mut Traffic) -> Vec<Step> {
    let key = b"pfbad".to_vec();
    let end = t.prng.pick(&["\\x7f\\xff", "\\x7f\\xfe", "\\x7f", ""]);
    let end: Vec<u8> = match end {
        "" => Vec::new(),
        "\\x7f" => vec![0x7f],
        "\\x7f\\xfe" => vec![0x7f, 0xfe],
        _ => vec![0x7f, 0xff],
    };
    let head = [b"HYLL\x01\0\0\0".to_vec(), vec![0; 7], vec![0x80], end].concat();
    let command = match t.prng.below(3) {
        0 => vec![b"PFCOUNT".to_vec(), key.clone()],
        1 => vec![b"PFMERGE".to_vec(), b"pf0".to_vec(), key.clone()],
        _ => vec![b"PFDEBUG".to_vec(), b"TODENSE".to_vec(), key.clone()],
    };
    vec![
        Step::Command(vec![b"SET".to_vec(), key.clone(), head]),
        Step::Command(command),
        Step::Command(vec![b"DEL".to_vec(), key]),
    ]
}

/// The rows.
pub const HYPERLOGLOG: &[Row] = &[
    ("pfadd", 12, add),
    ("pfcount", 6, |t| {
        let keys = keys(t, 3);
        with("PFCOUNT", keys)
    }),
    ("pfmerge", 5, |t| {
        let keys = keys(t, 3);
        with("PFMERGE", keys)
    }),
    ("pfdebug", 2, |t| {
        line!("PFDEBUG", t.prng.pick(&["ENCODING", "DECODE", "TODENSE", "GETREG", "x"]), key(t))
    }),
    ("get", 4, |t| line!("GET", key(t))),
    ("object", 2, |t| line!("OBJECT", "ENCODING", key(t))),
    ("del", 1, |t| line!("DEL", key(t))),
    ("pfcount", 2, damage),
];
