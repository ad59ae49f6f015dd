//! `Held`: a collection behind one word: the collection itself if it is no larger, else a box of it.
//!
//! Used by `boxed` and, for the payload word of an entry, by `entry` and `owned_entry`. Invariant: the word of a `Held<T>` is made by this file only,
//! so its form follows from the size of `T`. Why: most collections are small ones, and their types (`types::encoding::thin`) are one word already:
//! a box around that would cost each key 16 bytes and a cache miss.
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};

/// Bytes of the word.
pub const WORD: usize = size_of::<*mut u8>();

/// See the module's text.
#[repr(transparent)]
pub struct Held<T> {
    word: MaybeUninit<*mut u8>,
    owns: PhantomData<Box<T>>,
}

// SAFETY: it owns the T alone.
unsafe impl<T: Send> Send for Held<T> {}

impl<T> Held<T> {
    /// Whether the word is the value.
    const INSIDE: bool = size_of::<T>() == WORD && align_of::<T>() <= align_of::<*mut u8>();

    /// Of a value.
    pub fn new(value: T) -> Self {
        let word = if Self::INSIDE {
            let value = ManuallyDrop::new(value);
            // SAFETY: as large as a word; the value is not used again.
            unsafe { std::mem::transmute_copy::<ManuallyDrop<T>, MaybeUninit<*mut u8>>(&value) }
        } else {
            MaybeUninit::new(Box::into_raw(Box::new(value)).cast())
        };
        Self { word, owns: PhantomData }
    }

    /// Gives up ownership.
    pub fn into_raw(self) -> *mut u8 {
        // SAFETY: a pointer; or a value of one word, which the types of this house have without padding (`thin`: a pointer).
        unsafe { ManuallyDrop::new(self).word.assume_init() }
    }

    /// Takes ownership back.
    ///
    /// # Safety
    /// `word` came from `into_raw` of the same type and is taken back once.
    pub unsafe fn from_raw(word: *mut u8) -> Self {
        Self { word: MaybeUninit::new(word), owns: PhantomData }
    }

    /// Where the value is, if the word lies at `word`.
    ///
    /// # Safety
    /// A live `Held<T>` or a word of `into_raw` lies at `word`, 8-aligned; the value is as long valid as the word stays there.
    #[inline]
    pub unsafe fn place(word: *mut u8) -> *mut T {
        if Self::INSIDE {
            return word.cast();
        }
        // SAFETY: the caller's promise: the word is the address of the box.
        unsafe { *word.cast::<*mut T>() }
    }

    /// Views it.
    pub fn get(&self) -> &T {
        // SAFETY: the word is a live one, borrowed as long as self is.
        unsafe { &*Self::place((&raw const self.word).cast_mut().cast()) }
    }

    /// Views it for changing.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: as above, exclusively.
        unsafe { &mut *Self::place((&raw mut self.word).cast()) }
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let place = self.get_mut() as *mut T;
        // SAFETY: the value, dropped once; the box, if there is one, was made by `new`.
        unsafe {
            if Self::INSIDE {
                std::ptr::drop_in_place(place);
            } else {
                drop(Box::from_raw(place));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn a_word_lies_inside_and_more_in_a_box() {
        let counted = Rc::new(5);
        let small = Held::new(Rc::clone(&counted));
        let large = Held::new((Rc::clone(&counted), [7u8; 40]));
        assert_eq!((**small.get(), large.get().1[39], Rc::strong_count(&counted)), (5, 7, 3));
        let (small, large) = (small.into_raw(), large.into_raw());
        assert_eq!(Rc::strong_count(&counted), 3);
        // SAFETY: given up just before.
        let (small, mut large) =
            unsafe { (Held::<Rc<i32>>::from_raw(small), Held::<(Rc<i32>, [u8; 40])>::from_raw(large)) };
        large.get_mut().1[0] = 1;
        drop(large);
        assert_eq!(Rc::strong_count(&counted), 2);
        drop(small);
        assert_eq!(Rc::strong_count(&counted), 1);
    }
}
