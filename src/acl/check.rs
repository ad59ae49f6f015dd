//! Whether a user may run a command with these words.
//!
//! Called by `session::gate` before a command is routed or queued, again for each queued command by EXEC, by ACL DRYRUN, and by scripts for
//! each command they call. Invariant: a command passes if one selector permits all of it: command, every key, every channel.
//! Bounds: selectors × (keys + channels) × patterns. The reported refusal is the one that came furthest, as in redis.

use smallvec::SmallVec;

use super::commands::commands;
use super::selector::{Selector, permission};
use super::user::User;
use crate::command::keyspec::{self, KeyList};
use crate::command::row::{KeyFlags, Row, flag, key_flag};
use crate::resp::Args;

/// What was refused, in the order of how far a command came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The command.
    Command,
    /// A key.
    Key,
    /// A login.
    Auth,
    /// A channel.
    Channel,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What was refused.
    pub reason: Reason,
    /// Index of the word that was refused.
    pub at: usize,
}

impl Denied {
    /// The error reply.
    pub fn text(&self, row: &Row) -> String {
        match self.reason {
            Reason::Key => {
                "NOPERM this user has no permissions to access one of the keys used as arguments".into()
            }
            Reason::Channel => {
                "NOPERM this user has no permissions to access one of the channels used as arguments".into()
            }
            _ => format!("NOPERM this user has no permissions to run the '{}' command", row.full_name),
        }
    }

    /// What ACL DRYRUN says: `word` is the refused one.
    pub fn verbose(&self, row: &Row, word: &[u8]) -> Vec<u8> {
        let kind: &[u8] = match self.reason {
            Reason::Key => b"key",
            Reason::Channel => b"channel",
            _ => {
                let name = row.full_name;
                return format!("This user has no permissions to run the '{name}' command").into_bytes();
            }
        };
        [b"This user has no permissions to access the '", word, b"' ", kind].concat()
    }

    /// Why EXEC does not run a command that was queued.
    pub fn since_queued(&self) -> &'static str {
        match self.reason {
            Reason::Command => {
                "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand"
            }
            Reason::Key => {
                "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to touch the specified keys"
            }
            Reason::Channel => {
                "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to access one of the channels used as arguments to the command"
            }
            Reason::Auth => {
                "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission"
            }
        }
    }
}

/// The words a command touches, found once for all selectors and only if one asks.
#[derive(Default)]
struct Touched {
    keys: Option<KeyList>,
    channels: Option<SmallVec<[Channel; 4]>>,
}

/// A channel among the words.
#[derive(Clone, Copy)]
struct Channel {
    at: usize,
    is_pattern: bool,
}

/// Whether `user` may run `row` with `args`; the command's words, its name first. Errors: what is refused.
pub fn check(user: &User, row: &'static Row, args: &Args<'_>) -> Result<(), Denied> {
    let mut touched = Touched::default();
    let mut furthest: Option<Denied> = None;
    for selector in &user.selectors {
        match check_selector(selector, row, args, &mut touched) {
            Ok(()) => return Ok(()),
            Err(denied) => {
                let is_further =
                    furthest.is_none_or(|known| (denied.reason, denied.at) > (known.reason, known.at));
                if is_further {
                    furthest = Some(denied);
                }
            }
        }
    }
    Err(furthest.unwrap_or(Denied { reason: Reason::Command, at: 0 }))
}

/// Whether one set of the user's rights permits the command and reading of any key.
pub fn reads_all_keys(user: &User, row: &'static Row, args: &Args<'_>) -> bool {
    user.selectors.iter().any(|selector| {
        selector.reads_all_keys() && check_selector(selector, row, args, &mut Touched::default()).is_ok()
    })
}

fn check_selector(
    selector: &Selector,
    row: &'static Row,
    args: &Args<'_>,
    touched: &mut Touched,
) -> Result<(), Denied> {
    if !selector.all_commands && !row.flags.has(flag::NO_AUTH) && !permits_command(selector, row, args) {
        return Err(Denied { reason: Reason::Command, at: 0 });
    }
    if !selector.all_keys && row.has_keys() {
        let found = || keyspec::keys_with_flags(row, args).unwrap_or_default();
        for key in touched.keys.get_or_insert_with(found) {
            let at = key.index as usize;
            if !selector.permits_key(args.get(at), wanted(key.flags)) {
                return Err(Denied { reason: Reason::Key, at });
            }
        }
    }
    if !selector.all_channels {
        for channel in touched.channels.get_or_insert_with(|| channels_of(row, args)) {
            if !selector.permits_channel(args.get(channel.at), channel.is_pattern) {
                return Err(Denied { reason: Reason::Channel, at: channel.at });
            }
        }
    }
    Ok(())
}

fn permits_command(selector: &Selector, row: &'static Row, args: &Args<'_>) -> bool {
    let Some(number) = commands().number_of(row) else { return false };
    if selector.allowed.has(number) {
        return true;
    }
    let first_args = selector.first_args.get(&number);
    first_args
        .zip(args.get_checked(1))
        .is_some_and(|(known, argument)| known.iter().any(|known| known.eq_ignore_ascii_case(argument)))
}

/// What must be permitted of a key: what happens to the user's data, not whether the key as such is overwritten.
fn wanted(flags: KeyFlags) -> u8 {
    let mut wanted = 0;
    if flags.has(key_flag::ACCESS) {
        wanted |= permission::READ;
    }
    if flags.has(key_flag::INSERT | key_flag::DELETE | key_flag::UPDATE) {
        wanted |= permission::WRITE;
    }
    wanted
}

/// The channels a command publishes to or subscribes to; leaving is free.
fn channels_of(row: &Row, args: &Args<'_>) -> SmallVec<[Channel; 4]> {
    let one = |at| Channel { at, is_pattern: row.name == "psubscribe" };
    match row.name {
        "publish" | "spublish" => std::iter::once(one(1)).collect(),
        "subscribe" | "psubscribe" | "ssubscribe" => (1..args.len()).map(one).collect(),
        _ => SmallVec::new(),
    }
}
