//! A slab: values under small, dense, reused `u32` ids.
//!
//! Called by the runtime for connections and operations in flight; calls nothing. Invariant: an id given out by
//! `insert` names the same value until `remove`; then it may be given out again (last freed first, which keeps the
//! memory warm). There are no generations: whoever can hold an id past its removal must carry its own stamp.
//! Bounds: 2^32 - 1 values. Why not a map: an index is one load, and io_uring user data has no room for more.

#[derive(Debug)]
enum Place<T> {
    Full(T),
    /// The next free place, or `NONE`.
    Free(u32),
}

const NONE: u32 = u32::MAX;

/// Values under dense ids.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: u32,
    count: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slab<T> {
    /// An empty slab; allocates nothing.
    pub const fn new() -> Self {
        Self { places: Vec::new(), free: NONE, count: 0 }
    }

    /// Stores `value` and returns its id.
    pub fn insert(&mut self, value: T) -> u32 {
        self.insert_with(|_| value)
    }

    /// Stores what `make` builds from the id it is going to have.
    pub fn insert_with(&mut self, make: impl FnOnce(u32) -> T) -> u32 {
        self.count += 1;
        if self.free == NONE {
            let id = self.places.len() as u32;
            assert!(id != NONE, "slab is full");
            self.places.push(Place::Full(make(id)));
            return id;
        }
        let id = self.free;
        let place = &mut self.places[id as usize];
        let Place::Free(next) = *place else { unreachable!("the free list names only free places") };
        *place = Place::Full(make(id));
        self.free = next;
        id
    }

    /// The value of `id`.
    #[inline]
    pub fn get(&self, id: u32) -> Option<&T> {
        match self.places.get(id as usize) {
            Some(Place::Full(value)) => Some(value),
            _ => None,
        }
    }

    /// Asks the cache for the value of `id`.
    #[inline]
    pub fn prefetch(&self, id: u32) {
        if let Some(place) = self.places.get(id as usize) {
            super::cache::prefetch_value(place);
        }
    }

    /// The value of `id`, to change.
    #[inline]
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        match self.places.get_mut(id as usize) {
            Some(Place::Full(value)) => Some(value),
            _ => None,
        }
    }

    /// Takes the value of `id` out and frees the id.
    pub fn remove(&mut self, id: u32) -> Option<T> {
        let place = self.places.get_mut(id as usize)?;
        if let Place::Free(_) = place {
            return None;
        }
        let Place::Full(value) = std::mem::replace(place, Place::Free(self.free)) else { return None };
        self.free = id;
        self.count -= 1;
        Some(value)
    }

    /// How many values there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One past the highest id ever given out: the range a walk by id has to cover.
    pub fn id_bound(&self) -> u32 {
        self.places.len() as u32
    }

    /// All values in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.places.iter().enumerate().filter_map(|(id, place)| match place {
            Place::Full(value) => Some((id as u32, value)),
            Place::Free(_) => None,
        })
    }

    /// All values in order of id, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.places.iter_mut().enumerate().filter_map(|(id, place)| match place {
            Place::Full(value) => Some((id as u32, value)),
            Place::Free(_) => None,
        })
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;
    #[inline]
    fn index(&self, id: u32) -> &T {
        match &self.places[id as usize] {
            Place::Full(value) => value,
            Place::Free(_) => panic!("slab id {id} is free"),
        }
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        match &mut self.places[id as usize] {
            Place::Full(value) => value,
            Place::Free(_) => panic!("slab id {id} is free"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use std::collections::BTreeMap;

    #[test]
    fn behaves_like_a_map() {
        let (mut slab, mut map, mut prng) = (Slab::new(), BTreeMap::new(), Prng::new(5));
        for step in 0..20_000u64 {
            if prng.below(2) == 0 || map.is_empty() {
                let id = slab.insert_with(|id| (id, step));
                assert!(map.insert(id, (id, step)).is_none());
            } else {
                let id = prng.below(u64::from(slab.id_bound())) as u32;
                assert_eq!(slab.remove(id), map.remove(&id));
            }
            assert_eq!(slab.len(), map.len());
        }
        assert!(slab.iter().map(|(id, &value)| (id, value)).eq(map.iter().map(|(&id, &value)| (id, value))));
        assert!((slab.id_bound() as usize) < 1000, "ids are reused");
        for (id, value) in slab.iter_mut() {
            value.1 = u64::from(id);
        }
        assert!(map.keys().all(|&id| slab[id].1 == u64::from(id) && slab.get(id).is_some()));
        assert!(slab.get(slab.id_bound()).is_none());
        assert!(Slab::<u8>::default().is_empty());
    }
}
