//! Hexadecimal floats (`0x1.8p3`), which C's strtod takes and therefore redis does.
//!
//! Called by the double and long-double parsers. Invariant: the whole text must be one number; the value is exact up to
//! a sticky bit. Bounds: any number of digits; exponents are clamped far outside both formats.
use super::rounding::Exact;

const EXPONENT_LIMIT: i64 = 1_000_000;

/// Whether `text` (sign already taken) begins like a hexadecimal number.
#[inline]
pub fn has_prefix(text: &[u8]) -> bool {
    matches!(text, [b'0', b'x' | b'X', ..])
}

/// Parses `0x` digits [`.` digits] [`p` exponent]; `None` if anything else is in `text`.
pub fn parse(text: &[u8]) -> Option<Exact> {
    let mut mantissa = 0u128;
    let (mut exponent, mut sticky) = (0i64, false);
    let (mut digits, mut in_fraction) = (0usize, false);
    let mut at = 2;
    while let Some(&byte) = text.get(at) {
        if byte == b'.' && !in_fraction {
            in_fraction = true;
        } else if let Some(digit) = (byte as char).to_digit(16) {
            digits += 1;
            if mantissa >> 120 == 0 {
                mantissa = mantissa << 4 | u128::from(digit);
                exponent -= if in_fraction { 4 } else { 0 };
            } else {
                sticky |= digit != 0;
                exponent += if in_fraction { 0 } else { 4 };
            }
        } else {
            break;
        }
        at += 1;
    }
    if digits == 0 {
        return None;
    }
    if let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let [b'p' | b'P', rest @ ..] = rest else { return None };
        exponent += parse_exponent(rest)?;
    }
    let exponent = exponent.clamp(-EXPONENT_LIMIT, EXPONENT_LIMIT) as i32;
    Some(Exact { mantissa, exponent, sticky })
}

/// A signed decimal exponent that must fill `text`; huge ones are clamped, which changes no rounded value.
pub fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = (value * 10 + i64::from(digit)).min(EXPONENT_LIMIT);
    }
    Some(if negative { -value } else { value })
}
