//! Rounding of exact binary values to a floating format: half to even, gradual underflow, overflow told apart.
//!
//! Called by the hexadecimal, decimal and long-double code. Invariant: the result is the representable value nearest
//! to the exact one, whatever was cut off being summed up in one sticky bit.

/// A binary floating format by its numbers.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Bits of the mantissa, the leading one included.
    pub precision: i32,
    /// Exponent of the lowest bit of the smallest subnormal.
    pub lowest: i32,
    /// Largest exponent of the lowest mantissa bit.
    pub highest: i32,
}

/// IEEE double.
pub const DOUBLE: Format = Format { precision: 53, lowest: -1074, highest: 971 };
/// The x87 extended format: `long double` on x86-64.
pub const EXTENDED: Format = Format { precision: 64, lowest: -16445, highest: 16320 };

/// A value `mantissa * 2^exponent`, plus something smaller than the lowest bit if `sticky`.
#[derive(Debug, Clone, Copy)]
pub struct Exact {
    /// The leading bits.
    pub mantissa: u128,
    /// Weight of the mantissa's lowest bit.
    pub exponent: i32,
    /// Whether non-zero bits were cut off below.
    pub sticky: bool,
}

/// The result of rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounded {
    /// `mantissa * 2^exponent`, mantissa normalized unless subnormal, possibly zero.
    Finite(u64, i32),
    /// Larger than the format can hold.
    Overflow,
}

impl Exact {
    /// Rounds to `format`. With `sticky`, the mantissa must hold at least two bits more than the precision.
    pub fn round(self, format: Format) -> Rounded {
        if self.mantissa == 0 {
            return Rounded::Finite(0, 0);
        }
        let bits = 128 - self.mantissa.leading_zeros() as i32;
        // The lowest bit that is kept.
        let mut exponent = (self.exponent + bits - format.precision).max(format.lowest);
        let drop = exponent - self.exponent;
        let mut mantissa = if drop <= 0 {
            self.mantissa << (-drop).min(127)
        } else if drop > 128 {
            0
        } else {
            self.shift_right_even(drop as u32)
        };
        if mantissa >> format.precision != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
        if mantissa == 0 {
            return Rounded::Finite(0, 0);
        }
        if exponent > format.highest {
            return Rounded::Overflow;
        }
        Rounded::Finite(mantissa as u64, exponent)
    }

    /// The mantissa shifted right by 1..=128 bits, rounded half to even.
    fn shift_right_even(self, drop: u32) -> u128 {
        let kept = if drop == 128 { 0 } else { self.mantissa >> drop };
        let half = 1u128 << (drop - 1);
        let lost = self.mantissa & (half | (half - 1));
        let up = lost > half || (lost == half && (self.sticky || kept & 1 == 1));
        kept + u128::from(up)
    }
}

/// Whether the mantissa of a rounded value is below the format's normal range.
pub fn is_subnormal(mantissa: u64, format: Format) -> bool {
    mantissa >> (format.precision - 1) == 0
}

/// The double `mantissa * 2^exponent`, which must come from rounding to [`DOUBLE`].
pub fn double_from_parts(mantissa: u64, exponent: i32) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    if is_subnormal(mantissa, DOUBLE) {
        return f64::from_bits(mantissa);
    }
    let biased = (exponent + 1075) as u64;
    f64::from_bits(biased << 52 | (mantissa & ((1 << 52) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn agrees_with_the_processor_on_doubles() {
        let mut prng = Prng::new(9);
        for _ in 0..100_000 {
            let wide = u128::from(prng.next_u64()) << 64 | u128::from(prng.next_u64());
            let wide = wide >> prng.below(128);
            let Rounded::Finite(mantissa, exponent) =
                (Exact { mantissa: wide, exponent: 0, sticky: false }).round(DOUBLE)
            else {
                panic!("no overflow here");
            };
            assert_eq!(double_from_parts(mantissa, exponent), wide as f64, "{wide}");
        }
    }

    #[test]
    fn edges_of_the_range() {
        let round = |mantissa, exponent, sticky| Exact { mantissa, exponent, sticky }.round(DOUBLE);
        assert_eq!(round(1, -1074, false), Rounded::Finite(1, -1074));
        assert_eq!(round(1, -1075, false), Rounded::Finite(0, 0));
        assert_eq!(round(1, -1075, true), Rounded::Finite(1, -1074));
        assert_eq!(round(1, -3000, true), Rounded::Finite(0, 0));
        assert_eq!(round(1, 1023, false), Rounded::Finite(1 << 52, 971));
        assert_eq!(round(1, 1024, false), Rounded::Overflow);
        assert_eq!(round((1 << 54) - 1, 970, false), Rounded::Overflow);
    }
}
