//! ZRANGE ZRANGESTORE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX: spans read and stored.
//!
//! Called through their rows; all are one parser with some choices made beforehand. Invariant: replies are written straight from the set;
//! ZRANGESTORE replaces its destination whole. Bounds: O(log n) and what is returned.

use super::spec::{Kind, Spec};
use super::{begin_pairs, limits, reply_from, store_result, write_pair};
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::types::zset::{ZSet, ZSetLimits};

/// A whole range command.
struct Query<'a> {
    spec: Spec<'a>,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    limit: i64,
}

/// Reads the words from the first bound at `at` on; `kind` and `reverse` are `None` where options choose them.
fn parse<'a>(
    cx: &Cx<'a>,
    at: usize,
    store: bool,
    mut kind: Option<Kind>,
    mut reverse: Option<bool>,
) -> Result<Query<'a>, ReplyError> {
    let (mut offset, mut limit, mut with_scores) = (0, -1, false);
    let mut index = at + 2;
    while index < cx.argc() {
        let word = cx.arg(index);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if !store && is(b"withscores") {
            with_scores = true;
        } else if is(b"limit") && index + 2 < cx.argc() {
            offset = parse_i64(cx.arg(index + 1)).ok_or(ReplyError::NotInteger)?;
            limit = parse_i64(cx.arg(index + 2)).ok_or(ReplyError::NotInteger)?;
            index += 2;
        } else if reverse.is_none() && is(b"rev") {
            reverse = Some(true);
        } else if kind.is_none() && is(b"bylex") {
            kind = Some(Kind::Lex);
        } else if kind.is_none() && is(b"byscore") {
            kind = Some(Kind::Score);
        } else {
            return Err(ReplyError::Syntax);
        }
        index += 1;
    }
    let (kind, reverse) = (kind.unwrap_or(Kind::Rank), reverse.unwrap_or(false));
    if limit != -1 && kind == Kind::Rank {
        return Err(ReplyError::Text(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    if with_scores && kind == Kind::Lex {
        return Err(ReplyError::Text("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
    }
    // Backwards, ranges of scores and texts are written from the higher bound to the lower.
    let swapped = usize::from(reverse && kind != Kind::Rank);
    let spec = Spec::parse(kind, cx.arg(at + swapped), cx.arg(at + 1 - swapped))?;
    Ok(Query { spec, reverse, with_scores, offset, limit })
}

impl Query<'_> {
    /// The ranks (from, to) to return, LIMIT applied.
    fn span(&self, set: &ZSet) -> (usize, usize) {
        let (from, to) = self.spec.span(set, self.reverse);
        if matches!(self.spec, Spec::Rank(..)) {
            return (from, to);
        }
        // A negative offset skips everything, a negative limit is none.
        let count = to - from;
        let skip = usize::try_from(self.offset).unwrap_or(usize::MAX).min(count);
        let take = usize::try_from(self.limit).unwrap_or(usize::MAX).min(count - skip);
        if self.reverse { (to - skip - take, to - skip) } else { (from + skip, from + skip + take) }
    }
}

fn reply(cx: &mut Cx<'_>, query: &Query<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    reply_from(cx, &key, |out, set| {
        let Some(set) = set else { return out.array(0) };
        let (from, to) = query.span(set);
        begin_pairs(out, to - from, query.with_scores);
        set.walk(from, to, query.reverse).for_each(|pair| write_pair(out, pair, query.with_scores));
    })
}

/// `ZRANGE key min max [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
pub fn zrange(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let query = parse(cx, 2, false, None, None)?;
    reply(cx, &query)
}

/// `ZREVRANGE key start stop [WITHSCORES]`
pub fn zrevrange(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let query = parse(cx, 2, false, Some(Kind::Rank), Some(true))?;
    reply(cx, &query)
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`
pub fn zrangebyscore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let query = parse(cx, 2, false, Some(Kind::Score), Some(false))?;
    reply(cx, &query)
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`
pub fn zrevrangebyscore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let query = parse(cx, 2, false, Some(Kind::Score), Some(true))?;
    reply(cx, &query)
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`
pub fn zrangebylex(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let query = parse(cx, 2, false, Some(Kind::Lex), Some(false))?;
    reply(cx, &query)
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`
pub fn zrevrangebylex(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let query = parse(cx, 2, false, Some(Kind::Lex), Some(true))?;
    reply(cx, &query)
}

/// A set of the members of ranks `from..to`. Only of ranks does redis know beforehand how many there are.
fn copy_span(set: &ZSet, (from, to): (usize, usize), query: &Query<'_>, limits: &ZSetLimits) -> ZSet {
    let known = matches!(query.spec, Spec::Rank(..)) && to - from > limits.max_entries;
    let reverse = query.reverse && !known;
    let chosen: Vec<_> =
        set.walk(from, to, reverse).map(|(member, score)| (member.to_bytes(), score)).collect();
    let members = chosen.iter().map(|(member, score)| (member.as_ref(), *score));
    if known { ZSet::from_members(members, limits) } else { ZSet::from_growing(members, limits) }
}

/// `ZRANGESTORE dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]`
pub fn zrangestore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let query = parse(cx, 3, true, None, None)?;
    let (destination, source, limits) = (cx.key(1), cx.key(2), limits(cx));
    let stored = match cx.read_as::<ZSet>(&source)? {
        Some(set) => copy_span(set, query.span(set), &query, &limits),
        None => {
            cx.notify_miss(source.bytes);
            ZSet::default()
        }
    };
    store_result(cx, &destination, stored, "zrangestore");
    Ok(())
}
