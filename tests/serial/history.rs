//! What a history is: transactions of reads and appends with the real-time interval in which they took effect.
//!
//! Written by `workload`, judged by `checker`. The data model is list-append: a key is a string to which every APPEND adds one
//! token that is unique in the run, so a read shows the whole order of the writes before it. Times are nanoseconds of one clock.

/// A token: unique per append, `TOKEN_BYTES` long in the string.
pub type Token = u64;

/// Width of a token in the value: seven digits and a separator.
pub const TOKEN_BYTES: usize = 8;

/// A token as it is appended.
pub fn token_text(token: Token) -> String {
    format!("{token:07};")
}

/// The tokens of a value; None if it is not a sequence of whole tokens.
pub fn parse_tokens(value: &[u8]) -> Option<Vec<Token>> {
    let whole = value.len().is_multiple_of(TOKEN_BYTES);
    let tokens = value.chunks(TOKEN_BYTES).map(|chunk| {
        let text = std::str::from_utf8(chunk).ok()?;
        text.strip_suffix(';')?.parse().ok()
    });
    if whole { tokens.collect() } else { None }
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Added a token; the reply told how many tokens the key then had.
    Append {
        /// Which key.
        key: usize,
        /// What was added.
        token: Token,
        /// Its place, counted from 0.
        position: usize,
    },
    /// Saw these tokens.
    Read {
        /// Which key.
        key: usize,
        /// All tokens, oldest first.
        tokens: Vec<Token>,
    },
}

/// A committed transaction.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// What it did, in order.
    pub ops: Vec<Op>,
    /// Before its first byte was sent.
    pub start_ns: u64,
    /// After its last reply was read.
    pub end_ns: u64,
    /// The transaction that the same connection sent just before in the same pipeline (index in the history).
    pub follows: Option<usize>,
    /// How it was made, for messages.
    pub label: &'static str,
}

/// All committed transactions of a run, in no particular order.
pub type History = Vec<Transaction>;
