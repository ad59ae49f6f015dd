//! Counts whole RESP replies in a stream cut anywhere, without keeping them.
//!
//! Called by the generator's connections and by client for huge replies. Invariant: `feed` has consumed every byte it
//! was given; what is unfinished is in the state. Bounds: a header line of 64 bytes is kept, the rest is skipped.
//! Why not a parser: a load generator must cost less than the server, and needs only "how many, any error".

/// The state between two feeds.
pub struct ReplyScan {
    /// The header line so far, without its end.
    line: Vec<u8>,
    /// Bytes of a bulk, its CRLF included, still to be skipped.
    skip: u64,
    /// Values still missing from the reply in hand: 1 between replies, more within arrays.
    missing: u64,
    error: Option<String>,
}

const LINE_KEPT: usize = 64;

impl Default for ReplyScan {
    fn default() -> Self {
        ReplyScan { line: Vec::with_capacity(LINE_KEPT), skip: 0, missing: 1, error: None }
    }
}

impl ReplyScan {
    /// Takes the next bytes; gives how many replies ended within them.
    pub fn feed(&mut self, mut bytes: &[u8]) -> u64 {
        let mut finished = 0;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len() as u64);
                self.skip -= skipped;
                bytes = &bytes[skipped as usize..];
                if self.skip == 0 {
                    finished += self.end_value(0);
                }
                continue;
            }
            let end = memchr::memchr(b'\n', bytes);
            let taken = end.map_or(bytes.len(), |at| at + 1);
            let room = LINE_KEPT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&bytes[..taken.min(room)]);
            bytes = &bytes[taken..];
            if end.is_some() {
                finished += self.end_line();
            }
        }
        finished
    }

    /// The first error reply seen, `-` included.
    pub fn first_error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn end_line(&mut self) -> u64 {
        let kind = self.line.first().copied().unwrap_or(0);
        let number = || {
            let text = self.line[1..].trim_ascii_end();
            std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1)
        };
        let finished = match kind {
            b'$' | b'=' if number() >= 0 => {
                self.skip = number() as u64 + 2;
                0
            }
            b'*' | b'~' | b'>' => {
                let elements = number().max(0) as u64;
                self.end_value(elements)
            }
            b'%' => {
                let elements = number().max(0) as u64 * 2;
                self.end_value(elements)
            }
            b'+' | b':' | b'$' | b'_' | b'#' | b',' | b'(' => self.end_value(0),
            _ => {
                let text = String::from_utf8_lossy(&self.line).trim_end().to_owned();
                self.error.get_or_insert(text);
                self.end_value(0)
            }
        };
        self.line.clear();
        finished
    }

    /// One value is complete and `more` follow inside it; gives 1 if that ends the reply.
    fn end_value(&mut self, more: u64) -> u64 {
        self.missing = self.missing - 1 + more;
        if self.missing > 0 {
            return 0;
        }
        self.missing = 1;
        1
    }
}
