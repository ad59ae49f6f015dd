//! The list commands.
//!
//! Handlers of the rows in `command::rows::list`; called by `shard::execute`, they call `keyspace` and `types::list`. Invariant: a list that became
//! empty is removed in the same command, with the events `pop`, `del` in this order. Bounds: ends cost what is pushed or popped, the middle
//! its position. Source: redis' t_list.c for replies, order of checks, events and effects.

pub mod blocking;
pub mod middle;
pub mod pop;
pub mod push;
pub mod read;
pub mod search;
pub mod transfer;

use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::EntryMut;
use crate::resp::{Args, Out};
use crate::types::element::Element;
use crate::types::list::{End, Item, List, ListLimits, NewItem};

/// The longest element redis takes, bytes.
const ELEMENT_MAX: usize = (1 << 32) - 1024;

/// The chunk limits in force.
pub fn limits(cx: &Cx<'_>) -> ListLimits {
    ListLimits::of(cx.settings.list_max_listpack_size)
}

/// LEFT or RIGHT.
///
/// # Errors
/// `Syntax` for any other word.
pub fn parse_end(word: &[u8]) -> Result<End, ReplyError> {
    if word.eq_ignore_ascii_case(b"left") {
        Ok(End::Left)
    } else if word.eq_ignore_ascii_case(b"right") {
        Ok(End::Right)
    } else {
        Err(ReplyError::Syntax)
    }
}

/// The event of a pop from `end`, which is also the command an effect uses.
pub fn pop_event(end: End) -> &'static str {
    match end {
        End::Left => "lpop",
        End::Right => "rpop",
    }
}

/// The event of a push to `end`.
pub fn push_event(end: End) -> &'static str {
    match end {
        End::Left => "lpush",
        End::Right => "rpush",
    }
}

/// Writes an element from where it lies; a huge one is shared.
#[inline]
pub fn write_item(out: &mut Out, item: Item<'_>) {
    match item {
        Item::Packed(Element::Bytes(bytes)) => out.bulk(bytes),
        Item::Packed(Element::Int(number)) => out.bulk_i64(number),
        Item::Huge(bytes) => out.blob(bytes.clone()),
    }
}

/// Word `index` as an element.
fn new_item<'a>(args: &Args<'a>, index: usize) -> NewItem<'a> {
    match args.shared(index) {
        Some(bytes) => NewItem::Shared(bytes.clone()),
        None => NewItem::Text(args.get(index)),
    }
}

/// Refuses elements that redis refuses, among the words from `first` on.
fn check_sizes(args: &Args<'_>, first: usize) -> Result<(), ReplyError> {
    if args.has_big() && args.skip(first).iter().any(|word| word.len() > ELEMENT_MAX) {
        return Err(ReplyError::Text("ERR Element too large"));
    }
    Ok(())
}

/// Removes the key if its list became empty; true if so.
fn remove_if_empty(entry: EntryMut<'_>) -> bool {
    let empty = entry.get().get::<List>().is_some_and(List::is_empty);
    if empty {
        entry.remove();
    }
    empty
}

/// The events of elements taken from `key`.
fn notify_taken(cx: &mut Cx<'_>, name: &'static str, key: &[u8], emptied: bool) {
    cx.notify(notify::LIST, name, key);
    if emptied {
        cx.notify(notify::GENERIC, "del", key);
    }
}
