//! Strict serializability: seeded concurrent transactions over several cores, their history searched for dependency cycles.
//!
//! `SERIAL_SEEDS` (5; the full run is 100), `SEED`. The checker is tested on hand-made anomalies (`anomalies.rs`), the whole
//! chain on transactions sent without MULTI, and on deliberately broken servers when the crate feature `test-switches` is on: the server
//! then honours `SHOAL_TEST_BREAK=unlock-early|skip-lock|stale-watch`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
mod anomalies;
mod checker;
mod history;
mod workload;

use support::prng::{env_number, seeds};
use support::server::{Plan, Server};
use workload::Volume;

const VOLUME: Volume = Volume { clients: 8, keys: 6, transactions: 250, without_multi: false };

/// Runs seeds until one shows an anomaly; its name and proof.
fn first_anomaly(server: &Server, seeds: Vec<u64>, volume: Volume) -> Option<String> {
    for seed in seeds {
        let history = workload::record(server, seed, volume);
        let count = history.len();
        let found = checker::check(&history);
        if let Some(first) = found.first() {
            let names: Vec<&str> = found.iter().take(5).map(|anomaly| anomaly.name.as_str()).collect();
            return Some(format!(
                "seed {seed}: {count} transactions, {} anomalies {names:?}: {}",
                found.len(),
                first.proof
            ));
        }
        server.connect().run("FLUSHALL");
    }
    None
}

#[test]
fn histories_are_strictly_serializable() {
    let count = env_number("SERIAL_SEEDS", 5);
    for threads in [3, 2] {
        let mut server = Server::shoal(threads);
        let found = first_anomaly(&server, seeds(1, count), VOLUME);
        server.assert_healthy();
        assert!(found.is_none(), "threads {threads}: {}", found.unwrap_or_default());
    }
}

#[test]
fn transactions_without_multi_are_caught() {
    let server = Plan::redis().start();
    let volume = Volume { without_multi: true, ..VOLUME };
    let found = first_anomaly(&server, (1..20).collect(), volume).expect("the checker saw nothing");
    println!("{}", found.lines().next().unwrap_or_default());
}

/// Each broken build must be caught within 50 seeds.
#[cfg(feature = "test-switches")]
#[test]
fn broken_builds_are_caught() {
    for switch in ["unlock-early", "skip-lock", "stale-watch"] {
        let server = Plan::shoal(3).env("SHOAL_TEST_BREAK", switch).start();
        let found = first_anomaly(&server, (1..50).collect(), VOLUME);
        let found = found.unwrap_or_else(|| panic!("{switch}: the checker saw nothing in 50 seeds"));
        println!("{switch}: {}", found.lines().next().unwrap_or_default());
    }
}
