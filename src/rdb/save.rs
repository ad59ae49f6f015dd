//! Values as RDB writes them, whole or in steps.
//!
//! Called by DUMP (through [`super::dump`]) and by snapshots; calls `encode`. Invariant: a [`Saver`] is given the same, unchanged value at every step (a pin, or
//! a value that nobody writes meanwhile). Bounds: a step writes about `budget` bytes and at most one node of a value more. Type numbers are those that
//! redis 7.0.15 writes; hashes with expiring fields are written as redis 7.4 does.
use super::encode::Encoder;
use super::kind;
use crate::keyspace::ValueRef;
use crate::types::encoding::listpack::ListPack;
use crate::types::encoding::tree::Cursor;
use crate::types::field::NEVER;
use crate::types::hash::Hash;
use crate::types::list::{List, Stretch};
use crate::types::set::Set;
use crate::types::stream::{Group, Stream, StreamId};
use crate::types::zset::ZSet;

/// Elements written between two looks at the budget.
const BATCH: usize = 32;
/// quicklist2's containers.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Where a saver stands.
#[derive(Debug, Clone)]
enum At {
    Start,
    /// The list's element.
    Item(usize),
    /// The table's scan cursor.
    Table(u64),
    /// Members still to be written, from the greatest down.
    Ranks(usize),
    Node(Cursor),
    Figures,
    Group(usize),
    /// A group's pending entries from this ID on.
    Pending(usize, StreamId),
    Consumer(usize, usize),
    /// A consumer's pending entries from this ID on.
    Owned(usize, usize, StreamId),
    End,
}

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Saver {
    at: At,
}

impl Default for Saver {
    fn default() -> Self {
        Self { at: At::Start }
    }
}

/// The type byte that stands before the value (before the key, in a file).
pub fn type_of(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Int(_) | ValueRef::Bytes(_) | ValueRef::Shared(_) => kind::STRING,
        ValueRef::List(_) => kind::LIST_QUICKLIST_2,
        ValueRef::Set(set) if set.as_ints().is_some() => kind::SET_INTSET,
        ValueRef::Set(_) => kind::SET,
        ValueRef::ZSet(zset) if zset.is_packed() => kind::ZSET_LISTPACK,
        ValueRef::ZSet(_) => kind::ZSET_2,
        ValueRef::Hash(hash) if hash.earliest_ms() != NEVER => kind::HASH_METADATA,
        ValueRef::Hash(hash) if hash.is_packed() => kind::HASH_LISTPACK,
        ValueRef::Hash(_) => kind::HASH,
        ValueRef::Stream(_) => kind::STREAM_LISTPACKS_2,
    }
}

fn put_pack(out: &mut Encoder<'_>, pack: &ListPack) {
    out.string(pack.as_bytes());
}

/// A listpack's bytes around these entries.
fn frame(entries: &[u8], count: usize) -> Vec<u8> {
    let mut pack = Vec::with_capacity(entries.len() + 7);
    pack.extend_from_slice(&(entries.len() as u32 + 7).to_le_bytes());
    pack.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    pack.extend_from_slice(entries);
    pack.push(0xff);
    pack
}

impl Saver {
    /// A saver at the beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes about `budget` bytes more; true when the value is written.
    pub fn step(&mut self, value: ValueRef<'_>, out: &mut Encoder<'_>, budget: usize) -> bool {
        let from = out.taken();
        loop {
            self.at = match value {
                ValueRef::Int(number) => {
                    out.element(crate::types::element::Element::Int(number));
                    At::End
                }
                ValueRef::Bytes(text) => {
                    out.string(text);
                    At::End
                }
                ValueRef::Shared(text) => {
                    out.string(text);
                    At::End
                }
                ValueRef::List(list) => self.list(list, out),
                ValueRef::Set(set) => self.set(set, out),
                ValueRef::ZSet(zset) => self.zset(zset, out),
                ValueRef::Hash(hash) => self.hash(hash, out),
                ValueRef::Stream(stream) => self.stream(stream, out),
            };
            if matches!(self.at, At::End) {
                return true;
            }
            if out.taken() - from >= budget {
                return false;
            }
        }
    }

    fn list(&self, list: &List, out: &mut Encoder<'_>) -> At {
        let At::Item(index) = self.at else {
            out.len(list.nodes() as u64);
            return At::Item(0);
        };
        match list.stretch(index) {
            None => At::End,
            Some(Stretch::Huge(bytes)) => {
                out.len(PLAIN);
                out.string(bytes);
                At::Item(index + 1)
            }
            Some(Stretch::Run(entries, count)) => {
                out.len(PACKED);
                out.string(&frame(entries, count));
                At::Item(index + count)
            }
        }
    }

    fn set(&self, set: &Set, out: &mut Encoder<'_>) -> At {
        if let Some(ints) = set.as_ints() {
            out.string(&ints.to_redis());
            return At::End;
        }
        let At::Table(cursor) = self.at else {
            out.len(set.len() as u64);
            return At::Table(0);
        };
        match set.scan(cursor, BATCH, |member| out.element(member)) {
            0 => At::End,
            next => At::Table(next),
        }
    }

    fn hash(&self, hash: &Hash, out: &mut Encoder<'_>) -> At {
        if let Some(pack) = hash.to_listpack() {
            put_pack(out, &pack);
            return At::End;
        }
        let earliest_ms = hash.earliest_ms();
        let At::Table(cursor) = self.at else {
            if earliest_ms != NEVER {
                out.time_ms(out.wall_ms(earliest_ms));
            }
            out.len(hash.len() as u64);
            return At::Table(0);
        };
        let next = hash.scan(cursor, BATCH, |field, value| {
            if earliest_ms != NEVER {
                let expire_ms = hash.expire_ms(&field.to_bytes()).filter(|&ms| ms != NEVER);
                out.len(expire_ms.map_or(0, |ms| ms.saturating_sub(earliest_ms) + 1));
            }
            out.element(field);
            out.element(value);
        });
        if next == 0 { At::End } else { At::Table(next) }
    }

    fn zset(&self, zset: &ZSet, out: &mut Encoder<'_>) -> At {
        if let Some(pack) = zset.to_listpack() {
            put_pack(out, &pack);
            return At::End;
        }
        let At::Ranks(left) = self.at else {
            out.len(zset.len() as u64);
            return At::Ranks(zset.len());
        };
        let from = left.saturating_sub(BATCH);
        for (member, score) in zset.walk(from, left, true) {
            out.element(member);
            out.double(score);
        }
        if from == 0 { At::End } else { At::Ranks(from) }
    }

    fn stream(&self, stream: &Stream, out: &mut Encoder<'_>) -> At {
        let nodes = stream.nodes();
        match &self.at {
            At::Node(cursor) => {
                if let Some(node) = nodes.leaf(cursor) {
                    out.string(&node.master().to_key());
                    put_pack(out, node.pack());
                }
                let mut next = cursor.clone();
                if nodes.next(&mut next) { At::Node(next) } else { At::Figures }
            }
            At::Figures => {
                put_figures(stream, out);
                At::Group(0)
            }
            At::Group(index) => match stream.groups().get(*index) {
                None => At::End,
                Some(group) => {
                    put_group(group, out);
                    At::Pending(*index, StreamId::MIN)
                }
            },
            At::Pending(index, from) => pending(&stream.groups()[*index], *index, *from, out),
            At::Consumer(index, number) => consumer(&stream.groups()[*index], *index, *number, out),
            At::Owned(index, number, from) => owned(&stream.groups()[*index], *index, *number, *from, out),
            _ => {
                out.len(nodes.leaves() as u64);
                nodes.first().map_or(At::Figures, At::Node)
            }
        }
    }
}

fn put_id(out: &mut Encoder<'_>, id: StreamId) {
    out.len(id.ms);
    out.len(id.seq);
}

fn put_figures(stream: &Stream, out: &mut Encoder<'_>) {
    let counters = stream.counters();
    out.len(counters.length);
    put_id(out, counters.last_id);
    put_id(out, counters.first_id);
    put_id(out, counters.max_deleted);
    out.len(counters.entries_added);
    out.len(stream.groups().len() as u64);
}

fn put_group(group: &Group, out: &mut Encoder<'_>) {
    out.string(&group.name);
    put_id(out, group.last_id);
    out.len(group.entries_read.unwrap_or(-1) as u64);
    out.len(group.pending().len() as u64);
}

fn pending(group: &Group, index: usize, from: StreamId, out: &mut Encoder<'_>) -> At {
    let mut records = group.pending().range(from);
    for record in records.by_ref().take(BATCH) {
        out.raw(&record.id.to_key());
        out.time_ms(record.delivery_ms);
        out.len(record.delivery_count);
    }
    match records.next() {
        Some(next) => At::Pending(index, next.id),
        None => {
            out.len(group.consumers().len() as u64);
            At::Consumer(index, 0)
        }
    }
}

fn consumer(group: &Group, index: usize, number: usize, out: &mut Encoder<'_>) -> At {
    let Some(consumer) = group.consumer_at(number) else { return At::Group(index + 1) };
    out.string(&consumer.name);
    out.time_ms(consumer.seen_ms);
    out.len(consumer.pending.len() as u64);
    At::Owned(index, number, StreamId::MIN)
}

fn owned(group: &Group, index: usize, number: usize, from: StreamId, out: &mut Encoder<'_>) -> At {
    let next = group.consumer_at(number).and_then(|consumer| {
        let mut ids = consumer.pending.range(from);
        ids.by_ref().take(BATCH).for_each(|id| out.raw(&id.to_key()));
        ids.next().copied()
    });
    next.map_or(At::Consumer(index, number + 1), |next| At::Owned(index, number, next))
}
