//! ZSCAN and ZRANDMEMBER: members walked and drawn.
//!
//! Called through their rows. Invariant: a member that stays in the set during a whole ZSCAN is returned. Bounds: ZSCAN about COUNT members; ZRANDMEMBER
//! `count` draws. Source: redis' t_zset.c and db.c for options and texts.

use super::{begin_pairs, reply_from, write_member, write_pair};
use crate::base::glob::glob_match;
use crate::base::number::{parse_i64, write_double};
use crate::command::Cx;
use crate::command::keys::scan::parse_cursor;
use crate::command::reply_error::ReplyError;
use crate::resp::Out;
use crate::types::element::Element;
use crate::types::zset::ZSet;
use crate::types::zset::pack::write_packed_score;

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn zscan(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let cursor = parse_cursor(cx.arg(2))?;
    let (key, args) = (cx.key(1), cx.args);
    let mut result = Ok(());
    reply_from(cx, &key, |out, set| {
        let Some(set) = set else { return write_page(out, 0, &[], true) };
        // redis reads the options only if there is a set.
        let (pattern, count) = match scan_options(&args) {
            Ok(options) => options,
            Err(error) => {
                result = Err(error);
                return;
            }
        };
        let mut page = Vec::new();
        let next = set.scan(cursor, count, |member, score| {
            if pattern.is_none_or(|pattern| glob_match(pattern, &member.to_bytes(), false)) {
                page.push((member, score));
            }
        });
        write_page(out, next, &page, set.is_packed());
    })?;
    result
}

/// A small set's scores are shown as redis' listpack keeps them.
fn write_page(out: &mut Out, next: u64, page: &[(Element<'_>, f64)], packed: bool) {
    out.array(2);
    out.bulk(next.to_string().as_bytes());
    out.array(page.len() * 2);
    let mut text = Vec::new();
    for (member, score) in page {
        write_member(out, *member);
        text.clear();
        if packed {
            write_packed_score(&mut text, *score);
        } else {
            write_double(&mut text, *score);
        }
        out.bulk(&text);
    }
}

/// MATCH and COUNT from word 3 on.
fn scan_options<'a>(args: &crate::resp::Args<'a>) -> Result<(Option<&'a [u8]>, usize), ReplyError> {
    let (mut pattern, mut count, mut index) = (None, 10, 3);
    while index < args.len() {
        let Some(value) = args.get_checked(index + 1) else { return Err(ReplyError::Syntax) };
        let word = args.get(index);
        if word.eq_ignore_ascii_case(b"count") {
            let number = parse_i64(value).ok_or(ReplyError::NotInteger)?;
            count = usize::try_from(number).ok().filter(|&count| count > 0).ok_or(ReplyError::Syntax)?;
        } else if word.eq_ignore_ascii_case(b"match") {
            pattern = Some(value).filter(|pattern| *pattern != b"*");
        } else {
            return Err(ReplyError::Syntax);
        }
        index += 2;
    }
    Ok((pattern, count))
}

/// How many members ZRANDMEMBER draws (`None`: one, as a plain reply), and whether with scores.
fn parse_draw(cx: &mut Cx<'_>) -> Result<Option<(i64, bool)>, ReplyError> {
    if cx.argc() == 2 {
        return Ok(None);
    }
    let count = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    if count == i64::MIN {
        let text = format!("ERR value is out of range, value must between {} and {}", -i64::MAX, i64::MAX);
        return Err(cx.fail(text));
    }
    let with_scores = cx.argc() == 4 && cx.arg(3).eq_ignore_ascii_case(b"withscores");
    if cx.argc() > 4 || (cx.argc() == 4 && !with_scores) {
        return Err(ReplyError::Syntax);
    }
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(ReplyError::OutOfRange);
    }
    Ok(Some((count, with_scores)))
}

/// `ZRANDMEMBER key [count [WITHSCORES]]`
pub fn zrandmember(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let draw = parse_draw(cx)?;
    let key = cx.key(1);
    // The dice leave the keyspace while its set is read.
    let mut prng = cx.space(&key).common.prng.clone();
    let result = reply_from(cx, &key, |out, set| match (set, draw) {
        (None, None) => out.null(),
        (None, Some(_)) => out.array(0),
        (Some(set), None) => match set.random(&mut prng) {
            Some((member, _)) => write_member(out, member),
            None => out.null(),
        },
        (Some(set), Some((count, with_scores))) if count < 0 => {
            let count = count.unsigned_abs() as usize;
            begin_pairs(out, count, with_scores);
            draw_with_repeats(out, set, count, with_scores, &mut prng);
        }
        (Some(set), Some((count, with_scores))) => {
            let drawn = set.random_distinct(count as usize, &mut prng);
            begin_pairs(out, drawn.len(), with_scores);
            drawn.into_iter().for_each(|pair| write_pair(out, pair, with_scores));
        }
    });
    cx.space(&key).common.prng = prng;
    result
}

fn draw_with_repeats(
    out: &mut Out,
    set: &ZSet,
    count: usize,
    with_scores: bool,
    prng: &mut crate::base::prng::Prng,
) {
    // A draw from a small set walks it: many draws read it once instead.
    let pairs: Vec<(Element<'_>, f64)> =
        if set.is_packed() && count > 3 { set.iter().collect() } else { Vec::new() };
    for _ in 0..count {
        let pair = match pairs.len() {
            0 => set.random(prng),
            len => Some(pairs[prng.below(len as u64) as usize]),
        };
        if let Some(pair) = pair {
            write_pair(out, pair, with_scores);
        }
    }
}
