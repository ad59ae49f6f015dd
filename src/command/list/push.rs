//! LPUSH RPUSH LPUSHX RPUSHX: elements added at an end.
//!
//! Called through their rows. Invariant: several elements go in one after the other, so LPUSH reverses them.

use super::{check_sizes, limits, new_item, push_event};
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::NewValue;
use crate::resp::Args;
use crate::types::list::{End, List, ListLimits};

fn push_all(list: &mut List, args: &Args<'_>, end: End, limits: &ListLimits) -> usize {
    for index in 2..args.len() {
        list.push(end, new_item(args, index), limits);
    }
    list.len()
}

fn push(cx: &mut Cx<'_>, end: End, only_existing: bool) -> Result<(), ReplyError> {
    let (key, args, limits) = (cx.key(1), cx.args, limits(cx));
    check_sizes(&args, 2)?;
    let found = cx
        .write_as::<List>(&key)?
        .map(|mut entry| entry.get_mut::<List>().map_or(0, |list| push_all(list, &args, end, &limits)));
    let len = match found {
        Some(len) => len,
        None if only_existing => {
            cx.out.integer(0);
            return Ok(());
        }
        None => {
            let mut list = List::default();
            let len = push_all(&mut list, &args, end, &limits);
            cx.dbm(&key).create(&key, NewValue::from(list));
            cx.notify(notify::NEW, "new", key.bytes);
            len
        }
    };
    cx.propagate();
    cx.outcome.dirty += args.len() as u64 - 3;
    cx.notify(notify::LIST, push_event(end), key.bytes);
    cx.out.integer(len as i64);
    Ok(())
}

/// `LPUSH key element [element …]`
pub fn lpush(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    push(cx, End::Left, false)
}

/// `RPUSH key element [element …]`
pub fn rpush(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    push(cx, End::Right, false)
}

/// `LPUSHX key element [element …]`
pub fn lpushx(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    push(cx, End::Left, true)
}

/// `RPUSHX key element [element …]`
pub fn rpushx(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    push(cx, End::Right, true)
}
