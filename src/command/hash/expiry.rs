//! HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT, HTTL HPTTL HEXPIRETIME HPEXPIRETIME, HPERSIST: fields with a time to live.
//!
//! Called through their rows. Deadlines are kept on the internal clock; wall times are converted here, at the edge. Invariant: an expiry leaves as
//! HPEXPIREAT with a wall time and the fields that took it, what was already due as HDEL. Source: the golden transcripts and redis 7.4's
//! documented behaviour for the order of checks, conditions, events and effects.

use crate::base::number::{DigitBuffer, parse_i64};
use crate::command::reply_error::{ReplyError, invalid_expire};
use crate::command::{Cx, notify};
use crate::keyspace::Key;
use crate::types::field::NEVER;
use crate::types::hash::Hash;
use smallvec::SmallVec;

/// Latest time a field may be given, unix ms: 46 bits, as redis keeps.
const LATEST_MS: i64 = (1 << 46) - 1;

const NO_FIELD: i64 = -2;
const NO_TTL: i64 = -1;
const NOT_MET: i64 = 0;
const DONE: i64 = 1;
const DELETED: i64 = 2;

/// What the number of a command means.
#[derive(Clone, Copy)]
struct Meaning {
    seconds: bool,
    absolute: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Condition {
    None,
    Nx,
    Xx,
    Gt,
    Lt,
}

impl Condition {
    fn parse(word: &[u8]) -> Condition {
        let names: [(&[u8], Condition); 4] =
            [(b"nx", Condition::Nx), (b"xx", Condition::Xx), (b"gt", Condition::Gt), (b"lt", Condition::Lt)];
        let named = names.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        named.map_or(Condition::None, |(_, condition)| condition)
    }

    /// Whether a field that goes at `old` ([`NEVER`]: not by itself) may be told to go at `new`.
    fn holds(self, old: u64, new: u64) -> bool {
        match self {
            Condition::None => true,
            Condition::Nx => old == NEVER,
            Condition::Xx => old != NEVER,
            Condition::Gt => old != NEVER && old < new,
            Condition::Lt => old > new,
        }
    }
}

/// `HEXPIRE key seconds [NX|XX|GT|LT] FIELDS count field [field …]`
pub fn hexpire(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_expiry(cx, Meaning { seconds: true, absolute: false })
}

/// `HPEXPIRE key milliseconds [NX|XX|GT|LT] FIELDS count field [field …]`
pub fn hpexpire(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_expiry(cx, Meaning { seconds: false, absolute: false })
}

/// `HEXPIREAT key unix-seconds [NX|XX|GT|LT] FIELDS count field [field …]`
pub fn hexpireat(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_expiry(cx, Meaning { seconds: true, absolute: true })
}

/// `HPEXPIREAT key unix-milliseconds [NX|XX|GT|LT] FIELDS count field [field …]`
pub fn hpexpireat(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    set_expiry(cx, Meaning { seconds: false, absolute: true })
}

/// `HTTL key FIELDS count field [field …]`
pub fn httl(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    show_expiry(cx, Meaning { seconds: true, absolute: false })
}

/// `HPTTL key FIELDS count field [field …]`
pub fn hpttl(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    show_expiry(cx, Meaning { seconds: false, absolute: false })
}

/// `HEXPIRETIME key FIELDS count field [field …]`
pub fn hexpiretime(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    show_expiry(cx, Meaning { seconds: true, absolute: true })
}

/// `HPEXPIRETIME key FIELDS count field [field …]`
pub fn hpexpiretime(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    show_expiry(cx, Meaning { seconds: false, absolute: true })
}

/// The deadline that word 2 means, unix ms.
fn deadline(cx: &mut Cx<'_>, meaning: Meaning) -> Result<i64, ReplyError> {
    let number = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    if number < 0 {
        return Err(ReplyError::Text("ERR invalid expire time, must be >= 0"));
    }
    let base = if meaning.absolute { 0 } else { cx.to_wall_ms(cx.now_ms) };
    let ms = if meaning.seconds { number.checked_mul(1000) } else { Some(number) };
    let wall_ms = ms.and_then(|ms| ms.checked_add(base)).filter(|&ms| ms <= LATEST_MS);
    wall_ms.ok_or_else(|| {
        let text = invalid_expire(cx.row);
        cx.fail(text)
    })
}

/// Checks `FIELDS count field …` with FIELDS at word `at`; returns the word of the first field.
fn fields_at(cx: &Cx<'_>, at: usize, too_few: &'static str) -> Result<usize, ReplyError> {
    if !cx.args.get_checked(at).is_some_and(|word| word.eq_ignore_ascii_case(b"fields")) {
        return Err(ReplyError::Text(
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = cx.args.get_checked(at + 1).and_then(parse_i64).filter(|&count| count > 0);
    let count = count.ok_or(ReplyError::Text(too_few))?;
    if usize::try_from(count).ok() != Some(cx.argc() - at - 2) {
        return Err(ReplyError::Text("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(at + 2)
}

fn no_fields(cx: &mut Cx<'_>, first: usize) {
    let count = cx.argc() - first;
    cx.out.array(count);
    (0..count).for_each(|_| cx.out.integer(NO_FIELD));
}

/// What setting the expiry did.
#[derive(Default)]
struct Outcome<'a> {
    replies: SmallVec<[i64; 8]>,
    updated: SmallVec<[&'a [u8]; 8]>,
    deleted: SmallVec<[&'a [u8]; 8]>,
    emptied: bool,
}

fn set_expiry(cx: &mut Cx<'_>, meaning: Meaning) -> Result<(), ReplyError> {
    let (key, args) = (cx.key(1), cx.args);
    let is_there = cx.write_as::<Hash>(&key)?.is_some();
    let wall_ms = deadline(cx, meaning)?;
    let condition = Condition::parse(cx.arg(3));
    let at = if condition == Condition::None { 3 } else { 4 };
    let first = fields_at(cx, at, "ERR Parameter `numFields` should be greater than 0")?;
    cx.access.touch = false;
    let (now_ms, expire_ms) = (cx.now_ms, cx.from_wall_ms(wall_ms));
    // What is due already goes at once, except on a replica, which hears of it from its primary.
    let is_due = expire_ms <= now_ms && cx.access.expiry == crate::keyspace::ExpiryRule::Delete;
    let Some(mut entry) = cx.write_as::<Hash>(&key)?.filter(|_| is_there) else {
        no_fields(cx, first);
        return Ok(());
    };
    let mut outcome = Outcome::default();
    if let Some(hash) = entry.get_mut::<Hash>() {
        hash.make_timed(now_ms);
        for field in args.skip(first).iter() {
            outcome.replies.push(match hash.expire_ms(field) {
                None => NO_FIELD,
                Some(old) if !condition.holds(old, expire_ms) => NOT_MET,
                Some(_) if is_due => {
                    hash.remove(field);
                    outcome.deleted.push(field);
                    DELETED
                }
                Some(_) => {
                    hash.set_expire(field, expire_ms);
                    outcome.updated.push(field);
                    DONE
                }
            });
        }
        outcome.emptied = hash.is_empty();
    }
    if outcome.emptied {
        entry.remove()
    } else {
        drop(entry)
    }
    let deleted = outcome.deleted.len() as u64;
    cx.space(&key).common.stats.expired_fields += deleted;
    publish(cx, &key, &outcome, wall_ms);
    cx.out.array(outcome.replies.len());
    outcome.replies.iter().for_each(|&reply| cx.out.integer(reply));
    Ok(())
}

fn publish(cx: &mut Cx<'_>, key: &Key<'_>, outcome: &Outcome<'_>, wall_ms: i64) {
    for field in &outcome.deleted {
        cx.propagate_as(&[b"HDEL", key.bytes, field]);
    }
    if !outcome.updated.is_empty() {
        propagate_expiry(cx, key, wall_ms, &outcome.updated);
        cx.outcome.dirty += outcome.updated.len() as u64 - 1;
    }
    if !outcome.deleted.is_empty() {
        cx.notify(notify::HASH, "hdel", key.bytes);
    } else if !outcome.updated.is_empty() {
        cx.notify(notify::HASH, "hexpire", key.bytes);
    }
    if outcome.emptied {
        cx.notify(notify::GENERIC, "del", key.bytes);
    }
}

/// `HPEXPIREAT key unix-ms FIELDS count field …` as an effect.
pub(super) fn propagate_expiry(cx: &mut Cx<'_>, key: &Key<'_>, wall_ms: i64, fields: &[&[u8]]) {
    let (mut time, mut count) = (DigitBuffer::new(), DigitBuffer::new());
    let (time, count) = (time.format(wall_ms), count.format(fields.len() as i64));
    let mut words: SmallVec<[&[u8]; 16]> =
        SmallVec::from_slice(&[b"HPEXPIREAT", key.bytes, time, b"FIELDS", count]);
    words.extend_from_slice(fields);
    cx.propagate_as(&words);
}

fn show_expiry(cx: &mut Cx<'_>, meaning: Meaning) -> Result<(), ReplyError> {
    let (key, args) = (cx.key(1), cx.args);
    let is_there = cx.read_as::<Hash>(&key)?.is_some();
    if !is_there {
        cx.notify_miss(key.bytes);
    }
    let first = fields_at(cx, 2, "ERR Number of fields must be a positive integer")?;
    if !is_there {
        no_fields(cx, first);
        return Ok(());
    }
    cx.access = cx.access.quiet();
    let (now_ms, offset) = (cx.now_ms, cx.wall_offset_ms);
    let Some(hash) = cx.read_as::<Hash>(&key)? else { return Ok(()) };
    let show = |field: &[u8]| match hash.expire_ms(field) {
        None => NO_FIELD,
        Some(NEVER) => NO_TTL,
        Some(expire_ms) => {
            let ms = match meaning.absolute {
                true => (expire_ms as i64).saturating_add(offset),
                false => expire_ms.saturating_sub(now_ms) as i64,
            };
            if meaning.seconds { ms.saturating_add(999) / 1000 } else { ms }
        }
    };
    let replies: SmallVec<[i64; 8]> = args.skip(first).iter().map(show).collect();
    cx.out.array(replies.len());
    replies.iter().for_each(|&reply| cx.out.integer(reply));
    Ok(())
}

/// `HPERSIST key FIELDS count field [field …]`
pub fn hpersist(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, args) = (cx.key(1), cx.args);
    let is_there = cx.write_as::<Hash>(&key)?.is_some();
    let first = fields_at(cx, 2, "ERR Number of fields must be a positive integer")?;
    cx.access.touch = false;
    let Some(mut entry) = cx.write_as::<Hash>(&key)?.filter(|_| is_there) else {
        no_fields(cx, first);
        return Ok(());
    };
    let mut replies: SmallVec<[i64; 8]> = SmallVec::new();
    if let Some(hash) = entry.get_mut::<Hash>() {
        for field in args.skip(first).iter() {
            replies.push(match hash.expire_ms(field) {
                None => NO_FIELD,
                Some(NEVER) => NO_TTL,
                Some(_) => {
                    hash.set_expire(field, NEVER);
                    DONE
                }
            });
        }
    }
    drop(entry);
    let changed = replies.iter().filter(|&&reply| reply == DONE).count() as u64;
    if changed > 0 {
        cx.propagate();
        cx.outcome.dirty += changed - 1;
        cx.notify(notify::HASH, "hpersist", key.bytes);
    }
    cx.out.array(replies.len());
    replies.iter().for_each(|&reply| cx.out.integer(reply));
    Ok(())
}
