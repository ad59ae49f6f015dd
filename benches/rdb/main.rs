//! What reading and writing RDB costs per entry, without files and cores: `cargo bench --bench rdb [-- word]` (word: only names that contain it).
//!
//! Each row is the median of five runs over the same data. Compression is on, as it is by default.
use shoal::base::crc64::crc64;
use shoal::base::prng::Prng;
use shoal::keyspace::{Access, Boxed, Expire, Key, Keyspace, NewValue, Stored, StrIn};
use shoal::rdb::decode::Decoder;
use shoal::rdb::encode::{Encoder, Style};
use shoal::rdb::file::{Item, Reader, Record, open_record, write};
use shoal::rdb::load::{Limits, load_value};
use shoal::rdb::save::{Saver, type_of};
use shoal::rdb::{VERSION, lzf};
use shoal::types::hash::{Hash, HashLimits};
use shoal::types::list::{End, List, ListLimits, NewItem};
use shoal::types::set::{Set, SetLimits};
use shoal::types::zset::{ZSet, ZSetLimits};
use std::hint::black_box;
use std::time::Instant;

const RUNS: usize = 5;
const STYLE: Style = Style { compress: true, wall_offset_ms: 0 };

fn limits() -> Limits {
    Limits {
        hash: HashLimits { max_entries: 128, max_value: 64 },
        list: ListLimits::of(-2),
        set: SetLimits::default(),
        zset: ZSetLimits { max_entries: 128, max_value: 64 },
        wall_offset_ms: 0,
    }
}

/// Prints the median time of `work` per one of `count`.
fn row(name: &str, count: usize, unit: &str, mut work: impl FnMut()) {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[RUNS / 2];
    let (all_ms, each_ns) = (median * 1e3, median * 1e9 / count as f64);
    println!("{name:<34} {all_ms:>9.1} ms {each_ns:>9.2} ns/{unit}");
}

fn is_wanted(name: &str) -> bool {
    let word = std::env::args().skip(1).find(|word| !word.starts_with("--"));
    word.is_none_or(|word| name.contains(&word))
}

/// One of the data sets: the value of key number `n`.
type Make = fn(&mut Prng, u64) -> Made;

enum Made {
    Text(Vec<u8>),
    Boxed(Boxed),
}

fn printable(prng: &mut Prng, len: usize) -> Vec<u8> {
    (0..len).map(|_| b' ' + prng.below(95) as u8).collect()
}

fn words(prng: &mut Prng, len: usize) -> Vec<u8> {
    const WORDS: [&str; 8] = ["user", "name=", "session", "2026-11-", "active", "true,", "\"id\":", "null"];
    let mut text = Vec::new();
    while text.len() < len {
        text.extend_from_slice(WORDS[prng.below(8) as usize].as_bytes());
    }
    text.truncate(len);
    text
}

fn list(prng: &mut Prng, count: usize, len: usize) -> Made {
    let mut list = List::default();
    (0..count).for_each(|_| list.push(End::Right, NewItem::Text(&printable(prng, len)), &limits().list));
    Made::Boxed(list.boxed())
}

fn hash(prng: &mut Prng, count: usize) -> Made {
    let mut hash = Hash::default();
    for number in 0..count {
        hash.set(format!("field:{number}").as_bytes(), &printable(prng, 12), &limits().hash);
    }
    Made::Boxed(hash.boxed())
}

fn zset(prng: &mut Prng, count: usize) -> Made {
    let members: Vec<(String, f64)> =
        (0..count).map(|number| (format!("member:{number:07}"), prng.below(100) as f64 / 4.0)).collect();
    let mut members: Vec<_> = members.iter().map(|(member, score)| (member.as_bytes(), *score)).collect();
    members.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(other.0)));
    Made::Boxed(ZSet::from_members(members.into_iter(), &limits().zset).boxed())
}

fn set(count: usize) -> Made {
    let mut set = Set::default();
    (0..count).for_each(|number| {
        set.add(format!("member:{number:07}").as_bytes(), &limits().set);
    });
    Made::Boxed(set.boxed())
}

/// Name, keys, and the values.
const DATA: [(&str, usize, Make); 12] = [
    ("text 100 random", 1_000_000, |prng, _| Made::Text(printable(prng, 100))),
    ("text 100 the same byte", 1_000_000, |_, _| Made::Text(vec![b'x'; 100])),
    ("text 100 words", 1_000_000, |prng, _| Made::Text(words(prng, 100))),
    ("text 10 random", 1_000_000, |prng, _| Made::Text(printable(prng, 10))),
    ("text integer", 1_000_000, |prng, _| Made::Text(prng.below(1 << 40).to_string().into_bytes())),
    ("list of 10", 200_000, |prng, _| list(prng, 10, 12)),
    ("hash of 10", 200_000, |prng, _| hash(prng, 10)),
    ("zset of 10", 200_000, |prng, _| zset(prng, 10)),
    ("one list of 1 M", 1, |prng, _| list(prng, 1_000_000, 12)),
    ("one hash of 1 M", 1, |prng, _| hash(prng, 1_000_000)),
    ("one zset of 1 M", 1, |prng, _| zset(prng, 1_000_000)),
    ("one set of 1 M", 1, |_, _| set(1_000_000)),
];

/// Bytes of a chunk, as a snapshot sends them away.
const CHUNK: usize = 256 << 10;

/// Writes a file as a snapshot does, in chunks whose buffer is used again.
fn save(space: &mut Keyspace, mut take: impl FnMut(&[u8])) {
    let mut chunk = Vec::with_capacity(2 * CHUNK);
    let mut sum = 0;
    let mut send = |chunk: &mut Vec<u8>| {
        sum = crc64(sum, chunk);
        take(chunk);
        chunk.clear();
        sum
    };
    write::begin(&mut chunk, VERSION, &[]);
    write::select_db(&mut chunk, 0);
    for entry in space.dict(0).iter() {
        let (value, mut saver) = (entry.value(), Saver::new());
        write::entry_head(&mut chunk, type_of(value), entry.key(), None, None);
        loop {
            let is_written = saver.step(value, &mut Encoder::new(&mut chunk, STYLE), CHUNK / 8);
            if chunk.len() >= CHUNK {
                send(&mut chunk);
            }
            if is_written {
                break;
            }
        }
    }
    write::end(&mut chunk);
    let sum = send(&mut chunk);
    take(&sum.to_le_bytes());
}

/// Splits a file into records and hands them to `take`.
fn split(file: &[u8], mut take: impl FnMut(&[u8])) {
    let mut reader = Reader::new();
    for block in file.chunks(256 << 10) {
        reader.feed(block);
        loop {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(Item::Entry { record, .. })) => take(record),
                Ok(Some(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(reader.is_at_end());
}

fn measure(name: &str, keys: usize, make: Make) {
    let mut prng = Prng::new(1);
    let mut space = Keyspace::new(1, 1);
    for number in 0..keys as u64 {
        let name = format!("key:{number:09}");
        let value = make(&mut prng, number);
        let mut db = space.db(0, Access::at(1000));
        let key = Key::new(name.as_bytes());
        match value {
            Made::Text(text) => db.set_string(&key, StrIn::Bytes(&text), Expire::Clear),
            Made::Boxed(boxed) => db.set_value(&key, NewValue::Boxed(boxed), Expire::Clear),
        };
    }
    let mut file = Vec::new();
    save(&mut space, |chunk| file.extend_from_slice(chunk));
    println!("{name}: {keys} keys, {:.1} MB", file.len() as f64 / 1e6);
    row("  save", keys, "key", || {
        save(&mut space, |chunk| {
            black_box(chunk);
        });
    });
    row("  crc alone", file.len(), "byte", || {
        black_box(crc64(0, &file));
    });
    row("  split", keys, "key", || {
        split(&file, |record| {
            black_box(record);
        });
    });
    row("  split and decode", keys, "key", || {
        split(&file, |record| {
            let Ok(Record { kind, mut value, .. }) = open_record(record) else { panic!("a record") };
            let value = load_value(kind, &mut Decoder::new(&mut value), &limits());
            assert!(value.is_ok());
        });
    });
}

fn compression() {
    let mut prng = Prng::new(2);
    for (name, text) in [
        ("lzf 100 random", printable(&mut prng, 100)),
        ("lzf 100 words", words(&mut prng, 100)),
        ("lzf 8000 random", printable(&mut prng, 8000)),
        ("lzf 8000 words", words(&mut prng, 8000)),
    ] {
        if is_wanted(name) {
            row(name, 100_000, "text", || {
                (0..100_000).for_each(|_| {
                    lzf::compressed(&text, |short| black_box(short.len()));
                })
            });
        }
    }
}

/// The longest step of a snapshot's size over values of long texts, and what all of them take.
fn steps() {
    let mut prng = Prng::new(3);
    let (random, text) = (printable(&mut prng, 20 << 20), words(&mut prng, 20 << 20));
    let lines: Vec<u8> = (0..400_000u64)
        .flat_map(|line| format!("{line} {} {}\n", prng.next_u64(), "level=info").into_bytes())
        .collect();
    let mut list = List::default();
    let mut hash = Hash::default();
    for (number, part) in lines.chunks(100_000).enumerate() {
        list.push(End::Right, NewItem::Text(part), &limits().list);
        hash.set(number.to_string().as_bytes(), part, &limits().hash);
    }
    let (list, hash) = (list.boxed(), hash.boxed());
    let values = [
        ("random text", Made::Text(random)),
        ("text of words", Made::Text(text)),
        ("text of lines", Made::Text(lines)),
        ("list of long texts", Made::Boxed(list)),
        ("hash of long texts", Made::Boxed(hash)),
    ];
    for (name, made) in values.into_iter().filter(|(name, _)| is_wanted(name)) {
        let mut space = Keyspace::new(1, 1);
        let key = Key::new(b"key");
        let mut db = space.db(0, Access::at(1000));
        match made {
            Made::Text(text) => db.set_value(&key, NewValue::Str(StrIn::Shared(text.into())), Expire::Clear),
            Made::Boxed(boxed) => db.set_value(&key, NewValue::Boxed(boxed), Expire::Clear),
        };
        let Some(entry) = space.db(0, Access::at(1000)).read(&key) else { continue };
        let (mut chunk, mut saver, mut micros) = (Vec::with_capacity(2 * CHUNK), Saver::new(), Vec::new());
        let mut bytes = 0;
        loop {
            let start = Instant::now();
            let is_written = saver.step(entry.value(), &mut Encoder::new(&mut chunk, STYLE), CHUNK / 8);
            micros.push(start.elapsed().as_secs_f64() * 1e6);
            bytes += chunk.len();
            chunk.clear();
            if is_written {
                break;
            }
        }
        micros.sort_by(f64::total_cmp);
        let (sum, count) = (micros.iter().sum::<f64>(), micros.len());
        let (usual, high, most) = (micros[count / 2], micros[count * 99 / 100], micros[count - 1]);
        println!(
            "{name:<34} {:>9.1} ms in {count} steps of {usual:.0} us (99 %: {high:.0}, most: {most:.0}), {bytes} bytes",
            sum / 1e3
        );
    }
}

fn main() {
    compression();
    steps();
    for (name, keys, make) in DATA {
        if is_wanted(name) {
            measure(name, keys, make);
        }
    }
}
