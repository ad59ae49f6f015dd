//! Lengths and strings as they lie in RDB bytes that may not all be there yet.
//!
//! Called by `decode` (all bytes are there) and `file::skip` (more may come). Layout of a length:
//! ```text
//! 00LLLLLL | 01LLLLLL+1 byte | 80 + u32 big-endian | 81 + u64 big-endian | 11EEEEEE: no length, a string encoded specially:
//! C0 i8 | C1 i16 LE | C2 i32 LE | C3 length packed, length plain, LZF bytes
//! ```
//! Invariant: nothing is read outside the slice, no sum of lengths overflows. Bounds: none; nothing is allocated.
use super::decode::Damage;

/// Why nothing could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The bytes end before it does.
    More,
    /// They are wrong.
    Bad(Damage),
}

/// A length, or the mark of a specially encoded string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// So many bytes, elements, or just the number.
    Len(u64),
    /// The lower six bits of C0 … FF.
    Special(u8),
}

/// The integers among the special encodings.
pub const INT8: u8 = 0;
/// See [`INT8`].
pub const INT16: u8 = 1;
/// See [`INT8`].
pub const INT32: u8 = 2;
/// The compressed string among the special encodings.
pub const LZF: u8 = 3;

/// The first `N` bytes.
#[inline]
pub fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Stop> {
    bytes.first_chunk::<N>().copied().ok_or(Stop::More)
}

/// A head and how many bytes it takes.
#[inline]
pub fn head(bytes: &[u8]) -> Result<(Head, usize), Stop> {
    let &first = bytes.first().ok_or(Stop::More)?;
    Ok(match first >> 6 {
        0 => (Head::Len(u64::from(first)), 1),
        1 => {
            let [_, low] = array(bytes)?;
            (Head::Len(u64::from(first & 0x3f) << 8 | u64::from(low)), 2)
        }
        2 => match first {
            0x80 => (Head::Len(u64::from(u32::from_be_bytes(array(&bytes[1..])?))), 5),
            0x81 => (Head::Len(u64::from_be_bytes(array(&bytes[1..])?)), 9),
            _ => return Err(Stop::Bad(Damage("Unknown length encoding in rdbLoadLen()"))),
        },
        _ => (Head::Special(first & 0x3f), 1),
    })
}

/// A length (or any unsigned number) and how many bytes it takes.
#[inline]
pub fn length(bytes: &[u8]) -> Result<(u64, usize), Stop> {
    match head(bytes)? {
        (Head::Len(len), used) => Ok((len, used)),
        (Head::Special(_), _) => Err(Stop::Bad(Damage("a string where a length belongs"))),
    }
}

/// How many bytes the string at the start takes, its head included. They are all there.
#[inline]
pub fn string_span(bytes: &[u8]) -> Result<usize, Stop> {
    let (content, used) = match head(bytes)? {
        (Head::Len(len), used) => (len, used),
        (Head::Special(INT8), used) => (1, used),
        (Head::Special(INT16), used) => (2, used),
        (Head::Special(INT32), used) => (4, used),
        (Head::Special(LZF), _) => {
            let (packed, first) = length(&bytes[1..])?;
            let (_, second) = length(&bytes[1 + first..])?;
            (packed, 1 + first + second)
        }
        (Head::Special(_), _) => return Err(Stop::Bad(Damage("Unknown RDB string encoding type"))),
    };
    // A length beyond memory is one whose bytes never come: redis, too, calls that a short read.
    if content > (bytes.len() - used) as u64 { Err(Stop::More) } else { Ok(used + content as usize) }
}
