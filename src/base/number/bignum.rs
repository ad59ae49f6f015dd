//! Non-negative integers of any size: just what exact decimal <-> binary conversion needs.
//!
//! Called by the long-double code for texts beyond 19 digits and values beyond 2^64; never for ordinary numbers.
//! Invariant: limbs are little-endian base 2^64 without zero limbs on top. Bounds: the callers limit the input to a few
//! thousand digits (about 600 limbs), and every operation here is linear in the limbs.
use std::cmp::Ordering;

/// The largest power of ten in a limb, and its exponent.
const TEN_POWER: u64 = 10_000_000_000_000_000_000;
const TEN_POWER_DIGITS: usize = 19;

/// A non-negative integer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BigNum {
    limbs: Vec<u64>,
}

impl BigNum {
    /// The number `value`.
    pub fn from_u64(value: u64) -> Self {
        let mut number = Self { limbs: vec![value] };
        number.trim();
        number
    }

    /// The number of these ASCII digits (others are skipped).
    pub fn from_digits(digits: impl Iterator<Item = u8>) -> Self {
        let mut number = Self { limbs: Vec::new() };
        let (mut pending, mut scale) = (0u64, 1u64);
        for digit in digits.filter(u8::is_ascii_digit) {
            pending = pending * 10 + u64::from(digit - b'0');
            scale *= 10;
            if scale == TEN_POWER {
                number.mul_add(scale, pending);
                (pending, scale) = (0, 1);
            }
        }
        number.mul_add(scale, pending);
        number
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// Number of bits without leading zeros.
    pub fn bit_len(&self) -> usize {
        self.limbs.last().map_or(0, |top| self.limbs.len() * 64 - top.leading_zeros() as usize)
    }

    /// Multiplies by `factor` and adds `addend`.
    pub fn mul_add(&mut self, factor: u64, addend: u64) {
        let mut carry = u128::from(addend);
        for limb in &mut self.limbs {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = product as u64;
            carry = product >> 64;
        }
        if carry != 0 {
            self.limbs.push(carry as u64);
        }
        self.trim();
    }

    /// Multiplies by 10^`exponent`.
    pub fn mul_ten_power(&mut self, exponent: usize) {
        for _ in 0..exponent / TEN_POWER_DIGITS {
            self.mul_add(TEN_POWER, 0);
        }
        self.mul_add(10u64.pow((exponent % TEN_POWER_DIGITS) as u32), 0);
    }

    /// Multiplies by 2^`bits`.
    pub fn shift_left(&mut self, bits: usize) {
        if self.is_zero() {
            return;
        }
        self.mul_add(1 << (bits % 64), 0);
        self.limbs.splice(0..0, std::iter::repeat_n(0, bits / 64));
    }

    /// The highest 128 bits (fewer if there are fewer), the weight of their lowest bit, and whether bits below are set.
    pub fn top_bits(&self) -> (u128, usize, bool) {
        let bits = self.bit_len();
        let shift = bits.saturating_sub(128);
        let (skip, offset) = (shift / 64, shift % 64);
        let limb = |index: usize| u128::from(self.limbs.get(skip + index).copied().unwrap_or(0));
        let mut top = (limb(0) | limb(1) << 64) >> offset;
        if offset != 0 {
            top |= limb(2) << (128 - offset);
        }
        let below = self.limbs.iter().take(skip).any(|&limb| limb != 0) || limb(0) & ((1 << offset) - 1) != 0;
        (top, shift, below)
    }

    fn compare(&self, other: &Self) -> Ordering {
        let lengths = self.limbs.len().cmp(&other.limbs.len());
        lengths.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    /// Subtracts `other`, which is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (index, limb) in self.limbs.iter_mut().enumerate() {
            let (value, first) = limb.overflowing_sub(other.limbs.get(index).copied().unwrap_or(0));
            let (value, second) = value.overflowing_sub(u64::from(borrow));
            *limb = value;
            borrow = first || second;
        }
        debug_assert!(!borrow);
        self.trim();
    }

    /// The quotient of two non-zero numbers: 80 leading bits, the weight of their lowest bit, and whether the rest is
    /// not zero.
    pub fn divide(mut self, mut divisor: Self) -> (u128, i32, bool) {
        // Align so that divisor <= self < 2 * divisor, then take one bit at a time.
        let mut exponent = self.bit_len() as i32 - divisor.bit_len() as i32;
        if exponent >= 0 {
            divisor.shift_left(exponent as usize);
        } else {
            self.shift_left(-exponent as usize);
        }
        if self.compare(&divisor) == Ordering::Less {
            self.mul_add(2, 0);
            exponent -= 1;
        }
        let mut quotient = 0u128;
        for _ in 0..80 {
            quotient <<= 1;
            if self.compare(&divisor) != Ordering::Less {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.mul_add(2, 0);
        }
        (quotient, exponent - 79, !self.is_zero())
    }

    /// Appends the decimal digits.
    pub fn write_decimal(mut self, out: &mut Vec<u8>) {
        let mut groups = Vec::new();
        while !self.is_zero() {
            let mut remainder = 0u128;
            for limb in self.limbs.iter_mut().rev() {
                let value = remainder << 64 | u128::from(*limb);
                *limb = (value / u128::from(TEN_POWER)) as u64;
                remainder = value % u128::from(TEN_POWER);
            }
            self.trim();
            groups.push(remainder as u64);
        }
        super::write_u64(out, groups.pop().unwrap_or(0));
        for group in groups.into_iter().rev() {
            let mut buffer = super::DigitBuffer::new();
            let digits = buffer.format_u64(group);
            out.extend(std::iter::repeat_n(b'0', TEN_POWER_DIGITS - digits.len()));
            out.extend_from_slice(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_round_trip() {
        for text in
            ["0", "7", "18446744073709551616", "10000000000000000000", "123456789".repeat(40).as_str()]
        {
            let mut out = Vec::new();
            BigNum::from_digits(text.bytes()).write_decimal(&mut out);
            assert_eq!(out, text.as_bytes());
        }
        let mut number = BigNum::from_u64(12);
        number.mul_ten_power(45);
        let mut out = Vec::new();
        number.write_decimal(&mut out);
        assert_eq!(out, format!("12{}", "0".repeat(45)).as_bytes());
    }

    #[test]
    fn shifts_tops_and_quotients() {
        let mut number = BigNum::from_u64(0b1011);
        number.shift_left(200);
        assert_eq!(number.bit_len(), 204);
        assert_eq!(number.top_bits(), (0b1011 << 124, 76, false));
        number.mul_add(1, 1);
        assert!(number.top_bits().2);
        let (quotient, exponent, sticky) = BigNum::from_u64(1).divide(BigNum::from_u64(8));
        assert_eq!((quotient, exponent, sticky), (1 << 79, -82, false));
        let (quotient, exponent, sticky) = BigNum::from_u64(10).divide(BigNum::from_u64(3));
        assert_eq!(quotient, (10u128 << 78) / 3);
        assert_eq!((exponent, sticky), (-78, true));
    }
}
