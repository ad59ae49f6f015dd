//! A small sorted set: its members in order, text and score packed into one block. Shown as `listpack`, but smaller and quicker to read.
//!
//! Used only by `zset`. Layout:
//! ```text
//! changed u8 | count u16 LE (65535: walk) | pair …
//! pair: kind << 6 | text length u8 (63: u32 LE follows) | text | score: i16, i24, i32 or f64 LE, as kind 0 to 3 says
//! ```
//! Invariant: sorted by score, then text; built by these methods only, so that readers need no error paths. Whole scores of up to 2^62 are kept as whole
//! numbers (so -0 becomes 0, as in redis' listpack). Bounds: every call walks the block, which the zset-max-listpack limits keep short.
//! Why not redis' listpack: 20 members take 15 % less (no backward lengths, no digits of floats), which is a size class of the allocator, and reading
//! a score parses nothing. [`Pack::to_listpack`] makes redis' form where a file or a peer wants it.
use super::range::{LexRange, ScoreRange};
use crate::base::memory::good_size;
use crate::base::number::{parse_f64, write_double, write_i64};
use crate::types::element::Element;
use crate::types::encoding::listpack::ListPack;
use std::cmp::Ordering;

const HEAD: usize = 3;
const COUNT_UNKNOWN: u16 = u16::MAX;
const LONG: u8 = 63;

/// See the module's text.
#[derive(Clone)]
pub struct Pack(Box<[u8]>);

impl Default for Pack {
    fn default() -> Self {
        Self(Box::new([0; HEAD]))
    }
}

/// The number if redis' listpack keeps this score as an integer.
pub fn whole(score: f64) -> Option<i64> {
    const HALF: f64 = (i64::MAX / 2) as f64;
    ((-HALF..=HALF).contains(&score) && score.trunc() == score).then_some(score as i64)
}

/// Appends a score as redis' listpack shows it: whole numbers with all their digits.
pub fn write_packed_score(text: &mut Vec<u8>, score: f64) {
    match whole(score) {
        Some(number) => write_i64(text, number),
        None => write_double(text, score),
    }
}

/// The bytes of one pair.
fn encode(text: &[u8], score: f64) -> Vec<u8> {
    let mut pair = Vec::with_capacity(text.len() + 13);
    pair.push(0);
    let short = if text.len() < LONG as usize {
        text.len() as u8
    } else {
        pair.extend_from_slice(&(text.len() as u32).to_le_bytes());
        LONG
    };
    pair.extend_from_slice(text);
    let small = whole(score).and_then(|number| i32::try_from(number).ok());
    let kind = match small {
        Some(number @ -32_768..=32_767) => {
            pair.extend_from_slice(&(number as i16).to_le_bytes());
            0
        }
        Some(number @ -8_388_608..=8_388_607) => {
            pair.extend_from_slice(&number.to_le_bytes()[..3]);
            1
        }
        Some(number) => {
            pair.extend_from_slice(&number.to_le_bytes());
            2
        }
        None => {
            pair.extend_from_slice(&score.to_le_bytes());
            3
        }
    };
    pair[0] = kind << 6 | short;
    pair
}

/// The first pair of `bytes` and its length; None at the end.
#[inline]
fn decode(bytes: &[u8]) -> Option<(&[u8], f64, usize)> {
    let first = *bytes.first()?;
    let (mut at, mut len) = (1, usize::from(first & LONG));
    if len == usize::from(LONG) {
        len = u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?) as usize;
        at = 5;
    }
    let text = bytes.get(at..at + len)?;
    let rest = &bytes[at + len..];
    let (score, width) = match (first >> 6, rest) {
        (0, [a, b, ..]) => (f64::from(i16::from_le_bytes([*a, *b])), 2),
        (1, [a, b, c, ..]) => (f64::from(i32::from_le_bytes([0, *a, *b, *c]) >> 8), 3),
        (2, [a, b, c, d, ..]) => (f64::from(i32::from_le_bytes([*a, *b, *c, *d])), 4),
        _ => (f64::from_le_bytes(rest.get(..8)?.try_into().ok()?), 8),
    };
    Some((text, score, at + len + width))
}

/// The pairs in order.
#[derive(Clone)]
pub struct Pairs<'a>(&'a [u8]);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (text, score, len) = decode(self.0)?;
        self.0 = &self.0[len..];
        Some((text, score))
    }
}

impl Pack {
    /// Takes over redis' form after redis' checks: pairs, scores that are numbers, no member twice.
    pub fn from_listpack(stored: &ListPack) -> Option<Self> {
        let entries: Vec<Element<'_>> = stored.iter().collect();
        let mut pack = Self::default();
        let mut seen = std::collections::HashSet::with_capacity(entries.len() / 2);
        for pair in entries.chunks(2) {
            let [member, score] = pair else { return None };
            let score = match score {
                Element::Int(number) => *number as f64,
                Element::Bytes(text) => parse_f64(text)?,
            };
            let text = member.to_bytes();
            pack.insert(&text, score);
            if !seen.insert(text) {
                return None;
            }
        }
        Some(pack)
    }

    /// Redis' form.
    pub fn to_listpack(&self) -> ListPack {
        let mut stored = ListPack::new();
        let mut digits = Vec::new();
        for (text, score) in self.pairs() {
            stored.push(text);
            digits.clear();
            write_packed_score(&mut digits, score);
            stored.push(&digits);
        }
        stored
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match u16::from_le_bytes([self.0[1], self.0[2]]) {
            COUNT_UNKNOWN => self.pairs().count(),
            count => usize::from(count),
        }
    }

    /// Bytes of the block.
    pub fn byte_len(&self) -> usize {
        self.0.len()
    }

    /// Bytes the allocator holds for it.
    pub fn heap_bytes(&self) -> usize {
        good_size(self.0.len())
    }

    /// Reads and clears the mark that something changed.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.0[0]) != 0
    }

    /// All pairs in order.
    pub fn pairs(&self) -> Pairs<'_> {
        Pairs(&self.0[HEAD..])
    }

    /// Replaces `removed` bytes at `at` by `added`; there are `count` members then.
    fn splice(&mut self, at: usize, removed: usize, added: &[u8], count: usize) {
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        bytes.reserve_exact(added.len().saturating_sub(removed));
        bytes.splice(at..at + removed, added.iter().copied());
        bytes[0] = 1;
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        bytes[1..HEAD].copy_from_slice(&count.to_le_bytes());
        self.0 = bytes.into_boxed_slice();
    }

    /// Where `member` is: the offset and length of its pair; its rank and score.
    fn find(&self, member: &[u8]) -> Option<(usize, usize, usize, f64)> {
        let (mut at, mut rank) = (HEAD, 0);
        loop {
            let (text, score, len) = decode(&self.0[at..])?;
            if text == member {
                return Some((at, len, rank, score));
            }
            at += len;
            rank += 1;
        }
    }

    /// The score of `member`.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|found| found.3)
    }

    /// The number of members before `member`, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        self.find(member).map(|found| (found.2, found.3))
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, member: &[u8], score: f64) {
        let mut at = HEAD;
        while let Some((text, own, len)) = decode(&self.0[at..]) {
            if own > score || (own == score && text.cmp(member) == Ordering::Greater) {
                break;
            }
            at += len;
        }
        let count = self.len() + 1;
        self.splice(at, 0, &encode(member, score), count);
    }

    /// Removes a member; true if it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let Some((at, len, ..)) = self.find(member) else { return false };
        let count = self.len() - 1;
        self.splice(at, len, &[], count);
        true
    }

    /// Removes the members of ranks `from..to`, which exist.
    pub fn remove_span(&mut self, from: usize, to: usize) {
        let offset = |start: usize, pairs: usize| {
            (0..pairs).fold(start, |at, _| at + decode(&self.0[at..]).map_or(0, |pair| pair.2))
        };
        let start = offset(HEAD, from);
        let end = offset(start, to - from);
        let count = self.len() - (to - from);
        self.splice(start, end - start, &[], count);
    }

    /// The ranks (from, to) of the members with scores in `range`.
    pub fn score_span(&self, range: &ScoreRange) -> (usize, usize) {
        let (mut from, mut to) = (0, 0);
        for (_, score) in self.pairs() {
            if !range.covers(score) {
                break;
            }
            to += 1;
            from += usize::from(!range.reaches(score));
        }
        (from, to)
    }

    /// The ranks (from, to) of the members with texts in `range`, walking as redis walks: from the first that the range reaches while it covers them
    /// (`reverse`: the other way round). Among members of one score both are the same.
    pub fn lex_span(&self, range: &LexRange<'_>, reverse: bool) -> (usize, usize) {
        let texts: Vec<&[u8]> = self.pairs().map(|(text, _)| text).collect();
        let ends = texts.first().zip(texts.last());
        // redis gives up at once if even the ends lie outside.
        if !ends.is_some_and(|(first, last)| range.covers(first) && range.reaches(last)) {
            return (0, 0);
        }
        if reverse {
            let Some(last) = texts.iter().rposition(|text| range.covers(text)) else { return (0, 0) };
            let below = texts[..=last].iter().rposition(|text| !range.reaches(text));
            return (below.map_or(0, |below| below + 1), last + 1);
        }
        let Some(first) = texts.iter().position(|text| range.reaches(text)) else { return (0, 0) };
        let beyond = texts[first..].iter().position(|text| !range.covers(text));
        (first, beyond.map_or(texts.len(), |beyond| first + beyond))
    }

    /// Recounts (tests).
    pub fn is_consistent(&self) -> bool {
        let end = self.pairs().map(|(text, score)| encode(text, score).len()).sum::<usize>();
        HEAD + end == self.0.len() && self.pairs().count() == self.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_scores_and_lengths_come_back() {
        let scores = [
            f64::NEG_INFINITY,
            -1e300,
            -4_611_686_018_427_387_904.0,
            -2_147_483_649.0,
            -2_147_483_648.0,
            -8_388_609.0,
            -8_388_608.0,
            -32_769.0,
            -32_768.0,
            -1.5,
            0.0,
            1e-300,
            1.0,
            32_767.0,
            32_768.0,
            8_388_607.0,
            8_388_608.0,
            2_147_483_647.0,
            2_147_483_648.0,
            1e17,
            1e300,
            f64::INFINITY,
        ];
        for lens in [[0, 1, 62], [63, 64, 5000]] {
            let mut pack = Pack::default();
            let members: Vec<Vec<u8>> =
                (0..scores.len()).map(|index| vec![b'a' + index as u8; lens[index % 3]]).collect();
            let mut expected: Vec<(&[u8], f64)> = Vec::new();
            for (index, score) in scores.iter().enumerate() {
                if members[index].is_empty() && index > 0 {
                    continue;
                }
                pack.insert(&members[index], *score);
                expected.push((&members[index], *score));
            }
            assert_eq!(pack.pairs().collect::<Vec<_>>(), expected);
            assert!(pack.is_consistent());
            let stored = pack.to_listpack();
            let again = Pack::from_listpack(&stored).unwrap();
            assert_eq!(again.pairs().collect::<Vec<_>>(), expected);
        }
        let mut zero = Pack::default();
        zero.insert(b"z", -0.0);
        assert!(zero.score(b"z").is_some_and(|score| score.is_sign_positive()));
    }
}
