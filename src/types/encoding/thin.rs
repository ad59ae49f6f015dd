//! `Thin`: a value of one of three forms behind one word: a small one (a `Block`), or a box of either of two types.
//!
//! Used by `hash` and `zset`, so that their structs fit an entry's payload and a small collection is one allocation. The word is the small form
//! itself, or the box's address with its number (1 or 2) in the lowest bits. Invariant: blocks are 8-aligned (`block` asks for it) as are the boxed types
//! (checked at compile time), so those bits are free; the number says what the rest is, and the word owns it. Why not an enum: it would be two words.
use super::block::Block;
use std::marker::PhantomData;

const LARGE: usize = 1;
const SPECIAL: usize = 2;
const NUMBER: usize = 3;

/// A small form.
///
/// # Safety
/// The type is a transparent wrapper of a [`Block`].
pub unsafe trait Small: Default + Send {}

/// The three forms, owned, or as references.
pub enum Case<P, L, S> {
    /// The small one.
    Small(P),
    /// The first boxed one.
    Large(L),
    /// The second boxed one.
    Special(S),
}

/// The boxed form of a type that has only one.
pub enum Never {}

/// See the module's text.
pub struct Thin<P: Small, L: Send, S: Send> {
    word: *mut u8,
    owns: PhantomData<(P, Box<L>, Box<S>)>,
}

// SAFETY: it owns what it points to, which is Send.
unsafe impl<P: Small, L: Send, S: Send> Send for Thin<P, L, S> {}

impl<P: Small, L: Send, S: Send> Default for Thin<P, L, S> {
    fn default() -> Self {
        Self::new(Case::Small(P::default()))
    }
}

impl<P: Small, L: Send, S: Send> Thin<P, L, S> {
    const FITS: () = assert!(
        size_of::<P>() == size_of::<Block>()
            && size_of::<Self>() == 8
            && align_of::<L>() == 8
            && (size_of::<S>() == 0 || align_of::<S>() == 8)
    );

    /// Of one of the forms.
    pub fn new(case: Case<P, Box<L>, Box<S>>) -> Self {
        const { Self::FITS };
        let word = match case {
            // SAFETY: a transparent wrapper of an optional address, given up by its owner.
            Case::Small(small) => unsafe { std::mem::transmute_copy(&std::mem::ManuallyDrop::new(small)) },
            Case::Large(large) => Box::into_raw(large).cast::<u8>().map_addr(|address| address | LARGE),
            Case::Special(special) => {
                Box::into_raw(special).cast::<u8>().map_addr(|address| address | SPECIAL)
            }
        };
        Self { word, owns: PhantomData }
    }

    #[inline]
    fn boxed(&self) -> *mut u8 {
        self.word.map_addr(|address| address & !NUMBER)
    }

    /// Views it.
    #[inline]
    pub fn get(&self) -> Case<&P, &L, &S> {
        // SAFETY: the word is a P, or owns a box, as the number says; borrowed as long as self is.
        unsafe {
            match self.word.addr() & NUMBER {
                LARGE => Case::Large(&*self.boxed().cast()),
                SPECIAL => Case::Special(&*self.boxed().cast()),
                _ => Case::Small(&*(&raw const self.word).cast()),
            }
        }
    }

    /// Views it for changing.
    #[inline]
    pub fn get_mut(&mut self) -> Case<&mut P, &mut L, &mut S> {
        // SAFETY: as for `get`, exclusively borrowed.
        unsafe {
            match self.word.addr() & NUMBER {
                LARGE => Case::Large(&mut *self.boxed().cast()),
                SPECIAL => Case::Special(&mut *self.boxed().cast()),
                _ => Case::Small(&mut *(&raw mut self.word).cast()),
            }
        }
    }
}

impl<P: Small, L: Send, S: Send> Drop for Thin<P, L, S> {
    fn drop(&mut self) {
        // SAFETY: the word owns what the number says; taken back once.
        unsafe {
            match self.word.addr() & NUMBER {
                LARGE => drop(Box::from_raw(self.boxed().cast::<L>())),
                SPECIAL => drop(Box::from_raw(self.boxed().cast::<S>())),
                _ => std::ptr::drop_in_place((&raw mut self.word).cast::<P>()),
            }
        }
    }
}
