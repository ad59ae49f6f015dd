//! One set of rights: commands, key patterns, channel patterns. A user has one of its own and any number in parentheses.
//!
//! [`Selector::apply`] takes one rule at a time, in redis' order of cases; `check` reads the result, `describe` writes it back as rules.
//! Invariant: a rule that fails changes nothing. Bounds: one bit per command; patterns are the operator's.

use std::collections::BTreeMap;

use super::commands::{BITS, category, commands};
use super::rule_error::RuleError;
use crate::base::glob::glob_match;

/// What a key pattern permits, as bits.
pub mod permission {
    /// Reading what the key holds.
    pub const READ: u8 = 1;
    /// Changing it.
    pub const WRITE: u8 = 2;
    /// Both.
    pub const ALL: u8 = READ | WRITE;
}

/// A set of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits(Box<[u64; BITS / 64]>);

impl Bits {
    /// None or all of them.
    pub fn filled(on: bool) -> Bits {
        Bits(Box::new([if on { u64::MAX } else { 0 }; BITS / 64]))
    }

    /// Whether command `number` is in it.
    #[inline]
    pub fn has(&self, number: u16) -> bool {
        self.0[number as usize / 64] >> (number % 64) & 1 == 1
    }

    /// Puts it in or takes it out.
    pub fn put(&mut self, number: u16, on: bool) {
        let (word, bit) = (&mut self.0[number as usize / 64], 1 << (number % 64));
        *word = if on { *word | bit } else { *word & !bit };
    }

    /// The same for a command and its subcommands.
    pub fn put_with_subcommands(&mut self, number: u16, on: bool) {
        self.put(number, on);
        commands().get(number).subcommands.clone().for_each(|sub| self.put(sub, on));
    }

    /// The same for a category: a container that is in it takes all its subcommands along.
    pub fn put_category(&mut self, category: u32, on: bool) {
        for (number, command) in commands().iter() {
            if command.row.acl.0 & category != 0 {
                self.put_with_subcommands(number, on);
            }
        }
    }
}

/// Keys a selector permits, and what may be done to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    /// The glob.
    pub pattern: Vec<u8>,
    /// [`permission`] bits.
    pub permission: u8,
}

/// One set of rights.
#[derive(Clone, Debug)]
pub struct Selector {
    /// `allkeys`; then there are no patterns.
    pub all_keys: bool,
    /// `allchannels`; then there are no patterns.
    pub all_channels: bool,
    /// Nothing was taken away since `+@all`.
    pub all_commands: bool,
    /// Began with `+@all`: commands yet to come are permitted, and the description begins with it.
    pub future_commands: bool,
    /// Permitted commands.
    pub allowed: Bits,
    /// First arguments with which a command that is not permitted may be called.
    pub first_args: BTreeMap<u16, Vec<Vec<u8>>>,
    /// Key patterns, oldest first.
    pub keys: Vec<KeyPattern>,
    /// Channel patterns, oldest first.
    pub channels: Vec<Vec<u8>>,
}

impl Selector {
    /// No rights; channels as acl-pubsub-default has it.
    pub fn new(all_channels: bool) -> Selector {
        Selector {
            all_keys: false,
            all_channels,
            all_commands: false,
            future_commands: false,
            allowed: Bits::filled(false),
            first_args: BTreeMap::new(),
            keys: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// Whether it permits everything.
    pub fn is_unrestricted(&self) -> bool {
        self.all_keys && self.all_channels && self.all_commands
    }

    /// Applies one rule. Errors: the rule's; nothing has changed then.
    pub fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        let is = |name: &str| rule.eq_ignore_ascii_case(name.as_bytes());
        if is("allkeys") || is("~*") {
            self.all_keys = true;
            self.keys.clear();
        } else if is("resetkeys") {
            self.all_keys = false;
            self.keys.clear();
        } else if is("allchannels") || is("&*") {
            self.all_channels = true;
            self.channels.clear();
        } else if is("resetchannels") {
            self.all_channels = false;
            self.channels.clear();
        } else if is("allcommands") || is("+@all") {
            self.set_all_commands(true);
        } else if is("nocommands") || is("-@all") {
            self.set_all_commands(false);
        } else {
            return match rule {
                [b'~' | b'%', ..] => self.add_keys(rule),
                [b'&', pattern @ ..] => self.add_channels(pattern),
                [sign @ (b'+' | b'-'), b'@', name @ ..] => {
                    let category = category(name).ok_or(RuleError::Unknown)?;
                    self.set_category(category, *sign == b'+');
                    Ok(())
                }
                [b'+', name @ ..] => self.permit(name),
                [b'-', name @ ..] => {
                    let number = commands().named(name).ok_or(RuleError::Unknown)?;
                    self.set_command(number, false);
                    Ok(())
                }
                _ => Err(RuleError::Syntax),
            };
        }
        Ok(())
    }

    fn set_all_commands(&mut self, on: bool) {
        self.all_commands = on;
        self.future_commands = on;
        self.allowed = Bits::filled(on);
        self.first_args.clear();
    }

    fn set_command(&mut self, number: u16, on: bool) {
        self.all_commands &= on;
        self.allowed.put_with_subcommands(number, on);
        self.first_args.remove(&number);
    }

    fn set_category(&mut self, category: u32, on: bool) {
        self.all_commands &= on;
        self.allowed.put_category(category, on);
        self.first_args.retain(|&number, _| commands().get(number).row.acl.0 & category == 0);
    }

    /// `+command`, `+container|subcommand`, `+command|first-argument`.
    fn permit(&mut self, name: &[u8]) -> Result<(), RuleError> {
        let Some(bar) = memchr::memrchr(b'|', name) else {
            let number = commands().named(name).ok_or(RuleError::Unknown)?;
            self.set_command(number, true);
            return Ok(());
        };
        let (container, argument) = (&name[..bar], &name[bar + 1..]);
        let number = commands().named(container).ok_or(RuleError::Unknown)?;
        let command = commands().get(number);
        if command.is_subcommand {
            return Err(RuleError::SubcommandArgument);
        }
        if argument.is_empty() {
            return Err(RuleError::Syntax);
        }
        if command.subcommands.is_empty() {
            let list = self.first_args.entry(number).or_default();
            if !list.iter().any(|known| known.eq_ignore_ascii_case(argument)) {
                list.push(argument.to_vec());
            }
        } else {
            let number = commands().named(name).ok_or(RuleError::Unknown)?;
            self.set_command(number, true);
        }
        Ok(())
    }

    /// `~pattern`, `%R~pattern`, `%W~pattern`, `%RW~pattern`; the tilde may be missing at the very end.
    fn add_keys(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::KeysAlreadyAll);
        }
        let (permission, pattern) = match rule {
            [b'%', rest @ ..] => {
                let end = rest.iter().position(|&byte| byte == b'~').unwrap_or(rest.len());
                let mut permission = 0;
                for letter in &rest[..end] {
                    let bit = match letter.to_ascii_uppercase() {
                        b'R' => permission::READ,
                        b'W' => permission::WRITE,
                        _ => return Err(RuleError::Syntax),
                    };
                    if permission & bit != 0 {
                        return Err(RuleError::Syntax);
                    }
                    permission |= bit;
                }
                if permission == 0 {
                    return Err(RuleError::Syntax);
                }
                (permission, rest.get(end + 1..).unwrap_or_default())
            }
            _ => (permission::ALL, &rule[1..]),
        };
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| known.pattern == pattern) {
            Some(known) => known.permission |= permission,
            None => self.keys.push(KeyPattern { pattern: pattern.to_vec(), permission }),
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::ChannelsAlreadyAll);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| known == pattern) {
            self.channels.push(pattern.to_vec());
        }
        Ok(())
    }

    /// Whether what `wanted` says may be done to `key`; nothing wanted: the key must be matched at all.
    pub fn permits_key(&self, key: &[u8], wanted: u8) -> bool {
        let fits = |known: &KeyPattern| {
            known.permission & wanted == wanted && glob_match(&known.pattern, key, false)
        };
        self.all_keys || self.keys.iter().any(fits)
    }

    /// Whether every key may be read.
    pub fn reads_all_keys(&self) -> bool {
        let reads = |known: &KeyPattern| known.permission & permission::READ != 0 && known.pattern == b"*";
        self.all_keys || self.keys.iter().any(reads)
    }

    /// Whether a channel may be used, or a pattern subscribed to (which must then be listed literally).
    pub fn permits_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        let fits = |known: &Vec<u8>| match is_pattern {
            true => known == name,
            false => glob_match(known, name, false),
        };
        self.all_channels || self.channels.iter().any(fits)
    }
}

/// Whether a pattern or name contains what the file format cannot hold: white space or NUL.
pub fn has_spaces(word: &[u8]) -> bool {
    word.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0))
}
