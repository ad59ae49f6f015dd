//! The client's side: replies of RESP2 and RESP3 decoded into a tree.
//!
//! Used by tests, benches and, later, replication handshakes; not on the path of a command. Invariant: decoding what
//! [`Out`](super::Out) wrote gives back what was meant; floats keep their text, so nothing is lost. Bounds: those of
//! [`super::reply_scan`]; the caller bounds the buffer.
use super::reply_scan::{ReplyFormatError, ReplyScan};
use crate::base::number::{parse_f64, parse_i64};

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+`
    Simple(Vec<u8>),
    /// `-` or `!`: the text with its code.
    Error(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `_`, `$-1` or `*-1`
    Null,
    /// `*`
    Array(Vec<Reply>),
    /// `%`
    Map(Vec<(Reply, Reply)>),
    /// `~`
    Set(Vec<Reply>),
    /// `>`
    Push(Vec<Reply>),
    /// `,` as its text.
    Double(Vec<u8>),
    /// `#`
    Boolean(bool),
    /// `(` as its text.
    BigNumber(Vec<u8>),
    /// `=`: format and text.
    Verbatim(Vec<u8>, Vec<u8>),
    /// `|` and the reply it belongs to.
    Attribute(Vec<(Reply, Reply)>, Box<Reply>),
}

impl Reply {
    /// The bytes of a simple, bulk, verbatim or error reply.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Bulk(text) | Self::Error(text) | Self::Verbatim(_, text) => Some(text),
            _ => None,
        }
    }

    /// The value of an integer reply.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of a float, be it a double, a bulk string or an integer.
    pub fn as_double(&self) -> Option<f64> {
        match self {
            Self::Double(text) | Self::Bulk(text) => parse_f64(text),
            Self::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The items of an array, set or push.
    pub fn as_items(&self) -> Option<&[Reply]> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            _ => None,
        }
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// Collects received bytes and yields replies.
#[derive(Debug, Default)]
pub struct ReplyReader {
    held: Vec<u8>,
    start: usize,
    scan: ReplyScan,
}

impl ReplyReader {
    /// An empty reader.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.held.drain(..self.start);
            self.start = 0;
        }
        self.held.extend_from_slice(bytes);
    }

    /// The next reply, if it is complete.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ReplyFormatError> {
        let Some(raw) = self.next_raw()? else { return Ok(None) };
        let mut raw = raw;
        decode(&mut raw).map(Some)
    }

    /// The bytes of the next reply, if it is complete (for byte-exact comparisons).
    pub fn next_raw(&mut self) -> Result<Option<&[u8]>, ReplyFormatError> {
        let Some(len) = self.scan.step(&self.held[self.start..])? else { return Ok(None) };
        self.start += len;
        Ok(Some(&self.held[self.start - len..self.start]))
    }

    /// Bytes held that are not yielded yet.
    pub fn pending(&self) -> &[u8] {
        &self.held[self.start..]
    }
}

/// Decodes one complete reply from the front of `rest`.
pub fn decode(rest: &mut &[u8]) -> Result<Reply, ReplyFormatError> {
    let end = memchr::memchr(b'\n', rest).ok_or(ReplyFormatError)?;
    let line = rest[..end].strip_suffix(b"\r").ok_or(ReplyFormatError)?;
    let (&marker, text) = line.split_first().ok_or(ReplyFormatError)?;
    *rest = &rest[end + 1..];
    let count = || parse_i64(text).ok_or(ReplyFormatError);
    Ok(match marker {
        b'+' => Reply::Simple(text.to_vec()),
        b'-' => Reply::Error(text.to_vec()),
        b':' => Reply::Integer(count()?),
        b',' => Reply::Double(text.to_vec()),
        b'(' => Reply::BigNumber(text.to_vec()),
        b'_' => Reply::Null,
        b'#' => Reply::Boolean(text == b"t"),
        b'$' | b'=' | b'!' => {
            let Ok(len) = usize::try_from(count()?) else { return Ok(Reply::Null) };
            decode_blob(marker, take(rest, len)?)?
        }
        b'*' | b'~' | b'>' => {
            let Ok(count) = usize::try_from(count()?) else { return Ok(Reply::Null) };
            let items = (0..count).map(|_| decode(rest)).collect::<Result<_, _>>()?;
            match marker {
                b'*' => Reply::Array(items),
                b'~' => Reply::Set(items),
                _ => Reply::Push(items),
            }
        }
        b'%' => Reply::Map(decode_pairs(rest, count()?)?),
        b'|' => Reply::Attribute(decode_pairs(rest, count()?)?, Box::new(decode(rest)?)),
        _ => return Err(ReplyFormatError),
    })
}

fn decode_blob(marker: u8, blob: &[u8]) -> Result<Reply, ReplyFormatError> {
    Ok(match marker {
        b'$' => Reply::Bulk(blob.to_vec()),
        b'!' => Reply::Error(blob.to_vec()),
        _ => {
            let [format @ .., b':'] = blob.get(..4).ok_or(ReplyFormatError)? else {
                return Err(ReplyFormatError);
            };
            Reply::Verbatim(format.to_vec(), blob[4..].to_vec())
        }
    })
}

fn decode_pairs(rest: &mut &[u8], count: i64) -> Result<Vec<(Reply, Reply)>, ReplyFormatError> {
    (0..count).map(|_| Ok((decode(rest)?, decode(rest)?))).collect()
}

/// Cuts `len` bytes and their line end off the front.
fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], ReplyFormatError> {
    let blob = rest.get(..len).ok_or(ReplyFormatError)?;
    *rest = rest[len..].strip_prefix(b"\r\n").ok_or(ReplyFormatError)?;
    Ok(blob)
}
