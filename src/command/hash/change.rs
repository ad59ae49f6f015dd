//! HSET HMSET HSETNX HDEL: fields set and removed.
//!
//! Called through their rows. Invariant: HSET converts the encoding before it sets the first field, as redis does. Source: redis' t_hash.c for
//! replies and events.

use super::limits;
use crate::command::reply_error::{ReplyError, wrong_arity};
use crate::command::{Cx, notify};
use crate::types::hash::Hash;

/// Sets all pairs; returns how many fields are new.
fn set_pairs(cx: &mut Cx<'_>) -> Result<i64, ReplyError> {
    if !cx.argc().is_multiple_of(2) {
        let text = wrong_arity(cx.row);
        return Err(cx.fail(text));
    }
    let (key, limits, args) = (cx.key(1), limits(cx), cx.args);
    let mut entry = cx.open_as::<Hash>(&key)?;
    let Some(hash) = entry.get_mut::<Hash>() else { return Err(ReplyError::WrongType) };
    if (2..args.len()).any(|index| args.get(index).len() > limits.max_value) {
        let texts: Vec<&[u8]> = args.skip(2).iter().collect();
        hash.convert_for(&texts, &limits);
    }
    let mut created = 0;
    for index in (2..args.len()).step_by(2) {
        created += hash.set(args.get(index), args.get(index + 1), &limits) as i64;
    }
    drop(entry);
    cx.propagate();
    cx.outcome.dirty += (args.len() as u64 - 2) / 2 - 1;
    cx.notify(notify::HASH, "hset", key.bytes);
    Ok(created)
}

/// `HSET key field value [field value …]`
pub fn hset(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let created = set_pairs(cx)?;
    cx.out.integer(created);
    Ok(())
}

/// `HMSET key field value [field value …]`
pub fn hmset(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_pairs(cx)?;
    cx.out.ok();
    Ok(())
}

/// `HSETNX key field value`
pub fn hsetnx(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, limits, field, value) = (cx.key(1), limits(cx), cx.arg(2), cx.arg(3));
    let mut entry = cx.open_as::<Hash>(&key)?;
    let Some(hash) = entry.get_mut::<Hash>() else { return Err(ReplyError::WrongType) };
    let set = !hash.contains(field);
    if set {
        hash.convert_for(&[field, value], &limits);
        hash.set(field, value, &limits);
    }
    drop(entry);
    if set {
        cx.propagate();
        cx.notify(notify::HASH, "hset", key.bytes);
    }
    cx.out.integer(set as i64);
    Ok(())
}

/// `HDEL key field [field …]`
pub fn hdel(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, args) = (cx.key(1), cx.args);
    let Some(mut entry) = cx.write_as::<Hash>(&key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let (mut removed, mut emptied) = (0, false);
    if let Some(hash) = entry.get_mut::<Hash>() {
        for field in args.skip(2).iter() {
            removed += hash.remove(field) as u64;
            if hash.is_empty() {
                emptied = true;
                break;
            }
        }
    }
    if emptied {
        entry.remove()
    } else {
        drop(entry)
    }
    if removed > 0 {
        cx.propagate();
        cx.outcome.dirty += removed - 1;
        cx.notify(notify::HASH, "hdel", key.bytes);
        if emptied {
            cx.notify(notify::GENERIC, "del", key.bytes);
        }
    }
    cx.out.integer(removed as i64);
    Ok(())
}
