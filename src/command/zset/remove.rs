//! ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX: members removed.
//!
//! Called through their rows. Invariant: the key goes with its last member. Bounds: O(log n) a named member; a range costs what it removes.

use super::after_removal;
use super::spec::{Kind, Spec};
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::types::zset::ZSet;

/// `ZREM key member [member …]`
pub fn zrem(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, args) = (cx.key(1), cx.args);
    let Some(mut entry) = cx.write_as::<ZSet>(&key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let (mut removed, mut emptied) = (0, false);
    if let Some(set) = entry.get_mut::<ZSet>() {
        for member in args.skip(2).iter() {
            removed += u64::from(set.remove(member));
            emptied = set.is_empty();
            if emptied {
                break;
            }
        }
    }
    if emptied {
        entry.remove();
    } else {
        drop(entry);
    }
    if removed > 0 {
        cx.propagate();
        cx.outcome.dirty += removed - 1;
        after_removal(cx, &key, "zrem", emptied);
    }
    cx.out.integer(removed as i64);
    Ok(())
}

fn remove_range(cx: &mut Cx<'_>, kind: Kind, event: &'static str) -> Result<(), ReplyError> {
    let spec = Spec::parse(kind, cx.arg(2), cx.arg(3))?;
    let key = cx.key(1);
    let Some(mut entry) = cx.write_as::<ZSet>(&key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let (mut removed, mut emptied) = (0, false);
    if let Some(set) = entry.get_mut::<ZSet>() {
        let (from, to) = spec.span(set, false);
        removed = (to - from) as u64;
        emptied = removed as usize == set.len();
        // All of them: the key goes as DEL frees it, in steps.
        if !emptied {
            set.remove_span(from, to);
        }
    }
    if emptied {
        entry.remove();
    } else {
        drop(entry);
    }
    if removed > 0 {
        cx.propagate();
        cx.outcome.dirty += removed - 1;
        after_removal(cx, &key, event, emptied);
    }
    cx.out.integer(removed as i64);
    Ok(())
}

/// `ZREMRANGEBYRANK key start stop`
pub fn zremrangebyrank(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    remove_range(cx, Kind::Rank, "zremrangebyrank")
}

/// `ZREMRANGEBYSCORE key min max`
pub fn zremrangebyscore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    remove_range(cx, Kind::Score, "zremrangebyscore")
}

/// `ZREMRANGEBYLEX key min max`
pub fn zremrangebylex(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    remove_range(cx, Kind::Lex, "zremrangebylex")
}
