//! COPY: a second entry with the same value under another name.
//!
//! Called by `command::keys::names`; calls `entry` and `types`. Invariant: the copy shares nothing but immutable buffers with the original.
//! Bounds: costs the value.

use super::boxed::Boxed;
use super::{Entry, OwnedEntry, StrIn, ValueRef};
use crate::types::hash::{Hash, HashLimits};

impl Entry<'_> {
    /// A copy of value, encoding, expiry and recency under `key`.
    pub fn duplicate(self, key: &[u8]) -> OwnedEntry {
        let (expire_ms, lru) = (self.expire_at(), self.lru());
        match self.value() {
            ValueRef::Int(number) => OwnedEntry::new_string(key, StrIn::Int(number), expire_ms, lru),
            ValueRef::Shared(bytes) => {
                OwnedEntry::new_string(key, StrIn::Shared(bytes.clone()), expire_ms, lru)
            }
            ValueRef::Bytes(bytes) => {
                let value = if self.encoding() == "raw" { StrIn::Raw(bytes) } else { StrIn::Plain(bytes) };
                OwnedEntry::new_string(key, value, expire_ms, lru)
            }
            ValueRef::Hash(hash) => {
                OwnedEntry::new_boxed(key, Boxed::Hash(Box::new(duplicate_hash(hash))), expire_ms, lru)
            }
        }
    }
}

fn duplicate_hash(hash: &Hash) -> Hash {
    let is_pack = hash.as_pack().is_some();
    let most = if is_pack { usize::MAX } else { 0 };
    let limits = HashLimits { max_entries: most, max_value: most };
    let mut copy = Hash::new();
    for (field, value) in hash.iter() {
        copy.set(&field.to_bytes(), &value.to_bytes(), &limits);
    }
    copy
}
