//! ZUNION ZINTER ZDIFF, their STORE forms and ZINTERCARD: several sets, sorted or plain, combined into one.
//!
//! Called through their rows. The inputs may lie on several shards, so each is visited by itself: the accumulating result is owned bytes. Invariant: sums are
//! formed in redis' order of inputs (smallest first, equal ones as written), because float sums depend on it; no score becomes NaN. Bounds: ZUNION costs all inputs,
//! ZINTER the smallest times their number, ZDIFF the first times their number.

use std::collections::HashMap;

use super::{begin_pairs, limits, store_result, write_pair};
use crate::base::number::{parse_f64, parse_i64};
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::keyspace::{Entry, ValueRef};
use crate::types::element::Element;
use crate::types::set::Set;
use crate::types::zset::ZSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

/// One input.
#[derive(Debug, Clone, Copy)]
struct Source {
    /// Its key's word.
    word: usize,
    len: usize,
    weight: f64,
}

/// A whole command.
struct Query {
    sources: Vec<Source>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Of ZINTERCARD; 0 is none.
    limit: usize,
}

/// What the command is for, which decides what options it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Reply,
    Store,
    Count,
}

/// A set of either kind as an input.
#[derive(Clone, Copy)]
enum Input<'a> {
    Sorted(&'a ZSet),
    Plain(&'a Set),
}

impl<'a> Input<'a> {
    fn of(entry: Entry<'a>) -> Result<Self, ReplyError> {
        match entry.value() {
            ValueRef::ZSet(set) => Ok(Self::Sorted(set)),
            ValueRef::Set(set) => Ok(Self::Plain(set)),
            _ => Err(ReplyError::WrongType),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Sorted(set) => set.len(),
            Self::Plain(set) => set.len(),
        }
    }

    /// The score of `member`; 1 in a plain set.
    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Sorted(set) => set.score(member),
            Self::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    fn for_each(self, mut visit: impl FnMut(Element<'a>, f64)) {
        match self {
            Self::Sorted(set) => set.iter().for_each(|(member, score)| visit(member, score)),
            Self::Plain(set) => set.iter().for_each(|member| visit(member, 1.0)),
        }
    }
}

impl Aggregate {
    fn parse(word: &[u8]) -> Result<Self, ReplyError> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"sum") {
            Ok(Self::Sum)
        } else if is(b"min") {
            Ok(Self::Min)
        } else if is(b"max") {
            Ok(Self::Max)
        } else {
            Err(ReplyError::Syntax)
        }
    }

    fn join(self, target: f64, value: f64) -> f64 {
        match self {
            // Infinity minus infinity counts as 0.
            Self::Sum if (target + value).is_nan() => 0.0,
            Self::Sum => target + value,
            Self::Min if value < target => value,
            Self::Max if value > target => value,
            Self::Min | Self::Max => target,
        }
    }
}

/// A weighted score; infinity times 0 counts as 0.
fn weighted(weight: f64, score: f64) -> f64 {
    let product = weight * score;
    if product.is_nan() { 0.0 } else { product }
}

/// Reads the words from `numkeys` at `at` on; types are checked before options, as redis does.
fn parse(cx: &mut Cx<'_>, at: usize, operation: Operation, purpose: Purpose) -> Result<Query, ReplyError> {
    let count = parse_i64(cx.arg(at)).ok_or(ReplyError::NotInteger)?;
    if count < 1 {
        let text = format!("ERR at least 1 input key is needed for '{}' command", cx.row.full_name);
        return Err(cx.fail(text));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > cx.argc() - (at + 1) {
        return Err(ReplyError::Syntax);
    }
    let mut sources = Vec::with_capacity(count);
    for word in at + 1..=at + count {
        let key = cx.key(word);
        let len = match cx.lookup_read(&key) {
            Some(entry) => Input::of(entry)?.len(),
            None => {
                cx.notify_miss(key.bytes);
                0
            }
        };
        sources.push(Source { word, len, weight: 1.0 });
    }
    let mut query = Query { sources, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
    let scored = operation != Operation::Diff && purpose != Purpose::Count;
    let mut index = at + 1 + count;
    while index < cx.argc() {
        let (word, left) = (cx.arg(index), cx.argc() - index);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if scored && left > count && is(b"weights") {
            for source in &mut query.sources {
                index += 1;
                let weight = parse_f64(cx.arg(index));
                source.weight = weight.ok_or(ReplyError::Text("ERR weight value is not a float"))?;
            }
        } else if scored && left >= 2 && is(b"aggregate") {
            index += 1;
            query.aggregate = Aggregate::parse(cx.arg(index))?;
        } else if purpose == Purpose::Reply && is(b"withscores") {
            query.with_scores = true;
        } else if purpose == Purpose::Count && left >= 2 && is(b"limit") {
            index += 1;
            let limit = parse_i64(cx.arg(index)).filter(|&limit| limit >= 0);
            query.limit = limit.ok_or(ReplyError::Text("ERR LIMIT can't be negative"))? as usize;
        } else {
            return Err(ReplyError::Syntax);
        }
        index += 1;
    }
    if operation != Operation::Diff {
        query.sources.sort_by_key(|source| source.len);
    }
    Ok(query)
}

/// Looks at an input again, without counting or freshening.
fn with_input<R>(cx: &mut Cx<'_>, source: &Source, look: impl FnOnce(Input<'_>) -> R) -> Option<R> {
    let key = cx.key(source.word);
    let entry = cx.dbm(&key).peek(&key)?;
    Input::of(entry).ok().map(look)
}

type Members = Vec<(Box<[u8]>, f64)>;

fn union(cx: &mut Cx<'_>, query: &Query) -> Members {
    let mut scores: HashMap<Box<[u8]>, f64> = HashMap::new();
    for source in &query.sources {
        with_input(cx, source, |input| {
            input.for_each(|member, score| {
                let score = weighted(source.weight, score);
                let member = member.to_bytes();
                match scores.get_mut(member.as_ref()) {
                    Some(present) => *present = query.aggregate.join(*present, score),
                    None => {
                        scores.insert(member.as_ref().into(), score);
                    }
                }
            });
        });
    }
    scores.into_iter().collect()
}

/// The members of an input with their weighted scores.
fn members_of(cx: &mut Cx<'_>, source: &Source) -> Members {
    let mut members = Vec::with_capacity(source.len);
    with_input(cx, source, |input| {
        input.for_each(|member, score| {
            members.push((member.to_bytes().as_ref().into(), weighted(source.weight, score)));
        });
    });
    members
}

fn inter(cx: &mut Cx<'_>, query: &Query) -> Members {
    let Some((first, others)) = query.sources.split_first() else { return Vec::new() };
    let mut members = members_of(cx, first);
    for source in others {
        if members.is_empty() {
            break;
        }
        with_input(cx, source, |input| {
            members.retain_mut(|(member, score)| match input.score(member) {
                Some(other) => {
                    *score = query.aggregate.join(*score, source.weight * other);
                    true
                }
                None => false,
            });
        });
    }
    members
}

fn diff(cx: &mut Cx<'_>, query: &Query) -> Members {
    let Some((first, others)) = query.sources.split_first() else { return Vec::new() };
    let mut members = members_of(cx, first);
    for source in others {
        if members.is_empty() {
            break;
        }
        with_input(cx, source, |input| members.retain(|(member, _)| input.score(member).is_none()));
    }
    members
}

/// The result in order.
fn combine(cx: &mut Cx<'_>, operation: Operation, query: &Query) -> Members {
    let nothing = operation == Operation::Inter && query.sources.iter().any(|source| source.len == 0);
    let mut members = match operation {
        _ if nothing => Vec::new(),
        Operation::Union => union(cx, query),
        Operation::Inter => inter(cx, query),
        Operation::Diff => diff(cx, query),
    };
    members.sort_unstable_by(|a, b| {
        a.1.partial_cmp(&b.1).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.0.cmp(&b.0))
    });
    members
}

fn reply(cx: &mut Cx<'_>, operation: Operation) -> Result<(), ReplyError> {
    let query = parse(cx, 1, operation, Purpose::Reply)?;
    let members = combine(cx, operation, &query);
    begin_pairs(cx.out, members.len(), query.with_scores);
    for (member, score) in &members {
        write_pair(cx.out, (Element::Bytes(member), *score), query.with_scores);
    }
    Ok(())
}

fn store(cx: &mut Cx<'_>, operation: Operation, event: &'static str) -> Result<(), ReplyError> {
    let query = parse(cx, 2, operation, Purpose::Store)?;
    let members = combine(cx, operation, &query);
    let (key, limits) = (cx.key(1), limits(cx));
    let set = ZSet::from_members(members.iter().map(|(member, score)| (&member[..], *score)), &limits);
    store_result(cx, &key, set, event);
    Ok(())
}

/// `ZUNION numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`
pub fn zunion(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply(cx, Operation::Union)
}

/// `ZINTER numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`
pub fn zinter(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply(cx, Operation::Inter)
}

/// `ZDIFF numkeys key [key …] [WITHSCORES]`
pub fn zdiff(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply(cx, Operation::Diff)
}

/// `ZUNIONSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM|MIN|MAX]`
pub fn zunionstore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    store(cx, Operation::Union, "zunionstore")
}

/// `ZINTERSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM|MIN|MAX]`
pub fn zinterstore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    store(cx, Operation::Inter, "zinterstore")
}

/// `ZDIFFSTORE destination numkeys key [key …]`
pub fn zdiffstore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    store(cx, Operation::Diff, "zdiffstore")
}

/// `ZINTERCARD numkeys key [key …] [LIMIT limit]`
pub fn zintercard(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let query = parse(cx, 1, Operation::Inter, Purpose::Count)?;
    let count = combine(cx, Operation::Inter, &query).len();
    let count = if query.limit > 0 { count.min(query.limit) } else { count };
    cx.out.integer(count as i64);
    Ok(())
}
