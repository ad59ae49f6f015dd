//! Layer 4: access control: users and their rules, the check before a command, descriptions, the ACL file, ACL LOG.
//!
//! Pure: words in, users and verdicts out; no connection, no clock of its own. [`Users`] is an immutable snapshot, swapped whole on
//! every core by `session::commands::acl`; `session::gate` asks [`check()`] before a command is routed, and the script executor (a lower
//! layer than `session`) before each command of a script: that is why this room lies beside `command`, whose rows it judges.
//! Invariant: a refused rule changes nothing. Bounds: ACL LOG keeps acllog-max-len entries; users and rules are the operator's.
//!
//! [`mod@commands`] numbers all rows; [`selector`] is one set of rights; [`user`] a name with passwords and selectors; [`users`] all of them;
//! [`check()`] the verdict; [`describe`] rights back to rules; [`file`](mod@file) aclfile and `user` lines; [`log`] what was refused.

pub mod check;
pub mod commands;
pub mod describe;
pub mod file;
pub mod log;
pub mod password;
pub mod rule_error;
pub mod selector;
#[cfg(test)]
mod tests;
pub mod user;
pub mod users;

pub use check::{Denied, Reason, check};
pub use log::{Context, Record};
pub use rule_error::RuleError;
pub use user::User;
pub use users::Users;
