//! Encodings that values and the keyspace are made of.
pub mod block;
pub mod chunk;
pub mod intset;
pub mod listpack;
pub mod pack;
pub mod packed;
pub mod seg_pin;
pub mod seg_table;
pub mod seg_walk;
pub mod segment;
pub mod shared;
pub mod thin;
pub mod tree;
