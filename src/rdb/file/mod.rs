//! RDB files: writing and reading everything around the values.
//!
//! - [`write`]: the pieces of a file, appended to a buffer; values come from [`super::save::Saver`].
//! - [`Reader`]: a push parser that splits a file into [`Item`]s; an entry is found by skipping ([`skip`]), the core that owns the key decodes it:
//!   [`open_record`], then [`super::load::load_value`].
//!
//! Called by whoever saves and loads (persist, server, replication); calls `decode`, `length`, `crc64`. Layout:
//! ```text
//! "REDIS" "0010" | item … | FF | CRC-64 of all before, u64 LE (from version 5; 0: not summed)
//! FA key value                    aux field            FE db                   the entries that follow are of this database
//! FB keys expires                 sizes of tables      F4 slot keys expires    sizes of a slot (Valkey, redis 7.4)
//! F5 code                         a library            F7 module id, pieces    what a module keeps beside the keys
//! [FD s i32 | FC ms i64] [F8 idle s] [F9 frequency u8] type key value          an entry, what is in brackets belongs to the next one
//! ```
//! Invariants: a file of bytes gives items or one [`FileError`], never a panic; memory is at most twice the largest entry and a block fed. What is not
//! wrong with the file but with what is in it (a database beyond `databases`, a key twice, an empty collection) is for the caller to judge; the texts are here.
mod reader;
pub mod skip;
#[cfg(test)]
mod tests;
pub mod write;

pub use reader::{Item, Reader};
pub use write::Recency;

use super::decode::{Damage, Decoder, Loaded};
use std::borrow::Cow;
use std::fmt;

/// The opcodes beside the type bytes of [`super::kind`].
#[allow(missing_docs, reason = "each is redis' RDB_OPCODE of its name")]
pub mod opcode {
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION2: u8 = 245;
    pub const FUNCTION_PRE_GA: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQ: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZEDB: u8 = 251;
    pub const EXPIRETIME_MS: u8 = 252;
    pub const EXPIRETIME: u8 = 253;
    pub const SELECTDB: u8 = 254;
    pub const EOF: u8 = 255;
}

/// Why a file cannot be read on; loading ends here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// Where in the file the item at fault begins, bytes.
    pub offset: u64,
    /// One line for the log, in redis' words.
    pub text: String,
}

impl FileError {
    /// Damage at `offset`.
    pub fn corrupt(offset: u64, reason: impl fmt::Display) -> Self {
        Self { offset, text: format!("Internal error in RDB reading offset {offset} -> {reason}") }
    }

    /// Damage of the value of the entry that begins at `offset`.
    pub fn of_value(offset: u64, key: &[u8], damage: Damage) -> Self {
        Self::corrupt(offset, format_args!("{} (key '{}')", damage.0, key.escape_ascii()))
    }

    /// A database that is not configured; `databases` are.
    pub fn too_many_databases(offset: u64, databases: usize) -> Self {
        let text = format!(
            "FATAL: Data file was created with a Redis server configured to handle more than {databases} databases. Exiting"
        );
        Self { offset, text }
    }

    /// A key that came before; fatal, except where entries replace what is there (DEBUG RELOAD NOFLUSH).
    pub fn duplicate_key(offset: u64, key: &[u8], db: usize) -> Self {
        Self { offset, text: format!("RDB has duplicated key '{}' in DB {db}", key.escape_ascii()) }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FileError {}

/// An entry's record taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The type byte.
    pub kind: u8,
    /// The key, where it lies unless it was packed.
    pub key: Cow<'a, [u8]>,
    /// What [`super::load::load_value`] reads.
    pub value: &'a [u8],
}

/// Takes an [`Item::Entry`]'s record apart.
///
/// # Errors
/// The key does not decompress; nothing else can be wrong with a record of the [`Reader`].
pub fn open_record(record: &[u8]) -> Loaded<Record<'_>> {
    let mut value = record;
    let mut from = Decoder::new(&mut value);
    let (kind, key) = (from.byte()?, from.string()?);
    Ok(Record { kind, key, value })
}
