//! XPENDING: what was delivered and not acknowledged.
//!
//! Called through its row. Invariant: changes nothing. Bounds: COUNT entries and those passed over by IDLE.
use super::{no_group, parse_end, parse_start, reply_from, wall_now, write_id};
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::resp::Out;
use crate::types::stream::{Group, StreamId};

/// The long form's words.
struct Range<'a> {
    start: StreamId,
    end: StreamId,
    count: usize,
    min_idle_ms: i64,
    consumer: Option<&'a [u8]>,
}

fn parse_range<'a>(cx: &Cx<'a>) -> Result<Option<Range<'a>>, ReplyError> {
    let argc = cx.argc();
    if argc == 3 {
        return Ok(None);
    }
    if !(6..=9).contains(&argc) {
        return Err(ReplyError::Syntax);
    }
    let (mut at, mut min_idle_ms) = (3, 0);
    if cx.arg(3).eq_ignore_ascii_case(b"idle") {
        min_idle_ms = parse_i64(cx.arg(4)).ok_or(ReplyError::NotInteger)?;
        if argc < 8 {
            return Err(ReplyError::Syntax);
        }
        at = 5;
    }
    let count = parse_i64(cx.arg(at + 2)).ok_or(ReplyError::NotInteger)?.max(0) as usize;
    let (start, end) = (parse_start(cx.arg(at))?, parse_end(cx.arg(at + 1))?);
    Ok(Some(Range { start, end, count, min_idle_ms, consumer: cx.args.get_checked(at + 3) }))
}

fn write_summary(out: &mut Out, group: &Group) {
    let pending = group.pending();
    out.array(4);
    out.integer(pending.len() as i64);
    let (Some(first), Some(last)) = (pending.first(), pending.last()) else {
        out.null();
        out.null();
        out.null_array();
        return;
    };
    write_id(out, first.id);
    write_id(out, last.id);
    let busy = || group.consumers().filter(|consumer| !consumer.pending.is_empty());
    out.array(busy().count());
    for consumer in busy() {
        out.array(2);
        out.bulk(&consumer.name);
        out.bulk_i64(consumer.pending.len() as i64);
    }
}

fn write_range(out: &mut Out, group: &Group, range: &Range<'_>, now_ms: i64) {
    let only = range.consumer.map(|name| group.find(name));
    let own = match only {
        Some(None) => return out.array(0),
        Some(Some(number)) => group.consumer(number).map(|consumer| &consumer.pending),
        None => None,
    };
    // The consumer's list has IDs only: its figures are in the group's.
    let (of_consumer, of_group) = match own {
        Some(list) => (Some(list.range(range.start)), None),
        None => (None, Some(group.pending().range(range.start))),
    };
    let of_consumer = of_consumer.into_iter().flatten().filter_map(|&id| group.pending().get(id));
    let records = of_consumer.chain(of_group.into_iter().flatten());
    let (mark, mut written) = (out.mark(), 0);
    for record in records.take_while(|record| record.id <= range.end) {
        if written == range.count {
            break;
        }
        let idle_ms = now_ms.saturating_sub(record.delivery_ms);
        if range.min_idle_ms != 0 && idle_ms < range.min_idle_ms {
            continue;
        }
        out.array(4);
        write_id(out, record.id);
        out.bulk(group.name_of(record.consumer));
        out.integer(idle_ms.max(0));
        out.integer(record.delivery_count as i64);
        written += 1;
    }
    out.insert_array(mark, written);
}

/// `XPENDING key group [[IDLE min-idle-ms] start end count [consumer]]`
pub fn xpending(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let range = parse_range(cx)?;
    let (key, name, now_ms) = (cx.key(1), cx.arg(2), wall_now(cx));
    let found = reply_from(cx, &key, |out, stream| {
        let group = stream.and_then(|stream| Some(&stream.groups()[stream.find_group(name)?]));
        match (group, &range) {
            (None, _) => return false,
            (Some(group), None) => write_summary(out, group),
            (Some(group), Some(range)) => write_range(out, group, range, now_ms),
        }
        true
    })?;
    if found { Ok(()) } else { Err(no_group(cx, key.bytes, name, "'")) }
}
