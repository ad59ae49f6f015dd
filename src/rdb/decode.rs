//! The primitives of RDB on their way in: lengths, strings, doubles, times.
//!
//! Called by `load` and its files. Invariant: nothing is believed: a length is never allocated before its bytes are there. Bounds: memory grows
//! with the bytes read, a compressed string at most 89-fold. Why a trait for the source: a payload lies in memory, a file is read in blocks.
use super::lzf;

/// What is wrong with the bytes, for logs; a client is told `Bad data format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage(pub &'static str);

/// Shorthand for everything here.
pub type Loaded<T> = Result<T, Damage>;

/// Gives bytes in order.
pub trait Source {
    /// The next `len` bytes, appended to `into`.
    ///
    /// # Errors
    /// The end came first. Must not allocate more than was there.
    fn read(&mut self, len: usize, into: &mut Vec<u8>) -> Loaded<()>;
}

impl Source for &[u8] {
    fn read(&mut self, len: usize, into: &mut Vec<u8>) -> Loaded<()> {
        let Some((bytes, rest)) = self.split_at_checked(len) else { return Err(Damage("cut short")) };
        into.extend_from_slice(bytes);
        *self = rest;
        Ok(())
    }
}

/// A length, or the mark of a specially encoded string.
enum Head {
    Len(u64),
    Special(u8),
}

/// Reads primitives from a source.
pub struct Decoder<'s> {
    source: &'s mut dyn Source,
    scratch: Vec<u8>,
}

impl<'s> Decoder<'s> {
    /// From `source`.
    pub fn new(source: &'s mut dyn Source) -> Self {
        Self { source, scratch: Vec::new() }
    }

    /// `len` bytes.
    pub fn raw(&mut self, len: usize) -> Loaded<Vec<u8>> {
        let mut bytes = Vec::new();
        self.source.read(len, &mut bytes)?;
        Ok(bytes)
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Loaded<[u8; N]> {
        self.scratch.clear();
        self.source.read(N, &mut self.scratch)?;
        self.scratch.as_slice().try_into().map_err(|_| Damage("cut short"))
    }

    /// One byte.
    pub fn byte(&mut self) -> Loaded<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn head(&mut self) -> Loaded<Head> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Head::Len(u64::from(first)),
            1 => Head::Len(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            2 => match first {
                0x80 => Head::Len(u64::from(u32::from_be_bytes(self.array()?))),
                0x81 => Head::Len(u64::from_be_bytes(self.array()?)),
                _ => return Err(Damage("unknown length encoding")),
            },
            _ => Head::Special(first & 0x3f),
        })
    }

    /// A length (or any unsigned number).
    pub fn length(&mut self) -> Loaded<u64> {
        match self.head()? {
            Head::Len(len) => Ok(len),
            Head::Special(_) => Err(Damage("a string where a length belongs")),
        }
    }

    /// A number of elements: not zero.
    pub fn count(&mut self) -> Loaded<u64> {
        match self.length()? {
            0 => Err(Damage("an empty collection")),
            count => Ok(count),
        }
    }

    fn usize(&mut self) -> Loaded<usize> {
        usize::try_from(self.length()?).map_err(|_| Damage("a length beyond memory"))
    }

    /// A string, whatever its encoding.
    pub fn string(&mut self) -> Loaded<Vec<u8>> {
        let number = match self.head()? {
            Head::Len(len) => {
                let len = usize::try_from(len).map_err(|_| Damage("a length beyond memory"))?;
                return self.raw(len);
            }
            Head::Special(0) => i64::from(i8::from_le_bytes(self.array()?)),
            Head::Special(1) => i64::from(i16::from_le_bytes(self.array()?)),
            Head::Special(2) => i64::from(i32::from_le_bytes(self.array()?)),
            Head::Special(3) => {
                let (short, len) = (self.usize()?, self.usize()?);
                let short = self.raw(short)?;
                return lzf::expand(&short, len).ok_or(Damage("bad LZF data"));
            }
            Head::Special(_) => return Err(Damage("unknown string encoding")),
        };
        Ok(number.to_string().into_bytes())
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
                let text = std::str::from_utf8(&text).map_err(|_| Damage("a score that is no number"))?;
                text.trim_end_matches('\0').parse().map_err(|_| Damage("a score that is no number"))
            }
        }
    }

    /// A time in ms, 8 bytes little-endian.
    pub fn time_ms(&mut self) -> Loaded<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }
}
