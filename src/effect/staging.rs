//! Effects on their way into the log: the unit being executed, then the batch of the turn.
//!
//! `command::Cx` adds effects while a handler runs, `shard::execute` opens and closes units and seals the batch at the
//! end of a turn. A unit with more than one effect becomes `MULTI … EXEC`, so a reader never applies half of it.
//!
//! Invariant: the staged bytes are a self-contained piece of stream that begins and ends in database 0.
//! Bounds: the largest command. Why in place: nearly all units have one effect; the second one moves the first to make room for MULTI, and what
//! expired on access is moved in before the command that found it.

use smallvec::SmallVec;

use super::codec::{append_command, append_select};
use super::log::EntryIndex;

/// What a write was, beside its stock words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The words are the operation.
    Plain,
    /// A numeric delta whose stock words carry the result (INCRBYFLOAT leaves as SET … KEEPTTL).
    FloatDelta(u64),
    /// A key that reached its time.
    Expired,
    /// A key that made room.
    Evicted,
}

/// One deterministic write: stock words plus what the stock stream does not carry.
pub struct Effect<'a> {
    /// Database index.
    pub db: usize,
    /// Slot of its first key; `None` for keyless effects (FLUSHALL).
    pub slot: Option<u16>,
    /// The kept operation.
    pub kind: Kind,
    /// The stock command.
    pub words: SmallVec<[&'a [u8]; 8]>,
}

/// The open batch of one core.
#[derive(Default)]
pub struct Staging {
    /// Closed units, then the open one from `unit_at` on.
    bytes: Vec<u8>,
    index: Vec<EntryIndex>,
    keeps_index: bool,
    /// The database the closed units leave selected.
    db: usize,
    unit_at: usize,
    unit_index_at: usize,
    unit_effects: usize,
    unit_db: usize,
}

/// What stands before a unit of several effects.
const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
/// What stands behind it.
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

impl Staging {
    /// Whether a row per effect is kept beside the bytes.
    pub fn keep_index(&mut self, keeps: bool) {
        self.keeps_index = keeps;
    }

    /// Bytes staged.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds one effect to the open unit.
    pub fn add(&mut self, effect: &Effect<'_>) {
        if self.unit_effects == 1 {
            self.insert(self.unit_at, self.unit_index_at, MULTI);
        }
        let from = self.bytes.len();
        if self.unit_db != effect.db {
            append_select(&mut self.bytes, effect.db);
            self.unit_db = effect.db;
        }
        append_command(&mut self.bytes, effect.words.len(), effect.words.iter().copied());
        self.unit_effects += 1;
        if self.keeps_index {
            self.index.push(row(effect, from, self.bytes.len()));
        }
    }

    /// Adds an effect in front of the open unit's: what expired on access, before the command that found it.
    pub fn add_early(&mut self, effect: &Effect<'_>) {
        let mut early = Vec::new();
        if self.db != effect.db {
            append_select(&mut early, effect.db);
        }
        append_command(&mut early, effect.words.len(), effect.words.iter().copied());
        if self.db != effect.db {
            append_select(&mut early, self.db);
        }
        let at = self.unit_at;
        self.insert(at, self.unit_index_at, &early);
        self.unit_at += early.len();
        if self.keeps_index {
            self.index.insert(self.unit_index_at, row(effect, at, self.unit_at));
            self.unit_index_at += 1;
        }
    }

    /// Puts `piece` at `at`, before the effects from row `from` on.
    fn insert(&mut self, at: usize, from: usize, piece: &[u8]) {
        if at == self.bytes.len() {
            self.bytes.extend_from_slice(piece);
        } else {
            self.bytes.splice(at..at, piece.iter().copied());
            self.index[from..].iter_mut().for_each(|entry| entry.at += piece.len() as u32);
        }
    }

    /// Closes the unit: its effects become part of the batch, as a transaction if there are several.
    #[inline]
    pub fn close_unit(&mut self) {
        if self.unit_at == self.bytes.len() {
            return;
        }
        if self.unit_effects > 1 {
            self.bytes.extend_from_slice(EXEC);
        }
        self.db = self.unit_db;
        self.begin_unit();
    }

    fn begin_unit(&mut self) {
        self.unit_at = self.bytes.len();
        self.unit_index_at = self.index.len();
        self.unit_effects = 0;
    }

    /// Forgets the open unit: the process is ending in the middle of it, and half a unit must not be read by anybody.
    pub fn abandon_unit(&mut self) {
        self.bytes.truncate(self.unit_at);
        self.index.truncate(self.unit_index_at);
        self.unit_effects = 0;
        self.unit_db = self.db;
    }

    /// Takes the batch, closed in database 0; `None` if nothing was staged.
    pub fn take(&mut self) -> Option<(Vec<u8>, Vec<EntryIndex>)> {
        debug_assert!(self.unit_effects == 0, "a unit is open");
        // What expired on access of a command that changed nothing is a unit of its own.
        if self.bytes.is_empty() {
            return None;
        }
        if self.db != 0 {
            append_select(&mut self.bytes, 0);
        }
        self.db = 0;
        self.unit_db = 0;
        let taken = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.index));
        self.begin_unit();
        // The next turn will stage about as much.
        self.bytes.reserve(taken.0.len().min(EXPECTED_MAX));
        Some(taken)
    }

    /// Whether nothing waits to be sealed.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Most bytes allotted to the next batch beforehand.
const EXPECTED_MAX: usize = 16 * 1024;

fn row(effect: &Effect<'_>, from: usize, to: usize) -> EntryIndex {
    let (at, len) = (from as u32, (to - from) as u32);
    EntryIndex { at, len, db: effect.db as u16, slot: effect.slot.unwrap_or(u16::MAX), kind: effect.kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect<'a>(db: usize, words: &[&'a [u8]]) -> Effect<'a> {
        Effect { db, slot: Some(1), kind: Kind::Plain, words: words.iter().copied().collect() }
    }

    #[test]
    fn a_unit_of_two_is_a_transaction_and_the_batch_ends_in_database_zero() {
        let mut staging = Staging::default();
        staging.keep_index(true);
        staging.add(&effect(0, &[b"DEL", b"a"]));
        staging.close_unit();
        staging.add(&effect(3, &[b"DEL", b"b"]));
        staging.add(&effect(3, &[b"DEL", b"c"]));
        staging.close_unit();
        staging.add_early(&effect(3, &[b"DEL", b"gone"]));
        staging.close_unit();
        let (bytes, index) = staging.take().expect("staged");
        let text = String::from_utf8(bytes).expect("ascii").replace("\r\n", " ");
        assert_eq!(
            text,
            "*2 $3 DEL $1 a *1 $5 MULTI *2 $6 SELECT $1 3 *2 $3 DEL $1 b *2 $3 DEL $1 c *1 $4 EXEC *2 $3 DEL $4 gone *2 $6 SELECT $1 0 "
        );
        assert_eq!(index.len(), 4);
        assert!(staging.take().is_none());
    }

    #[test]
    fn what_expired_on_access_stands_before_the_unit_and_the_rows_follow_the_bytes() {
        let mut staging = Staging::default();
        staging.keep_index(true);
        staging.add(&effect(2, &[b"DEL", b"a"]));
        staging.close_unit();
        staging.add(&effect(2, &[b"SET", b"b", b"1"]));
        staging.add_early(&effect(1, &[b"DEL", b"gone"]));
        staging.add(&effect(0, &[b"SET", b"c", b"1"]));
        staging.close_unit();
        let (bytes, index) = staging.take().expect("staged");
        let piece = |entry: &EntryIndex| {
            String::from_utf8_lossy(&bytes[entry.at as usize..][..entry.len as usize]).replace("\r\n", " ")
        };
        let pieces: Vec<String> = index.iter().map(piece).collect();
        let select = |db| format!("*2 $6 SELECT $1 {db} ");
        assert_eq!(pieces[0], select(2) + "*2 $3 DEL $1 a ");
        assert_eq!(pieces[1], select(1) + "*2 $3 DEL $4 gone " + &select(2));
        assert_eq!(pieces[2], "*3 $3 SET $1 b $1 1 ");
        assert_eq!(pieces[3], select(0) + "*3 $3 SET $1 c $1 1 ");
    }
}
