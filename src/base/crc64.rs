//! CRC-64/Jones, the checksum at the end of RDB files and DUMP payloads.
//!
//! Called by rdb and migration code; calls nothing. Reflected, polynomial 0xad93d23594c935a9, start 0, no final xor.
//! Invariants: `crc64(crc64(0, a), b) == crc64(0, ab) == combine(crc64(0, a), crc64(0, b), b.len())`. Bounds: tables of 16 KB, made at compile time.
//!
//! Long inputs are folded by carry-less multiplication (PCLMULQDQ) where the processor has it: eight blocks of 16 bytes are multiplied at a time by
//! the power of x that lies between them and the bytes 128 further, and added to those; what is left of the last is summed by table. Elsewhere, and for short inputs,
//! eight bytes a step by table. Why not a crate: thirty lines, and their constants are derived here from the polynomial.

const POLYNOMIAL_REFLECTED: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

static TABLES: [[u64; 256]; 8] = build_tables();

const fn build_tables() -> [[u64; 256]; 8] {
    let mut tables = [[0u64; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = times_x(sum);
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut row = 1;
    while row < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[row - 1][byte];
            tables[row][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        row += 1;
    }
    tables
}

/// A polynomial (bit 63 is x^0) times x, modulo ours.
const fn times_x(sum: u64) -> u64 {
    if sum & 1 == 1 { sum >> 1 ^ POLYNOMIAL_REFLECTED } else { sum >> 1 }
}

/// The product of two polynomials, modulo ours.
const fn multiply(one: u64, other: u64) -> u64 {
    let (mut product, mut shifted, mut bit) = (0, other, 1u64 << 63);
    while bit != 0 {
        if one & bit != 0 {
            product ^= shifted;
        }
        shifted = times_x(shifted);
        bit >>= 1;
    }
    product
}

/// x to the power of `exponent`, modulo ours.
const fn power_of_x(mut exponent: u64) -> u64 {
    let (mut power, mut square) = (1 << 63, 1 << 62);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = multiply(power, square);
        }
        square = multiply(square, square);
        exponent >>= 1;
    }
    power
}

/// x^8, x^16, x^32 …: for [`combine`].
const BYTE_POWERS: [u64; 61] = {
    let mut powers = [power_of_x(8); 61];
    let mut index = 1;
    while index < 61 {
        powers[index] = multiply(powers[index - 1], powers[index - 1]);
        index += 1;
    }
    powers
};

/// Continues the checksum `init` (0 at the start) over `data`.
pub fn crc64(init: u64, data: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if data.len() >= folded::LEAST && std::arch::is_x86_feature_detected!("pclmulqdq") {
        // SAFETY: the processor has the instruction, as was just asked.
        return unsafe { folded::crc64(init, data) };
    }
    by_table(init, data)
}

/// The checksum of `ab` from those of `a` and `b` (started with 0 each) and the length of `b`. Takes a microsecond or two.
pub fn combine(a: u64, b: u64, len_b: u64) -> u64 {
    let powers = BYTE_POWERS.iter().enumerate().filter(|(bit, _)| len_b >> bit & 1 == 1);
    powers.fold(a, |sum, (_, &power)| multiply(sum, power)) ^ b
}

fn by_table(init: u64, data: &[u8]) -> u64 {
    let mut crc = init;
    let (words, tail) = data.as_chunks::<8>();
    for word in words {
        let word = crc ^ u64::from_le_bytes(*word);
        crc = 0;
        for (index, table) in TABLES.iter().enumerate() {
            crc ^= table[usize::from((word >> (56 - 8 * index)) as u8)];
        }
    }
    for &byte in tail {
        crc = crc >> 8 ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    crc
}

#[cfg(target_arch = "x86_64")]
mod folded {
    use super::power_of_x;
    use std::arch::x86_64::*;

    /// Blocks folded side by side: the multiplication takes a few cycles, but one can begin in each.
    const LANES: usize = 8;
    /// Bytes of a round.
    const ROUND: usize = 16 * LANES;
    /// Shorter inputs are not worth the way back from a block to a sum.
    pub const LEAST: usize = 2 * ROUND;

    /// What a block's halves are multiplied by to move it on by so many bits. The first eight bytes are the upper half of the polynomial, x^64 above the rest; the
    /// product of two reflected words comes out one place too low, so each power is one less.
    const fn powers(bits: u64) -> [u64; 2] {
        [power_of_x(bits + 63), power_of_x(bits - 1)]
    }

    const BY_ROUND: [u64; 2] = powers(8 * ROUND as u64);
    const BY_BLOCK: [u64; 2] = powers(128);

    #[inline]
    #[target_feature(enable = "sse2")]
    fn block(bytes: &[u8; 16]) -> __m128i {
        let both = u128::from_le_bytes(*bytes);
        _mm_set_epi64x((both >> 64) as i64, both as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn constant([first, second]: [u64; 2]) -> __m128i {
        _mm_set_epi64x(second as i64, first as i64)
    }

    #[inline]
    #[target_feature(enable = "pclmulqdq,sse2")]
    fn fold(from: __m128i, powers: __m128i, onto: __m128i) -> __m128i {
        let first = _mm_clmulepi64_si128::<0x00>(from, powers);
        let second = _mm_clmulepi64_si128::<0x11>(from, powers);
        _mm_xor_si128(_mm_xor_si128(first, second), onto)
    }

    /// As [`super::crc64`], for at least [`LEAST`] bytes.
    #[target_feature(enable = "pclmulqdq,sse2")]
    pub fn crc64(init: u64, data: &[u8]) -> u64 {
        let (rounds, tail) = data.as_chunks::<ROUND>();
        let Some((first, rounds)) = rounds.split_first() else { return super::by_table(init, data) };
        let mut lanes = [_mm_setzero_si128(); LANES];
        for (lane, bytes) in lanes.iter_mut().zip(first.as_chunks::<16>().0) {
            *lane = block(bytes);
        }
        lanes[0] = _mm_xor_si128(lanes[0], _mm_set_epi64x(0, init as i64));
        let by_round = constant(BY_ROUND);
        for round in rounds {
            for (lane, bytes) in lanes.iter_mut().zip(round.as_chunks::<16>().0) {
                *lane = fold(*lane, by_round, block(bytes));
            }
        }
        let by_block = constant(BY_BLOCK);
        let mut sum = lanes[0];
        for &lane in &lanes[1..] {
            sum = fold(sum, by_block, lane);
        }
        let (blocks, tail) = tail.as_chunks::<16>();
        for bytes in blocks {
            sum = fold(sum, by_block, block(bytes));
        }
        let low = _mm_cvtsi128_si64(sum) as u64;
        let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum)) as u64;
        let both = u128::from(high) << 64 | u128::from(low);
        super::by_table(super::by_table(0, &both.to_le_bytes()), tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_value_and_splits() {
        // The check value redis prints for its own test string.
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let data: Vec<u8> = (0..1000u32).map(|n| (n * 7 % 251) as u8).collect();
        let whole = crc64(0, &data);
        for cut in 0..data.len() {
            let (one, other) = data.split_at(cut);
            assert_eq!(crc64(crc64(0, one), other), whole);
            assert_eq!(combine(crc64(0, one), crc64(0, other), other.len() as u64), whole);
        }
        assert_eq!(combine(whole, 0, 0), whole);
    }

    #[test]
    fn folded_is_as_by_table() {
        let mut prng = crate::base::prng::Prng::new(3);
        let data: Vec<u8> = (0..5000).map(|_| prng.next_u64() as u8).collect();
        for len in (0..600).chain([1024, 4095, 4096, 4097, 5000]) {
            for init in [0, 1, prng.next_u64()] {
                assert_eq!(crc64(init, &data[..len]), by_table(init, &data[..len]), "{len}");
            }
        }
    }
}
