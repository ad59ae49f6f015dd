//! Integers: strict parsing (redis' string2ll and string2ull) and fast printing.
//!
//! Called for nearly every command. Invariant: `parse_i64(text)` succeeds exactly when printing the result gives `text`
//! back, so an integer-encoded value loses nothing. Why not `str::parse`: it takes `+1`, `007` and `-0`.

/// Longest text of an `i64` (sign and 19 digits).
pub const MAX_I64_LEN: usize = 20;

/// Parses a canonical decimal integer: no blanks, no `+`, no leading zeros, no `-0`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (&first, rest) = digits.split_first()?;
    let mut value = u64::from(first.wrapping_sub(b'0'));
    if value == 0 {
        return if rest.is_empty() && !negative { Some(0) } else { None };
    }
    if value > 9 || rest.len() > 18 {
        return None;
    }
    for &byte in rest {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Nineteen digits fit: 10^19 - 1 < 2^64.
        value = value * 10 + digit;
    }
    if negative {
        (value <= i64::MIN.unsigned_abs()).then(|| (value as i64).wrapping_neg())
    } else {
        i64::try_from(value).ok()
    }
}

/// Parses as redis' string2ull: a canonical non-negative integer, else whatever C's `strtoull` takes whole (leading
/// blanks, a sign, leading zeros, up to 2^64 - 1; a minus sign negates modulo 2^64).
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    if let Some(value) = parse_i64(text) {
        return u64::try_from(value).ok();
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(if negative { value.wrapping_neg() } else { value })
}

/// `00` to `99`, two bytes each.
static PAIRS: [u8; 200] = build_pairs();

const fn build_pairs() -> [u8; 200] {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[2 * number] = b'0' + (number / 10) as u8;
        pairs[2 * number + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
}

/// Number of decimal digits of `value` (1 for 0).
#[inline]
pub fn decimal_len(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Room for the text of one integer, so that printing needs no allocation.
#[derive(Debug, Clone, Copy)]
pub struct DigitBuffer([u8; MAX_I64_LEN]);

impl Default for DigitBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl DigitBuffer {
    /// An empty buffer.
    #[inline]
    pub const fn new() -> Self {
        Self([0; MAX_I64_LEN])
    }

    /// The text of `value`.
    #[inline]
    pub fn format(&mut self, value: i64) -> &[u8] {
        let mut start = self.fill(value.unsigned_abs());
        if value < 0 {
            start -= 1;
            self.0[start] = b'-';
        }
        &self.0[start..]
    }

    /// The text of an unsigned `value`.
    #[inline]
    pub fn format_u64(&mut self, value: u64) -> &[u8] {
        let start = self.fill(value);
        &self.0[start..]
    }

    /// Puts the digits at the end of the buffer and returns where they start.
    #[inline]
    fn fill(&mut self, mut value: u64) -> usize {
        let mut at = MAX_I64_LEN;
        while value >= 100 {
            let pair = (value % 100) as usize * 2;
            value /= 100;
            at -= 2;
            self.0[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        }
        if value >= 10 {
            let pair = value as usize * 2;
            at -= 2;
            self.0[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        } else {
            at -= 1;
            self.0[at] = b'0' + value as u8;
        }
        at
    }
}

/// Appends the decimal text of `value`.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(DigitBuffer::new().format(value));
}

/// Appends the decimal text of `value`.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(DigitBuffer::new().format_u64(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn only_canonical_integers_parse() {
        for text in ["", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1a", "0x1", "9223372036854775808"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
        for text in ["-9223372036854775809", "99999999999999999999", "10000000000000000000", "--1", "1\0"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
        for value in [0, 1, -1, 10, -10, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
    }

    #[test]
    fn printing_and_parsing_invert_each_other() {
        let mut prng = Prng::new(1);
        for _ in 0..100_000 {
            let value = (prng.next_u64() as i64) >> prng.below(64);
            let mut text = Vec::new();
            write_i64(&mut text, value);
            assert_eq!(text, value.to_string().as_bytes());
            assert_eq!(parse_i64(&text), Some(value));
            let unsigned = value as u64;
            text.clear();
            write_u64(&mut text, unsigned);
            assert_eq!(text, unsigned.to_string().as_bytes());
            assert_eq!(decimal_len(unsigned), text.len());
            assert_eq!(parse_u64(&text), Some(unsigned));
        }
        assert_eq!(decimal_len(0), 1);
    }

    #[test]
    fn unsigned_takes_what_strtoull_takes() {
        assert_eq!(parse_u64(b"-1"), None);
        assert_eq!(parse_u64(b"-01"), Some(u64::MAX));
        assert_eq!(parse_u64(b" +007"), Some(7));
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b""), None);
        assert_eq!(parse_u64(b"1x"), None);
    }
}
