//! SCAN and KEYS: walks over the key names.
//!
//! Called through their rows; SCAN on the shard its cursor points into, KEYS on all. The cursor is (slot, position in hash order), so it survives growth, shrinking
//! and another number of threads. Invariant: a key that is there from the first call to the last is returned. Bounds: about COUNT keys a call.

use crate::base::glob::glob_match;
use crate::base::number::parse_i64;
use crate::base::slot::SLOT_COUNT;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::keyspace::{Access, cursor_slot};

/// Options of SCAN.
struct Filter<'a> {
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    count: usize,
}

/// A cursor as redis reads it with C's strtoul: up to the first NUL, a sign allowed (a negative one wraps), nothing counts as 0.
pub fn parse_cursor(word: &[u8]) -> Result<u64, ReplyError> {
    let text = &word[..memchr::memchr(0, word).unwrap_or(word.len())];
    let (negative, digits) = match text {
        [] => return Ok(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number =
        std::str::from_utf8(digits).ok().filter(|_| all_digits).and_then(|digits| digits.parse::<u64>().ok());
    let number = number.ok_or(ReplyError::InvalidCursor)?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

fn parse_filter<'a>(cx: &Cx<'a>) -> Result<Filter<'a>, ReplyError> {
    let (mut filter, mut index) = (Filter { pattern: None, kind: None, count: 10 }, 2);
    while index < cx.argc() {
        let word = cx.arg(index);
        if index + 1 >= cx.argc() {
            return Err(ReplyError::Syntax);
        }
        let value = cx.arg(index + 1);
        if word.eq_ignore_ascii_case(b"count") {
            let count = parse_i64(value).ok_or(ReplyError::NotInteger)?;
            filter.count =
                usize::try_from(count).ok().filter(|&count| count > 0).ok_or(ReplyError::Syntax)?;
        } else if word.eq_ignore_ascii_case(b"match") {
            filter.pattern = Some(value).filter(|pattern| *pattern != b"*");
        } else if word.eq_ignore_ascii_case(b"type") {
            filter.kind = Some(value);
        } else {
            return Err(ReplyError::Syntax);
        }
        index += 2;
    }
    Ok(filter)
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub fn scan(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let cursor = parse_cursor(cx.arg(1))?;
    let filter = parse_filter(cx)?;
    let slot = cursor_slot(cursor).min(SLOT_COUNT);
    let end = if slot < SLOT_COUNT { cx.map.end_of(slot as u16) } else { slot };
    let mut names: Vec<Vec<u8>> = Vec::new();
    let (db, access) = (cx.db, Access::at(cx.now_ms).quiet());
    let visit = |entry: crate::keyspace::Entry<'_>| {
        let name = entry.key();
        let wanted = filter.pattern.is_none_or(|pattern| glob_match(pattern, name, false))
            && filter.kind.is_none_or(|kind| kind.eq_ignore_ascii_case(entry.value_type().name().as_bytes()));
        if wanted {
            names.push(name.to_vec());
        }
    };
    let next = match cx.each_space().into_iter().next() {
        Some(space) if slot < SLOT_COUNT => space.db(db, access).scan(cursor, end, filter.count, visit),
        _ => u64::MAX,
    };
    let next = if cursor_slot(next) >= SLOT_COUNT { 0 } else { next };
    cx.out.array(2);
    cx.out.bulk(next.to_string().as_bytes());
    cx.out.array(names.len());
    names.iter().for_each(|name| cx.out.bulk(name));
    Ok(())
}

/// `KEYS pattern`
pub fn keys(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (pattern, db, now_ms) = (cx.arg(1), cx.db, cx.now_ms);
    let all = pattern == b"*";
    let mut names: Vec<Vec<u8>> = Vec::new();
    for space in cx.each_space() {
        let live = space.dict(db).iter().filter(|entry| !entry.is_expired(now_ms));
        let wanted = live.filter(|entry| all || glob_match(pattern, entry.key(), false));
        names.extend(wanted.map(|entry| entry.key().to_vec()));
    }
    cx.out.array(names.len());
    names.iter().for_each(|name| cx.out.bulk(name));
    Ok(())
}
