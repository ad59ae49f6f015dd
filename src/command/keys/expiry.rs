//! EXPIRE PEXPIRE EXPIREAT PEXPIREAT, TTL PTTL EXPIRETIME PEXPIRETIME, PERSIST.
//!
//! Called through their rows. Deadlines are kept on the internal clock; wall times are converted here, at the edge. Invariant: an expiry leaves
//! as PEXPIREAT with a wall time, or as DEL if it is already due. Source: redis' expire.c for ranges, options and texts.

use crate::base::number::{DigitBuffer, parse_i64};
use crate::command::reply_error::{ReplyError, invalid_expire, quoting};
use crate::command::{Cx, notify};
use crate::keyspace::ExpiryRule;

/// What the number of a command means.
#[derive(Clone, Copy)]
struct Meaning {
    seconds: bool,
    absolute: bool,
}

/// `EXPIRE key seconds [NX|XX|GT|LT]`
pub fn expire(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_expiry(cx, Meaning { seconds: true, absolute: false })
}

/// `PEXPIRE key milliseconds [NX|XX|GT|LT]`
pub fn pexpire(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_expiry(cx, Meaning { seconds: false, absolute: false })
}

/// `EXPIREAT key unix-seconds [NX|XX|GT|LT]`
pub fn expireat(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_expiry(cx, Meaning { seconds: true, absolute: true })
}

/// `PEXPIREAT key unix-milliseconds [NX|XX|GT|LT]`
pub fn pexpireat(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_expiry(cx, Meaning { seconds: false, absolute: true })
}

/// The NX, XX, GT, LT options.
#[derive(Clone, Copy, Default)]
struct Options {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Options {
    fn parse(cx: &mut Cx<'_>) -> Result<Options, ReplyError> {
        let mut options = Options::default();
        for index in 3..cx.argc() {
            let word = cx.arg(index);
            match word.to_ascii_lowercase().as_slice() {
                b"nx" => options.nx = true,
                b"xx" => options.xx = true,
                b"gt" => options.gt = true,
                b"lt" => options.lt = true,
                _ => {
                    let text = quoting("ERR Unsupported option ", word, "");
                    return Err(cx.fail(text));
                }
            }
        }
        if options.nx && (options.xx || options.gt || options.lt) {
            return Err(ReplyError::Text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if options.gt && options.lt {
            return Err(ReplyError::Text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(options)
    }

    /// Whether a key that expires at `current` (never: `None`) may get `deadline`.
    fn allow(self, current: Option<u64>, deadline: u64) -> bool {
        match current {
            Some(_) if self.nx => false,
            None if self.xx || self.gt => false,
            Some(current) if self.gt => deadline > current,
            Some(current) if self.lt => deadline < current,
            _ => true,
        }
    }
}

/// The wall time in milliseconds that word 2 means.
fn wall_deadline(cx: &mut Cx<'_>, meaning: Meaning) -> Result<i64, ReplyError> {
    let given = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    let base = if meaning.absolute { 0 } else { cx.to_wall_ms(cx.now_ms) };
    let millis = if meaning.seconds { given.checked_mul(1000) } else { Some(given) };
    match millis.and_then(|millis| millis.checked_add(base)) {
        Some(deadline) => Ok(deadline),
        None => {
            let text = invalid_expire(cx.row);
            Err(cx.fail(text))
        }
    }
}

fn set_expiry(cx: &mut Cx<'_>, meaning: Meaning) -> Result<(), ReplyError> {
    let options = Options::parse(cx)?;
    let wall_ms = wall_deadline(cx, meaning)?;
    let key = cx.key(1);
    let (deadline, now_ms) = (cx.from_wall_ms(wall_ms), cx.now_ms);
    // What comes from a file or a primary is kept: the deletion comes from there too.
    let due = deadline <= now_ms && cx.access.expiry == ExpiryRule::Delete;
    let Some(mut entry) = cx.lookup_write(&key) else {
        cx.out.integer(0);
        return Ok(());
    };
    if !options.allow(entry.get().expire_at(), deadline) {
        drop(entry);
        cx.out.integer(0);
        return Ok(());
    }
    if due {
        entry.remove();
        let lazy = cx.settings.lazyfree_lazy_expire;
        cx.propagate_as(&[if lazy { b"UNLINK" } else { b"DEL" }, key.bytes]);
        cx.notify(notify::GENERIC, "del", key.bytes);
    } else {
        entry.set_expire(Some(deadline));
        drop(entry);
        if cx.is_observed() {
            let mut text = DigitBuffer::default();
            let mut words: Vec<&[u8]> = vec![b"PEXPIREAT", key.bytes, text.format(wall_ms)];
            words.extend((3..cx.argc()).map(|index| cx.arg(index)));
            cx.propagate_as(&words);
        } else {
            cx.propagate();
        }
        cx.notify(notify::GENERIC, "expire", key.bytes);
    }
    cx.out.integer(1);
    Ok(())
}

/// How the remaining time is told.
fn tell(cx: &mut Cx<'_>, seconds: bool, absolute: bool) -> Result<(), ReplyError> {
    cx.access.touch = false;
    let key = cx.key(1);
    let deadline = cx.lookup_read(&key).map(|entry| entry.expire_at());
    let reply = match deadline {
        None => {
            cx.notify_miss(key.bytes);
            -2
        }
        Some(None) => -1,
        Some(Some(deadline)) => {
            let millis = match absolute {
                true => cx.to_wall_ms(deadline),
                false => deadline.saturating_sub(cx.now_ms) as i64,
            };
            if seconds { millis.saturating_add(500) / 1000 } else { millis }
        }
    };
    cx.out.integer(reply);
    Ok(())
}

/// `TTL key`
pub fn ttl(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    tell(cx, true, false)
}

/// `PTTL key`
pub fn pttl(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    tell(cx, false, false)
}

/// `EXPIRETIME key`
pub fn expiretime(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    tell(cx, true, true)
}

/// `PEXPIRETIME key`
pub fn pexpiretime(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    tell(cx, false, true)
}

/// `PERSIST key`
pub fn persist(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let had_expiry = match cx.lookup_write(&key) {
        Some(mut entry) if entry.get().expire_at().is_some() => {
            entry.set_expire(None);
            true
        }
        _ => false,
    };
    if had_expiry {
        cx.propagate();
        cx.notify(notify::GENERIC, "persist", key.bytes);
    }
    cx.out.integer(had_expiry as i64);
    Ok(())
}
