//! What the ZRANGE and ZREMRANGE families choose: a span of ranks, from two words and a kind of range.
//!
//! Called by `range` and `remove`. Invariant: words are judged before the key is looked at; the span is within the set.

use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::types::zset::ZSet;
use crate::types::zset::range::{LexRange, ScoreRange};

/// How two words name a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Indexes, negative from the end.
    Rank,
    /// Scores.
    Score,
    /// Texts.
    Lex,
}

/// A parsed range.
#[derive(Debug, Clone, Copy)]
pub enum Spec<'a> {
    /// First and last index.
    Rank(i64, i64),
    /// Between scores.
    Score(ScoreRange),
    /// Between texts.
    Lex(LexRange<'a>),
}

impl<'a> Spec<'a> {
    /// Reads `min` and `max` as `kind`.
    ///
    /// # Errors
    /// The text of its kind for words that are no bounds.
    pub fn parse(kind: Kind, min: &'a [u8], max: &'a [u8]) -> Result<Self, ReplyError> {
        Ok(match kind {
            Kind::Rank => Self::Rank(
                parse_i64(min).ok_or(ReplyError::NotInteger)?,
                parse_i64(max).ok_or(ReplyError::NotInteger)?,
            ),
            Kind::Score => Self::Score(ScoreRange::parse(min, max).ok_or(ReplyError::MinMaxNotFloat)?),
            Kind::Lex => Self::Lex(LexRange::parse(min, max).ok_or(ReplyError::MinMaxNotString)?),
        })
    }

    /// The ranks (from, to) it chooses in `set`; for indexes, `reverse` counts them from the highest score.
    pub fn span(&self, set: &ZSet, reverse: bool) -> (usize, usize) {
        match self {
            Self::Score(range) => set.score_span(range),
            Self::Lex(range) => set.lex_span(range, reverse),
            Self::Rank(first, last) => {
                let len = set.len() as i64;
                let from_end = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
                let (first, last) = (from_end(*first).max(0), from_end(*last).min(len - 1));
                if first > last {
                    return (0, 0);
                }
                let (from, to) = (first as usize, last as usize + 1);
                if reverse { (len as usize - to, len as usize - from) } else { (from, to) }
            }
        }
    }
}
