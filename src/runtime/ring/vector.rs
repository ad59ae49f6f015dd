//! Lists of slices for vectored sends, kept until the kernel has taken the entries that name them.
//!
//! `Ring::send_vector` fills one per send; after a submission that left nothing queued all are free again: the kernel copies an entry's
//! message header and slices when it takes the entry (IORING_FEAT_SUBMIT_STABLE, in every kernel we run on). Invariant: a list that a queued
//! entry names is neither moved nor changed. Bounds: one list per send of a turn; they are kept for the next.

/// A list and the header that names it.
struct List {
    slices: Vec<libc::iovec>,
    header: libc::msghdr,
}

/// See the module's text.
#[derive(Default)]
#[allow(clippy::vec_box)] // the kernel is told the header's address: growing must not move it
pub struct Vectors {
    lists: Vec<Box<List>>,
    used: usize,
}

/// A finished list.
pub enum Sealed {
    /// Its only slice.
    One(libc::iovec),
    /// The header to send.
    Many(*const libc::msghdr),
}

impl Vectors {
    /// The next free list, emptied.
    pub fn next(&mut self) -> &mut Vec<libc::iovec> {
        if self.lists.len() == self.used {
            // SAFETY: a msghdr of zeroes is an empty one.
            let header = unsafe { std::mem::zeroed() };
            self.lists.push(Box::new(List { slices: Vec::new(), header }));
        }
        let list = &mut self.lists[self.used];
        list.slices.clear();
        &mut list.slices
    }

    /// Finishes the list that `next` gave; a list of one is free again at once.
    pub fn seal(&mut self) -> Sealed {
        let list = &mut *self.lists[self.used];
        if let [only] = list.slices[..] {
            return Sealed::One(only);
        }
        self.used += 1;
        list.header.msg_iov = list.slices.as_mut_ptr();
        list.header.msg_iovlen = list.slices.len() as _;
        Sealed::Many(&raw const list.header)
    }

    /// Whether queued entries may name a list.
    pub fn is_used(&self) -> bool {
        self.used > 0
    }

    /// No entry names a list any more.
    pub fn recycle(&mut self) {
        self.used = 0;
    }
}
