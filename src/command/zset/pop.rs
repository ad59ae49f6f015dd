//! ZPOPMIN ZPOPMAX ZMPOP: the ends of sorted sets taken.
//!
//! Called through their rows, and by the blocking forms for their own replies. Invariant: ZMPOP leaves as ZPOPMIN or ZPOPMAX of the key it found, with the
//! number it took. Bounds: O(log n) a member taken.

use super::{after_removal, begin_pairs, write_pair};
use crate::base::number::{DigitBuffer, parse_i64};
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::keyspace::Key;
use crate::types::zset::ZSet;

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The lowest scores.
    Min,
    /// The highest scores.
    Max,
}

/// How the popped members are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// ZPOPMIN without a count: member, score.
    Flat,
    /// ZPOPMIN with a count: pairs, nested in RESP3.
    Pairs,
    /// BZPOPMIN: key, member, score.
    KeyFlat,
    /// ZMPOP: the key and an array of nested pairs.
    KeyNested,
}

impl End {
    fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }

    /// The command it leaves as.
    pub fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }

    /// Reads `MIN` or `MAX`.
    pub fn parse(word: &[u8]) -> Result<Self, ReplyError> {
        if word.eq_ignore_ascii_case(b"min") {
            Ok(Self::Min)
        } else if word.eq_ignore_ascii_case(b"max") {
            Ok(Self::Max)
        } else {
            Err(ReplyError::Syntax)
        }
    }
}

/// Pops up to `count` (at least 1) members of `key`, writes them and tells the events; how many, 0 (and nothing written) if there is no key. The caller
/// propagates.
///
/// # Errors
/// Another type at the key.
pub fn pop(cx: &mut Cx<'_>, key: &Key<'_>, end: End, count: u64, shape: Shape) -> Result<u64, ReplyError> {
    // The reply steps aside while the set is changed.
    let mut out = std::mem::take(cx.out);
    let result = pop_into(cx, key, end, count, shape, &mut out);
    *cx.out = out;
    let (taken, emptied) = result?;
    if taken > 0 {
        after_removal(cx, key, end.event(), emptied);
    }
    Ok(taken)
}

fn pop_into(
    cx: &mut Cx<'_>,
    key: &Key<'_>,
    end: End,
    count: u64,
    shape: Shape,
    out: &mut crate::resp::Out,
) -> Result<(u64, bool), ReplyError> {
    let Some(mut entry) = cx.write_as::<ZSet>(key)? else { return Ok((0, false)) };
    let Some(set) = entry.get_mut::<ZSet>() else { return Err(ReplyError::WrongType) };
    let len = set.len();
    let taken = usize::try_from(count).unwrap_or(usize::MAX).min(len);
    let (from, to) = if end == End::Min { (0, taken) } else { (len - taken, len) };
    match shape {
        Shape::Flat => out.array(2 * taken),
        Shape::Pairs => begin_pairs(out, taken, true),
        Shape::KeyFlat => {
            out.array(2 * taken + 1);
            out.bulk(key.bytes);
        }
        Shape::KeyNested => {
            out.array(2);
            out.bulk(key.bytes);
            out.array(taken);
        }
    }
    for (member, score) in set.walk(from, to, end == End::Max) {
        match shape {
            Shape::Pairs => write_pair(out, (member, score), true),
            Shape::Flat | Shape::KeyFlat => {
                super::write_member(out, member);
                out.double(score);
            }
            Shape::KeyNested => {
                out.array(2);
                super::write_member(out, member);
                out.double(score);
            }
        }
    }
    let emptied = taken == len;
    if emptied {
        entry.remove();
    } else {
        set.remove_span(from, to);
    }
    Ok((taken as u64, emptied))
}

fn pop_min_max(cx: &mut Cx<'_>, end: End) -> Result<(), ReplyError> {
    if cx.argc() > 3 {
        return Err(ReplyError::Syntax);
    }
    let (count, shape) = match cx.args.get_checked(2) {
        Some(word) => (parse_positive(word, 0, ReplyError::NotPositive)?, Shape::Pairs),
        None => (1, Shape::Flat),
    };
    let key = cx.key(1);
    if count == 0 {
        cx.write_as::<ZSet>(&key)?;
        cx.out.array(0);
        return Ok(());
    }
    let taken = pop(cx, &key, end, count, shape)?;
    if taken == 0 {
        cx.out.array(0);
        return Ok(());
    }
    cx.propagate();
    cx.outcome.dirty += taken - 1;
    Ok(())
}

/// A number of at least `least`; anything else is `error`, but for words that are no integer at all.
pub fn parse_positive(word: &[u8], least: i64, error: ReplyError) -> Result<u64, ReplyError> {
    parse_i64(word).filter(|&number| number >= least).map(|number| number as u64).ok_or(error)
}

/// `ZPOPMIN key [count]`
pub fn zpopmin(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    pop_min_max(cx, End::Min)
}

/// `ZPOPMAX key [count]`
pub fn zpopmax(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    pop_min_max(cx, End::Max)
}

/// The words of ZMPOP from `numkeys` at `at` on: how many keys follow it, which end, how many members.
pub fn parse_mpop(cx: &Cx<'_>, at: usize) -> Result<(usize, End, u64), ReplyError> {
    let keys = parse_positive(cx.arg(at), 1, ReplyError::NumkeysNotPositive)?;
    let place = usize::try_from(keys).ok().and_then(|keys| keys.checked_add(at + 1));
    let Some(place) = place.filter(|&place| place < cx.argc()) else { return Err(ReplyError::Syntax) };
    let end = End::parse(cx.arg(place))?;
    let mut count = None;
    let mut index = place + 1;
    while index < cx.argc() {
        if count.is_some() || !cx.arg(index).eq_ignore_ascii_case(b"count") || index + 1 >= cx.argc() {
            return Err(ReplyError::Syntax);
        }
        count = Some(parse_positive(cx.arg(index + 1), 1, ReplyError::CountNotPositive)?);
        index += 2;
    }
    Ok((keys as usize, end, count.unwrap_or(1)))
}

/// Pops from the first of the `keys` words from `first` on that is there; false (and nothing written) if none is.
pub fn pop_first(
    cx: &mut Cx<'_>,
    first: usize,
    keys: usize,
    end: End,
    count: u64,
) -> Result<bool, ReplyError> {
    for index in first..first + keys {
        let key = cx.key(index);
        // Woken, only the key that is ready counts.
        if !cx.considers(key.bytes) {
            continue;
        }
        let taken = pop(cx, &key, end, count, Shape::KeyNested)?;
        if taken > 0 {
            let mut digits = DigitBuffer::new();
            cx.propagate_as(&[end.command(), key.bytes, digits.format_u64(taken)]);
            cx.outcome.dirty += taken - 1;
            return Ok(true);
        }
    }
    Ok(false)
}

/// `ZMPOP numkeys key [key …] MIN|MAX [COUNT count]`
pub fn zmpop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (keys, end, count) = parse_mpop(cx, 1)?;
    if !pop_first(cx, 2, keys, end, count)? {
        cx.out.null_array();
    }
    Ok(())
}
