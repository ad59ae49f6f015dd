//! LMOVE RPOPLPUSH: an element from one list's end to another's.
//!
//! Called through their rows; [`transfer`] also by the blocking forms. The lists may lie on different shards, both are in hand. Invariant: the target's type is judged
//! before the element leaves its list; the push is notified before the pop, as redis does.

use super::{limits, notify_taken, parse_end, pop_event, push_event, remove_if_empty, write_item};
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{Key, NewValue};
use crate::types::list::{End, Item, List};

/// Moves one element and replies with it; false if the source is not there. The caller propagates.
///
/// # Errors
/// `WrongType` if either key holds something else.
pub fn transfer(
    cx: &mut Cx<'_>,
    source: &Key<'_>,
    target: &Key<'_>,
    from: End,
    to: End,
) -> Result<bool, ReplyError> {
    if cx.write_as::<List>(source)?.is_none() {
        return Ok(false);
    }
    cx.write_as::<List>(target)?;
    let limits = limits(cx);
    cx.access.touch = false;
    let (Some(mut entry), out) = cx.write_beside_out(source) else { return Ok(false) };
    let list = entry.get_mut::<List>().ok_or(ReplyError::WrongType)?;
    let Some(item) = list.at_end(from) else { return Ok(false) };
    write_item(out, item);
    let item = Item::to_new(item);
    list.drop_from(from, 1);
    if source.bytes == target.bytes {
        list.push(to, item, &limits);
        drop(entry);
        cx.notify(notify::LIST, push_event(to), target.bytes);
        cx.notify(notify::LIST, pop_event(from), source.bytes);
        return Ok(true);
    }
    let emptied = remove_if_empty(entry);
    let found = cx.lookup_write(target).map(|mut entry| {
        if let Some(list) = entry.get_mut::<List>() {
            list.push(to, item.clone(), &limits);
        }
    });
    if found.is_none() {
        let mut list = List::default();
        list.push(to, item, &limits);
        cx.dbm(target).create(target, NewValue::from(list));
        cx.notify(notify::NEW, "new", target.bytes);
    }
    cx.notify(notify::LIST, push_event(to), target.bytes);
    notify_taken(cx, pop_event(from), source.bytes, emptied);
    Ok(true)
}

fn reply_moved(cx: &mut Cx<'_>, from: End, to: End) -> Result<(), ReplyError> {
    let (source, target) = (cx.key(1), cx.key(2));
    if transfer(cx, &source, &target, from, to)? {
        cx.propagate();
    } else {
        cx.out.null();
    }
    Ok(())
}

/// `LMOVE source destination LEFT|RIGHT LEFT|RIGHT`
pub fn lmove(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (from, to) = (parse_end(cx.arg(3))?, parse_end(cx.arg(4))?);
    reply_moved(cx, from, to)
}

/// `RPOPLPUSH source destination`
pub fn rpoplpush(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply_moved(cx, End::Right, End::Left)
}
