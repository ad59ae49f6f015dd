//! kill -9, again and again, on one AOF directory: what was acknowledged is there after the restart, and nothing is there by halves.
//!
//! Called by main; `ledger` knows what the writers were told. A round is: start (sometimes killed while starting), check everything, write from
//! several connections, sometimes rewrite, kill at a random instant. Every few rounds redis-server loads a copy of the same directory and must have
//! the same data. kill -9 keeps the page cache: that every reply waited for its fsync is shown elsewhere (simulated storage, trace).

use std::time::{Duration, Instant};

use crate::ledger::{Ledger, Way, audit, open_accounts, transfer_on};
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number};
use crate::support::server::{Plan, Server};

/// With everysec nothing older than a second and one fsync may be lost; a machine under load gets some more.
const EVERYSEC_MS: u128 = 1500;

fn ledgers() -> Vec<Ledger> {
    let ways =
        [Way::Append, Way::Count, Way::Stride, Way::Transaction, Way::Script, Way::Pair, Way::Transaction];
    ways.iter().enumerate().map(|(number, way)| Ledger::new(*way, number)).collect()
}

struct Story {
    plan: Plan,
    directory: Directory,
    prng: Prng,
    always: bool,
    seed: u64,
    ledgers: Vec<Ledger>,
    killed_at: Option<Instant>,
    acknowledged: u64,
}

impl Story {
    fn new(policy: &str, seed: u64) -> Story {
        let directory = Directory::new("crash");
        let rewrites = ["--auto-aof-rewrite-percentage", "60", "--auto-aof-rewrite-min-size", "96kb"];
        let plan = Plan::shoal(2)
            .args(&["--appendonly", "yes", "--appendfsync", policy])
            .args(&rewrites)
            .data(directory.path());
        Story {
            plan,
            directory,
            prng: Prng::new(seed),
            always: policy == "always",
            seed,
            ledgers: ledgers(),
            killed_at: None,
            acknowledged: 0,
        }
    }

    /// Kills a few starts before one succeeds.
    fn start(&mut self) -> Server {
        while self.killed_at.is_some() && self.prng.chance(25) {
            let mut starting = self.plan.spawn();
            std::thread::sleep(Duration::from_micros(self.prng.below(40_000)));
            starting.kill();
        }
        match self.plan.try_start() {
            Ok(server) => server,
            Err(refusal) => panic!("seed {}: does not start after a kill:\n{}", self.seed, refusal.log),
        }
    }

    /// Judges what is there.
    fn check(&mut self, server: &Server, round: u64) {
        let mut client = server.connect();
        let seed = self.seed;
        audit(&mut client).unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
        for ledger in &mut self.ledgers {
            let present = ledger
                .settle(&mut client)
                .unwrap_or_else(|error| panic!("seed {seed}, round {round}: {error}"));
            let lost_from =
                if self.always { Some(ledger.acknowledged) } else { old_enough(ledger, self.killed_at) };
            assert!(
                present >= lost_from.unwrap_or(0),
                "seed {seed}, round {round}: {} has {present} writes, of {} acknowledged{}",
                ledger.name,
                lost_from.unwrap_or(0),
                if self.always { "" } else { " long enough before the kill" }
            );
            // Later numbers go on from what is there.
            (ledger.sent, ledger.acknowledged) = (present, present);
        }
    }

    /// redis-server has the same data from the same files.
    fn compare(&self, server: &Server, files: &Directory, round: u64) {
        let redis = Plan::redis().args(&["--appendonly", "yes"]).data(files.path()).start();
        let digests = [server, &redis].map(|server| server.connect().run("DEBUG DIGEST").text());
        assert_eq!(
            digests[0], digests[1],
            "seed {}, round {round}: redis-server reads something else",
            self.seed
        );
    }

    /// Writes from all connections and kills the server meanwhile.
    fn write_and_kill(&mut self, mut server: Server, write_ms: u64) {
        let seeds: Vec<u64> = self.ledgers.iter().map(|_| self.prng.next()).collect();
        let (pause, rewrite, late_us) =
            (write_ms + self.prng.below(write_ms), self.prng.chance(40), self.prng.below(20_000));
        let ledgers = &mut self.ledgers;
        let before: u64 = ledgers.iter().map(|ledger| ledger.acknowledged).sum();
        let shared = &server;
        let mut mover = shared.connect();
        let mut movers_prng = Prng::new(seeds[0] ^ 1);
        let mut connections: Vec<_> = ledgers.iter().map(|_| shared.connect()).collect();
        let mut commander = shared.connect();
        std::thread::scope(|scope| {
            for ((ledger, client), seed) in ledgers.iter_mut().zip(&mut connections).zip(&seeds) {
                scope.spawn(move || ledger.write_on(client, &mut Prng::new(*seed), 1 + seed % 8));
            }
            scope.spawn(|| transfer_on(&mut mover, &mut movers_prng));
            std::thread::sleep(Duration::from_millis(pause));
            if rewrite {
                commander.run("BGREWRITEAOF");
                std::thread::sleep(Duration::from_micros(late_us));
            }
            server.kill();
            self.killed_at = Some(Instant::now());
        });
        let after: u64 = self.ledgers.iter().map(|ledger| ledger.acknowledged).sum();
        self.acknowledged += after - before;
    }

    fn run(mut self, rounds: u64, write_ms: u64) {
        let (mut rewrites, started) = (0, Instant::now());
        for round in 0..=rounds {
            // Before the start: what the start does to the files is not to be seen by the other server.
            let copy = (round > 0 && round % 4 == 0)
                .then(|| Directory::copy_of("crash-copy", self.directory.path()));
            let server = self.start();
            if round == 0 {
                open_accounts(&mut server.connect());
            }
            self.check(&server, round);
            if let Some(copy) = copy {
                self.compare(&server, &copy, round);
            }
            if round < rounds {
                self.write_and_kill(server, write_ms);
            }
            let bases = self.directory.files().into_keys().filter(|name| name.contains(".base."));
            let numbers = bases.filter_map(|name| name.rsplit('.').nth(2)?.parse::<u64>().ok());
            rewrites = numbers.max().unwrap_or(0).max(rewrites);
        }
        println!(
            "seed {}: {rounds} kills, {} writes acknowledged, base {rewrites}, {:?}",
            self.seed,
            self.acknowledged,
            started.elapsed()
        );
        assert!(self.acknowledged > rounds * 20, "hardly anything was written");
    }
}

/// The last number acknowledged so long before the kill that it must be there.
fn old_enough(ledger: &Ledger, killed_at: Option<Instant>) -> Option<u64> {
    let killed_at = killed_at?;
    let old = ledger.times.iter().filter(|(_, at)| killed_at.duration_since(*at).as_millis() > EVERYSEC_MS);
    old.map(|(number, _)| *number).max()
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9_with_fsync_always() {
    let seed = env_number("SEED", 1);
    Story::new("always", seed).run(env_number("ROUNDS", 8), 80);
}

#[test]
fn with_everysec_only_the_last_second_may_be_lost() {
    let seed = env_number("SEED", 1);
    Story::new("everysec", seed).run(env_number("ROUNDS", 8).div_ceil(4), 1700);
}
