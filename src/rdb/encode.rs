//! The primitives of RDB on their way out: lengths, strings, doubles, times.
//!
//! Called by `save` and `long`. Invariant: what is written is what redis 7.0.15 writes for the same data (a compressed string may differ within LZF). Bounds: none;
//! memory is the buffer's. Why a `Vec` and no trait: a snapshot's chunk is one, and a call per byte is dear.
use super::lzf;
use crate::base::number::{DigitBuffer, parse_i64};
use crate::types::element::Element;

/// Strings up to this length are never compressed, bytes.
const COMPRESS_ABOVE: usize = 20;
/// Integers longer than this are written as text, bytes.
const INT_TEXT_MAX: usize = 11;

/// What the server's settings say about writing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// rdbcompression.
    pub compress: bool,
    /// Wall clock minus internal clock, ms: fields' expiries leave as wall times.
    pub wall_offset_ms: i64,
}

/// Appends primitives to a buffer.
pub struct Encoder<'s> {
    out: &'s mut Vec<u8>,
    style: Style,
}

impl<'s> Encoder<'s> {
    /// Behind what is in `out`.
    pub fn new(out: &'s mut Vec<u8>, style: Style) -> Self {
        Self { out, style }
    }

    /// Whether strings may be compressed.
    pub fn compresses(&self) -> bool {
        self.style.compress
    }

    /// A time of the internal clock as unix ms.
    pub fn wall_ms(&self, internal_ms: u64) -> i64 {
        (internal_ms as i64).saturating_add(self.style.wall_offset_ms)
    }

    /// Bytes in the buffer.
    pub fn taken(&self) -> usize {
        self.out.len()
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
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
            let mut digits = DigitBuffer::default();
            let text = digits.format(number);
            self.len(text.len() as u64);
            self.raw(text);
        }
    }

    /// A string: an integer, compressed, or as it is.
    pub fn string(&mut self, text: &[u8]) {
        if text.len() <= INT_TEXT_MAX
            && let Some(number) = parse_i64(text).filter(|&number| i32::try_from(number).is_ok())
        {
            return self.int(number);
        }
        if self.style.compress && text.len() > COMPRESS_ABOVE {
            let written = lzf::compressed(text, |short| {
                self.packed_head(short.len(), text.len());
                self.raw(short);
            });
            if written.is_some() {
                return;
            }
        }
        self.len(text.len() as u64);
        self.raw(text);
    }

    /// What stands before the bytes of a compressed string.
    pub fn packed_head(&mut self, packed: usize, plain: usize) {
        self.byte(0xc3);
        self.len(packed as u64);
        self.len(plain as u64);
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
