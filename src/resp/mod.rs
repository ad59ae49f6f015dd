//! Layer 1: the RESP protocol as bytes. No sockets, no clock, no commands.
//!
//! In: [`Reader`] takes what a connection received and yields commands as [`Args`] that lie in place; [`OwnedCommand`]
//! is a copy to keep. Out: [`Out`] collects replies in RESP2 or RESP3. The other direction, for tests, benches and
//! replication: [`reply::ReplyReader`].
pub mod args;
pub mod inline;
pub mod out;
pub mod owned;
pub mod parser;
pub mod protocol_error;
pub mod quote;
pub mod reader;
pub mod reply;
pub mod reply_scan;
#[cfg(test)]
mod tests;

pub use args::Args;
pub use out::{Mark, Out, one_line};
pub use owned::{CommandBuilder, OwnedCommand};
pub use protocol_error::ProtocolError;
pub use quote::append_quoted;
pub use reader::{Input, Parsed, Reader};
pub use reply::{Reply, ReplyReader};

/// Arguments of at least this many bytes are received into a buffer of their own and shared from there on.
pub const BIG_BULK: usize = 32 * 1024;
/// Replies of at least this many bytes are attached, not copied, if they come as `Bytes`.
pub const ATTACH_LEN: usize = 16 * 1024;
/// Longest inline command, and longest length line of a multibulk one.
pub const INLINE_MAX: usize = 64 * 1024;
/// Most arguments of a command before authentication.
pub const UNAUTHENTICATED_ARGS: i64 = 10;
/// Longest argument before authentication, in bytes.
pub const UNAUTHENTICATED_BULK: i64 = 16_384;

const _: () =
    assert!(BIG_BULK as i64 > UNAUTHENTICATED_BULK && ATTACH_LEN <= BIG_BULK && INLINE_MAX >= BIG_BULK);
