//! The request parser: one command at a time from the bytes received so far, resumable at any byte.
//!
//! Called by [`super::reader`], which owns the bytes. Invariant: offsets are relative to the command's first byte, which
//! the caller presents first on every call, with more bytes behind it; nothing already understood is looked at again,
//! so a command costs time linear in its length however it is cut. After a big argument's `$` line the parser stops
//! ([`Step::BigBulk`]) and goes on once the caller has received the argument elsewhere and cut it out of the bytes.
//! Bounds: those in `resp`, and the caller's proto-max-bulk-len.
//! Odd but redis': the two bytes after a `\r` and after an argument are skipped unseen; a NUL ends the search for
//! the end of a line, which then never comes.
use super::args::{Args, Span};
use super::{BIG_BULK, INLINE_MAX, ProtocolError, UNAUTHENTICATED_ARGS, UNAUTHENTICATED_BULK, inline};
use crate::base::number::parse_i64;
use bytes::Bytes;
use smallvec::SmallVec;

/// What a call came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A whole command of this many bytes; its words are in [`Parser::args`].
    Command(usize),
    /// An empty request of this many bytes, to be skipped.
    Empty(usize),
    /// At least so many more bytes are needed.
    Incomplete(usize),
    /// The argument of this length begins at this offset and is to be received by the caller.
    BigBulk { at: usize, len: usize },
    /// Not RESP.
    Error(ProtocolError),
}

/// What may change between calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// proto-max-bulk-len in bytes.
    pub max_bulk: i64,
    /// Whether the client has authenticated (or needs not).
    pub authenticated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Unknown,
    Inline,
    Multibulk,
}

/// Rarely needed parts, allocated when they are.
#[derive(Debug, Default)]
struct Rare {
    bigs: Vec<Bytes>,
    /// Words of an inline command, decoded.
    decoded: Vec<u8>,
}

/// State of one command in progress.
#[derive(Debug, Default)]
pub(super) struct Parser {
    spans: SmallVec<[Span; 4]>,
    rare: Option<Box<Rare>>,
    /// The next byte to understand.
    at: usize,
    /// Up to here no end of line was found.
    scanned: usize,
    /// Arguments still to come.
    remaining: usize,
    /// Length of the argument at `at`, its `$` line being read.
    bulk: Option<usize>,
    kind: Kind,
    /// Length of the finished command.
    finished: Option<usize>,
}

/// A length line that was read: the number and where the line ends.
enum Line {
    Length(i64, usize),
    /// Complete, but not a number.
    Malformed,
    Incomplete,
    TooLong,
}

impl Parser {
    /// Forgets the command; ready for the next.
    #[inline]
    pub(super) fn reset(&mut self) {
        if self.spans.capacity() > 256 {
            self.spans = SmallVec::new();
        } else {
            self.spans.clear();
        }
        self.rare = None;
        (self.at, self.scanned, self.remaining, self.bulk) = (0, 0, 0, None);
        (self.kind, self.finished) = (Kind::Unknown, None);
    }

    /// Length of the finished command, if one is waiting to be executed.
    #[inline]
    pub(super) fn finished(&self) -> Option<usize> {
        self.finished
    }

    /// The words of the finished command; `buf` begins with it.
    #[inline]
    pub(super) fn args<'a>(&'a self, buf: &'a [u8]) -> Args<'a> {
        match &self.rare {
            None => Args::new(buf, &self.spans, &[]),
            Some(rare) => {
                let base = if self.kind == Kind::Inline { &rare.decoded } else { buf };
                Args::new(base, &self.spans, &rare.bigs)
            }
        }
    }

    /// Takes the argument announced by [`Step::BigBulk`].
    pub(super) fn accept_big(&mut self, word: Bytes) {
        debug_assert_eq!(self.bulk, Some(word.len()));
        let bigs = &mut self.rare.get_or_insert_default().bigs;
        self.spans.push(Span::big(bigs.len()));
        bigs.push(word);
        self.bulk = None;
        self.remaining -= 1;
        self.scanned = 0;
    }

    /// Asks the cache for the words of a finished command.
    #[inline]
    pub fn prefetch(&self) {
        if self.spans.spilled() {
            crate::base::cache::prefetch(self.spans.as_ptr().cast(), 128);
        }
    }

    /// Bytes of memory held beside the struct itself.
    pub(super) fn heap_len(&self) -> usize {
        let spans = if self.spans.spilled() { self.spans.capacity() * size_of::<Span>() } else { 0 };
        let bigs = self.rare.as_ref().map_or(0, |rare| rare.bigs.iter().map(Bytes::len).sum());
        spans + bigs
    }

    /// Goes on with the command that begins at `buf[0]`.
    #[inline]
    pub(super) fn step(&mut self, buf: &[u8], limits: Limits) -> Step {
        match self.kind {
            Kind::Multibulk => {}
            Kind::Inline => return self.step_inline(buf),
            Kind::Unknown => {
                match buf.first() {
                    None => return Step::Incomplete(1),
                    Some(b'*') => {}
                    Some(_) => {
                        self.kind = Kind::Inline;
                        return self.step_inline(buf);
                    }
                }
                let (count, end) = match self.length_line(buf, b'*') {
                    Line::Length(count, end) if count <= i64::from(i32::MAX) => (count, end),
                    Line::Length(..) | Line::Malformed => {
                        return Step::Error(ProtocolError::InvalidMultibulkLength);
                    }
                    Line::Incomplete => return Step::Incomplete(1),
                    Line::TooLong => return Step::Error(ProtocolError::TooBigCountString),
                };
                if count > UNAUTHENTICATED_ARGS && !limits.authenticated {
                    return Step::Error(ProtocolError::UnauthenticatedMultibulk);
                }
                if count <= 0 {
                    return Step::Empty(end);
                }
                self.kind = Kind::Multibulk;
                self.remaining = count as usize;
                self.at = end;
            }
        }
        self.step_multibulk(buf, limits)
    }

    #[inline]
    fn step_multibulk(&mut self, buf: &[u8], limits: Limits) -> Step {
        while self.remaining > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match self.bulk_line(buf, limits) {
                    Ok(len) => len,
                    Err(step) => return step,
                },
            };
            if len >= BIG_BULK {
                self.bulk = Some(len);
                return Step::BigBulk { at: self.at, len };
            }
            let end = self.at + len + 2;
            if end > buf.len() {
                self.bulk = Some(len);
                return Step::Incomplete(end - buf.len());
            }
            self.spans.push(Span::small(self.at, len));
            self.at = end;
            self.bulk = None;
            self.remaining -= 1;
        }
        self.finished = Some(self.at);
        Step::Command(self.at)
    }

    /// Reads the `$` line at `self.at` and moves behind it.
    #[inline(always)]
    fn bulk_line(&mut self, buf: &[u8], limits: Limits) -> Result<usize, Step> {
        let (len, end) = match self.length_line(buf, b'$') {
            Line::Length(len, end) if buf[self.at] == b'$' => (len, end),
            Line::Length(..) | Line::Malformed => return Err(Step::Error(self.malformed_bulk(buf))),
            Line::Incomplete => return Err(Step::Incomplete(1)),
            Line::TooLong => return Err(Step::Error(ProtocolError::TooBigBulkCountString)),
        };
        if len < 0 || len > limits.max_bulk {
            return Err(Step::Error(ProtocolError::InvalidBulkLength));
        }
        if len > UNAUTHENTICATED_BULK && !limits.authenticated {
            return Err(Step::Error(ProtocolError::UnauthenticatedBulk));
        }
        if end > u32::MAX as usize - BIG_BULK - 2 {
            return Err(Step::Error(ProtocolError::TooBigRequest));
        }
        self.at = end;
        Ok(len as usize)
    }

    #[cold]
    fn malformed_bulk(&self, buf: &[u8]) -> ProtocolError {
        match buf[self.at] {
            b'$' => ProtocolError::InvalidBulkLength,
            other => ProtocolError::ExpectedDollar(other),
        }
    }

    /// Reads the number between the marker at `self.at` (any byte; `marker` is the usual one) and the end of its line.
    #[inline(always)]
    fn length_line(&mut self, buf: &[u8], marker: u8) -> Line {
        if buf.get(self.at) != Some(&marker) {
            return self.length_line_slow(buf);
        }
        // One or two digits are nearly all there is.
        if let Some(&[_, first, second, third, _]) =
            buf.get(self.at..).and_then(|rest| rest.first_chunk::<5>())
        {
            let (high, low) = (first.wrapping_sub(b'0'), second.wrapping_sub(b'0'));
            if second == b'\r' && high <= 9 {
                return Line::Length(i64::from(high), self.at + 4);
            }
            if third == b'\r' && (1..=9).contains(&high) && low <= 9 {
                return Line::Length(i64::from(high * 10 + low), self.at + 5);
            }
        }
        self.length_line_long(buf)
    }

    /// More digits: up to nine, the first not 0, are read here, all else on the slow path.
    #[inline(never)]
    fn length_line_long(&mut self, buf: &[u8]) -> Line {
        let first = self.at + 1;
        let mut value = 0;
        let mut at = first;
        // At most nine digits and no leading zero: everything else is for the slow path.
        while let Some(&byte) = buf.get(at) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                if byte == b'\r' && at > first && at - first < 10 && at + 1 < buf.len() {
                    let leading_zero = buf[first] == b'0' && at - first > 1;
                    if !leading_zero {
                        return Line::Length(value, at + 2);
                    }
                }
                break;
            }
            if at - first >= 10 {
                break;
            }
            value = value * 10 + i64::from(digit);
            at += 1;
        }
        self.length_line_slow(buf)
    }

    #[cold]
    #[inline(never)]
    fn length_line_slow(&mut self, buf: &[u8]) -> Line {
        let from = self.scanned.max(self.at);
        let found = buf.get(from..).and_then(|rest| memchr::memchr2(b'\r', 0, rest)).map(|at| from + at);
        self.scanned = found.unwrap_or(buf.len());
        let Some(end) = found.filter(|&end| buf[end] == b'\r') else {
            return if buf.len() - self.at > INLINE_MAX { Line::TooLong } else { Line::Incomplete };
        };
        if end + 2 > buf.len() {
            return Line::Incomplete;
        }
        match buf.get(self.at + 1..end).and_then(parse_i64) {
            Some(value) => Line::Length(value, end + 2),
            None => Line::Malformed,
        }
    }

    #[cold]
    #[inline(never)]
    fn step_inline(&mut self, buf: &[u8]) -> Step {
        let found = memchr::memchr2(b'\n', 0, &buf[self.scanned..]).map(|at| self.scanned + at);
        self.scanned = found.unwrap_or(buf.len());
        let Some(end) = found.filter(|&end| buf[end] == b'\n') else {
            let too_long = buf.len() > INLINE_MAX;
            return if too_long { Step::Error(ProtocolError::TooBigInline) } else { Step::Incomplete(1) };
        };
        let line = buf[..end].strip_suffix(b"\r").unwrap_or(&buf[..end]);
        let decoded = &mut self.rare.get_or_insert_default().decoded;
        let spans = &mut self.spans;
        if !inline::split(line, decoded, |span| spans.push(span)) {
            return Step::Error(ProtocolError::UnbalancedQuotes);
        }
        if spans.is_empty() {
            return Step::Empty(end + 1);
        }
        self.finished = Some(end + 1);
        Step::Command(end + 1)
    }
}
