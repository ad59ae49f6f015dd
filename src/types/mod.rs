//! L2 types: the values behind keys, and their encodings. Imports only `base`.
//!
//! - [`hash::Hash`]: the hash value (listpack, then hash table).
//! - [`list::List`], [`set::Set`], [`zset::ZSet`], [`stream::Stream`]: the other collections; [`collection::Collection`] is what all have in common.
//! - [`element::Element`]: a string-or-integer view, what listpack entries and hash fields read as.
//! - [`encoding`]: `pack` (small collections, one block each), `listpack` (redis' byte format), `seg_table` (extendible hashing over thin pointers).
pub mod collection;
pub mod element;
pub mod encoding;
pub mod field;
pub mod geo;
pub mod hash;
pub mod hash_table;
pub mod hash_ttl;
#[cfg(test)]
mod hash_ttl_tests;
pub mod hll;
pub mod list;
pub mod member;
#[cfg(test)]
mod pin_tests;
pub mod set;
#[cfg(test)]
mod set_tests;
pub mod stream;
pub mod zset;
