//! The input side of a connection: received bytes in, commands out, leftovers kept.
//!
//! A session owns one [`Reader`]; for each received chunk it does
//! ```text
//! let mut input = reader.open(chunk, max_bulk);
//! while let Parsed::Command = input.next(authenticated) {
//!     … input.args() …          // words lie in the chunk, in the leftover, or are shared buffers
//!     input.advance();          // executed; without it the same command comes again, also after `close` and `open`
//! }
//! input.close();                // what was not executed is kept in the reader, which may move to another core
//! ```
//! Invariant: every byte is copied at most once here: a command cut by the end of a chunk is completed in the leftover
//! (only its missing bytes are taken from the next chunk), an argument of [`BIG_BULK`](super::BIG_BULK) bytes or more goes straight to
//! a buffer of exactly its size, which becomes the shared `Bytes` of the word. Such a buffer may also be filled by the
//! kernel: [`Reader::big_room`] and [`Reader::big_filled`].
//! Bounds: one cut command (plus what `close` found unexecuted); the session enforces client-query-buffer-limit by
//! [`Reader::len`]. Between commands the reader holds no memory.
use super::ProtocolError;
use super::args::Args;
use super::parser::{Limits, Parser, Step};
use bytes::Bytes;
use std::mem::MaybeUninit;

/// Bytes taken from a chunk at once while it is unknown how many a cut command needs.
const TAKE: usize = 64;

/// What [`Input::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// A command is ready: see [`Input::args`].
    Command,
    /// More bytes are needed.
    Incomplete,
    /// Not RESP: answer and close.
    Error(ProtocolError),
}

/// A big argument being received.
#[derive(Debug)]
struct BigBulk {
    data: Vec<u8>,
    len: usize,
    /// Bytes of the line end behind it still to skip.
    line_end: usize,
}

impl BigBulk {
    /// Takes what it needs from `bytes` and returns how much that was.
    fn feed(&mut self, bytes: &[u8]) -> usize {
        let wanted = (self.len - self.data.len()).min(bytes.len());
        self.data.extend_from_slice(&bytes[..wanted]);
        if self.data.len() < self.len {
            return wanted;
        }
        let skipped = self.line_end.min(bytes.len() - wanted);
        self.line_end -= skipped;
        wanted + skipped
    }

    fn is_complete(&self) -> bool {
        self.data.len() == self.len && self.line_end == 0
    }
}

/// Received bytes not executed yet, and the state of the command in progress.
#[derive(Debug, Default)]
pub struct Reader {
    parser: Parser,
    /// Leftover bytes; commands before `start` are executed.
    held: Vec<u8>,
    start: usize,
    big: Option<Box<BigBulk>>,
}

impl Reader {
    /// Begins to read `chunk`, behind what is held. `max_bulk` is proto-max-bulk-len in bytes.
    pub fn open<'a>(&'a mut self, chunk: &'a [u8], max_bulk: usize) -> Input<'a> {
        Input { reader: self, chunk, at: 0, taken: 0, max_bulk: i64::try_from(max_bulk).unwrap_or(i64::MAX) }
    }

    /// Adds whole commands to what is held, to be read by the next [`Reader::open`].
    pub fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Asks the cache for what the next command's execution will read.
    #[inline]
    pub fn prefetch(&self) {
        let rest = &self.held[self.start.min(self.held.len())..];
        crate::base::cache::prefetch(rest.as_ptr(), rest.len().min(256));
        self.parser.prefetch();
    }

    /// Bytes held that are not executed yet (the query buffer of CLIENT LIST and of the limit).
    pub fn len(&self) -> usize {
        self.held.len() - self.start
            + self.big.as_ref().map_or(0, |big| big.data.len())
            + self.parser.heap_len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.len() == self.start && self.big.is_none()
    }

    /// Memory held, in bytes (for CLIENT LIST and maxmemory-clients).
    pub fn heap_len(&self) -> usize {
        self.held.capacity() + self.big.as_ref().map_or(0, |big| big.data.capacity()) + self.parser.heap_len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The rest of the big argument being received: the kernel may write the next bytes of the connection there.
    pub fn big_room(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        let big = self.big.as_mut()?;
        let rest = big.len - big.data.len();
        (rest > 0).then(|| &mut big.data.spare_capacity_mut()[..rest])
    }

    /// Notes that the next `count` bytes of the connection were written to [`Reader::big_room`].
    ///
    /// # Safety
    /// Those bytes must be initialized, and `count` not larger than the room.
    pub unsafe fn big_filled(&mut self, count: usize) {
        if let Some(big) = &mut self.big {
            assert!(count <= big.len - big.data.len());
            // SAFETY: within the capacity by the assertion, initialized by the caller's promise.
            unsafe { big.data.set_len(big.data.len() + count) };
        }
    }

    /// Begins a big argument: the leftover keeps the command up to `cut`; what it has behind goes to the argument first.
    fn begin_big(&mut self, cut: usize, len: usize) {
        let mut big = Box::new(BigBulk { data: Vec::with_capacity(len), len, line_end: 2 });
        let used = big.feed(&self.held[cut..]);
        self.held.drain(cut..cut + used);
        self.big = Some(big);
    }
}

/// A reader with a chunk at hand.
#[derive(Debug)]
pub struct Input<'a> {
    reader: &'a mut Reader,
    chunk: &'a [u8],
    /// Bytes of the chunk that are used.
    at: usize,
    /// Bytes before `at` that were copied to the end of the leftover.
    taken: usize,
    max_bulk: i64,
}

impl Input<'_> {
    /// Looks for the next command. A command that was found and not advanced over is found again.
    #[inline]
    pub fn next(&mut self, authenticated: bool) -> Parsed {
        if self.reader.parser.finished().is_some() {
            return Parsed::Command;
        }
        let limits = Limits { max_bulk: self.max_bulk, authenticated };
        if self.reader.held.is_empty() && self.reader.big.is_none() {
            // The usual case: the whole command lies in the chunk.
            if let Step::Command(_) = self.reader.parser.step(&self.chunk[self.at..], limits) {
                return Parsed::Command;
            }
        }
        self.next_slow(limits)
    }

    #[inline(never)]
    fn next_slow(&mut self, limits: Limits) -> Parsed {
        loop {
            if let Some(big) = &mut self.reader.big {
                let used = big.feed(&self.chunk[self.at..]);
                self.at += used;
                self.taken = if used > 0 { 0 } else { self.taken };
                if !big.is_complete() {
                    return Parsed::Incomplete;
                }
                let word = self.reader.big.take().map(|big| Bytes::from(big.data)).unwrap_or_default();
                self.reader.parser.accept_big(word);
            }
            let in_held = !self.reader.held.is_empty();
            let buf = if in_held { &self.reader.held[self.reader.start..] } else { &self.chunk[self.at..] };
            match self.reader.parser.step(buf, limits) {
                Step::Command(len) => {
                    self.give_back(len);
                    return Parsed::Command;
                }
                Step::Empty(len) => {
                    self.give_back(len);
                    self.consume(len);
                }
                Step::Incomplete(_) if self.at == self.chunk.len() => return Parsed::Incomplete,
                Step::Incomplete(more) if in_held => self.take(more.max(TAKE)),
                Step::Incomplete(more) => {
                    // The chunk ends inside this command: all the rest belongs to it, and `more` is still to come.
                    let rest = self.chunk.len() - self.at;
                    self.reader.held.reserve_exact(rest + more);
                    self.take(rest);
                }
                Step::BigBulk { at, len } => {
                    if !in_held {
                        self.take(at);
                    }
                    let cut = self.reader.start + at;
                    if self.reader.held.len() > cut {
                        self.give_back(at);
                    }
                    self.reader.begin_big(cut, len);
                }
                Step::Error(error) => return Parsed::Error(error),
            }
        }
    }

    /// Moves up to `count` bytes of the chunk to the end of the leftover.
    fn take(&mut self, count: usize) {
        let count = count.min(self.chunk.len() - self.at);
        let held = &mut self.reader.held;
        if self.reader.start > 0 && held.len() + count > held.capacity() {
            held.drain(..self.reader.start);
            self.reader.start = 0;
        }
        held.extend_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        self.taken += count;
    }

    /// Returns to the chunk what was taken from it beyond the command of `len` bytes.
    fn give_back(&mut self, len: usize) {
        let held = &mut self.reader.held;
        if held.is_empty() {
            return;
        }
        let excess = (held.len() - self.reader.start - len).min(self.taken);
        held.truncate(held.len() - excess);
        self.at -= excess;
        self.taken = 0;
    }

    /// The command found by [`Input::next`]; no words if there is none.
    #[inline]
    pub fn args(&self) -> Args<'_> {
        if self.reader.parser.finished().is_none() {
            return Args::EMPTY;
        }
        let held = &self.reader.held;
        let buf = if held.is_empty() { &self.chunk[self.at..] } else { &held[self.reader.start..] };
        self.reader.parser.args(buf)
    }

    /// The bytes of the command found by [`Input::next`] as they were received; `None` if a word of it was received into
    /// a buffer of its own.
    pub fn raw(&self) -> Option<&[u8]> {
        let len = self.reader.parser.finished()?;
        let held = &self.reader.held;
        let buf = if held.is_empty() { &self.chunk[self.at..] } else { &held[self.reader.start..] };
        if self.args().has_big() { None } else { buf.get(..len) }
    }

    /// What lies at hand from the next command on (empty while a big argument is being received), and whether it stays in place until
    /// [`Input::close`].
    pub fn ahead(&self) -> (&[u8], bool) {
        match (&self.reader.big, self.reader.held.is_empty()) {
            (Some(_), _) => (&[], false),
            (None, true) => (&self.chunk[self.at..], true),
            (None, false) => (&self.reader.held[self.reader.start..], false),
        }
    }

    /// Whether bytes lie behind the command found by [`Input::next`].
    pub fn has_more(&self) -> bool {
        let len = self.reader.parser.finished().unwrap_or(0);
        let held = self.reader.held.len() - self.reader.start;
        self.chunk.len() - self.at + held > len
    }

    /// The command was executed: the next one is wanted.
    #[inline]
    pub fn advance(&mut self) {
        if let Some(len) = self.reader.parser.finished() {
            self.consume(len);
        }
    }

    #[inline]
    fn consume(&mut self, len: usize) {
        let reader = &mut *self.reader;
        reader.parser.reset();
        if reader.held.is_empty() {
            self.at += len;
            return;
        }
        reader.start += len;
        if reader.start == reader.held.len() {
            reader.held.clear();
            reader.start = 0;
            self.taken = 0;
        }
    }

    /// Ends the chunk: what is not executed goes to the leftover.
    pub fn close(mut self) {
        if self.at < self.chunk.len() {
            self.take(usize::MAX);
        }
        if self.reader.held.is_empty() {
            self.reader.held = Vec::new();
        }
    }
}
