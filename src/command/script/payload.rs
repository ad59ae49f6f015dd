//! The payload of FUNCTION DUMP: all libraries as a piece of RDB.
//!
//! ```text
//! (0xf5 <string: code>)*  <RDB version: 2 bytes, little endian>  <CRC64 of all before: 8 bytes, little endian>
//! ```
//! FUNCTION RESTORE reads what any redis wrote: compressed strings too. Invariant: reading never leaves the payload. Bounds: a decompressed string is at most as long as it
//! claims, and 512 MB.

use crate::base::crc64::crc64;

/// The opcode of a library.
const LIBRARY: u8 = 0xf5;
/// The version written, and the newest read.
const RDB_VERSION: u16 = 10;
/// Longest code read, in bytes.
const CODE_MAX: usize = 512 << 20;

/// A payload that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its end is not that of a payload.
    Trailer,
    /// Its content is not that of FUNCTION DUMP.
    Content,
}

/// The payload of these libraries' code.
pub fn write<'a>(codes: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for code in codes {
        bytes.push(LIBRARY);
        append_len(&mut bytes, code.len());
        bytes.extend_from_slice(code);
    }
    bytes.extend(RDB_VERSION.to_le_bytes());
    let sum = crc64(0, &bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

fn append_len(bytes: &mut Vec<u8>, len: usize) {
    match len {
        0..=0x3f => bytes.push(len as u8),
        0x40..=0x3fff => bytes.extend([0x40 | (len >> 8) as u8, len as u8]),
        0x4000..=0xffff_ffff => {
            bytes.push(0x80);
            bytes.extend((len as u32).to_be_bytes());
        }
        _ => {
            bytes.push(0x81);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
}

/// The code of every library in a payload.
pub fn read(payload: &[u8]) -> Result<Vec<Vec<u8>>, Damage> {
    let body = payload.len().checked_sub(10).ok_or(Damage::Trailer)?;
    let (body, trailer) = payload.split_at(body);
    let version = u16::from_le_bytes([trailer[0], trailer[1]]);
    let sum = u64::from_le_bytes(trailer[2..].try_into().unwrap_or_default());
    let is_right = sum == 0 || sum == crc64(0, &payload[..payload.len() - 8]);
    if version > RDB_VERSION || !is_right {
        return Err(Damage::Trailer);
    }
    let mut rest = body;
    let mut codes = Vec::new();
    while let Some((&opcode, after)) = rest.split_first() {
        if opcode != LIBRARY {
            return Err(Damage::Content);
        }
        rest = after;
        codes.push(take_string(&mut rest).ok_or(Damage::Content)?);
    }
    Ok(codes)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let part = rest.get(..len)?;
    *rest = &rest[len..];
    Some(part)
}

fn take_number(rest: &mut &[u8], len: usize) -> Option<usize> {
    let bytes = take(rest, len)?;
    Some(bytes.iter().fold(0, |sum, &byte| sum << 8 | byte as usize))
}

/// A length, or the number of a special encoding.
fn take_len(rest: &mut &[u8]) -> Option<Result<usize, u8>> {
    let first = take(rest, 1)?[0];
    Some(match first >> 6 {
        0 => Ok((first & 0x3f) as usize),
        1 => Ok(((first & 0x3f) as usize) << 8 | take_number(rest, 1)?),
        3 => Err(first & 0x3f),
        _ if first == 0x80 => Ok(take_number(rest, 4)?),
        _ => Ok(take_number(rest, 8)?),
    })
}

fn take_string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    match take_len(rest)? {
        Ok(len) => take(rest, len).map(<[u8]>::to_vec),
        Err(3) => {
            let packed = take_len(rest)?.ok()?;
            let len = take_len(rest)?.ok().filter(|&len| len <= CODE_MAX)?;
            inflate(take(rest, packed)?, len)
        }
        Err(_) => None,
    }
}

/// Undoes LZF: literal runs and copies of what came before.
fn inflate(mut packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    while let Some((&control, after)) = packed.split_first() {
        packed = after;
        if control < 32 {
            plain.extend_from_slice(take(&mut packed, control as usize + 1)?);
        } else {
            let mut count = (control >> 5) as usize;
            if count == 7 {
                count += take(&mut packed, 1)?[0] as usize;
            }
            let back = ((control & 31) as usize) << 8 | take(&mut packed, 1)?[0] as usize;
            let from = plain.len().checked_sub(back + 1)?;
            for at in from..from + count + 2 {
                plain.push(plain[at]);
            }
        }
        if plain.len() > len {
            return None;
        }
    }
    (plain.len() == len).then_some(plain)
}
