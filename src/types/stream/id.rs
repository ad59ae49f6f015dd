//! `StreamId`: milliseconds and a sequence number, ordered as one 128-bit number.
//!
//! Used by everything of streams; calls `base::number`. Invariant: order is (ms, seq). Source: redis' t_stream.c for the texts it takes.
use crate::base::number::{DigitBuffer, parse_u64};

/// See the module's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId {
    /// Unix time of the entry, or what the client chose.
    pub ms: u64,
    /// Distinguishes entries of one millisecond.
    pub seq: u64,
}

/// What a client's word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedId {
    /// The ID; its sequence is the default if none was given, 0 for `ms-*`.
    pub id: StreamId,
    /// False for `ms-*`.
    pub seq_given: bool,
}

impl StreamId {
    /// `0-0`: before every entry.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The last ID there can be.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The next ID; None after the last.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The previous ID; None before the first.
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// Whether it is `0-0`.
    pub fn is_zero(self) -> bool {
        self == Self::MIN
    }

    /// `ms-seq`.
    pub fn text(self) -> Vec<u8> {
        IdBuffer::default().format(self).to_vec()
    }

    /// Big-endian, as redis keys its radix trees: the order of the bytes is that of the IDs.
    pub fn to_key(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// The inverse of [`StreamId::to_key`].
    pub fn from_key(key: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(key);
        Self { ms: (bits >> 64) as u64, seq: bits as u64 }
    }

    /// `ms` or `ms-seq`; with `auto_seq` also `ms-*`. None for anything else.
    pub fn parse(word: &[u8], missing_seq: u64, auto_seq: bool) -> Option<ParsedId> {
        if word.len() > 127 {
            return None;
        }
        // Redis reads it as a C string.
        let word = &word[..memchr::memchr(0, word).unwrap_or(word.len())];
        let Some(dash) = memchr::memchr(b'-', word) else {
            return Some(ParsedId { id: Self { ms: parse_u64(word)?, seq: missing_seq }, seq_given: true });
        };
        let (ms, rest) = (parse_u64(&word[..dash])?, &word[dash + 1..]);
        if auto_seq && rest == b"*" {
            return Some(ParsedId { id: Self { ms, seq: 0 }, seq_given: false });
        }
        Some(ParsedId { id: Self { ms, seq: parse_u64(rest)? }, seq_given: true })
    }

    /// As [`StreamId::parse`], and `-` and `+` for the ends of a range.
    pub fn parse_bound(word: &[u8], missing_seq: u64) -> Option<Self> {
        match word {
            [b'-'] | [b'-', 0, ..] if word.len() <= 127 => Some(Self::MIN),
            [b'+'] | [b'+', 0, ..] if word.len() <= 127 => Some(Self::MAX),
            _ => Self::parse(word, missing_seq, false).map(|parsed| parsed.id),
        }
    }
}

/// Room for the text of one ID, so that a reply needs no allocation.
#[derive(Debug, Clone, Copy)]
pub struct IdBuffer([u8; 41]);

impl Default for IdBuffer {
    fn default() -> Self {
        Self([0; 41])
    }
}

impl IdBuffer {
    /// `ms-seq`.
    pub fn format(&mut self, id: StreamId) -> &[u8] {
        let (mut ms, mut seq) = (DigitBuffer::new(), DigitBuffer::new());
        let (ms, seq) = (ms.format_u64(id.ms), seq.format_u64(id.seq));
        let end = ms.len() + 1 + seq.len();
        self.0[..ms.len()].copy_from_slice(ms);
        self.0[ms.len()] = b'-';
        self.0[ms.len() + 1..end].copy_from_slice(seq);
        &self.0[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_cross_the_millisecond_and_end_at_the_ends() {
        let id = |ms, seq| StreamId { ms, seq };
        assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
        assert_eq!(id(2, 0).previous(), Some(id(1, u64::MAX)));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
        assert_eq!(StreamId::from_key(id(7, 9).to_key()), id(7, 9));
    }

    #[test]
    fn words_are_read_as_redis_reads_them() {
        let id = |ms, seq| Some(StreamId { ms, seq });
        let plain = |word: &[u8]| StreamId::parse(word, 5, false).map(|parsed| parsed.id);
        assert_eq!(plain(b"1-2"), id(1, 2));
        assert_eq!(plain(b"1"), id(1, 5));
        assert_eq!(plain(b"1\0-9"), id(1, 5));
        for bad in [&b""[..], b"-", b"+", b"1-", b"-1", b"1-2-3", b"1-*", b"a", b"1--1"] {
            assert_eq!(plain(bad), None, "{bad:?}");
        }
        let auto = StreamId::parse(b"3-*", 0, true);
        assert_eq!(auto.map(|parsed| (parsed.id, parsed.seq_given)), id(3, 0).map(|id| (id, false)));
        assert_eq!(StreamId::parse_bound(b"+", 0), Some(StreamId::MAX));
    }
}
