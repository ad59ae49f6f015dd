//! A small sorted set: its members in order, text and score packed into one block. Shown as `listpack`, but smaller and quicker to read.
//!
//! Used only by `zset`. Layout of the block's bytes:
//! ```text
//! pair …   pair: form << 5 | text length u5 (31: u8 follows; 255 there: u32 LE follows) | text | score LE
//! form of the score:  whole 0: i8  1: i16  2: i32  3: i48   tenths 4: i16   hundredths 5: i24   6: f32  7: f64
//! ```
//! Invariant: sorted by score, then text; built by these methods only, so that readers need no error paths; a form stands only for scores that it gives
//! back exactly (the quotient of two whole numbers is rounded as the decimal text of it is). Whole scores of up to 2^62 are kept as whole
//! numbers (so -0 becomes 0, as in redis' listpack). Bounds: every call walks the block, which the zset-max-listpack limits keep short.
//! Why not redis' listpack: 20 members take a fifth less (no backward lengths, no digits of fractions), and reading a score parses nothing.
//! [`Pack::to_listpack`] makes redis' form where a file or a peer wants it.
use super::range::{LexRange, ScoreRange};
use crate::base::number::{parse_f64, write_double, write_i64};
use crate::types::element::{Element, are_distinct};
use crate::types::encoding::block::Block;
use crate::types::encoding::listpack::{Builder, ListPack};
use std::cmp::Ordering;

/// Lengths from here on do not fit the first byte.
const LONG: usize = 31;
/// Nor the second.
const VERY_LONG: usize = 255;

/// See the module's text.
#[derive(Clone, Default)]
#[repr(transparent)]
pub struct Pack(Block);

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

/// Bytes of a score of each form.
const WIDTHS: [u8; 8] = [1, 2, 4, 6, 2, 3, 4, 8];

/// Form, bytes and how many of them are meant.
fn encode_score(score: f64) -> (u8, [u8; 8], usize) {
    let fits = |number: i64, bits: u32| number >> (bits - 1) == number >> 63;
    if let Some(number) = whole(score) {
        for (form, bytes) in [(0, 1), (1, 2), (2, 4), (3, 6)] {
            if fits(number, 8 * bytes) {
                return (form, number.to_le_bytes(), bytes as usize);
            }
        }
    }
    // A saturating cast: what is too large for it does not come back equal.
    for (form, unit, bytes) in [(4, 10.0, 2), (5, 100.0, 3)] {
        let number = (score * unit).round() as i64;
        if fits(number, 8 * bytes) && number as f64 / unit == score {
            return (form, number.to_le_bytes(), bytes as usize);
        }
    }
    let short = score as f32;
    if f64::from(short) == score {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&short.to_le_bytes());
        return (6, bytes, 4);
    }
    (7, score.to_le_bytes(), 8)
}

/// The first `BYTES` bytes as a signed number.
#[inline]
fn number<const BYTES: usize>(bytes: &[u8]) -> Option<f64> {
    let mut wide = [0; 8];
    wide[8 - BYTES..].copy_from_slice(bytes.get(..BYTES)?);
    Some((i64::from_le_bytes(wide) >> (64 - 8 * BYTES)) as f64)
}

/// A score of this form and its length.
#[inline]
fn decode_score(form: u8, bytes: &[u8]) -> Option<(f64, usize)> {
    Some(match form {
        0 => (number::<1>(bytes)?, 1),
        1 => (number::<2>(bytes)?, 2),
        2 => (number::<4>(bytes)?, 4),
        3 => (number::<6>(bytes)?, 6),
        4 => (number::<2>(bytes)? / 10.0, 2),
        5 => (number::<3>(bytes)? / 100.0, 3),
        6 => (f64::from(f32::from_le_bytes(*bytes.first_chunk()?)), 4),
        _ => (f64::from_le_bytes(*bytes.first_chunk()?), 8),
    })
}

/// One pair, ready to be copied into the block.
struct Encoded<'t> {
    head: [u8; 6],
    head_len: usize,
    text: &'t [u8],
    score: [u8; 8],
    score_len: usize,
}

impl<'t> Encoded<'t> {
    fn new(text: &'t [u8], score: f64) -> Self {
        let (form, score, score_len) = encode_score(score);
        let mut head = [form << 5; 6];
        let head_len = match text.len() {
            len @ ..LONG => {
                head[0] |= len as u8;
                1
            }
            len @ LONG..VERY_LONG => {
                head[0] |= LONG as u8;
                head[1] = len as u8;
                2
            }
            len => {
                head[0] |= LONG as u8;
                head[1] = VERY_LONG as u8;
                head[2..].copy_from_slice(&(len as u32).to_le_bytes());
                6
            }
        };
        Self { head, head_len, text, score, score_len }
    }

    fn parts(&self) -> [&[u8]; 3] {
        [&self.head[..self.head_len], self.text, &self.score[..self.score_len]]
    }

    fn len(&self) -> usize {
        self.head_len + self.text.len() + self.score_len
    }
}

/// The text of the first pair of `bytes`, and where it ends; None at the end.
#[inline]
fn decode_text(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (mut at, mut len) = (1, usize::from(*bytes.first()?) & LONG);
    if len == LONG {
        (at, len) = (2, usize::from(*bytes.get(1)?));
        if len == VERY_LONG {
            (at, len) = (6, u32::from_le_bytes(*bytes.get(2..)?.first_chunk()?) as usize);
        }
    }
    Some((bytes.get(at..at + len)?, at + len))
}

/// The first pair of `bytes` and its length; None at the end.
#[inline]
fn decode(bytes: &[u8]) -> Option<(&[u8], f64, usize)> {
    let (text, end) = decode_text(bytes)?;
    let (score, width) = decode_score(bytes[0] >> 5, &bytes[end..])?;
    Some((text, score, end + width))
}

/// Whether a pair stands behind the place of `member` with this score.
#[inline]
fn is_behind(text: &[u8], own: f64, member: &[u8], score: f64) -> bool {
    own > score || (own == score && text.cmp(member) == Ordering::Greater)
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
        let (mut texts, mut scores) = (Vec::new(), Vec::new());
        let mut entries = stored.iter();
        while let Some(member) = entries.next() {
            scores.push(match entries.next()? {
                Element::Int(number) => number as f64,
                Element::Bytes(text) => parse_f64(text)?,
            });
            texts.push(member.to_bytes());
        }
        are_distinct(&texts).then(|| Self::from_pairs(texts.iter().map(AsRef::as_ref).zip(scores)))
    }

    /// Of distinct members, in any order; those in ascending order are only appended.
    pub fn from_pairs<'m>(pairs: impl Iterator<Item = (&'m [u8], f64)>) -> Self {
        let (mut pack, mut bytes, mut count) = (Self::default(), Vec::new(), 0);
        let mut pairs = pairs.peekable();
        let mut last: Option<(&[u8], f64)> = None;
        while let Some((text, score)) = pairs.next_if(|&(text, score)| {
            last.is_none_or(|(before, least)| is_behind(text, score, before, least))
        }) {
            Encoded::new(text, score).parts().iter().for_each(|part| bytes.extend_from_slice(part));
            last = Some((text, score));
            count += 1;
        }
        pack.0.splice(0, 0, &[&bytes], count);
        pairs.for_each(|(text, score)| pack.insert(text, score));
        pack.take_changed();
        pack
    }

    /// Redis' form.
    pub fn to_listpack(&self) -> ListPack {
        let mut stored = Builder::new(self.byte_len() + 6 * self.len());
        let mut digits = Vec::with_capacity(32);
        for (text, score) in self.pairs() {
            stored.push(Element::Bytes(text));
            digits.clear();
            write_packed_score(&mut digits, score);
            stored.push(Element::Bytes(&digits));
        }
        stored.finish()
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.count().unwrap_or_else(|| self.pairs().count())
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.bytes().is_empty()
    }

    /// Bytes of the pairs.
    pub fn byte_len(&self) -> usize {
        self.0.bytes().len()
    }

    /// Bytes the allocator holds for it.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Reads and clears the mark that something changed.
    pub fn take_changed(&mut self) -> bool {
        self.0.take_mark()
    }

    /// All pairs in order.
    #[inline]
    pub fn pairs(&self) -> Pairs<'_> {
        Pairs(self.0.bytes())
    }

    /// Where the pair of `member` is, and its rank.
    fn find(&self, member: &[u8]) -> Option<(usize, usize)> {
        let mut bytes = self.0.bytes();
        let mut rank = 0;
        loop {
            let (text, end) = decode_text(bytes)?;
            if text == member {
                return Some((self.byte_len() - bytes.len(), rank));
            }
            bytes = bytes.get(end + usize::from(WIDTHS[usize::from(bytes[0] >> 5)])..)?;
            rank += 1;
        }
    }

    /// The score and the length of the pair at `at`.
    fn pair_at(&self, at: usize) -> (f64, usize) {
        decode(&self.0.bytes()[at..]).map_or((0.0, 0), |(_, score, len)| (score, len))
    }

    /// The score of `member`.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|(at, _)| self.pair_at(at).0)
    }

    /// The number of members before `member`, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        self.find(member).map(|(at, rank)| (rank, self.pair_at(at).0))
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, member: &[u8], score: f64) {
        let bytes = self.0.bytes();
        let mut at = 0;
        while let Some((text, own, len)) = decode(&bytes[at..]) {
            if is_behind(text, own, member, score) {
                break;
            }
            at += len;
        }
        let count = self.len() + 1;
        self.0.splice(at, 0, &Encoded::new(member, score).parts(), count);
    }

    /// Removes a member; true if it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let Some((at, _)) = self.find(member) else { return false };
        self.0.splice(at, self.pair_at(at).1, &[], self.len() - 1);
        true
    }

    /// Gives a member that is there another score.
    pub fn change(&mut self, member: &[u8], score: f64) {
        let bytes = self.0.bytes();
        let (mut old, mut place, mut at) = (None, None, 0);
        while old.is_none() || place.is_none() {
            let Some((text, own, len)) = decode(&bytes[at..]) else { break };
            if old.is_none() && text == member {
                old = Some((at, len));
            } else if place.is_none() && is_behind(text, own, member, score) {
                place = Some(at);
            }
            at += len;
        }
        let (Some((at, old_len)), place) = (old, place.unwrap_or(bytes.len())) else { return };
        // The new pair first takes the place of the old one, then moves past those in between.
        let fresh = Encoded::new(member, score);
        let len = fresh.len();
        self.0.splice(at, old_len, &fresh.parts(), self.len());
        let bytes = self.0.bytes_mut();
        let to = if place > at {
            let end = place - old_len + len;
            bytes.copy_within(at + len..end, at);
            end - len
        } else {
            bytes.copy_within(place..at, place + len);
            place
        };
        let mut rest = &mut bytes[to..to + len];
        for part in fresh.parts() {
            let (own, behind) = rest.split_at_mut(part.len());
            own.copy_from_slice(part);
            rest = behind;
        }
    }

    /// Removes the members of ranks `from..to`, which exist.
    pub fn remove_span(&mut self, from: usize, to: usize) {
        let bytes = self.0.bytes();
        let offset = |start: usize, pairs: usize| {
            (0..pairs).fold(start, |at, _| at + decode(&bytes[at..]).map_or(0, |pair| pair.2))
        };
        let start = offset(0, from);
        let end = offset(start, to - from);
        self.0.splice(start, end - start, &[], self.len() - (to - from));
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
        let end = self.pairs().map(|(text, score)| Encoded::new(text, score).len()).sum::<usize>();
        end == self.byte_len() && self.pairs().count() == self.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn random_score(prng: &mut Prng) -> f64 {
        let number = prng.next_u64() as i64 >> prng.below(64);
        match prng.below(7) {
            0 => number as f64,
            1 => number as f64 / 10.0,
            2 => number as f64 / 100.0,
            3 => f64::from(f32::from_bits(number as u32 & !(1 << 23))),
            4 => number as f64 * 1e-300,
            _ => prng.below(50) as f64 / 2.0,
        }
    }

    #[test]
    fn all_scores_and_lengths_come_back() {
        let (low, high) = (-(1i64 << 47), (1i64 << 47) - 1);
        let mut scores: Vec<f64> =
            [low - 1, low, high, high + 1, -(1 << 62), 1 << 61].map(|whole| whole as f64).to_vec();
        for edge in
            [127.0, 128.0, 32_767.0, 32_768.0, 8_388_607.0, 8_388_608.0, 2_147_483_647.0, 2_147_483_648.0]
        {
            for unit in [1.0, 10.0, 100.0] {
                scores.extend([edge / unit, -edge / unit, (-edge - 1.0) / unit, (edge + 0.5) / unit]);
            }
        }
        scores.extend([
            f64::NEG_INFINITY,
            f64::INFINITY,
            -1e300,
            1e300,
            1e-300,
            0.1,
            0.3,
            1.005,
            1e17,
            5e-324,
        ]);
        scores.sort_by(f64::total_cmp);
        scores.dedup();
        for lens in [[0, 1, 30], [31, 32, 254], [255, 256, 5000]] {
            let mut pack = Pack::default();
            let members: Vec<Vec<u8>> = (0..scores.len())
                .map(|index| [format!("{index}:").into_bytes(), vec![b'a'; lens[index % 3]]].concat())
                .collect();
            let expected: Vec<(&[u8], f64)> =
                members.iter().map(Vec::as_slice).zip(scores.iter().copied()).collect();
            expected.iter().for_each(|(member, score)| pack.insert(member, *score));
            assert_eq!(pack.pairs().collect::<Vec<_>>(), expected);
            assert!(pack.is_consistent());
            let again = Pack::from_listpack(&pack.to_listpack()).unwrap();
            assert_eq!(again.pairs().collect::<Vec<_>>(), expected);
        }
        let mut zero = Pack::default();
        zero.insert(b"z", -0.0);
        assert!(zero.score(b"z").is_some_and(f64::is_sign_positive));
    }

    #[test]
    fn behaves_like_a_sorted_vector() {
        let mut prng = Prng::new(77);
        let (mut pack, mut model) = (Pack::default(), Vec::<(Vec<u8>, f64)>::new());
        for step in 0..20_000 {
            let pick = prng.below(model.len().max(1) as u64) as usize;
            let score = random_score(&mut prng);
            match prng.below(if step % 500 < 200 { 3 } else { 5 }) {
                0 => {
                    let member = format!("m{}{}", "x".repeat(prng.below(40) as usize), step).into_bytes();
                    pack.insert(&member, score);
                    model.push((member, score));
                }
                1..=2 if !model.is_empty() => {
                    pack.change(&model[pick].0, score);
                    model[pick].1 = score;
                }
                _ if !model.is_empty() => {
                    assert!(pack.remove(&model[pick].0));
                    model.remove(pick);
                }
                _ => assert!(!pack.remove(b"nothing")),
            }
            model.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
            let expected: Vec<(&[u8], f64)> =
                model.iter().map(|(own, score)| (own.as_slice(), *score)).collect();
            assert_eq!(pack.pairs().collect::<Vec<_>>(), expected, "step {step}");
            assert!(pack.is_consistent());
        }
    }
}
