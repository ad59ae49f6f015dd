//! The sorted set commands.
//!
//! Handlers of the rows in `command::rows::sorted_set`; called by `shard::execute`, they call `keyspace` and `types::zset`. Invariant: a set that became
//! empty is removed in the same command. Bounds: commands that name members cost O(log n) each; ranges what they return; ZUNION and its
//! like their inputs. Source: redis 7.0's t_zset.c for replies, the order of checks, events and effects.

pub mod add;
pub mod blocking;
pub mod combine;
pub mod pop;
pub mod range;
pub mod read;
pub mod remove;
pub mod spec;
pub mod walk;

use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::config::Settings;
use crate::keyspace::{Expire, Key, NewValue};
use crate::resp::Out;
use crate::types::element::Element;
use crate::types::zset::{ZSet, ZSetLimits};

/// The encoding thresholds in force.
pub fn limits(cx: &Cx<'_>) -> ZSetLimits {
    limits_of(cx.settings)
}

/// The same, where no command runs.
pub fn limits_of(settings: &Settings) -> ZSetLimits {
    ZSetLimits {
        max_entries: settings.zset_max_listpack_entries,
        max_value: settings.zset_max_listpack_value,
    }
}

/// Lets `write` reply from the sorted set at `key` (or from `None`), where it lies.
pub fn reply_from(
    cx: &mut Cx<'_>,
    key: &Key<'_>,
    write: impl FnOnce(&mut Out, Option<&ZSet>),
) -> Result<(), ReplyError> {
    let (entry, out) = cx.read_beside_out(key);
    match entry {
        None => {
            write(out, None);
            cx.notify_miss(key.bytes);
        }
        Some(entry) => write(out, Some(entry.get::<ZSet>().ok_or(ReplyError::WrongType)?)),
    }
    Ok(())
}

/// Writes a member.
pub fn write_member(out: &mut Out, member: Element<'_>) {
    match member {
        Element::Bytes(bytes) => out.bulk(bytes),
        Element::Int(number) => out.bulk_i64(number),
    }
}

/// Writes a member and, if asked, its score: in RESP3 the two in an array of their own.
fn write_pair(out: &mut Out, (member, score): (Element<'_>, f64), with_score: bool) {
    if with_score && out.proto() >= 3 {
        out.array(2);
    }
    write_member(out, member);
    if with_score {
        out.double(score);
    }
}

/// Begins an array of `count` members as [`write_pair`] writes them.
fn begin_pairs(out: &mut Out, count: usize, with_scores: bool) {
    out.array(if with_scores && out.proto() < 3 { 2 * count } else { count });
}

/// Stores a computed sorted set at `key` (deletes the key if it is empty), replies its size, propagates verbatim and tells `event`.
pub fn store_result(cx: &mut Cx<'_>, key: &Key<'_>, set: ZSet, event: &'static str) {
    let count = set.len();
    if count == 0 {
        let existed = cx.dbm(key).remove(key);
        if existed {
            cx.propagate();
            cx.notify(notify::GENERIC, "del", key.bytes);
        }
        cx.out.integer(0);
        return;
    }
    let created = cx.dbm(key).set_value(key, NewValue::from(set), Expire::Clear);
    if created {
        cx.notify(notify::NEW, "new", key.bytes);
    }
    cx.propagate();
    cx.notify(notify::ZSET, event, key.bytes);
    cx.out.integer(count as i64);
}

/// After members of `key` were removed: the key goes with the last one. Tells `event`, then perhaps `del`; propagates as the caller says.
fn after_removal(cx: &mut Cx<'_>, key: &Key<'_>, event: &'static str, emptied: bool) {
    cx.notify(notify::ZSET, event, key.bytes);
    if emptied {
        cx.notify(notify::GENERIC, "del", key.bytes);
    }
}
