//! Hash slots: which of the 16384 slots a key belongs to.
//!
//! Called by the router, the keyspace and the cluster code for every key; calls the `crc16` crate once, at first use,
//! to fill the tables. Invariant: `key_slot` equals CRC16/XMODEM of the key (or of its `{tag}`) modulo 16384, as the
//! cluster specification says. Bounds: none on the key's length; 4 KB of tables.
//!
//! Why not `crc16::State::calculate` itself: it goes byte by byte and every step waits for the one before. With eight
//! tables eight bytes are looked up independently. XMODEM starts from zero and leading zero bytes do not change such a
//! sum, so the odd bytes are taken first, as a block padded with zeros on the left, and no slow tail is left over.
use std::sync::LazyLock;

/// Number of hash slots of a keyspace.
pub const SLOT_COUNT: usize = 16384;

/// `TABLES[k][b]` is the sum of byte `b` followed by `k` zero bytes.
static TABLES: LazyLock<Box<[[u16; 256]; 8]>> = LazyLock::new(build_tables);

fn build_tables() -> Box<[[u16; 256]; 8]> {
    let mut tables = Box::new([[0u16; 256]; 8]);
    for (zeros, table) in tables.iter_mut().enumerate() {
        for (byte, sum) in table.iter_mut().enumerate() {
            let mut message = [0u8; 8];
            message[0] = byte as u8;
            *sum = crc16::State::<crc16::XMODEM>::calculate(&message[..=zeros]);
        }
    }
    tables
}

/// Sum of the eight bytes of `block` (first byte in the high bits) after a message whose sum is `crc`.
#[inline(always)]
fn step(tables: &[[u16; 256]; 8], crc: u16, block: u64) -> u16 {
    let block = block ^ (u64::from(crc) << 48);
    let mut sum = 0;
    for (zeros, table) in tables.iter().enumerate() {
        sum ^= table[usize::from((block >> (8 * zeros)) as u8)];
    }
    sum
}

/// CRC16/XMODEM of `data`.
#[inline]
pub fn crc16(data: &[u8]) -> u16 {
    let tables: &[[u16; 256]; 8] = &TABLES;
    let odd = data.len() % 8;
    let (head, blocks) = data.split_at(odd);
    let mut first = 0u64;
    if odd != 0 {
        if let Some(word) = data.first_chunk::<8>() {
            first = u64::from_be_bytes(*word) >> (64 - 8 * odd);
        } else {
            for &byte in head {
                first = first << 8 | u64::from(byte);
            }
        }
    }
    let mut crc = if odd != 0 { step(tables, 0, first) } else { 0 };
    let (words, _) = blocks.as_chunks::<8>();
    for word in words {
        crc = step(tables, crc, u64::from_be_bytes(*word));
    }
    crc
}

/// The part of `key` that decides its slot: what stands between the first `{` and the next `}` if that is not empty,
/// else the whole key.
#[inline]
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = find(b'{', key) else { return key };
    let rest = &key[open + 1..];
    match find(b'}', rest) {
        Some(close) if close > 0 => &rest[..close],
        _ => key,
    }
}

/// A search that is inlined for short keys, where a call of memchr costs more than the search.
#[inline(always)]
fn find(needle: u8, hay: &[u8]) -> Option<usize> {
    if hay.len() > 64 {
        return memchr::memchr(needle, hay);
    }
    let lanes = u64::from(needle) * 0x0101_0101_0101_0101;
    let (words, tail) = hay.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let diff = u64::from_le_bytes(*word) ^ lanes;
        let hit = diff.wrapping_sub(0x0101_0101_0101_0101) & !diff & 0x8080_8080_8080_8080;
        if hit != 0 {
            return Some(index * 8 + hit.trailing_zeros() as usize / 8);
        }
    }
    tail.iter().position(|&byte| byte == needle).map(|at| words.len() * 8 + at)
}

/// The hash slot of `key`, 0..16384.
#[inline]
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) & (SLOT_COUNT as u16 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn sums_equal_the_crate_for_every_length() {
        let mut prng = Prng::new(7);
        for len in 0..300 {
            for _ in 0..20 {
                let mut data = vec![0u8; len];
                prng.fill(&mut data);
                assert_eq!(crc16(&data), crc16::State::<crc16::XMODEM>::calculate(&data), "{data:?}");
            }
        }
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn tags_follow_the_specification() {
        assert_eq!(hash_tag(b"{user1000}.following"), b"user1000");
        assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(hash_tag(b"foo{bar}{zap}"), b"bar");
        assert_eq!(hash_tag(b"foo{bar"), b"foo{bar");
        assert_eq!(hash_tag(b"foo}bar{"), b"foo}bar{");
        assert_eq!(hash_tag(b""), b"");
        assert_eq!(key_slot(b"foo"), 12182);
        assert_eq!(key_slot(b"{foo}1"), key_slot(b"foo"));
        let long = [b"x".repeat(100), b"{foo}".to_vec(), b"y".repeat(100)].concat();
        assert_eq!(key_slot(&long), 12182);
    }

    #[test]
    fn find_agrees_with_memchr() {
        let mut prng = Prng::new(11);
        for _ in 0..20_000 {
            let mut data = vec![0u8; prng.below(80) as usize];
            data.iter_mut().for_each(|byte| *byte = b"{}a|\x7b\xfb\x7a\x7c"[prng.below(8) as usize]);
            assert_eq!(find(b'{', &data), memchr::memchr(b'{', &data));
        }
    }
}
