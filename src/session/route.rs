//! Which shards a command needs.
//!
//! `session::run` asks before executing, `session::admit` when queueing in MULTI. Sources: the row's key specs; keyless
//! shard commands (DBSIZE, KEYS, FLUSHALL …) need every shard; SCAN the one its cursor points into.
//! Invariant: a handler never sees a key whose shard is not in hand. Bounds: none. Why by row and not by handler: the lock set must be known before the first step.

use super::core::Core;
use crate::base::slot::{SLOT_COUNT, key_slot};
use crate::command::keys::scan::parse_cursor;
use crate::command::keyspec;
use crate::command::row::{Row, flag};
use crate::keyspace::Key;
use crate::resp::Args;
use crate::shard::lending::CoreSet;

/// Slot and hash of the first key, where its place is fixed.
pub fn first_key(row: &Row, args: &Args<'_>) -> Option<(u16, u64)> {
    let index = usize::try_from(row.first_key).ok().filter(|&index| index > 0)?;
    let key = Key::new(args.get_checked(index)?);
    Some((key.slot, key.hash))
}

/// The cores whose shards `row` with `args` touches; the caller knows that it has a handler.
pub fn cores_of(core: &Core, row: &Row, args: &Args<'_>) -> CoreSet {
    let cores = core.cores();
    if cores == 1 {
        return CoreSet(1);
    }
    let mut set = CoreSet::default();
    let simple = row.first_key > 0 && !row.flags.has(flag::MOVABLEKEYS);
    if simple {
        let first = row.first_key as usize;
        let last = if row.last_key < 0 {
            (args.len() as i64 + row.last_key as i64).max(0) as usize
        } else {
            row.last_key as usize
        };
        let step = (row.step as usize).max(1);
        let mut index = first;
        while index <= last && index < args.len() {
            set.insert(core.map.core_of(key_slot(args.get(index))));
            index += step;
        }
    } else if row.name == "scan" {
        let slot = args
            .get_checked(1)
            .and_then(|word| parse_cursor(word).ok())
            .map_or(0, crate::keyspace::cursor_slot);
        set.insert(core.map.core_of(slot.min(SLOT_COUNT - 1) as u16));
    } else if row.name == "help" {
        set.insert(core.id());
    } else if row.keyspecs.is_empty() || row.beyond.is_some_and(|beyond| beyond(args)) {
        return CoreSet::all(cores);
    } else if let Ok(keys) = keyspec::keys_of(row, args) {
        keys.iter().for_each(|&index| set.insert(core.map.core_of(key_slot(args.get(index)))));
    }
    if set.is_empty() {
        // Wrong arguments: any shard answers with the handler's error.
        set.insert(core.id());
    }
    set
}
