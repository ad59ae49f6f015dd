//! Ziplists and zipmaps: how redis before 7.0 kept small collections.
//!
//! Called by `load`. Layouts:
//! ```text
//! ziplist: bytes u32 | offset of last u32 | entries u16 (65535: unknown) | entry … | FF
//! entry:   length of the one before (u8, or FE u32) | encoding | data
//! 00pppppp 01pppppp+1 10……+4 string of 6, 14, 32 bits (big-endian) | C0 i16 | D0 i32 | E0 i64 | F0 i24 | FE i8 | F1…FD the numbers 0…12
//! zipmap:  entries u8 | field length, field, value length, unused u8, value, unused bytes … | FF      length: u8, or FE u32 LE
//! ```
//! Invariant: every length is checked against the bytes that are left. Bounds: the elements take a fixed multiple of the input.
use crate::base::number::write_i64;

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// Reads forward within a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.array::<1>()?[0])
    }

    /// A signed little-endian integer of `N` bytes.
    fn int<const N: usize>(&mut self) -> Option<i64> {
        let bytes = self.array::<N>()?;
        let mut wide = [if bytes[N - 1] & 0x80 != 0 { 0xff } else { 0 }; 8];
        wide[..N].copy_from_slice(&bytes);
        Some(i64::from_le_bytes(wide))
    }
}

fn number(number: i64) -> Vec<u8> {
    let mut text = Vec::with_capacity(20);
    write_i64(&mut text, number);
    text
}

fn entry(reader: &mut Reader<'_>, before: usize) -> Option<Vec<u8>> {
    let previous = match reader.byte()? {
        LONG => u32::from_le_bytes(reader.array()?) as usize,
        END => return None,
        len => usize::from(len),
    };
    if previous != before {
        return None;
    }
    let encoding = reader.byte()?;
    let len = match encoding >> 6 {
        0 => usize::from(encoding),
        1 => usize::from(encoding & 0x3f) << 8 | usize::from(reader.byte()?),
        2 => u32::from_be_bytes(reader.array()?) as usize,
        _ => {
            return Some(number(match encoding {
                0xc0 => reader.int::<2>()?,
                0xd0 => reader.int::<4>()?,
                0xe0 => reader.int::<8>()?,
                0xf0 => reader.int::<3>()?,
                0xfe => reader.int::<1>()?,
                0xf1..=0xfd => i64::from(encoding & 0x0f) - 1,
                _ => return None,
            }));
        }
    };
    Some(reader.take(len)?.to_vec())
}

/// The elements of a ziplist; None if it is not one.
pub fn ziplist(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut reader = Reader(bytes);
    let total = u32::from_le_bytes(reader.array()?) as usize;
    let tail = u32::from_le_bytes(reader.array()?) as usize;
    let count = u16::from_le_bytes(reader.array()?);
    if total != bytes.len() || *bytes.last()? != END {
        return None;
    }
    let (mut elements, mut before, mut last_at) = (Vec::new(), 0, bytes.len() - reader.0.len());
    while reader.0.len() > 1 {
        let left = reader.0.len();
        last_at = bytes.len() - left;
        elements.push(entry(&mut reader, before)?);
        before = left - reader.0.len();
    }
    let counted = count == u16::MAX || usize::from(count) == elements.len();
    (reader.0.len() == 1 && counted && tail == last_at).then_some(elements)
}

/// Fields and values of a zipmap, in turn; None if it is not one.
pub fn zipmap(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut reader = Reader(bytes);
    let count = reader.byte()?;
    let len = |reader: &mut Reader<'_>, first: u8| match first {
        LONG => Some(u32::from_le_bytes(reader.array()?) as usize),
        END => None,
        len => Some(usize::from(len)),
    };
    let mut elements = Vec::new();
    loop {
        let first = reader.byte()?;
        if first == END {
            break;
        }
        let field = len(&mut reader, first)?;
        elements.push(reader.take(field)?.to_vec());
        let first = reader.byte()?;
        let value = len(&mut reader, first)?;
        let unused = reader.byte()?;
        elements.push(reader.take(value)?.to_vec());
        reader.take(usize::from(unused))?;
    }
    let counted = count >= LONG || usize::from(count) * 2 == elements.len();
    (reader.0.is_empty() && counted).then_some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ziplist_of_every_encoding() {
        let mut body = Vec::new();
        let mut before = 0usize;
        let mut put = |data: &[u8]| {
            let mut entry = vec![before as u8];
            if before >= 254 {
                entry = [&[LONG][..], &(before as u32).to_le_bytes()].concat();
            }
            entry.extend_from_slice(data);
            before = entry.len();
            body.extend_from_slice(&entry);
            before
        };
        put(b"\x03abc");
        put(&[&[0x41, 0x2c][..], &[b'x'; 300]].concat());
        put(&[&[0x80, 0, 0, 0, 2][..], b"hi"].concat());
        put(&[0xc0, 0xff, 0xff]);
        put(&[0xd0, 1, 0, 1, 0]);
        put(&[0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
        put(&[0xf0, 0xfe, 0xff, 0xff]);
        put(&[0xfe, 0x80]);
        let last = put(&[0xfd]);
        let tail = 10 + body.len() - last;
        let total = 10 + body.len() + 1;
        let mut list = (total as u32).to_le_bytes().to_vec();
        list.extend_from_slice(&(tail as u32).to_le_bytes());
        list.extend_from_slice(&9u16.to_le_bytes());
        list.extend_from_slice(&body);
        list.push(END);
        let texts: Vec<String> = ziplist(&list)
            .map(|all| all.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect())
            .unwrap_or_default();
        let long = "x".repeat(300);
        assert_eq!(texts, ["abc", &long, "hi", "-1", "65537", "-9223372036854775808", "-2", "-128", "12"]);
        assert_eq!(ziplist(&list[..list.len() - 1]), None);
        assert_eq!(zipmap(b"\x01\x03foo\x05\x01hello!\xff"), Some(vec![b"foo".to_vec(), b"hello".to_vec()]));
    }
}
