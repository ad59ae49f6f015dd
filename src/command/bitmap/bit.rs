//! SETBIT GETBIT.
//!
//! Called through their rows. Invariant: SETBIT of the value the bit has already, without growth, changes nothing and is not propagated.
//! Bounds: one lookup; memory only where the string grows.

use super::{bit_offset, bytes_of, create_zeroed};
use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::command::string::with_text;
use crate::command::{Cx, notify};
use crate::keyspace::EntryMut;

/// Bit `offset` of `bytes`; beyond the end: 0.
fn bit_at(bytes: &[u8], offset: u64) -> bool {
    bytes.get((offset >> 3) as usize).is_some_and(|byte| byte >> (7 - (offset & 7)) & 1 == 1)
}

/// Sets bit `offset` of a string that is long enough.
fn write_bit(entry: &mut EntryMut<'_>, offset: u64, on: bool) {
    if let Some(byte) = entry.bytes_mut().and_then(|bytes| bytes.get_mut((offset >> 3) as usize)) {
        let mask = 0x80 >> (offset & 7);
        *byte = if on { *byte | mask } else { *byte & !mask };
    }
}

/// `SETBIT key offset value`
pub fn setbit(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let offset = bit_offset(cx, 2, None)?;
    let on = match parse_i64(cx.arg(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(ReplyError::Text("ERR bit is not an integer or out of range")),
    };
    let (key, len) = (cx.key(1), (offset >> 3) as usize + 1);
    let found = if let Some(mut entry) = cx.lookup_write(&key) {
        let old_len = entry.get().string_len().ok_or(ReplyError::WrongType)?;
        let old = bytes_of(entry.get(), |bytes| bit_at(bytes, offset));
        let changed = len > old_len || old != on;
        if len > old_len {
            entry.resize(len);
        }
        if changed {
            write_bit(&mut entry, offset, on);
        } else {
            entry.make_raw();
        }
        Some((old, changed))
    } else {
        None
    };
    let (old, changed) = found.unwrap_or_else(|| {
        write_bit(&mut create_zeroed(cx, &key, len), offset, on);
        (false, true)
    });
    if changed {
        cx.propagate();
        cx.notify(notify::STRING, "setbit", key.bytes);
    }
    cx.out.integer(old as i64);
    Ok(())
}

/// `GETBIT key offset`
pub fn getbit(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let offset = bit_offset(cx, 2, None)?;
    let key = cx.key(1);
    with_text(cx, &key, |out, bytes| out.integer(bit_at(bytes.unwrap_or_default(), offset) as i64))
}
