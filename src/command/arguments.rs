//! Numbers in arguments that several commands judge alike.
//!
//! Called by handlers and by `session::commands`. Invariant: what redis keeps in a C int is refused beyond it with the range
//! spelled out, not as something that is no number. Source: redis 7.0's object.c, asked through the wire.

use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;

/// A word that redis reads into a C int.
pub fn parse_int(word: &[u8]) -> Result<i32, ReplyError> {
    let number = parse_i64(word).ok_or(ReplyError::NotInteger)?;
    i32::try_from(number).map_err(|_| ReplyError::IntOutOfRange)
}

/// A database index below `databases`.
pub fn parse_database(word: &[u8], databases: usize) -> Result<usize, ReplyError> {
    let index = parse_int(word)?;
    usize::try_from(index).ok().filter(|&index| index < databases).ok_or(ReplyError::DbOutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_index_fails_in_three_ways() {
        assert_eq!(parse_database(b"3", 4), Ok(3));
        assert_eq!(parse_database(b"4", 4), Err(ReplyError::DbOutOfRange));
        assert_eq!(parse_database(b"-1", 4), Err(ReplyError::DbOutOfRange));
        assert_eq!(parse_database(b"2147483648", 4), Err(ReplyError::IntOutOfRange));
        assert_eq!(parse_database(b"03", 4), Err(ReplyError::NotInteger));
    }
}
