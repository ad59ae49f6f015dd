//! Pins of large collections: what they show, what a write beside them copies (printed in bytes and time), and that nothing is lost or leaked.
use super::collection::Collection;
use super::hash::{Hash, HashLimits};
use super::list::{End, List, ListLimits, NewItem};
use super::set::{Set, SetLimits};
use super::stream::{Stream, StreamId, StreamLimits};
use super::zset::{AddRule, ZSet, ZSetLimits};
use crate::base::memory::taken_by_thread;
use crate::base::prng::Prng;
use std::collections::BTreeSet;
use std::time::Instant;

fn numbers(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(|member| member.to_bytes().into_owned()).collect()
}

#[test]
fn pins_keep_what_they_saw_while_the_set_goes_on() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(9);
    println!("SEED={seed}");
    let mut prng = Prng::new(seed);
    for round in 0..40 {
        let limits = SetLimits { max_ints: 4, max_pack: 4, max_value: 64 };
        let (mut set, mut model) = (Set::new(), BTreeSet::new());
        let mut pins: Vec<(Set, BTreeSet<Vec<u8>>)> = Vec::new();
        let range = [300, 3000, 40_000][round % 3];
        for step in 0..range * 2 {
            let text = format!("m{}", prng.below(range)).into_bytes();
            let growing = step < range || round % 2 == 0;
            if prng.below(10) < if growing { 7 } else { 1 } {
                assert_eq!(set.add(&text, &limits), model.insert(text.clone()));
            } else {
                assert_eq!(set.remove(&text), model.remove(&text));
            }
            if prng.below(range / 4) == 0 {
                pins.push((set.pin(), model.clone()));
            }
            if prng.below(range / 4) == 0 && !pins.is_empty() {
                let (mut pin, seen) = pins.swap_remove(prng.below(pins.len() as u64) as usize);
                assert_eq!(numbers(&pin), seen);
                assert!(pin.bytes_are_right());
                // A pin may be changed too: it parts in the other direction.
                for text in seen.iter().take(20) {
                    assert!(pin.remove(text));
                }
                if prng.below(2) == 0 {
                    while !pin.free_step() {}
                }
            }
        }
        assert!(set.bytes_are_right());
        drop(pins.pop());
        assert_eq!(numbers(&set), model);
        if round % 2 == 0 {
            drop(set);
        } else {
            while !set.free_step() {}
        }
        for (pin, seen) in pins {
            assert_eq!(numbers(&pin), seen);
        }
    }
}

const MILLION: usize = 1_000_000;

/// What `write` took from the allocator, in bytes (what it gave back is taken off), and how long it took in microseconds.
fn measure<T>(value: &mut T, write: impl FnOnce(&mut T)) -> (usize, f64) {
    let before = taken_by_thread();
    let start = Instant::now();
    write(value);
    let micros = start.elapsed().as_secs_f64() * 1e6;
    (taken_by_thread().wrapping_sub(before), micros)
}

/// Makes two writes beside a pin and the second's like once more without one, and prints what each copied.
/// The first may copy a node of every level, the second the lowest only, the last nothing.
fn copies_one_node<T, P>(
    name: &str,
    value: &mut T,
    pin: impl FnOnce(&T) -> P,
    writes: [&dyn Fn(&mut T); 3],
    check: impl FnOnce(&P, &T),
) {
    let before = taken_by_thread();
    let start = Instant::now();
    let held = pin(value);
    let (pinning, pin_bytes) = (start.elapsed().as_secs_f64() * 1e6, taken_by_thread() - before);
    let (first, first_us) = measure(value, |value| writes[0](value));
    let (second, second_us) = measure(value, |value| writes[1](value));
    check(&held, value);
    drop(held);
    let (alone, alone_us) = measure(value, |value| writes[2](value));
    println!(
        "{name:<7} of a million: pin {pin_bytes} B in {pinning:.1} us; beside it the first write copied {first} B in {first_us:.1} us, \
         another {second} B in {second_us:.1} us; without it {} B in {alone_us:.1} us",
        alone as isize
    );
    assert!(pin_bytes < 1000, "{name}: a pin took {pin_bytes} B");
    // A root of up to 1024 links, a node below it, one leaf and its items; then only what is not yet the value's own.
    assert!((500..24_000).contains(&first), "{name}: {first}");
    assert!(second < 16_000, "{name}: {second}");
    assert!((alone as isize) < 2000, "{name}: {}", alone as isize);
}

#[test]
fn a_write_beside_a_pin_copies_one_segment_of_a_million_members() {
    let (mut set, limits) = (Set::new(), SetLimits::default());
    for number in 0..MILLION {
        set.add(format!("element:{number}").as_bytes(), &limits);
    }
    copies_one_node(
        "set",
        &mut set,
        Set::pin,
        [
            &|set| assert!(set.remove(b"element:77")),
            &|set| assert!(set.add(b"a new one", &SetLimits::default())),
            &|set| assert!(set.remove(b"a new one")),
        ],
        |pin, set| {
            assert_eq!((pin.len(), set.len(), pin.iter().count()), (MILLION, MILLION, MILLION));
            assert!(pin.contains(b"element:77") && !pin.contains(b"a new one"));
            assert!(!set.contains(b"element:77") && set.contains(b"a new one"));
            assert!(pin.bytes_are_right());
        },
    );
}

#[test]
fn a_write_beside_a_pin_copies_one_segment_of_a_million_fields() {
    let (mut hash, limits) = (Hash::new(), HashLimits::default());
    for number in 0..MILLION {
        hash.set(format!("element:{number}").as_bytes(), b"value", &limits);
    }
    copies_one_node(
        "hash",
        &mut hash,
        Hash::pin,
        [
            &|hash| assert!(hash.remove(b"element:77")),
            &|hash| assert!(hash.set(b"a new one", b"1", &HashLimits::default())),
            &|hash| assert!(hash.remove(b"a new one")),
        ],
        |pin, hash| {
            assert_eq!((pin.len(), hash.len(), pin.iter().count()), (MILLION, MILLION, MILLION));
            assert!(pin.contains(b"element:77") && !pin.contains(b"a new one"));
            assert!(!hash.contains(b"element:77") && hash.contains(b"a new one"));
            assert!(pin.bytes_are_right());
        },
    );
}

#[test]
fn a_write_beside_a_pin_copies_one_chunk_of_a_million_elements() {
    let mut list = List::default();
    for number in 0..MILLION {
        list.push(End::Right, NewItem::Text(format!("element:{number}").as_bytes()), &ListLimits::of(-2));
    }
    let text = |list: &List, at| list.get(at).map(|item| item.element().to_bytes().into_owned());
    copies_one_node(
        "list",
        &mut list,
        List::pin,
        [
            &|list| assert!(list.set(500_000, NewItem::Text(b"changed"), &ListLimits::of(-2))),
            &|list| list.push(End::Left, NewItem::Text(b"a new one"), &ListLimits::of(-2)),
            &|list| assert!(list.set(500_001, NewItem::Text(b"again"), &ListLimits::of(-2))),
        ],
        |pin, list| {
            assert_eq!((pin.len(), list.len(), pin.walk(0).count()), (MILLION, MILLION + 1, MILLION));
            assert_eq!(text(pin, 500_000).unwrap(), b"element:500000");
            assert_eq!(text(list, 500_001).unwrap(), b"changed");
            assert_eq!(
                (text(pin, 0).unwrap(), text(list, 0).unwrap()),
                (b"element:0".to_vec(), b"a new one".to_vec())
            );
        },
    );
}

#[test]
fn a_write_beside_a_pin_copies_the_runs_of_one_score() {
    fn add(set: &mut ZSet, member: &[u8], score: f64) {
        set.add(member, score, AddRule::default(), &ZSetLimits::default());
    }
    let mut set = ZSet::default();
    for number in 0..MILLION {
        // Scattered scores, so that runs are as full as random insertion leaves them.
        add(&mut set, format!("element:{number}").as_bytes(), ((number * 7919) % MILLION) as f64);
    }
    copies_one_node(
        "zset",
        &mut set,
        ZSet::pin,
        [&|set| add(set, b"element:77", 12.5), &|set| add(set, b"a new one", 500_000.5), &|set| {
            add(set, b"element:77", 12.25)
        }],
        |pin, set| {
            assert_eq!((set.len(), pin.walk(0, MILLION, false).count()), (MILLION + 1, MILLION));
            assert_eq!((set.score(b"element:77"), set.score(b"a new one")), (Some(12.5), Some(500_000.5)));
        },
    );
}

#[test]
fn a_write_beside_a_pin_copies_one_node_of_a_million_entries() {
    const LIMITS: StreamLimits = StreamLimits { max_bytes: 4096, max_entries: 100 };
    fn add(stream: &mut Stream, ms: u64) {
        let (name, value) = (b"field", format!("value:{ms}"));
        stream.append(StreamId { ms, seq: 0 }, 1, |index| [&name[..], value.as_bytes()][index], &LIMITS);
    }
    let mut stream = Stream::default();
    (1..=MILLION as u64).for_each(|ms| add(&mut stream, ms));
    let middle = StreamId { ms: 500_000, seq: 0 };
    copies_one_node(
        "stream",
        &mut stream,
        Stream::pin,
        [
            &|stream| assert_eq!(stream.delete(&[StreamId { ms: 500_000, seq: 0 }]), 1),
            &|stream| add(stream, MILLION as u64 + 1),
            &|stream| assert_eq!(stream.delete(&[StreamId { ms: 500_001, seq: 0 }]), 1),
        ],
        |pin, stream| {
            assert_eq!((pin.len(), stream.len()), (MILLION, MILLION));
            assert!(pin.get(middle).is_some() && stream.get(middle).is_none());
            assert_eq!(pin.range(StreamId::MIN, StreamId::MAX, false).count(), MILLION);
        },
    );
}
