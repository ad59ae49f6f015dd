//! Hashes with expiring fields against a map of value and time, through both forms, with drains in steps.
use super::collection::Collection;
use super::field::NEVER;
use super::hash::{Hash, HashLimits};
use crate::base::prng::Prng;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

fn contents(hash: &Hash) -> Model {
    let mut all = Model::new();
    hash.each_timed(|field, value, expire_ms| {
        all.insert(field.to_bytes().into_owned(), (value.to_bytes().into_owned(), expire_ms));
    });
    all
}

fn live(model: &Model, now_ms: u64) -> Model {
    model
        .iter()
        .filter(|(_, (_, expire_ms))| *expire_ms >= now_ms)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

#[test]
fn fields_go_when_their_time_is_over() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(8);
    println!("SEED={seed}");
    let mut prng = Prng::new(seed);
    for round in 0..40 {
        let limits = HashLimits { max_entries: [8, 64][round % 2], max_value: 30 };
        let (mut hash, mut model, mut now_ms) = (Hash::new(), Model::new(), 1000);
        let fields = [10, 60, 3000][round % 3];
        for _ in 0..1500 {
            now_ms += prng.below(3);
            hash.see(now_ms);
            let field = format!("f{}", prng.below(fields)).into_bytes();
            let known = model.get(&field).filter(|(_, expire_ms)| *expire_ms >= now_ms).cloned();
            let value = vec![b'v'; prng.below(34) as usize];
            match prng.below(10) {
                0..3 => {
                    assert_eq!(hash.set(&field, &value, &limits), known.is_none());
                    model.insert(field.clone(), (value, NEVER));
                }
                3 => {
                    assert_eq!(hash.update(&field, &value, &limits), known.is_none());
                    model.insert(field.clone(), (value, known.map_or(NEVER, |(_, expire_ms)| expire_ms)));
                }
                4 => {
                    assert_eq!(hash.remove(&field), known.is_some());
                    model.remove(&field);
                }
                5..8 => {
                    assert_eq!(hash.expire_ms(&field), known.as_ref().map(|(_, expire_ms)| *expire_ms));
                    if let Some((old, _)) = known {
                        let expire_ms = if prng.below(4) == 0 { NEVER } else { now_ms + 1 + prng.below(400) };
                        hash.make_timed(now_ms);
                        hash.set_expire(&field, expire_ms);
                        model.insert(field.clone(), (old, expire_ms));
                    }
                }
                8 => assert_eq!(
                    hash.get(&field).map(|value| value.to_bytes().into_owned()),
                    known.map(|(value, _)| value)
                ),
                _ => {
                    let mut gone = Vec::new();
                    let done =
                        hash.drain(now_ms, 1 + prng.below(4) as usize, |field| gone.push(field.to_vec()));
                    for field in gone {
                        assert!(model.remove(&field).is_some_and(|(_, expire_ms)| expire_ms < now_ms));
                    }
                    assert!(!done || model.values().all(|(_, expire_ms)| *expire_ms >= now_ms));
                }
            }
            assert!(
                hash.earliest_ms() <= model.values().map(|(_, expire_ms)| *expire_ms).min().unwrap_or(NEVER)
            );
            assert_eq!(hash.len(), live(&model, now_ms).len());
        }
        let left = live(&model, now_ms);
        assert_eq!(contents(&hash), left);
        assert_eq!(contents(&hash.clone()), left);
        assert_eq!(hash.iter().count(), left.len());
        assert_eq!(hash.random_distinct(left.len() / 4, &mut prng).len(), left.len() / 4);
        assert!(left.is_empty() || hash.random(&mut prng).is_some());
        assert!(hash.bytes_are_right());
        let pin = hash.pin();
        while !hash.drain(u64::MAX - 1, 3, |_| {}) {}
        assert_eq!(hash.earliest_ms(), NEVER);
        assert!(contents(&hash).values().all(|(_, expire_ms)| *expire_ms == NEVER));
        assert_eq!(contents(&pin), left);
        assert!(hash.take_changed() || left.is_empty());
    }
}
