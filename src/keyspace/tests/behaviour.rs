//! Single rules: encodings, expiry rules, WATCH, eviction, lazy freeing.
use super::prng;
use crate::keyspace::{
    Access, Departed, DepartedWhy, Expire, ExpiryRule, Freshness, Key, Keyspace, NewValue, Policy, StrIn,
};
use crate::types::hash::{Hash, HashLimits};

const NOW: u64 = 1_700_000_000_000;

fn at(now_ms: u64) -> Access {
    Access::at(now_ms)
}

fn set(space: &mut Keyspace, name: &str, expire: Expire) {
    space.db(0, at(NOW)).set_string(&Key::new(name.as_bytes()), StrIn::Bytes(b"value"), expire);
}

#[test]
fn encodings_are_redis_words() {
    let mut space = Keyspace::new(1, 1);
    let key = Key::new(b"k");
    let mut encoding_of = |value: StrIn<'_>| {
        space.db(0, at(NOW)).set_string(&key, value, Expire::Clear);
        space.db(0, at(NOW)).read(&key).unwrap().encoding()
    };
    assert_eq!(encoding_of(StrIn::Bytes(b"123")), "int");
    assert_eq!(encoding_of(StrIn::Bytes(b"0123")), "embstr");
    assert_eq!(encoding_of(StrIn::Plain(b"123")), "embstr");
    assert_eq!(encoding_of(StrIn::Raw(b"123")), "raw");
    assert_eq!(encoding_of(StrIn::Bytes(&[b'x'; 44])), "embstr");
    assert_eq!(encoding_of(StrIn::Bytes(&[b'x'; 45])), "raw");
    assert_eq!(encoding_of(StrIn::Shared(vec![b'x'; 20_000].into())), "raw");
    space.db(0, at(NOW)).set_string(&key, StrIn::Bytes(b"12"), Expire::Clear);
    assert!(space.db(0, at(NOW)).write(&key).unwrap().append(b"3"));
    let entry = space.db(0, at(NOW)).read(&key).unwrap();
    assert_eq!((entry.encoding(), entry.text().unwrap().as_ref()), ("raw", &b"123"[..]));
}

#[test]
fn overdue_keys_are_deleted_hidden_or_ignored_by_role() {
    let mut space = Keyspace::new(1, 1);
    space.common.observed = true;
    let key = Key::new(b"k");
    set(&mut space, "k", Expire::At(NOW + 10));
    assert!(space.db(0, at(NOW + 10)).exists(&key));
    let replica = Access { expiry: ExpiryRule::Hide, ..at(NOW + 11) };
    assert!(!space.db(0, replica).exists(&key) && space.len(0) == 1);
    let link = Access { expiry: ExpiryRule::Ignore, ..replica };
    assert!(space.db(0, link).exists(&key));
    assert!(space.db(0, at(NOW + 11)).peek(&key).is_none() && space.len(0) == 1);
    assert!(!space.db(0, at(NOW + 11)).exists(&key) && space.len(0) == 0);
    let gone = Departed { db: 0, key: b"k"[..].into(), why: DepartedWhy::Expired, fields: Vec::new() };
    assert_eq!(space.common.departed, [gone]);
    let stats = space.common.stats;
    assert_eq!((stats.hits, stats.misses, stats.expired), (2, 2, 1));
}

#[test]
fn active_expiry_finds_everything_in_bounded_steps() {
    let mut prng = prng();
    let mut space = Keyspace::new(3, 1);
    for index in 0..30_000u64 {
        let name = if index % 3 == 0 { format!("{{hot}}{index}") } else { format!("k{index}") };
        let expire = if index % 2 == 0 { Expire::At(NOW + prng.below(10_000)) } else { Expire::Clear };
        space.db(2, at(NOW)).set_string(&Key::new(name.as_bytes()), StrIn::Bytes(b"v"), expire);
    }
    for now_ms in (NOW..NOW + 12_000).step_by(500) {
        let mut steps = 0;
        while !space.expire_step(now_ms, 16).is_done {
            steps += 1;
            assert!(steps < 5000, "the sweep does not end");
        }
        let overdue = space.dict(2).iter().filter(|entry| entry.is_expired(now_ms)).count();
        assert_eq!(overdue, 0);
    }
    assert_eq!((space.len(2), space.totals(2).expires, space.common.stats.expired), (15_000, 0, 15_000));
    assert_eq!(space.dict(2).recount(), space.totals(2));
}

#[test]
fn watchers_notice_changes_and_only_changes() {
    let mut space = Keyspace::new(2, 1);
    let (key, other) = (Key::new(b"k"), Key::new(b"other"));
    let limits = HashLimits::default();
    set(&mut space, "k", Expire::Clear);
    let version = space.db(0, at(NOW)).watch(&key);
    set(&mut space, "other", Expire::Clear);
    space.db(0, at(NOW)).read(&key);
    space.db(1, at(NOW)).set_string(&key, StrIn::Int(1), Expire::Clear);
    assert!(!space.db(0, at(NOW)).is_dirty(&key, version));
    set(&mut space, "k", Expire::Clear);
    assert!(space.db(0, at(NOW)).is_dirty(&key, version));
    space.db(0, at(NOW)).unwatch(&key);
    assert!(space.common.watch.is_empty());

    let hash = NewValue::from(Hash::new());
    space.db(0, at(NOW)).create(&key, hash).get_mut::<Hash>().unwrap().set(b"f", b"v", &limits);
    let version = space.db(0, at(NOW)).watch(&key);
    assert!(!space.db(0, at(NOW)).write(&key).unwrap().get_mut::<Hash>().unwrap().remove(b"none"));
    assert!(!space.db(0, at(NOW)).is_dirty(&key, version));
    space.db(0, at(NOW)).write(&key).unwrap().get_mut::<Hash>().unwrap().set(b"f", b"w", &limits);
    assert!(space.db(0, at(NOW)).is_dirty(&key, version));
    space.db(0, at(NOW)).unwatch(&key);

    let version = space.db(0, at(NOW)).watch(&other);
    space.flush_db(1);
    assert!(!space.db(0, at(NOW)).is_dirty(&other, version));
    space.flush_db(0);
    assert!(space.db(0, at(NOW)).is_dirty(&other, version));
    let version = space.db(0, at(NOW)).watch(&other);
    space.flush_db(0);
    space.swap_db(0, 1, NOW);
    assert!(!space.db(0, at(NOW)).is_dirty(&other, version));
    space.db(1, at(NOW)).set_string(&other, StrIn::Int(1), Expire::Clear);
    space.swap_db(0, 1, NOW);
    assert!(space.db(0, at(NOW)).is_dirty(&other, version));
}

#[test]
fn a_key_that_expires_under_watch_is_dirty_one_expired_before_is_not() {
    let mut space = Keyspace::new(1, 1);
    let key = Key::new(b"k");
    set(&mut space, "k", Expire::At(NOW + 10));
    let alive = space.db(0, at(NOW)).watch(&key);
    let overdue = space.db(0, at(NOW + 20)).watch(&key);
    assert!(!space.db(0, at(NOW + 10)).is_dirty(&key, alive));
    assert!(space.db(0, at(NOW + 20)).is_dirty(&key, alive));
    assert!(!space.db(0, at(NOW + 20)).is_dirty(&key, overdue));
    assert!(!space.db(0, at(NOW + 20)).exists(&key));
    assert!(space.db(0, at(NOW + 20)).is_dirty(&key, alive));
    assert!(!space.db(0, at(NOW + 20)).is_dirty(&key, overdue));
    set(&mut space, "k", Expire::Clear);
    assert!(space.db(0, at(NOW + 20)).is_dirty(&key, overdue));
}

#[test]
fn eviction_prefers_what_the_policy_says() {
    for policy in [Policy::AllKeysLru, Policy::AllKeysLfu, Policy::VolatileTtl, Policy::VolatileLru] {
        let mut space = Keyspace::new(2, 5);
        space.common.freshness = Freshness { lfu: policy == Policy::AllKeysLfu, ..Freshness::default() };
        let names: Vec<String> = (0..4000).map(|index| format!("k{index}")).collect();
        for (index, name) in names.iter().enumerate() {
            let key = Key::new(name.as_bytes());
            let expire = Expire::At(NOW + 10_000_000 + index as u64 * 1000);
            let made = if policy == Policy::AllKeysLfu { NOW } else { NOW + index as u64 * 1000 };
            space.db(index % 2, at(made)).set_string(&key, StrIn::Bytes(b"v"), expire);
            if policy == Policy::AllKeysLfu {
                (0..index / 40).for_each(|_| assert!(space.db(index % 2, at(NOW)).exists(&key)));
            }
        }
        let end = if policy == Policy::AllKeysLfu { NOW } else { NOW + 4_000_000 };
        let freed: Option<usize> = (0..2000).map(|_| space.evict_one(policy, 5, end)).sum();
        assert!(freed.unwrap() >= 2000 * 16);
        assert_eq!(space.len(0) + space.len(1), 2000);
        let kept = |index: usize| space.dict(index % 2).find(&Key::new(names[index].as_bytes())).is_some();
        let young = (2000..4000).filter(|&index| kept(index)).count();
        println!("{policy:?}: {young}");
        // LFU's counters are dice for the first hits.
        assert!(young > 1300, "{policy:?} kept {young} of 2000 that should stay");
        assert_eq!(space.common.stats.evicted, 2000);
    }
}

#[test]
fn volatile_policies_spare_other_keys_and_end() {
    for policy in [Policy::VolatileLru, Policy::VolatileRandom, Policy::VolatileTtl, Policy::VolatileLfu] {
        let mut space = Keyspace::new(1, 5);
        for index in 0..3000 {
            let expire = if index % 100 == 0 { Expire::At(NOW + 1000) } else { Expire::Clear };
            set(&mut space, &format!("k{index}"), expire);
        }
        // Stale hints: were volatile once.
        for index in (0..3000).step_by(50) {
            let name = format!("k{index}");
            if index % 100 != 0 {
                space.db(0, at(NOW)).set_expire(&Key::new(name.as_bytes()), Some(NOW + 5));
                space.db(0, at(NOW)).set_expire(&Key::new(name.as_bytes()), None);
            }
        }
        let mut evicted = 0;
        while space.evict_one(policy, 5, NOW).is_some() {
            evicted += 1;
        }
        assert_eq!((evicted, space.len(0)), (30, 2970));
    }
}

#[test]
fn a_large_hash_is_freed_in_small_steps() {
    let mut space = Keyspace::new(1, 1);
    let key = Key::new(b"big");
    let mut entry = space.db(0, at(NOW)).create(&key, NewValue::from(Hash::new()));
    let hash = entry.get_mut::<Hash>().unwrap();
    for index in 0..200_000u32 {
        hash.set(&index.to_le_bytes(), b"value", &HashLimits::default());
    }
    drop(entry);
    assert_eq!(space.dict(0).recount(), space.totals(0));
    assert!(space.db(0, at(NOW)).remove(&key));
    assert!(space.bytes() == 0 && space.common.trash.pending() == 1);
    let mut steps = 0;
    while !space.free_step(100) {
        steps += 1;
    }
    assert!(steps > 1000, "{steps}");
}
