//! Effects: what leaves a shard is enough to make the same data elsewhere, and is what redis itself would send to a replica.
//!
//! The traffic is that of differential/ (same seeds, same exclusions). One test replays the stream of `DEBUG STREAM` into an empty shoal and an
//! empty redis-server and compares DEBUG DIGEST on all; the other runs each command on both servers and compares the effects with the stream
//! that redis sends to a client that said SYNC. `SEED=`, `SEEDS` (3), `COMMANDS` (5000), `THREADS` as in differential/.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "the modules of differential/ are used in part")]

#[path = "../differential/control.rs"]
mod control;
#[path = "../differential/exclusions.rs"]
mod exclusions;
#[path = "../differential/families.rs"]
mod families;
#[path = "../differential/lines.rs"]
mod lines;
mod replica;
mod stream;
#[path = "../support/mod.rs"]
mod support;
#[path = "../differential/traffic.rs"]
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use exclusions::{Exclusions, Mode};
use stream::{Effect, Stream, split_commands};
use support::client::{Client, encode};
use support::prng::{env_number, seeds};
use support::reply::show;
use support::server::{Plan, Server};
use traffic::{Args, Step, Traffic};

const DIFFERENCES_MAX: usize = 10;

fn threads_tried() -> Vec<u32> {
    match env_number("THREADS", 0) {
        0 => vec![1, 3],
        one => vec![one as u32],
    }
}

fn start(plan: Plan) -> Server {
    plan.args(&["--proto-max-bulk-len", "1mb", "--repl-diskless-sync", "no"]).start()
}

/// Commands that both kinds of server know, without those that change data unseen (DEBUG POPULATE) or the figures of the run.
fn known(servers: &[&Server]) -> BTreeSet<String> {
    let list = |server: &Server| -> BTreeSet<String> {
        let value = server.connect().run("COMMAND LIST");
        value.items().unwrap().iter().map(|name| name.text().to_lowercase()).collect()
    };
    let mut all = list(servers[0]);
    servers[1..].iter().for_each(|server| all = all.intersection(&list(server)).cloned().collect());
    for name in [
        "debug",
        "hello",
        "reset",
        "subscribe",
        "psubscribe",
        "unsubscribe",
        "punsubscribe",
        "pubsub",
        "publish",
        "auth",
        "shutdown",
    ] {
        all.remove(name);
    }
    all
}

/// The next commands of the traffic that may be sent.
fn next_commands(traffic: &mut Traffic, exclusions: &Exclusions) -> Vec<Args> {
    let steps = traffic.next_steps().into_iter();
    let commands = steps.filter_map(|step| match step {
        Step::Command(args) => Some(args),
        Step::ScanAll(..) | Step::Restore { .. } | Step::RestoreFunctions(_) | Step::Blocked { .. } => None,
    });
    commands.filter(|args| !args.is_empty() && exclusions.mode(args) != Mode::Skip).collect()
}

/// Random commands over three connections, pipelined.
fn work(server: &Server, traffic: &mut Traffic, exclusions: &Exclusions, commands: u64) {
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    let mut sent = 0;
    while sent < commands {
        // All connections have commands on their way at once.
        let mut waiting = Vec::new();
        for client in &mut clients {
            let batch: Vec<Args> = (0..6).flat_map(|_| next_commands(traffic, exclusions)).collect();
            client.send_raw(&batch.iter().flat_map(|args| encode(args)).collect::<Vec<u8>>()).unwrap();
            sent += batch.len() as u64;
            waiting.push(batch);
        }
        for (client, batch) in clients.iter_mut().zip(&waiting) {
            for args in batch {
                client.read().unwrap_or_else(|error| panic!("{error} at {}", words_of(args)));
            }
        }
    }
}

fn words_of(args: &[Vec<u8>]) -> String {
    args.iter().map(|arg| show(arg, 60)).collect::<Vec<_>>().join(" ")
}

/// A trim that was limited leaves with its LIMIT and `=`, which only a primary's link may say.
fn without_limit(args: &mut Args) {
    let is = |at: usize, word: &[u8]| args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word));
    if is(0, b"XADD") || is(0, b"XTRIM") {
        let limit = (2..args.len()).find(|&at| is(at, b"LIMIT") && is(at - 2, b"="));
        limit.into_iter().for_each(|at| drop(args.drain(at..at + 2)));
    }
}

/// Sends a stream of commands as it is; every reply must be a success.
fn replay(server: &Server, bytes: &[u8]) {
    let mut client = server.connect();
    let mut commands = split_commands(bytes);
    commands.iter_mut().for_each(without_limit);
    for chunk in commands.chunks(500) {
        let wire: Vec<u8> = chunk.iter().flat_map(|args| encode(args)).collect();
        client.send_raw(&wire).unwrap();
        for args in chunk {
            let reply = client.read().unwrap();
            assert!(
                !reply.value.is_error(),
                "{} refused {}: {}",
                server.port,
                words_of(args),
                reply.value.text()
            );
        }
    }
}

#[test]
fn a_replayed_stream_makes_the_same_data() {
    let exclusions = Exclusions::parse(include_str!("../differential/exclusions.txt"));
    for seed in seeds(1, env_number("SEEDS", 3)) {
        for threads in threads_tried() {
            let (source, copy, redis) =
                (start(Plan::shoal(threads)), start(Plan::shoal(1)), start(Plan::redis()));
            let mut traffic = Traffic::new(seed, 2, &known(&[&source, &redis]));
            let mut stream = Stream::start(&source);
            work(&source, &mut traffic, &exclusions, env_number("COMMANDS", 5000));
            let bytes = stream.read();
            println!(
                "seed {seed}, {threads} threads: {} bytes, {} effects",
                bytes.len(),
                split_commands(&bytes).len()
            );
            replay(&copy, &bytes);
            replay(&redis, &bytes);
            let digest = |server: &Server| server.connect().run("DEBUG DIGEST");
            let digests = [digest(&source), digest(&copy), digest(&redis)];
            assert_ne!(digests[0].text(), "0".repeat(40), "no data: the test tests nothing");
            assert!(
                digests.iter().all(|other| *other == digests[0]),
                "seed {seed}, {threads} threads: {digests:?}"
            );
        }
    }
}

/// Equal but for deadlines that the two servers computed at different moments.
fn same(ours: &[Effect], theirs: &[Effect]) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(left, right)| {
            left.db == right.db
                && left.args.len() == right.args.len()
                && left.args.iter().zip(&right.args).enumerate().all(|(at, (mine, other))| {
                    mine == other
                        || at > 1 && is_near(mine, other)
                        || at == 0 && mine.eq_ignore_ascii_case(other)
                })
        })
}

/// The one known difference: a BITFIELD that grew its string and then failed on every field (OVERFLOW FAIL). redis changes its own
/// string and tells nobody, so its replica stays shorter; here the effect leaves.
fn is_grown_bitfield(ours: &[Effect], theirs: &[Effect]) -> bool {
    let mut rest = ours.to_vec();
    rest.retain(|effect| theirs.contains(effect) || !is_failing_bitfield(effect));
    rest.len() < ours.len() && same(&rest, theirs)
}

fn is_failing_bitfield(effect: &Effect) -> bool {
    let has = |word: &[u8]| effect.args.iter().any(|arg| arg.eq_ignore_ascii_case(word));
    has(b"BITFIELD") && has(b"FAIL")
}

fn is_near(mine: &[u8], other: &[u8]) -> bool {
    let number = |text: &[u8]| {
        std::str::from_utf8(text).ok()?.parse::<i64>().ok().filter(|ms| *ms > 1_000_000_000_000)
    };
    number(mine).zip(number(other)).is_some_and(|(mine, other)| mine.abs_diff(other) < 10_000)
}

#[test]
fn effects_are_what_redis_sends_to_replicas() {
    let exclusions = Exclusions::parse(include_str!("../differential/exclusions.txt"));
    let mut differences = BTreeMap::new();
    for seed in seeds(100, env_number("SEEDS", 3)) {
        for threads in threads_tried() {
            let (ours, theirs) = (start(Plan::shoal(threads)), start(Plan::redis()));
            let mut traffic = Traffic::new(seed, 2, &known(&[&ours, &theirs]));
            let mut stream = Stream::start(&ours);
            let mut replica = replica::Replica::attach(&theirs);
            let (mut left, mut right) = (ours.connect(), theirs.connect());
            let mut count = 0;
            while count < env_number("COMMANDS", 5000) && differences.len() < DIFFERENCES_MAX {
                let unit = next_commands(&mut traffic, &exclusions);
                count += unit.len() as u64;
                for args in &unit {
                    left.command(args).unwrap();
                    right.command(args).unwrap();
                }
                let (mine, other) = (stream.read_effects(), replica.effects_until(&mut right, count));
                if !same(&mine, &other) && !is_grown_bitfield(&mine, &other) {
                    let name =
                        unit.iter().map(|args| args[0].to_ascii_uppercase()).next_back().unwrap_or_default();
                    let unit: Vec<String> = unit.iter().map(|args| words_of(args)).collect();
                    let text = format!(
                        "seed {seed} threads {threads}: {}\nours:   {mine:?}\ntheirs: {other:?}",
                        unit.join(" ; ")
                    );
                    differences.entry(name).or_insert(text);
                }
            }
        }
    }
    differences.values().for_each(|text| println!("---- {text}"));
    assert!(differences.is_empty(), "{} differences (above)", differences.len());
}
