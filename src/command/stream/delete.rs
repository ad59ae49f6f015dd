//! XDEL XTRIM XSETID: entries removed, and the figures of a stream set by hand.
//!
//! Called through their rows. Invariant: an approximate trim leaves as the exact one it came to.
use super::options::{Resolved, parse_options};
use super::parse_id;
use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::types::stream::{Stream, StreamId};
use smallvec::SmallVec;

/// `XDEL key id [id …]`
pub fn xdel(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, args) = (cx.key(1), cx.args.skip(2));
    let Some(mut entry) = cx.write_as::<Stream>(&key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let ids = args.iter().map(|word| parse_id(word, 0)).collect::<Result<Vec<_>, _>>()?;
    let deleted = entry.get_mut::<Stream>().map_or(0, |stream| stream.delete(&ids));
    drop(entry);
    if deleted > 0 {
        cx.propagate();
        cx.outcome.dirty += deleted as u64 - 1;
        cx.notify(notify::STREAM, "xdel", key.bytes);
    }
    cx.out.integer(deleted as i64);
    Ok(())
}

/// `XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count]`
pub fn xtrim(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let options = parse_options(cx, false)?;
    let Some(trim) = options.trim else { return Err(ReplyError::Syntax) };
    let key = cx.key(1);
    let Some(mut entry) = cx.write_as::<Stream>(&key)? else {
        cx.out.integer(0);
        return Ok(());
    };
    let Some(stream) = entry.get_mut::<Stream>() else { return Err(ReplyError::WrongType) };
    let trimmed = trim.run(stream);
    let after = Resolved::of(stream);
    drop(entry);
    if trimmed > 0 {
        cx.notify(notify::STREAM, "xtrim", key.bytes);
        if trim.is_approximate() && cx.is_observed() {
            let mut words: SmallVec<[Vec<u8>; 8]> = cx.args.iter().map(<[u8]>::to_vec).collect();
            trim.resolve(&mut words, after);
            let words: SmallVec<[&[u8]; 8]> = words.iter().map(Vec::as_slice).collect();
            cx.propagate_as(&words);
        } else {
            cx.propagate();
        }
        cx.outcome.dirty += trimmed - 1;
    }
    cx.out.integer(trimmed as i64);
    Ok(())
}

/// XSETID's options.
fn parse_position(cx: &Cx<'_>, id: StreamId) -> Result<(Option<u64>, Option<StreamId>), ReplyError> {
    let (mut added, mut max_deleted, mut at) = (None, None, 3);
    while at < cx.argc() {
        let Some(value) = cx.args.get_checked(at + 1) else { return Err(ReplyError::Syntax) };
        if cx.arg(at).eq_ignore_ascii_case(b"entriesadded") {
            let number = parse_i64(value).ok_or(ReplyError::NotInteger)?;
            let number = u64::try_from(number);
            added = Some(number.map_err(|_| ReplyError::Text("ERR entries_added must be positive"))?);
        } else if cx.arg(at).eq_ignore_ascii_case(b"maxdeletedid") {
            let deleted = parse_id(value, 0)?;
            if id < deleted {
                return Err(ReplyError::Text(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            max_deleted = Some(deleted).filter(|deleted| !deleted.is_zero());
        } else {
            return Err(ReplyError::Syntax);
        }
        at += 2;
    }
    Ok((added, max_deleted))
}

/// `XSETID key last-id [ENTRIESADDED count] [MAXDELETEDID id]`
pub fn xsetid(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let id = parse_id(cx.arg(2), 0)?;
    let (added, max_deleted) = parse_position(cx, id)?;
    let key = cx.key(1);
    let Some(mut entry) = cx.write_as::<Stream>(&key)? else { return Err(ReplyError::NoSuchKey) };
    let Some(stream) = entry.get_mut::<Stream>() else { return Err(ReplyError::WrongType) };
    if stream.last_live().is_some_and(|last| id < last) {
        return Err(ReplyError::Text(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if !stream.is_empty() && added.is_some_and(|added| added < stream.len() as u64) {
        return Err(ReplyError::Text(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    stream.set_position(id, added, max_deleted);
    drop(entry);
    cx.propagate();
    cx.notify(notify::STREAM, "xsetid", key.bytes);
    cx.out.ok();
    Ok(())
}
