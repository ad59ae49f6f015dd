//! The primitives of RDB on their way in: lengths, strings, doubles, times.
//!
//! Called by `load` and its files; calls `length`. Invariant: nothing is believed: a length is never allocated before its bytes are there. Bounds: strings are
//! borrowed where they lie; a compressed one is at most 89 times as long as its bytes. Why slices and not a reader: a payload and a file's record lie in memory
//! as a whole, and most strings can be taken from there without a copy.
use super::length::{self, Head, Stop};
use super::lzf;
use crate::base::number::{DigitBuffer, parse_f64};
use std::borrow::Cow;

/// What is wrong with the bytes, for logs; a client is told `Bad data format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage(pub &'static str);

/// The bytes end in the middle of a value.
pub const CUT: Damage = Damage("cut short");
/// A collection without elements: in a file such a key is skipped with a message, in a payload it is refused.
pub const EMPTY: Damage = Damage("an empty collection");

/// Shorthand for everything here.
pub type Loaded<T> = Result<T, Damage>;

impl From<Stop> for Damage {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::More => CUT,
            Stop::Bad(damage) => damage,
        }
    }
}

/// Reads primitives from the front of a slice, and takes them off it.
pub struct Decoder<'s, 'b> {
    rest: &'s mut &'b [u8],
}

impl<'s, 'b> Decoder<'s, 'b> {
    /// From `rest`.
    pub fn new(rest: &'s mut &'b [u8]) -> Self {
        Self { rest }
    }

    /// `len` bytes.
    pub fn raw(&mut self, len: usize) -> Loaded<&'b [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(CUT)?;
        *self.rest = rest;
        Ok(bytes)
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Loaded<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(CUT)?;
        *self.rest = rest;
        Ok(*bytes)
    }

    /// One byte.
    pub fn byte(&mut self) -> Loaded<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn head(&mut self) -> Loaded<Head> {
        let (head, used) = length::head(self.rest)?;
        *self.rest = &self.rest[used..];
        Ok(head)
    }

    /// A length (or any unsigned number).
    pub fn length(&mut self) -> Loaded<u64> {
        let (len, used) = length::length(self.rest)?;
        *self.rest = &self.rest[used..];
        Ok(len)
    }

    /// A number of elements: not zero.
    pub fn count(&mut self) -> Loaded<u64> {
        match self.length()? {
            0 => Err(EMPTY),
            count => Ok(count),
        }
    }

    fn usize(&mut self) -> Loaded<usize> {
        usize::try_from(self.length()?).map_err(|_| CUT)
    }

    /// A string, whatever its encoding.
    pub fn string(&mut self) -> Loaded<Cow<'b, [u8]>> {
        let number = match self.head()? {
            Head::Len(len) => {
                let len = usize::try_from(len).map_err(|_| CUT)?;
                return self.raw(len).map(Cow::Borrowed);
            }
            Head::Special(length::INT8) => i64::from(i8::from_le_bytes(self.array()?)),
            Head::Special(length::INT16) => i64::from(i16::from_le_bytes(self.array()?)),
            Head::Special(length::INT32) => i64::from(i32::from_le_bytes(self.array()?)),
            Head::Special(length::LZF) => {
                let (short, len) = (self.usize()?, self.usize()?);
                let plain = lzf::expand(self.raw(short)?, len);
                return plain.map(Cow::Owned).ok_or(Damage("Invalid LZF compressed string"));
            }
            Head::Special(_) => return Err(Damage("Unknown RDB string encoding type")),
        };
        Ok(Cow::Owned(DigitBuffer::default().format(number).to_vec()))
    }

    /// A double, 8 bytes little-endian.
    pub fn double(&mut self) -> Loaded<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// A double as text, as old sorted sets have them.
    pub fn text_double(&mut self) -> Loaded<f64> {
        match self.byte()? {
            253 => Ok(f64::NAN),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            len => {
                let text = self.raw(usize::from(len))?;
                let end = memchr::memchr(0, text).unwrap_or(text.len());
                parse_f64(&text[..end]).ok_or(Damage("a score that is no number"))
            }
        }
    }

    /// A time in ms, 8 bytes little-endian.
    pub fn time_ms(&mut self) -> Loaded<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}
