//! The operations of BITFIELD: how words name them, and the arithmetic of fields.
//!
//! Called by `field`. Invariant: a field has 1 to 64 bits, an unsigned one at most 63, and all results fit in i64. Why i128: a sum of two i64 is
//! exact in it, so overflow is one comparison.

use super::bit_offset;
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;

/// What happens to a value that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// It loses its high bits.
    Wrap,
    /// It becomes the nearest that fits.
    Saturate,
    /// Nothing is written, the reply is null.
    Fail,
}

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldType {
    /// `i`, not `u`.
    pub signed: bool,
    /// 1 to 64.
    pub bits: u32,
}

/// What to do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// GET
    Get,
    /// SET value
    Set(i64),
    /// INCRBY delta
    Add(i64),
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldOp {
    /// Its field's type.
    pub kind: FieldType,
    /// First bit of the field.
    pub offset: u64,
    /// What it does.
    pub action: Action,
    /// The OVERFLOW in force.
    pub overflow: Overflow,
}

impl FieldType {
    fn parse(word: &[u8]) -> Result<FieldType, ReplyError> {
        let wrong = ReplyError::Text(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        );
        let (signed, digits) = match word {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return Err(wrong),
        };
        let most = if signed { 64 } else { 63 };
        match parse_i64(digits) {
            Some(bits) if (1..=most).contains(&bits) => Ok(FieldType { signed, bits: bits as u32 }),
            _ => Err(wrong),
        }
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// The value that the field's bits (the low ones of `raw`) mean.
    fn value_of(self, raw: u64) -> i64 {
        let unused = 64 - self.bits;
        if self.signed { (raw << unused) as i64 >> unused } else { (raw & self.mask()) as i64 }
    }

    /// Reads the field at bit `offset`; bits beyond the end are 0.
    pub(super) fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let first = (offset >> 3) as usize;
        let mut window = [0u8; 16];
        if let Some(tail) = bytes.get(first..) {
            let len = tail.len().min(9);
            window[..len].copy_from_slice(&tail[..len]);
        }
        let shift = 128 - (offset & 7) as u32 - self.bits;
        self.value_of((u128::from_be_bytes(window) >> shift) as u64)
    }

    /// Writes the field at bit `offset` of `bytes`, which reach to its end.
    pub(super) fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let first = (offset >> 3) as usize;
        let tail = &mut bytes[first..];
        let len = tail.len().min(9);
        let mut window = [0u8; 16];
        window[..len].copy_from_slice(&tail[..len]);
        let shift = 128 - (offset & 7) as u32 - self.bits;
        let old = u128::from_be_bytes(window);
        let new = old & !(u128::from(self.mask()) << shift) | u128::from(value as u64 & self.mask()) << shift;
        tail[..len].copy_from_slice(&new.to_be_bytes()[..len]);
    }

    /// `value + delta` as it fits in the field; `None` if it does not and `overflow` says fail.
    pub(super) fn fit(self, value: i64, delta: i64, overflow: Overflow) -> Option<i64> {
        // As redis has it, a negative number set to an unsigned field is a huge one.
        let value = if self.signed { i128::from(value) } else { i128::from(value as u64) };
        let sum = value + i128::from(delta);
        let most = if self.signed { i128::from(self.mask() >> 1) } else { i128::from(self.mask()) };
        let least = if self.signed { -most - 1 } else { 0 };
        if (least..=most).contains(&sum) {
            return Some(sum as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.value_of(sum as u64)),
            // Redis measures the room above with 64 bits: a number set so far below that the room overflows saturates above.
            Overflow::Saturate if self.signed && self.bits < 64 && most - value > i128::from(i64::MAX) => {
                Some(most as i64)
            }
            Overflow::Saturate => Some(sum.clamp(least, most) as i64),
            Overflow::Fail => None,
        }
    }
}

/// Reads the next operation at word `index`, or the OVERFLOW there; returns the index behind it.
pub(super) fn parse_op(
    cx: &Cx<'_>,
    index: usize,
    overflow: &mut Overflow,
) -> Result<(Option<FieldOp>, usize), ReplyError> {
    let (word, behind) = (cx.arg(index), cx.argc() - index - 1);
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    if is(b"overflow") && behind >= 1 {
        *overflow = parse_overflow(cx.arg(index + 1))?;
        return Ok((None, index + 2));
    }
    let (is_get, is_set) = (is(b"get") && behind >= 2, is(b"set") && behind >= 3);
    let is_add = is(b"incrby") && behind >= 3;
    if !(is_get || is_set || is_add) {
        return Err(ReplyError::Syntax);
    }
    let kind = FieldType::parse(cx.arg(index + 1))?;
    let offset = bit_offset(cx, index + 2, Some(kind.bits))?;
    let mut op = FieldOp { kind, offset, action: Action::Get, overflow: *overflow };
    if is_get {
        return Ok((Some(op), index + 3));
    }
    let number = parse_i64(cx.arg(index + 3)).ok_or(ReplyError::NotInteger)?;
    op.action = if is_set { Action::Set(number) } else { Action::Add(number) };
    Ok((Some(op), index + 4))
}

fn parse_overflow(word: &[u8]) -> Result<Overflow, ReplyError> {
    if word.eq_ignore_ascii_case(b"wrap") {
        Ok(Overflow::Wrap)
    } else if word.eq_ignore_ascii_case(b"sat") {
        Ok(Overflow::Saturate)
    } else if word.eq_ignore_ascii_case(b"fail") {
        Ok(Overflow::Fail)
    } else {
        Err(ReplyError::Text("ERR Invalid OVERFLOW type specified"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_and_read_anywhere() {
        for offset in 0..20 {
            for (signed, bits) in [(true, 1), (true, 5), (true, 33), (true, 64), (false, 1), (false, 63)] {
                let kind = FieldType { signed, bits };
                let mut bytes = [0xa5u8; 12];
                let value = kind.value_of(0x1234_5678_9abc_def5);
                kind.write(&mut bytes, offset, value);
                assert_eq!(kind.read(&bytes, offset), value, "{kind:?} at {offset}");
                let end = offset + u64::from(bits);
                for at in (0..offset).chain(end..96) {
                    assert_eq!(bytes[(at >> 3) as usize] >> (7 - at % 8) & 1, 0xa5u8 >> (7 - at % 8) & 1);
                }
            }
        }
    }

    #[test]
    fn overflow_rules() {
        let (i8_, u2) = (FieldType { signed: true, bits: 8 }, FieldType { signed: false, bits: 2 });
        assert_eq!(i8_.fit(127, 1, Overflow::Wrap), Some(-128));
        assert_eq!(i8_.fit(-128, -1, Overflow::Saturate), Some(-128));
        assert_eq!(i8_.fit(127, 1, Overflow::Fail), None);
        assert_eq!(u2.fit(-1, 0, Overflow::Saturate), Some(3));
        assert_eq!(u2.fit(3, -4, Overflow::Wrap), Some(3));
        assert_eq!(u2.fit(0, -1, Overflow::Saturate), Some(0));
        assert_eq!(i8_.fit(-(i64::MAX - 127), 0, Overflow::Saturate), Some(-128));
        assert_eq!(i8_.fit(-(i64::MAX - 126), 0, Overflow::Saturate), Some(127));
        let i64_ = FieldType { signed: true, bits: 64 };
        assert_eq!(i64_.fit(i64::MAX, 1, Overflow::Wrap), Some(i64::MIN));
        assert_eq!(i64_.fit(i64::MIN, -1, Overflow::Saturate), Some(i64::MIN));
    }
}
