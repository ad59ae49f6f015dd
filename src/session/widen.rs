//! Makes the lock set large enough for what a unit may set off: serving a blocked BLMOVE writes to its destination as well.
//!
//! `session::run` asks before a command or transaction begins, with its shards in hand, and only if somebody there waits in such a command. If a shard is
//! missing, all are given back and the larger set is collected from scratch. See `shard::blocking` for why. Invariant: nothing has been executed when the set
//! grows. Bounds: one round per core. Why not in `route`: it knows words, not who waits.

use super::Session;
use super::core::Core;
use super::multi::Exec;
use super::run::send_home;
use crate::command::keyspec;
use crate::command::row::{Row, flag};
use crate::resp::Args;
use crate::shard::Shard;
use crate::shard::blocking::missing_cores;
use crate::shard::lending::{CoreSet, Lent};

/// Keys that a command may make ready, as far as its words tell. A script may write to any key of the shards it has: whether it is one.
fn keys_written(row: &Row, args: &Args<'_>, keys: &mut Vec<Box<[u8]>>) -> bool {
    if row.flags.has(flag::WRITE | flag::MAY_REPLICATE)
        && let Ok(indexes) = keyspec::keys_of(row, args)
    {
        keys.extend(indexes.iter().map(|&index| Box::from(args.get(index))));
    }
    row.group == "scripting"
}

/// All keys of a shard that feed others.
fn add_feeding(shard: &Shard, keys: &mut Vec<Box<[u8]>>) {
    keys.extend(shard.space.common.waiters.feeding_keys().map(Box::from));
}

/// With one shard in hand: the cores to collect instead, if it does not suffice.
#[cold]
pub fn beyond_one(core: &Core, shard: &Shard, row: &Row, args: &Args<'_>) -> Option<CoreSet> {
    let mut keys = Vec::new();
    if keys_written(row, args, &mut keys) {
        add_feeding(shard, &mut keys);
    }
    let missing = missing_cores(&core.map, |at| (at == shard.core).then_some(shard), keys);
    let all = CoreSet(missing.0 | 1 << shard.core);
    (!missing.is_empty()).then_some(all)
}

/// With the shards of a command in hand: whether they had to be given back for more.
pub fn beyond_many(core: &mut Core, session: &mut Session, row: &Row, args: &Args<'_>) -> bool {
    if !has_wide(session) {
        return false;
    }
    let mut keys = Vec::new();
    let is_script = keys_written(row, args, &mut keys);
    start_over(core, session, keys, is_script)
}

/// With the shards of a transaction in hand: likewise.
pub fn beyond_exec(core: &mut Core, session: &mut Session, exec: &Exec) -> bool {
    if !has_wide(session) {
        return false;
    }
    let (mut keys, mut has_script) = (Vec::new(), false);
    for queued in &exec.multi.queue {
        let row = core.shared.table.command(queued.command).row;
        has_script |= keys_written(row, &queued.words.args(), &mut keys);
    }
    start_over(core, session, keys, has_script)
}

fn has_wide(session: &Session) -> bool {
    let mut shards = session.lent.iter().flat_map(|lent| lent.shards());
    shards.any(|shard| shard.space.common.waiters.has_wide())
}

#[cold]
fn start_over(core: &mut Core, session: &mut Session, mut keys: Vec<Box<[u8]>>, has_script: bool) -> bool {
    let Some(lent) = session.lent.as_deref() else { return false };
    if has_script {
        lent.shards().for_each(|shard| add_feeding(shard, &mut keys));
    }
    let missing = missing_cores(&core.map, |at| lent.shards().find(|shard| shard.core == at), keys);
    if missing.is_empty() {
        return false;
    }
    let wanted = CoreSet(lent.wanted().0 | missing.0);
    if let Some(lent) = session.lent.replace(Box::new(Lent::new(wanted, core.cores()))) {
        send_home(core, *lent);
    }
    true
}
