//! Client-side caching stays coherent: when the dust has settled, no cache holds a value that the server does not.
//!
//! Several RESP3 clients keep caches as a client library would (a reply is cached, an invalidation drops it) in all modes, over pipelines, MULTI, MGET, keys that expire and
//! FLUSHALL, while writers change the same keys; three cores, so a read, a write and the client are at home in different places. A cached value that differs at the end was
//! overtaken by its own invalidation, or never invalidated. `SEEDS` (3), `SEED=n` replays one, `CACHING_STEPS` (400 per client).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::client::{Client, encode};
use support::prng::{Prng, env_number, seeds};
use support::reply::Value;
use support::server::Server;

const KEYS: u64 = 40;
const READERS: usize = 6;
const WRITERS: usize = 3;

fn key(prng: &mut Prng) -> String {
    format!("k{}", prng.below(KEYS))
}

/// What a reply that is still to come will say.
enum Asked {
    /// Values of these keys, in an array if there are several.
    Keys(Vec<String>),
    /// Nothing to cache.
    Other,
    /// EXEC, whose one command asks for this key.
    Exec(String),
}

struct Reader {
    client: Client,
    asked: VecDeque<Asked>,
    cache: BTreeMap<String, Option<Vec<u8>>>,
    optin: bool,
    invalidations: usize,
}

impl Reader {
    fn new(server: &Server, number: usize) -> Reader {
        let mut client = server.connect();
        client.run("HELLO 3");
        let modes = [
            "on",
            "on NOLOOP",
            "on OPTIN",
            "on BCAST",
            "on BCAST PREFIX k1 PREFIX k2 PREFIX k3",
            "on OPTOUT",
        ];
        let mode = modes[number % modes.len()];
        assert_eq!(client.run(&format!("CLIENT TRACKING {mode}")).text(), "OK", "{mode}");
        Reader {
            client,
            asked: VecDeque::new(),
            cache: BTreeMap::new(),
            optin: mode.contains("OPTIN"),
            invalidations: 0,
        }
    }

    /// Sends a few reads, and now and then an own write, as one pipeline.
    fn send(&mut self, prng: &mut Prng) {
        let mut wire = Vec::new();
        for _ in 0..1 + prng.below(6) {
            if self.optin {
                wire.extend(encode(&["CLIENT", "CACHING", "yes"]));
                self.asked.push_back(Asked::Other);
            }
            let name = key(prng);
            match prng.below(10) {
                0 => {
                    let names = [name, key(prng), key(prng)];
                    wire.extend(encode(&["MGET", &names[0], &names[1], &names[2]]));
                    self.asked.push_back(Asked::Keys(names.to_vec()));
                }
                1 => {
                    wire.extend(encode(&["MULTI"]));
                    wire.extend(encode(&["GET", &name]));
                    wire.extend(encode(&["EXEC"]));
                    self.asked.extend([Asked::Other, Asked::Other, Asked::Exec(name)]);
                }
                2 => {
                    // With NOLOOP a client is not told of its own writes: it drops what it wrote itself.
                    wire.extend(encode(&["SET", &name, &prng.next().to_string()]));
                    self.asked.push_back(Asked::Keys(vec![format!("!{name}")]));
                }
                _ => {
                    wire.extend(encode(&["GET", &name]));
                    self.asked.push_back(Asked::Keys(vec![name]));
                }
            }
        }
        self.client.send_raw(&wire).unwrap();
    }

    /// Takes everything that was asked for, and what comes between.
    fn receive(&mut self) {
        while !self.asked.is_empty() {
            let reply = self.client.read().unwrap();
            self.take(reply.value);
        }
    }

    fn take(&mut self, value: Value) {
        if let Value::Push(words) = value {
            return self.invalidate(&words);
        }
        match (self.asked.pop_front().unwrap(), value) {
            (Asked::Other, _) => {}
            (Asked::Keys(names), Value::Array(values)) => {
                names.into_iter().zip(values).for_each(|(name, value)| self.remember(name, value));
            }
            (Asked::Keys(names), value) => match names[0].strip_prefix('!') {
                Some(own) => drop(self.cache.remove(own)),
                None => self.remember(names[0].clone(), value),
            },
            (Asked::Exec(name), Value::Array(mut values)) => self.remember(name, values.remove(0)),
            (Asked::Exec(_), other) => panic!("EXEC gave {other:?}"),
        }
    }

    fn remember(&mut self, name: String, value: Value) {
        let value = match value {
            Value::Bulk(bytes) => Some(bytes),
            Value::Null => None,
            other => panic!("{name} is {other:?}"),
        };
        self.cache.insert(name, value);
    }

    fn invalidate(&mut self, words: &[Value]) {
        self.invalidations += 1;
        assert_eq!(words[0].text(), "invalidate");
        match &words[1] {
            Value::Array(keys) => keys.iter().for_each(|key| drop(self.cache.remove(&key.text()))),
            _ => self.cache.clear(),
        }
    }

    /// Reads what still comes until nothing does.
    fn settle(&mut self) {
        self.client.send(&["PING"]).unwrap();
        self.asked.push_back(Asked::Other);
        self.receive();
        while !self.client.is_silent(Duration::from_millis(50)) {
            let reply = self.client.read().unwrap();
            self.take(reply.value);
        }
    }
}

fn write_randomly(server: &Server, seed: u64, readers_left: &AtomicUsize) {
    let (mut client, mut prng) = (server.connect(), Prng::new(seed));
    while readers_left.load(Ordering::Relaxed) > 0 {
        let (name, other, value) = (key(&mut prng), key(&mut prng), prng.next().to_string());
        let line = match prng.below(40) {
            0 => "FLUSHALL".to_owned(),
            1..4 => format!("SET {name} {value} PX {}", 1 + prng.below(5)),
            4..8 => format!("DEL {name} {other}"),
            8..12 => format!("MSET {name} {value} {other} {value}"),
            12..14 => format!("APPEND {name} x"),
            14..16 => {
                client.run("MULTI");
                client.run(&format!("SET {name} {value}"));
                client.run(&format!("SET {other} {value}"));
                "EXEC".to_owned()
            }
            16 => format!("COPY {name} {other} REPLACE"),
            17 => format!("PEXPIRE {name} 3"),
            _ => format!("SET {name} {value}"),
        };
        client.run(&line);
    }
}

fn one_seed(server: &Server, seed: u64, steps: u64) -> usize {
    let readers_left = AtomicUsize::new(READERS);
    let mut readers: Vec<Reader> = (0..READERS).map(|number| Reader::new(server, number)).collect();
    std::thread::scope(|scope| {
        for (number, reader) in readers.iter_mut().enumerate() {
            let readers_left = &readers_left;
            scope.spawn(move || {
                let mut prng = Prng::new(seed ^ ((number as u64 + 1) << 32));
                for _ in 0..steps {
                    reader.send(&mut prng);
                    reader.receive();
                }
                readers_left.fetch_sub(1, Ordering::Relaxed);
            });
        }
        for number in 0..WRITERS {
            let readers_left = &readers_left;
            scope.spawn(move || write_randomly(server, seed ^ ((number as u64 + 100) << 32), readers_left));
        }
    });
    // What was set to expire is gone now, and whoever read it has been told.
    std::thread::sleep(Duration::from_millis(300));
    let mut judge = server.connect();
    judge.run("HELLO 3");
    let mut told = 0;
    for (number, reader) in readers.iter_mut().enumerate() {
        reader.settle();
        told += reader.invalidations;
        for (name, cached) in &reader.cache {
            let now = match judge.run(&format!("GET {name}")) {
                Value::Bulk(bytes) => Some(bytes),
                _ => None,
            };
            // Prefixes of that client do not cover all keys; the others it may cache for ever.
            let covered = number % 6 != 4 || ["k1", "k2", "k3"].iter().any(|prefix| name.starts_with(prefix));
            // OPTOUT and OPTIN readers in this test ask for every key to be tracked.
            assert!(
                !covered || *cached == now,
                "seed {seed}: reader {number} holds {name} = {cached:?}, it is {now:?}"
            );
        }
    }
    told
}

#[test]
fn caches_are_right_when_the_dust_has_settled() {
    let steps = env_number("CACHING_STEPS", 400);
    for threads in [3, 1] {
        let mut server = Server::shoal(threads);
        for seed in seeds(1, env_number("SEEDS", 3)) {
            println!("threads {threads} SEED={seed}");
            let told = one_seed(&server, seed, steps);
            assert!(told > steps as usize, "seed {seed}: {told} invalidations are too few to prove anything");
        }
        server.assert_healthy();
    }
}

#[test]
fn a_small_table_gives_keys_up_and_stays_coherent() {
    let mut server = support::server::Plan::shoal(3).args(&["--tracking-table-max-keys", "6"]).start();
    for seed in seeds(1, 1) {
        println!("SEED={seed}");
        one_seed(&server, seed, env_number("CACHING_STEPS", 400) / 2);
    }
    let info = server.connect().run("INFO stats").text();
    let keys =
        info.lines().find_map(|line| line.strip_prefix("tracking_total_keys:")).unwrap().trim().to_owned();
    assert!(keys.parse::<u64>().unwrap() <= 6, "{keys} keys are tracked");
    server.assert_healthy();
}
