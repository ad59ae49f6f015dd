//! Pins of large sets and hashes: what they show, what a write beside them copies, and that nothing is lost or leaked.
use super::collection::Collection;
use super::hash::{Hash, HashLimits};
use super::set::{Set, SetLimits};
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

/// A write into 1 M elements beside a pin: what it copied, and how long it took (printed).
fn report(name: &str, copied: usize, seconds: f64, second_copied: usize, second_seconds: f64) {
    println!(
        "{name}: the first write copied {copied} B in {:.1} us, another {second_copied} B in {:.1} us",
        seconds * 1e6,
        second_seconds * 1e6
    );
    // Root (1024 links), a node below it, one segment and its items; then only the latter two.
    assert!((1000..24_000).contains(&copied), "{copied}");
    assert!((1000..14_000).contains(&second_copied), "{second_copied}");
}

#[test]
fn a_write_beside_a_pin_copies_one_segment_of_a_million() {
    let (mut set, limits) = (Set::new(), SetLimits::default());
    let mut hash = Hash::new();
    for number in 0..1_000_000 {
        let text = format!("element:{number}");
        set.add(text.as_bytes(), &limits);
        hash.set(text.as_bytes(), b"value", &HashLimits::default());
    }
    let start = Instant::now();
    let (set_pin, hash_pin) = (set.pin(), hash.pin());
    println!("two pins in {:?}", start.elapsed());
    assert_eq!((set.own_table_bytes(), hash.own_table_bytes()), (0, 0));
    let timed = |write: &mut dyn FnMut()| {
        let start = Instant::now();
        write();
        start.elapsed().as_secs_f64()
    };
    let first = timed(&mut || assert!(set.remove(b"element:77")));
    let copied = set.own_table_bytes();
    let second = timed(&mut || assert!(set.add(b"a new one", &limits)));
    report("set", copied, first, set.own_table_bytes() - copied, second);
    let first = timed(&mut || assert!(hash.remove(b"element:77")));
    let copied = hash.own_table_bytes();
    let second = timed(&mut || assert!(hash.set(b"a new one", b"1", &HashLimits::default())));
    report("hash", copied, first, hash.own_table_bytes() - copied, second);
    assert_eq!(
        (set_pin.len(), set.len(), hash_pin.len(), hash.len()),
        (1_000_000, 1_000_000, 1_000_000, 1_000_000)
    );
    assert!(
        set_pin.contains(b"element:77") && !set_pin.contains(b"a new one") && !set.contains(b"element:77")
    );
    assert!(
        hash_pin.contains(b"element:77") && !hash_pin.contains(b"a new one") && hash.contains(b"a new one")
    );
    drop((set, hash));
    assert_eq!((set_pin.iter().count(), hash_pin.iter().count()), (1_000_000, 1_000_000));
    assert!(set_pin.bytes_are_right() && hash_pin.bytes_are_right());
}
