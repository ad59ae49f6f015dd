//! `Shared`: a reference-counted node that is copied when one of several holders wants to change it.
//!
//! Used by `tree` (and whatever else a snapshot must be able to pin). All holders of one node live in the same shard (the value in the
//! keyspace, and pins that a snapshot keeps beside it), which is owned by one thread at a time: hence a plain counter.
//! Invariant: a node reachable from two holders is never changed in place. Bounds: a copy costs one node.
//! Why not `Arc`: its atomic counter would cost every write a locked instruction for a pin that is almost never there.
use std::cell::Cell;
use std::ptr::NonNull;

struct Counted<T> {
    holders: Cell<u32>,
    value: T,
}

/// See the module's text.
pub struct Shared<T>(NonNull<Counted<T>>);

// SAFETY: holders of one node never leave their shard one by one (module invariant): a shard moves between threads whole, with a
// hand-over that orders memory, so that the counter is never touched by two threads at once.
unsafe impl<T: Send> Send for Shared<T> {}

impl<T> Shared<T> {
    /// Bytes of the allocation behind one node, before rounding to a size class.
    pub const BYTES: usize = size_of::<Counted<T>>();

    /// A node with one holder.
    pub fn new(value: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(Counted { holders: Cell::new(1), value }))))
    }

    /// The node.
    #[inline]
    pub fn get(&self) -> &T {
        // SAFETY: alive while there is a holder; changed only through `make_mut`, which asks for the only one, exclusively.
        unsafe { &self.0.as_ref().value }
    }

    /// Whether there is another holder.
    #[inline]
    pub fn is_shared(&self) -> bool {
        // SAFETY: alive while there is a holder.
        unsafe { self.0.as_ref().holders.get() > 1 }
    }

    /// The node for changing: this holder's own copy if there are others.
    #[inline]
    pub fn make_mut(&mut self) -> &mut T
    where
        T: Clone,
    {
        if self.is_shared() {
            *self = Self::new(self.get().clone());
        }
        // SAFETY: the only holder, borrowed exclusively.
        unsafe { &mut self.0.as_mut().value }
    }

    /// The value: moved out for the last holder, else a copy.
    pub fn into_inner(self) -> T
    where
        T: Clone,
    {
        if self.is_shared() {
            return self.get().clone();
        }
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: the last holder; the box is taken back once, `this` is not dropped.
        unsafe { Box::from_raw(this.0.as_ptr()) }.value
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // SAFETY: alive while there is a holder.
        let holders = unsafe { &self.0.as_ref().holders };
        let Some(more) = holders.get().checked_add(1) else { unreachable!("four billion pins of a node") };
        holders.set(more);
        Self(self.0)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: alive while there is a holder.
        let holders = unsafe { &self.0.as_ref().holders };
        let left = holders.get() - 1;
        holders.set(left);
        if left == 0 {
            // SAFETY: the last holder is gone; the box was leaked by `new`.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_node_is_copied_before_it_changes() {
        let mut node = Shared::new(vec![1]);
        node.make_mut().push(2);
        let pin = node.clone();
        assert!(node.is_shared());
        node.make_mut().push(3);
        assert_eq!((pin.get().as_slice(), node.get().as_slice()), (&[1, 2][..], &[1, 2, 3][..]));
        assert!(!node.is_shared() && !pin.is_shared());
        assert_eq!(pin.into_inner(), [1, 2]);
        let other = node.clone();
        assert_eq!(other.into_inner(), [1, 2, 3]);
    }
}
