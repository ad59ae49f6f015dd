//! SET SETNX SETEX PSETEX GETSET.
//!
//! Called through their rows. Invariant: an expiry leaves as `SET key value PXAT ms`, so that no replica counts on its own clock; GET is not
//! propagated. Bounds: SET without options is one lookup and one store.

use smallvec::SmallVec;

use super::options::{Clock, Options, deadline};
use super::{store, write_string};
use crate::base::number::DigitBuffer;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{Expire, Key};

/// `SET key value [NX|XX] [GET] [EX seconds|PX ms|EXAT unix|PXAT unix-ms|KEEPTTL]`
pub fn set(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    if cx.argc() == 3 {
        let key = cx.key(1);
        store(cx, &key, 2, Expire::Clear);
        cx.propagate();
        cx.notify(notify::STRING, "set", key.bytes);
        cx.out.ok();
        return Ok(());
    }
    let options = Options::parse(cx, 3, true)?;
    let key = cx.key(1);
    let wall_ms = match options.expire {
        Some((clock, index)) => Some(deadline(cx, clock, index)?),
        None => None,
    };
    if options.get {
        reply_old(cx, &key)?;
    }
    if options.nx || options.xx {
        let found = cx.lookup_write(&key).is_some();
        if found == options.nx {
            if !options.get {
                cx.out.null();
            }
            return Ok(());
        }
    }
    let expire = match wall_ms {
        Some(ms) => Expire::At(cx.from_wall_ms(ms)),
        None if options.keep_ttl => Expire::Keep,
        None => Expire::Clear,
    };
    store(cx, &key, 2, expire);
    propagate_set(cx, &options, wall_ms);
    cx.notify(notify::STRING, "set", key.bytes);
    if wall_ms.is_some() {
        cx.notify(notify::GENERIC, "expire", key.bytes);
    }
    if !options.get {
        cx.out.ok();
    }
    Ok(())
}

/// SET as it leaves: with PXAT alone for any time, else without GET.
fn propagate_set(cx: &mut Cx<'_>, options: &Options, wall_ms: Option<i64>) {
    if let Some(ms) = wall_ms {
        return propagate_pxat(cx, 2, ms);
    }
    if !options.get || !cx.is_observed() {
        return cx.propagate();
    }
    let is_get = |word: &[u8]| word.eq_ignore_ascii_case(b"get");
    let words = cx.args.iter().enumerate().filter(|(at, word)| *at < 3 || !is_get(word));
    let words: SmallVec<[&[u8]; 8]> = words.map(|(_, word)| word).collect();
    cx.propagate_as(&words);
}

/// `SET key value PXAT ms`, the value being word `value`.
fn propagate_pxat(cx: &mut Cx<'_>, value: usize, wall_ms: i64) {
    let mut digits = DigitBuffer::new();
    let words: [&[u8]; 5] = [b"SET", cx.arg(1), cx.arg(value), b"PXAT", digits.format(wall_ms)];
    cx.propagate_as(&words);
}

/// Replies the string at `key` or null; fails on other types.
pub(super) fn reply_old(cx: &mut Cx<'_>, key: &Key<'_>) -> Result<(), ReplyError> {
    let (entry, out) = cx.read_beside_out(key);
    match entry {
        Some(entry) => write_string(out, entry),
        None => {
            out.null();
            cx.notify_miss(key.bytes);
            Ok(())
        }
    }
}

/// `SETNX key value`
pub fn setnx(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    if cx.lookup_write(&key).is_some() {
        cx.out.integer(0);
        return Ok(());
    }
    store(cx, &key, 2, Expire::Clear);
    cx.propagate();
    cx.notify(notify::STRING, "set", key.bytes);
    cx.out.integer(1);
    Ok(())
}

/// `SETEX key seconds value`
pub fn setex(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_for(cx, Clock::Seconds)
}

/// `PSETEX key milliseconds value`
pub fn psetex(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_for(cx, Clock::Millis)
}

fn set_for(cx: &mut Cx<'_>, clock: Clock) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let wall_ms = deadline(cx, clock, 2)?;
    let expire_ms = cx.from_wall_ms(wall_ms);
    store(cx, &key, 3, Expire::At(expire_ms));
    propagate_pxat(cx, 3, wall_ms);
    cx.notify(notify::STRING, "set", key.bytes);
    cx.notify(notify::GENERIC, "expire", key.bytes);
    cx.out.ok();
    Ok(())
}

/// `GETSET key value`
pub fn getset(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    reply_old(cx, &key)?;
    store(cx, &key, 2, Expire::Clear);
    cx.propagate_as(&[b"SET", key.bytes, cx.arg(2)]);
    cx.notify(notify::STRING, "set", key.bytes);
    Ok(())
}
