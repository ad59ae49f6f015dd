//! The one table of configuration directives: name, alias, kind, default, flags, effect, meaning.
//!
//! Everything that knows a directive is derived from here: file and command-line parsing, CONFIG GET/SET/REWRITE,
//! `--help`, the generated listing, the start-up line about directives without effect. The rows live in `schema/`, one
//! file per area; this file defines a row and joins the areas. Called by the rest of `config`; calls nothing above it.
//!
//! Invariants (tested): names and aliases are unique and lower case; every default is accepted by its own kind.
//! Bounds: about 250 rows, looked up by a hash map built once.
//! Why not a derive macro or one struct field per directive: Redis' rules (aliases, hidden and protected directives,
//! percent sizes, repeated lines) are properties of the row, and a row is read more often than it is compiled.

mod cluster;
mod engine;
mod limits;
mod memory;
mod network;
mod own;
mod persistence;
mod process;
mod replication;
mod tls;

use std::collections::HashMap;
use std::sync::LazyLock;

/// Extra check of a text value; the error is Redis' text.
pub type TextCheck = fn(&[u8]) -> Result<(), &'static str>;

/// How a number is written by the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain decimal integer.
    Plain,
    /// Bytes, with an optional unit (`64mb`).
    Memory,
    /// Bytes, or `n%` of maxmemory, kept as the negative number -n.
    MemoryOrPercent,
    /// An octal number (file modes).
    Octal,
}

/// What values a directive takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A number within `min..=max`.
    Number {
        /// How it is written.
        unit: Unit,
        /// Smallest value allowed.
        min: i128,
        /// Largest value allowed.
        max: i128,
    },
    /// One word of a list (or, with `several`, any union of words); each word stands for bits.
    Choice {
        /// The words in the order in which Redis lists them, with their bits.
        words: &'static [(&'static str, u8)],
        /// Whether words may be combined.
        several: bool,
    },
    /// Free text. With `unset_when_empty` the empty text means "not set" and is left out by CONFIG REWRITE.
    Text {
        /// Whether "" means not set.
        unset_when_empty: bool,
        /// Further check, if any.
        check: Option<TextCheck>,
    },
    /// The working directory.
    Directory,
    /// `save <seconds> <changes> ...`.
    SavePoints,
    /// `client-output-buffer-limit <class> <hard> <soft> <seconds> ...`.
    OutputLimits,
    /// Three numbers: primary, replica, child.
    OomValues,
    /// Classes of keyspace notifications.
    NotifyEvents,
    /// Listening addresses.
    Addresses,
    /// `host port`, or `no one`.
    PrimaryAddress,
    /// Percentiles of INFO latencystats.
    Percentiles,
}

/// Whether a directive changes what this server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is obeyed.
    Active,
    /// It is known, checked and shown, but nothing here depends on it; listed once at start when it was set.
    Accepted,
}

/// Can be changed by CONFIG SET (the default: no flag).
pub const MODIFIABLE: u8 = 0;
/// Only file and command line may set it.
pub const IMMUTABLE: u8 = 1;
/// Not matched by patterns of CONFIG GET, only by its exact name.
pub const HIDDEN: u8 = 2;
/// The value must not appear in SLOWLOG, MONITOR or the log.
pub const SENSITIVE: u8 = 4;
/// Takes several words.
pub const MULTI_ARG: u8 = 8;
/// CONFIG SET only where `enable-protected-configs` allows it.
pub const PROTECTED: u8 = 16;
/// CONFIG SET refused while the dataset is being loaded.
pub const DENY_LOADING: u8 = 32;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// The name shown and rewritten.
    pub name: &'static str,
    /// An older name that is understood as well.
    pub alias: Option<&'static str>,
    /// What values it takes.
    pub kind: Kind,
    /// The default, as one would write it in the file; a space separates words.
    pub default: &'static str,
    /// Union of the flag constants of this module.
    pub flags: u8,
    /// Whether it is obeyed here.
    pub effect: Effect,
    /// One line for `--help` and the generated listing.
    pub about: &'static str,
}

impl Directive {
    /// Whether all bits of `flag` are set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag == flag && flag != 0
    }

    const fn new(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Self {
        Directive { name, alias: None, kind, default, flags: MODIFIABLE, effect: Effect::Active, about }
    }

    const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    const fn flags(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    /// Marks the row as known but without effect here.
    const fn accepted(mut self) -> Self {
        self.effect = Effect::Accepted;
        self
    }
}

const I32: i128 = i32::MAX as i128;
const I64: i128 = i64::MAX as i128;

const fn yes_no(name: &'static str, default: bool, about: &'static str) -> Directive {
    Directive::new(name, Kind::Bool, if default { "yes" } else { "no" }, about)
}

const fn number(
    name: &'static str,
    min: i128,
    max: i128,
    default: &'static str,
    about: &'static str,
) -> Directive {
    Directive::new(name, Kind::Number { unit: Unit::Plain, min, max }, default, about)
}

const fn bytes(
    name: &'static str,
    min: i128,
    max: i128,
    default: &'static str,
    about: &'static str,
) -> Directive {
    Directive::new(name, Kind::Number { unit: Unit::Memory, min, max }, default, about)
}

/// Text whose empty value means "not set".
const fn optional_text(name: &'static str, about: &'static str) -> Directive {
    Directive::new(name, Kind::Text { unset_when_empty: true, check: None }, "", about)
}

/// Text that always has a value.
const fn text(name: &'static str, default: &'static str, about: &'static str) -> Directive {
    Directive::new(name, Kind::Text { unset_when_empty: false, check: None }, default, about)
}

const fn checked_text(
    name: &'static str,
    default: &'static str,
    unset_when_empty: bool,
    check: TextCheck,
    about: &'static str,
) -> Directive {
    Directive::new(name, Kind::Text { unset_when_empty, check: Some(check) }, default, about)
}

const fn choice(
    name: &'static str,
    words: &'static [(&'static str, u8)],
    default: &'static str,
    about: &'static str,
) -> Directive {
    Directive::new(name, Kind::Choice { words, several: false }, default, about)
}

/// The areas, in the order of CONFIG GET and of appended lines of CONFIG REWRITE; with the title of the listing.
pub static AREAS: [(&str, &[Directive]); 10] = [
    ("Network and clients", network::ROWS),
    ("Process, log and security", process::ROWS),
    ("Memory, eviction and lazy freeing", memory::ROWS),
    ("Encodings, scripts, latency and limits", limits::ROWS),
    ("Timers, expiry and internals", engine::ROWS),
    ("Persistence", persistence::ROWS),
    ("Replication", replication::ROWS),
    ("Cluster", cluster::ROWS),
    ("TLS", tls::ROWS),
    ("Own directives", own::ROWS),
];

/// Every directive; the position is its index everywhere.
pub static DIRECTIVES: LazyLock<Vec<&'static Directive>> =
    LazyLock::new(|| AREAS.iter().flat_map(|(_, rows)| rows.iter()).collect());

/// A name of the table: the directive's index, and whether this is the older name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name itself, lower case.
    pub text: &'static str,
    /// Index into [`DIRECTIVES`].
    pub index: usize,
    /// Whether it is the alias rather than the primary name.
    pub is_alias: bool,
}

/// All names, primary names before their aliases, in the order of the table.
pub static NAMES: LazyLock<Vec<Name>> = LazyLock::new(|| {
    let mut names = Vec::new();
    for (index, directive) in DIRECTIVES.iter().enumerate() {
        names.push(Name { text: directive.name, index, is_alias: false });
        if let Some(alias) = directive.alias {
            names.push(Name { text: alias, index, is_alias: true });
        }
    }
    names
});

static BY_NAME: LazyLock<HashMap<&'static str, Name>> =
    LazyLock::new(|| NAMES.iter().map(|name| (name.text, *name)).collect());

/// Finds a directive by name or alias, in any case; `None` if unknown.
pub fn find(name: &[u8]) -> Option<Name> {
    let name = std::str::from_utf8(name).ok()?;
    match BY_NAME.get(name) {
        Some(found) => Some(*found),
        None => BY_NAME.get(name.to_ascii_lowercase().as_str()).copied(),
    }
}

/// A directive of the file that is not a setting: it does something, may be repeated, and CONFIG does not know it.
#[derive(Clone, Copy, Debug)]
pub struct FileDirective {
    /// The name.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// One line for the listing.
    pub about: &'static str,
}

/// Directives that only the file parser knows (`file.rs` executes them).
pub static FILE_DIRECTIVES: [FileDirective; 4] = [
    FileDirective {
        name: "include",
        usage: "include <path or pattern>",
        about: "reads further files at this point",
    },
    FileDirective {
        name: "rename-command",
        usage: "rename-command <name> <new name or \"\">",
        about: "renames or removes a command",
    },
    FileDirective {
        name: "user",
        usage: "user <name> <rule> ...",
        about: "an ACL user (when there is no aclfile)",
    },
    FileDirective {
        name: "loadmodule",
        usage: "loadmodule <path> ...",
        about: "refused: this server has no modules",
    },
];

/// Directives of old versions that are read and forgotten, each with exactly one argument.
pub static FORGOTTEN: [&str; 3] =
    ["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Value;

    #[test]
    fn names_are_unique_and_lower_case() {
        let mut seen = std::collections::HashSet::new();
        for name in NAMES.iter() {
            assert!(seen.insert(name.text), "twice: {}", name.text);
            assert_eq!(name.text, name.text.to_ascii_lowercase());
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for directive in DIRECTIVES.iter() {
            let default = Value::default_of(directive);
            assert!(default.is_ok(), "{}: {default:?}", directive.name);
            assert!(!directive.about.is_empty());
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_by_alias() {
        let name = find(b"SLAVE-Priority").expect("known");
        assert!(name.is_alias);
        assert_eq!(DIRECTIVES[name.index].name, "replica-priority");
        assert_eq!(find(b"nope"), None);
        assert_eq!(find(b"\xff"), None);
    }
}
