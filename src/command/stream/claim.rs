//! XCLAIM XAUTOCLAIM: pending messages given to another consumer.
//!
//! Called through their rows. Invariants: every change leaves as one idempotent XCLAIM; a pending entry whose message is gone is dropped on the way.
//! Bounds: XAUTOCLAIM looks at ten times COUNT pending entries at most.
use super::{
    no_group, parse_id, parse_start, propagate_claim, propagate_position, read_to_change, wall_now,
    write_entry, write_id,
};
use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::Key;
use crate::resp::Out;
use crate::types::stream::{Group, Pending, Stream, StreamId, View};

/// What a claim does to a pending entry.
struct Claim<'a> {
    /// Who gets it; made if it is new, once there is something for it.
    consumer: &'a [u8],
    min_idle_ms: i64,
    now_ms: i64,
    delivery_ms: i64,
    retry_count: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

/// What came of a command.
#[derive(Default)]
struct Done {
    created: bool,
    /// New states, in order, with the consumer's name.
    changed: Vec<(Pending, Box<[u8]>)>,
    position: StreamId,
    moved: bool,
    entries_read: Option<i64>,
}

impl<'a> Claim<'a> {
    fn parse(cx: &mut Cx<'a>, from: usize) -> Result<Self, ReplyError> {
        let now_ms = wall_now(cx);
        let mut claim = Self {
            consumer: cx.arg(3),
            min_idle_ms: 0,
            now_ms,
            delivery_ms: -1,
            retry_count: None,
            force: false,
            just_id: false,
            last_id: StreamId::MIN,
        };
        let mut at = from;
        while at < cx.argc() {
            let word = cx.arg(at);
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            let value = cx.args.get_checked(at + 1);
            match value {
                _ if is(b"force") => claim.force = true,
                _ if is(b"justid") => claim.just_id = true,
                Some(value) => {
                    at += 1;
                    let number = |text| parse_i64(value).ok_or(ReplyError::Text(text));
                    if is(b"idle") {
                        let idle = number("ERR Invalid IDLE option argument for XCLAIM")?;
                        claim.delivery_ms = now_ms.wrapping_sub(idle);
                    } else if is(b"time") {
                        claim.delivery_ms = number("ERR Invalid TIME option argument for XCLAIM")?;
                    } else if is(b"retrycount") {
                        let count = number("ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
                        claim.retry_count = u64::try_from(count).ok();
                    } else if is(b"lastid") {
                        claim.last_id = parse_id(value, 0)?;
                    } else {
                        return Err(unrecognized(cx, word));
                    }
                }
                None => return Err(unrecognized(cx, word)),
            }
            at += 1;
        }
        // A time in the future, or before 1970, is taken for a mistake.
        if claim.delivery_ms < 0 || claim.delivery_ms > now_ms {
            claim.delivery_ms = now_ms;
        }
        Ok(claim)
    }

    /// The consumer's number.
    fn consumer_of(&self, group: &mut Group, done: &mut Done) -> u32 {
        if let Some(number) = group.find(self.consumer) {
            group.saw(number, self.now_ms);
            return number;
        }
        done.created = true;
        group.add_consumer(self.consumer, self.now_ms).unwrap_or_default()
    }

    /// Claims one message if that may be; writes it.
    fn take(&self, group: &mut Group, view: View<'_>, id: StreamId, out: &mut Out, done: &mut Done) -> Taken {
        let before = group.pending().get(id).cloned();
        let Some(entry) = view.get(id) else {
            group.acknowledge(id);
            let Some(record) = before else { return Taken::Nothing };
            let name = group.name_of(record.consumer).into();
            done.changed.push((record, name));
            return Taken::Gone;
        };
        let delivery_count = match &before {
            None if !self.force => return Taken::Nothing,
            None => 1,
            Some(record) => {
                let idle_ms = self.now_ms.wrapping_sub(record.delivery_ms);
                if self.min_idle_ms != 0 && idle_ms < self.min_idle_ms {
                    return Taken::Nothing;
                }
                record.delivery_count
            }
        };
        let delivery_count = match self.retry_count {
            Some(count) => count,
            None => delivery_count.wrapping_add(u64::from(!self.just_id)),
        };
        let consumer = self.consumer_of(group, done);
        let record = Pending { id, delivery_ms: self.delivery_ms, delivery_count, consumer };
        group.assign(record.clone());
        if self.just_id {
            write_id(out, id)
        } else {
            write_entry(out, entry)
        }
        done.changed.push((record, self.consumer.into()));
        Taken::Claimed
    }
}

/// What became of one message.
enum Taken {
    Nothing,
    Gone,
    Claimed,
}

fn unrecognized(cx: &mut Cx<'_>, word: &[u8]) -> ReplyError {
    let text = crate::command::reply_error::quoting("ERR Unrecognized XCLAIM option '", word, "'");
    cx.fail(text)
}

/// Runs `change` on the group of word 2, whose key is word 1; NOGROUP if one is missing.
fn with_group(
    cx: &mut Cx<'_>,
    change: impl FnOnce(&mut Group, View<'_>, &mut Out) -> Done,
) -> Result<(), ReplyError> {
    let (key, name) = (cx.key(1), cx.arg(2));
    let mut out = std::mem::take(cx.out);
    let result = change_group(cx, &key, name, |group, view| change(group, view, &mut out));
    *cx.out = out;
    match result? {
        Some(done) => publish(cx, &key, name, done),
        None => return Err(no_group(cx, key.bytes, name, "'")),
    }
    Ok(())
}

fn change_group(
    cx: &mut Cx<'_>,
    key: &Key<'_>,
    name: &[u8],
    change: impl FnOnce(&mut Group, View<'_>) -> Done,
) -> Result<Option<Done>, ReplyError> {
    let Some(mut entry) = read_to_change(cx, key)? else { return Ok(None) };
    let Some(stream) = entry.get_mut::<Stream>() else { return Err(ReplyError::WrongType) };
    let Some(index) = stream.find_group(name) else { return Ok(None) };
    Ok(stream.with_group(index, change))
}

fn publish(cx: &mut Cx<'_>, key: &Key<'_>, group: &[u8], done: Done) {
    if done.created {
        cx.notify(notify::STREAM, "xgroup-createconsumer", key.bytes);
        cx.outcome.dirty += 1;
    }
    for (record, consumer) in &done.changed {
        propagate_claim(cx, (key.bytes, group, consumer), record, done.position);
    }
    if done.moved && done.changed.is_empty() {
        propagate_position(cx, key.bytes, group, done.position, done.entries_read);
    }
}

/// The IDs at the beginning of the words from 5 on, and where they end.
fn leading_ids(cx: &Cx<'_>) -> (Vec<StreamId>, usize) {
    let words = cx.args.skip(5);
    let ids: Vec<_> = words.iter().map_while(|word| parse_id(word, 0).ok()).collect();
    let end = 5 + ids.len();
    (ids, end)
}

/// Whether word 1 holds a stream with the group of word 2, as XCLAIM asks before it looks at its other words.
fn check_group(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, name) = (cx.key(1), cx.arg(2));
    let stream = cx.read_as::<Stream>(&key)?;
    let is_missing = stream.is_none();
    if stream.is_some_and(|stream| stream.find_group(name).is_some()) {
        // Counted and freshened now, not again.
        (cx.access.count_stats, cx.access.touch) = (false, false);
        return Ok(());
    }
    if is_missing {
        cx.notify_miss(key.bytes);
    }
    Err(no_group(cx, key.bytes, name, "'"))
}

/// `XCLAIM key group consumer min-idle-ms id [id …] [IDLE ms] [TIME unix-ms] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]`
pub fn xclaim(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    check_group(cx)?;
    let min_idle = parse_i64(cx.arg(4));
    let min_idle_ms = min_idle.ok_or(ReplyError::Text("ERR Invalid min-idle-time argument for XCLAIM"))?;
    let (ids, options_at) = leading_ids(cx);
    let claim = Claim { min_idle_ms: min_idle_ms.max(0), ..Claim::parse(cx, options_at)? };
    with_group(cx, |group, view, out| {
        let mut done = Done::default();
        if claim.last_id > group.last_id {
            group.last_id = claim.last_id;
            done.moved = true;
        }
        (done.position, done.entries_read) = (group.last_id, group.entries_read);
        let (mark, mut written) = (out.mark(), 0);
        for id in ids {
            let taken = claim.take(group, view, id, out, &mut done);
            written += usize::from(matches!(taken, Taken::Claimed));
        }
        out.insert_array(mark, written);
        done
    })
}

/// XAUTOCLAIM's options.
fn parse_auto(cx: &mut Cx<'_>) -> Result<(usize, bool), ReplyError> {
    let (mut count, mut just_id, mut at) = (100, false, 6);
    while at < cx.argc() {
        if cx.arg(at).eq_ignore_ascii_case(b"count") && at + 1 < cx.argc() {
            at += 1;
            let number = parse_i64(cx.arg(at)).filter(|number| (1..=i64::MAX / 16).contains(number));
            count = number.ok_or(ReplyError::Text("ERR COUNT must be > 0"))? as usize;
        } else if cx.arg(at).eq_ignore_ascii_case(b"justid") {
            just_id = true;
        } else {
            return Err(ReplyError::Syntax);
        }
        at += 1;
    }
    Ok((count, just_id))
}

fn parse_xautoclaim<'a>(cx: &mut Cx<'a>) -> Result<(Claim<'a>, StreamId, usize), ReplyError> {
    let min_idle = parse_i64(cx.arg(4));
    let min_idle_ms =
        min_idle.ok_or(ReplyError::Text("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?;
    let start = parse_start(cx.arg(5))?;
    let (count, just_id) = parse_auto(cx)?;
    let claim = Claim { min_idle_ms: min_idle_ms.max(0), just_id, ..Claim::parse(cx, usize::MAX)? };
    Ok((claim, start, count))
}

/// `XAUTOCLAIM key group consumer min-idle-ms start [COUNT count] [JUSTID]`
pub fn xautoclaim(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (claim, start, count) = match parse_xautoclaim(cx) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Redis looks the key up before it reads the options: a miss is heard of.
            let key = cx.key(1);
            let _ = read_to_change(cx, &key);
            return Err(error);
        }
    };
    with_group(cx, |group, view, out| {
        let mut done = Done { position: group.last_id, ..Done::default() };
        let (mut left, mut attempts) = (count, count.saturating_mul(10));
        let (mut gone, mut written) = (Vec::new(), 0);
        let mut cursor = Some(start);
        let body = out.mark();
        while left > 0 && attempts > 0 {
            let next = cursor.and_then(|from| group.pending().range(from).next().map(|record| record.id));
            let Some(id) = next else { break };
            cursor = id.next();
            attempts -= 1;
            match claim.take(group, view, id, out, &mut done) {
                Taken::Nothing => continue,
                Taken::Gone => gone.push(id),
                Taken::Claimed => written += 1,
            }
            left -= 1;
        }
        let next = cursor.and_then(|from| group.pending().range(from).next().map(|record| record.id));
        out.insert_array(body, written);
        let entries = out.since(body).to_vec();
        out.rewind(body);
        out.array(3);
        write_id(out, next.unwrap_or_default());
        out.raw_slice(&entries);
        out.array(gone.len());
        gone.into_iter().for_each(|id| write_id(out, id));
        done
    })
}
