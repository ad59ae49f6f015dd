//! LPOP RPOP LMPOP: elements taken from an end.
//!
//! Called through their rows; [`pop_from`] also by the blocking pops. Invariant: the reply is written before the element goes. LMPOP leaves as the
//! pop it was, with the count that was there.

use super::{notify_taken, parse_end, pop_event, remove_if_empty, write_item};
use crate::base::number::{DigitBuffer, parse_i64};
use crate::command::Cx;
use crate::command::reply_error::{ReplyError, wrong_arity};
use crate::keyspace::{EntryMut, Key};
use crate::resp::Out;
use crate::types::list::{End, List};

/// The list behind a looked-up entry.
fn list_of<'e>(entry: &'e mut EntryMut<'_>) -> Result<&'e mut List, ReplyError> {
    entry.get_mut::<List>().ok_or(ReplyError::WrongType)
}

/// Writes up to `count` elements from `end` as an array.
fn write_popped(out: &mut Out, list: &List, end: End, count: usize) {
    let count = count.min(list.len());
    out.array(count);
    let walk = match end {
        End::Left => list.walk(0),
        End::Right => list.walk_back(list.len().wrapping_sub(1)),
    };
    walk.take(count).for_each(|item| write_item(out, item));
}

/// Takes `count` elements out, or one written as itself if it is None. False if there is no key.
fn pop_at(cx: &mut Cx<'_>, key: &Key<'_>, end: End, count: Option<usize>) -> Result<bool, ReplyError> {
    let (Some(mut entry), out) = cx.write_beside_out(key) else { return Ok(false) };
    let list = list_of(&mut entry)?;
    let taken = count.unwrap_or(1).min(list.len());
    match (count, list.at_end(end)) {
        (None, Some(item)) => write_item(out, item),
        (None, None) => out.null(),
        (Some(count), _) => write_popped(out, list, end, count),
    }
    if taken == 0 {
        return Ok(true);
    }
    list.drop_from(end, taken);
    let emptied = remove_if_empty(entry);
    cx.propagate();
    cx.outcome.dirty += taken as u64 - 1;
    notify_taken(cx, pop_event(end), key.bytes, emptied);
    Ok(true)
}

fn pop(cx: &mut Cx<'_>, end: End) -> Result<(), ReplyError> {
    if cx.argc() > 3 {
        let text = wrong_arity(cx.row);
        return Err(cx.fail(text));
    }
    let count = match cx.args.get_checked(2) {
        None => None,
        Some(word) => {
            let count = parse_i64(word).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(ReplyError::NotPositive)?)
        }
    };
    let key = cx.key(1);
    if !pop_at(cx, &key, end, count)? {
        if count.is_some() { cx.out.null_array() } else { cx.out.null() }
    }
    Ok(())
}

/// `LPOP key [count]`
pub fn lpop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    pop(cx, End::Left)
}

/// `RPOP key [count]`
pub fn rpop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    pop(cx, End::Right)
}

/// The options behind LMPOP's numkeys.
pub struct MultiPop {
    /// Index of the first key.
    pub first_key: usize,
    /// How many keys there are.
    pub keys: usize,
    /// Where to take from.
    pub end: End,
    /// How many to take at most.
    pub count: usize,
}

impl MultiPop {
    /// Reads `numkeys key … LEFT|RIGHT [COUNT count]` from word `at` on.
    ///
    /// # Errors
    /// As redis: numkeys first, then syntax, then the count.
    pub fn parse(cx: &Cx<'_>, at: usize) -> Result<Self, ReplyError> {
        let positive = |word: &[u8], error| {
            parse_i64(word)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|&number| number > 0)
                .ok_or(error)
        };
        let keys = positive(cx.arg(at), ReplyError::NumkeysNotPositive)?;
        let side = keys.checked_add(at + 1).ok_or(ReplyError::Syntax)?;
        let end = parse_end(cx.args.get_checked(side).ok_or(ReplyError::Syntax)?)?;
        let (mut index, mut count) = (side + 1, None);
        while let Some(word) = cx.args.get_checked(index) {
            let Some(value) = cx.args.get_checked(index + 1) else { return Err(ReplyError::Syntax) };
            if count.is_some() || !word.eq_ignore_ascii_case(b"count") {
                return Err(ReplyError::Syntax);
            }
            count = Some(positive(value, ReplyError::CountNotPositive)?);
            index += 2;
        }
        Ok(Self { first_key: at + 1, keys, end, count: count.unwrap_or(1) })
    }
}

/// Takes up to `count` elements from a list, replied as `[key, elements]`; false if there is no key.
///
/// # Errors
/// `WrongType` if the key holds something else.
pub fn pop_from(cx: &mut Cx<'_>, key: &Key<'_>, end: End, count: usize) -> Result<bool, ReplyError> {
    let (Some(mut entry), out) = cx.write_beside_out(key) else { return Ok(false) };
    let list = list_of(&mut entry)?;
    let taken = count.min(list.len());
    out.array(2);
    out.bulk(key.bytes);
    write_popped(out, list, end, taken);
    list.drop_from(end, taken);
    let emptied = remove_if_empty(entry);
    let mut digits = DigitBuffer::new();
    cx.propagate_as(&[pop_command(end), key.bytes, digits.format_u64(taken as u64)]);
    cx.outcome.dirty += (taken as u64).saturating_sub(1);
    notify_taken(cx, pop_event(end), key.bytes, emptied);
    Ok(true)
}

/// The word an effect uses.
pub fn pop_command(end: End) -> &'static [u8] {
    match end {
        End::Left => b"LPOP",
        End::Right => b"RPOP",
    }
}

/// `LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count]`
pub fn lmpop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let wanted = MultiPop::parse(cx, 1)?;
    for index in wanted.first_key..wanted.first_key + wanted.keys {
        let key = cx.key(index);
        if pop_from(cx, &key, wanted.end, wanted.count)? {
            return Ok(());
        }
    }
    cx.out.null_array();
    Ok(())
}
