//! The string commands.
//!
//! Handlers of the rows in `command::rows::string`; called by `shard::execute`, they call `keyspace`. Invariant: a stored string never
//! exceeds [`length_limit`]. Bounds: GET, SET, INCR and their like cost one lookup and the value; they allocate nothing beside it.
//! Source of replies and events: redis 7.0's t_string.c, asked through the wire.

pub mod counter;
pub mod get;
pub mod lcs;
pub mod multi;
mod options;
pub mod range;
pub mod set;
#[cfg(test)]
mod tests;

use crate::base::number::DigitBuffer;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{Entry, EntryMut, Expire, ExpiryRule, Key, NewValue, StrIn, ValueRef};
use crate::resp::Out;
use crate::types::element::Element;

/// A string that would grow too long.
pub const TOO_LONG: ReplyError =
    ReplyError::Text("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

/// Longest string a command may make, bytes: `proto-max-bulk-len`, but none for what a primary or a log tells.
pub fn length_limit(cx: &Cx<'_>) -> u64 {
    if cx.access.expiry == ExpiryRule::Ignore { u64::MAX } else { cx.settings.proto_max_bulk_len as u64 }
}

/// Writes a string value as a bulk; a big shared one is attached, not copied.
#[inline]
pub fn write_string(out: &mut Out, entry: Entry<'_>) -> Result<(), ReplyError> {
    match entry.value() {
        ValueRef::Bytes(bytes) => out.bulk(bytes),
        ValueRef::Int(number) => out.bulk_i64(number),
        ValueRef::Shared(bytes) => out.blob(bytes.clone()),
        _ => return Err(ReplyError::WrongType),
    }
    Ok(())
}

/// The text of a string, printed into `digits` if it is kept as an integer.
#[inline]
pub fn text_of<'t>(element: Element<'t>, digits: &'t mut DigitBuffer) -> &'t [u8] {
    match element {
        Element::Bytes(bytes) => bytes,
        Element::Int(number) => digits.format(number),
    }
}

/// Looks `key` up for reading and shows its text (`None`: no such key) to `then`, the reply beside it. Fails on other types.
pub fn with_text<R>(
    cx: &mut Cx<'_>,
    key: &Key<'_>,
    then: impl FnOnce(&mut Out, Option<&[u8]>) -> R,
) -> Result<R, ReplyError> {
    let (entry, out) = cx.read_beside_out(key);
    let Some(entry) = entry else {
        let result = then(out, None);
        cx.notify_miss(key.bytes);
        return Ok(result);
    };
    let element = entry.string().ok_or(ReplyError::WrongType)?;
    Ok(then(out, Some(text_of(element, &mut DigitBuffer::new()))))
}

/// Stores word `index` under `key`: a big received value is shared, a small one copied into the entry.
#[inline]
pub(super) fn store(cx: &mut Cx<'_>, key: &Key<'_>, index: usize, expire: Expire) {
    let value = match cx.args.shared(index) {
        Some(bytes) => StrIn::Shared(bytes.clone()),
        None => StrIn::Bytes(cx.arg(index)),
    };
    store_value(cx, key, value, expire);
}

/// Stores `value` under `key`.
#[inline]
pub fn store_value(cx: &mut Cx<'_>, key: &Key<'_>, value: StrIn<'_>, expire: Expire) {
    if cx.dbm(key).set_string(key, value, expire) {
        cx.notify(notify::NEW, "new", key.bytes);
    }
}

/// A new key that holds `len` zero bytes.
pub fn create_zeroed<'c>(cx: &'c mut Cx<'_>, key: &Key<'_>, len: usize) -> EntryMut<'c> {
    cx.notify(notify::NEW, "new", key.bytes);
    let mut entry = cx.dbm(key).create(key, NewValue::Str(StrIn::Raw(b"")));
    entry.resize(len);
    entry
}
