//! The words of one command, where they lie.
//!
//! Made by [`Reader`](super::Reader) and [`OwnedCommand`](super::OwnedCommand), read by everything that looks at a
//! command. Invariant: spans lie inside the base (checked by slicing). A word is a span of the base, or, if it is
//! big, one of the shared buffers. Copying an `Args` copies three slices. Why not `&[&[u8]]`: that list would have to be
//! built per command, and could not hold a buffer to share.
use bytes::Bytes;

/// Marks a span as an index of the big words.
const BIG: u32 = u32::MAX;

/// Where a word lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// `len` bytes of the base at `start`; both below 2^32 - 1.
    #[inline(always)]
    pub(super) fn small(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }

    /// The big word of this index.
    pub(super) fn big(index: usize) -> Self {
        Self { start: index as u32, len: BIG }
    }
}

/// The words of a command; the first is its name.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a> {
    base: &'a [u8],
    spans: &'a [Span],
    bigs: &'a [Bytes],
}

impl<'a> Args<'a> {
    pub(super) fn new(base: &'a [u8], spans: &'a [Span], bigs: &'a [Bytes]) -> Self {
        Self { base, spans, bigs }
    }

    /// No words.
    pub const EMPTY: Args<'static> = Args { base: &[], spans: &[], bigs: &[] };

    /// How many words there are, the name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    #[inline(always)]
    fn resolve(&self, span: Span) -> &'a [u8] {
        if span.len == BIG {
            return &self.bigs[span.start as usize];
        }
        &self.base[span.start as usize..][..span.len as usize]
    }

    /// Word `index`; panics if there is none (arity is checked before a handler runs).
    #[inline]
    pub fn get(&self, index: usize) -> &'a [u8] {
        self.resolve(self.spans[index])
    }

    /// Word `index`, if there is one.
    #[inline]
    pub fn get_checked(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|&span| self.resolve(span))
    }

    /// Word `index` to keep: a big one is shared, a small one copied.
    pub fn bytes(&self, index: usize) -> Bytes {
        let span = self.spans[index];
        if span.len == BIG {
            self.bigs[span.start as usize].clone()
        } else {
            Bytes::copy_from_slice(self.resolve(span))
        }
    }

    /// The shared buffer of word `index`, if it is big.
    #[inline]
    pub fn shared(&self, index: usize) -> Option<&'a Bytes> {
        let span = self.spans.get(index)?;
        if span.len == BIG { self.bigs.get(span.start as usize) } else { None }
    }

    /// The words from `index` on (none if there are fewer).
    pub fn skip(&self, index: usize) -> Self {
        Self { spans: self.spans.get(index..).unwrap_or_default(), ..*self }
    }

    /// All words in order.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + use<'a> {
        let args = *self;
        self.spans.iter().map(move |&span| args.resolve(span))
    }

    /// Whether a word was received into a buffer of its own.
    pub fn has_big(&self) -> bool {
        self.spans.iter().any(|span| span.len == BIG)
    }

    /// Bytes of all words together.
    pub fn total_len(&self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }
}
