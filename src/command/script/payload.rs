//! The payload of FUNCTION DUMP: all libraries as a piece of RDB.
//!
//! ```text
//! (F5 <string: code>)*  <RDB version: 2 bytes, little endian>  <CRC64 of all before: 8 bytes, little endian>
//! ```
//! Called by `function`; calls `rdb` for strings and the end. FUNCTION RESTORE reads what any redis of this version wrote: compressed strings too. Invariant: reading never leaves
//! the payload. Bounds: as `rdb::decode`.

use crate::rdb::decode::Decoder;
use crate::rdb::encode::{Encoder, Style};
use crate::rdb::file::opcode;
use crate::rdb::{VERSION, seal, verify};
use std::borrow::Cow;

/// A payload that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its end is not that of a payload.
    Trailer,
    /// Something else than a library is in it.
    Content,
    /// A library's code cannot be read.
    Code,
}

/// The payload of these libraries' code.
pub fn write<'a>(codes: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut payload = Vec::new();
    for code in codes {
        let mut out = Encoder::new(&mut payload, Style::default());
        out.byte(opcode::FUNCTION2);
        out.len(code.len() as u64);
        out.raw(code);
    }
    seal(&mut payload, VERSION);
    payload
}

/// The code of every library in a payload.
pub fn read(payload: &[u8]) -> Result<Vec<Cow<'_, [u8]>>, Damage> {
    let mut rest = verify(payload, VERSION).ok_or(Damage::Trailer)?;
    let mut codes = Vec::new();
    while let Some((&first, mut code)) = rest.split_first() {
        if first != opcode::FUNCTION2 {
            return Err(Damage::Content);
        }
        codes.push(Decoder::new(&mut code).string().map_err(|_| Damage::Code)?);
        rest = code;
    }
    Ok(codes)
}
