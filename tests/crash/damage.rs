//! Files cut short at every byte and damaged in the middle: what a start makes of them, beside redis-server on the same files.
//!
//! Called by main. A cut tail is taken off (aof-load-truncated yes) or refused (no); damage in the middle is refused with the file's name, the offset
//! and what to do; a flipped byte of an RDB file never crashes a start. `CUTS` (24) and `FLIPS` (12) positions are tried, 0 tries all.

use std::collections::BTreeSet;

use crate::support::annotations::{annotations, without_annotations};
use crate::support::client::encode;
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number};
use crate::support::reply::show;
use crate::support::server::{Plan, Refusal, Server};

const AOF: &[&str] = &["--appendonly", "yes"];
/// As `show` shows it.
const MULTI: &str = "*1\\r\\n$5\\r\\nMULTI\\r\\n";
const INCR: &str = "appendonlydir/appendonly.aof.1.incr.aof";

/// How a start ended.
enum Start {
    Serves(Box<Server>),
    Refused(Refusal),
}

fn start(plan: &Plan, files: &Directory, options: &[&str]) -> Start {
    match plan.clone().args(options).data(files.path()).try_start() {
        Ok(server) => Start::Serves(Box::new(server)),
        Err(refusal) => Start::Refused(refusal),
    }
}

impl Start {
    fn digest(&self) -> Option<String> {
        match self {
            Start::Serves(server) => Some(server.connect().run("DEBUG DIGEST").text()),
            Start::Refused(_) => None,
        }
    }

    /// Panics if it neither serves nor ended by itself with 1 and without a crash.
    fn assert_orderly(&self, what: &str) {
        if let Start::Refused(refusal) = self {
            let crashed =
                ["panicked", "BUG REPORT", "Crash report"].iter().any(|mark| refusal.log.contains(mark));
            let code = refusal.status.and_then(|status| status.code());
            assert!(code == Some(1) && !crashed, "{what}: ended with {:?}\n{}", refusal.status, refusal.log);
        }
    }

    fn log(&self) -> String {
        match self {
            Start::Serves(server) => server.log(),
            Start::Refused(refusal) => refusal.log.clone(),
        }
    }
}

/// Positions of a file that are tried: all, or as many as `name` says, always with the first and the last few.
fn positions(name: &str, default: u64, length: usize, seed: u64) -> BTreeSet<usize> {
    let count = env_number(name, default) as usize;
    if count == 0 || count >= length {
        return (0..length).collect();
    }
    let mut prng = Prng::new(seed);
    let mut chosen: BTreeSet<usize> = [0, 1, length - 1, length - 2].into();
    while chosen.len() < count {
        chosen.insert(prng.index(length));
    }
    chosen
}

/// A small AOF of the server under test: databases, a transaction over the cores, binary and empty values.
fn small_aof() -> Directory {
    let directory = Directory::new("aof-small");
    let mut server =
        Plan::shoal(2).args(AOF).args(&["--appendfsync", "always"]).data(directory.path()).start();
    let mut client = server.connect();
    let lines = [
        "SET a 1",
        "RPUSH list x y z",
        "SELECT 2",
        "SET b 2",
        "MULTI",
        "INCR one",
        "INCR two",
        "SADD three t",
        "EXEC",
    ];
    for line in lines {
        assert!(!client.run(line).is_error(), "{line}");
    }
    let binary =
        client.command(&[b"SET".as_slice(), b"binary\r\n\0", b"*1\r\n$4\r\nPING\r\n"]).expect("a reply");
    assert!(!binary.value.is_error());
    for line in ["HSET hash f 1 g 2", "SELECT 0", "MSET wide:1 1 wide:2 2", "SET last word"] {
        assert!(!client.run(line).is_error(), "{line}");
    }
    assert!(server.terminate().success());
    directory
}

fn with_file(from: &Directory, name: &str, bytes: &[u8]) -> Directory {
    let copy = Directory::copy_of("damaged", from.path());
    copy.write(name, bytes);
    copy
}

#[test]
fn an_aof_cut_at_any_byte_starts_with_a_prefix() {
    let whole = small_aof();
    let bytes = whole.read(INCR);
    let mut digests = BTreeSet::new();
    for cut in positions("CUTS", 24, bytes.len(), env_number("SEED", 1)) {
        let what =
            format!("cut at {cut} of {}: {}", bytes.len(), show(&bytes[cut.saturating_sub(30)..cut], 60));
        let [ours, theirs] = [Plan::shoal(2), Plan::redis()].map(|plan| {
            let files = with_file(&whole, INCR, &bytes[..cut]);
            let start = start(&plan, &files, AOF);
            assert!(start.digest().is_some(), "{what}: does not start\n{}", start.log());
            let digest = start.digest();
            drop(start);
            (digest, show(&without_annotations(&files.read(INCR)), 4000))
        });
        // Of a transaction that is cut off within a command redis-server drops the command and keeps the MULTI, so that all it logs later is part of
        // it and lost at the next start. Ours drops the whole of it.
        let left_open = theirs.1.strip_prefix(ours.1.as_str()).is_some_and(|more| more.starts_with(MULTI));
        assert!(
            ours == theirs || ours.0 == theirs.0 && left_open,
            "{what}: digest and commands of the file after the start\n{ours:?}\nredis'\n{theirs:?}"
        );
        digests.insert(ours.0);
    }
    println!("{} bytes, {} different states", bytes.len(), digests.len());
    assert!(digests.len() > 3, "all cuts gave the same data: the test tests nothing");
}

#[test]
fn an_aof_cut_short_is_refused_where_truncation_is_not_allowed() {
    let whole = small_aof();
    let bytes = whole.read(INCR);
    let mut refused = 0;
    for cut in positions("CUTS", 12, bytes.len(), env_number("SEED", 2)) {
        let what = format!("cut at {cut} of {}", bytes.len());
        let [ours, theirs] = [Plan::shoal(2), Plan::redis()].map(|plan| {
            let files = with_file(&whole, INCR, &bytes[..cut]);
            let start = start(&plan, &files, &["--appendonly", "yes", "--aof-load-truncated", "no"]);
            start.assert_orderly(&what);
            if start.digest().is_none() {
                let log = start.log();
                assert!(log.contains("appendonly.aof.1.incr.aof"), "{what}: the log names no file\n{log}");
                assert_eq!(files.read(INCR).len(), cut, "{what}: the refused file was changed");
            }
            start.digest()
        });
        assert_eq!(ours, theirs, "{what} (ours, then redis')");
        refused += u32::from(ours.is_none());
    }
    assert!(refused > 3, "hardly any cut was refused");
}

/// Changes in the middle of the log that leave no doubt: ours must say where and what to do.
#[test]
fn damage_in_the_middle_is_refused_with_file_offset_and_advice() {
    let whole = small_aof();
    let bytes = whole.read(INCR);
    let at = memchr::memmem::find(&bytes, b"RPUSH").expect("the second command") - 4;
    let start_of_command = bytes[..at].iter().rposition(|byte| *byte == b'*').expect("its header");
    let damages: [(&str, usize, u8); 5] = [
        ("the header's first byte", start_of_command, b'X'),
        ("the count of words", start_of_command + 1, b'x'),
        ("a word's first byte", at, b'%'),
        ("a word's length", at + 1, b'z'),
        ("the name of the command", at + 4, b'Z'),
    ];
    for (what, position, byte) in damages {
        let mut damaged = bytes.clone();
        damaged[position] = byte;
        for plan in [Plan::redis(), Plan::shoal(2)] {
            let files = with_file(&whole, INCR, &damaged);
            let start = start(&plan, &files, AOF);
            assert!(start.digest().is_none(), "{what}: it starts (redis: {})", plan.is_redis());
            start.assert_orderly(what);
            let log = start.log();
            assert!(log.contains("appendonly.aof.1.incr.aof"), "{what}: the log names no file\n{log}");
            if !plan.is_redis() {
                // The group of commands that the damage lies in may be named: from its checksum's line on.
                let lines = annotations(&bytes);
                let group = lines.iter().map(|line| line.start).rfind(|at| *at <= position);
                let offsets = group.unwrap_or(start_of_command)..=position;
                let named = offsets.clone().any(|offset| {
                    log.split(|byte: char| !byte.is_ascii_digit()).any(|word| word == offset.to_string())
                });
                assert!(named, "{what} at {position}: the log names no offset in {offsets:?}\n{log}");
                assert!(log.contains("redis-check-aof"), "{what}: the log does not say what to do\n{log}");
            }
            assert_eq!(files.read(INCR), damaged, "{what}: the refused file was changed");
        }
    }
}

/// Any byte of the log flipped: what redis-server refuses is refused, what both take is the same data.
#[test]
fn a_flipped_byte_of_an_aof_is_judged_as_redis_judges_it() {
    let whole = small_aof();
    let bytes = whole.read(INCR);
    let mut prng = Prng::new(env_number("SEED", 1));
    let (mut refused, mut stricter) = (0, 0);
    for position in positions("FLIPS", 12, bytes.len(), env_number("SEED", 1)) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1 << prng.below(8);
        let what = format!(
            "byte {position}: {} -> {}",
            show(&bytes[position..=position], 4),
            show(&damaged[position..=position], 4)
        );
        let starts = [Plan::shoal(2), Plan::redis()].map(|plan| {
            let files = with_file(&whole, INCR, &damaged);
            let start = start(&plan, &files, AOF);
            (start.digest(), start)
        });
        starts[0].1.assert_orderly(&what);
        match (&starts[0].0, &starts[1].0) {
            (None, None) => refused += 1,
            (None, Some(_)) => {
                println!("{what}: refused here, taken by redis");
                stricter += 1;
            }
            (ours, theirs) => assert_eq!(ours, theirs, "{what} (ours, then redis')\n{}", starts[1].1.log()),
        }
    }
    println!("{refused} refused by both, {stricter} only here");
}

/// A small RDB file of redis-server with every type.
fn small_rdb(checksum: &str) -> Directory {
    let directory = Directory::new("rdb-small");
    let redis = Plan::redis().args(&["--rdbchecksum", checksum]).data(directory.path()).start();
    let mut client = redis.connect();
    let lines = [
        "SET string value",
        "SET number 12345",
        "SET short-lived x PXAT 4000000000000",
        "RPUSH list a b 3",
        "SADD set a b",
        "SADD ints 1 2 300000",
        "HSET hash f v g w",
        "ZADD zset 1 a 2.5 b",
        "XADD stream 1-1 f v",
        "XGROUP CREATE stream g 0",
        "XREADGROUP GROUP g c STREAMS stream >",
        "SELECT 3",
        "SET other x",
    ];
    for line in lines {
        assert!(!client.run(line).is_error(), "{line}");
    }
    let long = encode(&["SET", "long", &"abcdefgh".repeat(30)]);
    client.send_raw(&long).expect("sent");
    client.read().expect("a reply");
    client.run("FUNCTION LOAD #!lua\u{a0}name=none");
    assert_eq!(client.run("SAVE").text(), "OK");
    directory
}

#[test]
fn a_flipped_byte_of_an_rdb_file_is_refused() {
    let whole = small_rdb("yes");
    let bytes = whole.read("dump.rdb");
    let mut prng = Prng::new(env_number("SEED", 1));
    for position in positions("FLIPS", 12, bytes.len(), env_number("SEED", 3)) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1 << prng.below(8);
        let what = format!("byte {position} of {}", bytes.len());
        let files = with_file(&whole, "dump.rdb", &damaged);
        let start = start(&Plan::shoal(2), &files, &[]);
        start.assert_orderly(&what);
        assert!(start.digest().is_none(), "{what}: a file with a wrong checksum was taken\n{}", start.log());
        assert_eq!(files.read("dump.rdb"), damaged, "{what}: the refused file was changed");
    }
}

/// Without a checksum a flip may pass as data; it may not crash the start, nor the reading of the data.
#[test]
fn a_flipped_byte_of_an_rdb_file_without_checksum_never_crashes() {
    if Plan::shoal(2).is_redis() {
        println!("not tried: redis-server in shoal's place does crash on some of these files");
        return;
    }
    let whole = small_rdb("no");
    let bytes = whole.read("dump.rdb");
    let mut prng = Prng::new(env_number("SEED", 1));
    let (mut served, mut refused) = (0, 0);
    for position in positions("FLIPS", 12, bytes.len(), env_number("SEED", 4)) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1 << prng.below(8);
        let what = format!("byte {position} of {}", bytes.len());
        let files = with_file(&whole, "dump.rdb", &damaged);
        let mut start = start(&Plan::shoal(2), &files, &[]);
        start.assert_orderly(&what);
        let digest = start.digest();
        if let Start::Serves(server) = &mut start {
            server.connect().run("DEBUG RELOAD");
            server.assert_healthy();
        }
        *(if digest.is_some() { &mut served } else { &mut refused }) += 1;
    }
    println!("{served} served, {refused} refused");
}

#[test]
fn an_rdb_file_cut_short_is_refused() {
    let whole = small_rdb("yes");
    let bytes = whole.read("dump.rdb");
    for cut in positions("CUTS", 8, bytes.len(), env_number("SEED", 5)) {
        let what = format!("cut at {cut} of {}", bytes.len());
        let files = with_file(&whole, "dump.rdb", &bytes[..cut]);
        let start = start(&Plan::shoal(2), &files, &[]);
        start.assert_orderly(&what);
        assert!(start.digest().is_none(), "{what}: it starts\n{}", start.log());
    }
}
