//! kill -9 amid BGSAVE and saves by `save` points: the file is always whole, a cut, and not older than the last save that was reported.
//!
//! Called by main; `ledger` has the writers. A round is: start, check, write, let save points and BGSAVE do their work, kill at a random instant. No log is
//! kept. What is lost since the file's cut is lost rightly; the writers' invariants hold all the same, and redis-check-rdb finds each file sound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::ledger::{Ledger, Way, audit, open_accounts, transfer_on};
use crate::support::checkers::check_rdb;
use crate::support::client::Client;
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number};
use crate::support::server::{Plan, Server};

/// Other keys, so that a save takes a while.
const FILLER: u64 = 5000;

fn ledgers() -> Vec<Ledger> {
    let ways = [Way::Append, Way::Count, Way::Stride, Way::Transaction, Way::Script, Way::Pair];
    ways.iter().enumerate().map(|(number, way)| Ledger::new(*way, number)).collect()
}

/// Marks, saves and waits, until the connection breaks: the last mark whose save was reported as done.
fn save_on(client: &mut Client, marks: &AtomicU64, saved: &AtomicU64) {
    loop {
        let mark = marks.fetch_add(1, Ordering::Relaxed) + 1;
        let Ok(reply) = client.command(&["SET", "mark", &mark.to_string()]) else { return };
        assert_eq!(reply.value.text(), "OK");
        let Ok(reply) = client.command(&["BGSAVE"]) else { return };
        // A save point may have come before.
        let begun = !reply.value.is_error();
        loop {
            let Ok(info) = client.command(&["INFO", "persistence"]) else { return };
            let text = info.value.text();
            assert!(text.contains("rdb_last_bgsave_status:ok"), "{text}");
            if text.contains("rdb_bgsave_in_progress:0") {
                break;
            }
        }
        if begun {
            saved.store(mark, Ordering::Relaxed);
        }
    }
}

fn write_and_kill(mut server: Server, ledgers: &mut [Ledger], prng: &mut Prng, marks: &AtomicU64) -> u64 {
    let saved = AtomicU64::new(0);
    let pause = Duration::from_micros(60_000 + prng.below(150_000));
    let seeds: Vec<u64> = ledgers.iter().map(|_| prng.next()).collect();
    let mut connections: Vec<_> = ledgers.iter().map(|_| server.connect()).collect();
    let (mut mover, mut saver) = (server.connect(), server.connect());
    let mut movers_prng = Prng::new(prng.next());
    std::thread::scope(|scope| {
        for ((ledger, client), seed) in ledgers.iter_mut().zip(&mut connections).zip(seeds) {
            scope.spawn(move || ledger.write_on(client, &mut Prng::new(seed), 1 + seed % 4));
        }
        scope.spawn(|| transfer_on(&mut mover, &mut movers_prng));
        scope.spawn(|| save_on(&mut saver, marks, &saved));
        std::thread::sleep(pause);
        server.kill();
    });
    saved.into_inner()
}

#[test]
fn a_kill_amid_saves_leaves_a_whole_file_that_is_a_cut() {
    let (seed, rounds) = (env_number("SEED", 1), env_number("ROUNDS", 8));
    let prng = &mut Prng::new(seed);
    let directory = Directory::new("crash-rdb");
    let plan = Plan::shoal(2).args(&["--save", "1 20"]).data(directory.path());
    let (mut ledgers, marks, started) = (ledgers(), AtomicU64::new(0), Instant::now());
    let (mut saved, mut reported) = (0, 0);
    for round in 0..=rounds {
        let what = format!("seed {seed}, round {round}");
        let server = match plan.try_start() {
            Ok(server) => server,
            Err(refusal) => panic!("{what}: does not start after a kill:\n{}", refusal.log),
        };
        let mut client = server.connect();
        if round == 0 {
            open_accounts(&mut client);
            for number in 0..FILLER {
                client.run(&format!("SET filler:{number} {}", "x".repeat(200)));
            }
            assert_eq!(client.run("SAVE").text(), "OK");
        } else {
            check_rdb(&directory.path().join("dump.rdb"));
        }
        audit(&mut client).unwrap_or_else(|error| panic!("{what}: {error}"));
        let mark = client.run("GET mark").text().parse().unwrap_or(0);
        assert!(mark >= saved, "{what}: save {saved} was reported as done, the file is of {mark}");
        for ledger in &mut ledgers {
            let present = ledger.settle(&mut client).unwrap_or_else(|error| panic!("{what}: {error}"));
            (ledger.sent, ledger.acknowledged) = (present, present);
        }
        if round < rounds {
            let last = write_and_kill(server, &mut ledgers, prng, &marks);
            reported += u64::from(last > 0);
            // Without a new one the file is what it was, or of a save that was not reported.
            saved = saved.max(last);
        }
    }
    println!(
        "seed {seed}: {rounds} kills, {} saves begun, {reported} rounds with one reported, {:?}",
        marks.into_inner(),
        started.elapsed()
    );
    assert!(reported > 0, "no save was reported: the test tests nothing");
}
