//! Effects on their way into the log: the unit being executed, then the batch of the turn.
//!
//! `command::Cx` adds effects while a handler runs, `shard::execute` opens and closes units and seals the batch at the
//! end of a turn. A unit with more than one effect becomes `MULTI … EXEC`, so a reader never applies half of it.
//!
//! Invariant: the staged bytes are a self-contained piece of stream that begins and ends in database 0.
//! Bounds: the largest command. Why units in a second buffer: whether MULTI is needed is known only at the end, and
//! what expired on access must stand before the command that found it.

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
    bytes: Vec<u8>,
    index: Vec<EntryIndex>,
    db: usize,
    early: Vec<u8>,
    early_index: Vec<EntryIndex>,
    unit: Vec<u8>,
    unit_index: Vec<EntryIndex>,
    unit_db: usize,
}

impl Staging {
    /// Adds one effect to the open unit.
    pub fn add(&mut self, effect: &Effect<'_>) {
        let from = self.unit.len();
        if self.unit_db != effect.db {
            append_select(&mut self.unit, effect.db);
            self.unit_db = effect.db;
        }
        append_command(&mut self.unit, effect.words.len(), effect.words.iter().copied());
        let (at, len) = (from as u32, (self.unit.len() - from) as u32);
        let (db, slot, kind) = (effect.db as u16, effect.slot.unwrap_or(u16::MAX), effect.kind);
        self.unit_index.push(EntryIndex { at, len, db, slot, kind });
    }

    /// Adds an effect in front of the open unit's: what expired on access, before the command that found it.
    pub fn add_early(&mut self, effect: &Effect<'_>) {
        let from = self.early.len();
        if self.db != effect.db {
            append_select(&mut self.early, effect.db);
        }
        append_command(&mut self.early, effect.words.len(), effect.words.iter().copied());
        if self.db != effect.db {
            append_select(&mut self.early, self.db);
        }
        let (at, len) = (from as u32, (self.early.len() - from) as u32);
        let (db, slot, kind) = (effect.db as u16, effect.slot.unwrap_or(u16::MAX), effect.kind);
        self.early_index.push(EntryIndex { at, len, db, slot, kind });
    }

    /// Closes the unit: its effects become part of the batch, as a transaction if there are several.
    pub fn close_unit(&mut self) {
        if !self.early.is_empty() {
            let base = self.bytes.len() as u32;
            self.bytes.append(&mut self.early);
            let early = self.early_index.drain(..);
            self.index.extend(early.map(|entry| EntryIndex { at: entry.at + base, ..entry }));
        }
        let several = self.unit_index.len() > 1;
        if self.unit_index.is_empty() {
            return;
        }
        if several {
            append_command(&mut self.bytes, 1, std::iter::once(&b"MULTI"[..]));
        }
        let base = self.bytes.len() as u32;
        self.bytes.append(&mut self.unit);
        self.index.extend(self.unit_index.drain(..).map(|entry| EntryIndex { at: entry.at + base, ..entry }));
        self.db = self.unit_db;
        if several {
            append_command(&mut self.bytes, 1, std::iter::once(&b"EXEC"[..]));
        }
    }

    /// Forgets the open unit: the process is ending in the middle of it, and half a unit must not be read by anybody.
    pub fn abandon_unit(&mut self) {
        self.unit.clear();
        self.unit_index.clear();
        self.unit_db = self.db;
    }

    /// Takes the batch, closed in database 0; `None` if nothing was staged.
    pub fn take(&mut self) -> Option<(Vec<u8>, Vec<EntryIndex>)> {
        debug_assert!(self.unit_index.is_empty(), "a unit is open");
        if self.bytes.is_empty() {
            return None;
        }
        if self.db != 0 {
            append_select(&mut self.bytes, 0);
        }
        self.db = 0;
        self.unit_db = 0;
        Some((std::mem::take(&mut self.bytes), std::mem::take(&mut self.index)))
    }

    /// Whether nothing waits to be sealed.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.unit_index.is_empty() && self.early.is_empty()
    }
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
}
