//! A small sorted set: a listpack of member, score, member, score …, sorted by score, then text, as DUMP and RDB carry it.
//!
//! Used only by `zset`; calls `listpack`. Invariant: an even number of entries, every second one a number, whole numbers kept as integers
//! (so -0 becomes 0, as in redis). Bounds: every call walks the pack, which the zset-max-listpack limits keep short.
use super::range::{LexRange, ScoreRange};
use crate::base::number::{parse_f64, write_double};
use crate::types::element::Element;
use crate::types::encoding::listpack::{self, ListPack};
use std::cmp::Ordering;

/// A score as its entry reads.
#[inline]
pub fn score_of(entry: Element<'_>) -> f64 {
    match entry {
        Element::Int(number) => number as f64,
        // Checked when the pack was made.
        Element::Bytes(text) => parse_f64(text).unwrap_or(0.0),
    }
}

/// The number if redis stores this score as an integer.
fn whole(score: f64) -> Option<i64> {
    const HALF: f64 = (i64::MAX / 2) as f64;
    ((-HALF..=HALF).contains(&score) && score.trunc() == score).then_some(score as i64)
}

fn compare_text(entry: Element<'_>, text: &[u8]) -> Ordering {
    match entry {
        Element::Bytes(own) => own.cmp(text),
        Element::Int(_) => entry.to_bytes().as_ref().cmp(text),
    }
}

/// The pairs in order.
#[derive(Clone)]
pub struct Pairs<'a>(listpack::Iter<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let member = self.0.next()?;
        Some((member, score_of(self.0.next()?)))
    }
}

/// All pairs in order.
pub fn pairs(pack: &ListPack) -> Pairs<'_> {
    Pairs(pack.iter())
}

/// Checks a listpack from outside as redis does: pairs, scores that are numbers, no member twice.
pub fn is_valid(pack: &ListPack) -> bool {
    let entries: Vec<Element<'_>> = pack.iter().collect();
    let is_score = |entry: &Element<'_>| match entry {
        Element::Int(_) => true,
        Element::Bytes(text) => parse_f64(text).is_some(),
    };
    let numbers = entries.iter().skip(1).step_by(2).all(is_score);
    let names: std::collections::HashSet<Vec<u8>> =
        entries.iter().step_by(2).map(|entry| entry.to_bytes().into_owned()).collect();
    entries.len().is_multiple_of(2) && numbers && names.len() * 2 == entries.len()
}

/// Where `member` is: its offset, index and score.
pub fn find(pack: &ListPack, member: &[u8]) -> Option<(usize, f64)> {
    let at = pack.find(pack.first(), member, 1)?;
    Some((at, score_of(pack.get(pack.next(at)?))))
}

/// The number of members before `member`, and its score.
pub fn rank(pack: &ListPack, member: &[u8]) -> Option<(usize, f64)> {
    pairs(pack)
        .enumerate()
        .find(|(_, (entry, _))| entry.is_text(member))
        .map(|(rank, (_, score))| (rank, score))
}

/// Adds a member that is not there.
pub fn insert(pack: &mut ListPack, member: &[u8], score: f64) {
    let mut at = pack.first();
    let end = pack.as_bytes().len() - 1;
    let place = loop {
        let Some(here) = at else { break end };
        let Some(beside) = pack.next(here) else { break end };
        let own = score_of(pack.get(beside));
        if own > score || (own == score && compare_text(pack.get(here), member) == Ordering::Greater) {
            break here;
        }
        at = pack.next(beside);
    };
    let mut text = Vec::new();
    let score = match whole(score) {
        Some(number) => Element::Int(number),
        None => {
            write_double(&mut text, score);
            Element::Bytes(&text)
        }
    };
    pack.splice(place, 0, &[Element::Bytes(member), score]);
}

/// Removes the member at offset `at`.
pub fn remove(pack: &mut ListPack, at: usize) {
    pack.remove(at, 2);
}

/// Removes the members of ranks `from..to`, which exist.
pub fn remove_span(pack: &mut ListPack, from: usize, to: usize) {
    if let Some(at) = pack.seek(2 * from as i64) {
        pack.remove(at, 2 * (to - from));
    }
}

/// The ranks (from, to) of the members with scores in `range`.
pub fn score_span(pack: &ListPack, range: &ScoreRange) -> (usize, usize) {
    let (mut from, mut to) = (0, 0);
    for (_, score) in pairs(pack) {
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
pub fn lex_span(pack: &ListPack, range: &LexRange<'_>, reverse: bool) -> (usize, usize) {
    let texts: Vec<_> = pairs(pack).map(|(member, _)| member.to_bytes()).collect();
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
