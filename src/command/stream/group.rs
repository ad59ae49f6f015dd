//! XGROUP and XACK: groups and consumers made and removed, messages acknowledged.
//!
//! Called through the rows of the subcommands. Invariant: words are judged before the key, the key before the group. WATCHers are not told of changes to
//! groups, as in redis.
use super::{no_such_group, parse_id, read_to_change, wall_now};
use crate::base::number::parse_i64;
use crate::command::reply_error::{ReplyError, subcommand_syntax};
use crate::command::{Cx, notify};
use crate::keyspace::{EntryMut, Key};
use crate::types::stream::{Group, Stream, StreamId};

const KEY_NEEDED: ReplyError = ReplyError::Text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);

/// MKSTREAM and ENTRIESREAD.
#[derive(Default)]
struct Options {
    create: bool,
    entries_read: Option<i64>,
}

fn parse_options(cx: &mut Cx<'_>, may_create: bool) -> Result<Options, ReplyError> {
    let (mut options, mut at) = (Options::default(), 5);
    while at < cx.argc() {
        let word = cx.arg(at);
        if may_create && word.eq_ignore_ascii_case(b"mkstream") {
            options.create = true;
            at += 1;
        } else if word.eq_ignore_ascii_case(b"entriesread") && at + 1 < cx.argc() {
            let number = parse_i64(cx.arg(at + 1)).ok_or(ReplyError::NotInteger)?;
            if number < -1 {
                return Err(ReplyError::Text("ERR value for ENTRIESREAD must be positive or -1"));
            }
            options.entries_read = Some(number).filter(|&number| number >= 0);
            at += 2;
        } else {
            return Err(syntax(cx));
        }
    }
    Ok(options)
}

fn syntax(cx: &mut Cx<'_>) -> ReplyError {
    let text = subcommand_syntax(&cx.args);
    cx.fail(text)
}

/// The stream's entry and the index of the group of word 3, which must both be there.
fn open_group<'c>(cx: &'c mut Cx<'_>, key: &Key<'_>) -> Result<(EntryMut<'c>, usize), ReplyError> {
    let name = cx.arg(3);
    let Some(entry) = cx.write_as::<Stream>(key)? else { return Err(KEY_NEEDED) };
    let Some(index) = entry.get().get::<Stream>().and_then(|stream| stream.find_group(name)) else {
        drop(entry);
        return Err(no_such_group(cx, key.bytes, name));
    };
    // Looked up twice: a borrow that outlives the error cannot be expressed yet.
    drop(entry);
    cx.access.touch = false;
    Ok((cx.lookup_write(key).ok_or(KEY_NEEDED)?, index))
}

/// `XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD count]`
pub fn create(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let options = parse_options(cx, true)?;
    let (key, name, word) = (cx.key(2), cx.arg(3), cx.arg(4));
    let found = cx.write_as::<Stream>(&key)?;
    let is_missing = found.is_none();
    let last = found.and_then(|entry| entry.get().get::<Stream>().map(Stream::last_id));
    if is_missing && !options.create {
        return Err(KEY_NEEDED);
    }
    if cx.argc() > 8 {
        return Err(syntax(cx));
    }
    let id = if word == b"$" { last.unwrap_or_default() } else { parse_id(word, 0)? };
    let mut entry = cx.open_as::<Stream>(&key)?;
    let group = Group::new(name, id, options.entries_read);
    let added = entry.get_mut::<Stream>().is_some_and(|stream| stream.add_group(group));
    drop(entry);
    if !added {
        return Err(ReplyError::Text("BUSYGROUP Consumer Group name already exists"));
    }
    cx.propagate();
    cx.notify(notify::STREAM, "xgroup-create", key.bytes);
    cx.out.ok();
    Ok(())
}

/// `XGROUP SETID key group id|$ [ENTRIESREAD count]`
pub fn setid(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let options = parse_options(cx, false)?;
    let (key, word) = (cx.key(2), cx.arg(4));
    let argc = cx.argc();
    let (mut entry, index) = open_group(cx, &key)?;
    if argc != 5 && argc != 7 {
        drop(entry);
        return Err(syntax(cx));
    }
    let Some(stream) = entry.get_mut::<Stream>() else { return Err(ReplyError::WrongType) };
    let id = match word {
        b"$" => stream.last_id(),
        _ => StreamId::parse_bound(word, 0).ok_or(super::INVALID_ID)?,
    };
    stream.with_group(index, |group, _| (group.last_id, group.entries_read) = (id, options.entries_read));
    drop(entry);
    cx.propagate();
    cx.notify(notify::STREAM, "xgroup-setid", key.bytes);
    cx.out.ok();
    Ok(())
}

/// `XGROUP DESTROY key group`
pub fn destroy(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, name) = (cx.key(2), cx.arg(3));
    let Some(mut entry) = cx.write_as::<Stream>(&key)? else { return Err(KEY_NEEDED) };
    let removed = entry.get_mut::<Stream>().and_then(|stream| stream.remove_group(name));
    drop(entry);
    if removed.is_some() {
        cx.signal_ready(&key);
        cx.propagate();
        cx.notify(notify::STREAM, "xgroup-destroy", key.bytes);
    }
    cx.out.integer(removed.is_some() as i64);
    Ok(())
}

/// `XGROUP CREATECONSUMER key group consumer`
pub fn createconsumer(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, name, now_ms) = (cx.key(2), cx.arg(4), wall_now(cx));
    let (mut entry, index) = open_group(cx, &key)?;
    let Some(stream) = entry.get_mut::<Stream>() else { return Err(ReplyError::WrongType) };
    let created = stream.with_group(index, |group, _| group.add_consumer(name, now_ms)).flatten();
    drop(entry);
    if created.is_some() {
        cx.propagate();
        cx.notify(notify::STREAM, "xgroup-createconsumer", key.bytes);
    }
    cx.out.integer(created.is_some() as i64);
    Ok(())
}

/// `XGROUP DELCONSUMER key group consumer`
pub fn delconsumer(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, name) = (cx.key(2), cx.arg(4));
    let (mut entry, index) = open_group(cx, &key)?;
    let Some(stream) = entry.get_mut::<Stream>() else { return Err(ReplyError::WrongType) };
    let pending = stream.with_group(index, |group, _| group.remove_consumer(name)).flatten();
    drop(entry);
    if pending.is_some() {
        cx.propagate();
        cx.notify(notify::STREAM, "xgroup-delconsumer", key.bytes);
    }
    cx.out.integer(pending.unwrap_or(0) as i64);
    Ok(())
}

/// `XACK key group id [id …]`
pub fn xack(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, name, words) = (cx.key(1), cx.arg(2), cx.args.skip(3));
    let Some(mut entry) = read_to_change(cx, &key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let Some(stream) = entry.get_mut::<Stream>() else { return Err(ReplyError::WrongType) };
    let mut acknowledged = 0;
    if let Some(index) = stream.find_group(name) {
        let ids = words.iter().map(|word| parse_id(word, 0)).collect::<Result<Vec<_>, _>>()?;
        let count = stream
            .with_group(index, |group, _| ids.iter().filter(|&&id| group.acknowledge(id)).count() as u64);
        acknowledged = count.unwrap_or(0);
    }
    drop(entry);
    if acknowledged > 0 {
        cx.propagate();
        cx.outcome.dirty += acknowledged - 1;
    }
    cx.out.integer(acknowledged as i64);
    Ok(())
}
