//! SCAN's guarantee, COUNT, RANDOMKEY's fairness, one slot with a large table.
use super::prng;
use crate::keyspace::{Access, Db, Expire, Key, Keyspace, StrIn, cursor_slot};
use std::collections::{HashMap, HashSet};

fn open(space: &mut Keyspace) -> Db<'_> {
    space.db(0, Access::at(1))
}

fn set(space: &mut Keyspace, name: &str) {
    open(space).set_string(&Key::new(name.as_bytes()), StrIn::Bytes(b"v"), Expire::Clear);
}

fn del(space: &mut Keyspace, name: &str) {
    open(space).remove(&Key::new(name.as_bytes()));
}

#[test]
fn every_key_that_stays_is_returned_whatever_else_changes() {
    let mut prng = prng();
    // One run over all slots, one with everything in one slot (a table with a directory).
    for tag in ["", "{one}"] {
        let mut space = Keyspace::new(1, 1);
        let mut live: HashSet<String> = HashSet::new();
        for index in 0..20_000 {
            set(&mut space, &format!("{tag}stay{index}"));
        }
        for index in 0..60_000 {
            let name = format!("{tag}go{index}");
            set(&mut space, &name);
            live.insert(name);
        }
        let mut going: Vec<String> = live.into_iter().collect();
        let (mut cursor, mut seen, mut calls, mut added) = (0, HashMap::<Vec<u8>, u32>::new(), 0, 0);
        loop {
            cursor = open(&mut space).scan(cursor, 16384, 10, |entry| {
                *seen.entry(entry.key().to_vec()).or_default() += 1;
            });
            calls += 1;
            if cursor_slot(cursor) >= 16384 {
                break;
            }
            // First shrink hard, then grow hard.
            for _ in 0..40 {
                if calls < 1500 && !going.is_empty() {
                    let at = prng.below(going.len() as u64) as usize;
                    del(&mut space, &going.swap_remove(at));
                } else if calls < 4000 {
                    set(&mut space, &format!("{tag}new{added}"));
                    added += 1;
                }
            }
        }
        for index in 0..20_000 {
            assert!(seen.contains_key(format!("{tag}stay{index}").as_bytes()), "{tag}stay{index}");
        }
        assert!(calls > 1500, "COUNT 10 took {calls} calls");
        let twice = seen.values().filter(|&&times| times > 1).count();
        assert!(twice == 0, "{twice} of {} came twice", seen.len());
        assert_eq!(space.dict(0).recount(), space.totals(0));
    }
}

#[test]
fn count_is_about_what_was_asked_for() {
    let mut space = Keyspace::new(1, 1);
    (0..100_000).for_each(|index| set(&mut space, &format!("{{t}}{index}")));
    for count in [1, 10, 100, 1000] {
        let (mut cursor, mut most, mut calls, mut sum) = (0, 0, 0, 0);
        while cursor_slot(cursor) < 16384 {
            let mut got = 0;
            cursor = open(&mut space).scan(cursor, 16384, count, |_| got += 1);
            most = most.max(got);
            sum += got;
            calls += 1;
        }
        assert_eq!(sum, 100_000);
        assert!(most <= count + 140 && calls >= 100_000 / (count + 140), "COUNT {count}: {most}, {calls}");
        println!("COUNT {count}: {calls} calls, at most {most}");
    }
}

#[test]
fn a_sparse_database_is_scanned_quickly_and_slot_bounds_hold() {
    let mut space = Keyspace::new(1, 1);
    (0..50).for_each(|index| set(&mut space, &format!("k{index}")));
    let mut all = HashSet::new();
    for (from, to) in [(0usize, 5000usize), (5000, 5001), (5001, 16384)] {
        let mut cursor = (from as u64) << 48;
        while cursor_slot(cursor) < to {
            cursor = open(&mut space).scan(cursor, to, 10, |entry| {
                let slot = usize::from(Key::new(entry.key()).slot);
                assert!((from..to).contains(&slot));
                assert!(all.insert(entry.key().to_vec()));
            });
        }
    }
    assert_eq!(all.len(), 50);
    let one = Key::new(b"k7");
    assert_eq!(space.dict(0).iter_slot(usize::from(one.slot)).count(), space.dict(0).count_in_slot(one.slot));
}

#[test]
fn random_keys_are_fair() {
    let mut space = Keyspace::new(1, 7);
    // Half of the keys crowd into one slot.
    (0..500).for_each(|index| set(&mut space, &format!("k{index}")));
    (0..500).for_each(|index| set(&mut space, &format!("{{t}}{index}")));
    let mut counts = HashMap::<Vec<u8>, u32>::new();
    for _ in 0..50_000 {
        *counts.entry(open(&mut space).random_key().unwrap()).or_default() += 1;
    }
    assert_eq!(counts.len(), 1000);
    let chi: f64 = counts.values().map(|&n| (f64::from(n) - 50.0).powi(2) / 50.0).sum();
    assert!(chi < 999.0 + 6.0 * (2.0 * 999.0f64).sqrt(), "chi {chi}");
}
