//! Redis' listpack: a packed sequence of strings and integers in one buffer, byte for byte as DUMP and RDB carry it.
//!
//! Used by streams' nodes and by `rdb`; small hashes, sets and sorted sets keep its entries in `pack`s and make one for DUMP and RDB. Layout:
//! ```text
//! total bytes u32 LE | count u16 LE (65535 = unknown) | entry … | 0xFF
//! entry: encoding+data | backlen (length of encoding+data, 7 bits a byte, readable backwards)
//! 0xxxxxxx u7 | 10xxxxxx str ≤63 | 110xxxxx+1 i13 | 1110xxxx+1 str ≤4095 | F0+4 str | F1 i16 | F2 i24 | F3 i32 | F4 i64
//! ```
//! Invariant: a `ListPack` was built by its own methods or passed [`ListPack::from_bytes`], which walks everything; so
//! readers index without error paths (a wrong length would panic, never read outside). Offsets are of entry starts.
//! Bounds: 1 GB as redis' lpSafeToAdd. Why not a friendlier layout of our own: DUMP, RDB and MEMORY would need another encoder each.
use crate::base::memory::good_size;
use crate::base::number::parse_i64;
use crate::types::element::Element;

/// Bytes before the first entry.
pub const HEAD: usize = 6;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;
/// A listpack never grows beyond this many bytes.
pub const SAFE_BYTES: usize = 1 << 30;

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPack {
    bytes: Vec<u8>,
}

impl Default for ListPack {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that hold a length of `len` backwards; the odd `<` are redis'.
pub(super) const fn backlen_size(len: usize) -> usize {
    if len <= 127 {
        1
    } else if len < 16383 {
        2
    } else if len < 2_097_151 {
        3
    } else if len < 268_435_455 {
        4
    } else {
        5
    }
}

fn push_backlen(out: &mut Vec<u8>, len: usize) {
    let size = backlen_size(len);
    for place in (0..size).rev() {
        let group = (len >> (7 * place) & 127) as u8;
        out.push(if place == size - 1 { group } else { group | 128 });
    }
}

/// Whether these bytes are what [`push_backlen`] writes for `len`.
#[inline]
fn is_backlen(bytes: &[u8], len: usize) -> bool {
    let group =
        |place: usize| (len >> (7 * place) & 127) as u8 | if place + 1 < bytes.len() { 128 } else { 0 };
    bytes.iter().rev().enumerate().all(|(place, &byte)| byte == group(place))
}

fn push_int(out: &mut Vec<u8>, number: i64) {
    match number {
        0..=127 => out.push(number as u8),
        -4096..=4095 => {
            let bits = (number as u16) & 0x1fff;
            out.extend_from_slice(&[(bits >> 8) as u8 | 0xc0, bits as u8]);
        }
        -32768..=32767 => {
            out.push(0xf1);
            out.extend_from_slice(&(number as i16).to_le_bytes());
        }
        -8_388_608..=8_388_607 => {
            out.push(0xf2);
            out.extend_from_slice(&(number as i32).to_le_bytes()[..3]);
        }
        -2_147_483_648..=2_147_483_647 => {
            out.push(0xf3);
            out.extend_from_slice(&(number as i32).to_le_bytes());
        }
        _ => {
            out.push(0xf4);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// The entry's bytes, backlen included.
fn encode(element: Element<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    let number = match element {
        Element::Int(number) => Some(number),
        Element::Bytes(bytes) if bytes.len() < 21 => parse_i64(bytes),
        Element::Bytes(_) => None,
    };
    match (number, element) {
        (Some(number), _) => push_int(out, number),
        (None, Element::Int(_)) => {}
        (None, Element::Bytes(bytes)) => {
            match bytes.len() {
                len @ 0..=63 => out.push(len as u8 | 0x80),
                len @ 64..=4095 => out.extend_from_slice(&[(len >> 8) as u8 | 0xe0, len as u8]),
                len => {
                    out.push(0xf0);
                    out.extend_from_slice(&(len as u32).to_le_bytes());
                }
            }
            out.extend_from_slice(bytes);
        }
    }
    let len = out.len() - start;
    push_backlen(out, len);
}

/// Length of encoding+data of the entry at the start of `bytes` (without backlen); None if it is cut or unknown.
#[inline]
pub(super) fn body_len(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let len = match first {
        0..=0x7f => 1,
        0x80..=0xbf => 1 + usize::from(first & 0x3f),
        0xc0..=0xdf => 2,
        0xe0..=0xef => 2 + (usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(1)?)),
        0xf0 => 5 + u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?) as usize,
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        0xf4 => 9,
        _ => return None,
    };
    (len <= bytes.len()).then_some(len)
}

#[inline]
pub(super) fn decode(body: &[u8]) -> Element<'_> {
    let first = body[0];
    let int = |range: &[u8]| -> i64 {
        let mut wide = [if range[range.len() - 1] & 0x80 != 0 { 0xff } else { 0 }; 8];
        wide[..range.len()].copy_from_slice(range);
        i64::from_le_bytes(wide)
    };
    match first {
        0..=0x7f => Element::Int(i64::from(first)),
        0x80..=0xbf => Element::Bytes(&body[1..]),
        0xc0..=0xdf => {
            let bits = i64::from(first & 0x1f) << 8 | i64::from(body[1]);
            Element::Int(if bits >= 4096 { bits - 8192 } else { bits })
        }
        0xe0..=0xef => Element::Bytes(&body[2..]),
        0xf0 => Element::Bytes(&body[5..]),
        _ => Element::Int(int(&body[1..])),
    }
}

impl ListPack {
    /// An empty one (7 bytes).
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(good_size(HEAD + 1));
        bytes.extend_from_slice(&[7, 0, 0, 0, 0, 0, END]);
        Self { bytes }
    }

    /// Takes bytes from outside after a full walk: header, every entry and its backlen, terminator, count.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let total = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let count = u16::from_le_bytes(bytes.get(4..6)?.try_into().ok()?);
        if total != bytes.len() || bytes.len() <= HEAD || *bytes.last()? != END {
            return None;
        }
        let (mut at, mut seen) = (HEAD, 0usize);
        while at < total - 1 {
            let body = body_len(&bytes[at..total - 1])?;
            let size = backlen_size(body);
            if !is_backlen(bytes.get(at + body..at + body + size)?, body) {
                return None;
            }
            at += body + size;
            seen += 1;
        }
        let counted = count == COUNT_UNKNOWN || usize::from(count) == seen;
        (at == total - 1 && counted).then_some(Self { bytes })
    }

    /// The serialized form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The serialized form, given away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        match u16::from_le_bytes([self.bytes[4], self.bytes[5]]) {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEAD + 1
    }

    /// Bytes the allocator holds for it.
    pub fn heap_bytes(&self) -> usize {
        good_size(self.bytes.capacity())
    }

    /// Offset of the first entry; None if empty.
    pub fn first(&self) -> Option<usize> {
        (!self.is_empty()).then_some(HEAD)
    }

    /// Offset of the entry after the one at `at`.
    pub fn next(&self, at: usize) -> Option<usize> {
        let after = at + self.entry_len(at);
        (self.bytes[after] != END).then_some(after)
    }

    /// Offset of the entry before the one at `at`.
    pub fn previous(&self, at: usize) -> Option<usize> {
        (at > HEAD).then(|| {
            let (mut len, mut size, mut byte) = (0usize, 0, at - 1);
            loop {
                len |= usize::from(self.bytes[byte] & 127) << (7 * size);
                size += 1;
                if self.bytes[byte] & 128 == 0 {
                    return at - size - len;
                }
                byte -= 1;
            }
        })
    }

    /// Offset of the last entry; None if empty.
    pub fn last(&self) -> Option<usize> {
        self.previous(self.bytes.len() - 1)
    }

    /// Offset of entry `index`, counted from the end if negative.
    pub fn seek(&self, index: i64) -> Option<usize> {
        if index >= 0 {
            let mut at = self.first()?;
            for _ in 0..index {
                at = self.next(at)?;
            }
            Some(at)
        } else {
            let mut at = self.last()?;
            for _ in 1..index.unsigned_abs() {
                at = self.previous(at)?;
            }
            Some(at)
        }
    }

    fn body_at(&self, at: usize) -> &[u8] {
        let bytes = &self.bytes[at..];
        &bytes[..body_len(bytes).unwrap_or(bytes.len())]
    }

    /// Bytes of the entry at `at`, backlen included.
    fn entry_len(&self, at: usize) -> usize {
        let body = self.body_at(at).len();
        body + backlen_size(body)
    }

    /// The entry at `at`.
    pub fn get(&self, at: usize) -> Element<'_> {
        decode(self.body_at(at))
    }

    /// All entries in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.bytes[HEAD..] }
    }

    /// Entries from the one at `at` on.
    pub fn iter_from(&self, at: usize) -> Iter<'_> {
        Iter { bytes: &self.bytes[at..] }
    }

    /// Offset of the terminator: where a further entry would begin.
    pub fn end(&self) -> usize {
        self.bytes.len() - 1
    }

    /// Appends several entries at once, room made for all of them together.
    pub fn extend<'a>(&mut self, elements: impl Iterator<Item = Element<'a>> + Clone) {
        // An encoding byte or five, up to nine of an integer, and up to five backwards.
        let most: usize = elements.clone().map(|element| element.text_len().max(8) + 10).sum();
        let (len, before) = (self.bytes.len(), u16::from_le_bytes([self.bytes[4], self.bytes[5]]));
        if self.bytes.capacity() - len < most {
            self.bytes.reserve_exact(good_size(len + most) - len);
        }
        self.bytes.pop();
        let mut added = 0usize;
        for element in elements {
            encode(element, &mut self.bytes);
            added += 1;
        }
        self.bytes.push(END);
        let len = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        if before != COUNT_UNKNOWN {
            let count = u16::try_from(usize::from(before) + added).unwrap_or(COUNT_UNKNOWN);
            self.bytes[4..6].copy_from_slice(&count.to_le_bytes());
        }
    }

    /// Replaces the entry at `at` by an integer, in place where that takes the same room.
    pub fn replace_int(&mut self, at: usize, number: i64) {
        let mut fresh = Vec::with_capacity(16);
        encode(Element::Int(number), &mut fresh);
        if fresh.len() == self.entry_len(at) {
            self.bytes[at..at + fresh.len()].copy_from_slice(&fresh);
        } else {
            self.splice(at, 1, &[Element::Int(number)]);
        }
    }

    /// Gives back what growth reserved.
    pub fn shrink(&mut self) {
        if good_size(self.bytes.len()) < self.bytes.capacity() {
            self.bytes.shrink_to(good_size(self.bytes.len()));
        }
    }

    /// Appends an entry.
    pub fn push(&mut self, text: &[u8]) {
        self.splice(self.bytes.len() - 1, 0, &[Element::Bytes(text)]);
    }

    /// Replaces `removed` entries from `at` on by `added`, and keeps the header right.
    pub fn splice(&mut self, at: usize, removed: usize, added: &[Element<'_>]) {
        let count = self.len() - removed + added.len();
        let mut end = at;
        for _ in 0..removed {
            end += self.entry_len(end);
        }
        let mut fresh = Vec::with_capacity(64);
        added.iter().for_each(|&element| encode(element, &mut fresh));
        let len = self.bytes.len() - (end - at) + fresh.len();
        if len > self.bytes.capacity() || good_size(len) < self.bytes.capacity() / 2 {
            let mut bytes = Vec::with_capacity(good_size(len));
            bytes.extend_from_slice(&self.bytes[..at]);
            bytes.extend_from_slice(&fresh);
            bytes.extend_from_slice(&self.bytes[end..]);
            self.bytes = bytes;
        } else {
            self.bytes.splice(at..end, fresh);
        }
        self.bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        self.bytes[4..6].copy_from_slice(&count.to_le_bytes());
    }
}

/// A listpack in the making, entry by entry.
pub struct Builder {
    bytes: Vec<u8>,
    count: usize,
}

impl Builder {
    /// With room for `expected` bytes of entries.
    pub fn new(expected: usize) -> Self {
        let mut bytes = Vec::with_capacity(expected + HEAD + 1);
        bytes.extend_from_slice(&[0; HEAD]);
        Self { bytes, count: 0 }
    }

    /// Appends an entry.
    pub fn push(&mut self, element: Element<'_>) {
        encode(element, &mut self.bytes);
        self.count += 1;
    }

    /// Appends an entry of which everything but the length behind it is given.
    pub(super) fn push_body(&mut self, body: &[u8]) {
        self.bytes.extend_from_slice(body);
        push_backlen(&mut self.bytes, body.len());
        self.count += 1;
    }

    /// The listpack.
    pub fn finish(mut self) -> ListPack {
        self.bytes.push(END);
        let len = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        let count = u16::try_from(self.count).unwrap_or(COUNT_UNKNOWN);
        self.bytes[4..HEAD].copy_from_slice(&count.to_le_bytes());
        ListPack { bytes: self.bytes }
    }
}

/// See [`ListPack::iter`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.bytes[0] == END {
            return None;
        }
        let len = body_len(self.bytes)?;
        let element = decode(&self.bytes[..len]);
        self.bytes = &self.bytes[len + backlen_size(len)..];
        Some(element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn random_text(prng: &mut Prng) -> Vec<u8> {
        match prng.below(6) {
            0 => (prng.next_u64() as i64 >> prng.below(64)).to_string().into_bytes(),
            1 => vec![b'x'; prng.below(70) as usize],
            2 => vec![b'y'; prng.below(5000) as usize],
            3 if prng.below(20) == 0 => vec![b'z'; prng.below(30_000) as usize],
            _ => (0..prng.below(12)).map(|_| prng.next_u64() as u8).collect(),
        }
    }

    #[test]
    fn behaves_like_a_vector_of_strings() {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(11);
        println!("SEED={seed}");
        let mut prng = Prng::new(seed);
        let (mut pack, mut model) = (ListPack::new(), Vec::<Vec<u8>>::new());
        for step in 0..4000 {
            let text = random_text(&mut prng);
            let pick = prng.below(model.len().max(1) as u64) as usize;
            match prng.below(if model.len() > 60 { 6 } else { 4 }) {
                0 => {
                    pack.push(&text);
                    model.push(text);
                }
                1 => {
                    pack.splice(HEAD, 0, &[Element::Bytes(&text)]);
                    model.insert(0, text);
                }
                2 if !model.is_empty() => {
                    pack.splice(pack.seek(pick as i64).unwrap(), 0, &[Element::Bytes(&text)]);
                    model.insert(pick, text);
                }
                3 if !model.is_empty() => {
                    let at = pack.seek(pick as i64 - model.len() as i64).unwrap();
                    pack.splice(at, 1, &[Element::Bytes(&text)]);
                    model[pick] = text;
                }
                _ if !model.is_empty() => {
                    let count = (1 + prng.below(3) as usize).min(model.len() - pick);
                    pack.splice(pack.seek(pick as i64).unwrap(), count, &[]);
                    model.drain(pick..pick + count);
                }
                _ => {}
            }
            assert_eq!(pack.len(), model.len());
            if step % 50 == 0 {
                let all: Vec<_> = pack.iter().map(|e| e.to_bytes().into_owned()).collect();
                assert_eq!(all, model);
                assert_eq!(ListPack::from_bytes(pack.as_bytes().to_vec()), Some(pack.clone()));
                let mut at = pack.last();
                for text in model.iter().rev() {
                    assert!(pack.get(at.unwrap()).is_text(text));
                    at = pack.previous(at.unwrap());
                }
                assert_eq!(at, None);
            }
        }
    }

    #[test]
    fn extending_and_replacing_integers_equal_the_slow_way() {
        let mut prng = Prng::new(5);
        let (mut fast, mut slow) = (ListPack::new(), ListPack::new());
        for _ in 0..300 {
            let texts: Vec<_> = (0..prng.below(6)).map(|_| random_text(&mut prng)).collect();
            fast.extend(texts.iter().map(|text| Element::Bytes(text)));
            texts.iter().for_each(|text| slow.push(text));
            if let Some(at) = fast.first() {
                let number = prng.next_u64() as i64 >> prng.below(64);
                fast.replace_int(at, number);
                slow.splice(at, 1, &[Element::Bytes(number.to_string().as_bytes())]);
            }
            assert_eq!(fast.as_bytes(), slow.as_bytes());
        }
    }

    #[test]
    fn refuses_every_damaged_byte_or_survives_it() {
        let mut pack = ListPack::new();
        for text in [&b"abc"[..], b"12", b"-5000", b"100000", b"9999999999", &[b'q'; 100], b""] {
            pack.push(text);
        }
        let good = pack.as_bytes().to_vec();
        for at in 0..good.len() {
            for flip in 1..=255u8 {
                let mut bad = good.clone();
                bad[at] ^= flip;
                if let Some(pack) = ListPack::from_bytes(bad) {
                    assert!(pack.iter().count() <= good.len());
                }
            }
            assert!(ListPack::from_bytes(good[..at].to_vec()).is_none());
        }
    }
}
