//! Strings on their way in: which encoding the caller wants.
use bytes::Bytes;

/// A new string value.
#[derive(Debug, Clone)]
pub enum StrIn<'a> {
    /// As SET stores it: kept as an integer if it is one's canonical text.
    Bytes(&'a [u8]),
    /// Kept as text even if it looks like an integer (INCRBYFLOAT's result).
    Plain(&'a [u8]),
    /// Kept as text, encoding "raw" whatever its length (a new SETRANGE/SETBIT/BITOP value).
    Raw(&'a [u8]),
    /// An integer.
    Int(i64),
    /// A large value that is one buffer already; never copied.
    Shared(Bytes),
}
