//! What this server has and redis 7.0 has not. Used by the tests that compare lists of commands with such a redis.

/// The commands, by full name.
pub const COMMANDS: [&str; 13] = [
    "client|no-touch",
    "client|setinfo",
    "cluster|myshardid",
    "hexpire",
    "hexpireat",
    "hexpiretime",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hpexpiretime",
    "hpttl",
    "httl",
    "waitaof",
];
