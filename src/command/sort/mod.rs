//! SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what keys named after them hold.
//!
//! Called through their rows in `command::rows::generic`; the words are read by `options`, keys named by patterns are looked up by `pattern`, the order
//! comes from `order`. Invariant: elements are copied out before anything else is looked up, since a pattern may name (and expire) any key; with patterns
//! every shard is in hand ([`reads_beyond`]). Bounds: costs the collection and its lookups; a LIMIT without sorting costs the range.
//! Source: redis' sort.c for the order of checks, determinism (a set stored or read by a script is sorted), ties and texts.

mod options;
mod order;
mod pattern;

use crate::command::list::limits;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{Entry, Expire, Key, NewValue, ValueRef};
use crate::types::element::Element;
use crate::types::list::{End, List, NewItem};
use crate::types::zset::ZSet;
use options::Options;
pub use options::reads_beyond;
use pattern::Pattern;

/// Texts one behind the other.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, element: Element<'_>) {
        element.append_to(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }
}

/// What is sorted, and which part of it is wanted.
#[derive(Default)]
struct Subject {
    texts: Texts,
    /// Range of the wanted elements, after sorting.
    from: usize,
    to: usize,
    sorts: bool,
    alpha: bool,
}

/// Copies the elements out. Without sorting, ordered collections give their range only.
fn gather(entry: Entry<'_>, options: &Options<'_>, is_script: bool) -> Result<Subject, ReplyError> {
    let mut subject = Subject { sorts: options.sorts, alpha: options.alpha, ..Subject::default() };
    let len = match entry.value() {
        ValueRef::List(list) => list.len(),
        ValueRef::Set(set) => set.len(),
        ValueRef::ZSet(zset) => zset.len(),
        _ => return Err(ReplyError::WrongType),
    };
    (subject.from, subject.to) = options.range(len);
    let (from, to) = (subject.from, subject.to);
    let texts = &mut subject.texts;
    let direct = !options.sorts && !matches!(entry.value(), ValueRef::Set(_));
    match entry.value() {
        ValueRef::List(list) if direct && options.descending => {
            let walk = list.walk_back(len.wrapping_sub(from + 1));
            walk.take(to - from).for_each(|item| texts.push(item.element()));
        }
        ValueRef::List(list) if direct => {
            list.walk(from).take(to - from).for_each(|item| texts.push(item.element()));
        }
        ValueRef::List(list) => list.walk(0).for_each(|item| texts.push(item.element())),
        ValueRef::ZSet(zset) if direct && options.descending => {
            zset.walk(len - to, len - from, true).for_each(|(member, _)| texts.push(member));
        }
        ValueRef::ZSet(zset) if direct => {
            zset.walk(from, to, false).for_each(|(member, _)| texts.push(member));
        }
        ValueRef::ZSet(zset) => zset.iter().for_each(|(member, _)| texts.push(member)),
        ValueRef::Set(set) => set.iter().for_each(|member| texts.push(member)),
        _ => {}
    }
    if direct {
        (subject.from, subject.to) = (0, to - from);
    } else if !options.sorts && (options.store.is_some() || is_script) {
        (subject.sorts, subject.alpha) = (true, true);
    }
    Ok(subject)
}

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC|DESC] [ALPHA] [STORE destination]`
pub fn sort(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    sort_with(cx, false)
}

/// `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC|DESC] [ALPHA]`
pub fn sort_ro(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    sort_with(cx, true)
}

fn sort_with(cx: &mut Cx<'_>, read_only: bool) -> Result<(), ReplyError> {
    let options = options::parse(cx, read_only)?;
    let (key, is_script) = (cx.key(1), cx.outcome.caller.is_script);
    let found = cx.lookup_read(&key).map(|entry| gather(entry, &options, is_script));
    let subject = match found {
        Some(subject) => subject?,
        None => {
            cx.notify_miss(key.bytes);
            Subject::default()
        }
    };
    enlarge_zset(cx, &key);
    // A set that must be sorted although BY said otherwise is sorted by itself.
    let by = if options.sorts { options.by } else { None };
    let order =
        if subject.sorts { order::sorted(cx, &subject, by, &options)? } else { order::as_is(&subject) };
    match options.store {
        None => reply(cx, &subject, &order, &options),
        Some(index) => store(cx, &subject, &order, &options, index),
    }
    Ok(())
}

/// redis leaves a sorted set that was sorted as a skiplist.
fn enlarge_zset(cx: &mut Cx<'_>, key: &Key<'_>) {
    cx.access.touch = false;
    if let Ok(Some(mut entry)) = cx.write_as::<ZSet>(key)
        && let Some(zset) = entry.get_mut::<ZSet>()
    {
        zset.enlarge();
    }
}

fn reply(cx: &mut Cx<'_>, subject: &Subject, order: &[usize], options: &Options<'_>) {
    cx.out.array(order.len() * options.gets.len().max(1));
    for &index in order {
        let text = subject.texts.get(index);
        if options.gets.is_empty() {
            cx.out.bulk(text);
        }
        for get in &options.gets {
            pattern::find(cx, get, text, |out, value| match value {
                Some(Element::Bytes(bytes)) => out.bulk(bytes),
                Some(Element::Int(number)) => out.bulk_i64(number),
                None => out.null(),
            });
        }
    }
}

fn store(cx: &mut Cx<'_>, subject: &Subject, order: &[usize], options: &Options<'_>, index: usize) {
    let (target, limits) = (cx.key(index), limits(cx));
    let mut list = List::default();
    for &index in order {
        let text = subject.texts.get(index);
        if options.gets.is_empty() {
            list.push(End::Right, NewItem::Text(text), &limits);
        }
        for get in &options.gets {
            pattern::find(cx, get, text, |_, value| {
                let value = value.unwrap_or(Element::Bytes(b"")).to_bytes();
                list.push(End::Right, NewItem::Text(&value), &limits);
            });
        }
    }
    let len = list.len();
    if len > 0 {
        if cx.dbm(&target).set_value(&target, NewValue::from(list), Expire::Clear) {
            cx.notify(notify::NEW, "new", target.bytes);
        }
        cx.notify(notify::LIST, "sortstore", target.bytes);
        cx.propagate();
        cx.outcome.dirty += len as u64 - 1;
    } else if cx.dbm(&target).remove(&target) {
        cx.notify(notify::GENERIC, "del", target.bytes);
        cx.propagate();
    }
    cx.out.integer(len as i64);
}
