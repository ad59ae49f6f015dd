//! L3 rdb: values <-> bytes in redis' RDB encoding, for DUMP and RESTORE now, for snapshot files and full sync later.
//!
//! - [`dump`], [`restore`]: one value as a payload: `type byte | value | version u16 LE | CRC-64 u64 LE`.
//! - [`save::Saver`]: a value written in steps behind what is in a buffer; [`load::load_value`]: a value read from a [`decode::Source`].
//! - [`lzf`], [`ziplist`]: the encodings of old versions and of strings.
//!
//! Invariants: written are the types of redis 7.0.15 (RDB version 10); read are those of versions 1 to 12, except modules; a hostile payload gives
//! [`decode::Damage`], never a panic nor more memory than a fixed multiple of its length.
pub mod decode;
pub mod encode;
pub mod file;
mod length;
pub mod load;
mod load_stream;
mod long;
pub mod lzf;
pub mod save;
#[cfg(test)]
mod tests;
pub mod ziplist;

use crate::base::crc64::crc64;
use crate::keyspace::ValueRef;
use decode::{Damage, Decoder, Loaded};
use encode::{Encoder, Style};
use load::{Limits, Value};
use save::Saver;

/// The version that is written (a hash with expiring fields is of [`VERSION_READ`]).
pub const VERSION: u16 = 10;
/// The newest version that is read (redis 7.4).
pub const VERSION_READ: u16 = 12;
/// Bytes of a payload's version and checksum.
const FOOTER: usize = 10;

/// The type byte of each encoding.
#[allow(missing_docs, reason = "each is redis' RDB_TYPE of its name")]
pub mod kind {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const MODULE_PRE_GA: u8 = 6;
    pub const MODULE_2: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM_LISTPACKS: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_LISTPACKS_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_LISTPACKS_3: u8 = 21;
    pub const HASH_METADATA_PRE_GA: u8 = 22;
    pub const HASH_LISTPACK_EX_PRE_GA: u8 = 23;
    pub const HASH_METADATA: u8 = 24;
    pub const HASH_LISTPACK_EX: u8 = 25;
}

/// DUMP's payload of a value.
pub fn dump(value: ValueRef<'_>, style: Style) -> Vec<u8> {
    let kind = save::type_of(value);
    let mut payload = vec![kind];
    Saver::new().step(value, &mut Encoder::new(&mut payload, style), usize::MAX);
    let version = if kind == kind::HASH_METADATA { VERSION_READ } else { VERSION };
    seal(&mut payload, version);
    payload
}

/// Appends a payload's end: version and checksum.
pub fn seal(payload: &mut Vec<u8>, version: u16) {
    payload.extend_from_slice(&version.to_le_bytes());
    let sum = crc64(0, payload);
    payload.extend_from_slice(&sum.to_le_bytes());
}

/// What stands before the end of a payload of at most this version, if the checksum is right.
pub fn verify(payload: &[u8], newest: u16) -> Option<&[u8]> {
    let (body, footer) = payload.split_at_checked(payload.len().checked_sub(FOOTER)?)?;
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let sum = u64::from_le_bytes(footer[2..].try_into().ok()?);
    let right = || crc64(0, &payload[..payload.len() - 8]) == sum;
    (version <= newest && right()).then_some(body)
}

/// The value of a verified payload.
///
/// # Errors
/// Whatever does not fit the encodings.
pub fn restore<'b>(body: &'b [u8], limits: &Limits) -> Loaded<Value<'b>> {
    let Some((&kind, mut value)) = body.split_first() else { return Err(Damage("no type")) };
    load::load_value(kind, &mut Decoder::new(&mut value), limits)
}
