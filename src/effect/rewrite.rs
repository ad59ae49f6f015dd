//! Values as the commands that make them, whole or in steps: the base of an append-only file with `aof-use-rdb-preamble no`.
//!
//! Called by snapshots in place of `rdb::save`; calls `codec`. Source: the commands, their order and their batches of 64 items are those of redis-server 7.0.15; a field's expiry is
//! written as redis 7.4 does. Invariant: a [`Rewriter`] is given the same, unchanged value at every step; what it wrote so far is whole commands. Bounds: a step writes about `budget` bytes and
//! 64 items more.
use super::codec::{append_command, append_header};
use crate::base::number::write_double;
use crate::keyspace::ValueRef;
use crate::types::element::Element;
use crate::types::field::NEVER;
use crate::types::hash::Hash;
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::stream::{Group, Stream, StreamId};
use crate::types::zset::ZSet;

/// Items of one command.
const ITEMS: usize = 64;

/// Where a rewriter stands.
#[derive(Debug, Clone)]
enum At {
    Start,
    /// The list's element, the sorted set's rank.
    Item(usize),
    /// The table's scan cursor.
    Table(u64),
    /// A stream's entries from this ID on.
    Entry(StreamId),
    Figures,
    Group(usize),
    /// A consumer's pending entries from this ID on.
    Owned(usize, usize, StreamId),
    End,
}

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Rewriter {
    at: At,
    wall_offset_ms: i64,
}

/// One command under construction.
struct Words<'o>(&'o mut Vec<u8>);

impl<'o> Words<'o> {
    fn begin(out: &'o mut Vec<u8>, count: usize, name: &str, key: &[u8]) -> Self {
        append_header(out, b'*', count);
        Self(out).word(name.as_bytes()).word(key)
    }

    fn word(self, text: &[u8]) -> Self {
        append_header(self.0, b'$', text.len());
        self.0.extend_from_slice(text);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    fn element(self, element: Element<'_>) -> Self {
        append_header(self.0, b'$', element.text_len());
        element.append_to(self.0);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    fn number(self, number: i64) -> Self {
        self.element(Element::Int(number))
    }

    fn score(self, score: f64) -> Self {
        let mut text = Vec::new();
        write_double(&mut text, score);
        self.word(&text)
    }

    fn id(self, id: StreamId) -> Self {
        self.word(&id.text())
    }
}

/// PEXPIREAT, behind the value.
pub fn expire(out: &mut Vec<u8>, key: &[u8], wall_ms: i64) {
    Words::begin(out, 3, "PEXPIREAT", key).number(wall_ms);
}

/// FUNCTION LOAD, before all keys.
pub fn function(out: &mut Vec<u8>, code: &[u8]) {
    append_command(out, 3, [&b"FUNCTION"[..], b"LOAD", code].into_iter());
}

impl Rewriter {
    /// A rewriter at the beginning; `wall_offset_ms` is wall clock minus internal clock.
    pub fn new(wall_offset_ms: i64) -> Self {
        Self { at: At::Start, wall_offset_ms }
    }

    /// Writes about `budget` bytes more; true when the value is written.
    pub fn step(&mut self, key: &[u8], value: ValueRef<'_>, out: &mut Vec<u8>, budget: usize) -> bool {
        let from = out.len();
        loop {
            self.at = match value {
                ValueRef::Int(number) => set_string(key, Element::Int(number), out),
                ValueRef::Bytes(text) => set_string(key, Element::Bytes(text), out),
                ValueRef::Shared(text) => set_string(key, Element::Bytes(text), out),
                ValueRef::List(list) => self.list(key, list, out),
                ValueRef::Set(set) => self.set(key, set, out),
                ValueRef::ZSet(zset) => self.zset(key, zset, out),
                ValueRef::Hash(hash) => self.hash(key, hash, out),
                ValueRef::Stream(stream) => self.stream(key, stream, out),
            };
            if matches!(self.at, At::End) {
                return true;
            }
            if out.len() - from >= budget {
                return false;
            }
        }
    }

    fn list(&self, key: &[u8], list: &List, out: &mut Vec<u8>) -> At {
        let from = if let At::Item(from) = self.at { from } else { 0 };
        let count = (list.len() - from).min(ITEMS);
        let command = Words::begin(out, 2 + count, "RPUSH", key);
        list.walk(from).take(count).fold(command, |command, item| command.element(item.element()));
        next(from + count, list.len())
    }

    fn set(&self, key: &[u8], set: &Set, out: &mut Vec<u8>) -> At {
        let cursor = if let At::Table(cursor) = self.at { cursor } else { 0 };
        let mut members = Vec::with_capacity(ITEMS);
        let after = set.scan(cursor, ITEMS, |member| members.push(member));
        for members in members.chunks(ITEMS) {
            let command = Words::begin(out, 2 + members.len(), "SADD", key);
            members.iter().fold(command, |command, member| command.element(*member));
        }
        if after == 0 { At::End } else { At::Table(after) }
    }

    fn zset(&self, key: &[u8], zset: &ZSet, out: &mut Vec<u8>) -> At {
        let from = if let At::Item(from) = self.at { from } else { 0 };
        let to = zset.len().min(from + ITEMS);
        let command = Words::begin(out, 2 + 2 * (to - from), "ZADD", key);
        let members = zset.walk(from, to, false);
        members.fold(command, |command, (member, score)| command.score(score).element(member));
        next(to, zset.len())
    }

    fn hash(&self, key: &[u8], hash: &Hash, out: &mut Vec<u8>) -> At {
        let cursor = if let At::Table(cursor) = self.at { cursor } else { 0 };
        let mut pairs = Vec::with_capacity(ITEMS);
        let after = hash.scan(cursor, ITEMS, |field, value| pairs.push((field, value)));
        for pairs in pairs.chunks(ITEMS) {
            let command = Words::begin(out, 2 + 2 * pairs.len(), "HMSET", key);
            pairs.iter().fold(command, |command, (field, value)| command.element(*field).element(*value));
        }
        if hash.earliest_ms() != NEVER {
            for (field, _) in pairs {
                let Some(ms) = hash.expire_ms(&field.to_bytes()).filter(|&ms| ms != NEVER) else { continue };
                let wall_ms = (ms as i64).saturating_add(self.wall_offset_ms);
                let command = Words::begin(out, 6, "HPEXPIREAT", key).number(wall_ms);
                command.word(b"FIELDS").word(b"1").element(field);
            }
        }
        if after == 0 { At::End } else { At::Table(after) }
    }

    fn stream(&self, key: &[u8], stream: &Stream, out: &mut Vec<u8>) -> At {
        let groups = stream.groups();
        match self.at {
            At::Start if stream.is_empty() => {
                let command = Words::begin(out, 7, "XADD", key).word(b"MAXLEN").word(b"0");
                command.word(b"0-1").word(b"x").word(b"y");
                At::Figures
            }
            At::Start => add_entries(key, stream, StreamId::MIN, out),
            At::Entry(from) => add_entries(key, stream, from, out),
            At::Figures => {
                let counters = stream.counters();
                let command = Words::begin(out, 7, "XSETID", key).id(counters.last_id);
                let command = command.word(b"ENTRIESADDED").number(counters.entries_added as i64);
                command.word(b"MAXDELETEDID").id(counters.max_deleted);
                At::Group(0)
            }
            At::Group(index) => match groups.get(index) {
                None => At::End,
                Some(group) => {
                    create_group(key, group, out);
                    At::Owned(index, 0, StreamId::MIN)
                }
            },
            At::Owned(index, number, from) => match groups.get(index) {
                Some(group) => claim(key, group, index, (number, from), out),
                None => At::End,
            },
            At::Item(_) | At::Table(_) | At::End => At::End,
        }
    }
}

fn next(index: usize, len: usize) -> At {
    if index < len { At::Item(index) } else { At::End }
}

fn set_string(key: &[u8], text: Element<'_>, out: &mut Vec<u8>) -> At {
    Words::begin(out, 3, "SET", key).element(text);
    At::End
}

fn add_entries(key: &[u8], stream: &Stream, from: StreamId, out: &mut Vec<u8>) -> At {
    let mut entries = stream.range(from, StreamId::MAX, false);
    for entry in entries.by_ref().take(ITEMS) {
        let command = Words::begin(out, 3 + 2 * entry.fields.len(), "XADD", key).id(entry.id);
        entry.fields.fold(command, |command, (field, value)| command.element(field).element(value));
    }
    entries.next().map_or(At::Figures, |entry| At::Entry(entry.id))
}

fn create_group(key: &[u8], group: &Group, out: &mut Vec<u8>) {
    append_header(out, b'*', 7);
    let command = Words(out).word(b"XGROUP").word(b"CREATE").word(key).word(&group.name);
    command.id(group.last_id).word(b"ENTRIESREAD").number(group.entries_read.unwrap_or(-1));
}

/// A consumer, by what is pending for it.
fn claim(
    key: &[u8],
    group: &Group,
    index: usize,
    (number, from): (usize, StreamId),
    out: &mut Vec<u8>,
) -> At {
    let Some(consumer) = group.consumer_at(number) else { return At::Group(index + 1) };
    if consumer.pending.is_empty() {
        append_header(out, b'*', 5);
        let command = Words(out).word(b"XGROUP").word(b"CREATECONSUMER").word(key);
        command.word(&group.name).word(&consumer.name);
        return At::Owned(index, number + 1, StreamId::MIN);
    }
    let mut ids = consumer.pending.range(from);
    for &id in ids.by_ref().take(ITEMS) {
        let Some(pending) = group.pending().get(id) else { continue };
        let command = Words::begin(out, 12, "XCLAIM", key).word(&group.name).word(&consumer.name);
        let command = command.word(b"0").id(id).word(b"TIME").number(pending.delivery_ms);
        let command = command.word(b"RETRYCOUNT").number(pending.delivery_count as i64);
        command.word(b"JUSTID").word(b"FORCE");
    }
    match ids.next() {
        Some(&next) => At::Owned(index, number, next),
        None => At::Owned(index, number + 1, StreamId::MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::zset::{AddRule, ZSetLimits};

    fn text(key: &[u8], value: ValueRef<'_>) -> String {
        let mut out = Vec::new();
        let mut rewriter = Rewriter::new(0);
        while !rewriter.step(key, value, &mut out, 1) {}
        String::from_utf8_lossy(&out).replace("\r\n", " ")
    }

    /// The texts are redis-server 7.0.15's.
    #[test]
    fn values_become_the_commands_redis_writes() {
        assert_eq!(text(b"k", ValueRef::Int(-7)), "*3 $3 SET $1 k $2 -7 ");
        let mut zset = ZSet::default();
        for (score, member) in [(1.5, "a"), (f64::NEG_INFINITY, "e"), (0.1, "c"), (1e300, "f")] {
            zset.add(member.as_bytes(), score, AddRule::default(), &ZSetLimits::default());
        }
        let expected = "*10 $4 ZADD $1 z $4 -inf $1 e $19 0.10000000000000001 $1 c $3 1.5 $1 a $23 1.0000000000000001e+300 $1 f ";
        assert_eq!(text(b"z", ValueRef::ZSet(&zset)), expected);
        let empty = Stream::default();
        let expected = "*7 $4 XADD $2 es $6 MAXLEN $1 0 $3 0-1 $1 x $1 y *7 $6 XSETID $2 es $3 0-0 $12 ENTRIESADDED $1 0 $12 MAXDELETEDID $3 0-0 ";
        assert_eq!(text(b"es", ValueRef::Stream(&empty)), expected);
        let mut out = Vec::new();
        expire(&mut out, b"k", 1_795_388_750_438);
        assert_eq!(out, b"*3\r\n$9\r\nPEXPIREAT\r\n$1\r\nk\r\n$13\r\n1795388750438\r\n");
    }
}
