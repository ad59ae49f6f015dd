//! A snapshot under write load is a cut: what belongs together is in the file together, what came later is not there without what came before.
//!
//! Called by main. Writers keep invariants: transfers between accounts (the sum is constant), pairs of counters and a list changed in one transaction
//! over the cores, MSET of two keys, a script, and two keys written one after the other by one client. Every file is loaded by redis-server and judged there.
//! `CUT_KEYS` (40000) other keys make the walk take time, `CUT_ROUNDS` (3) files.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::client::{Client, encode};
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number};
use crate::support::reply::Value;
use crate::support::server::{Plan, Server};

const ACCOUNTS: u64 = 200;
const OPENING: u64 = 1000;
const WRITERS: u64 = 4;

/// Sends commands together; none may fail.
fn together(client: &mut Client, lines: &[String]) -> Vec<Value> {
    let wire: Vec<u8> = lines.iter().flat_map(|line| encode(&line.split(' ').collect::<Vec<_>>())).collect();
    client.send_raw(&wire).expect("sent");
    let replies: Vec<Value> = lines.iter().map(|_| client.read().expect("a reply").value).collect();
    let failed = replies.iter().zip(lines).find(|(reply, _)| reply.is_error());
    assert!(failed.is_none(), "{failed:?}");
    replies
}

const SCRIPT: &str = "redis.call('INCR',KEYS[1]);return(redis.call('INCR',KEYS[2]))";

/// One thing a writer does, its invariants kept.
fn act(client: &mut Client, prng: &mut Prng, writer: u64, number: u64) {
    let list = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let (from, to, amount) = (prng.below(ACCOUNTS), prng.below(ACCOUNTS), prng.below(50));
    match number % 5 {
        0 | 1 => {
            let (take, give) =
                (format!("DECRBY account:{from} {amount}"), format!("INCRBY account:{to} {amount}"));
            together(client, &list(&["MULTI", &take, &give, "EXEC"]));
        }
        2 => {
            let (count, push) = (format!("INCR count:{writer}"), format!("RPUSH list:{writer} x"));
            together(client, &list(&["MULTI", &count, &push, "EXEC"]));
        }
        3 => {
            let (set, eval) = (
                format!("MSET left:{writer} {number} right:{writer} {number}"),
                format!("EVAL {SCRIPT} 2 one:{writer} two:{writer}"),
            );
            together(client, &[set, eval]);
        }
        _ => {
            // Two commands of one client, keys mostly on different cores: the first is never behind the second.
            together(
                client,
                &[format!("SET first:{writer} {number}"), format!("SET second:{writer} {number}")],
            );
        }
    }
}

fn fill(server: &Server, keys: u64) {
    let mut client = server.connect();
    let lines: Vec<String> = (0..ACCOUNTS).map(|number| format!("SET account:{number} {OPENING}")).collect();
    together(&mut client, &lines);
    let value = "v".repeat(100);
    for start in (0..keys).step_by(500) {
        let lines: Vec<String> =
            (start..keys.min(start + 500)).map(|number| format!("SET filler:{number} {value}")).collect();
        together(&mut client, &lines);
    }
    for number in 0..2000 {
        let lines: Vec<String> = (0..5).map(|at| format!("HSET hash f{number}-{at} {value}")).collect();
        together(&mut client, &lines);
    }
}

/// Loads a file into redis-server and looks whether the invariants hold.
fn judge(file: &[u8], what: &str) {
    let directory = Directory::new("cut");
    directory.write("dump.rdb", file);
    let redis = Plan::redis().data(directory.path()).start();
    let mut client = redis.connect();
    let mut int = |line: &str| client.run(line).int().unwrap_or(0);
    let sum: i64 = (0..ACCOUNTS).map(|number| int(&format!("GET account:{number}"))).sum();
    assert_eq!(sum, (ACCOUNTS * OPENING) as i64, "{what}: money was made or lost");
    for writer in 0..WRITERS {
        let count = int(&format!("GET count:{writer}"));
        assert_eq!(
            count,
            int(&format!("LLEN list:{writer}")),
            "{what}: a transaction was cut (list of writer {writer})"
        );
        let left = int(&format!("GET left:{writer}"));
        assert_eq!(left, int(&format!("GET right:{writer}")), "{what}: an MSET was cut (writer {writer})");
        let one = int(&format!("GET one:{writer}"));
        assert_eq!(one, int(&format!("GET two:{writer}")), "{what}: a script was cut (writer {writer})");
        let (first, second) = (int(&format!("GET first:{writer}")), int(&format!("GET second:{writer}")));
        assert!(
            first == second || first == second + 5 || second == 0,
            "{what}: {first} before {second} (writer {writer})"
        );
    }
}

fn run(threads: u32) {
    let seed = env_number("SEED", 1);
    let directory = Directory::new("cut");
    let mut server = Plan::shoal(threads).data(directory.path()).start();
    fill(&server, env_number("CUT_KEYS", 40_000));
    let (stop, acts) = (AtomicBool::new(false), AtomicU64::new(0));
    let files = std::thread::scope(|scope| {
        let (server, stop, acts) = (&server, &stop, &acts);
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let (mut client, mut prng) = (server.connect(), Prng::new(seed * 100 + writer));
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    act(&mut client, &mut prng, writer, number);
                    acts.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut files = Vec::new();
        for round in 0..env_number("CUT_ROUNDS", 3) {
            let before = acts.load(Ordering::Relaxed);
            let started = server.connect().run("BGSAVE").text();
            let fine = started == "Background saving started";
            if fine {
                server.wait_info("rdb_bgsave_in_progress", "0");
            }
            let meanwhile = acts.load(Ordering::Relaxed) - before;
            if !fine || server.info("rdb_last_bgsave_status") != "ok" {
                stop.store(true, Ordering::Relaxed);
                panic!("BGSAVE: {started}\n{}", server.log());
            }
            files.push((
                directory.read("dump.rdb"),
                format!("threads {threads}, seed {seed}, file {round}"),
                meanwhile,
            ));
        }
        stop.store(true, Ordering::Relaxed);
        files
    });
    server.assert_healthy();
    for (file, what, meanwhile) in &files {
        println!("{what}: {} bytes, {meanwhile} writes while it was made", file.len());
        assert!(*meanwhile > 0, "{what}: nobody wrote while it was made");
        judge(file, what);
    }
}

#[test]
fn a_snapshot_under_load_is_a_cut_on_one_core() {
    run(1);
}

#[test]
fn a_snapshot_under_load_is_a_cut_over_three_cores() {
    run(3);
}
