//! LSET LINSERT LREM LTRIM: changes at a position or by value.
//!
//! Called through their rows. Invariant: LTRIM touches WATCHers and notifies even if it cut nothing, as redis does, but leaves no effect then.

use super::read::span;
use super::{check_sizes, limits, new_item, notify_taken, remove_if_empty};
use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::types::list::{End, List};

/// `LSET key index element`
pub fn lset(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, args, limits) = (cx.key(1), cx.args, limits(cx));
    check_sizes(&args, 3)?;
    let Some(mut entry) = cx.write_as::<List>(&key)? else { return Err(ReplyError::NoSuchKey) };
    let list = entry.get_mut::<List>().ok_or(ReplyError::WrongType)?;
    let index = parse_i64(args.get(2)).ok_or(ReplyError::NotInteger)?;
    let index = list.index_of(index).ok_or(ReplyError::IndexOutOfRange)?;
    list.set(index, new_item(&args, 3), &limits);
    drop(entry);
    cx.propagate();
    cx.notify(notify::LIST, "lset", key.bytes);
    cx.out.ok();
    Ok(())
}

/// `LINSERT key BEFORE|AFTER pivot element`
pub fn linsert(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, args, limits) = (cx.key(1), cx.args, limits(cx));
    let side = args.get(2);
    let after = side.eq_ignore_ascii_case(b"after");
    if !after && !side.eq_ignore_ascii_case(b"before") {
        return Err(ReplyError::Syntax);
    }
    check_sizes(&args, 4)?;
    let Some(mut entry) = cx.write_as::<List>(&key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let list = entry.get_mut::<List>().ok_or(ReplyError::WrongType)?;
    let Some(pivot) = list.position(args.get(3), 0) else {
        drop(entry);
        cx.out.integer(-1);
        return Ok(());
    };
    list.insert(pivot + usize::from(after), new_item(&args, 4), &limits);
    let len = list.len();
    drop(entry);
    cx.propagate();
    cx.notify(notify::LIST, "linsert", key.bytes);
    cx.out.integer(len as i64);
    Ok(())
}

/// `LREM key count element`
pub fn lrem(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, args, limits) = (cx.key(1), cx.args, limits(cx));
    let count = parse_i64(args.get(2)).ok_or(ReplyError::NotInteger)?;
    let Some(mut entry) = cx.write_as::<List>(&key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let list = entry.get_mut::<List>().ok_or(ReplyError::WrongType)?;
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let removed = list.remove_equal(args.get(3), most, count < 0, &limits);
    let emptied = remove_if_empty(entry);
    if removed > 0 {
        cx.propagate();
        cx.outcome.dirty += removed as u64 - 1;
        notify_taken(cx, "lrem", key.bytes, emptied);
    }
    cx.out.integer(removed as i64);
    Ok(())
}

/// `LTRIM key start stop`
pub fn ltrim(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let start = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    let stop = parse_i64(cx.arg(3)).ok_or(ReplyError::NotInteger)?;
    let key = cx.key(1);
    let Some(mut entry) = cx.write_as::<List>(&key)? else {
        cx.out.ok();
        return Ok(());
    };
    let list = entry.get_mut::<List>().ok_or(ReplyError::WrongType)?;
    let len = list.len();
    let (first, kept) = span(start, stop, len);
    list.touch();
    let emptied = kept == 0;
    if emptied {
        // Whole, as DEL does it: a large one is freed later.
        entry.remove();
    } else {
        list.drop_from(End::Right, len - first - kept);
        list.drop_from(End::Left, first);
        drop(entry);
    }
    if kept < len {
        cx.propagate();
        cx.outcome.dirty += (len - kept) as u64 - 1;
    }
    notify_taken(cx, "ltrim", key.bytes, emptied);
    cx.out.ok();
    Ok(())
}
