//! GET GETDEL GETEX STRLEN.
//!
//! Called through their rows. Invariant: GETDEL and GETEX never leave as themselves: as DEL or UNLINK, PEXPIREAT, PERSIST, or not at all.
//! Bounds: GET is one lookup; a big shared value is attached to the reply.

use super::options::{Options, deadline};
use super::set::reply_old;
use super::write_string;
use crate::base::number::DigitBuffer;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{ExpiryRule, Key};

/// `GET key`
pub fn get(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    reply_old(cx, &key)
}

/// `STRLEN key`
pub fn strlen(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let len = match cx.lookup_read(&key) {
        Some(entry) => entry.string_len().ok_or(ReplyError::WrongType)?,
        None => {
            cx.notify_miss(key.bytes);
            0
        }
    };
    cx.out.integer(len as i64);
    Ok(())
}

/// `GETDEL key`
pub fn getdel(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    reply_old(cx, &key)?;
    let lazy = cx.settings.lazyfree_lazy_user_del;
    delete(cx, &key, lazy);
    Ok(())
}

/// Deletes `key` if it is there; leaves as DEL, or UNLINK where freeing later was asked for.
fn delete(cx: &mut Cx<'_>, key: &Key<'_>, lazy: bool) {
    if cx.dbm(key).remove(key) {
        cx.propagate_as(&[if lazy { b"UNLINK" } else { b"DEL" }, key.bytes]);
        cx.notify(notify::GENERIC, "del", key.bytes);
    }
}

/// `GETEX key [EX seconds|PX ms|EXAT unix|PXAT unix-ms|PERSIST]`
pub fn getex(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let options = Options::parse(cx, 2, false)?;
    let key = cx.key(1);
    let (entry, out) = cx.read_beside_out(&key);
    let Some(entry) = entry else {
        out.null();
        cx.notify_miss(key.bytes);
        return Ok(());
    };
    write_string(out, entry)?;
    // The key was touched above.
    cx.access.touch = false;
    if let Some((clock, index)) = options.expire {
        let wall_ms = deadline(cx, clock, index)?;
        let expire_ms = cx.from_wall_ms(wall_ms);
        if clock.is_absolute() && expire_ms <= cx.now_ms && cx.access.expiry == ExpiryRule::Delete {
            let lazy = cx.settings.lazyfree_lazy_expire;
            delete(cx, &key, lazy);
            return Ok(());
        }
        cx.dbm(&key).set_expire(&key, Some(expire_ms));
        cx.propagate_as(&[b"PEXPIREAT", key.bytes, DigitBuffer::new().format(wall_ms)]);
        cx.notify(notify::GENERIC, "expire", key.bytes);
    } else if options.persist {
        let persisted = match cx.lookup_write(&key) {
            Some(mut entry) if entry.get().expire_at().is_some() => {
                entry.set_expire(None);
                true
            }
            _ => false,
        };
        if persisted {
            cx.propagate_as(&[b"PERSIST", key.bytes]);
            cx.notify(notify::GENERIC, "persist", key.bytes);
        }
    }
    Ok(())
}
