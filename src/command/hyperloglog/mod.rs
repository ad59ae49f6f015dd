//! The HyperLogLog commands: PFADD PFCOUNT PFMERGE PFDEBUG PFSELFTEST.
//!
//! Handlers of the rows in `command::rows::hyperloglog`; called by `shard::execute`, they call `keyspace` and `types::hll`. Invariant: the string
//! is what redis' own would be, byte for byte, the cached count included; a string that is no HyperLogLog is never changed.
//! Bounds: PFADD costs the sparse form per element, or one register; PFCOUNT and PFMERGE 16384 registers per key.
//! Source of replies, events and effects: redis 7.0's hyperloglog.c, asked through the wire.

pub mod count;
pub mod debug;

use crate::command::reply_error::ReplyError;
use crate::command::string::store_value;
use crate::command::{Cx, notify};
use crate::keyspace::{Entry, EntryMut, Expire, StrIn};
use crate::resp::Args;
use crate::types::element::Element;
use crate::types::hll::{self, Corrupt};

const CORRUPT: ReplyError = ReplyError::Text("INVALIDOBJ Corrupted HLL object detected");
const NOT_ONE: ReplyError = ReplyError::Text("WRONGTYPE Key is not a valid HyperLogLog string value.");

fn corrupt(_: Corrupt) -> ReplyError {
    CORRUPT
}

/// The bytes of the HyperLogLog in `entry`.
fn bytes_of(entry: Entry<'_>) -> Result<&[u8], ReplyError> {
    match entry.string().ok_or(ReplyError::WrongType)? {
        Element::Bytes(bytes) if hll::is_valid(bytes) => Ok(bytes),
        _ => Err(NOT_ONE),
    }
}

/// Writes changed bytes back: in place if they are as many.
fn write_back(entry: &mut EntryMut<'_>, bytes: &[u8]) {
    match entry.bytes_mut() {
        Some(own) if own.len() == bytes.len() => own.copy_from_slice(bytes),
        _ => entry.set_string(StrIn::Raw(bytes)),
    }
}

/// Adds to the HyperLogLog in `entry`; returns how many registers changed.
fn add_to(entry: &mut EntryMut<'_>, elements: Args<'_>, sparse_max: usize) -> Result<u64, ReplyError> {
    let is_dense = hll::is_dense(bytes_of(entry.get())?);
    entry.make_raw();
    let own = bytes_of(entry.get())?;
    if is_dense {
        // A string that is not changed is not opened: opening tells the WATCHers.
        let mut rest = elements.iter();
        let first = rest.find(|element| hll::dense_lacks(own, element));
        let (Some(first), Some(own)) = (first, entry.bytes_mut()) else { return Ok(0) };
        let changes =
            std::iter::once(first).chain(rest).filter(|element| hll::dense_add(own, element)).count();
        hll::invalidate(own);
        return Ok(changes as u64);
    }
    let (mut bytes, mut changes) = (own.to_vec(), 0);
    for element in elements.iter() {
        changes += u64::from(hll::add(&mut bytes, element, sparse_max).map_err(corrupt)?);
    }
    if changes > 0 {
        hll::invalidate(&mut bytes);
        write_back(entry, &bytes);
    }
    Ok(changes)
}

/// `PFADD key [element …]`
pub fn pfadd(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, sparse_max) = (cx.key(1), cx.settings.hll_sparse_max_bytes);
    let elements = cx.args.skip(2);
    let found = match cx.lookup_write(&key) {
        None => None,
        Some(mut entry) => Some(add_to(&mut entry, elements, sparse_max)?),
    };
    let changes = match found {
        Some(changes) => changes,
        None => {
            let (mut bytes, mut changes) = (hll::empty(), 1);
            for element in elements.iter() {
                changes += u64::from(hll::add(&mut bytes, element, sparse_max).map_err(corrupt)?);
            }
            hll::invalidate(&mut bytes);
            store_value(cx, &key, StrIn::Raw(&bytes), Expire::Clear);
            changes
        }
    };
    if changes > 0 {
        cx.propagate();
        cx.outcome.dirty += changes - 1;
        cx.notify(notify::STRING, "pfadd", key.bytes);
    }
    cx.out.integer(i64::from(changes > 0));
    Ok(())
}
