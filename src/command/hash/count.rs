//! HINCRBY HINCRBYFLOAT: counters in fields.
//!
//! Called through their rows. Invariant: a float delta leaves as the value it produced (HSET), with the delta kept beside it. Source: redis'
//! t_hash.c; numbers in 80-bit extended precision as redis computes them (`base::number`).

use super::expiry::propagate_expiry;
use super::limits;
use crate::base::number::{
    DigitBuffer, LongDouble, format_long_double, parse_f64, parse_i64, parse_long_double,
};
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::effect::Kind;
use crate::keyspace::Key;
use crate::types::field::NEVER;
use crate::types::hash::Hash;

/// Opens the hash, lets `change` compute the field's new text, sets it. A hash made for nothing is removed again.
fn update_field(
    cx: &mut Cx<'_>,
    key: &Key<'_>,
    change: impl FnOnce(&Hash) -> Result<Vec<u8>, ReplyError>,
) -> Result<Vec<u8>, ReplyError> {
    let (limits, field) = (limits(cx), cx.arg(2));
    let mut entry = cx.open_as::<Hash>(key)?;
    let Some(hash) = entry.get_mut::<Hash>() else { return Err(ReplyError::WrongType) };
    match change(hash) {
        Ok(text) => {
            hash.update(field, &text, &limits);
            Ok(text)
        }
        Err(error) => {
            if hash.is_empty() {
                entry.remove();
            }
            Err(error)
        }
    }
}

/// `HINCRBY key field increment`
pub fn hincrby(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let increment = parse_i64(cx.arg(3)).ok_or(ReplyError::NotInteger)?;
    let (key, field) = (cx.key(1), cx.arg(2));
    let mut result = 0;
    update_field(cx, &key, |hash| {
        let current = match hash.get(field) {
            None => 0,
            Some(value) => value.as_i64().ok_or(ReplyError::Text("ERR hash value is not an integer"))?,
        };
        result = current
            .checked_add(increment)
            .ok_or(ReplyError::Text("ERR increment or decrement would overflow"))?;
        Ok(DigitBuffer::new().format(result).to_vec())
    })?;
    cx.propagate();
    cx.notify(notify::HASH, "hincrby", key.bytes);
    cx.out.integer(result);
    Ok(())
}

/// `HINCRBYFLOAT key field increment`
pub fn hincrbyfloat(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let increment = parse_long_double(cx.arg(3)).ok_or(ReplyError::NotFloat)?;
    if !increment.is_finite() {
        return Err(ReplyError::Text("ERR value is NaN or Infinity"));
    }
    let delta = parse_f64(cx.arg(3)).unwrap_or(0.0);
    let (key, field) = (cx.key(1), cx.arg(2));
    let mut expire_ms = None;
    let text = update_field(cx, &key, |hash| {
        expire_ms = hash.expire_ms(field).filter(|&ms| ms != NEVER);
        let current = match hash.get(field) {
            None => LongDouble::from_i64(0),
            Some(value) => parse_long_double(&value.to_bytes())
                .ok_or(ReplyError::Text("ERR hash value is not a float"))?,
        };
        let sum = current.add(increment);
        if !sum.is_finite() {
            return Err(ReplyError::Text("ERR increment would produce NaN or Infinity"));
        }
        Ok(format_long_double(sum).into_bytes())
    })?;
    cx.propagate_kind(Kind::FloatDelta(delta.to_bits()), &[b"HSET", key.bytes, field, &text]);
    if let Some(ms) = expire_ms {
        // HSET took it away there.
        let wall_ms = cx.to_wall_ms(ms);
        propagate_expiry(cx, &key, wall_ms, &[field]);
    }
    cx.notify(notify::HASH, "hincrbyfloat", key.bytes);
    cx.out.bulk(&text);
    Ok(())
}
