//! The bitmap commands: strings as arrays of bits, the first bit being the highest of the first byte.
//!
//! Handlers of the rows in `command::rows::bitmap`; called by `shard::execute`, they call `keyspace`. Invariant: a bit changes in place; WATCHers and
//! the log hear only of bits that really changed or of strings that grew. Bounds: offsets end at `proto-max-bulk-len` bytes.
//! Source of replies and events: redis 7.0's bitops.c, asked through the wire.

pub mod bit;
pub mod combine;
pub mod count;
pub mod field;
mod field_op;
pub mod position;
mod span;

use crate::base::number::{DigitBuffer, parse_i64};
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::command::string::{create_zeroed, length_limit, text_of};
use crate::keyspace::{Entry, EntryMut, Key};

const BAD_OFFSET: ReplyError = ReplyError::Text("ERR bit offset is not an integer or out of range");

/// The bit offset that word `index` means; `field_bits`: width of the field whose multiples `#n` counts, if that form is allowed.
fn bit_offset(cx: &Cx<'_>, index: usize, field_bits: Option<u32>) -> Result<u64, ReplyError> {
    let word = cx.arg(index);
    let (digits, scale) = match (word, field_bits) {
        ([b'#', digits @ ..], Some(bits)) => (digits, i64::from(bits)),
        _ => (word, 1),
    };
    let offset = parse_i64(digits).ok_or(BAD_OFFSET)?.wrapping_mul(scale);
    if offset < 0 || (offset as u64) >> 3 >= length_limit(cx) {
        return Err(BAD_OFFSET);
    }
    Ok(offset as u64)
}

/// The string at `key` for changing, at least `len` bytes long, and whether it was made or grew for that.
fn open_bits<'c>(cx: &'c mut Cx<'_>, key: &Key<'_>, len: usize) -> Result<(EntryMut<'c>, bool), ReplyError> {
    let old_len = match cx.lookup_write(key) {
        Some(entry) => Some(entry.get().string_len().ok_or(ReplyError::WrongType)?),
        None => None,
    };
    let Some(old_len) = old_len else { return Ok((create_zeroed(cx, key, len), true)) };
    // Looked up again: a borrow that outlives the miss cannot be expressed yet. Touched above.
    cx.access.touch = false;
    let mut entry = cx.lookup_write(key).ok_or(ReplyError::WrongType)?;
    if len > old_len {
        entry.resize(len);
    }
    Ok((entry, len > old_len))
}

/// Shows the bytes of a string to `then`; nothing of other types.
fn bytes_of<R>(entry: Entry<'_>, then: impl FnOnce(&[u8]) -> R) -> R {
    match entry.string() {
        Some(element) => then(text_of(element, &mut DigitBuffer::new())),
        None => then(b""),
    }
}
