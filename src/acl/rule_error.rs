//! Why a rule was refused, in redis' words.
//!
//! Made by `selector`, `user` and `users`; shown by ACL SETUSER, by ACL LOAD and at the start. Pure data.

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No such command or category.
    Unknown,
    /// Not a rule.
    Syntax,
    /// A key pattern where all keys are allowed.
    KeysAlreadyAll,
    /// A channel pattern where all channels are allowed.
    ChannelsAlreadyAll,
    /// `+config|get|x`.
    SubcommandArgument,
    /// The password to be removed is none of the user's.
    NoSuchPassword,
    /// Not a SHA-256 in lower-case hexadecimal.
    BadHash,
    /// The user is defined twice.
    Duplicate,
}

impl RuleError {
    /// Redis' text.
    pub fn text(self) -> &'static str {
        match self {
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::KeysAlreadyAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::ChannelsAlreadyAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::SubcommandArgument => "Allowing first-arg of a subcommand is not supported",
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::Duplicate => "Duplicate user found. A user can only be defined once in config files",
        }
    }
}
