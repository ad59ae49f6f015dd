//! XRANGE XREVRANGE.
//!
//! Called through their rows. Invariant: the reply is written straight from the nodes.
use super::{parse_end, parse_start, reply_from, write_entries};
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;

fn range(cx: &mut Cx<'_>, back: bool) -> Result<(), ReplyError> {
    let (from, to) = if back { (3, 2) } else { (2, 3) };
    let start = parse_start(cx.arg(from))?;
    let end = parse_end(cx.arg(to))?;
    let (mut count, mut at) = (None, 4);
    while at < cx.argc() {
        if !cx.arg(at).eq_ignore_ascii_case(b"count") || at + 1 == cx.argc() {
            return Err(ReplyError::Syntax);
        }
        count = Some(parse_i64(cx.arg(at + 1)).ok_or(ReplyError::NotInteger)?.max(0) as usize);
        at += 2;
    }
    let key = cx.key(1);
    reply_from(cx, &key, |out, stream| match (stream, count) {
        (None, _) => out.array(0),
        (Some(_), Some(0)) => out.null_array(),
        (Some(stream), _) => {
            let entries = stream.range(start, end, back);
            write_entries(out, entries.take(count.unwrap_or(usize::MAX)));
        }
    })
}

/// `XRANGE key start end [COUNT count]`
pub fn xrange(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    range(cx, false)
}

/// `XREVRANGE key end start [COUNT count]`
pub fn xrevrange(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    range(cx, true)
}
