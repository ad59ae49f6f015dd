//! Values as RDB brings them, every encoding of versions 1 to 12.
//!
//! Called by RESTORE (through [`super::restore`]) and by whoever loads files; calls `decode`, `ziplist`, `load_stream`. Invariants: a loaded collection is not empty
//! (streams may be), has no duplicates, and is encoded by the limits in force as its commands would have made it. Bounds: as `decode`.
use super::decode::{Damage, Decoder, EMPTY, Loaded};
use super::ziplist::{ziplist, zipmap};
use super::{kind, load_stream};
use crate::keyspace::{Boxed, NewValue, Stored, StrIn};
use crate::types::element::Element;
use crate::types::encoding::intset::IntSet;
use crate::types::encoding::listpack::ListPack;
use crate::types::field::NEVER;
use crate::types::hash::{Hash, HashLimits};
use crate::types::list::{End, List, ListLimits, NewItem};
use crate::types::set::{Set, SetLimits};
use crate::types::zset::{ZSet, ZSetLimits};
use bytes::Bytes;
use std::borrow::Cow;

/// Strings from this length on are kept as the buffer they were read into, bytes.
const SHARED_FROM: usize = 16 * 1024;

/// The encoding thresholds in force.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of hashes.
    pub hash: HashLimits,
    /// Of lists.
    pub list: ListLimits,
    /// Of sets.
    pub set: SetLimits,
    /// Of sorted sets.
    pub zset: ZSetLimits,
    /// Wall clock minus internal clock, ms.
    pub wall_offset_ms: i64,
}

impl Limits {
    /// A unix time in ms on the internal clock.
    fn internal_ms(&self, wall_ms: i64) -> u64 {
        wall_ms.saturating_sub(self.wall_offset_ms).max(0) as u64
    }
}

/// A loaded value.
pub enum Value<'b> {
    /// A string, where it lies unless it was packed.
    Text(Cow<'b, [u8]>),
    /// A collection.
    Boxed(Boxed),
}

impl Value<'_> {
    /// Hands it to `take` as the keyspace wants it.
    pub fn store<R>(self, take: impl FnOnce(NewValue<'_>) -> R) -> R {
        match self {
            Self::Text(text) if text.len() >= SHARED_FROM => {
                take(NewValue::Str(StrIn::Shared(Bytes::from(text.into_owned()))))
            }
            Self::Text(text) => take(NewValue::Str(StrIn::Bytes(&text))),
            Self::Boxed(boxed) => take(NewValue::Boxed(boxed)),
        }
    }
}

/// Reads a value of type `kind`.
///
/// # Errors
/// Whatever does not fit the encoding.
pub fn load_value<'b>(kind: u8, from: &mut Decoder<'_, 'b>, limits: &Limits) -> Loaded<Value<'b>> {
    Ok(Value::Boxed(match kind {
        kind::STRING => return Ok(Value::Text(from.string()?)),
        kind::LIST | kind::LIST_ZIPLIST | kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => {
            load_list(kind, from, limits)?.boxed()
        }
        kind::SET | kind::SET_INTSET | kind::SET_LISTPACK => load_set(kind, from, limits)?.boxed(),
        kind::HASH | kind::HASH_ZIPMAP | kind::HASH_ZIPLIST | kind::HASH_LISTPACK => {
            load_hash(kind, from, limits)?.boxed()
        }
        kind::HASH_METADATA
        | kind::HASH_LISTPACK_EX
        | kind::HASH_METADATA_PRE_GA
        | kind::HASH_LISTPACK_EX_PRE_GA => load_timed_hash(kind, from, limits)?.boxed(),
        kind::ZSET | kind::ZSET_2 | kind::ZSET_ZIPLIST | kind::ZSET_LISTPACK => {
            load_zset(kind, from, limits)?.boxed()
        }
        kind::STREAM_LISTPACKS | kind::STREAM_LISTPACKS_2 | kind::STREAM_LISTPACKS_3 => {
            load_stream::load_stream(kind, from)?.boxed()
        }
        _ => return Err(Damage("unknown type")),
    }))
}

/// A string that is a listpack.
pub(super) fn load_pack(from: &mut Decoder<'_, '_>) -> Loaded<ListPack> {
    ListPack::from_bytes(from.string()?.into_owned()).ok_or(Damage("bad listpack"))
}

fn load_ziplist(from: &mut Decoder<'_, '_>) -> Loaded<Vec<Vec<u8>>> {
    ziplist(&from.string()?).ok_or(Damage("bad ziplist"))
}

fn not_empty(len: usize) -> Loaded<()> {
    if len == 0 { Err(EMPTY) } else { Ok(()) }
}

/// A huge element keeps the buffer it was unpacked into.
fn new_item<'a>(text: Cow<'a, [u8]>) -> NewItem<'a> {
    match text {
        Cow::Borrowed(text) => NewItem::Text(text),
        Cow::Owned(text) => NewItem::Shared(Bytes::from(text)),
    }
}

fn load_list(kind: u8, from: &mut Decoder<'_, '_>, limits: &Limits) -> Loaded<List> {
    let (mut list, limits) = (List::default(), &limits.list);
    let push = |list: &mut List, text: Cow<'_, [u8]>| list.push(End::Right, new_item(text), limits);
    let push_all = |list: &mut List, texts: Vec<Vec<u8>>| {
        texts.into_iter().for_each(|text| push(list, Cow::Owned(text)));
    };
    match kind {
        kind::LIST_ZIPLIST => push_all(&mut list, load_ziplist(from)?),
        kind::LIST => {
            for _ in 0..from.count()? {
                push(&mut list, from.string()?);
            }
        }
        kind::LIST_QUICKLIST => {
            for _ in 0..from.count()? {
                push_all(&mut list, load_ziplist(from)?);
            }
        }
        _ => {
            for _ in 0..from.count()? {
                match from.length()? {
                    1 => push(&mut list, from.string()?),
                    2 => list.push_pack(&load_pack(from)?, limits),
                    _ => return Err(Damage("unknown list container")),
                }
            }
        }
    }
    not_empty(list.len())?;
    Ok(list)
}

fn load_set(kind: u8, from: &mut Decoder<'_, '_>, limits: &Limits) -> Loaded<Set> {
    let mut set = Set::default();
    match kind {
        kind::SET => {
            let count = from.count()?;
            for _ in 0..count {
                if !set.add(&from.string()?, &limits.set) {
                    return Err(Damage("a member twice"));
                }
            }
        }
        kind::SET_INTSET => {
            let ints = IntSet::from_redis(&from.string()?).ok_or(Damage("bad intset"))?;
            if ints.len() > limits.set.max_ints {
                ints.iter().for_each(|number| {
                    set.add_element(Element::Int(number), &limits.set);
                });
            } else {
                set = Set::from_ints(ints);
            }
        }
        _ => {
            let pack = load_pack(from)?;
            for member in pack.iter() {
                if !set.add_element(member, &limits.set) {
                    return Err(Damage("a member twice"));
                }
            }
        }
    }
    not_empty(set.len())?;
    Ok(set)
}

fn set_pairs(hash: &mut Hash, pairs: &[Vec<u8>], limits: &Limits) -> Loaded<()> {
    let (pairs, rest) = pairs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Damage("a field without a value"));
    }
    for [field, value] in pairs {
        set_field(hash, field, value, limits)?;
    }
    Ok(())
}

fn set_field(hash: &mut Hash, field: &[u8], value: &[u8], limits: &Limits) -> Loaded<()> {
    match hash.set(field, value, &limits.hash) {
        true => Ok(()),
        false => Err(Damage("a field twice")),
    }
}

fn load_hash(kind: u8, from: &mut Decoder<'_, '_>, limits: &Limits) -> Loaded<Hash> {
    let mut hash = Hash::default();
    match kind {
        kind::HASH => {
            for _ in 0..from.count()? {
                let (field, value) = (from.string()?, from.string()?);
                set_field(&mut hash, &field, &value, limits)?;
            }
        }
        kind::HASH_ZIPMAP => {
            let pairs = zipmap(&from.string()?).ok_or(Damage("bad zipmap"))?;
            set_pairs(&mut hash, &pairs, limits)?;
        }
        kind::HASH_ZIPLIST => set_pairs(&mut hash, &load_ziplist(from)?, limits)?,
        _ => {
            let pack = load_pack(from)?;
            let is_small = pack.len() / 2 <= limits.hash.max_entries;
            let loaded = Hash::from_listpack(&pack).ok_or(Damage("bad listpack of a hash"))?;
            if is_small {
                hash = loaded;
            } else {
                for (field, value) in loaded.iter() {
                    set_field(&mut hash, &field.to_bytes(), &value.to_bytes(), limits)?;
                }
            }
        }
    }
    not_empty(hash.len())?;
    Ok(hash)
}

/// Hashes of redis 7.4 whose fields may expire: `[earliest]`, then per field its time (0: none; relative to the earliest less one, or absolute), field, value.
fn load_timed_hash(kind: u8, from: &mut Decoder<'_, '_>, limits: &Limits) -> Loaded<Hash> {
    let mut hash = Hash::default();
    let is_relative = kind == kind::HASH_METADATA;
    let earliest = match kind {
        kind::HASH_METADATA | kind::HASH_LISTPACK_EX => from.time_ms()?,
        _ => 0,
    };
    let mut times = Vec::new();
    let mut add = |hash: &mut Hash, field: &[u8], value: &[u8], time: u64| {
        if time != 0 {
            let time = i64::try_from(time).map_err(|_| Damage("a time beyond all times"))?;
            let wall_ms = if is_relative { earliest.saturating_add(time - 1) } else { time };
            times.push((field.to_vec(), limits.internal_ms(wall_ms).min(NEVER - 1)));
        }
        set_field(hash, field, value, limits)
    };
    if matches!(kind, kind::HASH_METADATA | kind::HASH_METADATA_PRE_GA) {
        for _ in 0..from.count()? {
            let time = from.length()?;
            let (field, value) = (from.string()?, from.string()?);
            add(&mut hash, &field, &value, time)?;
        }
    } else {
        let pack = load_pack(from)?;
        let mut items = pack.iter();
        while let Some(field) = items.next() {
            let (Some(value), Some(Element::Int(time))) = (items.next(), items.next()) else {
                return Err(Damage("bad listpack of a hash"));
            };
            let time = u64::try_from(time).map_err(|_| Damage("a time before all times"))?;
            add(&mut hash, &field.to_bytes(), &value.to_bytes(), time)?;
        }
    }
    not_empty(hash.len())?;
    if !times.is_empty() {
        hash.make_timed(0);
        times.iter().for_each(|(field, expire_ms)| hash.set_expire(field, *expire_ms));
    }
    Ok(hash)
}

fn zset_of(members: &[(Cow<'_, [u8]>, f64)], limits: &Limits) -> Loaded<ZSet> {
    if members.iter().any(|(_, score)| score.is_nan()) {
        return Err(Damage("a score that is no number"));
    }
    ZSet::from_stored(members, &limits.zset).ok_or(Damage("a member twice"))
}

fn load_zset(kind: u8, from: &mut Decoder<'_, '_>, limits: &Limits) -> Loaded<ZSet> {
    let mut members = Vec::new();
    match kind {
        kind::ZSET | kind::ZSET_2 => {
            for _ in 0..from.count()? {
                let member = from.string()?;
                let score = if kind == kind::ZSET { from.text_double()? } else { from.double()? };
                members.push((member, score));
            }
            // Written from the greatest down; built fastest from the least up.
            members.reverse();
        }
        kind::ZSET_ZIPLIST => {
            let elements = load_ziplist(from)?;
            let (pairs, rest) = elements.as_chunks::<2>();
            not_empty(pairs.len())?;
            if !rest.is_empty() {
                return Err(Damage("a member without a score"));
            }
            for [member, score] in pairs {
                let score =
                    crate::base::number::parse_f64(score).ok_or(Damage("a score that is no number"))?;
                members.push((Cow::Owned(member.clone()), score));
            }
        }
        _ => {
            let pack = load_pack(from)?;
            not_empty(pack.len())?;
            let is_small = pack.len() / 2 <= limits.zset.max_entries;
            let loaded = ZSet::from_listpack(&pack).ok_or(Damage("bad listpack of a sorted set"))?;
            if is_small {
                return Ok(loaded);
            }
            members = loaded
                .iter()
                .map(|(member, score)| (Cow::Owned(member.to_bytes().into_owned()), score))
                .collect();
        }
    }
    zset_of(&members, limits)
}
