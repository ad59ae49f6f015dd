//! `Key`: a key's bytes with its slot and hash, computed once per command and carried along.
//!
//! Made by the executor (`Cx::key`), read by everything in `keyspace`. Copy; borrows the bytes.
use crate::base::siphash::key_hash;
use crate::base::slot::key_slot;

/// A key as commands pass it.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The key itself.
    pub bytes: &'a [u8],
    /// Its hash slot, 0..16384.
    pub slot: u16,
    /// Its keyed hash (process-wide seed); the top bits order a slot's table.
    pub hash: u64,
}

impl<'a> Key<'a> {
    /// Computes slot and hash.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, slot: key_slot(bytes), hash: key_hash(bytes) }
    }
}
