//! Snapshot files at start: loaded to the same digest as redis-server gives, or refused with exit 1.

use std::fs;
use std::path::{Path, PathBuf};

use crate::node::{ALL, Kind, Node, directory, without_times};
use crate::support::reply::Value;

const HEAD: &[u8] = b"REDIS0010";
/// End of file without a checksum.
const END: &[u8] = b"\xff\0\0\0\0\0\0\0\0";
/// A string `k` with value `v`.
const ENTRY: &[u8] = b"\x00\x01k\x01v";

fn file(parts: &[&[u8]]) -> Vec<u8> {
    [&[HEAD], parts, &[END]].concat().concat()
}

/// The fixtures, here or in `RDB_FIXTURES`.
fn fixtures() -> PathBuf {
    std::env::var_os("RDB_FIXTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb"), PathBuf::from)
}

fn in_directory(bytes: &[u8]) -> PathBuf {
    let directory = directory();
    fs::write(directory.join("dump.rdb"), bytes).unwrap();
    directory
}

/// What one server makes of a file: its messages and digest, or its messages and exit code.
fn load(kind: Kind, bytes: &[u8]) -> (Vec<String>, Result<String, i32>) {
    let directory = in_directory(bytes);
    let mut node = Node::start(kind, &directory, &[]);
    let end = if node.becomes_ready() { Ok(node.digest()) } else { Err(node.exit_code()) };
    let messages = node.messages();
    drop(node);
    fs::remove_dir_all(directory).unwrap();
    (messages, end)
}

#[test]
fn every_fixture_gives_its_digest_or_is_refused() {
    let index = fs::read_to_string(fixtures().join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let mut seen = 0;
    for entry in index.as_array().unwrap() {
        let name = entry["file"].as_str().unwrap();
        let Ok(bytes) = fs::read(fixtures().join(name)) else { continue };
        if !name.ends_with(".rdb") {
            continue;
        }
        seen += 1;
        for threads in [1, 3] {
            let (messages, end) = load(Kind::Shoal(threads), &bytes);
            match entry["digest"].as_str() {
                Some(digest) => assert_eq!(end, Ok(digest.to_owned()), "{name}: {messages:#?}"),
                None if entry.get("refused_by").is_some() => {
                    assert_eq!(end, Err(1), "{name}: {messages:#?}");
                }
                None => assert!(end.is_ok(), "{name}: {messages:#?}"),
            }
        }
    }
    assert!(seen >= 7, "only {seen} fixtures");
}

#[test]
fn what_redis_loads_is_loaded_with_the_same_messages() {
    let past = 1000_i64.to_le_bytes();
    let future = 4_102_444_800_000_i64.to_le_bytes();
    let cases: &[(&str, Vec<u8>)] = &[
        ("nothing", file(&[])),
        ("aux fields", {
            file(&[
                b"\xfa\x03foo\x03bar\xfa\x09redis-ver\x05x\ny.1\xfa\x05ctime\xc0\x05\xfa\x08aof-base\xc0\x01",
                b"\xfa\x0aredis-bits\xc0\x20\xfa\x0caof-preamble\xc0\x01\xfa\x04%foo\x03bar\xfa\x08used-mem\xc0\x05",
            ])
        }),
        ("expired", file(&[b"\xfe\x00\xfc", &past, ENTRY])),
        ("expires", file(&[b"\xfe\x03\xfc", &future, ENTRY])),
        ("bytes behind the end", [&file(&[b"\xfe\x00", ENTRY])[..], b"garbage"].concat()),
        ("an empty list", file(&[b"\xfe\x00\x01\x01k\x00"])),
        ("a library", {
            let code = b"#!lua name=l\nredis.register_function('f', function() return 1 end)";
            file(&[b"\xf5", &[0x40, code.len() as u8], code])
        }),
        ("an integer", file(&[b"\xfe\x00\x00\x01i\xc1\x39\x30"])),
    ];
    for (name, bytes) in cases {
        let (expected, digest) = load(Kind::Redis, bytes);
        assert!(digest.is_ok(), "{name}: {expected:#?}");
        for kind in &ALL[1..] {
            let (messages, own) = load(*kind, bytes);
            assert_eq!(own, digest, "{name} on {kind:?}: {messages:#?}");
            assert_eq!(without_times(&messages), without_times(&expected), "{name} on {kind:?}");
        }
    }
}

#[test]
fn what_redis_refuses_is_refused_in_its_words_with_file_and_offset() {
    let whole = file(&[b"\xfe\x00", ENTRY, b"\x00\x02k2\x01v"]);
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("cut in an entry", whole[..whole.len() - 11].to_vec(), "Short read or OOM loading DB."),
        ("cut in the checksum", whole[..whole.len() - 3].to_vec(), "Short read or OOM loading DB."),
        ("empty", Vec::new(), "Short read or OOM loading DB."),
        ("signature", b"XEDIS0010\xff".to_vec(), "Wrong signature trying to load DB from file"),
        ("version", b"REDIS0099\xff".to_vec(), "Can't handle RDB format version 99"),
        ("twice", file(&[b"\xfe\x00", ENTRY, ENTRY]), "RDB has duplicated key 'k' in DB 0"),
        ("database", file(&[b"\xfe\x40\x63", ENTRY]), "configured to handle more than 16 databases. Exiting"),
        ("type", file(&[b"\xfe\x00\x30\x01k\x01v"]), "Unknown RDB encoding type 48"),
        ("library", file(&[b"\xf5\x03abc"]), "Missing library metadata"),
        ("compression", file(&[b"\xfe\x00\x00\x01k\xc3\x02\x0aab"]), "Invalid LZF compressed string"),
        ("ziplist", file(&[b"\xfe\x00\x0a\x01k\x04abcd"]), "ziplist"),
        (
            "checksum",
            {
                let mut bytes = whole.clone();
                *bytes.last_mut().unwrap() = 7;
                bytes
            },
            "Wrong RDB checksum expected: (",
        ),
    ];
    for (name, bytes, text) in cases {
        let (expected, end) = load(Kind::Redis, bytes);
        assert!(end.is_err(), "{name}: {expected:#?}");
        for kind in &ALL[1..] {
            let (messages, end) = load(*kind, bytes);
            assert_eq!(end, Err(1), "{name} on {kind:?}: {messages:#?}");
            assert!(messages.iter().any(|line| line.contains(text)), "{name}: {messages:#?}");
            let last = messages.last().unwrap();
            assert!(last.contains("file dump.rdb, offset "), "{name}: {last}");
        }
    }
}

#[test]
fn keys_of_all_cores_and_databases_arrive_and_info_counts_them() {
    let directory = directory();
    let peer = Node::ready(Kind::Redis, &directory, &[]);
    let mut client = peer.connect();
    client.run("DEBUG POPULATE 20000 k 50");
    for number in 0..200 {
        client.run(&format!("SET soon:{number} v PX 1"));
        client.run(&format!("SET later:{number} v EX 1000"));
    }
    client.run("SELECT 5");
    for number in 0..300 {
        client.run(&format!("RPUSH list:{number} a b c {number}"));
        client.run(&format!("ZADD zset:{number} 1 a 2 b"));
        client.run(&format!("XADD stream:{number} 1-1 a b"));
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    client.run("SAVE");
    drop(peer);
    let digest = Node::ready(Kind::Redis, &directory, &[]).digest();
    for kind in ALL {
        let node = Node::ready(kind, &directory, &[]);
        assert_eq!(node.digest(), digest, "{kind:?}");
        let info = persistence(&node);
        assert!(info.contains("loading:0\r\n"), "{info}");
        assert!(!info.contains("loading_start_time"), "{info}");
        let loaded = number(&info, "rdb_last_load_keys_loaded");
        let expired = number(&info, "rdb_last_load_keys_expired");
        assert_eq!(loaded + expired, 20_000 + 400 + 900 - absent(&directory), "{kind:?}: {info}");
    }
    fs::remove_dir_all(directory).unwrap();
}

/// Keys that had expired before they could be saved: those counted by no server.
fn absent(directory: &Path) -> u64 {
    let node = Node::ready(Kind::Redis, directory, &[]);
    let info = persistence(&node);
    20_000 + 400 + 900
        - number(&info, "rdb_last_load_keys_loaded")
        - number(&info, "rdb_last_load_keys_expired")
}

pub fn persistence(node: &Node) -> String {
    match node.connect().run("INFO persistence") {
        Value::Bulk(text) => String::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

pub fn number(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.parse().unwrap()
}
