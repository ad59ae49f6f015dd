//! OBJECT ENCODING FREQ IDLETIME REFCOUNT and MEMORY USAGE: what a value looks like inside.
//!
//! Called through their rows; no key gets fresher by being looked at. Source: redis' object.c for the texts; shared small integers are reported as
//! redis reports them because tools read REFCOUNT.

use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::config::EvictionPolicy;
use crate::keyspace::{Key, ValueRef};

/// Integers redis shares, and what it reports as their reference count.
const SHARED_INTEGERS: std::ops::Range<i64> = 0..10_000;
const SHARED_REFCOUNT: i64 = i32::MAX as i64;

fn look<'a>(cx: &mut Cx<'a>) -> Key<'a> {
    cx.access.touch = false;
    cx.key(2)
}

/// `OBJECT ENCODING key`
pub fn encoding(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = look(cx);
    match cx.lookup_read(&key).map(|entry| entry.encoding()) {
        Some(name) => cx.out.bulk(name.as_bytes()),
        None => cx.out.null(),
    }
    Ok(())
}

/// `OBJECT REFCOUNT key`
pub fn refcount(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key = look(cx);
    let tracked = cx.settings.maxmemory > 0 && cx.settings.maxmemory_policy.is_some_and(tracks_access);
    let sharing = !tracked;
    let count = cx.lookup_read(&key).map(|entry| match entry.value() {
        ValueRef::Int(number) if sharing && SHARED_INTEGERS.contains(&number) => SHARED_REFCOUNT,
        _ => 1,
    });
    match count {
        Some(count) => cx.out.integer(count),
        None => cx.out.null(),
    }
    Ok(())
}

/// `OBJECT IDLETIME key`
pub fn idletime(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, now_ms) = (look(cx), cx.now_ms);
    let Some(lru) = cx.lookup_read(&key).map(|entry| entry.lru()) else {
        cx.out.null();
        return Ok(());
    };
    let freshness = &cx.space(&key).common.freshness;
    if freshness.lfu {
        return Err(ReplyError::Text(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    let idle_s = freshness.idle_ms(lru, now_ms) / 1000;
    cx.out.integer(idle_s as i64);
    Ok(())
}

/// `OBJECT FREQ key`
pub fn freq(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, now_ms) = (look(cx), cx.now_ms);
    let Some(lru) = cx.lookup_read(&key).map(|entry| entry.lru()) else {
        cx.out.null();
        return Ok(());
    };
    let freshness = &cx.space(&key).common.freshness;
    if !freshness.lfu {
        return Err(ReplyError::Text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    let frequency = freshness.frequency(lru, now_ms);
    cx.out.integer(frequency as i64);
    Ok(())
}

/// `MEMORY USAGE key [SAMPLES count]`: every value knows its size, so nothing is sampled.
pub fn memory_usage(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let mut index = 3;
    while index < cx.argc() {
        if !cx.arg(index).eq_ignore_ascii_case(b"samples") || index + 1 >= cx.argc() {
            return Err(ReplyError::Syntax);
        }
        let samples = parse_i64(cx.arg(index + 1)).ok_or(ReplyError::NotInteger)?;
        if samples < 0 {
            return Err(ReplyError::Syntax);
        }
        index += 2;
    }
    let key = look(cx);
    match cx.lookup_read(&key).map(|entry| entry.heap_bytes()) {
        Some(bytes) => cx.out.integer(bytes as i64 + ENTRY_SHARE),
        None => cx.out.null(),
    }
    Ok(())
}

/// Whether a policy needs each object's own recency.
fn tracks_access(policy: EvictionPolicy) -> bool {
    use EvictionPolicy::{AllKeysLfu, AllKeysLru, VolatileLfu, VolatileLru};
    matches!(policy, AllKeysLru | AllKeysLfu | VolatileLru | VolatileLfu)
}

/// A key's share of its table, in bytes: pointer, tag and slack.
const ENTRY_SHARE: i64 = 11;
