//! Append-only files at start: the same keys, the same messages, the same refusals as redis-server's.

use std::fs;
use std::path::PathBuf;

use crate::node::{ALL, Kind, Node, directory, without_times};
use crate::support::client::encode;
use crate::support::prng::Prng;

/// A command in wire form.
fn command(words: &str) -> Vec<u8> {
    encode(&words.split(' ').collect::<Vec<_>>())
}

fn commands(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| command(line)).collect()
}

/// A directory with one incremental file.
fn in_directory(incr: &[u8]) -> PathBuf {
    let directory = directory();
    let files = directory.join("appendonlydir");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("appendonly.aof.manifest"), "file appendonly.aof.1.incr.aof seq 1 type i\n")
        .unwrap();
    fs::write(files.join("appendonly.aof.1.incr.aof"), incr).unwrap();
    directory
}

/// What one server makes of a file: its messages up to `Ready`, and its digest or exit code.
fn load(kind: Kind, incr: &[u8], args: &[&str]) -> (Vec<String>, Result<String, i32>) {
    let directory = in_directory(incr);
    let outcome = load_from(kind, &directory, args);
    fs::remove_dir_all(directory).unwrap();
    outcome
}

fn load_from(kind: Kind, directory: &std::path::Path, args: &[&str]) -> (Vec<String>, Result<String, i32>) {
    let mut node = Node::start(kind, directory, &[&["--appendonly", "yes"], args].concat());
    // Keys whose time is over go right after loading: not while the digests are compared.
    let end = if node.becomes_ready() { Ok(node.digest()) } else { Err(node.exit_code()) };
    let messages = node.messages();
    // What is said about files that are opened is for those tests that look at them.
    let about_loading = |line: &String| {
        !line.starts_with("Opening AOF") && !line.starts_with("Creating AOF") && !line.contains("fsync")
    };
    let kept = messages.into_iter().take_while(|line| !line.starts_with("Ready")).filter(about_loading);
    (without_times(&kept.collect::<Vec<_>>()), end)
}

#[test]
fn what_redis_loads_is_loaded_with_the_same_messages() {
    let torn = {
        let mut bytes = commands(&["SET a b", "SET a c"]);
        bytes.truncate(bytes.len() - 3);
        bytes
    };
    let cases: &[(&str, Vec<u8>)] = &[
        ("plain", commands(&["SET a b", "RPUSH l 1 2 3", "SELECT 3", "SET a c", "SELECT 0", "SADD s x y"])),
        ("errors", commands(&["SET a b", "LPUSH a c", "INCR a", "EXEC", "SELECT 99"])),
        ("several cores", commands(&["MSET a 1 b 2 c 3 d 4", "SET e 5", "RENAME a z", "DEL b c", "SET f 6"])),
        ("transactions", {
            commands(&[
                "MULTI", "SET a 1", "SET b 2", "EXEC", "MULTI", "SELECT 2", "SET a 3", "EXEC", "SET c 4",
                "MULTI", "EXEC",
            ])
        }),
        (
            "flushes",
            commands(&[
                "SET a 1", "SET b 1", "FLUSHALL", "SET c 1", "SELECT 1", "SET d 1", "FLUSHDB", "SET e 1",
            ]),
        ),
        ("blocking", commands(&["BLPOP x 0", "SET a b"])),
        ("watch", commands(&["WATCH x", "MULTI", "SET x 1", "EXEC"])),
        ("a library", {
            let code = "#!lua name=l\nredis.register_function('f', function(k) return redis.call('SET', k[1], 'x') end)";
            [encode(&["FUNCTION", "LOAD", code]), command("FCALL f 1 a"), command("SET b c")].concat()
        }),
        (
            "scripts",
            [encode(&["EVAL", "redis.call('SET', KEYS[1], ARGV[1])", "1", "a", "b"]), command("SET b c")]
                .concat(),
        ),
        ("swap", commands(&["SET a 1", "SELECT 1", "SET a 2", "SWAPDB 0 1", "SET b 1"])),
        ("nothing", Vec::new()),
        (
            "annotations",
            [b"#TS:1628217470\r\n".to_vec(), command("SET y 1"), b"#TS:1628217471\r\n".to_vec()].concat(),
        ),
        ("a transaction without end", commands(&["SET a b", "MULTI", "SET a c"])),
        ("a torn end", torn),
        ("a large value", encode(&["SET", "a", &"x".repeat(100_000)])),
    ];
    for (name, bytes) in cases {
        let (expected, digest) = load(Kind::Redis, bytes, &[]);
        assert!(digest.is_ok(), "{name}: {expected:#?}");
        for kind in &ALL[1..] {
            let (messages, own) = load(*kind, bytes, &[]);
            assert_eq!(own, digest, "{name} on {kind:?}: {messages:#?}");
            assert_eq!(messages, expected, "{name} on {kind:?}");
        }
    }
}

#[test]
fn what_redis_refuses_is_refused() {
    let torn = {
        let mut bytes = commands(&["SET a b", "SET a c"]);
        bytes.truncate(bytes.len() - 3);
        bytes
    };
    let bad = [command("SET a b"), b"xyz\r\n".to_vec(), command("SET a c")].concat();
    let cases: &[(&str, Vec<u8>, &[&str], &str)] = &[
        (
            "unknown",
            commands(&["SET a b", "FOO x"]),
            &[],
            "Unknown command 'FOO' reading the append only file ",
        ),
        ("unknown inside MULTI", commands(&["MULTI", "FOO", "EXEC"]), &[], "Unknown command 'FOO' reading"),
        (
            "not RESP",
            bad,
            &[],
            "Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup",
        ),
        (
            "torn",
            torn,
            &["--aof-load-truncated", "no"],
            "Unexpected end of file reading the append only file",
        ),
    ];
    for (name, bytes, args, text) in cases {
        for kind in ALL {
            let (messages, end) = load(kind, bytes, args);
            assert_eq!(end, Err(1), "{name} on {kind:?}: {messages:#?}");
            assert!(messages.iter().any(|line| line.contains(text)), "{name} on {kind:?}: {messages:#?}");
        }
    }
}

#[test]
fn a_single_file_of_redis_6_becomes_the_base() {
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb/rdb-preamble.aof");
    let outcomes = ALL.map(|kind| {
        let directory = directory();
        fs::copy(&fixture, directory.join("appendonly.aof")).unwrap();
        let outcome = load_from(kind, &directory, &[]);
        assert!(
            !directory.join("appendonly.aof").exists()
                && directory.join("appendonlydir/appendonly.aof").exists()
        );
        // And once more from where it lies now.
        assert_eq!(load_from(kind, &directory, &[]).1, outcome.1);
        fs::remove_dir_all(directory).unwrap();
        outcome
    });
    assert!(outcomes[0].1.is_ok());
    assert_eq!(outcomes[1], outcomes[0]);
    assert_eq!(outcomes[2], outcomes[0]);
}

#[test]
fn keys_past_their_time_stay_until_loading_is_over() {
    // Were `a` deleted at once, APPEND would make another one.
    let bytes = commands(&["SET a b", "PEXPIREAT a 1000", "APPEND a c", "PERSIST a", "SET e x PXAT 1000"]);
    let digests = ALL.map(|kind| {
        let directory = in_directory(&bytes);
        let node = Node::ready(kind, &directory, &["--appendonly", "yes"]);
        let mut client = node.connect();
        assert_eq!(format!("{:?}", client.run("EXISTS e")), "Int(0)");
        let digest = node.digest();
        drop(node);
        fs::remove_dir_all(directory).unwrap();
        digest
    });
    assert_eq!(digests[1..], [digests[0].clone(), digests[0].clone()]);
}

#[test]
fn random_traffic_gives_the_same_digest() {
    for seed in 1..=5_u64 {
        let bytes = traffic(seed);
        let expected = load(Kind::Redis, &bytes, &[]).1;
        assert!(expected.is_ok());
        for kind in &ALL[1..] {
            assert_eq!(load(*kind, &bytes, &[]).1, expected, "seed {seed} on {kind:?}");
        }
    }
}

/// Commands over few keys, so that their order matters.
fn traffic(seed: u64) -> Vec<u8> {
    let mut prng = Prng::new(seed);
    let mut bytes = Vec::new();
    let mut left = 0;
    for step in 0..20_000 {
        let (a, b) = (prng.below(60), prng.below(60));
        let line = match prng.below(16) {
            0..=4 => format!("APPEND s{a} {step}"),
            5 | 6 => format!("RPUSH l{a} {step}"),
            7 => format!("LPOP l{a}"),
            8 => format!("HSET h{a} f{b} {step}"),
            9 => format!("RENAME s{a} s{b}"),
            10 => format!("LMOVE l{a} l{b} LEFT RIGHT"),
            11 => format!("MSET s{a} {step} s{b} {step}"),
            12 => format!("DEL s{a} l{b}"),
            13 => format!("COPY h{a} h{b} REPLACE"),
            14 if left == 0 => format!("SELECT {}", prng.below(3)),
            _ => format!("SET s{a} {step}"),
        };
        if left == 0 && prng.below(10) == 0 {
            bytes.extend(command("MULTI"));
            left = 1 + prng.below(5);
        }
        bytes.extend(command(&line));
        if left > 0 {
            left -= 1;
            if left == 0 {
                bytes.extend(command("EXEC"));
            }
        }
    }
    if left > 0 {
        bytes.extend(command("EXEC"));
    }
    bytes
}
