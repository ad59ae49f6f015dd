//! The pieces of an RDB file around the values.
//!
//! Called by the save driver and AOF rewrite; calls `encode`. Invariant: in this order, and with the checksum or 8 zero bytes behind, the pieces are a file that redis reads
//! (7.0 with [`super::super::VERSION`]). Bounds: none but the arguments'. Why plain functions: several cores write entries of one file into buffers of their own.
use super::opcode;
use crate::rdb::encode::{Encoder, Style};
use crate::rdb::{VERSION, VERSION_READ};

/// How a key has been used, where maxmemory-policy asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recency {
    /// LRU: seconds since it was used.
    IdleS(u64),
    /// LFU: its counter.
    Freq(u8),
}

/// The version a file needs: one that redis 7.0 reads, or 7.4's if there is a hash with fields that expire.
pub fn version(has_timed_hashes: bool) -> u16 {
    if has_timed_hashes { VERSION_READ } else { VERSION }
}

fn plain(out: &mut Vec<u8>) -> Encoder<'_> {
    Encoder::new(out, Style::default())
}

/// The header and the aux fields. Redis writes `redis-ver`, `redis-bits`, `ctime`, `used-mem`, `aof-base`; `repl-stream-db`, `repl-id`, `repl-offset` for replicas.
pub fn begin(out: &mut Vec<u8>, version: u16, aux: &[(&str, &str)]) {
    out.extend_from_slice(format!("REDIS{version:04}").as_bytes());
    for (key, value) in aux {
        out.push(opcode::AUX);
        plain(out).string(key.as_bytes());
        plain(out).string(value.as_bytes());
    }
}

/// The entries that follow are of database `db`.
pub fn select_db(out: &mut Vec<u8>, db: usize) {
    out.push(opcode::SELECTDB);
    plain(out).len(db as u64);
}

/// How many keys follow, and how many of them expire; a hint.
pub fn resize_db(out: &mut Vec<u8>, keys: u64, expires: u64) {
    out.push(opcode::RESIZEDB);
    plain(out).len(keys);
    plain(out).len(expires);
}

/// A library of functions; they come before the first database.
pub fn function(out: &mut Vec<u8>, code: &[u8]) {
    out.push(opcode::FUNCTION2);
    plain(out).string(code);
}

/// An entry up to its value: expiry (unix ms), recency, type, key.
#[inline]
pub fn entry_head(
    out: &mut Vec<u8>,
    kind: u8,
    key: &[u8],
    expire_wall_ms: Option<i64>,
    recency: Option<Recency>,
) {
    if let Some(ms) = expire_wall_ms {
        out.push(opcode::EXPIRETIME_MS);
        out.extend_from_slice(&ms.to_le_bytes());
    }
    match recency {
        Some(Recency::IdleS(seconds)) => {
            out.push(opcode::IDLE);
            plain(out).len(seconds);
        }
        Some(Recency::Freq(counter)) => out.extend_from_slice(&[opcode::FREQ, counter]),
        None => {}
    }
    out.push(kind);
    plain(out).string(key);
}

/// The end of the items; the file's writer appends 8 bytes: the checksum of everything so far ([`crate::base::crc64`], little-endian), or zeros.
pub fn end(out: &mut Vec<u8>) {
    out.push(opcode::EOF);
}
