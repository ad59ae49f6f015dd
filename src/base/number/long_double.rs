//! C's `long double` of x86-64 in software: a 64-bit mantissa, what INCRBYFLOAT and HINCRBYFLOAT compute with.
//!
//! Called by those two commands only. Invariant: parsing, addition and printing round as the x87 unit and glibc do, so
//! the stored text equals redis' to the byte. Bounds: texts up to 5119 bytes (redis' own buffer). Why not `f64`:
//! 0.1 + 0.2 would print differently; why not inline assembly: this is portable and can be tested against it.
use super::bignum::BigNum;
use super::float::is_zero_text;
use super::hex;
use super::rounding::{EXTENDED, Exact, Rounded};

/// Texts of this many bytes or more are refused.
const MAX_TEXT_LEN: usize = 5 * 1024;
const TEN_TO_17: u64 = 100_000_000_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// `mantissa * 2^exponent`; zero has mantissa 0.
    Finite(u64, i32),
    Infinite,
    NotANumber,
}

/// An extended-precision float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    class: Class,
}

impl LongDouble {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, class: Class::Finite(0, 0) };

    fn rounded(negative: bool, rounded: Rounded) -> Self {
        let class = match rounded {
            Rounded::Finite(mantissa, exponent) => Class::Finite(mantissa, exponent),
            Rounded::Overflow => Class::Infinite,
        };
        Self { negative, class }
    }

    /// The value of an integer, exactly.
    pub fn from_i64(value: i64) -> Self {
        let exact = Exact { mantissa: u128::from(value.unsigned_abs()), exponent: 0, sticky: false };
        Self::rounded(value < 0, exact.round(EXTENDED))
    }

    /// The value of a double, exactly.
    pub fn from_f64(value: f64) -> Self {
        let negative = value.is_sign_negative();
        if !value.is_finite() {
            let class = if value.is_nan() { Class::NotANumber } else { Class::Infinite };
            return Self { negative, class };
        }
        let bits = value.to_bits();
        let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
        let mantissa = if exponent == 0 { fraction } else { fraction | 1 << 52 };
        let exact = Exact { mantissa: u128::from(mantissa), exponent: exponent.max(1) - 1075, sticky: false };
        if mantissa == 0 {
            Self { negative, ..Self::ZERO }
        } else {
            Self::rounded(negative, exact.round(EXTENDED))
        }
    }

    /// Neither infinite nor NaN.
    pub fn is_finite(self) -> bool {
        matches!(self.class, Class::Finite(..))
    }

    /// The sum, rounded once, half to even.
    #[allow(clippy::should_implement_trait)]
    pub fn add(self, other: Self) -> Self {
        let (a, b) = match (self.class, other.class) {
            (Class::Finite(a, a_exponent), Class::Finite(b, b_exponent)) => {
                ((a, a_exponent), (b, b_exponent))
            }
            (Class::NotANumber, _) | (_, Class::NotANumber) => {
                return Self { negative: false, class: Class::NotANumber };
            }
            (Class::Infinite, Class::Infinite) if self.negative != other.negative => {
                return Self { negative: true, class: Class::NotANumber };
            }
            (Class::Infinite, _) => return self,
            (_, Class::Infinite) => return other,
        };
        if a.0 == 0 || b.0 == 0 {
            return match (a.0, b.0) {
                (0, 0) => Self { negative: self.negative && other.negative, ..Self::ZERO },
                (0, _) => other,
                _ => self,
            };
        }
        if a.1 >= b.1 { add_aligned(self.negative, a, other.negative, b) } else { other.add(self) }
    }
}

impl LongDouble {
    /// `factor` times the value, rounded as a product of long doubles, then up to an integer; `None` if that is larger than an i64.
    /// What is below an i64 becomes its least value, as on x86.
    pub fn times_rounded_up(self, factor: u32) -> Option<i64> {
        let (mantissa, exponent) = match self.class {
            Class::Finite(mantissa, exponent) => (mantissa, exponent),
            _ => return self.negative.then_some(i64::MIN),
        };
        let exact = Exact { mantissa: u128::from(mantissa) * u128::from(factor), exponent, sticky: false };
        let Rounded::Finite(mantissa, exponent) = exact.round(EXTENDED) else {
            return self.negative.then_some(i64::MIN);
        };
        let whole = match exponent {
            ..=-64 => 0,
            -63..=0 => mantissa >> -exponent,
            _ if mantissa == 0 => 0,
            // Mantissas are normalized: 64 bits and more are beyond an i64 anyway.
            _ => u64::MAX,
        };
        let has_fraction = match exponent {
            ..=-64 => mantissa != 0,
            -63..=-1 => mantissa & ((1 << -exponent) - 1) != 0,
            _ => false,
        };
        if self.negative {
            return Some(i64::try_from(whole).map_or(i64::MIN, |whole| -whole));
        }
        i64::try_from(whole).ok()?.checked_add(i64::from(has_fraction))
    }
}

/// Adds non-zero values, the first with the larger (or the same) exponent.
fn add_aligned(a_negative: bool, a: (u64, i32), b_negative: bool, b: (u64, i32)) -> LongDouble {
    // `a` stands 62 bits up: room for a carry above and, with the sticky bit, for exact rounding below.
    let distance = (a.1 - b.1) as u32;
    let large = u128::from(a.0) << 62;
    let small_wide = u128::from(b.0) << 62;
    let (small, sticky) = if distance >= 127 {
        (0, true)
    } else {
        (small_wide >> distance, small_wide & ((1u128 << distance) - 1) != 0)
    };
    let (negative, mantissa) = if a_negative == b_negative {
        (a_negative, large + small)
    } else if large >= small + u128::from(sticky) {
        // What was cut off is taken away too: the difference is just below the one of the kept bits.
        (a_negative, large - small - u128::from(sticky))
    } else {
        (b_negative, small - large)
    };
    if mantissa == 0 && !sticky {
        return LongDouble::ZERO;
    }
    let exact = Exact { mantissa, exponent: a.1 - 62, sticky };
    LongDouble::rounded(negative, exact.round(EXTENDED))
}

/// Parses as redis' string2ld (C's strtold over the whole text): refuses blanks in front, NaN, overflow, underflow to
/// zero and texts over 5 KB.
pub fn parse_long_double(text: &[u8]) -> Option<LongDouble> {
    if text.len() >= MAX_TEXT_LEN {
        return None;
    }
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
        return Some(LongDouble { negative, class: Class::Infinite });
    }
    let (exact, zero) = if hex::has_prefix(body) {
        let exact = hex::parse(body)?;
        (exact, exact.mantissa == 0)
    } else {
        (parse_decimal(body)?, is_zero_text(body))
    };
    match exact.round(EXTENDED) {
        Rounded::Finite(0, _) if !zero => None,
        Rounded::Overflow => None,
        finite => Some(LongDouble::rounded(negative, finite)),
    }
}

/// Splits `digits[.digits][e[sign]digits]` and converts it; `None` if the text is anything else.
fn parse_decimal(body: &[u8]) -> Option<Exact> {
    let exponent_at = body.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(body.len());
    let (mantissa, exponent_text) = body.split_at(exponent_at);
    let mut exponent = match exponent_text {
        [] => 0,
        [_, rest @ ..] => hex::parse_exponent(rest)?,
    };
    let point = mantissa.iter().position(|&byte| byte == b'.');
    let digit_count = mantissa.len() - usize::from(point.is_some());
    if digit_count == 0 || mantissa.iter().filter(|byte| byte.is_ascii_digit()).count() != digit_count {
        return None;
    }
    if let Some(point) = point {
        exponent -= (mantissa.len() - point - 1) as i64;
    }
    let leading = mantissa.iter().take_while(|byte| matches!(byte, b'0' | b'.')).count();
    let significant = &mantissa[leading..];
    let significant_digits = significant.iter().filter(|byte| byte.is_ascii_digit()).count();
    if significant_digits == 0 {
        return Some(Exact { mantissa: 0, exponent: 0, sticky: false });
    }
    let magnitude = exponent + significant_digits as i64;
    if magnitude > 5000 {
        return Some(Exact { mantissa: 1, exponent: 100_000, sticky: false });
    }
    if magnitude < -5000 {
        return Some(Exact { mantissa: 1, exponent: -100_000, sticky: false });
    }
    if significant_digits <= 19 && (-19..=27).contains(&exponent) {
        let digits = significant.iter().filter(|byte| byte.is_ascii_digit());
        let value = digits.fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        return Some(scale_short(value, exponent as i32));
    }
    Some(scale_long(BigNum::from_digits(significant.iter().copied()), exponent))
}

/// `value * 10^exponent` for a non-zero value and an exponent in -19..=27, in 128-bit arithmetic.
fn scale_short(value: u64, exponent: i32) -> Exact {
    if exponent >= 0 {
        // 10^n = 5^n * 2^n, and 5^27 fits in a word.
        let mantissa = u128::from(value) * u128::from(5u64.pow(exponent as u32));
        return Exact { mantissa, exponent, sticky: false };
    }
    let divisor = u128::from(10u64.pow(-exponent as u32));
    let shift = u128::from(value).leading_zeros();
    let numerator = u128::from(value) << shift;
    // The numerator has 128 bits and the divisor 4 to 64, so the quotient has 64 to 125: two more bits from the
    // remainder make it long enough for rounding with a sticky bit, and still fit.
    let (quotient, remainder) = (numerator / divisor, (numerator % divisor) << 2);
    let mantissa = (quotient << 2) | (remainder / divisor);
    Exact { mantissa, exponent: -(shift as i32) - 2, sticky: remainder % divisor != 0 }
}

fn scale_long(mut value: BigNum, exponent: i64) -> Exact {
    if exponent >= 0 {
        value.mul_ten_power(exponent as usize);
        let (mantissa, shift, sticky) = value.top_bits();
        return Exact { mantissa, exponent: shift as i32, sticky };
    }
    let mut divisor = BigNum::from_u64(1);
    divisor.mul_ten_power(exponent.unsigned_abs() as usize);
    let (mantissa, exponent, sticky) = value.divide(divisor);
    Exact { mantissa, exponent, sticky }
}

/// Prints as redis' human form: `%.17Lf` without the zeros at the end, `-0` as `0`.
pub fn format_long_double(value: LongDouble) -> String {
    let mut out = Vec::with_capacity(40);
    let (mantissa, exponent) = match value.class {
        Class::Infinite => return if value.negative { "-inf".into() } else { "inf".into() },
        Class::NotANumber => return if value.negative { "-nan".into() } else { "nan".into() },
        Class::Finite(mantissa, exponent) => (mantissa, exponent),
    };
    let mut fraction = 0u64;
    if exponent >= 0 {
        let mut whole = BigNum::from_u64(mantissa);
        whole.shift_left(exponent as usize);
        whole.write_decimal(&mut out);
    } else {
        let scaled = round_shift(u128::from(mantissa) * u128::from(TEN_TO_17), exponent.unsigned_abs());
        super::write_u64(&mut out, (scaled / u128::from(TEN_TO_17)) as u64);
        fraction = (scaled % u128::from(TEN_TO_17)) as u64;
    }
    if fraction != 0 {
        let mut buffer = super::DigitBuffer::new();
        let digits = buffer.format_u64(TEN_TO_17 + fraction);
        let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
        out.push(b'.');
        out.extend_from_slice(&digits[1..digits.len() - zeros]);
    }
    let text: String = out.into_iter().map(char::from).collect();
    if value.negative && text != "0" { format!("-{text}") } else { text }
}

/// `value / 2^bits`, rounded half to even; `bits` is at least 1.
fn round_shift(value: u128, bits: u32) -> u128 {
    if bits > 127 {
        return 0;
    }
    let kept = value >> bits;
    let half = 1u128 << (bits - 1);
    let lost = value & (half | (half - 1));
    kept + u128::from(lost > half || (lost == half && kept & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> String {
        let a = parse_long_double(a.as_bytes()).unwrap();
        format_long_double(a.add(parse_long_double(b.as_bytes()).unwrap()))
    }

    #[test]
    fn sums_as_the_manual_shows_them() {
        assert_eq!(sum("10.50", "0.1"), "10.6");
        assert_eq!(sum("5.0e3", "2.0e2"), "5200");
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("3", "-3"), "0");
        assert_eq!(sum("-0", "-0"), "0");
        assert_eq!(sum("1e-20", "-2e-20"), "0", "redis trims `-0.00000000000000000` to `-0`, then to `0`");
        assert_eq!(sum("9223372036854775807", "1"), "9223372036854775808");
        assert_eq!(sum("18446744073709551615", "0.5"), "18446744073709551616");
        assert_eq!(sum("1e4932", "1e4932"), "inf");
        assert_eq!(format_long_double(LongDouble::from_i64(i64::MIN)), "-9223372036854775808");
    }

    #[test]
    fn doubles_are_taken_over_exactly() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (13.361389338970184, "13.36138933897018433"),
            (-1.5, "-1.5"),
            (1e22, "10000000000000000000000"),
            (5e-324, "0"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(format_long_double(LongDouble::from_f64(value)), text);
        }
    }

    #[test]
    fn texts_that_are_refused() {
        for text in
            ["", "-", ".", "e5", "1e", "nan", " 1", "1 ", "1e5000", "1e-5000", "0x", "0x1p", "1..", "1.2.3"]
        {
            assert_eq!(parse_long_double(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_long_double(&b"1".repeat(5120)), None);
        assert!(parse_long_double(b"inf").is_some_and(|value| !value.is_finite()));
        assert!(parse_long_double(b"4e-4951").is_some_and(LongDouble::is_finite));
        let minus_infinity = parse_long_double(b"-inf").unwrap();
        assert!(!parse_long_double(b"inf").unwrap().add(minus_infinity).is_finite());
    }

    #[test]
    fn a_multiple_is_rounded_up_to_an_integer() {
        let times = |text: &str| parse_long_double(text.as_bytes()).unwrap().times_rounded_up(1000);
        for (text, wanted) in [
            ("0", Some(0)),
            ("1", Some(1000)),
            ("0.0005", Some(1)),
            ("-0.0005", Some(0)),
            ("-0.5", Some(-500)),
            ("1.5", Some(1500)),
            ("4e-4951", Some(1)),
            ("9223372036854775.807", Some(i64::MAX)),
            ("9223372036854775.808", None),
            ("inf", None),
            ("1e4932", None),
            ("-1e30", Some(i64::MIN)),
            ("-inf", Some(i64::MIN)),
        ] {
            assert_eq!(times(text), wanted, "{text}");
        }
    }

    #[test]
    fn short_and_long_scaling_agree() {
        let mut prng = crate::base::prng::Prng::new(8);
        for _ in 0..50_000 {
            let value = (prng.next_u64() >> prng.below(63)) | 1;
            let exponent = prng.below(47) as i32 - 19;
            let short = scale_short(value, exponent).round(EXTENDED);
            let long = scale_long(BigNum::from_u64(value), i64::from(exponent)).round(EXTENDED);
            assert_eq!(short, long, "{value}e{exponent}");
        }
    }
}
