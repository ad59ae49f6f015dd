//! SADD SREM SMOVE: members added, removed, moved.
//!
//! Called through their rows. Invariant: what changed nothing leaves no effect. Source: redis' t_set.c for replies, events and their order.

use super::limits;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::types::set::Set;

/// `SADD key member [member …]`
pub fn sadd(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, limits, args) = (cx.key(1), limits(cx), cx.args);
    let mut entry = cx.open_as::<Set>(&key)?;
    let Some(set) = entry.get_mut::<Set>() else { return Err(ReplyError::WrongType) };
    let added: u64 = args.skip(2).iter().map(|member| u64::from(set.add(member, &limits))).sum();
    drop(entry);
    if added > 0 {
        cx.propagate();
        cx.outcome.dirty += added - 1;
        cx.notify(notify::SET, "sadd", key.bytes);
    }
    cx.out.integer(added as i64);
    Ok(())
}

/// `SREM key member [member …]`
pub fn srem(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, args) = (cx.key(1), cx.args);
    let Some(mut entry) = cx.write_as::<Set>(&key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let (mut removed, mut emptied) = (0, false);
    if let Some(set) = entry.get_mut::<Set>() {
        for member in args.skip(2).iter() {
            removed += u64::from(set.remove(member));
            if set.is_empty() {
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
        cx.notify(notify::SET, "srem", key.bytes);
        if emptied {
            cx.notify(notify::GENERIC, "del", key.bytes);
        }
    }
    cx.out.integer(removed as i64);
    Ok(())
}

/// `SMOVE source destination member`
pub fn smove(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (from, to, member, limits) = (cx.key(1), cx.key(2), cx.arg(3), limits(cx));
    let source = cx.lookup_write(&from).map(|entry| entry.get().get::<Set>().is_some());
    let target = cx.lookup_write(&to).map(|entry| entry.get().get::<Set>().is_some());
    if source.is_none() {
        cx.out.integer(0);
        return Ok(());
    }
    if source == Some(false) || target == Some(false) {
        return Err(ReplyError::WrongType);
    }
    cx.access.touch = false;
    let Some(mut entry) = cx.write_as::<Set>(&from)? else { return Err(ReplyError::WrongType) };
    let Some(set) = entry.get_mut::<Set>() else { return Err(ReplyError::WrongType) };
    if from.bytes == to.bytes {
        let is_member = set.contains(member);
        drop(entry);
        cx.out.integer(i64::from(is_member));
        return Ok(());
    }
    if !set.remove(member) {
        drop(entry);
        cx.out.integer(0);
        return Ok(());
    }
    let emptied = set.is_empty();
    if emptied {
        entry.remove()
    } else {
        drop(entry)
    }
    cx.notify(notify::SET, "srem", from.bytes);
    if emptied {
        cx.notify(notify::GENERIC, "del", from.bytes);
    }
    let mut entry = cx.open_as::<Set>(&to)?;
    let added = entry.get_mut::<Set>().is_some_and(|set| set.add(member, &limits));
    drop(entry);
    cx.propagate();
    if added {
        cx.outcome.dirty += 1;
        cx.notify(notify::SET, "sadd", to.bytes);
    }
    cx.out.integer(1);
    Ok(())
}
