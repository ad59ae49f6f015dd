//! Every type byte, built byte by byte: what no fixture has, and what a drawing shows best.
//!
//! Each case is compared with the same content in redis' oldest form, by digest: a list `a 12 b`, a set `a b` or `1 300`, a hash `f v g 7`, a sorted set `n -2 m 1.5`, a stream
//! with the entry `1-1 f v`, a group `G` and its consumer `C` that was given it.
use crate::loading::{Loaded, NOW_MS, load};
use shoal::keyspace::{Access, Key};
use shoal::rdb::encode::Style;
use shoal::rdb::{dump, kind};

/// The header of a file of version `version`.
fn begin(version: u16) -> Vec<u8> {
    format!("REDIS{version:04}").into_bytes()
}

/// `len text`.
fn string(text: &[u8]) -> Vec<u8> {
    assert!(text.len() < 64);
    [&[text.len() as u8], text].concat()
}

/// A file of these keys, summed by nobody.
pub fn file(entries: &[(&[u8], u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = begin(12);
    for (key, kind, value) in entries {
        file.push(*kind);
        file.extend_from_slice(&string(key));
        file.extend_from_slice(value);
    }
    file.push(0xff);
    file.extend_from_slice(&[0; 8]);
    file
}

/// A field's time of expiry, unix ms.
const EXPIRY: u64 = 1_900_000_000_000;

/// total u32 | offset of last u32 | count u16 | (length of the one before, encoding, data) … | FF
///                        a            12        b
const ZIPLIST_LIST: &[u8] = b"\x13\0\0\0\x0f\0\0\0\x03\0\x00\x01a\x03\xfd\x02\x01b\xff";
///                        f            v            g            7
const ZIPLIST_HASH: &[u8] = b"\x16\0\0\0\x13\0\0\0\x04\0\x00\x01f\x03\x01v\x03\x01g\x03\xf8\xff";
///                        n            -2             m            1.5
const ZIPLIST_ZSET: &[u8] = b"\x19\0\0\0\x13\0\0\0\x04\0\x00\x01n\x03\xfe\xfe\x03\x01m\x03\x031.5\xff";
/// fields | len f | len unused v | len g | len unused 7 | FF
const ZIPMAP: &[u8] = b"\x02\x01f\x01\x00v\x01g\x01\x007\xff";
/// bytes each u32 | count u32 | 1 | 300
const INTSET: &[u8] = b"\x02\0\0\0\x02\0\0\0\x01\x00\x2c\x01";
/// total u32 | count u16 | (encoding data, length of both) … | FF
///                        a         12
const LISTPACK_LIST: &[u8] = b"\x0c\0\0\0\x02\0\x81a\x02\x0c\x01\xff";
const LISTPACK_SET: &[u8] = b"\x0d\0\0\0\x02\0\x81a\x02\x81b\x02\xff";
const LISTPACK_HASH: &[u8] = b"\x12\0\0\0\x04\0\x81f\x02\x81v\x02\x81g\x02\x07\x01\xff";
///                        n         -2 (13 bits)  m         1.5
const LISTPACK_ZSET: &[u8] = b"\x15\0\0\0\x04\0\x81n\x02\xdf\xfe\x02\x81m\x02\x831.5\x04\xff";
/// entries 1, deleted 0, fields 1: f, 0 | flags 2 (same fields), ms + 0, seq + 0, v, 4 entries back
const LISTPACK_STREAM: &[u8] =
    b"\x1d\0\0\0\x0a\0\x01\x01\x00\x01\x01\x01\x81f\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81v\x02\x04\x01\xff";
/// An ID, big-endian.
const ID: &[u8] = b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01";
/// A time of delivery or of activity, ms.
const TIME: &[u8] = b"\x10\x27\0\0\0\0\0\0";

fn listpack_ex() -> Vec<u8> {
    // f v time | g 7 0 (no time)
    let time = [&b"\xf4"[..], &EXPIRY.to_le_bytes(), b"\x09"].concat();
    [&b"\x1e\0\0\0\x06\0\x81f\x02\x81v\x02"[..], &time, b"\x81g\x02\x07\x01\x00\x01\xff"].concat()
}

fn stream(kind: u8) -> Vec<u8> {
    let mut value = [&b"\x01\x10"[..], ID, &string(LISTPACK_STREAM)].concat(); // one node: key, listpack
    value.extend_from_slice(b"\x01\x01\x01"); // length, last ID
    if kind != kind::STREAM_LISTPACKS {
        value.extend_from_slice(b"\x01\x01\x00\x00\x01"); // first ID, largest deleted ID, entries added
    }
    value.extend_from_slice(b"\x01\x01G\x01\x01"); // one group: name, last ID
    if kind != kind::STREAM_LISTPACKS {
        value.push(1); // entries read
    }
    value.extend_from_slice(&[&b"\x01"[..], ID, TIME, b"\x01"].concat()); // pending: ID, time, count
    value.extend_from_slice(&[&b"\x01\x01C"[..], TIME].concat()); // one consumer: name, seen
    if kind == kind::STREAM_LISTPACKS_3 {
        value.extend_from_slice(TIME); // active
    }
    value.extend_from_slice(&[&b"\x01"[..], ID].concat()); // its entries
    value
}

/// Type and value.
pub type Form = (u8, Vec<u8>);

/// (type, value, the same in the oldest form)
pub fn cases() -> Vec<(u8, Vec<u8>, Form)> {
    let list = || (kind::LIST, b"\x03\x01a\xc0\x0c\x01b".to_vec());
    let set = || (kind::SET, b"\x02\x01b\x01a".to_vec());
    let ints = || (kind::SET, b"\x02\xc1\x2c\x01\xc0\x01".to_vec());
    let hash = || (kind::HASH, b"\x02\x01g\x017\x01f\x01v".to_vec());
    let zset = || (kind::ZSET, b"\x02\x01m\x031.5\x01n\x02-2".to_vec());
    let timed = || {
        // g 7 without, f v with a time; times as numbers of 8 bytes
        let time = [&b"\x81"[..], &EXPIRY.to_be_bytes()].concat();
        (kind::HASH_METADATA_PRE_GA, [&b"\x02\x00\x01g\x017"[..], &time, b"\x01f\x01v"].concat())
    };
    let old_stream = || (kind::STREAM_LISTPACKS, stream(kind::STREAM_LISTPACKS));
    let doubles = [&b"\x02\x01m"[..], &1.5f64.to_le_bytes(), b"\x01n", &(-2f64).to_le_bytes()].concat();
    let least = EXPIRY.to_le_bytes();
    vec![
        (kind::STRING, b"\x02hi".to_vec(), (kind::STRING, b"\x40\x02hi".to_vec())),
        // LZF: 5 bytes for 10: a literal `a`, then 7 + 0 + 2 bytes from 1 back
        (kind::STRING, b"\xc3\x05\x0a\x00a\xe0\x00\x00".to_vec(), (kind::STRING, string(&[b'a'; 10]))),
        (kind::STRING, b"\xc2\x00\x00\x01\x00".to_vec(), (kind::STRING, string(b"65536"))),
        (kind::LIST, b"\x80\0\0\0\x03\x01a\x0212\x01b".to_vec(), list()),
        (kind::SET, b"\x02\x01a\x01b".to_vec(), set()),
        (kind::ZSET, b"\x02\x01n\x02-2\x01m\x041.50".to_vec(), zset()),
        (kind::HASH, b"\x02\x01f\x01v\x01g\xc0\x07".to_vec(), hash()),
        (kind::ZSET_2, doubles, zset()),
        (kind::HASH_ZIPMAP, string(ZIPMAP), hash()),
        (kind::LIST_ZIPLIST, string(ZIPLIST_LIST), list()),
        (kind::SET_INTSET, string(INTSET), ints()),
        (kind::ZSET_ZIPLIST, string(ZIPLIST_ZSET), zset()),
        (kind::HASH_ZIPLIST, string(ZIPLIST_HASH), hash()),
        (kind::LIST_QUICKLIST, [&b"\x01"[..], &string(ZIPLIST_LIST)].concat(), list()),
        (kind::STREAM_LISTPACKS, stream(kind::STREAM_LISTPACKS), old_stream()),
        (kind::HASH_LISTPACK, string(LISTPACK_HASH), hash()),
        (kind::ZSET_LISTPACK, string(LISTPACK_ZSET), zset()),
        // Two nodes: packed (2) a 12, plain (1) b
        (kind::LIST_QUICKLIST_2, [&b"\x02\x02"[..], &string(LISTPACK_LIST), b"\x01\x01b"].concat(), list()),
        (kind::STREAM_LISTPACKS_2, stream(kind::STREAM_LISTPACKS_2), old_stream()),
        (kind::SET_LISTPACK, string(LISTPACK_SET), set()),
        (kind::STREAM_LISTPACKS_3, stream(kind::STREAM_LISTPACKS_3), old_stream()),
        (kind::HASH_METADATA_PRE_GA, b"\x02\x00\x01f\x01v\x00\x01g\x017".to_vec(), hash()),
        (kind::HASH_LISTPACK_EX_PRE_GA, string(&listpack_ex()), timed()),
        // earliest u64 LE, then 1 + how much later
        (kind::HASH_METADATA, [&least[..], b"\x02\x01\x01f\x01v\x00\x01g\x017"].concat(), timed()),
        (kind::HASH_LISTPACK_EX, [&least[..], &string(&listpack_ex())].concat(), timed()),
    ]
}

/// A key for each case, with values of all types.
pub fn sample(newest_kind: u8) -> Vec<u8> {
    let cases = cases();
    let names: Vec<String> = (0..cases.len()).map(|number| format!("k{number}")).collect();
    let entries = names.iter().zip(&cases).filter(|(_, (kind, ..))| *kind <= newest_kind);
    let entries: Vec<_> =
        entries.map(|(name, (kind, value, _))| (name.as_bytes(), *kind, value.clone())).collect();
    file(&entries)
}

/// DUMP of the key.
fn dumped(loaded: &mut Loaded, key: &[u8]) -> Vec<u8> {
    let db = loaded.space.db(0, Access::at(NOW_MS));
    dump(db.read(&Key::new(key)).unwrap().value(), Style::default())
}

#[test]
fn every_type_is_the_same_as_in_the_oldest_form() {
    let mut seen = [false; 26];
    for (number, (kind, value, (plain_kind, plain))) in cases().into_iter().enumerate() {
        seen[usize::from(kind)] = true;
        let mut one =
            load(&file(&[(b"key", kind, value)]), 7).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let mut other = load(&file(&[(b"key", plain_kind, plain)]), usize::MAX).unwrap();
        assert_eq!(one.keys(), [1]);
        assert_eq!(one.digest(), other.digest(), "type {kind}, case {number}");
        let (one, other) = (dumped(&mut one, b"key"), dumped(&mut other, b"key"));
        assert_eq!(one[0], other[0], "type {kind}, case {number}");
        if matches!(one[0], kind::STREAM_LISTPACKS_2 | kind::HASH_LISTPACK | kind::ZSET_LISTPACK)
            && kind != kind::HASH_METADATA_PRE_GA
        {
            assert_eq!(sorted(&one), sorted(&other), "type {kind}, case {number}");
        }
    }
    for kind in 0..=u8::MAX {
        let is_known = seen.get(usize::from(kind)).copied().unwrap_or(false) || kind >= 244;
        let loaded = load(&file(&[(b"key", kind, b"\x00".to_vec())]), 64);
        if !is_known {
            let error = loaded.err().unwrap_or_else(|| panic!("type {kind} loads"));
            assert!(error.text.contains("Unknown RDB encoding type") || matches!(kind, 6 | 7), "{error}");
        }
    }
}

/// The bytes without order and checksum: the fields of a small hash stand as they came.
fn sorted(payload: &[u8]) -> Vec<u8> {
    let mut bytes = payload[..payload.len() - 8].to_vec();
    bytes.sort_unstable();
    bytes
}
