//! ZADD ZINCRBY: members added and moved.
//!
//! Called through their rows; GEOADD comes here too with the scores it made. Invariant: all options and scores are checked before the key is looked
//! at, as redis does; the command leaves with the words it came with.

use smallvec::SmallVec;

use super::limits;
use crate::base::number::parse_f64;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::types::zset::{AddRule, Added, ZSet};

/// Options of ZADD, and where the pairs begin.
struct Options {
    rule: AddRule,
    /// CH: count changed members too.
    changed: bool,
    first: usize,
}

fn parse_options(cx: &Cx<'_>, incr: bool) -> Result<Options, ReplyError> {
    let mut rule = AddRule { incr, ..AddRule::default() };
    let (mut changed, mut first) = (false, 2);
    while first < cx.argc() {
        let word = cx.arg(first);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"nx") {
            rule.nx = true;
        } else if is(b"xx") {
            rule.xx = true;
        } else if is(b"ch") {
            changed = true;
        } else if is(b"incr") {
            rule.incr = true;
        } else if is(b"gt") {
            rule.gt = true;
        } else if is(b"lt") {
            rule.lt = true;
        } else {
            break;
        }
        first += 1;
    }
    let words = cx.argc() - first;
    if words == 0 || !words.is_multiple_of(2) {
        return Err(ReplyError::Syntax);
    }
    if rule.nx && rule.xx {
        return Err(ReplyError::Text("ERR XX and NX options at the same time are not compatible"));
    }
    if (rule.nx && (rule.gt || rule.lt)) || (rule.gt && rule.lt) {
        return Err(ReplyError::Text("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if rule.incr && words > 2 {
        return Err(ReplyError::Text("ERR INCR option supports a single increment-element pair"));
    }
    Ok(Options { rule, changed, first })
}

/// What adding did in all.
#[derive(Default)]
pub struct Tally {
    /// New members.
    pub added: u64,
    /// Members with another score.
    pub moved: u64,
    /// Score of the last member that was not passed over.
    pub last: Option<f64>,
}

/// Adds `pairs` to the sorted set at the command's first key.
///
/// # Errors
/// Another type at the key, or a sum that is no number.
pub fn add_pairs(
    cx: &mut Cx<'_>,
    rule: AddRule,
    pairs: impl Iterator<Item = (f64, usize)>,
) -> Result<Tally, ReplyError> {
    let (key, limits, args) = (cx.key(1), limits(cx), cx.args);
    let mut entry = if rule.xx {
        match cx.write_as::<ZSet>(&key)? {
            Some(entry) => entry,
            None => return Ok(Tally::default()),
        }
    } else {
        cx.open_as::<ZSet>(&key)?
    };
    let Some(set) = entry.get_mut::<ZSet>() else { return Err(ReplyError::WrongType) };
    let mut tally = Tally::default();
    for (score, index) in pairs {
        match set.add(args.get(index), score, rule, &limits) {
            Added::Nothing => {}
            Added::New(score) => {
                tally.added += 1;
                tally.last = Some(score);
            }
            Added::Moved(score) => {
                tally.moved += 1;
                tally.last = Some(score);
            }
            Added::Same(score) => tally.last = Some(score),
            Added::NotANumber => return Err(ReplyError::ScoreNan),
        }
    }
    Ok(tally)
}

fn add(cx: &mut Cx<'_>, incr: bool) -> Result<(), ReplyError> {
    let Options { rule, changed, first } = parse_options(cx, incr)?;
    let words = (first..cx.argc()).step_by(2);
    let mut scores = SmallVec::<[(f64, usize); 8]>::with_capacity(words.len());
    for at in words {
        scores.push((parse_f64(cx.arg(at)).ok_or(ReplyError::NotFloat)?, at + 1));
    }
    let tally = add_pairs(cx, rule, scores.into_iter())?;
    if rule.incr {
        match tally.last {
            Some(score) => cx.out.double(score),
            None => cx.out.null(),
        }
    } else {
        cx.out.integer((tally.added + if changed { tally.moved } else { 0 }) as i64);
    }
    let count = tally.added + tally.moved;
    if count > 0 {
        cx.propagate();
        cx.outcome.dirty += count - 1;
        let key = cx.arg(1);
        cx.notify(notify::ZSET, if rule.incr { "zincr" } else { "zadd" }, key);
    }
    Ok(())
}

/// `ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member …]`
pub fn zadd(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    add(cx, false)
}

/// `ZINCRBY key increment member`
pub fn zincrby(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    add(cx, true)
}
