//! A user: a name, passwords, and one or more selectors.
//!
//! Changed only as a copy, by `users`; sessions hold an `Arc` of it. Invariant: `selectors[0]` is the user's own, the rest are those in
//! parentheses, in order. Bounds: the operator's.

use super::password::PasswordHash;
use super::rule_error::RuleError;
use super::selector::Selector;
use crate::config::words;

/// Whether dump payloads of this user are checked deeply: as the rules said, for ACL LIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sanitize {
    /// No rule said anything.
    Unset,
    /// `sanitize-payload`.
    Always,
    /// `skip-sanitize-payload`.
    Skip,
}

/// One user.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: Vec<u8>,
    /// Tells it from an earlier user of the same name, whose clients must not live on.
    pub serial: u64,
    /// May log in.
    pub enabled: bool,
    /// Any password will do.
    pub nopass: bool,
    /// Deep checks of payloads.
    pub sanitize: Sanitize,
    /// Hashes, oldest first.
    pub passwords: Vec<PasswordHash>,
    /// The user's own rights, then those in parentheses.
    pub selectors: Vec<Selector>,
}

impl User {
    /// A user without rights, password or permission to log in.
    pub fn new(name: &[u8], serial: u64, all_channels: bool) -> User {
        User {
            name: name.to_vec(),
            serial,
            enabled: false,
            nopass: false,
            sanitize: Sanitize::Unset,
            passwords: Vec::new(),
            selectors: vec![Selector::new(all_channels)],
        }
    }

    /// The default user as it is without any configuration: may do everything, without password.
    pub fn new_default(serial: u64) -> User {
        let mut user = User::new(b"default", serial, true);
        user.enabled = true;
        user.nopass = true;
        user.selectors[0].all_keys = true;
        let everything = user.selectors[0].apply(b"+@all");
        debug_assert!(everything.is_ok());
        user
    }

    /// Whether no command can be refused.
    pub fn is_unrestricted(&self) -> bool {
        self.selectors.iter().any(Selector::is_unrestricted)
    }

    /// Whether one may log in with this password.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if !self.enabled || self.nopass {
            return self.enabled;
        }
        let hash = PasswordHash::of(password);
        self.passwords.iter().fold(false, |found, known| found | known.is_same(&hash))
    }

    /// Applies one rule; `all_channels` is acl-pubsub-default. Errors: the rule's; nothing has changed then.
    pub fn apply(&mut self, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
        let is = |name: &str| rule.eq_ignore_ascii_case(name.as_bytes());
        if rule.is_empty() {
            return Ok(());
        }
        if is("on") || is("off") {
            self.enabled = is("on");
        } else if is("nopass") || is("resetpass") {
            self.nopass = is("nopass");
            self.passwords.clear();
        } else if is("skip-sanitize-payload") {
            self.sanitize = Sanitize::Skip;
        } else if is("sanitize-payload") {
            self.sanitize = Sanitize::Always;
        } else if is("clearselectors") {
            self.selectors.truncate(1);
        } else if is("reset") {
            self.reset(all_channels);
        } else {
            return match rule {
                [sign @ (b'>' | b'#'), secret @ ..] => self.add_password(*sign == b'#', secret),
                [sign @ (b'<' | b'!'), secret @ ..] => self.remove_password(*sign == b'!', secret),
                [b'(', inner @ .., b')'] => self.add_selector(inner, all_channels),
                _ => self.selectors[0].apply(rule),
            };
        }
        Ok(())
    }

    fn reset(&mut self, all_channels: bool) {
        let (name, serial) = (std::mem::take(&mut self.name), self.serial);
        *self = User::new(&name, serial, all_channels);
        self.sanitize = Sanitize::Always;
    }

    fn add_password(&mut self, is_hash: bool, secret: &[u8]) -> Result<(), RuleError> {
        let hash = hash_of(is_hash, secret)?;
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.nopass = false;
        Ok(())
    }

    fn remove_password(&mut self, is_hash: bool, secret: &[u8]) -> Result<(), RuleError> {
        let hash = hash_of(is_hash, secret)?;
        let at = self.passwords.iter().position(|known| *known == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    fn add_selector(&mut self, inner: &[u8], all_channels: bool) -> Result<(), RuleError> {
        let mut selector = Selector::new(all_channels);
        for rule in words::split_plain(inner).unwrap_or_default() {
            selector.apply(&rule)?;
        }
        self.selectors.push(selector);
        Ok(())
    }

    /// Whether a client of this user that is subscribed to these must be disconnected now that `before` has become this user.
    pub fn loses<'n>(&self, before: &User, mut subscribed: impl Iterator<Item = (&'n [u8], bool)>) -> bool {
        if self.selectors.iter().any(|selector| selector.all_channels) {
            return false;
        }
        let now: Vec<&Vec<u8>> = self.selectors.iter().flat_map(|selector| &selector.channels).collect();
        let had_all = before.selectors.iter().any(|selector| selector.all_channels);
        let mut then = before.selectors.iter().flat_map(|selector| &selector.channels);
        if !had_all && then.all(|known| now.contains(&known)) {
            return false;
        }
        subscribed.any(|(name, is_pattern)| {
            !self.selectors.iter().any(|selector| selector.permits_channel(name, is_pattern))
        })
    }
}

fn hash_of(is_hash: bool, secret: &[u8]) -> Result<PasswordHash, RuleError> {
    match is_hash {
        true => PasswordHash::parse(secret).ok_or(RuleError::BadHash),
        false => Ok(PasswordHash::of(secret)),
    }
}
