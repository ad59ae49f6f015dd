//! What a client can do wrong below the level of commands, with redis 7.0.15's words.
//!
//! Made by the parser, written by the session, which then closes the connection. The text follows
//! `-ERR Protocol error: `.
use super::Out;
use std::fmt;

/// Why a request is not RESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline command with open quotes.
    UnbalancedQuotes,
    /// An inline command over 64 KB.
    TooBigInline,
    /// No end of the `*` line within 64 KB.
    TooBigCountString,
    /// The `*` line is not a number, or over 2^31 - 1.
    InvalidMultibulkLength,
    /// More than ten arguments before authentication.
    UnauthenticatedMultibulk,
    /// No end of a `$` line within 64 KB.
    TooBigBulkCountString,
    /// An argument begins with this byte.
    ExpectedDollar(u8),
    /// The `$` line is not a number, negative, or over proto-max-bulk-len.
    InvalidBulkLength,
    /// An argument over 16 KB before authentication.
    UnauthenticatedBulk,
    /// The small arguments of one command exceed 4 GB (redis stops at its query buffer limit long before).
    TooBigRequest,
}

impl ProtocolError {
    /// The text after `Protocol error: `.
    pub fn text(self) -> &'static str {
        match self {
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::TooBigInline => "too big inline request",
            Self::TooBigCountString => "too big mbulk count string",
            Self::InvalidMultibulkLength => "invalid multibulk length",
            Self::UnauthenticatedMultibulk => "unauthenticated multibulk length",
            Self::TooBigBulkCountString => "too big bulk count string",
            Self::ExpectedDollar(_) => "expected '$', got '",
            Self::InvalidBulkLength => "invalid bulk length",
            Self::UnauthenticatedBulk => "unauthenticated bulk length",
            Self::TooBigRequest => "too big request",
        }
    }

    /// Writes the whole error reply, byte exact also for a byte that is not text.
    pub fn write_reply(self, out: &mut Out) {
        let mut line = b"ERR Protocol error: ".to_vec();
        line.extend_from_slice(self.text().as_bytes());
        if let Self::ExpectedDollar(byte) = self {
            line.push(byte);
            line.push(b'\'');
        }
        out.error_bytes(&line);
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::ExpectedDollar(byte) => write!(f, "{}'", char::from(*byte)),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}
