//! Encodings that values and the keyspace are made of.
pub mod listpack;
pub mod seg_table;
pub mod segment;
