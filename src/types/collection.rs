//! `Collection`: what the keyspace asks of every value that lives outside its entry: its bytes, its changes, how it is freed and copied.
//!
//! Implemented by the types of this layer; called by `keyspace` (accounting, WATCH, lazy freeing, COPY, OBJECT ENCODING). Invariant:
//! [`Collection::heap_bytes`] is exact after every call, in constant time. Bounds: [`Collection::free_step`] frees some hundred allocations at most.
//! Why one trait: a new type is one variant in `keyspace::boxed` instead of an arm in every file.

/// A value with elements.
pub trait Collection: Send {
    /// Bytes the allocator holds for it, without the value's own struct.
    fn heap_bytes(&self) -> usize;
    /// Size of the struct itself, bytes.
    fn own_bytes(&self) -> usize;
    /// Reads and clears the mark that something really changed.
    fn take_changed(&mut self) -> bool;
    /// Whether freeing it at once could take long (some hundred allocations or more).
    fn is_heavy(&self) -> bool;
    /// Frees a bounded part; true when nothing is left. Only for a value that no one will read again.
    fn free_step(&mut self) -> bool;
    /// OBJECT ENCODING's word.
    fn encoding(&self) -> &'static str;
}
