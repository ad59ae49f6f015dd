//! DEBUG DIGEST against values a redis-server 7.0.15 gave for the same data.
use crate::keyspace::{
    Access, Expire, Key, Keyspace, NewValue, StrIn, combine_digests, database_digest, value_digest,
};
use crate::types::hash::{Hash, HashLimits};

fn hex(digest: [u8; 20]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn all(cores: &[&Keyspace]) -> String {
    let shares: Vec<_> = cores
        .iter()
        .flat_map(|space| (0..16).map(|db| (db, space.len(db), database_digest(space, db))))
        .collect();
    hex(combine_digests(&shares))
}

#[test]
fn digests_are_redis_own() {
    // Two cores, to see that shares join.
    let mut cores = [Keyspace::new(16, 1), Keyspace::new(16, 2)];
    let access = Access::at(1_700_000_000_000);
    assert_eq!(all(&[&cores[0], &cores[1]]), "0".repeat(40));
    let strings: [(&[u8], StrIn<'_>, &str); 4] = [
        (b"a", StrIn::Bytes(b"1"), "b4fc66738120fba0b5aa500ab5c2bf89cea1c5da"),
        (b"b", StrIn::Raw(b"hello world"), "19bfad8f2007c7c5d8559839d8798339f62ccc52"),
        (b"c", StrIn::Bytes(b"x"), "0745672cb1bf060476eedeb8a28f5ffe1ff5a2be"),
        (b"d", StrIn::Raw(b"\0\0\0\0\0zz"), "419b3498d0f606b2210ea9ee24432695b63e497c"),
    ];
    for (index, (name, value, digest)) in strings.into_iter().enumerate() {
        let expire = if name == b"c" { Expire::At(access.now_ms + 100_000) } else { Expire::Clear };
        let key = Key::new(name);
        cores[index % 2].db(0, access).set_string(&key, value, expire);
        let entry = cores[index % 2].db(0, access).peek(&key).unwrap();
        assert_eq!(hex(value_digest(entry)), digest);
    }
    let hash_of = |pairs: &[(&[u8], &[u8])]| {
        let mut hash = Hash::new();
        pairs.iter().for_each(|(field, value)| assert!(hash.set(field, value, &HashLimits::default())));
        NewValue::from(hash)
    };
    let hash = hash_of(&[(b"f1", b"v1"), (b"f2", b"22"), (b"f3", b"")]);
    cores[0].db(0, access).set_value(&Key::new(b"h"), hash, Expire::Clear);
    let entry = cores[0].db(0, access).peek(&Key::new(b"h")).unwrap();
    assert_eq!(hex(value_digest(entry)), "045dc443ae5bca14afc857821472cba364c10e9d");
    assert_eq!(all(&[&cores[0], &cores[1]]), "56325fafcadf2258e2db1417893a17a0643f23e8");
    cores[1].db(3, access).set_value(&Key::new(b"h2"), hash_of(&[(b"a", b"1")]), Expire::Clear);
    cores[0].db(3, access).set_string(&Key::new(b"z"), StrIn::Bytes(b"-5"), Expire::Clear);
    assert_eq!(all(&[&cores[0], &cores[1]]), "1ad126a74c60639f5696ce027ddde1e22d8a7e1a");
}
