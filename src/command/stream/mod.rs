//! The stream commands.
//!
//! Handlers of the rows in `command::rows::stream`; called by `shard::execute`, they call `keyspace` and `types::stream`. Invariants: a stream is never removed
//! for being empty; what a group command did leaves as the deterministic commands redis makes of it (XCLAIM, XGROUP), never as itself. Bounds:
//! commands that name IDs cost those IDs, ranges their entries. Source: redis 7.0's replies, texts, events and effects, asked through the wire.
pub mod add;
pub mod claim;
pub mod delete;
pub mod group;
pub mod info;
pub mod options;
pub mod pending;
pub mod range;
pub mod read;

use crate::command::Cx;
use crate::command::reply_error::{ReplyError, quoting};
use crate::keyspace::{EntryMut, ExpiryRule, Key};
use crate::resp::Out;
use crate::types::element::Element;
use crate::types::stream::id::IdBuffer;
use crate::types::stream::{Entry, Pending, Stream, StreamId, StreamLimits};

const INVALID_ID: ReplyError = ReplyError::Text("ERR Invalid stream ID specified as stream command argument");

/// The node thresholds in force.
fn limits(cx: &Cx<'_>) -> StreamLimits {
    StreamLimits {
        max_bytes: cx.settings.stream_node_max_bytes,
        max_entries: cx.settings.stream_node_max_entries,
    }
}

/// The command's time as clients and pending entries know it, unix ms.
fn wall_now(cx: &Cx<'_>) -> i64 {
    cx.to_wall_ms(cx.now_ms)
}

/// Whether the command comes from a primary's stream, which has limits resolved already.
fn is_replayed(cx: &Cx<'_>) -> bool {
    cx.access.expiry == ExpiryRule::Ignore
}

/// An ID; without a sequence it gets `missing_seq`.
fn parse_id(word: &[u8], missing_seq: u64) -> Result<StreamId, ReplyError> {
    StreamId::parse(word, missing_seq, false).map(|parsed| parsed.id).ok_or(INVALID_ID)
}

/// The beginning of a range: `-`, `+`, an ID, or `(` and an ID to begin after.
fn parse_start(word: &[u8]) -> Result<StreamId, ReplyError> {
    let (word, after) = exclusive(word);
    if !after {
        return StreamId::parse_bound(word, 0).ok_or(INVALID_ID);
    }
    parse_id(word, 0)?.next().ok_or(ReplyError::Text("ERR invalid start ID for the interval"))
}

/// The end of a range, as [`parse_start`].
fn parse_end(word: &[u8]) -> Result<StreamId, ReplyError> {
    let (word, before) = exclusive(word);
    if !before {
        return StreamId::parse_bound(word, u64::MAX).ok_or(INVALID_ID);
    }
    parse_id(word, u64::MAX)?.previous().ok_or(ReplyError::Text("ERR invalid end ID for the interval"))
}

fn exclusive(word: &[u8]) -> (&[u8], bool) {
    match word {
        [b'(', rest @ ..] if !rest.is_empty() => (rest, true),
        _ => (word, false),
    }
}

fn write_element(out: &mut Out, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => out.bulk(bytes),
        Element::Int(number) => out.bulk_i64(number),
    }
}

fn write_id(out: &mut Out, id: StreamId) {
    out.bulk(IdBuffer::default().format(id));
}

/// An entry as every command shows it: its ID and its fields and values.
fn write_entry(out: &mut Out, entry: Entry<'_>) {
    out.array(2);
    write_id(out, entry.id);
    out.array(entry.fields.len() * 2);
    for (name, value) in entry.fields {
        write_element(out, name);
        write_element(out, value);
    }
}

/// Entries as an array; how many.
fn write_entries<'a>(out: &mut Out, entries: impl Iterator<Item = Entry<'a>>) -> usize {
    let (mark, mut count) = (out.mark(), 0);
    for entry in entries {
        write_entry(out, entry);
        count += 1;
    }
    out.insert_array(mark, count);
    count
}

/// Lets `write` reply from the stream at `key` (or from `None`): the borrow of the stream and that of the reply part here.
fn reply_from<R>(
    cx: &mut Cx<'_>,
    key: &Key<'_>,
    write: impl FnOnce(&mut Out, Option<&Stream>) -> R,
) -> Result<R, ReplyError> {
    let mut out = std::mem::take(cx.out);
    let found = cx.read_as::<Stream>(key);
    let missing = matches!(found, Ok(None));
    let result = found.map(|stream| write(&mut out, stream));
    *cx.out = out;
    if missing {
        cx.notify_miss(key.bytes);
    }
    result
}

/// A key looked up as redis looks it up for XACK, XCLAIM and XREADGROUP: counted as a read, then changed.
fn read_to_change<'c>(cx: &'c mut Cx<'_>, key: &Key<'_>) -> Result<Option<EntryMut<'c>>, ReplyError> {
    if cx.read_as::<Stream>(key)?.is_none() {
        cx.notify_miss(key.bytes);
        return Ok(None);
    }
    cx.write_as::<Stream>(key)
}

/// `NOGROUP`, as most commands say it.
fn no_group(cx: &mut Cx<'_>, key: &[u8], group: &[u8], end: &str) -> ReplyError {
    let mut text = quoting("NOGROUP No such key '", key, "' or consumer group '");
    text.extend(quoting("", group, end));
    cx.fail(text)
}

/// `NOGROUP`, as XGROUP and XINFO say it.
fn no_such_group(cx: &mut Cx<'_>, key: &[u8], group: &[u8]) -> ReplyError {
    let mut text = quoting("NOGROUP No such consumer group '", group, "' for key name '");
    text.extend(quoting("", key, "'"));
    cx.fail(text)
}

/// A pending entry's new state as it leaves: `XCLAIM` that gives the same result however often it is applied.
fn propagate_claim(cx: &mut Cx<'_>, names: (&[u8], &[u8], &[u8]), record: &Pending, last_id: StreamId) {
    if !cx.is_observed() {
        cx.outcome.dirty += 1;
        return;
    }
    let (key, group, consumer) = names;
    let (id, last) = (record.id.text(), last_id.text());
    let (time, count) = (record.delivery_ms.to_string(), record.delivery_count.to_string());
    cx.propagate_as(&[
        b"XCLAIM",
        key,
        group,
        consumer,
        b"0",
        &id,
        b"TIME",
        time.as_bytes(),
        b"RETRYCOUNT",
        count.as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        &last,
    ]);
}

/// A group's new position as it leaves.
fn propagate_position(
    cx: &mut Cx<'_>,
    key: &[u8],
    group: &[u8],
    last_id: StreamId,
    entries_read: Option<i64>,
) {
    let (last, read) = (last_id.text(), entries_read.unwrap_or(-1).to_string());
    cx.propagate_as(&[b"XGROUP", b"SETID", key, group, &last, b"ENTRIESREAD", read.as_bytes()]);
}
