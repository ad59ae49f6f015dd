//! `Boxed`: the values that live outside their entry, behind one pointer; the one list of such types.
//!
//! Used by `entry` (which stores the kind in its header and the pointer inline) and `trash`. A new value type (list, set …)
//! is one variant here, one `Kind`, one `ValueRef` arm. Invariant: `from_raw` gets exactly what `into_raw` gave.
use super::entry::Kind;
use crate::base::memory::good_size;
use crate::types::hash::Hash;
use bytes::Bytes;

/// An owned value outside the entry.
pub enum Boxed {
    /// A string that grows in place (APPEND, SETRANGE, SETBIT) or is too long for the entry.
    Blob(Box<Vec<u8>>),
    /// A large string that arrived as one shared buffer.
    Shared(Box<Bytes>),
    /// A hash.
    Hash(Box<Hash>),
}

impl Boxed {
    /// Its kind and pointer; ownership goes with the pointer.
    pub(super) fn into_raw(self) -> (Kind, *mut u8) {
        match self {
            Self::Blob(value) => (Kind::Blob, Box::into_raw(value).cast()),
            Self::Shared(value) => (Kind::Shared, Box::into_raw(value).cast()),
            Self::Hash(value) => (Kind::Hash, Box::into_raw(value).cast()),
        }
    }

    /// Takes ownership back; None for the inline kinds.
    ///
    /// # Safety
    /// `pointer` and `kind` came from one `into_raw` and are taken back once.
    pub(super) unsafe fn from_raw(kind: Kind, pointer: *mut u8) -> Option<Self> {
        // SAFETY: the caller's promise; the kind says which Box it was.
        unsafe {
            match kind {
                Kind::Int | Kind::Inline => None,
                Kind::Blob => Some(Self::Blob(Box::from_raw(pointer.cast()))),
                Kind::Shared => Some(Self::Shared(Box::from_raw(pointer.cast()))),
                Kind::Hash => Some(Self::Hash(Box::from_raw(pointer.cast()))),
            }
        }
    }

    /// Whether freeing it at once could exceed a step's budget.
    pub fn is_heavy(&self) -> bool {
        match self {
            Self::Hash(hash) => hash.is_heavy(),
            Self::Blob(_) | Self::Shared(_) => false,
        }
    }

    /// Frees a bounded part (some hundred allocations at most); true when nothing is left.
    pub fn free_step(&mut self) -> bool {
        match self {
            Self::Hash(hash) => hash.free_step(),
            Self::Blob(_) | Self::Shared(_) => true,
        }
    }
}

/// Bytes the allocator holds for a growable string and its box.
pub(super) fn blob_bytes(blob: &Vec<u8>) -> usize {
    good_size(size_of::<Vec<u8>>()) + if blob.capacity() == 0 { 0 } else { good_size(blob.capacity()) }
}

/// Bytes of a shared string and its box (the whole buffer is charged to the keyspace).
pub(super) fn shared_bytes(shared: &Bytes) -> usize {
    good_size(size_of::<Bytes>()) + good_size(shared.len())
}

/// Bytes of a hash and its box.
pub(super) fn hash_bytes(hash: &Hash) -> usize {
    good_size(size_of::<Hash>()) + hash.heap_bytes()
}
