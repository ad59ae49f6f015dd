//! Payloads of every type there and back, in steps of any size, and hostile ones.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use super::load::{Limits, Value};
use super::*;
use crate::base::prng::Prng;
use crate::keyspace::{Access, Db, Entry, Expire, Key, Keyspace, NewValue, Stored, value_digest};
use crate::types::hash::{Hash, HashLimits};
use crate::types::list::{End, List, ListLimits, NewItem};
use crate::types::set::{Set, SetLimits};
use crate::types::stream::{Group, Pending, Stream, StreamId, StreamLimits};
use crate::types::zset::{ZSet, ZSetLimits};

const ACCESS_MS: u64 = 1000;
const OFFSET_MS: i64 = 1_700_000_000_000;

fn style(compress: bool) -> Style {
    Style { compress, wall_offset_ms: OFFSET_MS }
}

fn limits() -> Limits {
    Limits {
        hash: HashLimits { max_entries: 128, max_value: 64 },
        list: ListLimits::of(-2),
        set: SetLimits::default(),
        zset: ZSetLimits { max_entries: 128, max_value: 64 },
        wall_offset_ms: OFFSET_MS,
    }
}

fn text(prng: &mut Prng) -> Vec<u8> {
    match prng.below(8) {
        0 => (prng.next_u64() as i64 >> prng.below(64)).to_string().into_bytes(),
        1 => vec![b'r'; prng.below(400) as usize],
        2 if prng.below(10) == 0 => vec![b'h'; 20_000],
        _ => (0..prng.below(30)).map(|_| prng.next_u64() as u8).collect(),
    }
}

fn stream(prng: &mut Prng) -> Stream {
    let mut stream = Stream::default();
    let node = StreamLimits { max_bytes: 4096, max_entries: 100 };
    let count = prng.below(400);
    for ms in 1..=count {
        let words = [b"field".to_vec(), text(prng), text(prng), b"v".to_vec()];
        let pairs = 1 + prng.below(2) as usize;
        stream.append(StreamId { ms, seq: prng.below(3) }, pairs, |index| &words[index], &node);
    }
    let doomed: Vec<_> =
        (0..prng.below(50)).map(|_| StreamId { ms: prng.below(count + 1), seq: 0 }).collect();
    stream.delete(&doomed);
    for number in 0..prng.below(4) {
        let mut group = Group::new(format!("g{number}").as_bytes(), StreamId { ms: number, seq: 1 }, None);
        group.entries_read = (number > 1).then_some(number as i64);
        for consumer in 0..prng.below(4) {
            let consumer = group.add_consumer(format!("c{consumer}").as_bytes(), 5).unwrap();
            for _ in 0..prng.below(200) {
                let id = StreamId { ms: prng.below(500), seq: 0 };
                group.assign(Pending { id, delivery_ms: 77, delivery_count: prng.below(9), consumer });
            }
        }
        stream.add_group(group);
    }
    stream
}

/// One random value of each type and size.
fn store(db: &mut Db<'_>, key: &Key<'_>, prng: &mut Prng) {
    let many = if prng.below(4) == 0 { 2000 } else { 40 };
    let (count, limits) = (1 + prng.below(many), limits());
    let value = match prng.below(7) {
        0 => Value::Text(text(prng).into()),
        1 => {
            let mut list = List::default();
            (0..count).for_each(|_| list.push(End::Right, NewItem::Text(&text(prng)), &limits.list));
            Value::Boxed(list.boxed())
        }
        2 => {
            let mut set = Set::default();
            (0..count).for_each(|_| {
                set.add(&text(prng), &limits.set);
            });
            Value::Boxed(set.boxed())
        }
        3 => {
            let mut set = Set::default();
            (0..count).for_each(|_| {
                let bits = prng.below(40);
                set.add(prng.below(1 << bits).to_string().as_bytes(), &limits.set);
            });
            Value::Boxed(set.boxed())
        }
        4 => {
            let members: std::collections::BTreeMap<Vec<u8>, f64> =
                (0..count).map(|_| (text(prng), prng.below(1000) as f64 / 8.0)).collect();
            let members: Vec<_> = members.into_iter().collect();
            let zset = ZSet::from_members(members.iter().map(|(m, s)| (m.as_slice(), *s)), &limits.zset);
            Value::Boxed(zset.boxed())
        }
        5 => {
            let mut hash = Hash::default();
            (0..count).for_each(|_| {
                hash.set(&text(prng), &text(prng), &limits.hash);
            });
            if prng.below(2) == 0 {
                let fields: Vec<Vec<u8>> =
                    hash.iter().map(|(field, _)| field.to_bytes().into_owned()).collect();
                hash.make_timed(ACCESS_MS);
                let timed = fields.iter().step_by(2);
                timed.for_each(|field| hash.set_expire(field, ACCESS_MS + 1 + prng.below(1 << 40)));
            }
            Value::Boxed(hash.boxed())
        }
        _ => Value::Boxed(stream(prng).boxed()),
    };
    value.store(|value: NewValue<'_>| db.set_value(key, value, Expire::Clear));
}

fn with_values(seed: u64, rounds: u64, mut check: impl FnMut(Entry<'_>, &mut Prng)) {
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(seed);
    println!("SEED={seed}");
    let mut prng = Prng::new(seed);
    let mut space = Keyspace::new(1, 1);
    let key = Key::new(b"key");
    for _ in 0..rounds {
        let mut db = space.db(0, Access::at(ACCESS_MS));
        store(&mut db, &key, &mut prng);
        check(db.read(&key).unwrap(), &mut prng);
    }
}

fn restored(body: &[u8], check: impl FnOnce(Entry<'_>)) {
    let mut space = Keyspace::new(1, 1);
    let key = Key::new(b"key");
    let value = restore(body, &limits()).unwrap();
    value.store(|value| space.db(0, Access::at(ACCESS_MS)).set_value(&key, value, Expire::Clear));
    check(space.db(0, Access::at(ACCESS_MS)).read(&key).unwrap());
}

#[test]
fn every_value_comes_back_equal() {
    with_values(31, 300, |entry, prng| {
        let payload = dump(entry.value(), style(prng.below(2) == 0));
        let body = verify(&payload, VERSION_READ).unwrap();
        restored(body, |copy| {
            assert_eq!(value_digest(copy), value_digest(entry));
            assert_eq!(copy.encoding(), entry.encoding());
            if let (ValueRef::Hash(one), ValueRef::Hash(other)) = (entry.value(), copy.value()) {
                for (field, _) in one.iter() {
                    let field = field.to_bytes();
                    assert_eq!(one.expire_ms(&field), other.expire_ms(&field));
                }
            }
            // Order in a table is its own; all else is the same to the byte.
            if entry.encoding() != "hashtable" {
                assert!(dump(copy.value(), style(false)) == dump(entry.value(), style(false)));
            }
        });
    });
}

#[test]
fn a_value_in_steps_is_the_value_at_once() {
    with_values(32, 100, |entry, prng| {
        let mut whole = Vec::new();
        Saver::new().step(entry.value(), &mut Encoder::new(&mut whole, style(true)), usize::MAX);
        let budget = 1 + prng.below(3000) as usize;
        let (mut parts, mut saver, mut largest) = (Vec::new(), Saver::new(), 0);
        loop {
            let from = parts.len();
            let done = saver.step(entry.value(), &mut Encoder::new(&mut parts, style(true)), budget);
            largest = largest.max(parts.len() - from);
            if done {
                break;
            }
        }
        assert!(parts == whole, "{} {}", parts.len(), whole.len());
        assert!(largest <= budget + 45_000 * 32, "{largest}");
    });
}

/// A stream with one entry of such a size, and a group and a consumer of long names.
fn stream_of(long: &[u8]) -> Stream {
    let mut stream = Stream::default();
    let node = StreamLimits { max_bytes: 4096, max_entries: 100 };
    stream.append(StreamId { ms: 1, seq: 1 }, 1, |_| long, &node);
    stream.append(StreamId { ms: 1, seq: 2 }, 1, |_| b"short", &node);
    let mut group = Group::new(long, StreamId { ms: 1, seq: 1 }, None);
    let consumer = group.add_consumer(long, 5).unwrap();
    let id = StreamId { ms: 1, seq: 1 };
    group.assign(Pending { id, delivery_ms: 77, delivery_count: 1, consumer });
    stream.add_group(group);
    stream
}

/// Values of every type that consist of long texts, and how many bytes these are.
fn long_values(long: &[u8]) -> Vec<(Value<'static>, usize)> {
    let name = |number: usize| [&[number as u8][..], long].concat();
    let mut list = List::default();
    (0..3).for_each(|number| list.push(End::Right, NewItem::Text(&name(number)), &limits().list));
    let mut wide = List::default();
    (0..90)
        .for_each(|number| wide.push(End::Right, NewItem::Text(&name(number)[..700]), &ListLimits::of(-5)));
    let mut set = Set::default();
    for number in 0..3 {
        set.add(&name(number), &limits().set);
    }
    let members: Vec<_> = (0..3).map(name).collect();
    let zset = ZSet::from_members(members.iter().map(|member| (&member[..], 1.5)), &limits().zset);
    let wide_limits = ZSetLimits { max_entries: 9, max_value: usize::MAX };
    let packed = ZSet::from_members(members.iter().map(|member| (&member[..], 1.5)), &wide_limits);
    let (mut hash, mut timed) = (Hash::default(), Hash::default());
    for number in 0..3 {
        hash.set(&name(number), &name(7), &limits().hash);
        timed.set(&name(number), &name(8), &limits().hash);
    }
    timed.make_timed(ACCESS_MS);
    timed.set_expire(&name(1), ACCESS_MS + 99);
    let mut ints = Set::default();
    let limits = SetLimits { max_ints: 100_000, ..SetLimits::default() };
    for number in 0..long.len() / 4 {
        ints.add(number.to_string().as_bytes(), &limits);
    }
    let len = long.len();
    vec![
        (Value::Text(long.to_vec().into()), len),
        (Value::Boxed(list.boxed()), 3 * len),
        (Value::Boxed(wide.boxed()), 90 * 700),
        (Value::Boxed(set.boxed()), 3 * len),
        (Value::Boxed(zset.boxed()), 3 * len),
        (Value::Boxed(packed.boxed()), 3 * len),
        (Value::Boxed(hash.boxed()), 6 * len),
        (Value::Boxed(timed.boxed()), 6 * len),
        (Value::Boxed(ints.boxed()), len / 2),
        (Value::Boxed(stream_of(long).boxed()), 4 * len),
    ]
}

#[test]
fn long_texts_take_several_steps_wherever_they_are() {
    let mut prng = Prng::new(35);
    let random: Vec<u8> = (0..700_000).map(|_| prng.next_u64() as u8).collect();
    let mixed = [&random[..1000], &random[..90_000].repeat(3)[..]].concat();
    let words: Vec<u8> = (0..300_000).map(|_| b"aab"[prng.below(3) as usize]).collect();
    let key = Key::new(b"key");
    for (long, compress) in [(&random, true), (&random, false), (&mixed, true), (&words, true)] {
        for (value, len) in long_values(long) {
            let mut space = Keyspace::new(1, 1);
            value.store(|value| space.db(0, Access::at(ACCESS_MS)).set_value(&key, value, Expire::Clear));
            let entry = space.db(0, Access::at(ACCESS_MS)).read(&key).unwrap();
            let mut whole = Vec::new();
            let style = style(compress);
            assert!(Saver::new().step(entry.value(), &mut Encoder::new(&mut whole, style), usize::MAX));
            let (mut parts, mut saver, mut steps, mut largest) = (Vec::new(), Saver::new(), 1, 0);
            loop {
                let from = parts.len();
                if saver.step(entry.value(), &mut Encoder::new(&mut parts, style), 32 << 10) {
                    break;
                }
                largest = largest.max(parts.len() - from);
                steps += 1;
            }
            assert!(parts == whole, "{}: {} {}", entry.encoding(), parts.len(), whole.len());
            assert!(steps >= len / (40 << 10), "{}: {steps} steps", entry.encoding());
            assert!(largest <= (32 + 100) << 10, "{}: a step of {largest} bytes", entry.encoding());
            let payload = dump(entry.value(), style);
            restored(verify(&payload, VERSION_READ).unwrap(), |copy| {
                assert_eq!(value_digest(copy), value_digest(entry));
            });
        }
    }
}

#[test]
fn damaged_payloads_give_errors_and_take_no_memory() {
    let mut refused = 0;
    with_values(33, 150, |entry, prng| {
        let mut payload = dump(entry.value(), style(prng.below(2) == 0));
        let sound = payload.len() - FOOTER;
        let wrong = prng.below(payload.len() as u64) as usize;
        payload[wrong] ^= 1 << prng.below(8);
        assert!(verify(&payload, VERSION_READ).is_none(), "a flipped bit passed the checksum");
        payload.truncate(sound);
        for _ in 0..60 {
            let mut body = payload.clone();
            for _ in 0..1 + prng.below(4) {
                let at = prng.below(body.len() as u64) as usize;
                match prng.below(6) {
                    0 => body.truncate(at.max(1)),
                    1 => drop(body.splice(at..at, (0..prng.below(9)).map(|_| 0xff))),
                    2 => body[0] = prng.below(26) as u8,
                    3 => body[at] = b"\0\x7f\x80\x81\xc0\xc3\xf0\xfe\xff"[prng.below(9) as usize],
                    _ => body[at] ^= 1 << prng.below(8),
                }
            }
            match restore(&body, &limits()) {
                Err(_) => refused += 1,
                Ok(value) => read_all(value),
            }
        }
    });
    assert!(refused > 1000, "{refused}");
}

/// What a damaged payload gave must be usable all the same.
fn read_all(value: Value<'_>) {
    let mut space = Keyspace::new(1, 1);
    let key = Key::new(b"key");
    value.store(|value| space.db(0, Access::at(ACCESS_MS)).set_value(&key, value, Expire::Clear));
    let entry = space.db(0, Access::at(ACCESS_MS)).read(&key).unwrap();
    value_digest(entry);
    assert!(verify(&dump(entry.value(), style(true)), VERSION_READ).is_some());
    let Some(mut entry) = space.db(0, Access::at(ACCESS_MS)).write(&key) else { return };
    if let Some(stream) = entry.get_mut::<Stream>() {
        stream.delete(&[StreamId { ms: 3, seq: 0 }, StreamId { ms: 30, seq: 1 }]);
        stream.trim(crate::types::stream::Keep::Length(5), false, 0);
        assert!(stream.groups().iter().all(Group::is_sound));
    }
}

#[test]
fn old_versions_load() {
    let load = |kind: u8, rest: &[u8]| restore(&[&[kind][..], rest].concat(), &limits()).map(drop);
    assert!(load(kind::LIST, b"\x02\x01a\xc0\x05").is_ok());
    assert!(load(kind::SET, b"\x02\x01a\x01a").is_err());
    assert!(load(kind::ZSET, b"\x02\x01a\x031.5\x01b\xfe").is_ok());
    assert!(load(kind::ZSET, b"\x01\x01a\xfd").is_err());
    assert!(load(kind::HASH, b"\x00").is_err());
    assert!(load(kind::HASH_ZIPMAP, b"\x0d\x01\x03foo\x05\x00hello\xff").is_ok());
    assert!(load(kind::LIST_QUICKLIST, b"\x01\x0f\x0f\0\0\0\x0a\0\0\0\x01\0\0\x02hi\xff").is_ok());
    let times = [b"\x02\x05\x01a\x01b\x00\x01c\x01d".as_slice(), &[0; 8]].concat();
    assert!(load(kind::HASH_METADATA_PRE_GA, &times).is_ok());
    assert!(load(kind::HASH_METADATA, &[&[0; 8], times.as_slice()].concat()).is_ok());
    let pack = b"\x0f\x0f\0\0\0\x03\0\x81a\x02\x81b\x02\x05\x01\xff";
    assert!(load(kind::HASH_LISTPACK_EX_PRE_GA, pack).is_ok());
    assert!(load(kind::HASH_LISTPACK_EX, &[&[0; 8], pack.as_slice()].concat()).is_ok());
    assert!(load(6, b"\x01").is_err());
    assert!(load(kind::STREAM_LISTPACKS, b"\x00\x00\x00\x00\x00").is_ok());
}
