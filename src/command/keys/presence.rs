//! DEL UNLINK EXISTS TOUCH TYPE.
//!
//! Called through their rows. Invariant: DEL propagates once, verbatim, if at least one key was there. Large values are freed in steps
//! either way, so UNLINK and DEL differ in name only.

use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};

/// DEL and UNLINK: `DEL key [key …]`.
pub fn del(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let mut removed = 0;
    for index in 1..cx.argc() {
        let key = cx.key(index);
        if cx.dbm(&key).remove(&key) {
            removed += 1;
            cx.notify(notify::GENERIC, "del", key.bytes);
        }
    }
    if removed > 0 {
        cx.propagate();
        cx.outcome.dirty += removed - 1;
    }
    cx.out.integer(removed as i64);
    Ok(())
}

/// `EXISTS key [key …]`: how many are there; a key named twice counts twice. Makes no key fresher.
pub fn exists(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    cx.access.touch = false;
    count_present(cx)
}

/// `TOUCH key [key …]`.
pub fn touch(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    count_present(cx)
}

fn count_present(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let mut present = 0;
    for index in 1..cx.argc() {
        let key = cx.key(index);
        if cx.lookup_read(&key).is_some() {
            present += 1;
        } else {
            cx.notify_miss(key.bytes);
        }
    }
    cx.out.integer(present);
    Ok(())
}

/// `TYPE key`.
pub fn type_of(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    cx.access.touch = false;
    let key = cx.key(1);
    let name = cx.lookup_read(&key).map(|entry| entry.value_type().name());
    if name.is_none() {
        cx.notify_miss(key.bytes);
    }
    cx.out.simple(name.unwrap_or("none"));
    Ok(())
}
