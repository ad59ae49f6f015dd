//! Values as RDB writes them, whole or in steps.
//!
//! Called by DUMP (through [`super::dump`]) and by snapshots; calls `encode`, `long`. Invariant: a [`Saver`] is given the same, unchanged value at every step (a pin, or
//! a value that nobody writes meanwhile). Bounds: a step writes (or compresses) about `budget` bytes and at most one text of [`LONG`] bytes or 32 small elements more, whatever the
//! value consists of. Type numbers are those that redis 7.0.15 writes; hashes with expiring fields are written as redis 7.4 does.
use super::encode::Encoder;
use super::kind;
use super::long::{LONG, Long};
use crate::keyspace::ValueRef;
use crate::types::element::Element;
use crate::types::encoding::listpack::ListPack;
use crate::types::encoding::tree::Cursor;
use crate::types::field::NEVER;
use crate::types::hash::Hash;
use crate::types::list::{List, Stretch};
use crate::types::set::Set;
use crate::types::stream::{Group, Stream, StreamId};
use crate::types::zset::ZSet;
use smallvec::SmallVec;

/// Elements fetched at once.
const BATCH: usize = 32;
/// What fetching costs, in bytes written: a table may be full of fields whose time is over.
const FETCH: usize = 128;
/// quicklist2's containers.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Where a saver stands.
#[derive(Debug, Clone)]
enum At {
    Start,
    /// The list's element.
    Item(usize),
    /// The table's scan cursor, and what has been written of the elements found there.
    Table(u64, usize),
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
    /// The long text it stands in.
    long: Option<Box<Long>>,
    /// Bytes in the buffer when the step began, what it may cost, and the cost of what is not in the buffer (compressed, fetched).
    from: usize,
    budget: usize,
    spent: usize,
}

impl Default for Saver {
    fn default() -> Self {
        Self { at: At::Start, long: None, from: 0, budget: 0, spent: 0 }
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
        (self.from, self.budget, self.spent) = (out.taken(), budget.max(1), 0);
        loop {
            let at = std::mem::replace(&mut self.at, At::End);
            self.at = match value {
                ValueRef::Int(number) => {
                    out.element(Element::Int(number));
                    At::End
                }
                ValueRef::Bytes(text) => self.only(text, out),
                ValueRef::Shared(text) => self.only(text, out),
                ValueRef::List(list) => self.list(at, list, out),
                ValueRef::Set(set) => self.set(at, set, out),
                ValueRef::ZSet(zset) => self.zset(at, zset, out),
                ValueRef::Hash(hash) => self.hash(at, hash, out),
                ValueRef::Stream(stream) => self.stream(at, stream, out),
            };
            if matches!(self.at, At::End) {
                return true;
            }
            if self.is_spent(out) {
                return false;
            }
        }
    }

    /// Bytes that this step may still write.
    fn left(&self, out: &Encoder<'_>) -> usize {
        self.budget.saturating_sub((out.taken() - self.from).saturating_add(self.spent))
    }

    fn is_spent(&self, out: &Encoder<'_>) -> bool {
        self.left(out) == 0
    }

    /// Goes on with a long text; true when it is written.
    fn go_on(&mut self, mut long: Box<Long>, text: &[u8], out: &mut Encoder<'_>) -> bool {
        while !long.step(text, out, self.left(out), &mut self.spent) {
            if self.is_spent(out) {
                self.long = Some(long);
                return false;
            }
        }
        true
    }

    /// Writes a text or a part of it; true when it is written.
    fn text(&mut self, text: &[u8], out: &mut Encoder<'_>) -> bool {
        if text.len() < LONG {
            out.string(text);
            return true;
        }
        let long = self.long.take().unwrap_or_else(|| Box::new(Long::new(text, out)));
        self.go_on(long, text, out)
    }

    /// As [`Self::text`], of a text that is made for being written.
    fn made(&mut self, make: impl FnOnce() -> Vec<u8>, out: &mut Encoder<'_>) -> bool {
        let (long, text) = match self.long.take() {
            Some(mut long) => {
                let text = std::mem::take(&mut long.own);
                (long, text)
            }
            None => {
                let text = make();
                if text.len() < LONG {
                    out.string(&text);
                    return true;
                }
                (Box::new(Long::new(&text, out)), text)
            }
        };
        let is_written = self.go_on(long, &text, out);
        if let Some(long) = &mut self.long {
            long.own = text;
        }
        is_written
    }

    fn element(&mut self, element: Element<'_>, out: &mut Encoder<'_>) -> bool {
        match element {
            Element::Bytes(text) => self.text(text, out),
            Element::Int(_) => {
                out.element(element);
                true
            }
        }
    }

    fn only(&mut self, text: &[u8], out: &mut Encoder<'_>) -> At {
        if self.text(text, out) { At::End } else { At::Start }
    }

    fn list(&mut self, at: At, list: &List, out: &mut Encoder<'_>) -> At {
        let At::Item(index) = at else {
            out.len(list.nodes() as u64);
            return At::Item(0);
        };
        let is_begun = self.long.is_some();
        let (count, is_written) = match list.stretch(index) {
            None => return At::End,
            Some(Stretch::Huge(bytes)) => {
                if !is_begun {
                    out.len(PLAIN);
                }
                (1, self.text(bytes, out))
            }
            Some(Stretch::Run(entries, count)) => {
                if !is_begun {
                    out.len(PACKED);
                }
                (count, self.made(|| frame(entries, count), out))
            }
        };
        At::Item(if is_written { index + count } else { index })
    }

    /// A collection that redis keeps in one string.
    fn whole(&mut self, make: impl FnOnce() -> Vec<u8>, out: &mut Encoder<'_>) -> At {
        if self.made(make, out) { At::End } else { At::Start }
    }

    fn set(&mut self, at: At, set: &Set, out: &mut Encoder<'_>) -> At {
        if let Some(ints) = set.as_ints() {
            return self.whole(|| ints.to_redis(), out);
        }
        let At::Table(cursor, written) = at else {
            out.len(set.len() as u64);
            return At::Table(0, 0);
        };
        let mut members = SmallVec::<[Element<'_>; 2 * BATCH]>::new();
        let next = set.scan(cursor, BATCH, |member| members.push(member));
        for (index, &member) in members.iter().enumerate().skip(written) {
            if self.is_spent(out) || !self.element(member, out) {
                return At::Table(cursor, index);
            }
        }
        self.spent += FETCH;
        if next == 0 { At::End } else { At::Table(next, 0) }
    }

    fn hash(&mut self, at: At, hash: &Hash, out: &mut Encoder<'_>) -> At {
        if hash.is_packed() {
            return self.whole(|| hash.to_listpack().map(ListPack::into_bytes).unwrap_or_default(), out);
        }
        let earliest_ms = hash.earliest_ms();
        let is_timed = earliest_ms != NEVER;
        let At::Table(cursor, written) = at else {
            if is_timed {
                out.time_ms(out.wall_ms(earliest_ms));
            }
            out.len(hash.len() as u64);
            return At::Table(0, 0);
        };
        let mut parts = SmallVec::<[Element<'_>; 4 * BATCH]>::new();
        let next = hash.scan(cursor, BATCH, |field, value| parts.extend([field, value]));
        for (index, &part) in parts.iter().enumerate().skip(written) {
            if self.is_spent(out) {
                return At::Table(cursor, index);
            }
            if is_timed && index % 2 == 0 && self.long.is_none() {
                let expire_ms = hash.expire_ms(&part.to_bytes()).filter(|&ms| ms != NEVER);
                out.len(expire_ms.map_or(0, |ms| ms.saturating_sub(earliest_ms) + 1));
            }
            if !self.element(part, out) {
                return At::Table(cursor, index);
            }
        }
        self.spent += FETCH;
        if next == 0 { At::End } else { At::Table(next, 0) }
    }

    fn zset(&mut self, at: At, zset: &ZSet, out: &mut Encoder<'_>) -> At {
        if zset.is_packed() {
            return self.whole(|| zset.to_listpack().map(ListPack::into_bytes).unwrap_or_default(), out);
        }
        let At::Ranks(mut left) = at else {
            out.len(zset.len() as u64);
            return At::Ranks(zset.len());
        };
        for (member, score) in zset.walk(left.saturating_sub(BATCH), left, true) {
            if self.is_spent(out) || !self.element(member, out) {
                return At::Ranks(left);
            }
            out.double(score);
            left -= 1;
        }
        if left == 0 { At::End } else { At::Ranks(left) }
    }

    fn stream(&mut self, at: At, stream: &Stream, out: &mut Encoder<'_>) -> At {
        let nodes = stream.nodes();
        match at {
            At::Node(mut cursor) => {
                if let Some(node) = nodes.leaf(&cursor) {
                    if self.long.is_none() {
                        out.string(&node.master().to_key());
                    }
                    if !self.text(node.pack().as_bytes(), out) {
                        return At::Node(cursor);
                    }
                }
                if nodes.next(&mut cursor) { At::Node(cursor) } else { At::Figures }
            }
            At::Figures => {
                put_figures(stream, out);
                At::Group(0)
            }
            At::Group(index) => match stream.groups().get(index) {
                None => At::End,
                Some(group) if !self.text(&group.name, out) => At::Group(index),
                Some(group) => {
                    put_group(group, out);
                    At::Pending(index, StreamId::MIN)
                }
            },
            At::Pending(index, from) => pending(&stream.groups()[index], index, from, out),
            At::Consumer(index, number) => match stream.groups()[index].consumer_at(number) {
                None => At::Group(index + 1),
                Some(consumer) if !self.text(&consumer.name, out) => At::Consumer(index, number),
                Some(consumer) => {
                    out.time_ms(consumer.seen_ms);
                    out.len(consumer.pending.len() as u64);
                    At::Owned(index, number, StreamId::MIN)
                }
            },
            At::Owned(index, number, from) => owned(&stream.groups()[index], index, number, from, out),
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

/// What stands behind a group's name.
fn put_group(group: &Group, out: &mut Encoder<'_>) {
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

fn owned(group: &Group, index: usize, number: usize, from: StreamId, out: &mut Encoder<'_>) -> At {
    let next = group.consumer_at(number).and_then(|consumer| {
        let mut ids = consumer.pending.range(from);
        ids.by_ref().take(BATCH).for_each(|id| out.raw(&id.to_key()));
        ids.next().copied()
    });
    next.map_or(At::Consumer(index, number + 1), |next| At::Owned(index, number, next))
}
