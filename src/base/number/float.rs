//! Doubles: parsing as redis' string2d (C's strtod over the whole text) and printing as `%.17g`.
//!
//! Called by sorted sets, geo, INCRBYFLOAT's relatives and RESP3 doubles. Invariant: refused are blanks in front, NaN,
//! overflow, and underflow to zero; accepted are `inf`, `infinity` in any case, hexadecimal floats and subnormals.
//! Decimal text goes to std's parser, which rounds correctly and takes the same grammar once the bytes are checked.
use super::hex;
use super::integer::DigitBuffer;
use super::rounding::{self, Rounded};

/// Longest text of [`format_double`].
pub const MAX_DOUBLE_LEN: usize = 32;

/// Parses a float as redis does for scores and increments.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let first = *body.first()?;
    let magnitude = if first.is_ascii_digit() || first == b'.' {
        if hex::has_prefix(body) { parse_hex(body)? } else { parse_decimal(body)? }
    } else if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
        f64::INFINITY
    } else {
        return None;
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn parse_decimal(body: &[u8]) -> Option<f64> {
    if body.len() <= 15
        && let Some(value) = short_digits(body)
    {
        return Some(value as f64);
    }
    let value = parse_any_decimal(body)?;
    if value.is_infinite() || (value == 0.0 && !is_zero_text(body)) {
        return None;
    }
    Some(value)
}

/// Out of range becomes infinite or zero.
fn parse_any_decimal(body: &[u8]) -> Option<f64> {
    if !body.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    std::str::from_utf8(body).ok()?.parse().ok()
}

/// Parses a float as redis reads the bounds of score ranges, by plain strtod: up to the first NUL, blanks in front, an empty text
/// as 0, out of range as infinite or 0. NaN and anything behind the number are refused.
pub fn parse_f64_as_c(text: &[u8]) -> Option<f64> {
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    if text.is_empty() {
        return Some(0.0);
    }
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))?;
    let text = &text[start..];
    if let Some(value) = parse_f64(text) {
        return Some(value);
    }
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if !body.first().is_some_and(|first| first.is_ascii_digit() || *first == b'.') {
        return None;
    }
    let magnitude = if hex::has_prefix(body) {
        match hex::parse(body)?.round(rounding::DOUBLE) {
            Rounded::Finite(mantissa, exponent) => rounding::double_from_parts(mantissa, exponent),
            Rounded::Overflow => f64::INFINITY,
        }
    } else {
        parse_any_decimal(body)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// Plain digits only, few enough to be exact in a double.
#[inline]
fn short_digits(body: &[u8]) -> Option<u64> {
    body.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + u64::from(digit))
    })
}

/// Whether all mantissa digits are zero.
pub(super) fn is_zero_text(body: &[u8]) -> bool {
    body.iter().take_while(|byte| !matches!(byte, b'e' | b'E')).all(|byte| matches!(byte, b'0' | b'.'))
}

fn parse_hex(body: &[u8]) -> Option<f64> {
    let exact = hex::parse(body)?;
    match exact.round(rounding::DOUBLE) {
        Rounded::Finite(0, _) if exact.mantissa != 0 => None,
        Rounded::Finite(mantissa, exponent) => Some(rounding::double_from_parts(mantissa, exponent)),
        Rounded::Overflow => None,
    }
}

/// Appends `value` as C's `%.17g`, the form of scores and RESP3 doubles in redis 7.0.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    // Integers below 2^53 are exact and shorter than 17 digits: no float printing needed.
    if value.abs() < 9_007_199_254_740_992.0 && value.trunc() == value {
        if value == 0.0 && value.is_sign_negative() {
            out.push(b'-');
        }
        out.extend_from_slice(DigitBuffer::new().format(value as i64));
    } else if value.is_nan() {
        out.extend_from_slice(if value.is_sign_negative() { b"-nan" } else { b"nan" });
    } else if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
    } else {
        if value < 0.0 {
            out.push(b'-');
        }
        write_scientific(out, value.abs());
    }
}

/// [`write_double`] into a string.
pub fn format_double(value: f64) -> String {
    let mut out = Vec::with_capacity(MAX_DOUBLE_LEN);
    write_double(&mut out, value);
    out.into_iter().map(char::from).collect()
}

/// A fixed buffer for `write!`.
struct Scratch {
    bytes: [u8; MAX_DOUBLE_LEN],
    len: usize,
}

impl std::fmt::Write for Scratch {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The 17 significant digits of a value in [1e-4, 1e15) as a number, and its decimal exponent: exact, ties to even, as C prints. One product of 128 bits instead of
/// the general way, which takes ten times as long.
fn seventeen_digits(value: f64) -> Option<(u64, i64)> {
    if !(1e-4..1e15).contains(&value) {
        return None;
    }
    let bits = value.to_bits();
    let mantissa = u128::from(bits & ((1 << 52) - 1) | 1 << 52);
    // The value is mantissa / 2^shift, shift in 3..=66.
    let shift = 1075 - (bits >> 52) as i64;
    // log10 of the power of two below the value, rounded down: right, or one too small.
    let mut exponent = ((52 - shift) * 1233) >> 12;
    loop {
        let scaled = mantissa * 10u128.pow((16 - exponent) as u32);
        let (whole, rest, half) = (scaled >> shift, scaled & ((1 << shift) - 1), 1 << (shift - 1));
        let digits = whole + u128::from(rest > half || (rest == half && whole & 1 == 1));
        if digits < 10u128.pow(17) {
            return Some((digits as u64, exponent));
        }
        exponent += 1;
    }
}

/// Appends a positive finite value by its 17 significant digits, fixed or scientific as `%g` chooses.
fn write_scientific(out: &mut Vec<u8>, value: f64) {
    use std::fmt::Write as _;
    if let Some((digits, exponent)) = seventeen_digits(value) {
        let mut buffer = DigitBuffer::new();
        let digits = buffer.format_u64(digits);
        let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
        return write_fixed(out, &digits[..digits.len() - zeros], exponent);
    }
    let mut scratch = Scratch { bytes: [0; MAX_DOUBLE_LEN], len: 0 };
    // d.dddddddddddddddde[-]x: always 18 bytes before the `e`, never more than 24 in all.
    let printed = write!(scratch, "{value:.16e}");
    debug_assert!(printed.is_ok());
    let text = &scratch.bytes[..scratch.len];
    let exponent = text.get(19..).and_then(super::parse_i64).unwrap_or(0);
    let mut digits = [0u8; 17];
    digits[0] = text[0];
    digits[1..].copy_from_slice(&text[2..18]);
    let significant = 17 - digits.iter().rev().take_while(|&&digit| digit == b'0').count();
    let digits = &digits[..significant.max(1)];
    if (-4..17).contains(&exponent) {
        write_fixed(out, digits, exponent);
        return;
    }
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.unsigned_abs() < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(DigitBuffer::new().format_u64(exponent.unsigned_abs()));
}

/// Appends `d.ddd * 10^exponent` without an exponent.
fn write_fixed(out: &mut Vec<u8>, digits: &[u8], exponent: i64) {
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.extend_from_slice(digits);
        return;
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    unsafe extern "C" {
        fn strtod(text: *const libc::c_char, end: *mut *mut libc::c_char) -> f64;
        fn snprintf(out: *mut libc::c_char, len: usize, format: *const libc::c_char, ...) -> libc::c_int;
    }

    /// What C prints for `%.17g`.
    fn c_print(value: f64) -> Vec<u8> {
        let mut buffer = [0u8; 64];
        // SAFETY: the buffer is larger than any such text and the format fits the argument.
        let len = unsafe { snprintf(buffer.as_mut_ptr().cast(), 64, c"%.17g".as_ptr(), value) };
        buffer[..len as usize].to_vec()
    }

    /// What redis' string2d makes of C's strtod.
    fn c_parse(text: &[u8]) -> Option<f64> {
        let text_c = std::ffi::CString::new(text).unwrap();
        let mut end = std::ptr::null_mut();
        // SAFETY: a NUL-terminated text and a live out pointer; errno is this thread's.
        let (value, errno) = unsafe {
            *libc::__errno_location() = 0;
            (strtod(text_c.as_ptr(), &mut end), *libc::__errno_location())
        };
        let used = end as usize - text_c.as_ptr() as usize;
        let blank = text.first().is_none_or(|byte| matches!(byte, b' ' | b'\t'..=b'\r'));
        let out_of_range = errno == libc::ERANGE && (value.is_infinite() || value == 0.0);
        (!blank && used == text.len() && !out_of_range && !value.is_nan()).then_some(value)
    }

    #[test]
    fn printing_equals_c() {
        let mut prng = Prng::new(2);
        let fixed =
            [0.1, 3.0, -3.5, 1e17, 1e16, 123456789012345680.0, 1e-5, 1e-4, 0.0001234, 5e-324, f64::MAX];
        let half_way = |quarters: u64| (4_503_599_627_370_496 + quarters) as f64 / 4.0;
        let ties = [half_way(1), half_way(3), half_way(5), -0.0, 2f64.powi(60)];
        let random = (0..400_000).map(|_| match prng.below(6) {
            4 => prng.below(1 << 40) as f64 / [8.0, 10.0, 100.0, 1e9][prng.below(4) as usize],
            5 => 10f64.powi(prng.below(24) as i32 - 6) * (1.0 - f64::EPSILON * prng.below(4) as f64),
            0 => f64::from_bits(prng.next_u64()),
            1 => prng.next_u64() as f64 / 1000.0,
            2 => (prng.unit_f64() - 0.5) * 10f64.powi(prng.below(40) as i32 - 20),
            _ => (1u64 << 50 | prng.below(1 << 50)) as f64 + prng.below(4) as f64 / 4.0,
        });
        for value in fixed.into_iter().chain(ties).chain(random).filter(|value| !value.is_nan()) {
            assert_eq!(format_double(value).as_bytes(), c_print(value), "{value:e}");
        }
        assert_eq!(format_double(f64::INFINITY), "inf");
        assert_eq!(format_double(-f64::INFINITY), "-inf");
    }

    #[test]
    fn parsing_equals_c() {
        let words = [
            "",
            "1",
            "-1",
            "+1",
            ".",
            ".5",
            "5.",
            "1e5",
            "1e",
            "1e+",
            "e5",
            "1_0",
            "0x",
            "0x1",
            "0x.8",
            "0x1p-3",
            "0x1p",
            "0X1.8P+1",
            "0x1.fffffffffffff8p0",
            "inf",
            "-INF",
            "infinity",
            "infinit",
            "nan",
            "nan(1)",
            "1e400",
            "-1e400",
            "1e-400",
            "0e-400",
            "4e-324",
            "2e-324",
            "0x1p-1074",
            "0x1p-1075",
            "0x1p-1080",
            "0x1p1024",
            " 1",
            "1 ",
            "\t1",
            "1\n",
            "--1",
            "+-1",
            "1.1.1",
            "0x1.8.1",
            "00012",
            "1e0000000000000000000005",
            "0x0p99999999999",
            "1e99999999999999999999",
            "0e99999999999999999999",
            "123456789012345",
            "1234567890123456",
        ];
        let mut prng = Prng::new(4);
        let alphabet = b"0123456789.eE+-xXpPaAfinINty ";
        let random = (0..300_000).map(|_| {
            let len = 1 + prng.below(12);
            let letters = if prng.chance(0.5) { 14 } else { alphabet.len() as u64 };
            let mut text: Vec<u8> = (0..len).map(|_| alphabet[prng.below(letters) as usize]).collect();
            if prng.chance(0.2) {
                text.splice(0..0, b"0x".iter().copied());
            }
            text
        });
        for text in words.iter().map(|word| word.as_bytes().to_vec()).chain(random) {
            let (ours, theirs) = (parse_f64(&text), c_parse(&text));
            let same = ours.map(f64::to_bits) == theirs.map(f64::to_bits);
            assert!(same, "{:?}: {ours:?} {theirs:?}", String::from_utf8_lossy(&text));
        }
        assert_eq!(parse_f64(b"1\0"), None);
    }
}
