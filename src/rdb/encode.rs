//! The primitives of RDB on their way out: lengths, strings, doubles, times.
//!
//! Called by `save`. Invariant: what is written is what redis 7.0.15 writes for the same data (a compressed string may differ within LZF). Bounds: none;
//! memory is the sink's. Why a sink and not a `Vec`: a snapshot sends chunks away while a value is being walked.
use super::lzf;
use crate::base::number::parse_i64;
use crate::types::element::Element;

/// Strings up to this length are never compressed, bytes.
const COMPRESS_ABOVE: usize = 20;
/// Integers longer than this are written as text, bytes.
const INT_TEXT_MAX: usize = 11;

/// Takes the bytes of a value piece by piece.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
    /// Bytes taken so far.
    fn taken(&self) -> usize;
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn taken(&self) -> usize {
        self.len()
    }
}

/// What the server's settings say about writing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// rdbcompression.
    pub compress: bool,
    /// Wall clock minus internal clock, ms: fields' expiries leave as wall times.
    pub wall_offset_ms: i64,
}

/// Writes primitives to a sink.
pub struct Encoder<'s> {
    sink: &'s mut dyn Sink,
    style: Style,
}

impl<'s> Encoder<'s> {
    /// Onto `sink`.
    pub fn new(sink: &'s mut dyn Sink, style: Style) -> Self {
        Self { sink, style }
    }

    /// A time of the internal clock as unix ms.
    pub fn wall_ms(&self, internal_ms: u64) -> i64 {
        (internal_ms as i64).saturating_add(self.style.wall_offset_ms)
    }

    /// Bytes the sink took so far.
    pub fn taken(&self) -> usize {
        self.sink.taken()
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.sink.put(bytes);
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.sink.put(&[byte]);
    }

    /// A length (or any unsigned number).
    pub fn len(&mut self, len: u64) {
        match len {
            0..64 => self.byte(len as u8),
            64..16_384 => self.raw(&(len as u16 | 0x4000).to_be_bytes()),
            16_384..=0xffff_ffff => {
                self.byte(0x80);
                self.raw(&(len as u32).to_be_bytes());
            }
            _ => {
                self.byte(0x81);
                self.raw(&len.to_be_bytes());
            }
        }
    }

    fn int(&mut self, number: i64) {
        if let Ok(number) = i8::try_from(number) {
            self.raw(&[0xc0, number as u8]);
        } else if let Ok(number) = i16::try_from(number) {
            self.byte(0xc1);
            self.raw(&number.to_le_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.byte(0xc2);
            self.raw(&number.to_le_bytes());
        } else {
            let text = number.to_string();
            self.len(text.len() as u64);
            self.raw(text.as_bytes());
        }
    }

    /// A string: an integer, compressed, or as it is.
    pub fn string(&mut self, text: &[u8]) {
        if text.len() <= INT_TEXT_MAX
            && let Some(number) = parse_i64(text).filter(|&number| i32::try_from(number).is_ok())
        {
            return self.int(number);
        }
        if self.style.compress
            && text.len() > COMPRESS_ABOVE
            && let Some(short) = lzf::compress(text)
        {
            self.byte(0xc3);
            self.len(short.len() as u64);
            self.len(text.len() as u64);
            return self.raw(&short);
        }
        self.len(text.len() as u64);
        self.raw(text);
    }

    /// A string that may be kept as a number.
    pub fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Int(number) => self.int(number),
            Element::Bytes(text) => self.string(text),
        }
    }

    /// A double, 8 bytes little-endian.
    pub fn double(&mut self, value: f64) {
        self.raw(&value.to_le_bytes());
    }

    /// A time in ms, 8 bytes little-endian.
    pub fn time_ms(&mut self, ms: i64) {
        self.raw(&ms.to_le_bytes());
    }
}
