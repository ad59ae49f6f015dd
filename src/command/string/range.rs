//! GETRANGE SUBSTR SETRANGE APPEND: parts of strings.
//!
//! Called through their rows. Invariant: nothing grows beyond `length_limit`. Bounds: the part read or written; a string that grows in place
//! does so by doubling, and the first change of a shared value copies it.

use super::{TOO_LONG, create_zeroed, length_limit, store};
use crate::base::number::{DigitBuffer, parse_i64};
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{EntryMut, Expire, ValueRef};

/// The part of `len` bytes that `first..=last` means; negative positions count from the end.
fn clamp_range(first: i64, last: i64, len: usize) -> Option<std::ops::Range<usize>> {
    if len == 0 || (first < 0 && last < 0 && first > last) {
        return None;
    }
    let size = len as i64;
    let from_start = |at: i64| if at < 0 { (size + at).max(0) } else { at };
    let (first, last) = (from_start(first), from_start(last).min(size - 1));
    (first <= last).then(|| first as usize..last as usize + 1)
}

/// GETRANGE and SUBSTR: `GETRANGE key start end`.
pub fn getrange(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let first = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    let last = parse_i64(cx.arg(3)).ok_or(ReplyError::NotInteger)?;
    let key = cx.key(1);
    let (entry, out) = cx.read_beside_out(&key);
    let Some(entry) = entry else {
        out.bulk(b"");
        cx.notify_miss(key.bytes);
        return Ok(());
    };
    let part = |len: usize| clamp_range(first, last, len).unwrap_or(0..0);
    match entry.value() {
        ValueRef::Bytes(bytes) => out.bulk(&bytes[part(bytes.len())]),
        ValueRef::Shared(bytes) => out.blob(bytes.slice(part(bytes.len()))),
        ValueRef::Int(number) => {
            let mut digits = DigitBuffer::new();
            let text = digits.format(number);
            out.bulk(&text[part(text.len())]);
        }
        _ => return Err(ReplyError::WrongType),
    }
    Ok(())
}

/// `SETRANGE key offset value`
pub fn setrange(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let offset = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    if offset < 0 {
        return Err(ReplyError::Text("ERR offset is out of range"));
    }
    let (key, value) = (cx.key(1), cx.arg(3));
    let old_len = match cx.lookup_write(&key) {
        Some(entry) => Some(entry.get().string_len().ok_or(ReplyError::WrongType)?),
        None => None,
    };
    if value.is_empty() {
        cx.out.integer(old_len.unwrap_or(0) as i64);
        return Ok(());
    }
    if offset as u64 + value.len() as u64 > length_limit(cx) {
        return Err(TOO_LONG);
    }
    let (start, end) = (offset as usize, offset as usize + value.len());
    let len = old_len.unwrap_or(0).max(end);
    // Touched above.
    cx.access.touch = false;
    match old_len {
        None => write_at(create_zeroed(cx, &key, end), start, value),
        Some(_) => cx.lookup_write(&key).into_iter().for_each(|entry| write_at(entry, start, value)),
    }
    cx.propagate();
    cx.notify(notify::STRING, "setrange", key.bytes);
    cx.out.integer(len as i64);
    Ok(())
}

/// Puts `value` at `start` into a string, which grows if need be.
fn write_at(mut entry: EntryMut<'_>, start: usize, value: &[u8]) {
    let end = start + value.len();
    if entry.get().string_len().is_some_and(|len| len < end) {
        entry.resize(end);
    }
    if let Some(bytes) = entry.bytes_mut() {
        bytes[start..end].copy_from_slice(value);
    }
}

/// `APPEND key value`
pub fn append(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, value, limit) = (cx.key(1), cx.arg(2), length_limit(cx));
    let grown = if let Some(mut entry) = cx.lookup_write(&key) {
        let len = entry.get().string_len().ok_or(ReplyError::WrongType)? + value.len();
        if len as u64 > limit {
            return Err(TOO_LONG);
        }
        entry.append(value);
        Some(len)
    } else {
        None
    };
    if grown.is_none() {
        store(cx, &key, 2, Expire::Clear);
    }
    cx.propagate();
    cx.notify(notify::STRING, "append", key.bytes);
    cx.out.integer(grown.unwrap_or(value.len()) as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::clamp_range;

    #[test]
    fn ranges_are_clamped_as_redis_does() {
        let cases = [
            (0, -1, 5, Some(0..5)),
            (-3, -2, 5, Some(2..4)),
            (-2, -3, 5, None),
            (3, 1, 5, None),
            (-100, 100, 5, Some(0..5)),
            (-100, -90, 5, Some(0..1)),
            (5, 9, 5, None),
            (0, 0, 0, None),
            (i64::MIN, i64::MAX, 3, Some(0..3)),
        ];
        for (first, last, len, want) in cases {
            assert_eq!(clamp_range(first, last, len), want, "{first} {last} {len}");
        }
    }
}
