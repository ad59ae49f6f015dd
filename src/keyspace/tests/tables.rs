//! `SegTable` and `Hash` against standard maps: contents, bytes, iteration, sampling, freeing in steps.
use super::prng;
use crate::types::collection::Collection as _;
use crate::types::hash::{Hash, HashLimits};
use std::collections::HashMap;

#[test]
fn a_hash_is_a_map_while_it_grows_and_shrinks() {
    let mut prng = prng();
    let limits = HashLimits::default();
    let (mut hash, mut model) = (Hash::new(), HashMap::<Vec<u8>, Vec<u8>>::new());
    for phase in 0..6 {
        let target = [600, 40_000, 100, 90_000, 0, 3000][phase];
        while model.len() != target {
            let grow = model.len() < target;
            let field = format!("f{}", prng.below(200_000)).into_bytes();
            if grow || prng.below(10) == 0 {
                let value = vec![b'v'; prng.below(40) as usize];
                assert_eq!(hash.set(&field, &value, &limits), model.insert(field, value).is_none());
            } else {
                let field = if prng.below(2) == 0 {
                    hash.random(&mut prng).unwrap().0.to_bytes().into_owned()
                } else {
                    field
                };
                assert_eq!(hash.remove(&field), model.remove(&field).is_some());
            }
            if !grow && model.len() < target + 5 && prng.below(3) == 0 && target > 0 {
                break;
            }
        }
        assert_eq!(hash.len(), model.len());
        assert!(hash.bytes_are_right());
        assert_eq!(hash.encoding(), "hashtable");
        let seen: HashMap<Vec<u8>, Vec<u8>> =
            hash.iter().map(|(f, v)| (f.to_bytes().into_owned(), v.to_bytes().into_owned())).collect();
        assert_eq!(seen, model);
        for field in model.keys().take(1000) {
            assert!(hash.get(field).unwrap().is_text(&model[field]));
        }
        assert!(hash.get(b"never there").is_none());
    }
    let mut steps = 0;
    while !hash.free_step() {
        steps += 1;
    }
    assert!(steps >= 3000 / 140);
}

#[test]
fn small_hashes_stay_packed_until_a_limit() {
    let limits = HashLimits { max_entries: 4, max_value: 8 };
    let mut hash = Hash::new();
    for index in 0..4 {
        assert!(hash.set(format!("f{index}").as_bytes(), b"1", &limits));
    }
    assert!(!hash.set(b"f0", b"12345678", &limits));
    assert_eq!((hash.encoding(), hash.len()), ("listpack", 4));
    assert!(hash.set(b"f4", b"x", &limits));
    assert_eq!((hash.encoding(), hash.len()), ("hashtable", 5));
    let mut hash = Hash::new();
    hash.set(b"f", b"123456789", &limits);
    assert_eq!(hash.encoding(), "hashtable");
    assert!(hash.remove(b"f") && hash.is_empty());
}

#[test]
fn random_fields_are_uniform_and_distinct() {
    let mut prng = prng();
    let limits = HashLimits::default();
    for size in [3usize, 400, 1000, 20_000] {
        let mut hash = Hash::new();
        for index in 0..size {
            hash.set(&(index as u32).to_le_bytes(), b"v", &limits);
        }
        let rounds = size.max(2000) * 20;
        let mut counts = HashMap::<Vec<u8>, u32>::new();
        for _ in 0..rounds {
            *counts.entry(hash.random(&mut prng).unwrap().0.to_bytes().into_owned()).or_default() += 1;
        }
        // Chi square: mean size-1, deviation sqrt(2 (size-1)); six deviations are out of reach of chance.
        let expected = rounds as f64 / size as f64;
        let missing = (size - counts.len()) as f64 * expected;
        let chi: f64 =
            counts.values().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum::<f64>() + missing;
        let freedom = (size - 1) as f64;
        assert!(chi < freedom + 6.0 * (2.0 * freedom).sqrt() + 10.0, "size {size}: chi {chi}");
        for count in [1, size / 10, size / 2, size - 1, size + 5] {
            let picked = hash.random_distinct(count, &mut prng);
            let distinct: std::collections::HashSet<_> =
                picked.iter().map(|(field, _)| field.to_bytes().into_owned()).collect();
            assert_eq!((picked.len(), distinct.len()), (count.min(size), count.min(size)));
        }
    }
}

#[test]
fn hscan_returns_everything_that_stays() {
    let mut prng = prng();
    let limits = HashLimits::default();
    for _ in 0..5 {
        let mut hash = Hash::new();
        for index in 0..5000 {
            hash.set(format!("stay{index}").as_bytes(), b"v", &limits);
        }
        let mut extra = 0;
        let mut seen = std::collections::HashSet::new();
        let mut cursor = 0;
        loop {
            cursor = hash.scan(cursor, 10, |field, _| {
                seen.insert(field.to_bytes().into_owned());
            });
            if cursor == 0 {
                break;
            }
            for _ in 0..prng.below(300) {
                if prng.below(3) > 0 {
                    hash.set(format!("extra{extra}").as_bytes(), b"v", &limits);
                    extra += 1;
                } else {
                    hash.remove(format!("extra{}", prng.below(extra + 1)).as_bytes());
                }
            }
        }
        (0..5000).for_each(|index| assert!(seen.contains(format!("stay{index}").as_bytes())));
    }
}
