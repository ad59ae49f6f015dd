//! The reply writer: RESP2 and RESP3 into one growable buffer, big values attached.
//!
//! Handlers write, the executor marks and rewinds, the connection sends the segments. Invariant: what was written comes
//! out in order, byte for byte as redis 7.0.15 would reply in the protocol set, RESP3 types downgraded as redis does.
//! A `Bytes` of at least [`ATTACH_LEN`] is not copied: it becomes a segment of its own between stretches of the buffer.
//! Bounds: none here (client-output-buffer-limit is the session's); an `Out` that was cleared holds at most
//! [`KEPT_CAPACITY`] bytes. Why not a rope of chunks throughout: nearly all replies are small, and one buffer is one send.
use super::ATTACH_LEN;
use crate::base::number::{DigitBuffer, write_double};
use bytes::Bytes;

/// Capacity a cleared buffer keeps; more is given back.
pub const KEPT_CAPACITY: usize = 64 * 1024;
/// The most a length line takes: marker, 20 digits, line end.
const HEADER_ROOM: usize = 24;

/// A finished stretch of the reply.
#[derive(Debug, Clone)]
enum Piece {
    /// Bytes `start..end` of the buffer, not empty.
    Buffer(usize, usize),
    Attached(Bytes),
}

fn is_end(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// A byte of a text within one line.
fn in_line(byte: &u8) -> u8 {
    if is_end(byte) { b' ' } else { *byte }
}

/// A text with its line ends replaced by blanks.
pub fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(in_line).collect()
}

/// A place in the reply to come back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    len: usize,
    pieces: usize,
    tail: usize,
    attached: usize,
}

/// A reply (or many, in order).
#[derive(Debug, Clone)]
pub struct Out {
    buf: Vec<u8>,
    pieces: Vec<Piece>,
    /// Where the buffer's part behind the last piece begins.
    tail: usize,
    /// Bytes of all attached pieces.
    attached: usize,
    proto: u8,
}

impl Default for Out {
    fn default() -> Self {
        Self::new()
    }
}

impl Out {
    /// An empty RESP2 writer; allocates nothing.
    pub const fn new() -> Self {
        Self { buf: Vec::new(), pieces: Vec::new(), tail: 0, attached: 0, proto: 2 }
    }

    /// Chooses the protocol, 2 or 3, from here on.
    pub fn set_proto(&mut self, proto: u8) {
        self.proto = proto;
    }

    /// The protocol, 2 or 3.
    #[inline]
    pub fn proto(&self) -> u8 {
        self.proto
    }

    /// Bytes written and not cleared.
    #[inline]
    pub fn len(&self) -> usize {
        self.buf.len() + self.attached
    }

    /// Whether nothing is written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty() && self.attached == 0
    }

    /// Memory held, in bytes (omem of CLIENT LIST).
    pub fn heap_len(&self) -> usize {
        self.buf.capacity() + self.pieces.capacity() * size_of::<Piece>() + self.attached
    }

    /// Makes room for replies of `bytes` before the first of many is written.
    #[inline]
    pub fn make_room(&mut self, bytes: usize) {
        if self.buf.is_empty() {
            self.buf.reserve(bytes);
        }
    }

    // --- whole replies -----------------------------------------------------------------------------------------

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.buf.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string; the text must not contain line ends.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// A simple string of any bytes without line ends.
    pub fn simple_bytes(&mut self, text: &[u8]) {
        self.line(b'+', text);
    }

    /// An error; the text begins with its code (`ERR …`). Line ends inside become blanks, as in redis.
    pub fn error_text(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// [`Out::error_text`] for a text that quotes a client's bytes.
    pub fn error_bytes(&mut self, text: &[u8]) {
        let start = text.iter().position(|byte| !is_end(byte)).unwrap_or(text.len());
        let end = text.iter().rposition(|byte| !is_end(byte)).map_or(start, |at| at + 1);
        self.buf.push(b'-');
        self.buf.extend(text[start..end].iter().map(in_line));
        self.buf.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        if let 0..=9 = value {
            self.buf.extend_from_slice(&[b':', b'0' + value as u8, b'\r', b'\n']);
            return;
        }
        self.line(b':', DigitBuffer::new().format(value));
    }

    /// A bulk string, copied.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        self.buf.reserve(value.len() + HEADER_ROOM);
        self.header(b'$', value.len());
        self.buf.extend_from_slice(value);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// A bulk string, attached if it is big.
    pub fn blob(&mut self, value: Bytes) {
        if value.len() < ATTACH_LEN {
            return self.bulk(&value);
        }
        self.header(b'$', value.len());
        self.attach(value);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string.
    #[inline]
    pub fn bulk_i64(&mut self, value: i64) {
        self.bulk(DigitBuffer::new().format(value));
    }

    /// The null of a missing value.
    #[inline]
    pub fn null(&mut self) {
        if self.proto >= 3 {
            self.buf.extend_from_slice(b"_\r\n");
        } else {
            self.buf.extend_from_slice(b"$-1\r\n");
        }
    }

    /// The null of a missing array.
    pub fn null_array(&mut self) {
        self.buf.extend_from_slice(if self.proto >= 3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// A float as redis 7.0 prints it; a bulk string in RESP2.
    pub fn double(&mut self, value: f64) {
        if self.proto >= 3 {
            self.buf.push(b',');
            write_double(&mut self.buf, value);
            self.buf.extend_from_slice(b"\r\n");
        } else {
            let mut text = Vec::with_capacity(crate::base::number::float::MAX_DOUBLE_LEN);
            write_double(&mut text, value);
            self.bulk(&text);
        }
    }

    /// A float whose text is made already; a bulk string in RESP2.
    pub fn double_text(&mut self, text: &[u8]) {
        if self.proto >= 3 { self.line(b',', text) } else { self.bulk(text) }
    }

    /// A truth value; 1 or 0 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        self.buf.extend_from_slice(match (self.proto >= 3, value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    /// An integer of any size as text; a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        if self.proto >= 3 { self.line(b'(', digits.as_bytes()) } else { self.bulk(digits.as_bytes()) }
    }

    /// [`Out::big_number`] of any bytes without line ends.
    pub fn big_number_bytes(&mut self, digits: &[u8]) {
        if self.proto >= 3 { self.line(b'(', digits) } else { self.bulk(digits) }
    }

    /// Text with a three-letter format (`txt`, `mkd`); a bulk string in RESP2.
    pub fn verbatim(&mut self, ext: &str, text: &[u8]) {
        if self.proto < 3 {
            return self.bulk(text);
        }
        let format: Vec<u8> = ext.bytes().chain(std::iter::repeat(b' ')).take(3).collect();
        self.header(b'=', text.len() + 4);
        self.buf.extend_from_slice(&format);
        self.buf.push(b':');
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
    }

    // --- beginnings of collections: exactly the announced items must follow ---------------------------------------

    /// An array of `count` items.
    #[inline]
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count);
    }

    /// A map of `pairs` keys and values; an array of twice as many items in RESP2.
    pub fn map(&mut self, pairs: usize) {
        if self.proto >= 3 { self.header(b'%', pairs) } else { self.header(b'*', pairs * 2) }
    }

    /// A set of `count` items; an array in RESP2.
    pub fn set(&mut self, count: usize) {
        self.header(if self.proto >= 3 { b'~' } else { b'*' }, count);
    }

    /// An out-of-order message of `count` items; an array in RESP2.
    pub fn push(&mut self, count: usize) {
        self.header(if self.proto >= 3 { b'>' } else { b'*' }, count);
    }

    /// Attributes (`pairs` keys and values) of the reply that follows. RESP3 only: RESP2 has nothing like it, and redis
    /// asserts the same.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.proto >= 3, "attributes need RESP3");
        self.header(b'|', pairs);
    }

    /// Puts the beginning of an array before what was written since `mark`, for counts known only at the end.
    pub fn insert_array(&mut self, mark: Mark, count: usize) {
        self.insert_header(mark, b'*', count);
    }

    /// As [`Out::insert_array`], a set.
    pub fn insert_set(&mut self, mark: Mark, count: usize) {
        let marker = if self.proto >= 3 { b'~' } else { b'*' };
        self.insert_header(mark, marker, count);
    }

    /// As [`Out::insert_array`], a map of `pairs`.
    pub fn insert_map(&mut self, mark: Mark, pairs: usize) {
        let (marker, count) = if self.proto >= 3 { (b'%', pairs) } else { (b'*', pairs * 2) };
        self.insert_header(mark, marker, count);
    }

    fn insert_header(&mut self, mark: Mark, marker: u8, count: usize) {
        let mut header = [0u8; HEADER_ROOM];
        header[0] = marker;
        let mut digits = DigitBuffer::new();
        let digits = digits.format_u64(count as u64);
        let end = 1 + digits.len() + 2;
        header[1..end - 2].copy_from_slice(digits);
        header[end - 2..end].copy_from_slice(b"\r\n");
        self.buf.splice(mark.len..mark.len, header[..end].iter().copied());
        if self.pieces.len() > mark.pieces {
            self.shift_pieces(mark, end);
        }
    }

    /// The buffer has grown by `by` bytes at `mark`: pieces behind it move, the stretch it lies in grows.
    fn shift_pieces(&mut self, mark: Mark, by: usize) {
        let mut from = mark.pieces;
        if matches!(self.pieces[from], Piece::Attached(_)) {
            // Nothing lay between the mark and the attachment.
            self.pieces.insert(from, Piece::Buffer(mark.tail, mark.len + by));
            from += 1;
        } else if let Piece::Buffer(_, end) = &mut self.pieces[from] {
            *end += by;
            from += 1;
        }
        for piece in &mut self.pieces[from..] {
            if let Piece::Buffer(start, end) = piece {
                *start += by;
                *end += by;
            }
        }
        self.tail += by;
    }

    // --- raw bytes -------------------------------------------------------------------------------------------------

    /// Bytes that are RESP already, copied.
    pub fn raw_slice(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Bytes that are RESP already, attached if there are many.
    pub fn raw(&mut self, bytes: Bytes) {
        if bytes.len() < ATTACH_LEN { self.raw_slice(&bytes) } else { self.attach(bytes) }
    }

    fn attach(&mut self, bytes: Bytes) {
        if self.buf.len() > self.tail {
            self.pieces.push(Piece::Buffer(self.tail, self.buf.len()));
            self.tail = self.buf.len();
        }
        self.attached += bytes.len();
        self.pieces.push(Piece::Attached(bytes));
    }

    /// Marker, number, line end.
    #[inline]
    fn header(&mut self, marker: u8, count: usize) {
        if count < 10 {
            self.buf.extend_from_slice(&[marker, b'0' + count as u8, b'\r', b'\n']);
        } else if count < 100 {
            let (tens, ones) = ((count / 10) as u8, (count % 10) as u8);
            self.buf.extend_from_slice(&[marker, b'0' + tens, b'0' + ones, b'\r', b'\n']);
        } else {
            self.line(marker, DigitBuffer::new().format_u64(count as u64));
        }
    }

    #[inline]
    fn line(&mut self, marker: u8, text: &[u8]) {
        self.buf.reserve(text.len() + 3);
        self.buf.push(marker);
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
    }

    // --- going back, sending ---------------------------------------------------------------------------------------

    /// Asks the cache for the place the next reply goes to.
    #[inline]
    pub fn prefetch(&self) {
        // SAFETY: len <= capacity, so the address is inside or one past the buffer.
        crate::base::cache::prefetch(unsafe { self.buf.as_ptr().add(self.buf.len()) }, 128);
    }

    /// The present end, to rewind to.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark { len: self.buf.len(), pieces: self.pieces.len(), tail: self.tail, attached: self.attached }
    }

    /// What was written into the buffer since `mark` (attached pieces are left out): enough to read an error.
    pub fn since(&self, mark: Mark) -> &[u8] {
        self.buf.get(mark.len..).unwrap_or_default()
    }

    /// Whether anything was written since `mark`.
    #[inline]
    pub fn is_at(&self, mark: Mark) -> bool {
        self.mark() == mark
    }

    /// Forgets what was written since `mark`, which must come from this `Out` and not lie before a `clear`.
    pub fn rewind(&mut self, mark: Mark) {
        self.buf.truncate(mark.len);
        self.pieces.truncate(mark.pieces);
        (self.tail, self.attached) = (mark.tail, mark.attached);
    }

    /// Segment `index` of the output, in sending order; `None` behind the last. Segments are never empty, and stay as
    /// they are while more is written behind them, except that the last stretch of the buffer may grow.
    pub fn segment(&self, index: usize) -> Option<&[u8]> {
        match self.pieces.get(index) {
            Some(Piece::Buffer(start, end)) => Some(&self.buf[*start..*end]),
            Some(Piece::Attached(bytes)) => Some(bytes),
            None if index == self.pieces.len() && self.tail < self.buf.len() => Some(&self.buf[self.tail..]),
            None => None,
        }
    }

    /// All segments in sending order.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        (0..).map_while(|index| self.segment(index))
    }

    /// Forgets everything; keeps a buffer of ordinary size for the next replies.
    pub fn clear(&mut self) {
        self.buf.clear();
        if self.buf.capacity() > KEPT_CAPACITY {
            self.buf = Vec::new();
        }
        self.pieces = Vec::new();
        (self.tail, self.attached) = (0, 0);
    }

    /// Forgets everything that was not taken out for sending. (To drop one command's reply only, rewind to a mark.)
    pub fn drop_unsent(&mut self) {
        self.clear();
    }

    /// Gives back all memory of an empty writer, so that an idle connection holds none.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.buf = Vec::new();
            self.pieces = Vec::new();
        }
    }

    /// Takes everything written, leaving an empty writer of the same protocol.
    pub fn take(&mut self) -> Self {
        let empty = Self { proto: self.proto, ..Self::new() };
        std::mem::replace(self, empty)
    }

    /// The buffer of an empty writer, to serve another connection.
    pub fn take_buffer(&mut self) -> Vec<u8> {
        debug_assert!(self.is_empty());
        std::mem::take(&mut self.buf)
    }

    /// Gives an empty writer a buffer (its content is dropped).
    pub fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        if self.is_empty() && self.buf.capacity() < buffer.capacity() {
            buffer.clear();
            self.buf = buffer;
        }
    }

    /// Appends all of `other`, sharing its attachments.
    pub fn append(&mut self, other: &Self) {
        for index in 0..=other.pieces.len() {
            match other.pieces.get(index) {
                Some(Piece::Attached(bytes)) => self.attach(bytes.clone()),
                _ => other.segment(index).into_iter().for_each(|bytes| self.buf.extend_from_slice(bytes)),
            }
        }
    }

    /// Everything in one buffer.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        self.segments().for_each(|segment| all.extend_from_slice(segment));
        all
    }

    /// Everything as shared buffers in sending order; nothing is copied.
    pub fn into_pieces(self) -> smallvec::SmallVec<[Bytes; 3]> {
        let Self { buf, pieces, tail, .. } = self;
        let buf = Bytes::from(buf);
        let rest = (tail < buf.len()).then(|| buf.slice(tail..));
        let whole = pieces.into_iter().map(|piece| match piece {
            Piece::Buffer(start, end) => buf.slice(start..end),
            Piece::Attached(bytes) => bytes,
        });
        whole.chain(rest).collect()
    }

    /// Everything as one shared buffer; nothing is copied if nothing was attached.
    pub fn into_bytes(self) -> Bytes {
        if self.pieces.is_empty() { Bytes::from(self.buf) } else { Bytes::from(self.to_vec()) }
    }
}
