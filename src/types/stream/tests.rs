//! `Stream` against a plain model, its pins, and its accounts.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use super::*;
use crate::base::prng::Prng;

type Row = (StreamId, Vec<Vec<u8>>);

fn seed(default: u64) -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    println!("SEED={seed}");
    seed
}

const LIMITS: StreamLimits = StreamLimits { max_bytes: 4096, max_entries: 100 };

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

fn add(stream: &mut Stream, at: StreamId, words: &[Vec<u8>], limits: &StreamLimits) {
    stream.append(at, words.len() / 2, |index| &words[index], limits);
}

fn rows(entries: Entries<'_>) -> Vec<Row> {
    let flat = |entry: Entry<'_>| {
        let words = entry.fields.flat_map(|(name, value)| [name, value]);
        (entry.id, words.map(|word| word.to_bytes().into_owned()).collect())
    };
    entries.map(flat).collect()
}

fn random_words(prng: &mut Prng) -> Vec<Vec<u8>> {
    let pairs = 1 + prng.below(3);
    let mut words = Vec::new();
    for pair in 0..pairs {
        words.push(format!("field{}", pair * prng.below(2)).into_bytes());
        words.push(match prng.below(4) {
            0 => (prng.next_u64() as i64 >> prng.below(64)).to_string().into_bytes(),
            1 => vec![b'v'; prng.below(300) as usize],
            _ => b"value".to_vec(),
        });
    }
    words
}

fn check(stream: &Stream, model: &[Row], prng: &mut Prng) {
    let all = || stream.range(StreamId::MIN, StreamId::MAX, false);
    assert_eq!(rows(all()), model);
    let backwards = rows(stream.range(StreamId::MIN, StreamId::MAX, true));
    assert!(backwards.iter().eq(model.iter().rev()));
    let (one, other) = (id(prng.below(900), prng.below(3)), id(prng.below(900), prng.below(3)));
    let inside = model.iter().filter(|row| row.0 >= one && row.0 <= other);
    assert!(rows(stream.range(one, other, false)).iter().eq(inside.clone()));
    assert!(rows(stream.range(one, other, true)).iter().eq(inside.rev()));
    let counters = stream.counters();
    assert_eq!(counters.first_id, model.first().map_or(StreamId::MIN, |row| row.0));
    for node in stream.nodes().iter() {
        let mut walk = node.walk();
        let (mut live, mut deleted) = (0, 0);
        while let Some(place) = walk.next_any() {
            if place.deleted { deleted += 1 } else { live += 1 }
        }
        assert_eq!((live, deleted), (node.live(), node.deleted()));
    }
}

#[test]
fn behaves_like_a_list_of_entries() {
    let mut prng = Prng::new(seed(21));
    for limits in [
        LIMITS,
        StreamLimits { max_bytes: 200, max_entries: 7 },
        StreamLimits { max_bytes: 0, max_entries: 0 },
    ] {
        let (mut stream, mut model) = (Stream::default(), Vec::<Row>::new());
        let mut last = StreamId::MIN;
        for step in 0..3000 {
            match prng.below(20) {
                0..14 => {
                    last = if prng.below(3) == 0 { last.next().unwrap() } else { id(last.ms + 1, 0) };
                    let words = random_words(&mut prng);
                    add(&mut stream, last, &words, &limits);
                    model.push((last, words));
                }
                14..19 => {
                    let doomed: Vec<_> =
                        (0..prng.below(4)).map(|_| id(prng.below(last.ms + 2), prng.below(2))).collect();
                    let mut gone = 0;
                    for target in &doomed {
                        let before = model.len();
                        model.retain(|row| row.0 != *target);
                        gone += before - model.len();
                    }
                    assert_eq!(stream.delete(&doomed), gone);
                }
                _ => {
                    let most = prng.below(model.len() as u64 * 2 + 1);
                    let from = id(prng.below(last.ms + 1), 0);
                    let by_length = prng.below(2) == 0;
                    let keep = if by_length { Keep::Length(most) } else { Keep::From(from) };
                    let removed = stream.trim(keep, false, 0) as usize;
                    let due = match by_length {
                        true => model.len().saturating_sub(most as usize),
                        false => model.iter().take_while(|row| row.0 < from).count(),
                    };
                    assert_eq!(removed, due);
                    model.drain(..due);
                }
            }
            if step % 40 == 0 {
                check(&stream, &model, &mut prng);
            }
        }
        check(&stream.clone(), &model, &mut prng);
        while !stream.free_step() {}
        assert_eq!(stream.heap_bytes(), 0);
    }
}

#[test]
fn approximate_trimming_removes_whole_nodes_within_the_limit() {
    let mut stream = Stream::default();
    (1..=350).for_each(|ms| add(&mut stream, id(ms, 0), &[b"f".to_vec(), b"v".to_vec()], &LIMITS));
    assert_eq!(stream.nodes().leaves(), 4);
    assert_eq!(stream.trim(Keep::Length(300), true, 0), 0);
    assert_eq!(stream.trim(Keep::Length(100), true, 150), 100);
    assert_eq!(stream.trim(Keep::From(id(250, 0)), true, 0), 100);
    assert_eq!(stream.trim(Keep::From(id(250, 0)), false, 0), 49);
    assert_eq!((stream.len(), stream.counters().first_id), (101, id(250, 0)));
}

#[test]
fn a_write_beside_a_pin_copies_one_node_and_its_path() {
    let mut stream = Stream::default();
    (1..=20_000).for_each(|ms| add(&mut stream, id(ms, 0), &[b"field".to_vec(), b"value".to_vec()], &LIMITS));
    let pin = stream.pin();
    let before = crate::base::memory::taken_by_thread();
    stream.delete(&[id(10_000, 0)]);
    let copied = crate::base::memory::taken_by_thread() - before;
    assert!(copied < 10_000, "{copied} bytes");
    assert_eq!((stream.len(), pin.len()), (19_999, 20_000));
    assert!(pin.get(id(10_000, 0)).is_some());
    println!("one XDEL beside a pin copied {copied} bytes of {}", stream.heap_bytes());
}

#[test]
fn groups_keep_both_sides_of_the_pending_list() {
    let mut prng = Prng::new(seed(5));
    let mut stream = Stream::default();
    assert!(stream.add_group(Group::new(b"g", StreamId::MIN, Some(0))));
    assert!(!stream.add_group(Group::new(b"g", StreamId::MIN, None)));
    let index = stream.find_group(b"g").unwrap();
    for _ in 0..20_000 {
        let name = format!("c{}", prng.below(5)).into_bytes();
        let target = id(prng.below(600), 0);
        stream.with_group(index, |group, _| match prng.below(20) {
            0 => {
                group.remove_consumer(&name);
            }
            1..12 => {
                let consumer = group.find(&name).or_else(|| group.add_consumer(&name, 1)).unwrap();
                group.assign(Pending { id: target, delivery_ms: 1, delivery_count: 1, consumer });
            }
            _ => {
                group.acknowledge(target);
            }
        });
    }
    let group = &stream.groups()[0];
    assert!(group.is_sound() && !group.pending().is_empty());
    let copy = stream.clone();
    assert!(copy.groups()[0].is_sound());
    let bytes: usize = stream.groups().iter().map(|group| group.heap_bytes()).sum();
    assert_eq!(bytes, stream.groups.as_ref().unwrap().bytes);
    stream.remove_group(b"g").unwrap();
    assert_eq!(stream.heap_bytes(), 0);
}
