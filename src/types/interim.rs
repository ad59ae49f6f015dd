//! Private stand-ins for `base` until that branch is merged: slot, hash, glob-free number text, size classes, prng.
use std::sync::OnceLock;

/// Number of hash slots.
pub const SLOT_COUNT: usize = 16384;

/// CRC16 of the key or of its `{tag}`, mod 16384.
pub fn key_slot(key: &[u8]) -> u16 {
    let mut part = key;
    if let Some(open) = key.iter().position(|&b| b == b'{')
        && let Some(len) = key[open + 1..].iter().position(|&b| b == b'}')
        && len > 0
    {
        part = &key[open + 1..open + 1 + len];
    }
    crc16::State::<crc16::XMODEM>::calculate(part) & 0x3fff
}

/// Keyed hash of a key or field (std's SipHash-1-3 stand-in).
pub fn key_hash(data: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    static STATE: OnceLock<RandomState> = OnceLock::new();
    let mut hasher = STATE.get_or_init(RandomState::new).build_hasher();
    hasher.write(data);
    hasher.finish()
}

/// Redis' string2ll.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let (negative, digits) = match text[0] {
        b'-' => (true, &text[1..]),
        _ => (false, text),
    };
    if digits == b"0" {
        return if negative { None } else { Some(0) };
    }
    if digits.is_empty() || !(b'1'..=b'9').contains(&digits[0]) {
        return None;
    }
    let mut value: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    if negative {
        if value > 1 << 63 { None } else { Some((value as i64).wrapping_neg()) }
    } else {
        i64::try_from(value).ok()
    }
}

/// Decimal text of `value`, appended.
pub fn write_i64(buffer: &mut Vec<u8>, value: i64) {
    use std::io::Write;
    let _ = write!(buffer, "{value}");
}

/// The size class the allocator serves `size` from.
#[inline]
pub fn good_size(size: usize) -> usize {
    if size <= 64 {
        return if size <= 8 { 8 } else { (size + 15) & !15 };
    }
    if size > 4 << 20 {
        return (size + 4095) & !4095;
    }
    let step = 1usize << ((size - 1).ilog2() - 2);
    (size + step - 1) & !(step - 1)
}

/// A small fast generator (wyrand-like).
#[derive(Debug, Clone)]
pub struct Prng(u64);
impl Prng {
    /// Seeded.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// Next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Uniform in 0..bound (bound > 0).
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}
