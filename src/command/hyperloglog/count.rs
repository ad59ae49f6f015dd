//! PFCOUNT and PFMERGE.
//!
//! Called through their rows. Keys may lie on several shards, so they are folded one by one into 16384 registers. Invariant: a count that had to be
//! computed is cached in the string and leaves as effect, as redis does (the string changed). Bounds: 16384 registers per key.

use super::{CORRUPT, bytes_of, corrupt, write_back};
use crate::command::reply_error::ReplyError;
use crate::command::string::store_value;
use crate::command::{Cx, notify};
use crate::keyspace::{Expire, StrIn};
use crate::types::hll::{self, Registers};

/// `PFCOUNT key [key …]`
pub fn pfcount(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    if cx.argc() > 2 {
        let (registers, _) = fold(cx, 1)?;
        cx.out.integer(hll::estimate(&registers) as i64);
        return Ok(());
    }
    let key = cx.key(1);
    let found = match cx.lookup_read(&key) {
        None => None,
        Some(entry) => {
            let bytes = bytes_of(entry)?;
            Some(match hll::cached(bytes) {
                Some(count) => (count, true),
                None => {
                    let registers = hll::registers(bytes).map_err(corrupt)?;
                    (hll::estimate(&registers), false)
                }
            })
        }
    };
    let Some((count, was_cached)) = found else {
        cx.notify_miss(key.bytes);
        cx.out.integer(0);
        return Ok(());
    };
    cx.access.touch = false;
    if let Some(mut entry) = cx.lookup_write(&key) {
        if was_cached {
            entry.make_raw();
        } else if let Some(bytes) = entry.bytes_mut() {
            hll::set_cached(bytes, count);
        }
    }
    if !was_cached {
        cx.propagate();
    }
    cx.out.integer(count as i64);
    Ok(())
}

/// All HyperLogLogs from word `first` on in one, and whether one of them is dense.
fn fold(cx: &mut Cx<'_>, first: usize) -> Result<(Box<Registers>, bool), ReplyError> {
    let mut registers = Box::new([0; hll::REGISTERS]);
    let mut any_dense = false;
    for index in first..cx.argc() {
        let key = cx.key(index);
        let Some(entry) = cx.lookup_read(&key) else {
            cx.notify_miss(key.bytes);
            continue;
        };
        let bytes = bytes_of(entry)?;
        any_dense |= hll::is_dense(bytes);
        hll::merge(&mut registers, bytes).map_err(corrupt)?;
    }
    Ok((registers, any_dense))
}

/// `PFMERGE destkey [sourcekey …]`
pub fn pfmerge(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (registers, any_dense) = fold(cx, 1)?;
    let (key, sparse_max) = (cx.key(1), cx.settings.hll_sparse_max_bytes);
    let old = match cx.lookup_write(&key) {
        Some(entry) => Some(bytes_of(entry.get())?.to_vec()),
        None => None,
    };
    let is_new = old.is_none();
    let mut bytes = old.unwrap_or_else(hll::empty);
    if any_dense {
        hll::make_dense(&mut bytes).map_err(corrupt)?;
    }
    for (index, &value) in registers.iter().enumerate() {
        if value > 0 && hll::raise(&mut bytes, index, value, sparse_max).is_err() {
            return Err(CORRUPT);
        }
    }
    hll::invalidate(&mut bytes);
    if is_new {
        store_value(cx, &key, StrIn::Raw(&bytes), Expire::Clear);
    } else {
        cx.access.touch = false;
        if let Some(mut entry) = cx.lookup_write(&key) {
            write_back(&mut entry, &bytes);
        }
    }
    cx.propagate();
    cx.notify(notify::STRING, "pfadd", key.bytes);
    cx.out.ok();
    Ok(())
}
