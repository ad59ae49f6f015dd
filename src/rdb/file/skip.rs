//! Finds the end of an entry without decoding it.
//!
//! Called by `reader`; calls `length`. Each type is a short program of what lies behind the type byte; a [`Skipper`] runs it over the bytes there are and goes on
//! where it stopped when more have come. Invariants: a record that was passed is whole, and each of its primitives is readable; no byte is looked at twice, except
//! the head of a string that is not all there. Bounds: no memory of its own; the time of a step is that of the bytes fed. Why not decode at once: the parser's core is rarely
//! the one that owns the key.
use super::opcode;
use crate::rdb::decode::Damage;
use crate::rdb::kind;
use crate::rdb::length::{self, Stop};

/// What comes next.
#[derive(Debug)]
enum Op {
    /// A string.
    Str,
    /// A number in the encoding of lengths.
    Len,
    /// So many bytes.
    Fixed(usize),
    /// A score of version 1: a length of 253 … 255 stands for itself.
    TextDouble,
    /// A count, then so many times these.
    Loop(&'static [Op]),
    /// A module's data: pieces, each after its opcode, until opcode 0.
    Pieces,
}

use Op::{Fixed, Len, Loop, Pieces, Str, TextDouble};

/// Time and ID of an entry somebody has not acknowledged.
const PENDING: Op = Loop(&[Fixed(16 + 8), Len]);
const OWNED: Op = Loop(&[Fixed(16)]);

/// What lies behind the type byte, the key first.
fn program(kind: u8) -> Option<&'static [Op]> {
    Some(match kind {
        kind::STRING
        | kind::HASH_ZIPMAP
        | kind::LIST_ZIPLIST
        | kind::SET_INTSET
        | kind::ZSET_ZIPLIST
        | kind::HASH_ZIPLIST
        | kind::HASH_LISTPACK
        | kind::ZSET_LISTPACK
        | kind::SET_LISTPACK
        | kind::HASH_LISTPACK_EX_PRE_GA => &[Str, Str],
        kind::LIST | kind::SET | kind::LIST_QUICKLIST => &[Str, Loop(&[Str])],
        kind::ZSET => &[Str, Loop(&[Str, TextDouble])],
        kind::ZSET_2 => &[Str, Loop(&[Str, Fixed(8)])],
        kind::HASH => &[Str, Loop(&[Str, Str])],
        kind::LIST_QUICKLIST_2 => &[Str, Loop(&[Len, Str])],
        kind::HASH_METADATA_PRE_GA => &[Str, Loop(&[Len, Str, Str])],
        kind::HASH_METADATA => &[Str, Fixed(8), Loop(&[Len, Str, Str])],
        kind::HASH_LISTPACK_EX => &[Str, Fixed(8), Str],
        // Key; nodes; length, last ID; groups: name, last ID, pending, consumers: name, seen, their entries.
        kind::STREAM_LISTPACKS => &[
            Str,
            Loop(&[Str, Str]),
            Len,
            Len,
            Len,
            Loop(&[Str, Len, Len, PENDING, Loop(&[Str, Fixed(8), OWNED])]),
        ],
        // And first ID, largest deleted ID, entries added; entries read per group.
        kind::STREAM_LISTPACKS_2 => &[
            Str,
            Loop(&[Str, Str]),
            Len,
            Len,
            Len,
            Len,
            Len,
            Len,
            Len,
            Len,
            Loop(&[Str, Len, Len, Len, PENDING, Loop(&[Str, Fixed(8), OWNED])]),
        ],
        // And the consumers' active time.
        kind::STREAM_LISTPACKS_3 => &[
            Str,
            Loop(&[Str, Str]),
            Len,
            Len,
            Len,
            Len,
            Len,
            Len,
            Len,
            Len,
            Loop(&[Str, Len, Len, Len, PENDING, Loop(&[Str, Fixed(16), OWNED])]),
        ],
        opcode::MODULE_AUX => &[Len, Len, Len, Pieces],
        _ => return None,
    })
}

/// A place in a program.
#[derive(Debug, Clone, Copy)]
struct Frame {
    ops: &'static [Op],
    next: usize,
    rounds: u64,
}

/// Deepest nesting: a consumer's entries within consumers within groups within a stream.
const DEPTH: usize = 4;

/// See the module's text.
#[derive(Debug)]
pub struct Skipper {
    frames: [Frame; DEPTH],
    depth: usize,
    /// Bytes of the record passed, the type byte included.
    pub passed: usize,
}

impl Skipper {
    /// At the beginning of a record of this type (or opcode); None if there is no such type.
    #[inline]
    pub fn new(kind: u8) -> Option<Self> {
        let frame = Frame { ops: program(kind)?, next: 0, rounds: 1 };
        Some(Self { frames: [frame; DEPTH], depth: 0, passed: 1 })
    }

    /// Goes on over `record`, which has all bytes so far and maybe some of what comes behind it. `Ok`: the first [`Self::passed`] bytes are the record.
    ///
    /// # Errors
    /// More bytes are needed, or they cannot be read.
    #[inline]
    pub fn run(&mut self, record: &[u8]) -> Result<(), Stop> {
        loop {
            let frame = &mut self.frames[self.depth];
            let Some(op) = frame.ops.get(frame.next) else {
                frame.rounds -= 1;
                frame.next = 0;
                if frame.rounds == 0 {
                    match self.depth.checked_sub(1) {
                        Some(outer) => self.depth = outer,
                        None => return Ok(()),
                    }
                }
                continue;
            };
            let rest = record.get(self.passed..).ok_or(Stop::More)?;
            let used = match op {
                Str => length::string_span(rest)?,
                Len => length::length(rest)?.1,
                Fixed(len) => whole(rest, *len)?,
                TextDouble => match length::array::<1>(rest)? {
                    [253..=255] => 1,
                    [len] => whole(rest, 1 + usize::from(len))?,
                },
                Pieces => {
                    let (opcode, used) = piece(rest)?;
                    self.passed += used;
                    frame.next += usize::from(opcode == 0);
                    continue;
                }
                Loop(body) => {
                    let (rounds, used) = length::length(rest)?;
                    frame.next += 1;
                    self.passed += used;
                    if rounds > 0 {
                        self.depth += 1;
                        self.frames[self.depth] = Frame { ops: body, next: 0, rounds };
                    }
                    continue;
                }
            };
            frame.next += 1;
            self.passed += used;
        }
    }
}

fn whole(rest: &[u8], len: usize) -> Result<usize, Stop> {
    if rest.len() < len { Err(Stop::More) } else { Ok(len) }
}

/// The opcode of a piece of a module's data, and how many bytes both take.
fn piece(rest: &[u8]) -> Result<(u64, usize), Stop> {
    let (opcode, used) = length::length(rest)?;
    let rest = &rest[used..];
    let content = match opcode {
        0 => 0,
        1 | 2 => length::length(rest)?.1,
        3 => whole(rest, 4)?,
        4 => whole(rest, 8)?,
        5 => length::string_span(rest)?,
        _ => return Err(Stop::Bad(Damage("unknown piece of a module's data"))),
    };
    Ok((opcode, used + content))
}

/// The name in a module's ID: nine characters of six bits, then ten bits of version.
pub fn module_name(id: u64) -> String {
    const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (1..10).map(|place| char::from(CHARACTERS[(id >> (64 - 6 * place)) as usize & 63])).collect()
}
