//! All values of the configuration: CONFIG GET and CONFIG SET, and what the file parser fills.
//!
//! Called by `file` and `cmdline` at start, by the CONFIG commands later, by `settings` and `rewrite`. A `Config` is
//! plain data: the server keeps one behind an `Arc`, changes a clone and swaps it whole on every core.
//! Invariants: `values[i]` satisfies `DIRECTIVES[i]`; [`Config::set`] changes everything it was asked to, or nothing.
//! The one side effect is the working directory, which belongs to the process (as in Redis). Bounds: one value per row.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::schema::{
    self, DENY_LOADING, DIRECTIVES, Effect, HIDDEN, IMMUTABLE, Kind, MULTI_ARG, NAMES, PROTECTED,
};
use super::value::Value;
use crate::base::glob::glob_match;

/// Where a line of the configuration stands, for errors found later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Line number within its file, from 1.
    pub line: usize,
    /// The line, trimmed.
    pub text: Vec<u8>,
}

/// A `rename-command` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The command.
    pub from: Vec<u8>,
    /// Its new name; empty removes the command.
    pub to: Vec<u8>,
    /// Where it stands.
    pub place: Place,
}

/// A `user` line: the words behind `user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// Name and rules.
    pub words: Vec<Vec<u8>>,
    /// Where it stands.
    pub place: Place,
}

/// What CONFIG SET must know about its caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetBy {
    /// Whether the client is on this machine (loopback or Unix socket).
    pub local: bool,
    /// Whether the dataset is being loaded.
    pub loading: bool,
}

/// Why CONFIG SET did nothing. `Display` gives the reply's text, with its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// No such directive (the name as given).
    Unknown(Vec<u8>),
    /// Refused; `name` is the directive as given or matched.
    Failed {
        /// The directive.
        name: String,
        /// Redis' text.
        reason: String,
    },
    /// Not while loading.
    Loading,
}

impl SetError {
    /// A change that was valid but could not be carried out (a port in use, a log file that cannot be opened).
    pub fn failed(name: &str, reason: impl Into<String>) -> Self {
        SetError::Failed { name: name.into(), reason: reason.into() }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Unknown(name) => {
                let name = String::from_utf8_lossy(name).replace(['\r', '\n'], " ");
                write!(out, "ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            SetError::Failed { name, reason } => {
                write!(out, "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
            SetError::Loading => out.write_str("LOADING Redis is loading the dataset in memory"),
        }
    }
}

impl std::error::Error for SetError {}

/// All values, and the lines that are not values.
#[derive(Clone, Debug)]
pub struct Config {
    values: Vec<Value>,
    explicit: BTreeSet<usize>,
    /// Whether a `save` line was seen: the first one replaces the defaults, further ones add.
    save_seen: bool,
    /// `rename-command` lines in order.
    pub renames: Vec<Rename>,
    /// `user` lines in order.
    pub users: Vec<UserLine>,
    /// Absolute path of the configuration file, if there is one.
    pub path: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// All defaults.
    pub fn new() -> Self {
        let default = |directive: &&'static schema::Directive| match Value::default_of(directive) {
            Ok(value) => value,
            Err(error) => unreachable!("default of {}: {error}", directive.name),
        };
        Config {
            values: DIRECTIVES.iter().map(default).collect(),
            explicit: BTreeSet::new(),
            save_seen: false,
            renames: Vec::new(),
            users: Vec::new(),
            path: None,
        }
    }

    /// The value of the directive at `index`.
    pub fn value_at(&self, index: usize) -> &Value {
        &self.values[index]
    }

    /// The value of a directive of the table; asking for another name is a bug.
    pub fn value(&self, name: &str) -> &Value {
        let Some(found) = schema::find(name.as_bytes()) else { unreachable!("no directive {name}") };
        &self.values[found.index]
    }

    /// Sets one directive by the words of a file, of the command line, or of the server itself (REPLICAOF).
    ///
    /// Errors: Redis' text, without prefix.
    pub fn assign(&mut self, index: usize, words: &[Vec<u8>]) -> Result<(), String> {
        let directive = DIRECTIVES[index];
        let mut value = Value::parse(directive, words, Some(&self.values[index]))?;
        if let (Value::SavePoints(points), Value::SavePoints(before)) = (&mut value, &self.values[index]) {
            let blank = points.is_empty();
            if self.save_seen && !blank {
                points.splice(0..0, before.iter().copied());
            }
            self.save_seen = true;
        }
        self.values[index] = value;
        self.explicit.insert(index);
        Ok(())
    }

    /// The primary's address as REPLICAOF changes it at run time, for CONFIG GET and REWRITE.
    pub fn set_primary(&mut self, address: Option<(Vec<u8>, u16)>) {
        if let Some(found) = schema::find(b"replicaof") {
            self.values[found.index] = Value::PrimaryAddress(address);
        }
    }

    /// Names that were set in file or command line but have no effect here, in the order of the table.
    pub fn accepted_without_effect(&self) -> Vec<&'static str> {
        let named = self.explicit.iter().map(|index| DIRECTIVES[*index]);
        named
            .filter(|directive| directive.effect == Effect::Accepted)
            .map(|directive| directive.name)
            .collect()
    }

    /// CONFIG GET: names and values that match any of `patterns`, each once, in the order of the table for patterns.
    /// A name without `* ? [` is answered as it was spelled.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |name: &[u8], index: usize| {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                found.push((name.to_vec(), self.values[index].show(DIRECTIVES[index])));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
                if let Some(name) = schema::find(pattern) {
                    add(pattern, name.index);
                }
                continue;
            }
            for name in NAMES.iter().filter(|name| !DIRECTIVES[name.index].has(HIDDEN)) {
                if glob_match(pattern, name.text.as_bytes(), true) {
                    add(name.text.as_bytes(), name.index);
                }
            }
        }
        found
    }

    /// CONFIG SET: all pairs or none. Returns the indices of the directives whose value changed, in the order given.
    ///
    /// Carrying the change out (sockets, limits, log level) is the caller's; if that fails it keeps the old `Config`
    /// and answers [`SetError::failed`]. Errors: see [`SetError`].
    pub fn set(&mut self, pairs: &[(&[u8], &[u8])], by: SetBy) -> Result<Vec<usize>, SetError> {
        let names = self.admit(pairs, by)?;
        let mut values = Vec::with_capacity(pairs.len());
        for (name, (_, text)) in names.iter().zip(pairs) {
            let directive = DIRECTIVES[name.index];
            let words: Vec<Vec<u8>> = match text {
                [] if directive.has(MULTI_ARG) => Vec::new(),
                _ if directive.has(MULTI_ARG) => {
                    text.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect()
                }
                _ => vec![text.to_vec()],
            };
            let value = Value::parse(directive, &words, Some(&self.values[name.index]));
            values.push((name.index, value.map_err(|reason| SetError::failed(name.text, reason))?));
        }
        for (name, (index, value)) in names.iter().zip(&values) {
            if let (Kind::Directory, Value::Text(Some(path))) = (DIRECTIVES[*index].kind, value) {
                enter_directory(path).map_err(|reason| SetError::failed(name.text, reason))?;
            }
        }
        let mut changed = Vec::new();
        for (index, value) in values {
            if self.values[index] != value || matches!(DIRECTIVES[index].kind, Kind::Directory) {
                changed.push(index);
                self.values[index] = value;
            }
        }
        Ok(changed)
    }

    /// Looks at all names before any value, in Redis' order of errors.
    fn admit(&self, pairs: &[(&[u8], &[u8])], by: SetBy) -> Result<Vec<schema::Name>, SetError> {
        let mut names: Vec<schema::Name> = Vec::with_capacity(pairs.len());
        for (given, _) in pairs {
            let Some(name) = schema::find(given) else { return Err(SetError::Unknown(given.to_vec())) };
            let directive = DIRECTIVES[name.index];
            let shown = String::from_utf8_lossy(given);
            if directive.has(IMMUTABLE) {
                return Err(SetError::failed(&shown, "can't set immutable config"));
            }
            if directive.has(PROTECTED) && !self.allows("enable-protected-configs", by.local) {
                return Err(SetError::failed(&shown, "can't set protected config"));
            }
            if by.loading && directive.has(DENY_LOADING) {
                return Err(SetError::Loading);
            }
            // Redis takes a directive and its alias for two (the later one wins).
            if names.contains(&name) {
                return Err(SetError::failed(&shown, "duplicate parameter"));
            }
            names.push(name);
        }
        Ok(names)
    }

    /// Whether one of `enable-protected-configs`, `enable-debug-command`, `enable-module-command` lets a client in.
    pub fn allows(&self, name: &str, local: bool) -> bool {
        match self.value(name) {
            Value::Choice(1) => true,
            Value::Choice(2) => local,
            _ => false,
        }
    }

    /// Whether the value at this name must not be shown in SLOWLOG, MONITOR or the log.
    pub fn is_sensitive(name: &[u8]) -> bool {
        schema::find(name).is_some_and(|name| DIRECTIVES[name.index].has(schema::SENSITIVE))
    }
}

fn enter_directory(path: &[u8]) -> Result<(), String> {
    use std::os::unix::ffi::OsStrExt;
    std::env::set_current_dir(std::ffi::OsStr::from_bytes(path)).map_err(|error| system_text(&error))
}

/// The system's words for an error, without Rust's `(os error n)`.
pub fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_string(),
        None => text,
    }
}
