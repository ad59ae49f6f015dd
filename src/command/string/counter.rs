//! INCR DECR INCRBY DECRBY INCRBYFLOAT.
//!
//! Called through their rows. Invariant: an integer counter is kept as an integer and changed in place. INCRBYFLOAT leaves as
//! `SET key result KEEPTTL`, since replicas need not round alike; the delta is kept beside it for other datacenters.

use super::{store_value, text_of};
use crate::base::number::{
    DigitBuffer, LongDouble, format_long_double, parse_f64, parse_i64, parse_long_double,
};
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::effect::Kind;
use crate::keyspace::{Expire, StrIn};

/// `INCR key`
pub fn incr(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    add(cx, 1)
}

/// `DECR key`
pub fn decr(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    add(cx, -1)
}

/// `INCRBY key increment`
pub fn incrby(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let delta = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    add(cx, delta)
}

/// `DECRBY key decrement`
pub fn decrby(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let delta = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    add(cx, delta.checked_neg().ok_or(ReplyError::Text("ERR decrement would overflow"))?)
}

fn add(cx: &mut Cx<'_>, delta: i64) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let found = if let Some(mut entry) = cx.lookup_write(&key) {
        let element = entry.get().string().ok_or(ReplyError::WrongType)?;
        let old = element.as_i64().ok_or(ReplyError::NotInteger)?;
        let sum = old.checked_add(delta);
        let sum = sum.ok_or(ReplyError::Text("ERR increment or decrement would overflow"))?;
        entry.set_string(StrIn::Int(sum));
        Some(sum)
    } else {
        None
    };
    if found.is_none() {
        store_value(cx, &key, StrIn::Int(delta), Expire::Clear);
    }
    cx.propagate();
    cx.notify(notify::STRING, "incrby", key.bytes);
    cx.out.integer(found.unwrap_or(delta));
    Ok(())
}

/// `INCRBYFLOAT key increment`
pub fn incrbyfloat(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, word) = (cx.key(1), cx.arg(2));
    let old = if let Some(entry) = cx.lookup_write(&key) {
        let element = entry.get().string().ok_or(ReplyError::WrongType)?;
        let mut digits = DigitBuffer::new();
        Some(parse_long_double(text_of(element, &mut digits)).ok_or(ReplyError::NotFloat)?)
    } else {
        None
    };
    let delta = parse_long_double(word).ok_or(ReplyError::NotFloat)?;
    let sum = old.unwrap_or(LongDouble::from_i64(0)).add(delta);
    if !sum.is_finite() {
        return Err(ReplyError::Text("ERR increment would produce NaN or Infinity"));
    }
    let text = format_long_double(sum);
    store_value(cx, &key, StrIn::Plain(text.as_bytes()), Expire::Keep);
    let kind = Kind::FloatDelta(parse_f64(word).unwrap_or(0.0).to_bits());
    cx.propagate_kind(kind, &[b"SET", key.bytes, text.as_bytes(), b"KEEPTTL"]);
    cx.notify(notify::STRING, "incrbyfloat", key.bytes);
    cx.out.bulk(text.as_bytes());
    Ok(())
}
