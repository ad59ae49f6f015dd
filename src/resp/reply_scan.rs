//! Finds the end of a reply in a growing buffer, without building anything.
//!
//! Called by [`super::reply`] before it decodes. Invariant: bytes once passed are not looked at again, so a reply costs
//! linear time however it is cut. Bounds: nesting as deep as the reply (a counter per level), at most
//! [`MAX_DEPTH`]. Why a pass of its own: decoding can then be plain recursion over complete bytes.
use crate::base::number::parse_i64;

/// Deepest nesting accepted.
pub const MAX_DEPTH: usize = 128;

/// The bytes are not a RESP reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyFormatError;

impl std::fmt::Display for ReplyFormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed RESP reply")
    }
}

impl std::error::Error for ReplyFormatError {}

/// Progress through one reply.
#[derive(Debug, Default)]
pub struct ReplyScan {
    at: usize,
    /// Up to here no line end was found.
    scanned: usize,
    /// Items still to come, per open collection.
    open: Vec<u64>,
}

impl ReplyScan {
    /// Goes on; `buf` begins with the reply, as on every call. Returns its length once it is complete.
    pub fn step(&mut self, buf: &[u8]) -> Result<Option<usize>, ReplyFormatError> {
        loop {
            let from = self.scanned.max(self.at);
            let Some(end) = buf.get(from..).and_then(|rest| memchr::memchr(b'\n', rest)).map(|at| from + at)
            else {
                self.scanned = buf.len();
                return Ok(None);
            };
            let line = buf[self.at..end].strip_suffix(b"\r").ok_or(ReplyFormatError)?;
            let (&marker, text) = line.split_first().ok_or(ReplyFormatError)?;
            let mut after = end + 1;
            let mut items = 0;
            match marker {
                b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {}
                b'$' | b'=' | b'!' => {
                    let len = length(text)?;
                    if len >= 0 {
                        after += len as usize + 2;
                        if after > buf.len() {
                            return Ok(None);
                        }
                    }
                }
                b'*' | b'~' | b'>' => items = length(text)?.max(0) as u64,
                b'%' => items = 2 * length(text)?.max(0) as u64,
                // The reply an attribute belongs to follows it.
                b'|' => items = 2 * length(text)?.max(0) as u64 + 1,
                _ => return Err(ReplyFormatError),
            }
            self.at = after;
            if let Some(top) = self.open.last_mut() {
                *top -= 1;
            }
            if items > 0 {
                if self.open.len() == MAX_DEPTH {
                    return Err(ReplyFormatError);
                }
                self.open.push(items);
            }
            while self.open.last() == Some(&0) {
                self.open.pop();
            }
            if self.open.is_empty() {
                return Ok(Some(std::mem::take(self).at));
            }
        }
    }
}

fn length(text: &[u8]) -> Result<i64, ReplyFormatError> {
    parse_i64(text).filter(|len| (-1..=1 << 40).contains(len)).ok_or(ReplyFormatError)
}
