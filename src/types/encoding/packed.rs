//! `Packed`: one listpack entry taken apart, ready to be copied into a chunk or compared with one that lies there.
//!
//! Made by `list` from a text, used by `chunk`; the byte layout is `listpack`'s. Invariant: the three parts in order are exactly the entry
//! redis would write for the text (integers in the shortest form), so equal texts have equal entries. Bounds: no allocation.
//! Why not encode into a buffer first: a push would write its element twice.
use super::listpack::backlen_size;
use crate::base::number::parse_i64;
use crate::types::element::Element;

/// Longest text that can be an integer.
const INTEGER_TEXT: usize = 20;

/// See the module's text.
pub struct Packed<'a> {
    head: [u8; 9],
    head_len: u8,
    tail: [u8; 5],
    tail_len: u8,
    text: &'a [u8],
}

/// The shortest encoding of an integer and its length.
fn pack_integer(number: i64) -> ([u8; 9], u8) {
    let mut head = [0; 9];
    let (tag, len) = match number {
        0..=127 => {
            head[0] = number as u8;
            return (head, 1);
        }
        -4096..=4095 => {
            let bits = (number as u16) & 0x1fff;
            (head[0], head[1]) = ((bits >> 8) as u8 | 0xc0, bits as u8);
            return (head, 2);
        }
        -32768..=32767 => (0xf1, 2),
        -8_388_608..=8_388_607 => (0xf2, 3),
        -2_147_483_648..=2_147_483_647 => (0xf3, 4),
        _ => (0xf4, 8),
    };
    head[0] = tag;
    head[1..1 + len].copy_from_slice(&number.to_le_bytes()[..len]);
    (head, 1 + len as u8)
}

/// What stands before a text of `len` bytes.
fn pack_len(len: usize) -> ([u8; 9], u8) {
    let mut head = [0; 9];
    match len {
        0..=63 => {
            head[0] = len as u8 | 0x80;
            (head, 1)
        }
        64..=4095 => {
            (head[0], head[1]) = ((len >> 8) as u8 | 0xe0, len as u8);
            (head, 2)
        }
        _ => {
            head[0] = 0xf0;
            head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
            (head, 5)
        }
    }
}

impl<'a> Packed<'a> {
    /// The entry of `text` (shorter than 4 GB).
    #[inline]
    pub fn new(text: &'a [u8]) -> Self {
        match if text.len() <= INTEGER_TEXT { parse_i64(text) } else { None } {
            Some(number) => Self::finish(pack_integer(number), &[]),
            None => Self::finish(pack_len(text.len()), text),
        }
    }

    /// The entry of an element.
    pub fn of(element: Element<'a>) -> Self {
        match element {
            Element::Bytes(text) => Self::new(text),
            Element::Int(number) => Self::finish(pack_integer(number), &[]),
        }
    }

    #[inline]
    fn finish((head, head_len): ([u8; 9], u8), text: &'a [u8]) -> Self {
        let body = head_len as usize + text.len();
        let size = backlen_size(body);
        let mut tail = [0; 5];
        for (at, byte) in tail[..size].iter_mut().enumerate() {
            let group = (body >> (7 * (size - 1 - at)) & 127) as u8;
            *byte = if at == 0 { group } else { group | 128 };
        }
        Self { head, head_len, tail, tail_len: size as u8, text }
    }

    /// Bytes of the whole entry.
    #[inline]
    pub fn len(&self) -> usize {
        self.head_len as usize + self.text.len() + self.tail_len as usize
    }

    /// An entry has at least two bytes.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What stands before the text; all of an integer's entry.
    #[inline]
    pub fn head(&self) -> &[u8] {
        &self.head[..self.head_len as usize]
    }

    /// The text; empty for an integer.
    #[inline]
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The parts in order.
    #[inline]
    pub fn parts(&self) -> [&[u8]; 3] {
        [&self.head[..self.head_len as usize], self.text, &self.tail[..self.tail_len as usize]]
    }

    /// Whether `entry` (backlen left out) is this one.
    #[inline]
    pub fn is_body(&self, body: &[u8]) -> bool {
        let head = self.head_len as usize;
        body.len() == head + self.text.len()
            && body[..head] == self.head[..head]
            && body[head..] == *self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::encoding::listpack::ListPack;

    #[test]
    fn an_entry_is_what_a_listpack_holds() {
        let mut texts: Vec<Vec<u8>> = (0..400).map(|len| vec![b'x'; len * 53]).collect();
        for shift in 0..64 {
            for near in -1..=1 {
                let power = (1i64 << shift).wrapping_add(near);
                texts.push(power.to_string().into_bytes());
                texts.push(power.wrapping_neg().to_string().into_bytes());
            }
        }
        texts.push(b"-0".to_vec());
        texts.push(b"01".to_vec());
        for text in texts {
            let mut pack = ListPack::new();
            pack.push(&text);
            let whole = pack.as_bytes();
            let packed = Packed::new(&text);
            assert_eq!(packed.parts().concat(), whole[6..whole.len() - 1]);
            assert_eq!(packed.len(), whole.len() - 7);
            assert!(packed.is_body(&whole[6..whole.len() - 1 - packed.tail_len as usize]));
        }
    }
}
