//! ZCARD ZSCORE ZMSCORE ZRANK ZREVRANK ZCOUNT ZLEXCOUNT: members looked up and counted.
//!
//! Called through their rows. Invariant: replies are written straight from the set. ZRANK and ZREVRANK take WITHSCORE as redis 7.2 does.

use super::reply_from;
use crate::command::Cx;
use crate::command::reply_error::{ReplyError, wrong_arity};
use crate::types::zset::ZSet;
use crate::types::zset::range::{LexRange, ScoreRange};

/// `ZCARD key`
pub fn zcard(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    reply_from(cx, &key, |out, set| out.integer(set.map_or(0, ZSet::len) as i64))
}

/// `ZSCORE key member`
pub fn zscore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, member) = (cx.key(1), cx.arg(2));
    reply_from(cx, &key, |out, set| match set.and_then(|set| set.score(member)) {
        Some(score) => out.double(score),
        None => out.null(),
    })
}

/// `ZMSCORE key member [member …]`
pub fn zmscore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, members) = (cx.key(1), cx.args.skip(2));
    reply_from(cx, &key, |out, set| {
        out.array(members.len());
        for member in members.iter() {
            match set.and_then(|set| set.score(member)) {
                Some(score) => out.double(score),
                None => out.null(),
            }
        }
    })
}

fn rank(cx: &mut Cx<'_>, reverse: bool) -> Result<(), ReplyError> {
    if cx.argc() > 4 {
        let text = wrong_arity(cx.row);
        return Err(cx.fail(text));
    }
    let with_score = cx.argc() == 4;
    if with_score && !cx.arg(3).eq_ignore_ascii_case(b"withscore") {
        return Err(ReplyError::Syntax);
    }
    let (key, member) = (cx.key(1), cx.arg(2));
    reply_from(cx, &key, |out, set| {
        let found = set.and_then(|set| Some((set.len(), set.rank(member)?)));
        let Some((len, (rank, score))) = found else {
            return if with_score { out.null_array() } else { out.null() };
        };
        if with_score {
            out.array(2);
        }
        out.integer(if reverse { len - 1 - rank } else { rank } as i64);
        if with_score {
            out.double(score);
        }
    })
}

/// `ZRANK key member [WITHSCORE]`
pub fn zrank(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    rank(cx, false)
}

/// `ZREVRANK key member [WITHSCORE]`
pub fn zrevrank(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    rank(cx, true)
}

/// `ZCOUNT key min max`
pub fn zcount(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let range = ScoreRange::parse(cx.arg(2), cx.arg(3)).ok_or(ReplyError::MinMaxNotFloat)?;
    let key = cx.key(1);
    reply_from(cx, &key, |out, set| {
        let (from, to) = set.map_or((0, 0), |set| set.score_span(&range));
        out.integer((to - from) as i64);
    })
}

/// `ZLEXCOUNT key min max`
pub fn zlexcount(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let range = LexRange::parse(cx.arg(2), cx.arg(3)).ok_or(ReplyError::MinMaxNotString)?;
    let key = cx.key(1);
    reply_from(cx, &key, |out, set| {
        let (from, to) = set.map_or((0, 0), |set| set.lex_span(&range, false));
        out.integer((to - from) as i64);
    })
}
