//! Every error text a client can get from a command, in one place.
//!
//! Handlers return a [`ReplyError`]; `shard::execute` and `session` write its text. Texts that quote the client or the
//! command are made by the functions below (a handler hands them to `Cx::fail`). Invariant: a text begins with its code and
//! is what redis 7.0 says, to the byte. Why a small Copy enum: an error costs nothing to make or drop, and tests and statistics
//! can compare it.
use crate::command::row::Row;
use crate::resp::Args;

macro_rules! reply_errors {
    ($($name:ident = $text:literal,)*) => {
        /// What went wrong; the text is the documentation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ReplyError {
            $(#[doc = $text] $name,)*
            /// A fixed text of one command only.
            Text(&'static str),
            /// The text lies where `Cx::fail` put it.
            Formatted,
        }

        impl ReplyError {
            /// The whole text, code included; `formatted` is that of [`ReplyError::Formatted`].
            pub fn text<'a>(&'a self, formatted: &'a [u8]) -> &'a [u8] {
                match self {
                    $(ReplyError::$name => $text.as_bytes(),)*
                    ReplyError::Text(text) => text.as_bytes(),
                    ReplyError::Formatted => formatted,
                }
            }
        }
    };
}

reply_errors! {
    WrongType = "WRONGTYPE Operation against a key holding the wrong kind of value",
    Syntax = "ERR syntax error",
    NoSuchKey = "ERR no such key",
    SameObject = "ERR source and destination objects are the same",
    IndexOutOfRange = "ERR index out of range",
    NotInteger = "ERR value is not an integer or out of range",
    NotFloat = "ERR value is not a valid float",
    OutOfRange = "ERR value is out of range",
    IntOutOfRange = "ERR value is out of range, value must between -2147483648 and 2147483647",
    NotPositive = "ERR value is out of range, must be positive",
    HashValueNotInteger = "ERR hash value is not an integer",
    HashValueNotFloat = "ERR hash value is not a float",
    Overflow = "ERR increment or decrement would overflow",
    DecrementOverflow = "ERR decrement would overflow",
    NanOrInfinity = "ERR increment would produce NaN or Infinity",
    ScoreNan = "ERR resulting score is not a number (NaN)",
    MinMaxNotFloat = "ERR min or max is not a float",
    MinMaxNotString = "ERR min or max not valid string range item",
    DbOutOfRange = "ERR DB index is out of range",
    InvalidDb = "ERR invalid DB index",
    InvalidCursor = "ERR invalid cursor",
    StringTooLong = "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
    OffsetOutOfRange = "ERR offset is out of range",
    BitOffset = "ERR bit offset is not an integer or out of range",
    BitValue = "ERR bit is not an integer or out of range",
    BitArgument = "ERR The bit argument must be 1 or 0.",
    BitfieldType = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    TimeoutNotInteger = "ERR timeout is not an integer or out of range",
    TimeoutNotFloat = "ERR timeout is not a float or out of range",
    TimeoutNegative = "ERR timeout is negative",
    TimeoutOutOfRange = "ERR timeout is out of range",
    NumkeysNotPositive = "ERR numkeys should be greater than 0",
    CountNotPositive = "ERR count should be greater than 0",
    NestedMulti = "ERR MULTI calls can not be nested",
    ExecWithoutMulti = "ERR EXEC without MULTI",
    DiscardWithoutMulti = "ERR DISCARD without MULTI",
    WatchInsideMulti = "ERR WATCH inside MULTI is not allowed",
    NotInsideMulti = "ERR Command not allowed inside a transaction",
    ExecAbort = "EXECABORT Transaction discarded because of previous errors.",
    OutOfMemory = "OOM command not allowed when used memory > 'maxmemory'.",
    ReadOnly = "READONLY You can't write against a read only replica.",
    NoReplicas = "NOREPLICAS Not enough good replicas to write.",
    MasterDown = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    Loading = "LOADING Redis is loading the dataset in memory",
    SaveFailed = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
    BusyKey = "BUSYKEY Target key name already exists.",
    BusyScript = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    BusyModule = "BUSY Redis is busy running a module command.",
    NoScript = "NOSCRIPT No matching script. Please use EVAL.",
    NoAuth = "NOAUTH Authentication required.",
    WrongPass = "WRONGPASS invalid username-password pair or user is disabled.",
    NoPassword = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
    NoProto = "NOPROTO unsupported protocol version",
    ProtocolNotInteger = "ERR Protocol version is not an integer or out of range",
    Unblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK",
    NoSuchClient = "ERR No such client",
    InvalidCommand = "ERR Invalid command specified",
    NoKeyArguments = "ERR The command has no key arguments",
    InvalidArgumentCount = "ERR Invalid number of arguments specified for command",
    InvalidArguments = "ERR Invalid arguments specified for command",
    ClusterDisabled = "ERR This instance has cluster support disabled",
    CrossSlot = "CROSSSLOT Keys in request don't hash to the same slot",
}

/// The command is known, but not with so many arguments.
pub fn wrong_arity(row: &Row) -> String {
    format!("ERR wrong number of arguments for '{}' command", row.full_name)
}

/// An expire time that is 0, negative or overflows.
pub fn invalid_expire(row: &Row) -> String {
    format!("ERR invalid expire time in '{}' command", row.full_name)
}

/// DEBUG or MODULE where the configuration does not allow it.
pub fn protected_command(row: &Row) -> String {
    let (name, option) = match row.container {
        "module" => ("MODULE", "enable-module-command"),
        _ => ("DEBUG", "enable-debug-command"),
    };
    format!(
        "ERR {name} command not allowed. If the {option} option is set to \"local\", you can run it from a local \
         connection, otherwise you need to set this option in the configuration file, and then restart the server."
    )
}

/// A text that quotes a client's word whole, up to its first NUL.
pub fn quoting(before: &str, word: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), quoted(word, word.len()), after.as_bytes()].concat()
}

/// What is quoted of a client's word: at most `limit` bytes, up to the first NUL.
fn quoted(word: &[u8], limit: usize) -> &[u8] {
    let word = &word[..word.len().min(limit)];
    &word[..memchr::memchr(0, word).unwrap_or(word.len())]
}

/// No such command: its name and the beginning of its arguments, together bounded. The bytes are the client's; the
/// writer of the error replaces line ends.
pub fn unknown_command(args: &Args<'_>) -> Vec<u8> {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(quoted(args.get(0), 128));
    text.extend_from_slice(b"', with args beginning with: ");
    let start = text.len();
    for word in args.iter().skip(1) {
        let used = text.len() - start;
        if used >= 128 {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(quoted(word, 128 - used));
        text.extend_from_slice(b"' ");
    }
    text
}

/// The container is known, its subcommand (word 1) is not.
pub fn unknown_subcommand(args: &Args<'_>) -> Vec<u8> {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(quoted(args.get(1), 128));
    text.extend_from_slice(b"'. Try ");
    let container = args.get(0);
    text.extend(quoted(container, container.len()).iter().map(u8::to_ascii_uppercase));
    text.extend_from_slice(b" HELP.");
    text
}

/// What a command that reads its subcommands itself (DEBUG) says to a wrong one or a wrong number of arguments.
pub fn subcommand_syntax(args: &Args<'_>) -> Vec<u8> {
    let mut text = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
    text.extend_from_slice(quoted(args.get(1), 128));
    text.extend_from_slice(b"'. Try ");
    let container = args.get(0);
    text.extend(quoted(container, container.len()).iter().map(u8::to_ascii_uppercase));
    text.extend_from_slice(b" HELP.");
    text
}
