//! A command's own copy, for MULTI queues, blocked clients and messages to other cores.
//!
//! Invariant: its words equal those it was made from. The small words are one allocation; big ones are shared, not
//! copied. Bounds: small words together below 4 GB, as in the parser that made them.
use super::Args;
use super::args::Span;
use bytes::Bytes;
use smallvec::SmallVec;

/// A command that owns its words.
#[derive(Debug, Clone, Default)]
pub struct OwnedCommand {
    base: Box<[u8]>,
    spans: SmallVec<[Span; 4]>,
    bigs: SmallVec<[Bytes; 1]>,
}

impl OwnedCommand {
    /// Copies a command.
    pub fn from_args(args: &Args<'_>) -> Self {
        let small: usize =
            (0..args.len()).filter(|&at| args.shared(at).is_none()).map(|at| args.get(at).len()).sum();
        let mut base = Vec::with_capacity(small);
        let mut spans = SmallVec::with_capacity(args.len());
        let mut bigs = SmallVec::new();
        for index in 0..args.len() {
            if let Some(shared) = args.shared(index) {
                spans.push(Span::big(bigs.len()));
                bigs.push(shared.clone());
            } else {
                let word = args.get(index);
                spans.push(Span::small(base.len(), word.len()));
                base.extend_from_slice(word);
            }
        }
        Self { base: base.into_boxed_slice(), spans, bigs }
    }

    /// A command of these words, all copied.
    pub fn from_words<W: AsRef<[u8]>>(words: &[W]) -> Self {
        let mut base = Vec::with_capacity(words.iter().map(|word| word.as_ref().len()).sum());
        let mut spans = SmallVec::with_capacity(words.len());
        for word in words {
            spans.push(Span::small(base.len(), word.as_ref().len()));
            base.extend_from_slice(word.as_ref());
        }
        Self { base: base.into_boxed_slice(), spans, bigs: SmallVec::new() }
    }

    /// Its words.
    #[inline]
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.base, &self.spans, &self.bigs)
    }

    /// Bytes of memory it holds beside itself (shared words counted whole).
    pub fn heap_len(&self) -> usize {
        let spans = if self.spans.spilled() { self.spans.capacity() * size_of::<Span>() } else { 0 };
        self.base.len() + spans + self.bigs.iter().map(Bytes::len).sum::<usize>()
    }
}

/// Words collected one by one, to be run as a command; its memory is used again.
#[derive(Debug, Default)]
pub struct CommandBuilder {
    base: Vec<u8>,
    spans: Vec<Span>,
}

impl CommandBuilder {
    /// Forgets all words; a buffer grown beyond `keep` bytes is given back.
    pub fn clear(&mut self, keep: usize) {
        self.base.clear();
        self.spans.clear();
        if self.base.capacity() > keep {
            self.base = Vec::new();
        }
    }

    /// Adds a word. All words together stay below 4 GB: false if this one does not fit.
    #[must_use]
    pub fn push(&mut self, word: &[u8]) -> bool {
        let start = self.base.len();
        if start + word.len() >= u32::MAX as usize {
            return false;
        }
        self.base.extend_from_slice(word);
        self.spans.push(Span::small(start, word.len()));
        true
    }

    /// The words so far.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.base, &self.spans, &[])
    }
}
