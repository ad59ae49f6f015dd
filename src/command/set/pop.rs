//! SPOP: random members taken out.
//!
//! Called through its row. Invariant: what leaves as effect names the members: one SREM each, or one DEL when all go (as redis 7.0 does).
//! Bounds: `count` draws; when most go, one pass over the set.

use super::limits;
use crate::base::number::parse_i64;
use crate::command::hash::read::write_element;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{Key, NewValue};
use crate::types::set::{Set, SetLimits};

/// `SPOP key [count]`
pub fn spop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    match cx.argc() {
        2 => pop_one(cx),
        3 => {
            let count = parse_i64(cx.arg(2)).and_then(|count| usize::try_from(count).ok());
            pop_many(cx, count.ok_or(ReplyError::NotPositive)?)
        }
        _ => Err(ReplyError::Syntax),
    }
}

fn pop_one(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let Some((popped, emptied)) = take_random(cx, &key, 1)? else {
        cx.out.null();
        return Ok(());
    };
    cx.notify(notify::SET, "spop", key.bytes);
    for member in &popped {
        cx.propagate_as(&[b"SREM", key.bytes, member]);
        cx.out.bulk(member);
    }
    if emptied {
        cx.notify(notify::GENERIC, "del", key.bytes);
    }
    Ok(())
}

fn pop_many(cx: &mut Cx<'_>, count: usize) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let len = match cx.write_as::<Set>(&key)? {
        None => 0,
        Some(entry) => entry.get().get::<Set>().map_or(0, Set::len),
    };
    if len == 0 || count == 0 {
        cx.out.set(0);
        return Ok(());
    }
    cx.access.touch = false;
    if count >= len {
        return pop_all(cx, &key, len);
    }
    let popped = take_random(cx, &key, count)?.map_or_else(Vec::new, |(popped, _)| popped);
    cx.notify(notify::SET, "spop", key.bytes);
    cx.out.set(popped.len());
    for member in &popped {
        cx.propagate_as(&[b"SREM", key.bytes, member]);
        cx.out.bulk(member);
    }
    Ok(())
}

fn pop_all(cx: &mut Cx<'_>, key: &Key<'_>, len: usize) -> Result<(), ReplyError> {
    let mut out = std::mem::take(cx.out);
    if let Ok(Some(entry)) = cx.write_as::<Set>(key) {
        if let Some(set) = entry.get().get::<Set>() {
            out.set(len);
            set.iter().for_each(|member| write_element(&mut out, member));
        }
        entry.remove();
    }
    *cx.out = out;
    cx.notify(notify::SET, "spop", key.bytes);
    cx.notify(notify::GENERIC, "del", key.bytes);
    cx.propagate_as(&[b"DEL", key.bytes]);
    cx.outcome.dirty += len as u64 - 1;
    Ok(())
}

/// Takes `count` (fewer than there are, or 1) random members out; also whether the set is gone. None without a set.
#[expect(clippy::type_complexity, reason = "the members, and whether those were all")]
fn take_random(
    cx: &mut Cx<'_>,
    key: &Key<'_>,
    count: usize,
) -> Result<Option<(Vec<Vec<u8>>, bool)>, ReplyError> {
    let limits = limits(cx);
    let mut prng = cx.space(key).common.prng.clone();
    let Some(mut entry) = cx.write_as::<Set>(key)? else { return Ok(None) };
    let mut popped = Vec::with_capacity(count.min(1 << 16));
    if let Some(set) = entry.get_mut::<Set>() {
        if count > set.len() / 2 && set.len() > 64 {
            popped = keep_few(set, set.len() - count, &limits, &mut prng);
        } else {
            while popped.len() < count {
                let Some(member) = set.random(&mut prng).map(|member| member.to_bytes().into_owned()) else {
                    break;
                };
                set.remove(&member);
                popped.push(member);
            }
        }
    }
    let emptied = entry.get().get::<Set>().is_some_and(Set::is_empty);
    if emptied {
        entry.remove()
    } else {
        drop(entry)
    }
    cx.space(key).common.prng = prng;
    Ok(Some((popped, emptied)))
}

/// Draws what stays and gives back the rest.
fn keep_few(
    set: &mut Set,
    keep: usize,
    limits: &SetLimits,
    prng: &mut crate::base::prng::Prng,
) -> Vec<Vec<u8>> {
    let mut rest = Set::new();
    if set.as_ints().is_none() {
        rest.convert(limits);
    }
    for member in set.random_distinct(keep, prng) {
        rest.add_element(member, limits);
    }
    let mut popped = Vec::with_capacity(set.len() - keep);
    for member in set.iter() {
        let text = member.to_bytes();
        if !rest.contains(&text) {
            popped.push(text.into_owned());
        }
    }
    set.replace(rest);
    popped
}

/// Stores a command's result: the key's value if it has members, else the key goes. Returns how many members.
pub fn store(cx: &mut Cx<'_>, key: &Key<'_>, result: Set, event: &'static str) -> i64 {
    let len = result.len();
    if len > 0 {
        let created = cx.dbm(key).set_value(key, NewValue::from(result), crate::keyspace::Expire::Clear);
        if created {
            cx.notify(notify::NEW, "new", key.bytes);
        }
        cx.propagate();
        cx.notify(notify::SET, event, key.bytes);
    } else if cx.dbm(key).remove(key) {
        cx.propagate();
        cx.notify(notify::GENERIC, "del", key.bytes);
    }
    len as i64
}
