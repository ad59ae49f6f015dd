//! `Boxed`: the values that live outside their entry, behind one word; the one list of such types.
//!
//! Used by `entry` (which stores the kind in its header and the word inline) and `trash`. A new value type (a collection)
//! is one line of `collections!` here, one `Kind`, one `ValueType`, and one arm of `ValueRef`, digest and COPY. Invariant: `from_raw` gets exactly
//! what `into_raw` gave; a kind and its Rust type belong together ([`Stored`]).
use super::entry::{Kind, ValueMut, ValueRef, ValueType};
use super::held::{Held, WORD};
use crate::base::memory::good_size;
use crate::types::collection::Collection;
use crate::types::hash::Hash;
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::stream::Stream;
use crate::types::zset::ZSet;
use bytes::Bytes;

/// A collection type that entries can hold.
pub trait Stored: Collection + Default + Sized + 'static {
    /// How an entry says that it holds one.
    const KIND: Kind;
    /// The type clients know.
    const TYPE: ValueType;
    /// The owned form.
    fn boxed(self) -> Boxed;
    /// Out of a view; None if it is another type.
    fn of(value: ValueRef<'_>) -> Option<&Self>;
    /// Out of a mutable view; None if it is another type.
    fn of_mut(value: ValueMut<'_>) -> Option<&mut Self>;
}

macro_rules! collections {
    ($($name:ident),*) => {
        /// An owned value outside the entry.
        pub enum Boxed {
            /// A string that grows in place (APPEND, SETRANGE, SETBIT) or is too long for the entry.
            Blob(Box<Vec<u8>>),
            /// A large string that arrived as one shared buffer.
            Shared(Box<Bytes>),
            $(
                #[doc = concat!("A ", stringify!($name), ".")]
                $name(Held<$name>),
            )*
        }

        impl Boxed {
            /// Its kind and word; ownership goes with the word.
            pub(super) fn into_raw(self) -> (Kind, *mut u8) {
                match self {
                    Self::Blob(value) => (Kind::Blob, Box::into_raw(value).cast()),
                    Self::Shared(value) => (Kind::Shared, Box::into_raw(value).cast()),
                    $(Self::$name(value) => (Kind::$name, value.into_raw()),)*
                }
            }

            /// Takes ownership back; None for the inline kinds.
            ///
            /// # Safety
            /// `pointer` and `kind` came from one `into_raw` and are taken back once.
            pub(super) unsafe fn from_raw(kind: Kind, pointer: *mut u8) -> Option<Self> {
                // SAFETY: the caller's promise; the kind says which Box or Held it was.
                unsafe {
                    match kind {
                        Kind::Int | Kind::Inline => None,
                        Kind::Blob => Some(Self::Blob(Box::from_raw(pointer.cast()))),
                        Kind::Shared => Some(Self::Shared(Box::from_raw(pointer.cast()))),
                        $(Kind::$name => Some(Self::$name(Held::from_raw(pointer))),)*
                    }
                }
            }

            /// The collection; None for strings.
            fn collection(&self) -> Option<&dyn Collection> {
                match self {
                    Self::Blob(_) | Self::Shared(_) => None,
                    $(Self::$name(value) => Some(value.get()),)*
                }
            }

            /// The collection for changing; None for strings.
            fn collection_mut(&mut self) -> Option<&mut dyn Collection> {
                match self {
                    Self::Blob(_) | Self::Shared(_) => None,
                    $(Self::$name(value) => Some(value.get_mut()),)*
                }
            }
        }

        impl<'a> ValueRef<'a> {
            /// The collection; None for strings.
            pub fn collection(self) -> Option<&'a dyn Collection> {
                match self {
                    Self::Int(_) | Self::Bytes(_) | Self::Shared(_) => None,
                    $(Self::$name(value) => Some(value),)*
                }
            }
        }

        impl<'a> ValueMut<'a> {
            /// The collection for changing; None for strings.
            pub fn collection(self) -> Option<&'a mut dyn Collection> {
                match self {
                    Self::Bytes(_) | Self::Fixed => None,
                    $(Self::$name(value) => Some(value),)*
                }
            }
        }

        $(
            impl Stored for $name {
                const KIND: Kind = Kind::$name;
                const TYPE: ValueType = ValueType::$name;

                fn boxed(self) -> Boxed {
                    Boxed::$name(Held::new(self))
                }

                fn of(value: ValueRef<'_>) -> Option<&Self> {
                    match value {
                        ValueRef::$name(value) => Some(value),
                        _ => None,
                    }
                }

                fn of_mut(value: ValueMut<'_>) -> Option<&mut Self> {
                    match value {
                        ValueMut::$name(value) => Some(value),
                        _ => None,
                    }
                }
            }
        )*
    };
}

collections!(Hash, List, Set, ZSet, Stream);

impl Boxed {
    /// Whether freeing it at once could exceed a step's budget.
    pub fn is_heavy(&self) -> bool {
        self.collection().is_some_and(Collection::is_heavy)
    }

    /// Frees a bounded part (some hundred allocations at most); true when nothing is left.
    pub fn free_step(&mut self) -> bool {
        self.collection_mut().is_none_or(Collection::free_step)
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

/// Bytes of a collection and its box, if it has one.
pub(super) fn collection_bytes(collection: &dyn Collection) -> usize {
    let own = collection.own_bytes();
    collection.heap_bytes() + if own > WORD { good_size(own) } else { 0 }
}
