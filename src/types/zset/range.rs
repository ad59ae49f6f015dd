//! Ranges of sorted sets as clients write them: by score (`1.5`, `(2`, `-inf`) and by text (`[a`, `(b`, `-`, `+`).
//!
//! Parsed by the commands, judged by the representations. Invariant: what counts as a number or an empty range is what redis 7.0
//! says (t_zset.c): score bounds are read by C's strtod, which takes blanks in front, an empty text as 0 and overflow as infinity.
use crate::base::number::float::parse_f64_as_c;
use std::cmp::Ordering;

/// Scores between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRange {
    /// Lower bound.
    pub min: f64,
    /// Upper bound.
    pub max: f64,
    /// The lower bound itself is outside.
    pub min_open: bool,
    /// The upper bound itself is outside.
    pub max_open: bool,
}

fn parse_score(text: &[u8]) -> Option<(f64, bool)> {
    let (open, number) = match text {
        [b'(', rest @ ..] => (true, rest),
        all => (false, all),
    };
    Some((parse_f64_as_c(number)?, open))
}

impl ScoreRange {
    /// Reads both bounds; None if one is no number.
    pub fn parse(min: &[u8], max: &[u8]) -> Option<Self> {
        let (min, min_open) = parse_score(min)?;
        let (max, max_open) = parse_score(max)?;
        Some(Self { min, max, min_open, max_open })
    }

    /// Both bounds inside.
    pub fn closed(min: f64, max: f64) -> Self {
        Self { min, max, min_open: false, max_open: false }
    }

    /// Whether nothing can lie in it.
    pub fn is_empty(&self) -> bool {
        self.min > self.max || (self.min == self.max && (self.min_open || self.max_open))
    }

    /// Whether `score` is not below it.
    #[inline]
    pub fn reaches(&self, score: f64) -> bool {
        if self.min_open { score > self.min } else { score >= self.min }
    }

    /// Whether `score` is not above it.
    #[inline]
    pub fn covers(&self, score: f64) -> bool {
        if self.max_open { score < self.max } else { score <= self.max }
    }
}

/// One end of a [`LexRange`]; ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LexBound<'a> {
    /// `-`
    Least,
    /// `[text` or `(text`
    Text(&'a [u8]),
    /// `+`
    Greatest,
}

/// Texts between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// Lower bound.
    pub min: LexBound<'a>,
    /// Upper bound.
    pub max: LexBound<'a>,
    /// The lower bound itself is outside.
    pub min_open: bool,
    /// The upper bound itself is outside.
    pub max_open: bool,
}

fn parse_lex(text: &[u8]) -> Option<(LexBound<'_>, bool)> {
    match text {
        // redis looks at one character behind the sign, and a NUL ends the text for it.
        [b'+'] | [b'+', 0, ..] => Some((LexBound::Greatest, true)),
        [b'-'] | [b'-', 0, ..] => Some((LexBound::Least, true)),
        [b'(', rest @ ..] => Some((LexBound::Text(rest), true)),
        [b'[', rest @ ..] => Some((LexBound::Text(rest), false)),
        _ => None,
    }
}

impl<'a> LexRange<'a> {
    /// Reads both bounds; None if one is not written as a bound.
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Option<Self> {
        let (min, min_open) = parse_lex(min)?;
        let (max, max_open) = parse_lex(max)?;
        Some(Self { min, max, min_open, max_open })
    }

    /// Whether nothing can lie in it.
    pub fn is_empty(&self) -> bool {
        match self.min.cmp(&self.max) {
            Ordering::Greater => true,
            Ordering::Equal => self.min_open || self.max_open,
            Ordering::Less => false,
        }
    }

    /// Whether `text` is not below it.
    #[inline]
    pub fn reaches(&self, text: &[u8]) -> bool {
        match LexBound::Text(text).cmp(&self.min) {
            Ordering::Greater => true,
            Ordering::Equal => !self.min_open,
            Ordering::Less => false,
        }
    }

    /// Whether `text` is not above it.
    #[inline]
    pub fn covers(&self, text: &[u8]) -> bool {
        match LexBound::Text(text).cmp(&self.max) {
            Ordering::Less => true,
            Ordering::Equal => !self.max_open,
            Ordering::Greater => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_redis_reads_them() {
        let range = |min: &str, max: &str| ScoreRange::parse(min.as_bytes(), max.as_bytes());
        assert_eq!(range("1", "2"), Some(ScoreRange::closed(1.0, 2.0)));
        assert_eq!(range("", " 2"), Some(ScoreRange::closed(0.0, 2.0)));
        assert_eq!(range("-inf", "1e999"), Some(ScoreRange::closed(f64::NEG_INFINITY, f64::INFINITY)));
        assert!(range("(1", "(1").is_some_and(|range| range.is_empty()));
        for bad in ["nan", "1 ", " ", "(", "((1", "x"] {
            assert_eq!(range(bad, "1").is_none(), bad != "(", "{bad}");
        }
        let lex = |min: &'static str, max: &'static str| LexRange::parse(min.as_bytes(), max.as_bytes());
        assert!(
            lex("-", "+")
                .is_some_and(|range| !range.is_empty() && range.reaches(b"") && range.covers(b"\xff"))
        );
        assert!(lex("+", "-").is_some_and(|range| range.is_empty()));
        assert!(lex("-", "-").is_some_and(|range| range.is_empty()));
        assert!(
            lex("[a", "(b")
                .is_some_and(|range| range.reaches(b"a") && !range.covers(b"b") && range.covers(b"a\xff"))
        );
        assert!(lex("a", "+").is_none() && lex("+a", "+").is_none() && lex("", "+").is_none());
    }
}
