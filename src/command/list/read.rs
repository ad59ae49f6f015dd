//! LLEN LINDEX LRANGE: elements read.
//!
//! Called through their rows. Invariant: replies are written straight from the chunks' bytes, nothing is collected or allocated per element.

use super::write_item;
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::types::list::List;

/// `LLEN key`
pub fn llen(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let found = cx.read_as::<List>(&key)?.map(List::len);
    if found.is_none() {
        cx.notify_miss(key.bytes);
    }
    cx.out.integer(found.unwrap_or(0) as i64);
    Ok(())
}

/// `LINDEX key index`
pub fn lindex(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, word) = (cx.key(1), cx.arg(2));
    let (entry, out) = cx.read_beside_out(&key);
    let Some(entry) = entry else {
        out.null();
        cx.notify_miss(key.bytes);
        return Ok(());
    };
    let list = entry.get::<List>().ok_or(ReplyError::WrongType)?;
    let index = parse_i64(word).ok_or(ReplyError::NotInteger)?;
    match list.index_of(index).and_then(|index| list.get(index)) {
        Some(item) => write_item(out, item),
        None => out.null(),
    }
    Ok(())
}

/// The range `start..=stop` of redis over `len` elements as first index and count.
pub fn span(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let from_end = |index: i64| if index < 0 { len.saturating_add(index) } else { index };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    if start > stop || start >= len { (0, 0) } else { (start as usize, (stop - start + 1) as usize) }
}

/// `LRANGE key start stop`
pub fn lrange(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let start = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    let stop = parse_i64(cx.arg(3)).ok_or(ReplyError::NotInteger)?;
    let key = cx.key(1);
    let (entry, out) = cx.read_beside_out(&key);
    let Some(entry) = entry else {
        out.array(0);
        cx.notify_miss(key.bytes);
        return Ok(());
    };
    let list = entry.get::<List>().ok_or(ReplyError::WrongType)?;
    let (first, count) = span(start, stop, list.len());
    out.array(count);
    list.walk(first).take(count).for_each(|item| write_item(out, item));
    Ok(())
}
