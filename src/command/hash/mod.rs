//! The hash commands.
//!
//! Handlers of the rows in `command::rows::hash`; called by `shard::execute`, they call `keyspace` and `types::hash`. Invariant: a hash that became
//! empty is removed in the same command. Bounds: commands that name fields cost those fields; HGETALL and its like cost the hash.

pub mod change;
pub mod count;
pub mod read;
pub mod walk;

use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{EntryMut, Key, NewValue};
use crate::types::hash::{Hash, HashLimits};

/// The encoding thresholds in force.
fn limits(cx: &Cx<'_>) -> HashLimits {
    HashLimits {
        max_entries: cx.settings.hash_max_listpack_entries,
        max_value: cx.settings.hash_max_listpack_value,
    }
}

/// The hash at `key` for reading; `None` if there is no key.
fn read_hash<'c>(cx: &'c mut Cx<'_>, key: &Key<'_>) -> Result<Option<&'c Hash>, ReplyError> {
    match cx.lookup_read(key) {
        None => Ok(None),
        Some(entry) => entry.hash().map(Some).ok_or(ReplyError::WrongType),
    }
}

/// The entry of the hash at `key` for changing; `None` if there is no key.
fn write_hash<'c>(cx: &'c mut Cx<'_>, key: &Key<'_>) -> Result<Option<EntryMut<'c>>, ReplyError> {
    match cx.lookup_write(key) {
        None => Ok(None),
        Some(entry) if entry.get().hash().is_some() => Ok(Some(entry)),
        Some(_) => Err(ReplyError::WrongType),
    }
}

/// The entry of the hash at `key`, made if there is no key.
fn open_hash<'c>(cx: &'c mut Cx<'_>, key: &Key<'_>) -> Result<EntryMut<'c>, ReplyError> {
    // Looked up twice when it is there: a borrow that outlives the miss cannot be expressed yet.
    if write_hash(cx, key)?.is_none() {
        cx.notify(notify::NEW, "new", key.bytes);
        return Ok(cx.dbm(key).create(key, NewValue::Hash(Hash::new())));
    }
    cx.access.touch = false;
    cx.lookup_write(key).ok_or(ReplyError::WrongType)
}
