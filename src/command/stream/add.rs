//! XADD and XLEN.
//!
//! Called through their rows. Invariant: an entry leaves with the ID it got and, if it was trimmed approximately, with the exact figure that came of it.
use super::options::{Options, Resolved, Trim, parse_options};
use super::{limits, reply_from, wall_now, write_id};
use crate::command::reply_error::{ReplyError, wrong_arity};
use crate::command::{Cx, notify};
use crate::keyspace::Key;
use crate::types::encoding::listpack::SAFE_BYTES;
use crate::types::stream::{Stream, StreamId};
use smallvec::SmallVec;

/// The ID the next entry gets; None if the one asked for is not above the last.
fn next_id(options: &Options, last: StreamId, now_ms: i64) -> Option<StreamId> {
    let id = match options.id {
        None => {
            let now = StreamId { ms: now_ms.max(0) as u64, seq: 0 };
            if now.ms > last.ms { now } else { last.next()? }
        }
        Some(asked) if asked.seq_given => asked.id,
        Some(asked) if asked.id.ms == last.ms => StreamId { seq: last.seq.checked_add(1)?, ..last },
        Some(asked) => asked.id,
    };
    (id > last).then_some(id)
}

/// `XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value [field value …]`
pub fn xadd(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let options = parse_options(cx, true)?;
    let fields = cx.args.skip(options.id_at + 1);
    if fields.len() < 2 || !fields.len().is_multiple_of(2) {
        let text = wrong_arity(cx.row);
        return Err(cx.fail(text));
    }
    if options.id.is_some_and(|asked| asked.seq_given && asked.id.is_zero()) {
        return Err(ReplyError::Text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let (key, limits, now_ms) = (cx.key(1), limits(cx), wall_now(cx));
    if options.no_create && cx.write_as::<Stream>(&key)?.is_none() {
        cx.out.null();
        return Ok(());
    }
    let mut entry = cx.open_as::<Stream>(&key)?;
    let Some(stream) = entry.get_mut::<Stream>() else { return Err(ReplyError::WrongType) };
    let last = stream.last_id();
    if last == StreamId::MAX {
        return Err(ReplyError::Text(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let Some(id) = next_id(&options, last, now_ms) else {
        return Err(ReplyError::Text(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ));
    };
    if fields.total_len() > SAFE_BYTES {
        return Err(ReplyError::Text("ERR Elements are too large to be stored"));
    }
    stream.append(id, fields.len() / 2, |index| fields.get(index), &limits);
    let trimmed = options.trim.map_or(0, |trim| trim.run(stream));
    let after = Resolved::of(stream);
    drop(entry);
    cx.signal_ready(&key);
    write_id(cx.out, id);
    cx.notify(notify::STREAM, "xadd", key.bytes);
    if trimmed > 0 {
        cx.notify(notify::STREAM, "xtrim", key.bytes);
    }
    propagate_add(cx, &options, id, after);
    Ok(())
}

fn propagate_add(cx: &mut Cx<'_>, options: &Options, id: StreamId, after: Resolved) {
    let id_known = options.id.is_some_and(|asked| asked.seq_given);
    let approx = options.trim.filter(Trim::is_approximate);
    if !cx.is_observed() || (id_known && approx.is_none()) {
        return cx.propagate();
    }
    let mut words: SmallVec<[Vec<u8>; 8]> = cx.args.iter().map(<[u8]>::to_vec).collect();
    words[options.id_at] = id.text();
    if let Some(trim) = approx {
        trim.resolve(&mut words, after);
    }
    let words: SmallVec<[&[u8]; 8]> = words.iter().map(Vec::as_slice).collect();
    cx.propagate_as(&words);
}

/// `XLEN key`
pub fn xlen(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let key: Key<'_> = cx.key(1);
    reply_from(cx, &key, |out, stream| out.integer(stream.map_or(0, Stream::len) as i64))
}
