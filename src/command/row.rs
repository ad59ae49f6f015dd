//! What one command is: the columns of the command tables in `command::rows`.
//!
//! Read by `command::lookup` (name -> row), `command::keyspec` (where the keys are), `command::describe` (COMMAND ...),
//! and by whoever asks for a command's flags: admission, ACL, execution. Everything is `'static` data in the binary: there is no
//! registration code and nothing to initialise. A row without a handler documents a command that is not served (yet).
//!
//! The order of the bit constants is the order in which COMMAND INFO lists their names; `FLAG_NAMES`, `CATEGORY_NAMES` and
//! `KEY_FLAG_NAMES` are indexed by bit.
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::resp::Args;

/// A command's body. It runs on the shard(s) that own the command's keys, writes its reply to the context, and on `Err` the
/// executor replaces whatever it wrote by the error's text.
pub type Handler = fn(&mut Cx<'_>) -> Result<(), ReplyError>;

/// Bits of [`Flags`], in the order in which COMMAND INFO lists them; the last two are never listed.
#[rustfmt::skip]
#[allow(missing_docs)] // each is the flag of its name in Redis' COMMAND documentation
pub mod flag {
    pub const WRITE: u32 = 1 << 0;
    pub const READONLY: u32 = 1 << 1;
    pub const DENYOOM: u32 = 1 << 2;
    pub const MODULE: u32 = 1 << 3;
    pub const ADMIN: u32 = 1 << 4;
    pub const PUBSUB: u32 = 1 << 5;
    pub const NOSCRIPT: u32 = 1 << 6;
    pub const BLOCKING: u32 = 1 << 7;
    pub const LOADING: u32 = 1 << 8;
    pub const STALE: u32 = 1 << 9;
    pub const SKIP_MONITOR: u32 = 1 << 10;
    pub const SKIP_SLOWLOG: u32 = 1 << 11;
    pub const ASKING: u32 = 1 << 12;
    pub const FAST: u32 = 1 << 13;
    pub const NO_AUTH: u32 = 1 << 14;
    pub const NO_MANDATORY_KEYS: u32 = 1 << 15;
    pub const NO_ASYNC_LOADING: u32 = 1 << 16;
    pub const NO_MULTI: u32 = 1 << 17;
    pub const MOVABLEKEYS: u32 = 1 << 18;
    pub const ALLOW_BUSY: u32 = 1 << 19;
    /// Not readonly, yet may leave an effect (EVAL, PUBLISH, PFCOUNT): held back while writes are paused.
    pub const MAY_REPLICATE: u32 = 1 << 20;
    /// Served only where `enable-debug-command` / `enable-module-command` allow it.
    pub const PROTECTED: u32 = 1 << 21;
    /// May block, although COMMAND does not say so (WAIT, WAITAOF).
    pub const WAITS: u32 = 1 << 22;
}

/// Names of the listed flags by bit; shorter than the number of bits: hidden flags have none.
#[rustfmt::skip]
pub const FLAG_NAMES: [&str; 20] = [
    "write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking", "loading", "stale",
    "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth", "no_mandatory_keys", "no_async_loading", "no_multi",
    "movablekeys", "allow_busy",
];

/// Bits of [`Categories`], in the order of ACL CAT.
#[rustfmt::skip]
#[allow(missing_docs)] // each is the ACL category of its name
pub mod category {
    pub const KEYSPACE: u32 = 1 << 0;
    pub const READ: u32 = 1 << 1;
    pub const WRITE: u32 = 1 << 2;
    pub const SET: u32 = 1 << 3;
    pub const SORTEDSET: u32 = 1 << 4;
    pub const LIST: u32 = 1 << 5;
    pub const HASH: u32 = 1 << 6;
    pub const STRING: u32 = 1 << 7;
    pub const BITMAP: u32 = 1 << 8;
    pub const HYPERLOGLOG: u32 = 1 << 9;
    pub const GEO: u32 = 1 << 10;
    pub const STREAM: u32 = 1 << 11;
    pub const PUBSUB: u32 = 1 << 12;
    pub const ADMIN: u32 = 1 << 13;
    pub const FAST: u32 = 1 << 14;
    pub const SLOW: u32 = 1 << 15;
    pub const BLOCKING: u32 = 1 << 16;
    pub const DANGEROUS: u32 = 1 << 17;
    pub const CONNECTION: u32 = 1 << 18;
    pub const TRANSACTION: u32 = 1 << 19;
    pub const SCRIPTING: u32 = 1 << 20;
}

/// ACL category names by bit, without the `@`.
#[rustfmt::skip]
pub const CATEGORY_NAMES: [&str; 21] = [
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
    "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
];

/// Bits of [`KeyFlags`]. The first four say what the command does to the key's whole, the next four what happens to the
/// user's data in it; none of them: metadata only.
#[rustfmt::skip]
#[allow(missing_docs)] // each is the key-spec flag of its name
pub mod key_flag {
    pub const RO: u16 = 1 << 0;
    pub const RW: u16 = 1 << 1;
    pub const OW: u16 = 1 << 2;
    pub const RM: u16 = 1 << 3;
    pub const ACCESS: u16 = 1 << 4;
    pub const UPDATE: u16 = 1 << 5;
    pub const INSERT: u16 = 1 << 6;
    pub const DELETE: u16 = 1 << 7;
    /// The argument is routed like a key but is none (a sharded pub/sub channel).
    pub const NOT_KEY: u16 = 1 << 8;
    /// The spec finds not all keys: `Movable` does.
    pub const INCOMPLETE: u16 = 1 << 9;
    /// The flags depend on other arguments: `Movable` tells.
    pub const VARIABLE_FLAGS: u16 = 1 << 10;
}

/// Key-spec flag names by bit.
pub const KEY_FLAG_NAMES: [&str; 11] = [
    "RO",
    "RW",
    "OW",
    "RM",
    "access",
    "update",
    "insert",
    "delete",
    "not_key",
    "incomplete",
    "variable_flags",
];

/// Bits of [`DocFlags`].
#[allow(missing_docs)] // each is the doc flag of its name
pub mod doc_flag {
    pub const DEPRECATED: u8 = 1 << 0;
    pub const SYSCMD: u8 = 1 << 1;
}

/// Doc flag names by bit.
pub const DOC_FLAG_NAMES: [&str; 2] = ["deprecated", "syscmd"];

/// A set of [`flag`] bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// Whether any of `bits` is set.
    #[inline]
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }
}

/// A set of [`category`] bits: the command's ACL categories, the implied ones (@fast, @write, ...) included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Categories(pub u32);

/// A set of [`key_flag`] bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFlags(pub u16);

impl KeyFlags {
    /// Whether any of `bits` is set.
    #[inline]
    pub const fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }
}

/// A set of [`doc_flag`] bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocFlags(pub u8);

/// Where a key spec begins to look for keys. Indexes count the command's name as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(i32),
    /// Behind the argument equal (in any case) to `word`, searched from `start`; a negative `start` counts from the end and
    /// searches backwards.
    Keyword {
        /// The token.
        word: &'static str,
        /// First argument looked at.
        start: i32,
    },
    /// Not expressible.
    Unknown,
}

/// Which arguments from there on are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// From the beginning to `last` (relative; negative: from the end of the arguments), every `step`th. With `last` -1 and a
    /// `limit` above 1 only the first 1/limit of the remaining arguments.
    Range {
        /// Relative index of the last key.
        last: i32,
        /// Distance of two keys.
        step: i32,
        /// 0 and 1: no limit.
        limit: i32,
    },
    /// The argument `at` (relative) holds the number of keys, which begin at `first` (relative).
    Count {
        /// Relative index of the count.
        at: i32,
        /// Relative index of the first key.
        first: i32,
        /// Distance of two keys.
        step: i32,
    },
    /// Not expressible.
    Unknown,
}

/// One declaration of where keys are and what happens to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Shown by COMMAND INFO where not empty.
    pub notes: &'static str,
    /// What happens to the keys found.
    pub flags: KeyFlags,
    /// Where to begin.
    pub begin: Begin,
    /// How to go on.
    pub find: Find,
}

impl KeySpec {
    /// The common case: one key at argument `at`.
    pub const fn key(at: i32, flags: u16) -> KeySpec {
        KeySpec {
            notes: "",
            flags: KeyFlags(flags),
            begin: Begin::Index(at),
            find: Find::Range { last: 0, step: 1, limit: 0 },
        }
    }
}

/// The extraction used where the key specs alone cannot tell (see `command::keyspec`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movable {
    /// The key specs are complete.
    No,
    /// Argument `count` is the number of keys behind it; `store` (0: none) is a destination key.
    Counted {
        /// Index of the destination key or 0.
        store: u8,
        /// Index of the count.
        count: u8,
    },
    /// SET: read as well if GET is among the options.
    Set,
    /// BITFIELD: written unless all operations are GET.
    Bitfield,
    /// SORT: the key and the last STORE destination.
    Sort,
    /// SORT_RO: the key.
    SortReadOnly,
    /// MIGRATE: argument 3, or those behind KEYS.
    Migrate,
    /// GEORADIUS, GEORADIUSBYMEMBER: the key and the last STORE or STOREDIST destination.
    GeoRadius,
    /// XREAD, XREADGROUP: the first half of what follows STREAMS.
    XRead,
}

/// The kind of an argument in COMMAND DOCS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the argument type of its name
pub enum Kind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    Oneof,
    Block,
}

impl Kind {
    /// As COMMAND DOCS writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::Key => "key",
            Kind::Pattern => "pattern",
            Kind::UnixTime => "unix-time",
            Kind::PureToken => "pure-token",
            Kind::Oneof => "oneof",
            Kind::Block => "block",
        }
    }
}

/// One documented argument. Empty strings are absent fields.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name in the documentation.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Which key spec finds it; negative: none.
    pub key_spec: i8,
    /// The literal that is sent (pure-token) or precedes the value; `None`: absent (an empty one is MIGRATE's empty key).
    pub token: Option<&'static str>,
    /// First version that had it.
    pub since: &'static str,
    /// First version in which it was deprecated.
    pub deprecated_since: &'static str,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// When repeated, its token is repeated too.
    pub multiple_token: bool,
    /// Parts of a oneof or block.
    pub args: &'static [Arg],
}

/// The base of every [`Arg`] literal: all fields absent.
pub const ARG: Arg = Arg {
    name: "",
    kind: Kind::String,
    key_spec: -1,
    token: None,
    since: "",
    deprecated_since: "",
    optional: false,
    multiple: false,
    multiple_token: false,
    args: &[],
};

/// One command or subcommand. Empty strings and slices are absent fields.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Lower case, without the container: `get` of CONFIG GET.
    pub name: &'static str,
    /// What replies and statistics call it: `config|get`.
    pub full_name: &'static str,
    /// The parent's name; empty for top-level commands.
    pub container: &'static str,
    /// The body; `None`: not served by a shard (a control command, a pure container, or not implemented).
    pub handler: Option<Handler>,
    /// Number of arguments with the command's (and subcommand's) name; negative: at least that many.
    pub arity: i16,
    /// What the command may do and when it may run.
    pub flags: Flags,
    /// ACL categories.
    pub acl: Categories,
    /// Index of the first key, 0: none. These three are the old key description; `keyspecs` is the exact one.
    pub first_key: i16,
    /// Index of the last key, negative: from the end.
    pub last_key: i16,
    /// Distance of two keys.
    pub step: i16,
    /// Where the keys are.
    pub keyspecs: &'static [KeySpec],
    /// How to find keys where `keyspecs` does not suffice.
    pub movable: Movable,
    /// Whether words make it read keys that no word names (SORT's patterns): every shard must then be in hand.
    pub beyond: Option<fn(&Args<'_>) -> bool>,
    /// Documentation group.
    pub group: &'static str,
    /// First version that had it.
    pub since: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Time complexity.
    pub complexity: &'static str,
    /// Deprecated, internal.
    pub doc_flags: DocFlags,
    /// First version in which it was deprecated.
    pub deprecated_since: &'static str,
    /// What to use instead.
    pub replaced_by: &'static str,
    /// (version, what changed).
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// Documented arguments.
    pub args: &'static [Arg],
    /// Subcommands, sorted by name.
    pub subcommands: &'static [Row],
}

/// The base of every [`Row`] literal: all fields absent.
pub const ROW: Row = Row {
    name: "",
    full_name: "",
    container: "",
    handler: None,
    arity: 0,
    flags: Flags(0),
    acl: Categories(0),
    first_key: 0,
    last_key: 0,
    step: 0,
    keyspecs: &[],
    movable: Movable::No,
    beyond: None,
    group: "",
    since: "",
    summary: "",
    complexity: "",
    doc_flags: DocFlags(0),
    deprecated_since: "",
    replaced_by: "",
    history: &[],
    tips: &[],
    args: &[],
    subcommands: &[],
};

impl Row {
    /// Whether any of these [`flag`] bits is set.
    #[inline]
    pub const fn has(&self, bits: u32) -> bool {
        self.flags.has(bits)
    }

    /// Whether `argc` arguments (names included) satisfy the arity.
    #[inline]
    pub const fn arity_fits(&self, argc: usize) -> bool {
        if self.arity >= 0 { argc == self.arity as usize } else { argc >= self.arity.unsigned_abs() as usize }
    }

    /// Whether any argument can be a key.
    pub fn has_keys(&self) -> bool {
        self.movable != Movable::No || self.keyspecs.iter().any(|s| !s.flags.has(key_flag::NOT_KEY))
    }
}
