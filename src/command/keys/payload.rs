//! DUMP and RESTORE.
//!
//! Called through their rows; calls `rdb`. Invariants: a payload is judged whole before the key is touched; RESTORE leaves with an absolute time. Bounds: the
//! value. Source: redis 7.0's order of checks, texts, events and effects.
use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, hash, notify, set, zset};
use crate::config::Settings;
use crate::keyspace::{Expire, ExpiryRule, Key};
use crate::rdb;
use crate::rdb::encode::Style;
use crate::rdb::load::Limits;
use crate::types::list::ListLimits;
use bytes::Bytes;
use smallvec::SmallVec;

/// `DUMP key`
pub fn dump(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let style = Style { compress: cx.settings.rdbcompression, wall_offset_ms: cx.wall_offset_ms };
    let key = cx.key(1);
    let payload = cx.lookup_read(&key).map(|entry| rdb::dump(entry.value(), style));
    match payload {
        Some(payload) => cx.out.blob(Bytes::from(payload)),
        None => {
            cx.notify_miss(key.bytes);
            cx.out.null();
        }
    }
    Ok(())
}

/// RESTORE's options.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_s: Option<i64>,
    frequency: Option<u8>,
}

fn parse_options(cx: &Cx<'_>) -> Result<Options, ReplyError> {
    let (mut options, mut at) = (Options::default(), 4);
    while at < cx.argc() {
        let (word, value) = (cx.arg(at), cx.args.get_checked(at + 1));
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        match value {
            _ if is(b"replace") => options.replace = true,
            _ if is(b"absttl") => options.absolute = true,
            Some(value) if is(b"idletime") && options.frequency.is_none() => {
                let idle = parse_i64(value).ok_or(ReplyError::NotInteger)?;
                if idle < 0 {
                    return Err(ReplyError::Text("ERR Invalid IDLETIME value, must be >= 0"));
                }
                options.idle_s = Some(idle);
                at += 1;
            }
            Some(value) if is(b"freq") && options.idle_s.is_none() => {
                let frequency = parse_i64(value).ok_or(ReplyError::NotInteger)?;
                let frequency = u8::try_from(frequency)
                    .map_err(|_| ReplyError::Text("ERR Invalid FREQ value, must be >= 0 and <= 255"))?;
                options.frequency = Some(frequency);
                at += 1;
            }
            _ => return Err(ReplyError::Syntax),
        }
        at += 1;
    }
    Ok(options)
}

/// The encoding thresholds in force.
pub fn limits(cx: &Cx<'_>) -> Limits {
    limits_of(cx.settings, cx.wall_offset_ms)
}

/// The same, where no command runs.
pub fn limits_of(settings: &Settings, wall_offset_ms: i64) -> Limits {
    Limits {
        hash: hash::limits_of(settings),
        list: ListLimits::of(settings.list_max_listpack_size),
        set: set::limits_of(settings),
        zset: zset::limits_of(settings),
        wall_offset_ms,
    }
}

/// Sets the recency the client asked for.
fn set_recency(cx: &mut Cx<'_>, key: &Key<'_>, options: &Options) {
    let now_ms = cx.now_ms;
    let freshness = &cx.space(key).common.freshness;
    let bits = match (options.idle_s, options.frequency) {
        (Some(idle_s), _) if !freshness.lfu => {
            freshness.with_idle_ms((idle_s as u64).saturating_mul(1000), now_ms)
        }
        (_, Some(frequency)) if freshness.lfu => freshness.with_frequency(frequency, now_ms),
        _ => return,
    };
    cx.access.touch = false;
    if let Some(mut entry) = cx.lookup_write(key) {
        entry.set_lru(bits);
    }
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
pub fn restore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let options = parse_options(cx)?;
    let key = cx.key(1);
    if !options.replace {
        if cx.lookup_read(&key).is_some() {
            return Err(ReplyError::BusyKey);
        }
        cx.notify_miss(key.bytes);
    }
    let ttl = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
    if ttl < 0 {
        return Err(ReplyError::Text("ERR Invalid TTL value, must be >= 0"));
    }
    let body = rdb::verify(cx.arg(3), rdb::VERSION_READ);
    let body = body.ok_or(ReplyError::Text("ERR DUMP payload version or checksum are wrong"))?;
    let value = rdb::restore(body, &limits(cx)).map_err(|_| ReplyError::Text("ERR Bad data format"))?;
    let replaced = options.replace && cx.dbm(&key).remove(&key);
    let until = match (ttl, options.absolute) {
        (0, _) => None,
        (ttl, true) => Some(ttl),
        (ttl, false) => Some(ttl.wrapping_add(cx.to_wall_ms(cx.now_ms))),
    };
    let expire_ms = until.map(|wall_ms| cx.from_wall_ms(wall_ms));
    let is_over = expire_ms.is_some_and(|at| at <= cx.now_ms);
    if is_over && cx.access.expiry == ExpiryRule::Delete {
        if replaced {
            cx.propagate_as(&[b"DEL", key.bytes]);
            cx.notify(notify::GENERIC, "del", key.bytes);
        }
        cx.out.ok();
        return Ok(());
    }
    cx.notify(notify::NEW, "new", key.bytes);
    let expire = expire_ms.map_or(Expire::Clear, Expire::At);
    value.store(|value| cx.dbm(&key).set_value(&key, value, expire));
    set_recency(cx, &key, &options);
    propagate_restore(cx, until.filter(|_| !options.absolute));
    cx.notify(notify::GENERIC, "restore", key.bytes);
    cx.out.ok();
    Ok(())
}

/// As it came, or with the time made absolute.
fn propagate_restore(cx: &mut Cx<'_>, absolute_ms: Option<i64>) {
    let Some(wall_ms) = absolute_ms else { return cx.propagate() };
    let text = wall_ms.to_string();
    let mut words: SmallVec<[&[u8]; 8]> = cx.args.iter().collect();
    words[2] = text.as_bytes();
    words.push(b"ABSTTL");
    cx.propagate_as(&words);
}
