//! stand-in
use crate::command::row::Row;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ReplyError { WrongType, Syntax, NotInteger, NotFloat, NoSuchKey, OutOfMemory, Text(&'static str), Formatted }
impl ReplyError {
    pub fn text<'a>(&'a self, formatted: &'a str) -> &'a str {
        match self {
            ReplyError::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            ReplyError::Syntax => "ERR syntax error",
            ReplyError::NotInteger => "ERR value is not an integer or out of range",
            ReplyError::NotFloat => "ERR value is not a valid float",
            ReplyError::NoSuchKey => "ERR no such key",
            ReplyError::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            ReplyError::Text(t) => t,
            ReplyError::Formatted => formatted,
        }
    }
}
pub fn wrong_arity(row: &Row) -> String { format!("ERR wrong number of arguments for '{}' command", row.full_name) }
pub fn invalid_expire(row: &Row) -> String { format!("ERR invalid expire time in '{}' command", row.full_name) }
pub fn protected_command(row: &Row) -> String { format!("ERR {} command not allowed.", row.full_name) }
