//! A snapshot's cut under random changes: what it sees is the data set as it was, each entry once.
use super::prng;
use crate::base::prng::Prng;
use crate::keyspace::{Access, Digest, Expire, Key, Keyspace, NewValue, StrIn, ValueRef, value_digest};
use crate::types::hash::{Hash, HashLimits};
use crate::types::list::{End, List, ListLimits, NewItem};
use crate::types::set::{Set, SetLimits};
use crate::types::stream::{Stream, StreamId, StreamLimits};
use crate::types::zset::{AddRule, ZSet, ZSetLimits};
use std::collections::BTreeMap;

const DATABASES: usize = 3;
type Seen = BTreeMap<(usize, Vec<u8>), Digest>;

fn add_some(space: &mut Keyspace, prng: &mut Prng, db: usize, name: &[u8]) {
    let key = Key::new(name);
    let many = 1 + if prng.below(8) == 0 { prng.below(3000) } else { prng.below(20) };
    let word = |number: u64| format!("word-{number}-{}", "x".repeat((number % 50) as usize)).into_bytes();
    let kind = space.db(db, Access::at(1)).peek(&key).map(|entry| entry.value_type() as u64);
    let kind = kind.unwrap_or(prng.below(6));
    let empty = [
        NewValue::Str(StrIn::Bytes(b"0")),
        Hash::default().into(),
        List::default().into(),
        Set::default().into(),
        ZSet::default().into(),
        Stream::default().into(),
    ];
    if space.db(db, Access::at(1)).peek(&key).is_none() {
        let value = empty.into_iter().nth(kind as usize).expect("six kinds");
        space.db(db, Access::at(1)).set_value(&key, value, Expire::Clear);
    }
    let mut entry = space.db(db, Access::at(1)).write(&key).expect("just made");
    if kind == 0 {
        match prng.below(3) {
            0 => assert!(entry.append(&word(many).repeat(1 + prng.below(600) as usize))),
            1 => entry.set_string(StrIn::Bytes(&word(many))),
            // It may be the empty string.
            _ => entry.bytes_mut().expect("a string").iter_mut().take(1).for_each(|byte| *byte = b'!'),
        }
    }
    for number in 0..if kind == 0 { 0 } else { many } {
        let number = number + prng.below(100);
        if let Some(hash) = entry.get_mut::<Hash>() {
            hash.set(&word(number), &word(prng.below(9)), &HashLimits::default());
        } else if let Some(list) = entry.get_mut::<List>() {
            list.push(End::Left, NewItem::Text(&word(number)), &ListLimits::of(-2));
        } else if let Some(set) = entry.get_mut::<Set>() {
            set.add(&word(number), &SetLimits::default());
        } else if let Some(zset) = entry.get_mut::<ZSet>() {
            zset.add(&word(number), prng.below(500) as f64, AddRule::default(), &ZSetLimits::default());
        } else if let Some(stream) = entry.get_mut::<Stream>() {
            let id = StreamId { ms: stream.last_id().ms + 1, seq: 0 };
            let limits = StreamLimits { max_bytes: 4096, max_entries: 100 };
            stream.append(id, 1, |_| b"field", &limits);
        }
    }
}

fn change(space: &mut Keyspace, prng: &mut Prng) {
    let db = prng.below(DATABASES as u64) as usize;
    let name = format!("key:{}", prng.below(120)).into_bytes();
    let key = Key::new(&name);
    match prng.below(400) {
        0 => drop(space.flush_db(db)),
        1 => drop(space.flush_all()),
        2..8 => space.swap_db(db, prng.below(DATABASES as u64) as usize, 1),
        8..100 => drop(space.db(db, Access::at(1)).remove(&key)),
        100..150 => {
            let other = format!("key:{}", prng.below(120)).into_bytes();
            if let Some(entry) = space.db(db, Access::at(1)).take(&key) {
                let to = prng.below(DATABASES as u64) as usize;
                space.db(to, Access::at(1)).put(&Key::new(&other), entry);
            }
        }
        150..180 => drop(space.db(db, Access::at(1)).set_expire(&key, Some(9_000_000))),
        180..250 => {
            let text = b"v".repeat(prng.below(40_000) as usize);
            space.db(db, Access::at(1)).set_string(&key, StrIn::Bytes(&text), Expire::Keep);
        }
        _ => add_some(space, prng, db, &name),
    }
    while !space.free_step(64) {}
}

fn all(space: &Keyspace) -> Seen {
    let of = |db| space.dict(db).iter().map(move |entry| ((db, entry.key().to_vec()), value_digest(entry)));
    (0..DATABASES).flat_map(of).collect()
}

fn note(seen: &mut Seen, db: usize, entry: crate::keyspace::Entry<'_>) {
    // A pinned sorted set is for reading in order only, and that is what the digest does.
    if let ValueRef::ZSet(set) = entry.value() {
        assert!(!set.is_empty());
    }
    let before = seen.insert((db, entry.key().to_vec()), value_digest(entry));
    assert!(before.is_none(), "db {db} {:?} twice", String::from_utf8_lossy(entry.key()));
}

/// One step of a snapshot; false when it is over.
fn step(space: &mut Keyspace, prng: &mut Prng, seen: &mut Seen) -> bool {
    if let Some((db, entry)) = space.take_saved() {
        note(seen, db, entry.view());
        space.let_go(entry);
        return true;
    }
    space.walk_cut(prng.below(50) as usize, |db, entry| note(seen, db, entry))
}

#[test]
fn a_cut_sees_everything_once_as_it_was() {
    let (mut prng, seeds) = (prng(), 60);
    for _ in 0..seeds {
        let mut space = Keyspace::new(DATABASES, prng.next_u64());
        (0..150).for_each(|_| change(&mut space, &mut prng));
        for _ in 0..3 {
            assert!(!space.has_cut() && space.saved_bytes() == 0);
            let expected = all(&space);
            let mut seen = Seen::new();
            space.open_cut();
            let pace = prng.below(4);
            loop {
                (0..pace * prng.below(4)).for_each(|_| change(&mut space, &mut prng));
                if !step(&mut space, &mut prng, &mut seen) && !space.has_cut() {
                    break;
                }
            }
            assert!(seen == expected, "{} of {}", seen.len(), expected.len());
            for db in 0..DATABASES {
                assert_eq!(space.totals(db), space.dict(db).recount());
            }
            (0..50).for_each(|_| change(&mut space, &mut prng));
        }
    }
}
