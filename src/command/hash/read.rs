//! HGET HMGET HGETALL HKEYS HVALS HLEN HSTRLEN HEXISTS: fields read.
//!
//! Called through their rows. Invariant: replies are written straight from the hash, nothing is collected first.

use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::keyspace::Key;
use crate::resp::Out;
use crate::types::element::Element;
use crate::types::hash::Hash;

/// Writes a field or value.
pub fn write_element(out: &mut Out, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => out.bulk(bytes),
        Element::Int(number) => out.bulk_i64(number),
    }
}

/// Lets `write` reply from the hash at the command's key (or from `None`): the borrow of the hash and that of the reply part here.
fn reply_from(cx: &mut Cx<'_>, write: impl FnOnce(&mut Out, Option<&Hash>)) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let mut out = std::mem::take(cx.out);
    let found = cx.read_as::<Hash>(&key);
    let missing = matches!(found, Ok(None));
    let result = found.map(|hash| write(&mut out, hash));
    *cx.out = out;
    if missing {
        miss(cx, &key);
    }
    result
}

fn miss(cx: &mut Cx<'_>, key: &Key<'_>) {
    cx.notify_miss(key.bytes);
}

fn write_field(out: &mut Out, hash: Option<&Hash>, field: &[u8]) {
    match hash.and_then(|hash| hash.get(field)) {
        Some(value) => write_element(out, value),
        None => out.null(),
    }
}

/// `HGET key field`
pub fn hget(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let field = cx.arg(2);
    reply_from(cx, |out, hash| write_field(out, hash, field))
}

/// `HMGET key field [field …]`
pub fn hmget(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let fields = cx.args.skip(2);
    reply_from(cx, |out, hash| {
        out.array(fields.len());
        fields.iter().for_each(|field| write_field(out, hash, field));
    })
}

/// `HGETALL key`
pub fn hgetall(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply_from(cx, |out, hash| {
        out.map(hash.map_or(0, Hash::len));
        for (field, value) in hash.into_iter().flat_map(Hash::iter) {
            write_element(out, field);
            write_element(out, value);
        }
    })
}

/// `HKEYS key`
pub fn hkeys(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply_from(cx, |out, hash| {
        out.array(hash.map_or(0, Hash::len));
        hash.into_iter().flat_map(Hash::iter).for_each(|(field, _)| write_element(out, field));
    })
}

/// `HVALS key`
pub fn hvals(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply_from(cx, |out, hash| {
        out.array(hash.map_or(0, Hash::len));
        hash.into_iter().flat_map(Hash::iter).for_each(|(_, value)| write_element(out, value));
    })
}

/// `HLEN key`
pub fn hlen(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply_from(cx, |out, hash| out.integer(hash.map_or(0, Hash::len) as i64))
}

/// `HSTRLEN key field`
pub fn hstrlen(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let field = cx.arg(2);
    reply_from(cx, |out, hash| {
        let value = hash.and_then(|hash| hash.get(field));
        out.integer(value.map_or(0, Element::text_len) as i64);
    })
}

/// `HEXISTS key field`
pub fn hexists(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let field = cx.arg(2);
    reply_from(cx, |out, hash| out.integer(hash.is_some_and(|hash| hash.contains(field)) as i64))
}
