//! `Span`: the range of bits that BITCOUNT and BITPOS look at.
//!
//! Called by `count` and `position`. Invariant: a span lies inside its string and is not empty. Bounds: none.

/// Bits `first..=last` of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// First bit.
    pub first: u64,
    /// Last bit.
    pub last: u64,
}

/// What range words count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// BYTE
    Byte,
    /// BIT
    Bit,
}

impl Unit {
    /// The unit a word names.
    pub(super) fn parse(word: &[u8]) -> Option<Unit> {
        if word.eq_ignore_ascii_case(b"bit") {
            Some(Unit::Bit)
        } else if word.eq_ignore_ascii_case(b"byte") {
            Some(Unit::Byte)
        } else {
            None
        }
    }
}

impl Span {
    /// All bits of `len` bytes.
    pub(super) fn whole(len: usize) -> Option<Span> {
        Span::clamped(0, -1, Unit::Byte, len)
    }

    /// Units `first..=last` of `len` bytes; negative ones count from the end.
    pub(super) fn clamped(first: i64, last: i64, unit: Unit, len: usize) -> Option<Span> {
        let bits: i64 = if unit == Unit::Bit { 1 } else { 8 };
        let units = len as i64 * 8 / bits;
        let from_start = |at: i64| if at < 0 { (units + at).max(0) } else { at };
        let (first, last) = (from_start(first), from_start(last).min(units - 1));
        let end = || last * bits + bits - 1;
        (first <= last).then(|| Span { first: (first * bits) as u64, last: end() as u64 })
    }

    /// The bytes the span touches, and which bits of the first and the last of them it leaves out.
    pub(super) fn bytes(self) -> (std::ops::RangeInclusive<usize>, u8, u8) {
        let before = !(0xffu8 >> (self.first & 7));
        let behind = 0x7fu8 >> (self.last & 7);
        ((self.first >> 3) as usize..=(self.last >> 3) as usize, before, behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_clamped() {
        assert_eq!(Span::whole(0), None);
        assert_eq!(Span::whole(2), Some(Span { first: 0, last: 15 }));
        assert_eq!(Span::clamped(-5, -3, Unit::Bit, 1), Some(Span { first: 3, last: 5 }));
        assert_eq!(Span::clamped(i64::MIN, i64::MAX, Unit::Bit, 1), Some(Span { first: 0, last: 7 }));
        assert_eq!(Span::clamped(3, 2, Unit::Byte, 9), None);
        let (bytes, before, behind) = Span { first: 3, last: 13 }.bytes();
        assert_eq!((bytes, before, behind), (0..=1, 0b1110_0000, 0b0000_0011));
    }
}
