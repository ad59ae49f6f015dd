//! XINFO STREAM GROUPS CONSUMERS.
//!
//! Called through the rows of the subcommands. Invariant: changes nothing. Bounds: STREAM costs the stream's nodes (for the radix tree's figure), FULL also
//! COUNT entries of everything.
use super::{no_such_group, reply_from, wall_now, write_entries, write_entry, write_id};
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::{ReplyError, subcommand_syntax};
use crate::resp::Out;
use crate::types::stream::radix::node_count;
use crate::types::stream::{Consumer, Counters, Group, Node, Stream, StreamId};

fn write_figure(out: &mut Out, figure: Option<i64>) {
    match figure {
        Some(figure) => out.integer(figure),
        None => out.null(),
    }
}

fn write_head(out: &mut Out, stream: &Stream, counters: &Counters) {
    let id = |out: &mut Out, name: &str, id| {
        out.bulk(name.as_bytes());
        write_id(out, id);
    };
    let figure = |out: &mut Out, name: &str, figure: usize| {
        out.bulk(name.as_bytes());
        out.integer(figure as i64);
    };
    figure(out, "length", stream.len());
    figure(out, "radix-tree-keys", stream.nodes().leaves());
    figure(out, "radix-tree-nodes", node_count(stream.nodes().iter().map(Node::master)));
    id(out, "last-generated-id", counters.last_id);
    id(out, "max-deleted-entry-id", counters.max_deleted);
    figure(out, "entries-added", counters.entries_added as usize);
    id(out, "recorded-first-entry-id", counters.first_id);
}

fn write_short(out: &mut Out, stream: &Stream) {
    out.map(10);
    write_head(out, stream, &stream.counters());
    out.bulk(b"groups");
    out.integer(stream.groups().len() as i64);
    for (name, back) in [("first-entry", false), ("last-entry", true)] {
        out.bulk(name.as_bytes());
        match stream.range(StreamId::MIN, StreamId::MAX, back).next() {
            Some(entry) => write_entry(out, entry),
            None => out.null(),
        }
    }
}

fn write_consumer(out: &mut Out, group: &Group, consumer: &Consumer, count: usize) {
    out.map(4);
    out.bulk(b"name");
    out.bulk(&consumer.name);
    out.bulk(b"seen-time");
    out.integer(consumer.seen_ms);
    out.bulk(b"pel-count");
    out.integer(consumer.pending.len() as i64);
    out.bulk(b"pending");
    out.array(consumer.pending.len().min(count));
    for &id in consumer.pending.iter().take(count) {
        let record = group.pending().get(id);
        out.array(3);
        write_id(out, id);
        out.integer(record.map_or(0, |record| record.delivery_ms));
        out.integer(record.map_or(0, |record| record.delivery_count as i64));
    }
}

fn write_group(out: &mut Out, group: &Group, counters: &Counters, count: usize) {
    out.map(7);
    out.bulk(b"name");
    out.bulk(&group.name);
    out.bulk(b"last-delivered-id");
    write_id(out, group.last_id);
    out.bulk(b"entries-read");
    write_figure(out, group.entries_read);
    out.bulk(b"lag");
    write_figure(out, counters.lag(group));
    out.bulk(b"pel-count");
    out.integer(group.pending().len() as i64);
    out.bulk(b"pending");
    out.array(group.pending().len().min(count));
    for record in group.pending().iter().take(count) {
        out.array(4);
        write_id(out, record.id);
        out.bulk(group.name_of(record.consumer));
        out.integer(record.delivery_ms);
        out.integer(record.delivery_count as i64);
    }
    out.bulk(b"consumers");
    out.array(group.consumers().len());
    group.consumers().for_each(|consumer| write_consumer(out, group, consumer, count));
}

fn write_full(out: &mut Out, stream: &Stream, count: usize) {
    let counters = stream.counters();
    out.map(9);
    write_head(out, stream, &counters);
    out.bulk(b"entries");
    write_entries(out, stream.range(StreamId::MIN, StreamId::MAX, false).take(count));
    out.bulk(b"groups");
    out.array(stream.groups().len());
    stream.groups().iter().for_each(|group| write_group(out, group, &counters, count));
}

/// FULL's COUNT (`usize::MAX`: all); None for the short form.
fn parse_full(cx: &mut Cx<'_>) -> Result<Option<usize>, ReplyError> {
    let is = |index: usize, name: &[u8]| cx.arg(index).eq_ignore_ascii_case(name);
    match cx.argc() {
        3 => return Ok(None),
        4 if is(3, b"full") => return Ok(Some(10)),
        6 if is(3, b"full") && is(4, b"count") => {}
        _ => {
            let text = subcommand_syntax(&cx.args);
            return Err(cx.fail(text));
        }
    }
    Ok(Some(match parse_i64(cx.arg(5)).ok_or(ReplyError::NotInteger)? {
        0 => usize::MAX,
        count @ 1.. => count as usize,
        _ => 10,
    }))
}

/// `XINFO STREAM key [FULL [COUNT count]]`
pub fn stream(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(2);
    if !reply_from(cx, &key, |_, stream| stream.is_some())? {
        return Err(ReplyError::NoSuchKey);
    }
    let full = parse_full(cx)?;
    (cx.access.count_stats, cx.access.touch) = (false, false);
    reply_from(cx, &key, |out, stream| match (stream, full) {
        (Some(stream), None) => write_short(out, stream),
        (Some(stream), Some(count)) => write_full(out, stream, count),
        (None, _) => {}
    })
}

/// `XINFO GROUPS key`
pub fn groups(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(2);
    let found = reply_from(cx, &key, |out, stream| {
        let Some(stream) = stream else { return false };
        let counters = stream.counters();
        out.array(stream.groups().len());
        for group in stream.groups() {
            out.map(6);
            out.bulk(b"name");
            out.bulk(&group.name);
            out.bulk(b"consumers");
            out.integer(group.consumers().len() as i64);
            out.bulk(b"pending");
            out.integer(group.pending().len() as i64);
            out.bulk(b"last-delivered-id");
            write_id(out, group.last_id);
            out.bulk(b"entries-read");
            write_figure(out, group.entries_read);
            out.bulk(b"lag");
            write_figure(out, counters.lag(group));
        }
        true
    })?;
    if found { Ok(()) } else { Err(ReplyError::NoSuchKey) }
}

/// `XINFO CONSUMERS key group`
pub fn consumers(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, name, now_ms) = (cx.key(2), cx.arg(3), wall_now(cx));
    let found = reply_from(cx, &key, |out, stream| {
        let Some(stream) = stream else { return Err(ReplyError::NoSuchKey) };
        let Some(index) = stream.find_group(name) else { return Ok(false) };
        let consumers = stream.groups()[index].consumers();
        out.array(consumers.len());
        for consumer in consumers {
            out.map(3);
            out.bulk(b"name");
            out.bulk(&consumer.name);
            out.bulk(b"pending");
            out.integer(consumer.pending.len() as i64);
            out.bulk(b"idle");
            out.integer(now_ms.saturating_sub(consumer.seen_ms).max(0));
        }
        Ok(true)
    })??;
    if found { Ok(()) } else { Err(no_such_group(cx, key.bytes, name)) }
}
