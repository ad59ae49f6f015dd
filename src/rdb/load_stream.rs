//! Streams as RDB brings them, with their groups.
//!
//! Called by `load`. Layout after the type byte: nodes (`16-byte key`, `listpack`) | length, last ID | [from 7.0: first ID, largest deleted ID, entries added] |
//! groups: name, last ID, [7.0: entries read], pending (`ID, time, count` …), consumers: name, seen, [7.2: active], `ID` ….
//! Invariant: every pending entry belongs to exactly one consumer. Bounds: as `decode`.
use super::decode::{Damage, Decoder, Loaded};
use super::kind;
use super::load::load_pack;
use crate::types::stream::{Counters, Group, Node, Pending, Stream, StreamId};
use std::collections::BTreeMap;

fn load_id(from: &mut Decoder<'_, '_>) -> Loaded<StreamId> {
    Ok(StreamId { ms: from.length()?, seq: from.length()? })
}

fn load_nodes(from: &mut Decoder<'_, '_>) -> Loaded<Vec<Node>> {
    let mut nodes = Vec::new();
    for _ in 0..from.length()? {
        let key: [u8; 16] =
            from.string()?.as_ref().try_into().map_err(|_| Damage("a stream key of a wrong length"))?;
        let node = Node::from_pack(StreamId::from_key(key), load_pack(from)?);
        nodes.push(node.ok_or(Damage("bad node of a stream"))?);
    }
    Ok(nodes)
}

/// The stream of type `kind`.
pub fn load_stream(kind: u8, from: &mut Decoder<'_, '_>) -> Loaded<Stream> {
    let nodes = load_nodes(from)?;
    let (length, last_id) = (from.length()?, load_id(from)?);
    let mut counters = Counters {
        length,
        last_id,
        first_id: StreamId::MIN,
        max_deleted: StreamId::MIN,
        entries_added: length,
    };
    if kind != kind::STREAM_LISTPACKS {
        counters.first_id = load_id(from)?;
        counters.max_deleted = load_id(from)?;
        counters.entries_added = from.length()?;
    }
    let mut stream = Stream::from_parts(nodes, counters).ok_or(Damage("a stream out of order"))?;
    let counters = stream.counters();
    for _ in 0..from.length()? {
        let group = load_group(kind, from, &counters)?;
        if !stream.add_group(group) {
            return Err(Damage("a group twice"));
        }
    }
    Ok(stream)
}

fn load_group(kind: u8, from: &mut Decoder<'_, '_>, counters: &Counters) -> Loaded<Group> {
    let (name, last_id) = (from.string()?, load_id(from)?);
    let entries_read = match kind {
        kind::STREAM_LISTPACKS => counters.number_of(last_id),
        _ => Some(from.length()? as i64).filter(|&read| read != -1),
    };
    let mut group = Group::new(&name, last_id, entries_read);
    let mut unowned = BTreeMap::new();
    for _ in 0..from.length()? {
        let id = StreamId::from_key(from.array()?);
        let delivery = (from.time_ms()?, from.length()?);
        if unowned.insert(id, delivery).is_some() {
            return Err(Damage("a pending entry twice"));
        }
    }
    for _ in 0..from.length()? {
        let (name, seen_ms) = (from.string()?, from.time_ms()?);
        if kind == kind::STREAM_LISTPACKS_3 {
            from.time_ms()?;
        }
        let consumer = group.add_consumer(&name, seen_ms).ok_or(Damage("a consumer twice"))?;
        for _ in 0..from.length()? {
            let id = StreamId::from_key(from.array()?);
            let delivery = unowned.remove(&id).ok_or(Damage("a consumer's entry that is not pending"))?;
            let (delivery_ms, delivery_count) = delivery;
            group.assign(Pending { id, delivery_ms, delivery_count, consumer });
        }
    }
    if unowned.is_empty() { Ok(group) } else { Err(Damage("a pending entry without a consumer")) }
}
