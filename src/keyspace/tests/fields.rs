//! Hashes with expiring fields in the keyspace: filed, drained by the upkeep and on access, and forgotten with their key.
use crate::keyspace::{Access, DepartedWhy, Expire, ExpiryRule, Key, Keyspace, NewValue, StrIn};
use crate::types::hash::{Hash, HashLimits};

const NOW: u64 = 1_700_000_000_000;

/// A hash of `fields` fields, every second one going at `expire_ms`.
fn make(space: &mut Keyspace, db: usize, name: &str, fields: usize, expire_ms: u64) {
    let key = Key::new(name.as_bytes());
    let mut entry = space.db(db, Access::at(NOW)).create(&key, NewValue::from(Hash::new()));
    let hash = entry.get_mut::<Hash>().unwrap();
    for number in 0..fields {
        hash.set(format!("field{number}").as_bytes(), b"value", &HashLimits::default());
    }
    hash.make_timed(NOW);
    for number in (0..fields).step_by(2) {
        hash.set_expire(format!("field{number}").as_bytes(), expire_ms);
    }
}

fn len(space: &mut Keyspace, db: usize, name: &str, access: Access) -> Option<usize> {
    let entry = space.db(db, access).read(&Key::new(name.as_bytes()))?;
    entry.get::<Hash>().map(Hash::len)
}

#[test]
fn the_upkeep_drains_what_is_due_in_steps() {
    let mut space = Keyspace::new(2, 1);
    space.common.observed = true;
    make(&mut space, 0, "small", 10, NOW + 100);
    make(&mut space, 1, "large", 20_000, NOW + 200);
    make(&mut space, 1, "last", 1, NOW + 300);
    assert_eq!((space.totals(0).timed, space.totals(1).timed), (1, 2));
    assert!(space.fields_step(NOW + 100, 10) && space.common.departed.is_empty());
    assert!(space.fields_step(NOW + 101, 10));
    assert_eq!(space.common.departed[0].fields.len(), 5);
    assert_eq!((space.totals(0).timed, space.totals(1).timed), (0, 2));
    let mut steps = 0;
    while !space.fields_step(NOW + 301, 2) {
        steps += 1;
    }
    assert!(steps > 3, "{steps}");
    assert_eq!(space.common.stats.expired_fields, 5 + 10_000 + 1);
    let gone = space.common.departed.last().unwrap();
    assert_eq!(gone.why, DepartedWhy::Fields { emptied: true });
    assert_eq!((&*gone.key, space.len(1)), (&b"last"[..], 1));
    assert_eq!(len(&mut space, 1, "large", Access::at(NOW + 301)), Some(10_000));
    for db in 0..2 {
        assert_eq!(space.dict(db).recount(), space.totals(db));
    }
}

#[test]
fn who_meets_a_due_hash_drains_it_or_sees_it_without() {
    let mut space = Keyspace::new(1, 1);
    make(&mut space, 0, "h", 10_000, NOW + 10);
    let at = |rule| Access { expiry: rule, ..Access::at(NOW + 11) };
    assert_eq!(len(&mut space, 0, "h", at(ExpiryRule::Ignore)), Some(10_000));
    assert_eq!(len(&mut space, 0, "h", at(ExpiryRule::Hide)), Some(5000));
    assert_eq!(space.common.stats.expired_fields, 0);
    assert_eq!(len(&mut space, 0, "h", at(ExpiryRule::Delete)), Some(5000));
    assert!((1..5000).contains(&space.common.stats.expired_fields), "bounded");
    make(&mut space, 0, "one", 1, NOW + 10);
    assert_eq!(len(&mut space, 0, "one", at(ExpiryRule::Hide)), Some(0));
    assert_eq!(len(&mut space, 0, "one", at(ExpiryRule::Delete)), None);
    assert_eq!(space.len(0), 1);
}

#[test]
fn a_hash_that_leaves_is_forgotten_and_one_that_comes_is_filed() {
    let mut space = Keyspace::new(2, 1);
    let access = Access::at(NOW);
    let timed = |space: &Keyspace| (space.totals(0).timed, space.totals(1).timed);
    for name in ["a", "b", "c", "d"] {
        make(&mut space, 0, name, 4, NOW + 50);
    }
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| Key::new(name.as_bytes()));
    assert!(space.db(0, access).remove(&a));
    space.db(0, access).set_string(&b, StrIn::Bytes(b"text"), Expire::Clear);
    assert_eq!(timed(&space), (2, 0));
    let moved = space.db(0, access).take(&c).unwrap();
    assert_eq!(timed(&space), (1, 0));
    space.db(1, access).put(&a, moved);
    let copy = space.db(0, access).peek(&d).unwrap().duplicate(b"b");
    space.db(1, access).put(&b, copy);
    space.db(1, access).set_expire(&b, Some(NOW + 1000));
    assert_eq!(timed(&space), (1, 2));
    space.swap_db(0, 1, NOW);
    assert_eq!(timed(&space), (2, 1));
    for db in 0..2 {
        assert_eq!(space.dict(db).recount(), space.totals(db));
    }
    assert!(space.fields_step(NOW + 51, 10));
    assert_eq!((timed(&space), space.common.stats.expired_fields), ((0, 0), 6));
    make(&mut space, 0, "e", 4, NOW + 900);
    space.flush_all();
    while !space.free_step(100) {}
    assert!(space.fields_step(NOW + 1000, 10));
    assert_eq!(timed(&space), (0, 0));
}
