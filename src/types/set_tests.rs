//! The set value against a standard set, through all its forms, and its random draws.
use super::collection::Collection;
use super::element::Element;
use super::set::{Set, SetLimits};
use crate::base::prng::Prng;
use std::collections::{BTreeMap, BTreeSet};

fn texts(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(|member| member.to_bytes().into_owned()).collect()
}

fn member(prng: &mut Prng, range: u64, text_percent: u64) -> Vec<u8> {
    let number = prng.below(range) as i64 - range as i64 / 3;
    match prng.below(100) {
        chance if chance >= text_percent => number.to_string().into_bytes(),
        0 => vec![b'l'; 60 + prng.below(10) as usize],
        1 => vec![b'x'; 250 + prng.below(10) as usize],
        _ => format!("m{number}").into_bytes(),
    }
}

#[test]
fn behaves_like_a_standard_set() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(3);
    println!("SEED={seed}");
    let mut prng = Prng::new(seed);
    for round in 0..60 {
        let limits = SetLimits { max_ints: 40, max_pack: 20, max_value: 64 };
        let (mut set, mut model) = (Set::new(), BTreeSet::new());
        let (range, text_percent) = ([30, 300, 5000][round % 3], [0, 5, 60][round / 3 % 3]);
        for step in 0..800 {
            let text = member(&mut prng, range, text_percent);
            let growing = !(400..=700).contains(&step);
            let changed = if prng.below(10) < if growing { 7 } else { 2 } {
                let added = model.insert(text.clone());
                assert_eq!(set.add(&text, &limits), added);
                added
            } else {
                let removed = model.remove(&text);
                assert_eq!(set.remove(&text), removed);
                removed
            };
            assert_eq!(set.take_changed(), changed);
            assert_eq!(set.len(), model.len());
            assert_eq!(set.contains(&text), model.contains(&text));
        }
        assert_eq!(texts(&set), model);
        assert_eq!(texts(&set.clone()), model);
        assert!(set.bytes_are_right());
        let mut scanned = BTreeSet::new();
        let mut cursor = 0;
        loop {
            cursor = set.scan(cursor, 7, |member| {
                scanned.insert(member.to_bytes().into_owned());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(scanned, model);
        while let Some(text) = set.random(&mut prng).map(|member| member.to_bytes().into_owned()) {
            assert!(set.remove(&text) && model.remove(&text));
        }
        assert!(model.is_empty() && set.is_empty());
    }
}

#[test]
fn draws_are_fair_in_every_form() {
    let mut prng = Prng::new(77);
    let limits = SetLimits { max_ints: 40, max_pack: 20, max_value: 64 };
    for (prefix, count) in [("", 30), ("m", 15), ("m", 600)] {
        let mut set = Set::new();
        for number in 0..count {
            set.add(format!("{prefix}{number}").as_bytes(), &limits);
        }
        let mut met: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let mut count_in = |member: Element<'_>| *met.entry(member.to_bytes().into_owned()).or_default() += 1;
        let draws = 300 * count;
        for _ in 0..draws {
            set.random(&mut prng).into_iter().for_each(&mut count_in);
        }
        for part in [count / 5, count * 2 / 3] {
            for _ in 0..300 {
                let drawn = set.random_distinct(part, &mut prng);
                assert_eq!(drawn.len(), part);
                assert_eq!(drawn.iter().map(|member| member.to_bytes()).collect::<BTreeSet<_>>().len(), part);
                drawn.into_iter().for_each(&mut count_in);
            }
        }
        let expected = f64::from(300 + 300 / 5 + 300 * 2 / 3);
        for (member, times) in &met {
            let off = (f64::from(*times) - expected).abs() / expected.sqrt();
            assert!(off < 5.0, "{} came {times} times, not {expected}", String::from_utf8_lossy(member));
        }
        assert_eq!(met.len(), count);
        assert_eq!(set.random_distinct(count + 5, &mut prng).len(), count);
    }
}

#[test]
fn a_large_set_is_freed_in_steps() {
    let mut set = Set::new();
    for number in 0..5000 {
        set.add(format!("member:{number}").as_bytes(), &SetLimits::default());
    }
    assert!(set.is_heavy());
    let mut steps = 0;
    while !set.free_step() {
        steps += 1;
    }
    assert!(steps > 20, "{steps}");
}
