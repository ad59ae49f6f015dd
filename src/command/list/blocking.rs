//! BLPOP BRPOP BLMPOP BLMOVE BRPOPLPUSH: the pops and moves that wait for an element.
//!
//! Called through their rows, and again by `session::offer` when a key is ready (see `command::blocking`). Invariant: what is found at once and what is
//! found later leave the same reply, events and effect: that of the form that does not wait. Bounds: as those. Source: redis' t_list.c for the order of
//! checks and the replies in MULTI.

use super::pop::{MultiPop, pop_command, pop_from};
use super::transfer::transfer;
use super::{notify_taken, parse_end, pop_event, remove_if_empty, write_item};
use crate::command::Cx;
use crate::command::blocking::{BlockSpec, parse_deadline};
use crate::command::reply_error::ReplyError;
use crate::keyspace::{Key, ValueType};
use crate::types::list::{End, List};

/// Takes one element, replied as `[key, element]`; false if there is no key.
fn pop_one(cx: &mut Cx<'_>, key: &Key<'_>, end: End) -> Result<bool, ReplyError> {
    let (Some(mut entry), out) = cx.write_beside_out(key) else { return Ok(false) };
    let list = entry.get_mut::<List>().ok_or(ReplyError::WrongType)?;
    let Some(item) = list.at_end(end) else { return Ok(false) };
    out.array(2);
    out.bulk(key.bytes);
    write_item(out, item);
    list.drop_from(end, 1);
    let emptied = remove_if_empty(entry);
    cx.propagate_as(&[pop_command(end), key.bytes]);
    notify_taken(cx, pop_event(end), key.bytes, emptied);
    Ok(true)
}

/// Waits for a list under one of the words `from..to`, or replies with the empty hand where waiting is denied.
fn wait_for(cx: &mut Cx<'_>, from: usize, to: usize, deadline_ms: u64) {
    if !cx.may_block() {
        return cx.out.null_array();
    }
    let args = cx.args;
    cx.block(BlockSpec::new(ValueType::List, (from..to).map(|index| args.get(index)), deadline_ms));
}

fn pop_or_wait(cx: &mut Cx<'_>, end: End) -> Result<(), ReplyError> {
    let last = cx.argc() - 1;
    let deadline_ms = parse_deadline(cx, cx.arg(last))?;
    for index in 1..last {
        let key = cx.key(index);
        if cx.considers(key.bytes) && pop_one(cx, &key, end)? {
            return Ok(());
        }
    }
    wait_for(cx, 1, last, deadline_ms);
    Ok(())
}

/// `BLPOP key [key …] timeout`
pub fn blpop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    pop_or_wait(cx, End::Left)
}

/// `BRPOP key [key …] timeout`
pub fn brpop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    pop_or_wait(cx, End::Right)
}

/// `BLMPOP timeout numkeys key [key …] LEFT|RIGHT [COUNT count]`
pub fn blmpop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let wanted = MultiPop::parse(cx, 2)?;
    let deadline_ms = parse_deadline(cx, cx.arg(1))?;
    let keys = wanted.first_key..wanted.first_key + wanted.keys;
    for index in keys.clone() {
        let key = cx.key(index);
        if cx.considers(key.bytes) && pop_from(cx, &key, wanted.end, wanted.count)? {
            return Ok(());
        }
    }
    wait_for(cx, keys.start, keys.end, deadline_ms);
    Ok(())
}

/// Moves an element now, replying and propagating as `words`, or waits until there is one.
fn move_or_wait(
    cx: &mut Cx<'_>,
    from: End,
    to: End,
    deadline_ms: u64,
    words: &[&[u8]],
) -> Result<(), ReplyError> {
    let (source, target) = (cx.key(1), cx.key(2));
    if transfer(cx, &source, &target, from, to)? {
        cx.propagate_as(words);
    } else if cx.may_block() {
        let mut spec = BlockSpec::new(ValueType::List, std::iter::once(source.bytes), deadline_ms);
        spec.feeds = Some(target.bytes.into());
        cx.block(spec);
    } else {
        cx.out.null();
    }
    Ok(())
}

/// How redis writes an end in the effect of a served BLMOVE.
fn end_word(end: End) -> &'static [u8] {
    match end {
        End::Left => b"left",
        End::Right => b"right",
    }
}

/// `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout`
pub fn blmove(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (from, to) = (parse_end(cx.arg(3))?, parse_end(cx.arg(4))?);
    let deadline_ms = parse_deadline(cx, cx.arg(5))?;
    // As redis: the client's words at once, its own later.
    let (from_word, to_word) = match cx.is_woken() {
        true => (end_word(from), end_word(to)),
        false => (cx.arg(3), cx.arg(4)),
    };
    let words = [b"LMOVE", cx.arg(1), cx.arg(2), from_word, to_word];
    move_or_wait(cx, from, to, deadline_ms, &words)
}

/// `BRPOPLPUSH source destination timeout`
pub fn brpoplpush(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let deadline_ms = parse_deadline(cx, cx.arg(3))?;
    let words = [b"RPOPLPUSH", cx.arg(1), cx.arg(2)];
    move_or_wait(cx, End::Right, End::Left, deadline_ms, &words)
}
