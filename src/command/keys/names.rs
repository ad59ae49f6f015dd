//! RENAME RENAMENX MOVE COPY: a value under another name or in another database.
//!
//! Called through their rows; source and target may lie on different shards, both are in hand. Invariant: value and expiry go together. Source:
//! redis' db.c for the order of checks and events.

use crate::command::arguments::parse_database;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::Key;

/// `RENAME key newkey`
pub fn rename(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    rename_to(cx, false)
}

/// `RENAMENX key newkey`
pub fn renamenx(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    rename_to(cx, true)
}

fn rename_to(cx: &mut Cx<'_>, only_new: bool) -> Result<(), ReplyError> {
    let (from, to) = (cx.key(1), cx.key(2));
    if cx.lookup_write(&from).is_none() {
        return Err(ReplyError::NoSuchKey);
    }
    let same = from.bytes == to.bytes;
    let refused = same || (only_new && cx.lookup_write(&to).is_some());
    if !refused {
        cx.dbm(&to).remove(&to);
        if let Some(entry) = cx.dbm(&from).take(&from) {
            cx.dbm(&to).put(&to, entry);
        }
        cx.notify(notify::NEW, "new", to.bytes);
        cx.propagate();
        cx.notify(notify::GENERIC, "rename_from", from.bytes);
        cx.notify(notify::GENERIC, "rename_to", to.bytes);
        if only_new {
            cx.out.integer(1);
            return Ok(());
        }
    } else if only_new {
        cx.out.integer(0);
        return Ok(());
    }
    cx.out.ok();
    Ok(())
}

/// `MOVE key db`
pub fn move_key(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (from, to) = (cx.db, parse_database(cx.arg(2), cx.settings.databases)?);
    if from == to {
        return Err(ReplyError::Text("ERR source and destination objects are the same"));
    }
    let key = cx.key(1);
    let moved = cx.lookup_write(&key).is_some() && cx.db_at(to, &key).write(&key).is_none();
    if moved {
        if let Some(entry) = cx.dbm(&key).take(&key) {
            cx.db_at(to, &key).put(&key, entry);
        }
        cx.propagate();
        notify_in(cx, to, notify::NEW, "new", &key);
        cx.notify(notify::GENERIC, "move_from", key.bytes);
        notify_in(cx, to, notify::GENERIC, "move_to", &key);
    }
    cx.out.integer(moved as i64);
    Ok(())
}

/// An event in another database than the selected one.
fn notify_in(cx: &mut Cx<'_>, db: usize, class: u32, name: &'static str, key: &Key<'_>) {
    let selected = std::mem::replace(&mut cx.db, db);
    cx.notify(class, name, key.bytes);
    cx.db = selected;
}

/// `COPY source destination [DB index] [REPLACE]`
pub fn copy(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (mut to_db, mut replace, mut index) = (cx.db, false, 3);
    while index < cx.argc() {
        let word = cx.arg(index);
        if word.eq_ignore_ascii_case(b"replace") {
            replace = true;
        } else if word.eq_ignore_ascii_case(b"db") && index + 1 < cx.argc() {
            index += 1;
            to_db = parse_database(cx.arg(index), cx.settings.databases)?;
        } else {
            return Err(ReplyError::Syntax);
        }
        index += 1;
    }
    let (from, to) = (cx.key(1), cx.key(2));
    if to_db == cx.db && from.bytes == to.bytes {
        return Err(ReplyError::Text("ERR source and destination objects are the same"));
    }
    let Some(copied) = cx.lookup_read(&from).map(|entry| entry.duplicate(to.bytes)) else {
        cx.notify_miss(from.bytes);
        cx.out.integer(0);
        return Ok(());
    };
    if cx.db_at(to_db, &to).write(&to).is_some() && !replace {
        cx.out.integer(0);
        return Ok(());
    }
    cx.db_at(to_db, &to).put(&to, copied);
    cx.propagate();
    notify_in(cx, to_db, notify::NEW, "new", &to);
    notify_in(cx, to_db, notify::GENERIC, "copy_to", &to);
    cx.out.integer(1);
    Ok(())
}
