//! Our files in redis: redis-check-rdb finds nothing, redis-server 7.0 loads them to the same digest. The other way round are the fixtures.
use crate::loading::{DATABASES, NOW_MS, OFFSET_MS, limits, load};
use crate::support::prng::{Prng, seeds};
use crate::support::server::Plan;
use crate::types::sample;
use shoal::base::crc64::crc64;
use shoal::keyspace::{Access, Expire, Key, Keyspace, NewValue, Stored, StrIn};
use shoal::rdb::VERSION;
use shoal::rdb::encode::{Encoder, Style};
use shoal::rdb::file::write::{self, Recency};
use shoal::rdb::kind;
use shoal::rdb::save::{Saver, type_of};
use shoal::types::hash::Hash;
use shoal::types::list::{End, List, NewItem};
use shoal::types::set::Set;
use shoal::types::stream::{Group, Pending, Stream, StreamId, StreamLimits};
use shoal::types::zset::ZSet;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

const FUNCTIONS: &[u8] = b"#!lua name=lib\nredis.register_function('f', function(keys, args) return 1 end)";

fn text(prng: &mut Prng) -> Vec<u8> {
    match prng.below(12) {
        0..4 => (prng.next() as i64 >> prng.below(64)).to_string().into_bytes(),
        4 => vec![b'r'; prng.index(600)],
        5 => b"some words, some words again; ".repeat(1 + prng.index(9)),
        6 if prng.chance(10) => prng.bytes(30_000),
        6 if prng.chance(10) => b"abcdefg".repeat(20_000),
        _ => {
            let len = prng.index(40);
            prng.bytes(len)
        }
    }
}

fn stream(prng: &mut Prng) -> Stream {
    let mut stream = Stream::default();
    let node = StreamLimits { max_bytes: 4096, max_entries: 100 };
    let count = prng.below(300);
    for ms in 1..=count {
        let words = [b"field".to_vec(), text(prng), text(prng), b"v".to_vec()];
        let pairs = 1 + prng.index(2);
        stream.append(StreamId { ms, seq: prng.below(3) }, pairs, |index| &words[index], &node);
    }
    let doomed: Vec<_> =
        (0..prng.below(30)).map(|_| StreamId { ms: prng.below(count + 1), seq: 0 }).collect();
    stream.delete(&doomed);
    for number in 0..prng.below(3) {
        let mut group = Group::new(format!("g{number}").as_bytes(), StreamId { ms: number, seq: 1 }, None);
        for consumer in 0..prng.below(3) {
            let consumer = group.add_consumer(format!("c{consumer}").as_bytes(), 5).unwrap();
            for _ in 0..prng.below(90) {
                let id = StreamId { ms: prng.below(500), seq: 0 };
                group.assign(Pending { id, delivery_ms: 77, delivery_count: prng.below(9), consumer });
            }
        }
        stream.add_group(group);
    }
    stream
}

/// A random value under `key`, of a type that redis 7.0 has.
fn put(space: &mut Keyspace, db: usize, key: &[u8], prng: &mut Prng) {
    let (many, limits) = (if prng.chance(20) { 1500 } else { 30 }, limits());
    let count = 1 + prng.below(many);
    let boxed = match prng.below(6) {
        0 => {
            let (key, text) = (Key::new(key), text(prng));
            space.db(db, Access::at(NOW_MS)).set_string(&key, StrIn::Bytes(&text), expire(prng));
            return;
        }
        1 => {
            let mut list = List::default();
            (0..count).for_each(|_| list.push(End::Right, NewItem::Text(&text(prng)), &limits.list));
            list.boxed()
        }
        2 => {
            let (mut set, only_ints) = (Set::default(), prng.chance(50));
            for _ in 0..count {
                let number = (prng.next() as i64 >> 40).to_string().into_bytes();
                set.add(&if only_ints { number } else { text(prng) }, &limits.set);
            }
            set.boxed()
        }
        3 => {
            let score = |prng: &mut Prng| match prng.below(5) {
                0 => f64::INFINITY,
                1 => prng.next() as f64 / 1e9,
                _ => prng.below(1000) as f64 / 8.0,
            };
            let members: BTreeMap<_, _> = (0..count).map(|_| (text(prng), score(prng))).collect();
            let members: Vec<_> = members.into_iter().collect();
            ZSet::from_members(members.iter().map(|(member, score)| (&member[..], *score)), &limits.zset)
                .boxed()
        }
        4 => {
            let mut hash = Hash::default();
            for _ in 0..count {
                hash.set(&text(prng), &text(prng), &limits.hash);
            }
            hash.boxed()
        }
        _ => stream(prng).boxed(),
    };
    space.db(db, Access::at(NOW_MS)).set_value(&Key::new(key), NewValue::Boxed(boxed), expire(prng));
}

fn expire(prng: &mut Prng) -> Expire {
    if prng.chance(30) { Expire::At(NOW_MS + (1 << 38) + prng.below(1 << 30)) } else { Expire::Clear }
}

/// A file of everything in `space`, written in steps.
fn write_file(space: &mut Keyspace, prng: &mut Prng) -> Vec<u8> {
    let mut file = Vec::new();
    write::begin(&mut file, VERSION, &[("redis-ver", "7.0.15"), ("redis-bits", "64")]);
    write::function(&mut file, FUNCTIONS);
    let style = Style { compress: prng.chance(70), wall_offset_ms: OFFSET_MS };
    for db in 0..DATABASES {
        if space.len(db) == 0 {
            continue;
        }
        write::select_db(&mut file, db);
        write::resize_db(&mut file, space.len(db), 0);
        for entry in space.dict(db).iter() {
            let value = entry.value();
            let recency = match prng.below(3) {
                0 => Some(Recency::IdleS(prng.below(1000))),
                1 => Some(Recency::Freq(prng.below(256) as u8)),
                _ => None,
            };
            let expire_wall_ms = entry.expire_at().map(|ms| ms as i64 + OFFSET_MS);
            write::entry_head(&mut file, type_of(value), entry.key(), expire_wall_ms, recency);
            let (mut saver, budget) = (Saver::new(), 1 + prng.index(50_000));
            while !saver.step(value, &mut Encoder::new(&mut file, style), budget) {}
        }
    }
    write::end(&mut file);
    let sum = crc64(0, &file);
    file.extend_from_slice(&sum.to_le_bytes());
    file
}

/// What redis-check-rdb says, and the digest that redis-server loads.
fn judged(name: &str, file: &[u8]) -> String {
    let directory = std::env::temp_dir().join(format!("shoal-rdb-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("dump.rdb");
    std::fs::write(&path, file).unwrap();
    let check = Command::new("redis-check-rdb").arg(&path).output();
    let check = check.expect("redis-check-rdb is missing: apt-get install -y redis-tools redis-server");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && said.contains("RDB looks OK!"), "{name}: {said}");
    assert!(!said.contains("Unknown") && !said.contains("ERROR"), "{name}: {said}");
    let redis = Plan::redis().args(&["--dir", directory.to_str().unwrap()]).start();
    let mut client = redis.connect();
    let started = Instant::now();
    let digest = loop {
        let reply = client.command(&["DEBUG", "DIGEST"]).unwrap().value;
        if !reply.is_error() {
            break reply.text();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{}", reply.text());
        std::thread::sleep(Duration::from_millis(10));
    };
    drop(redis);
    std::fs::remove_dir_all(&directory).unwrap();
    digest
}

#[test]
fn redis_loads_our_files_to_the_same_digest() {
    for seed in seeds(41, 6) {
        println!("SEED={seed}");
        let mut prng = Prng::new(seed);
        let mut space = Keyspace::new(DATABASES, 1);
        for number in 0..250 {
            let (db, key) =
                (prng.index(3) * 7, [&text(&mut prng)[..], format!(":{number}").as_bytes()].concat());
            put(&mut space, db, &key, &mut prng);
        }
        let file = write_file(&mut space, &mut prng);
        let loaded = load(&file, 4096).unwrap();
        assert_eq!(loaded.functions, [FUNCTIONS]);
        assert_eq!(loaded.keys().iter().sum::<u64>(), 250);
        assert_eq!(judged(&format!("seed{seed}"), &file), loaded.digest(), "seed {seed}");
    }
}

#[test]
fn redis_loads_the_types_built_by_hand_to_the_same_digest() {
    let mut file = sample(kind::STREAM_LISTPACKS_2);
    file[5..9].copy_from_slice(b"0010");
    assert_eq!(judged("types", &file), load(&file, 100).unwrap().digest());
}
