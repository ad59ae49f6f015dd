//! Strings of a data set: empty, numbers, around every length that the file format treats apart, sparse, huge; bitmaps, HyperLogLogs.

use super::{Maker, text};

/// Lengths at and around: short strings in memory (44), what is too short to compress (20), lengths of 6 and of 14 bits.
const EDGES: [usize; 14] = [1, 4, 5, 20, 21, 43, 44, 45, 63, 64, 16_383, 16_384, 16_385, 70_000];

/// A string.
pub fn string(maker: &mut Maker, key: &[u8]) {
    let value = match maker.prng.below(20) {
        0 => Vec::new(),
        1..7 => maker.integer(),
        7 if maker.bulk_left > (3 << 20) && maker.prng.chance(30) => {
            let length = (1 << 20) + maker.prng.index(2 << 20);
            maker.bulk_left -= length;
            maker.content(length)
        }
        8..14 => {
            let length = maker.prng.pick(&EDGES);
            maker.content(length)
        }
        _ => {
            let length = maker.prng.index(200);
            maker.content(length)
        }
    };
    maker.on("SET", key, vec![value]);
    match maker.prng.below(12) {
        0 => {
            let more = maker.element();
            maker.on("APPEND", key, vec![more]);
        }
        1 => {
            let offset = maker.prng.below(3000);
            let piece = maker.element();
            maker.on("SETRANGE", key, vec![text(offset), piece]);
        }
        2 => {
            // A number that became a string and back.
            maker.on("SET", key, vec![text(7)]);
            maker.on("APPEND", key, vec![text(1)]);
            maker.on("INCRBY", key, vec![text(5)]);
        }
        3 => {
            maker.on("SET", key, vec![b"10.5".to_vec()]);
            maker.on("INCRBYFLOAT", key, vec![b"0.1".to_vec()]);
        }
        _ => {}
    }
}

/// A string made by bits.
pub fn bitmap(maker: &mut Maker, key: &[u8]) {
    for _ in 0..1 + maker.prng.below(20) {
        let most = maker.prng.pick(&[8, 400, 200_000]);
        let bit = maker.prng.below(most);
        maker.on("SETBIT", key, vec![text(bit), b"1".to_vec()]);
    }
}

/// Sparse, or dense after thousands of elements.
pub fn hyperloglog(maker: &mut Maker, key: &[u8]) {
    let count = maker.count();
    for start in (0..count).step_by(100) {
        let elements = (start..count.min(start + 100)).map(|_| text(maker.prng.next())).collect();
        maker.on("PFADD", key, elements);
    }
    if maker.prng.chance(50) {
        // Counting stores the result in the value's header.
        maker.on("PFCOUNT", key, Vec::new());
    }
}
