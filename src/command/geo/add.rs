//! GEOADD: places added.
//!
//! Called through its row; calls `zset::add`. Invariant: it leaves as the ZADD that it is.

use smallvec::SmallVec;

use super::parse_place;
use crate::base::number::DigitBuffer;
use crate::command::reply_error::ReplyError;
use crate::command::zset::add::add_pairs;
use crate::command::{Cx, notify};
use crate::types::zset::AddRule;

/// `GEOADD key [NX|XX] [CH] longitude latitude member [longitude latitude member …]`
pub fn geoadd(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (mut rule, mut changed, mut first) = (AddRule::default(), false, 2);
    while first < cx.argc() {
        let word = cx.arg(first);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"nx") {
            rule.nx = true;
        } else if is(b"xx") {
            rule.xx = true;
        } else if is(b"ch") {
            changed = true;
        } else {
            break;
        }
        first += 1;
    }
    let words = cx.argc() - first;
    if words == 0 || !words.is_multiple_of(3) || (rule.nx && rule.xx) {
        return Err(ReplyError::Syntax);
    }
    let mut scores = SmallVec::<[(u64, usize); 8]>::with_capacity(words / 3);
    for at in (first..cx.argc()).step_by(3) {
        match parse_place(cx.arg(at), cx.arg(at + 1)) {
            Ok(place) => scores.push((place.score(), at + 2)),
            Err(refusal) => return Err(refusal.report(cx)),
        }
    }
    let tally = add_pairs(cx, rule, scores.iter().map(|&(score, index)| (score as f64, index)))?;
    cx.out.integer((tally.added + if changed { tally.moved } else { 0 }) as i64);
    let count = tally.added + tally.moved;
    if count == 0 {
        return Ok(());
    }
    propagate(cx, first, &scores);
    cx.outcome.dirty += count - 1;
    let key = cx.arg(1);
    cx.notify(notify::ZSET, "zadd", key);
    Ok(())
}

/// `zadd key [options] score member …`, as redis rewrites it.
fn propagate(cx: &mut Cx<'_>, first: usize, scores: &[(u64, usize)]) {
    if !cx.is_observed() {
        return cx.propagate_as(&[]);
    }
    let texts: Vec<Vec<u8>> =
        scores.iter().map(|&(score, _)| DigitBuffer::new().format_u64(score).to_vec()).collect();
    let mut words: Vec<&[u8]> = vec![b"zadd"];
    words.extend((1..first).map(|index| cx.arg(index)));
    for (text, &(_, index)) in texts.iter().zip(scores) {
        words.extend([&text[..], cx.arg(index)]);
    }
    cx.propagate_as(&words);
}
