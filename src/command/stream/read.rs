//! XREAD XREADGROUP: what is new in several streams, for a reader or for a consumer of a group.
//!
//! Called through their rows. Invariant: all words are judged before anything is served; a delivery leaves as XCLAIM for each entry and XGROUP SETID for
//! the position. Bounds: the entries replied. Source: redis 7.0's order of checks and effects.
use super::{
    no_group, parse_id, propagate_claim, propagate_position, read_to_change, wall_now, write_entries,
    write_entry, write_id,
};
use crate::base::number::parse_i64;
use crate::command::blocking::{BlockSpec, parse_deadline_ms};
use crate::command::reply_error::{ReplyError, quoting};
use crate::command::{Cx, notify};
use crate::keyspace::{Entry, Key, ValueType};
use crate::resp::{Out, OwnedCommand};
use crate::types::stream::{Counters, Group, Pending, Stream, StreamId};

/// What stands before the IDs.
#[derive(Debug, Default)]
pub struct Wish<'a> {
    /// BLOCK: when to give up, internal ms; 0: never.
    pub deadline_ms: Option<u64>,
    /// Most entries per stream; `usize::MAX`: all.
    count: usize,
    /// Index of the first key's word.
    pub keys_at: usize,
    /// Number of keys.
    pub keys: usize,
    group: Option<(&'a [u8], &'a [u8])>,
    noack: bool,
}

/// Reads the options up to STREAMS.
pub fn parse_wish<'a>(cx: &mut Cx<'a>, by_group: bool) -> Result<Wish<'a>, ReplyError> {
    let mut wish = Wish { count: usize::MAX, ..Wish::default() };
    let mut at = 1;
    while at < cx.argc() && wish.keys_at == 0 {
        let (word, more) = (cx.arg(at), cx.argc() - 1 - at);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"block") && more > 0 {
            if cx.outcome.caller.is_script {
                let text =
                    quoting("ERR ", cx.arg(0), " command is not allowed with BLOCK option from scripts");
                return Err(cx.fail(text));
            }
            at += 1;
            wish.deadline_ms = Some(parse_deadline_ms(cx, cx.arg(at))?);
        } else if is(b"count") && more > 0 {
            at += 1;
            let count = parse_i64(cx.arg(at)).ok_or(ReplyError::NotInteger)?;
            wish.count = if count > 0 { count as usize } else { usize::MAX };
        } else if is(b"streams") && more > 0 {
            (wish.keys_at, wish.keys) = (at + 1, more / 2);
            if !more.is_multiple_of(2) {
                return Err(ReplyError::Text(
                    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
                ));
            }
        } else if is(b"group") && more >= 2 {
            if !by_group {
                return Err(ReplyError::Text(
                    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                ));
            }
            wish.group = Some((cx.arg(at + 1), cx.arg(at + 2)));
            at += 2;
        } else if is(b"noack") {
            if !by_group {
                return Err(ReplyError::Text(
                    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                ));
            }
            wish.noack = true;
        } else {
            return Err(ReplyError::Syntax);
        }
        at += 1;
    }
    if wish.keys_at == 0 {
        return Err(ReplyError::Syntax);
    }
    if by_group && wish.group.is_none() {
        return Err(ReplyError::Text("ERR Missing GROUP option for XREADGROUP"));
    }
    Ok(wish)
}

/// The ID after which each stream is read; `StreamId::MAX` stands for `>`.
fn parse_positions(cx: &mut Cx<'_>, wish: &Wish<'_>) -> Result<Vec<StreamId>, ReplyError> {
    let mut positions = Vec::with_capacity(wish.keys);
    for index in 0..wish.keys {
        let (key, word) = (cx.key(wish.keys_at + index), cx.arg(wish.keys_at + wish.keys + index));
        if cx.is_woken() {
            // Judged the first time; other keys' shards may be out of reach now.
            positions.push(if word == b">" { StreamId::MAX } else { parse_id(word, 0)? });
            continue;
        }
        let found = cx.read_as::<Stream>(&key)?;
        let is_missing = found.is_none();
        let group = wish.group.map(|(group, _)| group);
        let last = found.map_or(StreamId::MIN, Stream::last_id);
        let in_group = |group| found.is_some_and(|stream| stream.find_group(group).is_some());
        let no_group_of = group.filter(|group| !in_group(group));
        if is_missing {
            cx.notify_miss(key.bytes);
        }
        if let Some(group) = no_group_of {
            return Err(no_group(cx, key.bytes, group, "' in XREADGROUP with GROUP option"));
        }
        positions.push(match (word, group.is_some()) {
            (b"$", true) => return Err(DOLLAR_IN_GROUP),
            (b"$", false) => last,
            (b">", true) => StreamId::MAX,
            (b">", false) => return Err(GREATER_WITHOUT_GROUP),
            _ => parse_id(word, 0)?,
        });
    }
    Ok(positions)
}

const DOLLAR_IN_GROUP: ReplyError = ReplyError::Text(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);
const GREATER_WITHOUT_GROUP: ReplyError = ReplyError::Text(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);

/// The name of the stream in front of its entries.
fn begin_stream(out: &mut Out, key: &[u8]) {
    if out.proto() < 3 {
        out.array(2);
    }
    out.bulk(key);
}

/// Whether there is a live entry after `position`.
fn has_more(stream: &Stream, position: StreamId) -> bool {
    position < stream.last_id() && stream.last_live().is_some_and(|last| last > position)
}

/// Whether a call has something to serve after `position`: a woken one has if an ID was used since, even if its entry is gone.
fn is_due(is_woken: bool, stream: &Stream, position: StreamId) -> bool {
    if is_woken { stream.last_id() > position } else { has_more(stream, position) }
}

/// XREAD of one stream; whether there was something.
fn serve(cx: &mut Cx<'_>, out: &mut Out, key: &Key<'_>, position: StreamId, count: usize) -> bool {
    let is_woken = cx.is_woken();
    let Ok(Some(stream)) = cx.read_as::<Stream>(key) else {
        cx.notify_miss(key.bytes);
        return false;
    };
    let start = position.next().filter(|_| is_due(is_woken, stream, position));
    let Some(start) = start else { return false };
    begin_stream(out, key.bytes);
    write_entries(out, stream.range(start, StreamId::MAX, false).take(count));
    true
}

/// What happened to a group while a consumer read.
#[derive(Default)]
struct Delivery {
    served: bool,
    created: bool,
    delivered: Vec<StreamId>,
    position: Option<(StreamId, Option<i64>)>,
}

/// One consumer's reading of one group.
struct Reading<'a> {
    group: &'a mut Group,
    consumer: u32,
    now_ms: i64,
    count: usize,
}

impl Reading<'_> {
    /// New entries: each becomes pending unless `noack`.
    fn deliver<'e>(
        &mut self,
        out: &mut Out,
        entries: impl Iterator<Item = crate::types::stream::Entry<'e>>,
        counters: &Counters,
        noack: bool,
        delivery: &mut Delivery,
    ) {
        let (mark, mut written) = (out.mark(), 0);
        for entry in entries.take(self.count) {
            let id = entry.id;
            if id > self.group.last_id {
                counters.advance(self.group, id);
                delivery.position = Some((self.group.last_id, self.group.entries_read));
            }
            write_entry(out, entry);
            written += 1;
            if !noack {
                let consumer = self.consumer;
                self.group.assign(Pending { id, delivery_ms: self.now_ms, delivery_count: 1, consumer });
                delivery.delivered.push(id);
            }
        }
        out.insert_array(mark, written);
    }

    /// Entries this consumer was given before and did not acknowledge.
    fn replay(&mut self, out: &mut Out, view: crate::types::stream::View<'_>, start: StreamId) {
        let pending = self.group.consumer(self.consumer).map(|consumer| &consumer.pending);
        let ids: Vec<StreamId> =
            pending.into_iter().flat_map(|own| own.range(start)).take(self.count).copied().collect();
        out.array(ids.len());
        for id in ids {
            let Some(entry) = view.get(id) else {
                out.array(2);
                write_id(out, id);
                out.null_array();
                continue;
            };
            write_entry(out, entry);
            let times = self.group.pending().get(id).map_or(0, |record| record.delivery_count);
            self.group.retime(id, self.now_ms, times.wrapping_add(1));
        }
    }
}

const KEY_GONE: ReplyError = ReplyError::Text("UNBLOCKED the stream key no longer exists");
const GROUP_GONE: ReplyError =
    ReplyError::Text("NOGROUP the consumer group this client was blocked on no longer exists");

/// XREADGROUP of one stream.
fn serve_group(
    cx: &mut Cx<'_>,
    out: &mut Out,
    key: &Key<'_>,
    position: StreamId,
    wish: &Wish<'_>,
) -> Result<Delivery, ReplyError> {
    let mut delivery = Delivery::default();
    let Some((group, consumer)) = wish.group else { return Ok(delivery) };
    let (now_ms, is_woken) = (wall_now(cx), cx.is_woken());
    let found = match read_to_change(cx, key) {
        Err(_) if is_woken => return Err(KEY_GONE),
        found => found?,
    };
    let Some(mut entry) = found else { return if is_woken { Err(KEY_GONE) } else { Ok(delivery) } };
    let Some(stream) = entry.get_mut::<Stream>() else { return Ok(delivery) };
    let Some(index) = stream.find_group(group) else { return Err(GROUP_GONE) };
    let is_history = position != StreamId::MAX;
    let last = stream.groups()[index].last_id;
    delivery.served = is_history || is_due(is_woken, stream, last);
    if !delivery.served {
        return Ok(delivery);
    }
    stream.with_group(index, |group, view| {
        let number = match group.find(consumer) {
            Some(number) => {
                group.saw(number, now_ms);
                number
            }
            None => {
                delivery.created = true;
                group.add_consumer(consumer, now_ms).unwrap_or_default()
            }
        };
        begin_stream(out, key.bytes);
        let mut reading = Reading { group, consumer: number, now_ms, count: wish.count };
        let start = if is_history { position } else { last };
        let start = start.next().unwrap_or(StreamId::MIN);
        if is_history {
            return reading.replay(out, view, start);
        }
        let entries = view.range(start, StreamId::MAX);
        reading.deliver(out, entries, &view.counters, wish.noack, &mut delivery);
    });
    Ok(delivery)
}

/// What the delivery leaves behind, events and effects.
fn publish(cx: &mut Cx<'_>, key: &Key<'_>, wish: &Wish<'_>, delivery: &Delivery) {
    let Some((group, consumer)) = wish.group else { return };
    let dirty = cx.outcome.dirty + u64::from(delivery.served) + u64::from(delivery.created);
    if delivery.created {
        cx.notify(notify::STREAM, "xgroup-createconsumer", key.bytes);
        if wish.noack {
            cx.propagate_as(&[b"XGROUP", b"CREATECONSUMER", key.bytes, group, consumer]);
        }
    }
    let delivery_ms = wall_now(cx);
    if cx.is_observed() {
        for &id in &delivery.delivered {
            let record = Pending { id, delivery_ms, delivery_count: 1, consumer: 0 };
            propagate_claim(cx, (key.bytes, group, consumer), &record, id);
        }
    }
    // As redis 7.0: with pending entries their XCLAIMs carry the position (but not the entries read).
    if let Some((last_id, entries_read)) = delivery.position
        && wish.noack
    {
        propagate_position(cx, key.bytes, group, last_id, entries_read);
    }
    cx.outcome.dirty = dirty;
}

/// Serves what there is; false if there is nothing (then nothing is written).
pub fn serve_all(cx: &mut Cx<'_>, wish: &Wish<'_>, positions: &[StreamId]) -> Result<bool, ReplyError> {
    let mut out = std::mem::take(cx.out);
    let (mark, mut streams, mut failed) = (out.mark(), 0, None);
    for (index, &position) in positions.iter().enumerate() {
        let key = cx.key(wish.keys_at + index);
        if !cx.considers(key.bytes) {
            continue;
        }
        if wish.group.is_none() {
            streams += usize::from(serve(cx, &mut out, &key, position, wish.count));
        } else {
            match serve_group(cx, &mut out, &key, position, wish) {
                Ok(delivery) => {
                    publish(cx, &key, wish, &delivery);
                    streams += usize::from(delivery.served);
                }
                Err(error) => failed = Some(error),
            }
        }
        if cx.is_woken() {
            // Of a key named twice it waits for the first mention.
            break;
        }
    }
    if streams > 0 && out.proto() < 3 {
        out.insert_array(mark, streams);
    } else if streams > 0 {
        out.insert_map(mark, streams);
    }
    *cx.out = out;
    failed.map_or(Ok(streams > 0), Err)
}

/// What a call that found nothing waits for.
fn waiting(cx: &Cx<'_>, wish: &Wish<'_>, positions: &[StreamId], deadline_ms: u64) -> BlockSpec {
    let keys = (0..wish.keys).map(|index| cx.arg(wish.keys_at + index));
    let mut spec = BlockSpec::new(ValueType::Stream, keys, deadline_ms);
    spec.on_nokey = wish.group.is_some();
    for ((_, probe), &position) in spec.keys.iter_mut().zip(positions) {
        let group: Option<Box<[u8]>> = wish.group.map(|(group, _)| group.into());
        *probe = Some(Box::new(move |entry: Entry<'_>| {
            let Some(stream) = entry.get::<Stream>() else { return group.is_some() };
            let after = match &group {
                None => position,
                Some(name) => match stream.find_group(name) {
                    None => return true,
                    Some(index) => stream.groups()[index].last_id,
                },
            };
            stream.last_id() > after
        }));
    }
    let ids_at = wish.keys_at + wish.keys;
    if wish.group.is_none() && (0..wish.keys).any(|index| cx.arg(ids_at + index) == b"$") {
        // `$` is the last ID of now, not of when it is called again.
        let mut words: Vec<Vec<u8>> = cx.args.iter().map(<[u8]>::to_vec).collect();
        positions.iter().zip(&mut words[ids_at..]).for_each(|(position, word)| *word = position.text());
        spec.words = Some(OwnedCommand::from_words(&words));
    }
    spec
}

fn read(cx: &mut Cx<'_>, by_group: bool) -> Result<(), ReplyError> {
    let wish = parse_wish(cx, by_group)?;
    let positions = parse_positions(cx, &wish)?;
    if serve_all(cx, &wish, &positions)? {
        return Ok(());
    }
    match wish.deadline_ms {
        Some(deadline_ms) if cx.may_block() => {
            let spec = waiting(cx, &wish, &positions, deadline_ms);
            cx.block(spec);
        }
        _ => cx.out.null_array(),
    }
    Ok(())
}

/// `XREAD [COUNT count] [BLOCK ms] STREAMS key [key …] id [id …]`
pub fn xread(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    read(cx, false)
}

/// `XREADGROUP GROUP group consumer [COUNT count] [BLOCK ms] [NOACK] STREAMS key [key …] id [id …]`
pub fn xreadgroup(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    read(cx, true)
}
