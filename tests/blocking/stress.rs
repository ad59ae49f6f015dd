//! Three cores under fire: every element pushed is taken exactly once, in order, and nothing ever stands still.
//!
//! Producers push unique elements to queues on all cores; *movers* take them by BLMOVE to lists of their own (so an element of a mover that is killed is not
//! lost with the reply); *poppers* wait in BLPOP over several queues with short time-outs; *thieves* use LPOP and LMPOP; *forwarders* BLMOVE
//! between two queues across cores, in both directions; an executioner kills movers and unblocks forwarders; a bystander runs transactions over all
//! cores. In the end the elements found must be the elements pushed, each queue's elements must have reached each single taker in order, and the effect
//! stream, replayed into a redis-server, must give the same digest. `BLOCKING_SECONDS` (5), `SEED`. Bounds: a client that hears nothing for 10 s is a deadlock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::stream::Stream;
use crate::support::client::{Client, wait_until};
use crate::support::prng::{Prng, env_number};
use crate::support::reply::Value;
use crate::support::server::Server;

const QUEUES: [&str; 5] = ["q:a", "q:b", "q:c", "q:d", "q:e"];

/// What all threads share.
struct Shared {
    port: u16,
    stop: AtomicBool,
    pushed: AtomicU64,
    /// Elements that arrived with a client, per taker in order.
    taken: Mutex<Vec<Vec<String>>>,
    /// Client ids of movers: to be killed.
    movers: Mutex<HashMap<usize, i64>>,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn connect(&self) -> Client {
        Client::connect(self.port).unwrap()
    }

    fn keep(&self, taken: Vec<String>) {
        self.taken.lock().unwrap().push(taken);
    }
}

/// All bulk strings of a reply but the names of queues.
fn elements(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Bulk(_) if !QUEUES.contains(&value.text().as_str()) => into.push(value.text()),
        Value::Array(items) => items.iter().for_each(|item| elements(item, into)),
        Value::Error(text) => panic!("{}", String::from_utf8_lossy(text)),
        _ => {}
    }
}

fn produce(shared: &Shared, number: usize, seed: u64) {
    let (mut client, mut prng) = (shared.connect(), Prng::new(seed));
    let mut next = [0u64; QUEUES.len()];
    while !shared.is_over() {
        let queue = prng.index(QUEUES.len());
        let count = 1 + prng.below(3);
        let words: Vec<String> = (0..count)
            .map(|_| {
                next[queue] += 1;
                format!("{number}.{queue}.{}", next[queue])
            })
            .collect();
        let line = format!("RPUSH {} {}", QUEUES[queue], words.join(" "));
        if prng.chance(20) {
            client.run("MULTI");
            client.run(&line);
            client.run(&format!("INCR pushes:{number}"));
            client.run("EXEC");
        } else {
            client.run(&line);
        }
        shared.pushed.fetch_add(count, Ordering::Relaxed);
        if prng.chance(30) {
            thread::sleep(Duration::from_micros(prng.below(400)));
        }
    }
}

/// Moves elements to a list of its own; connects again when it is killed.
fn move_away(shared: &Shared, number: usize, seed: u64) {
    let mut prng = Prng::new(seed);
    while !shared.is_over() {
        let mut client = shared.connect();
        let Ok(Value::Int(id)) = client.command(&["CLIENT", "ID"]).map(|reply| reply.value) else { continue };
        shared.movers.lock().unwrap().insert(number, id);
        while !shared.is_over() {
            let queue = QUEUES[prng.index(QUEUES.len())];
            let own = format!("own:{number}");
            let line = ["BLMOVE", queue, &own, "LEFT", "RIGHT", "0.05"];
            match client.command(&line) {
                Ok(reply) => assert!(!reply.value.is_error(), "{:?}", reply.value),
                Err(error) if crate::support::client::is_closed(&error) => break,
                Err(error) => panic!("a mover hears nothing: {error}"),
            }
        }
    }
}

fn pop(shared: &Shared, seed: u64) {
    let (mut client, mut prng, mut taken) = (shared.connect(), Prng::new(seed), Vec::new());
    while !shared.is_over() {
        let (first, second) = (prng.index(QUEUES.len()), prng.index(QUEUES.len()));
        let (first, second) = (QUEUES[first], QUEUES[second]);
        let timeout = prng.pick(&["0.001", "0.01", "0.1"]);
        let reply = match prng.below(3) {
            0 => client.command(&["BLPOP", first, second, timeout]),
            1 => client.command(&["BLMPOP", timeout, "2", first, second, "LEFT", "COUNT", "2"]),
            _ => client.command(&["BLPOP", first, timeout]),
        };
        elements(&reply.expect("a popper hears something").value, &mut taken);
    }
    shared.keep(taken);
}

fn steal(shared: &Shared, seed: u64) {
    let (mut client, mut prng, mut taken) = (shared.connect(), Prng::new(seed), Vec::new());
    while !shared.is_over() {
        let queue = QUEUES[prng.index(QUEUES.len())];
        let reply = match prng.chance(50) {
            true => client.command(&["LPOP", queue]),
            false => client.command(&["LMPOP", "2", queue, "q:a", "LEFT", "COUNT", "2"]),
        };
        elements(&reply.expect("a thief hears something").value, &mut taken);
        thread::sleep(Duration::from_micros(prng.below(2000)));
    }
    shared.keep(taken);
}

/// Two of these with the queues swapped wait for each other's cores all the time.
fn forward(shared: &Shared, from: &str, to: &str) {
    let mut client = shared.connect();
    while !shared.is_over() {
        let reply =
            client.command(&["BLMOVE", from, to, "LEFT", "RIGHT", "0.02"]).expect("a forwarder hears");
        assert!(!reply.value.is_error(), "{:?}", reply.value);
    }
}

fn execute(shared: &Shared, seed: u64) {
    let (mut client, mut prng) = (shared.connect(), Prng::new(seed));
    while !shared.is_over() {
        thread::sleep(Duration::from_millis(1 + prng.below(20)));
        let victims: Vec<i64> = shared.movers.lock().unwrap().values().copied().collect();
        if let Some(id) = victims.get(prng.index(victims.len().max(1))) {
            match prng.chance(50) {
                true => client.run(&format!("CLIENT KILL ID {id}")),
                false => client.run(&format!("CLIENT UNBLOCK {id}")),
            };
        }
    }
}

fn stand_by(shared: &Shared, seed: u64) {
    let (mut client, mut prng) = (shared.connect(), Prng::new(seed));
    while !shared.is_over() {
        client.run("MULTI");
        for queue in QUEUES {
            client.run(&format!("LLEN {queue}"));
        }
        client.run(&format!("LMOVE {} {} LEFT RIGHT", QUEUES[prng.index(5)], QUEUES[prng.index(5)]));
        let reply = client.run("EXEC");
        assert_eq!(reply.items().map(<[Value]>::len), Some(6), "{reply:?}");
    }
}

fn rage(server: &Server, seed: u64) -> Arc<Shared> {
    let shared = Arc::new(Shared {
        port: server.port,
        stop: AtomicBool::new(false),
        pushed: AtomicU64::new(0),
        taken: Mutex::default(),
        movers: Mutex::default(),
    });
    let mut threads = Vec::new();
    let mut spawn = |body: Box<dyn FnOnce(&Shared) + Send>| {
        let shared = Arc::clone(&shared);
        threads.push(thread::spawn(move || body(&shared)));
    };
    for number in 0..3 {
        spawn(Box::new(move |shared| produce(shared, number, seed + number as u64)));
    }
    for number in 0..8 {
        spawn(Box::new(move |shared| move_away(shared, number, seed + 100 + number as u64)));
        spawn(Box::new(move |shared| pop(shared, seed + 200 + number as u64)));
    }
    spawn(Box::new(move |shared| steal(shared, seed + 300)));
    spawn(Box::new(|shared| forward(shared, "q:a", "q:c")));
    spawn(Box::new(|shared| forward(shared, "q:c", "q:a")));
    spawn(Box::new(|shared| forward(shared, "q:b", "q:e")));
    spawn(Box::new(|shared| forward(shared, "q:e", "q:b")));
    spawn(Box::new(move |shared| execute(shared, seed + 400)));
    spawn(Box::new(move |shared| stand_by(shared, seed + 500)));
    let until = Instant::now() + Duration::from_secs(env_number("BLOCKING_SECONDS", 5));
    while Instant::now() < until && threads.iter().all(|thread| !thread.is_finished()) {
        thread::sleep(Duration::from_millis(50));
    }
    shared.stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("a thread failed: see above");
    }
    shared
}

/// Everything that is still on the server.
fn rest_of(server: &Server) -> Vec<String> {
    let mut client = server.connect();
    let owns = (0..8).map(|number| format!("own:{number}"));
    let mut found = Vec::new();
    for name in QUEUES.iter().map(|name| (*name).to_owned()).chain(owns) {
        elements(&client.run(&format!("LRANGE {name} 0 -1")), &mut found);
    }
    found
}

fn digest(server: &Server) -> String {
    server.connect().run("DEBUG DIGEST").text()
}

#[test]
fn no_element_is_lost_or_doubled() {
    let seed = env_number("SEED", 1);
    println!("SEED={seed}");
    let mut server = Server::shoal(3);
    server.connect().run("CONFIG SET repl-backlog-size 256mb");
    let mut stream = Stream::start(&server);
    let shared = rage(&server, seed);
    let mut control = server.connect();
    let rests = || control.run("INFO clients").text().contains("blocked_clients:0\r\n");
    assert!(wait_until(Duration::from_secs(5), rests), "somebody waits who is gone");
    assert!(control.run("INFO clients").text().contains("total_blocking_keys:0\r\n"));
    let mut found = rest_of(&server);
    let left = found.len();
    found.extend(shared.taken.lock().unwrap().iter().flatten().cloned());
    let pushed = shared.pushed.load(Ordering::Relaxed);
    println!("{pushed} pushed, {left} left on the server");
    let mut unique = found.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), found.len(), "SEED={seed}: elements came twice");
    assert_eq!(found.len() as u64, pushed, "SEED={seed}: elements were lost");
    replay(&server, &mut stream, seed);
    server.assert_healthy();
}

/// The effects, executed by a redis-server, give the same data.
fn replay(server: &Server, stream: &mut Stream, seed: u64) {
    let effects = stream.read_effects();
    let peer = Server::redis();
    let mut client = peer.connect();
    for (at, effect) in effects.iter().enumerate() {
        client.send(&effect.args).unwrap();
        if at % 64 == 63 || at + 1 == effects.len() {
            for _ in 0..=at % 64 {
                let reply = client.read().unwrap();
                assert!(!reply.value.is_error() && !reply.value.is_null(), "{effect:?}: {:?}", reply.value);
            }
        }
    }
    println!("{} effects replayed", effects.len());
    assert_eq!(digest(&peer), digest(server), "SEED={seed}");
}

/// Queues that only one producer and takers at the other end touch keep their order.
#[test]
fn waiters_of_one_key_are_served_in_order_of_arrival() {
    let server = Server::shoal(3);
    let mut control = server.connect();
    let mut clients: Vec<Client> = (0..60).map(|_| server.connect()).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        client.send(&["BLPOP", "k", "never", "0"]).unwrap();
        let wanted = format!("blocked_clients:{}\r\n", at + 1);
        assert!(wait_until(Duration::from_secs(5), || control.run("INFO clients").text().contains(&wanted)));
    }
    let words: Vec<String> = (0..60).map(|at| format!("e{at}")).collect();
    control.run(&format!("RPUSH k {}", words.join(" ")));
    for (at, client) in clients.iter_mut().enumerate() {
        let mut got = Vec::new();
        elements(&client.read().unwrap().value, &mut got);
        assert_eq!(got, ["k".to_owned(), format!("e{at}")]);
    }
}

/// Time-outs are never early and not much late, whatever the core.
#[test]
fn time_outs_are_exact() {
    let server = Server::shoal(3);
    for wait_ms in [1u64, 15, 120] {
        for _ in 0..4 {
            let mut client = server.connect();
            client.run("PING");
            let (began, timeout) = (Instant::now(), format!("{}", wait_ms as f64 / 1000.0));
            let reply = client.command(&["BLPOP", "a", "b", "c", &timeout]).unwrap();
            let took = began.elapsed();
            assert_eq!(reply.value, Value::NullArray);
            assert!(took >= Duration::from_millis(wait_ms), "{took:?} for {wait_ms} ms");
            assert!(took < Duration::from_millis(wait_ms + 500), "{took:?} for {wait_ms} ms");
        }
    }
}
