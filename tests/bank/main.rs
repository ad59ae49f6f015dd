//! The bank test: money moves between 1,000 accounts, and in every audit the sum is right.
//!
//! Eight clients transfer, half of the time by WATCH/GET/MULTI/SET/EXEC (optimistic), otherwise by MULTI/DECRBY/INCRBY/EXEC;
//! auditors read all accounts by MGET and by GETs in one MULTI. The accounts lie on all cores, so that a transfer that is not atomic,
//! a torn read over cores or a WATCH that misses a write shows as a wrong sum. `BANK_SECONDS` (5), `SEED`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::prng::{Prng, env_number};
use support::reply::Value;
use support::server::Server;

const ACCOUNTS: usize = 1000;
const OPENING: i64 = 1000;
const CLIENTS: u64 = 8;

fn account(index: usize) -> String {
    format!("account:{index}")
}

/// Counts of what happened, shared by all clients.
#[derive(Default)]
struct Counts {
    transfers: AtomicU64,
    conflicts: AtomicU64,
    audits: AtomicU64,
    stop: AtomicBool,
}

fn transfer_watched(client: &mut Client, from: &str, to: &str, amount: i64) -> bool {
    client.run(&format!("WATCH {from} {to}"));
    let balances = [client.run(&format!("GET {from}")), client.run(&format!("GET {to}"))];
    let [Some(source), Some(target)] = balances.map(|balance| balance.int()) else {
        panic!("a balance is missing")
    };
    let wire = [
        encode(&["MULTI"]),
        encode(&["SET", from, &(source - amount).to_string()]),
        encode(&["SET", to, &(target + amount).to_string()]),
        encode(&["EXEC"]),
    ];
    client.send_raw(&wire.concat()).unwrap();
    let replies: Vec<Value> = (0..4).map(|_| client.read().unwrap().value).collect();
    assert!(replies[0] == Value::Simple(b"OK".to_vec()), "{replies:?}");
    match &replies[3] {
        Value::NullArray => false,
        Value::Array(items) if items.len() == 2 => true,
        other => panic!("EXEC: {other:?}"),
    }
}

fn transfer_blind(client: &mut Client, from: &str, to: &str, amount: i64) -> bool {
    let amount = amount.to_string();
    let wire = [
        encode(&["MULTI"]),
        encode(&["DECRBY", from, &amount]),
        encode(&["INCRBY", to, &amount]),
        encode(&["EXEC"]),
    ];
    client.send_raw(&wire.concat()).unwrap();
    let replies: Vec<Value> = (0..4).map(|_| client.read().unwrap().value).collect();
    assert!(matches!(&replies[3], Value::Array(items) if items.len() == 2), "{replies:?}");
    true
}

fn transfer_loop(server: &Server, seed: u64, counts: &Counts) {
    let mut prng = Prng::new(seed);
    let mut client = server.connect();
    while !counts.stop.load(Ordering::Relaxed) {
        // A tenth of the accounts takes most transfers: conflicts must happen for WATCH to be tested.
        let hot = if prng.chance(70) { ACCOUNTS / 100 } else { ACCOUNTS };
        let (from, to) = (prng.index(hot), prng.index(hot));
        if from == to {
            continue;
        }
        let (from, to, amount) = (account(from), account(to), prng.range(1, 50));
        let done = if prng.chance(50) {
            transfer_watched(&mut client, &from, &to, amount)
        } else {
            transfer_blind(&mut client, &from, &to, amount)
        };
        let counter = if done { &counts.transfers } else { &counts.conflicts };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn sum(values: &[Value]) -> i64 {
    assert_eq!(values.len(), ACCOUNTS, "an audit of all accounts");
    values.iter().map(|value| value.int().expect("a balance")).sum()
}

fn audit_loop(server: &Server, by_multi: bool, counts: &Counts) {
    let mut client = server.connect();
    let names: Vec<String> = (0..ACCOUNTS).map(account).collect();
    let mut mget = vec!["MGET".to_owned()];
    mget.extend(names.iter().cloned());
    let mut multi = encode(&["MULTI"]);
    for name in &names {
        multi.extend(encode(&["GET", name]));
    }
    multi.extend(encode(&["EXEC"]));
    while !counts.stop.load(Ordering::Relaxed) {
        let reply = if by_multi {
            client.send_raw(&multi).unwrap();
            for _ in 0..=ACCOUNTS {
                client.read().unwrap();
            }
            client.read().unwrap()
        } else {
            client.command(&mget).unwrap()
        };
        let total = sum(reply.value.items().expect("an array of balances"));
        let by = if by_multi { "MULTI" } else { "MGET" };
        assert_eq!(total, ACCOUNTS as i64 * OPENING, "audit by {by}: money was made or lost");
        counts.audits.fetch_add(1, Ordering::Relaxed);
    }
}

fn run_bank(threads: u32) {
    let seconds = env_number("BANK_SECONDS", 5);
    let seed = env_number("SEED", 1);
    let mut server = Server::shoal(threads);
    let mut mset = vec!["MSET".to_owned()];
    for index in 0..ACCOUNTS {
        mset.extend([account(index), OPENING.to_string()]);
    }
    assert_eq!(server.connect().command(&mset).unwrap().raw, b"+OK\r\n");
    let counts = Counts::default();
    let shared = (&server, &counts);
    let failed = std::thread::scope(|scope| {
        let mut handles = Vec::new();
        for number in 0..CLIENTS {
            handles.push(scope.spawn(move || transfer_loop(shared.0, seed * 1000 + number, shared.1)));
        }
        for by_multi in [false, true] {
            handles.push(scope.spawn(move || audit_loop(shared.0, by_multi, shared.1)));
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(seconds)
            && !handles.iter().any(|handle| handle.is_finished())
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        counts.stop.store(true, Ordering::Relaxed);
        handles.into_iter().filter_map(|handle| handle.join().err()).count()
    });
    server.assert_healthy();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "threads {threads}, seed {seed}, {seconds} s: {} transfers, {} conflicts, {} audits",
        count(&counts.transfers),
        count(&counts.conflicts),
        count(&counts.audits)
    );
    assert_eq!(failed, 0, "clients failed (above), seed {seed}");
    assert!(count(&counts.transfers) > 100 && count(&counts.audits) > 5, "too little happened");
    assert!(count(&counts.conflicts) > 0, "no WATCH ever failed: conflicts were not tested");
}

#[test]
fn money_is_conserved_on_two_cores() {
    run_bank(2);
}

#[test]
fn money_is_conserved_on_three_cores() {
    run_bank(3);
}
