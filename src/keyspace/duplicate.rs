//! COPY: a second entry with the same value under another name.
//!
//! Called by `command::keys::names`; calls `entry` and `types`. Invariant: the copy shares nothing but immutable buffers with the original.
//! Bounds: costs the value.

use super::boxed::Stored;
use super::{Entry, OwnedEntry, StrIn, ValueRef};

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
            ValueRef::Hash(value) => OwnedEntry::new_boxed(key, value.clone().boxed(), expire_ms, lru),
            ValueRef::List(value) => OwnedEntry::new_boxed(key, value.clone().boxed(), expire_ms, lru),
            ValueRef::Set(value) => OwnedEntry::new_boxed(key, value.clone().boxed(), expire_ms, lru),
            ValueRef::ZSet(value) => OwnedEntry::new_boxed(key, value.clone().boxed(), expire_ms, lru),
            ValueRef::Stream(value) => OwnedEntry::new_boxed(key, value.clone().boxed(), expire_ms, lru),
        }
    }
}
