//! MGET MSET MSETNX: many keys, perhaps of several shards.
//!
//! Called through their rows. Invariant: MSETNX sets all or none: it looks at every key before the first write. Bounds: a lookup per key;
//! `route` fetched the shards, so nothing here waits.

use super::{store, write_string};
use crate::command::reply_error::{ReplyError, wrong_arity};
use crate::command::{Cx, notify};
use crate::keyspace::Expire;

/// `MGET key [key …]`: null for what is missing or no string.
pub fn mget(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    cx.out.array(cx.argc() - 1);
    for index in 1..cx.argc() {
        let key = cx.key(index);
        let (entry, out) = cx.read_beside_out(&key);
        match entry {
            Some(entry) => {
                if write_string(out, entry).is_err() {
                    out.null();
                }
            }
            None => {
                out.null();
                cx.notify_miss(key.bytes);
            }
        }
    }
    Ok(())
}

/// `MSET key value [key value …]`
pub fn mset(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    check_pairs(cx)?;
    set_all(cx);
    cx.out.ok();
    Ok(())
}

/// `MSETNX key value [key value …]`
pub fn msetnx(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    check_pairs(cx)?;
    for index in (1..cx.argc()).step_by(2) {
        let key = cx.key(index);
        if cx.lookup_write(&key).is_some() {
            cx.out.integer(0);
            return Ok(());
        }
    }
    set_all(cx);
    cx.out.integer(1);
    Ok(())
}

fn check_pairs(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    if cx.argc() % 2 == 1 {
        return Ok(());
    }
    let text = wrong_arity(cx.row);
    Err(cx.fail(text))
}

fn set_all(cx: &mut Cx<'_>) {
    for index in (1..cx.argc()).step_by(2) {
        let key = cx.key(index);
        store(cx, &key, index + 1, Expire::Clear);
        cx.notify(notify::STRING, "set", key.bytes);
    }
    cx.propagate();
    cx.outcome.dirty += (cx.argc() as u64 - 1) / 2 - 1;
}
