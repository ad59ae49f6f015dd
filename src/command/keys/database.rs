//! DBSIZE RANDOMKEY FLUSHDB FLUSHALL SWAPDB: whole databases, over every shard.
//!
//! Called through their rows with all shards in hand. Tables are detached whole and freed in steps, so ASYNC and SYNC differ in name only.
//! Invariant: each leaves as one effect. Source: redis' db.c for the texts.

use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::keyspace::Access;

/// `DBSIZE`
pub fn dbsize(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let db = cx.db;
    let keys: u64 = cx.each_space().iter().map(|space| space.len(db)).sum();
    cx.out.integer(keys as i64);
    Ok(())
}

/// `RANDOMKEY`: a shard is chosen by its share of the keys, then a key in it.
pub fn randomkey(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (db, access) = (cx.db, Access::at(cx.now_ms).quiet());
    let mut name = None;
    let mut spaces = cx.each_space();
    // A shard whose keys have all expired gives none; its keys are gone then, so this ends.
    while name.is_none() {
        let total: u64 = spaces.iter().map(|space| space.len(db)).sum();
        if total == 0 {
            break;
        }
        let mut pick = spaces[0].common.prng.below(total);
        for space in &mut spaces {
            let share = space.len(db);
            if pick < share {
                name = space.db(db, access).random_key();
                break;
            }
            pick -= share;
        }
    }
    drop(spaces);
    match name {
        Some(name) => cx.out.bulk(&name),
        None => cx.out.null(),
    }
    Ok(())
}

fn check_flush_mode(cx: &Cx<'_>) -> Result<(), ReplyError> {
    let known = |word: &[u8]| word.eq_ignore_ascii_case(b"async") || word.eq_ignore_ascii_case(b"sync");
    match cx.argc() {
        1 => Ok(()),
        2 if known(cx.arg(1)) => Ok(()),
        _ => Err(ReplyError::Syntax),
    }
}

/// `FLUSHDB [ASYNC|SYNC]`
pub fn flushdb(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    check_flush_mode(cx)?;
    let db = cx.db;
    let removed: u64 = cx.each_space().into_iter().map(|space| space.flush_db(db)).sum();
    finish_flush(cx, removed)
}

/// `FLUSHALL [ASYNC|SYNC]`
pub fn flushall(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    check_flush_mode(cx)?;
    let removed: u64 = cx.each_space().into_iter().map(|space| space.flush_all()).sum();
    finish_flush(cx, removed)
}

/// A flush is propagated even if nothing was there.
fn finish_flush(cx: &mut Cx<'_>, removed: u64) -> Result<(), ReplyError> {
    cx.propagate();
    cx.outcome.dirty += removed;
    cx.out.ok();
    Ok(())
}

/// `SWAPDB index1 index2`
pub fn swapdb(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let index = |word: &[u8]| parse_i64(word).filter(|&index| i32::try_from(index).is_ok());
    let first = index(cx.arg(1)).ok_or(ReplyError::Text("ERR invalid first DB index"))?;
    let second = index(cx.arg(2)).ok_or(ReplyError::Text("ERR invalid second DB index"))?;
    let databases = cx.settings.databases;
    let fits = |index: i64| usize::try_from(index).ok().filter(|&index| index < databases);
    let (Some(first), Some(second)) = (fits(first), fits(second)) else {
        return Err(ReplyError::Text("ERR DB index is out of range"));
    };
    let now_ms = cx.now_ms;
    cx.each_space().into_iter().for_each(|space| space.swap_db(first, second, now_ms));
    cx.propagate();
    cx.out.ok();
    Ok(())
}
