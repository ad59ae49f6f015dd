//! Lists, sets, hashes and sorted sets of a data set. Some grow over a limit of an encoding and shrink under it again.

use super::{Args, Maker, text};

/// Elements per command.
const CHUNK: usize = 100;

/// Whether a collection that has been built is to shrink to a few elements.
fn shrinks(maker: &mut Maker, count: usize) -> bool {
    count > 20 && maker.prng.chance(30)
}

/// Sends `count` elements made by `make`, some per command.
fn fill(maker: &mut Maker, name: &str, key: &[u8], count: usize, make: fn(&mut Maker, usize) -> Args) {
    for start in (0..count).step_by(CHUNK) {
        let elements = (start..count.min(start + CHUNK)).flat_map(|number| make(maker, number)).collect();
        maker.on(name, key, elements);
    }
}

/// A list, by pushes at both ends and changes within.
pub fn list(maker: &mut Maker, key: &[u8]) {
    let count = maker.count();
    let name = maker.prng.pick(&["RPUSH", "LPUSH"]);
    fill(maker, name, key, count, |maker, _| vec![maker.element()]);
    if maker.prng.chance(30) {
        let big = maker.prng.pick(&[4000, 9000, 70_000]);
        let value = maker.content(big);
        let name = maker.prng.pick(&["RPUSH", "LPUSH"]);
        maker.on(name, key, vec![value]);
        maker.on("RPUSH", key, vec![b"behind".to_vec()]);
    }
    for _ in 0..maker.prng.below(4) {
        let value = maker.element();
        match maker.prng.below(3) {
            0 => maker.on("LSET", key, vec![b"0".to_vec(), value]),
            1 => {
                maker.on("RPUSH", key, vec![b"pivot".to_vec()]);
                maker.on("LINSERT", key, vec![b"BEFORE".to_vec(), b"pivot".to_vec(), value]);
            }
            _ => {
                maker.on("RPUSH", key, vec![b"gone".to_vec()]);
                maker.on("LREM", key, vec![b"-1".to_vec(), b"gone".to_vec()]);
            }
        }
    }
    if shrinks(maker, count) {
        maker.on("LTRIM", key, vec![b"2".to_vec(), b"5".to_vec()]);
    }
}

/// Integers of 16, 32 or 64 bits, or anything.
pub fn set(maker: &mut Maker, key: &[u8]) {
    let count = maker.count();
    match maker.prng.below(5) {
        0 => fill(maker, "SADD", key, count, |maker, _| vec![text(maker.prng.below(30_000))]),
        1 => fill(maker, "SADD", key, count, |maker, _| vec![text(maker.prng.below(1 << 31))]),
        2 => fill(maker, "SADD", key, count, |maker, number| {
            vec![(maker.prng.next() as i64).to_string().into_bytes(), text(number as u64)]
        }),
        _ => fill(maker, "SADD", key, count, |maker, _| vec![maker.element()]),
    }
    if maker.prng.chance(20) {
        // An intset that got a word and lost it: a table from then on.
        maker.on("SADD", key, vec![b"word".to_vec(), b"1".to_vec()]);
        maker.on("SREM", key, vec![b"word".to_vec()]);
    }
}

/// Fields and values of all sizes.
pub fn hash(maker: &mut Maker, key: &[u8]) {
    let count = maker.count();
    let make = |maker: &mut Maker, number: usize| {
        let field = if maker.prng.chance(10) { maker.element() } else { format!("f{number}").into_bytes() };
        vec![field, maker.element()]
    };
    fill(maker, "HSET", key, count, make);
    if maker.prng.chance(20) {
        maker.on("HINCRBYFLOAT", key, vec![b"float".to_vec(), b"3.25".to_vec()]);
    }
    if shrinks(maker, count) {
        maker.on("HSET", key, vec![b"stays".to_vec(), b"1".to_vec()]);
        let fields = (0..count).map(|number| format!("f{number}").into_bytes()).collect();
        maker.on("HDEL", key, fields);
    }
}

/// Scores of every kind, ties among them; no -0, which redis-server itself makes 0 when a table becomes a listpack.
pub fn zset(maker: &mut Maker, key: &[u8]) {
    const SCORES: [&str; 13] = [
        "0",
        "1",
        "-1",
        "inf",
        "-inf",
        "1.5",
        "0.1",
        "3.141592653589793",
        "1e300",
        "-1e-300",
        "9007199254740993",
        "17179869184",
        "5e-324",
    ];
    let count = maker.count();
    let make = |maker: &mut Maker, number: usize| {
        let score = match maker.prng.below(4) {
            0 => maker.prng.pick(&SCORES).into(),
            1 => format!("{}.{}", maker.prng.range(-1000, 1000), maker.prng.below(100_000)).into_bytes(),
            _ => text(maker.prng.below(50)),
        };
        let member = if maker.prng.chance(10) { maker.element() } else { format!("m{number}").into_bytes() };
        vec![score, member]
    };
    fill(maker, "ZADD", key, count, make);
    if maker.prng.chance(20) {
        maker.on("ZINCRBY", key, vec![b"0.3".to_vec(), b"stepped".to_vec()]);
    }
    if shrinks(maker, count) {
        maker.on("ZADD", key, vec![b"7".to_vec(), b"stays".to_vec()]);
        let members = (0..count).map(|number| format!("m{number}").into_bytes()).collect();
        maker.on("ZREM", key, members);
    }
}
