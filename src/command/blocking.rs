//! How a handler blocks: what it hands over instead of a reply, and how it is called again when a key is ready.
//!
//! Used by the handlers of BLPOP and its like, BZPOPMIN and its like, XREAD, XREADGROUP. `session::blocking` reads [`Outcome::block`] and parks the
//! session; `session::offer` calls the handler again. The life of a blocking handler:
//! 1. It checks its arguments ([`parse_deadline`] for the timeout) and looks at its keys in order, skipping those that [`Cx::considers`] denies.
//! 2. Found something: it replies and propagates as its non-blocking form would. That is all, on the first call as on a later one.
//! 3. Found nothing: it writes the reply for an empty hand if [`Cx::may_block`] is false (MULTI, scripts), else calls [`Cx::block`] and returns
//!    `Ok(())` without a reply. Called again and still empty-handed, it calls [`Cx::block`] again and keeps its place in every queue.
//!
//! Invariant: when called again `considers` is true for the one ready key only, so a client is served from the key that became ready (redis 7.0).
//! A key that comes into being (in any way) wakes its waiters by itself; [`Cx::signal_ready`] is for what an existing key has more of (XADD), or for a
//! group that goes (XGROUP DESTROY). Bounds: none of its own. Why call the handler again and not a second function per command: one body, one behaviour.

use smallvec::SmallVec;

use crate::base::number::{parse_i64, parse_long_double};
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::keyspace::{Key, Probe, ValueType};
use crate::resp::{Out, OwnedCommand};

/// What a blocked client gets when its time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTimeout {
    /// A null array (`*-1`, or `_`).
    #[default]
    NullArray,
    /// A null (`$-1`, or `_`).
    Null,
    /// How many replicas have acknowledged (WAIT).
    Acks,
    /// Whether the own append only file has it, and of how many replicas (WAITAOF).
    AofAcks,
}

impl OnTimeout {
    /// Whether it tells of the own append only file.
    pub fn is_of_file(self) -> bool {
        self == Self::AofAcks
    }

    /// Writes it; `has_locally`: the own append only file has what the client wrote.
    pub fn write(self, out: &mut Out, has_locally: bool) {
        match self {
            Self::NullArray => out.null_array(),
            Self::Null => out.null(),
            Self::Acks => out.integer(0),
            Self::AofAcks => {
                out.array(2);
                out.integer(i64::from(has_locally));
                out.integer(0);
            }
        }
    }
}

/// A key to wait for; the probe may know better when it is worth waking (`None`: whenever the key is of the right type).
pub type BlockKey = (Box<[u8]>, Option<Probe>);

/// What a command waits for.
pub struct BlockSpec {
    /// The type that can serve it; keys of other types are waited for as well.
    pub kind: ValueType,
    /// The keys, in the command's order.
    pub keys: SmallVec<[BlockKey; 1]>,
    /// Internal ms at which it gives up; 0: never.
    pub deadline_ms: u64,
    /// What it is told then.
    pub on_timeout: OnTimeout,
    /// It is served once the own append only file has what the client wrote.
    pub ends_locally: bool,
    /// It is also called again when a key goes or changes its type.
    pub on_nokey: bool,
    /// The second key that serving it writes to (BLMOVE's destination): its shard is taken along.
    pub feeds: Option<Box<[u8]>>,
    /// The words to be called again with, if not those it came with (`$` in XREAD becomes an id).
    pub words: Option<OwnedCommand>,
}

impl BlockSpec {
    /// Waits for a value of `kind` under any of `keys`.
    pub fn new<'k>(kind: ValueType, keys: impl Iterator<Item = &'k [u8]>, deadline_ms: u64) -> BlockSpec {
        BlockSpec {
            kind,
            keys: keys.map(|key| (Box::from(key), None)).collect(),
            deadline_ms,
            on_timeout: OnTimeout::default(),
            ends_locally: false,
            on_nokey: false,
            feeds: None,
            words: None,
        }
    }
}

/// The part of [`super::Outcome`] that is about blocking. Its default denies blocking.
#[derive(Default)]
pub struct Blocking {
    /// Whether the command may block.
    pub may_block: bool,
    /// The handler's wish.
    pub block: Option<Box<BlockSpec>>,
    /// The key that woke it; `None`: the first call.
    pub woken_by: Option<Box<[u8]>>,
    /// The own append only file has all the client wrote (known to WAITAOF only).
    pub has_locally: bool,
}

impl Cx<'_> {
    /// Whether the command may block: not in MULTI or a script.
    #[inline]
    pub fn may_block(&self) -> bool {
        self.outcome.blocking.may_block
    }

    /// Whether the command is to look at `key`: all of them on the first call, later only the one that is ready.
    #[inline]
    pub fn considers(&self, key: &[u8]) -> bool {
        self.outcome.blocking.woken_by.as_deref().is_none_or(|woken_by| woken_by == key)
    }

    /// Whether this is a later call.
    pub fn is_woken(&self) -> bool {
        self.outcome.blocking.woken_by.is_some()
    }

    /// Waits; the handler returns `Ok(())` without a reply. Only if [`Cx::may_block`].
    pub fn block(&mut self, spec: BlockSpec) {
        debug_assert!(self.may_block());
        self.outcome.blocking.block = Some(Box::new(spec));
    }

    /// A key that was there may now serve those who wait for it (XADD, XGROUP DESTROY).
    #[inline]
    pub fn signal_ready(&mut self, key: &Key<'_>) {
        let db = self.db;
        self.space(key).common.waiters.created(db, key.bytes);
    }
}

/// A timeout in (fractional) seconds, as lists and sorted sets take it, as a [`BlockSpec::deadline_ms`].
pub fn parse_deadline(cx: &Cx<'_>, word: &[u8]) -> Result<u64, ReplyError> {
    let seconds = parse_long_double(word).ok_or(ReplyError::TimeoutNotFloat)?;
    // redis 7.0 casts without a check: what is too large becomes the least number.
    deadline_of(cx, seconds.times_rounded_up(1000).unwrap_or(i64::MIN))
}

/// A timeout in whole milliseconds, as streams take it, likewise.
pub fn parse_deadline_ms(cx: &Cx<'_>, word: &[u8]) -> Result<u64, ReplyError> {
    let ms = parse_i64(word).ok_or(ReplyError::TimeoutNotInteger)?;
    deadline_of(cx, ms)
}

fn deadline_of(cx: &Cx<'_>, ms: i64) -> Result<u64, ReplyError> {
    let ms = u64::try_from(ms).map_err(|_| ReplyError::TimeoutNegative)?;
    Ok(if ms == 0 { 0 } else { cx.now_ms.saturating_add(ms) })
}
