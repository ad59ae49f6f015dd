//! Pub/sub and client-side caching against redis-server: what every connection receives, pushes included.
//!
//! Four connections per server, RESP2 and RESP3 mixed, send one command (or transaction) at a time. Behind it every connection sends a marked PING, and what came
//! before its answer is what the command caused there. Replies must be equal in order, a single push keeps its place among them; several pushes of one step are
//! compared as a set: redis walks hash tables of patterns, and here the keys of a command may live on different cores. So are they where others' messages are redirected to: a broadcast one
//! comes there ahead of the reply that caused it, in redis behind it. Commands whose acknowledgements come in the order of redis' hash tables (UNSUBSCRIBE
//! without a name) are not sent. `SEEDS` (2), `FRAMES` (1500 steps), `SEED`, `THREADS` as in main.

use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::coverage::{Coverage, Outcome};
use crate::support::prng::{Prng, env_number, seeds};
use crate::support::reply::{Value, show};
use crate::support::server::{Plan, Server};

const CONNECTIONS: usize = 4;

/// Four connections to one server.
struct Side {
    clients: Vec<Client>,
    ids: Vec<i64>,
}

/// The frames a step caused on one connection: replies and pushes.
type Frames = Vec<(bool, Vec<u8>)>;

impl Side {
    fn new(server: &Server, protos: &[u8]) -> Side {
        let connect = |proto: &u8| {
            let mut client = server.connect();
            client.run(&format!("HELLO {proto}"));
            client
        };
        let mut clients: Vec<Client> = protos.iter().map(connect).collect();
        let ids = clients.iter_mut().map(|client| match client.run("CLIENT ID") {
            Value::Int(id) => id,
            other => panic!("CLIENT ID: {other:?}"),
        });
        Side { ids: ids.collect(), clients }
    }

    fn send(&mut self, at: usize, lines: &[String]) {
        for line in lines {
            let word = |word: &str| match word.strip_prefix('#') {
                Some(number) => self.ids[number.parse::<usize>().unwrap()].to_string(),
                None => word.to_owned(),
            };
            let words: Vec<String> = line.split(' ').map(word).collect();
            self.clients[at].send(&words).unwrap();
        }
    }

    /// Everything a connection received up to the answer of a marked PING.
    fn frames(&mut self, at: usize, marker: &str) -> Frames {
        self.clients[at].send(&["PING", marker]).unwrap();
        let mut frames = Frames::new();
        loop {
            let reply = self.clients[at].read().unwrap();
            let is_marker = match &reply.value {
                Value::Bulk(text) => text == marker.as_bytes(),
                Value::Array(words) => {
                    words.len() == 2 && words[0].text() == "pong" && words[1].text() == marker
                }
                _ => false,
            };
            if is_marker {
                return frames;
            }
            let is_push = match &reply.value {
                Value::Push(_) => true,
                Value::Array(words) => words.first().is_some_and(|word| word.text().ends_with("message")),
                _ => false,
            };
            frames.push((is_push, self.nameless(reply.raw)));
        }
    }

    /// Client ids differ between the servers.
    fn nameless(&self, raw: Vec<u8>) -> Vec<u8> {
        let mut text = String::from_utf8_lossy(&raw).into_owned();
        for (at, id) in self.ids.iter().enumerate().filter(|(_, id)| **id > 50) {
            text = text.replace(&format!(":{id}\r\n"), &format!(":#{at}\r\n"));
        }
        text.into_bytes()
    }
}

fn name(prng: &mut Prng) -> String {
    prng.pick(&["news", "sport", "weather", "{a}x", "b"]).to_owned()
}

fn key(prng: &mut Prng) -> String {
    prng.pick(&["k1", "k2", "user:1", "user:2", "item", "{a}x"]).to_owned()
}

fn subscription(prng: &mut Prng) -> String {
    let verb = prng.pick(&["SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE", "SSUBSCRIBE", "SUNSUBSCRIBE"]);
    match prng.below(5) {
        0 => format!("{verb} {} {}", name(prng), name(prng)),
        1 => format!("PSUBSCRIBE {}", prng.pick(&["n*", "__key*", "*"])),
        2 => format!("PUNSUBSCRIBE {}", prng.pick(&["n*", "__key*", "*"])),
        _ => format!("{verb} {}", name(prng)),
    }
}

fn tracking(prng: &mut Prng) -> String {
    let mut line = "CLIENT TRACKING on".to_owned();
    match prng.below(12) {
        0..2 => return "CLIENT TRACKING off".to_owned(),
        2 => return "CLIENT TRACKINGINFO".to_owned(),
        3 => return "CLIENT GETREDIR".to_owned(),
        4 => return format!("CLIENT CACHING {}", prng.pick(&["yes", "no", "maybe"])),
        5..7 => line += prng.pick(&[" OPTIN", " OPTOUT", " OPTIN OPTOUT", " BCAST OPTIN"]),
        7 => {
            line += prng.pick(&[" BCAST", " BCAST PREFIX k", " BCAST PREFIX user: PREFIX item", " PREFIX k"])
        }
        8 => {
            line += prng.pick(&[
                " BCAST PREFIX us PREFIX user",
                " BCAST PREFIX k PREFIX us PREFIX user",
                " NOSUCH",
            ])
        }
        _ => {}
    }
    if prng.chance(20) {
        line += " NOLOOP";
    }
    if prng.chance(25) {
        line += &format!(" REDIRECT {}", prng.pick(&["#0", "#1", "#2", "#3", "999999", "x"]));
    }
    line
}

fn data(prng: &mut Prng) -> String {
    let (one, two) = (key(prng), key(prng));
    match prng.below(26) {
        20 => format!("EVAL return(redis.call('get',KEYS[1])) 1 {one}"),
        21 => format!(
            "EVAL return{{redis.call('mget',KEYS[1],KEYS[2]),redis.pcall('incr',KEYS[1])}} 2 {one} {two}"
        ),
        22 => format!(
            "EVAL redis.call('publish','{}','s')return(redis.call('set',KEYS[1],'x')) 1 {one}",
            name(prng)
        ),
        23 => format!(
            "EVAL_RO return(redis.pcall('{}',KEYS[1])) 1 {one}",
            prng.pick(&["get", "set", "strlen", "type"])
        ),
        24 => format!("{} {one} {}", prng.pick(&["RPUSH", "SADD", "LPUSH"]), prng.below(9)),
        25 => format!(
            "{} {one}",
            prng.pick(&["LLEN", "SMEMBERS", "LPOP", "TTL", "TYPE", "PERSIST", "INCR", "GETDEL"])
        ),
        0..5 => format!("GET {one}"),
        5 => format!("MGET {one} {two}"),
        6 => format!("EXISTS {one} {two}"),
        7 => format!("STRLEN {one}"),
        8 => format!("DEL {one} {two}"),
        9 => format!("APPEND {one} x"),
        10 => format!("MSET {one} 1 {two} 2"),
        11 => format!("EXPIRE {one} 1000"),
        12 => format!("COPY {one} {two} REPLACE"),
        13 => format!("RENAME {one} {two}"),
        14 if prng.chance(30) => prng.pick(&["FLUSHALL", "FLUSHDB"]).to_owned(),
        15 => format!("HSET {one} f v"),
        16 => format!("SELECT {}", prng.below(2)),
        _ => format!("SET {one} {}", prng.below(20)),
    }
}

/// One step: a command, or a transaction (unless the connection may be subscribed, or told for another: redis 7.0 then writes messages into the array of EXEC).
fn step(prng: &mut Prng, listens: bool) -> Vec<String> {
    let one = match prng.below(10) {
        0..2 => subscription(prng),
        2 => format!("PUBLISH {} {}", name(prng), prng.below(100)),
        3 => format!("SPUBLISH {} {}", name(prng), prng.below(100)),
        4 => match prng.below(4) {
            0 => format!("PUBSUB NUMSUB {} {}", name(prng), name(prng)),
            1 => format!("PUBSUB SHARDNUMSUB {}", name(prng)),
            2 => "PUBSUB NUMPAT".to_owned(),
            _ => "RESET".to_owned(),
        },
        5..7 => tracking(prng),
        7 if !listens => {
            let mut lines = vec!["MULTI".to_owned()];
            (0..1 + prng.below(4)).for_each(|_| lines.push(data(prng)));
            lines.push("EXEC".to_owned());
            return lines;
        }
        _ => data(prng),
    };
    vec![one]
}

fn pushes(frames: &Frames) -> Vec<&[u8]> {
    frames.iter().filter(|(is_push, _)| *is_push).map(|(_, raw)| &raw[..]).collect()
}

fn equal(ours: &Frames, theirs: &Frames, in_order: bool) -> bool {
    if in_order && pushes(theirs).len() <= 1 {
        return ours == theirs;
    }
    let replies =
        |frames: &Frames| frames.iter().filter(|(is_push, _)| !is_push).cloned().collect::<Frames>();
    let (mut own, mut other) = (pushes(ours), pushes(theirs));
    own.sort_unstable();
    other.sort_unstable();
    own == other && replies(ours) == replies(theirs)
}

fn describe(frames: &Frames) -> String {
    frames.iter().map(|(_, raw)| format!("      {}\n", show(raw, 300))).collect()
}

/// Counts what was sent and whether it was refused.
fn record(coverage: &mut Coverage, lines: &[String], frames: &Frames) {
    let is_refused = frames.iter().any(|(_, raw)| raw.first() == Some(&b'-'));
    for line in lines {
        let mut words = line.split(' ');
        let (name, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let label =
            if ["CLIENT", "PUBSUB"].contains(&name) { format!("{name} {second}") } else { name.to_owned() };
        coverage.record(&label, "(frames)", if is_refused { Outcome::Error } else { Outcome::Value });
    }
}

fn run(seed: u64, threads: u32, steps: u64, coverage: &mut Coverage) -> (u64, u64) {
    let mut prng = Prng::new(seed);
    let (mut ours, mut theirs) = (Plan::shoal(threads).start(), Plan::redis().start());
    let protos: Vec<u8> = (0..CONNECTIONS).map(|_| 2 + prng.below(2) as u8).collect();
    for server in [&ours, &theirs] {
        // Ids above any small number a reply may hold.
        (0..60).for_each(|_| drop(server.connect().run("PING")));
        server.connect().run("CONFIG SET notify-keyspace-events KEA");
    }
    let (mut own, mut other) = (Side::new(&ours, &protos), Side::new(&theirs, &protos));
    let (mut told, mut refused) = (0, 0);
    let mut history = Vec::new();
    let mut listens = [false; CONNECTIONS];
    let mut targets = [false; CONNECTIONS];
    for number in 0..steps {
        let at = prng.index(CONNECTIONS);
        // A subscriber of RESP2 may do little else: it does not stay one for long.
        let is_narrow = listens[at] && protos[at] == 2 && prng.chance(50);
        let lines =
            if is_narrow { vec!["RESET".to_owned()] } else { step(&mut prng, listens[at] || targets[at]) };
        listens[at] = (listens[at] || lines[0].contains("SUBSCRIBE")) && lines[0] != "RESET";
        if let Some((_, target)) = lines[0].split_once("REDIRECT #") {
            targets[target.parse::<usize>().unwrap()] = true;
        }
        own.send(at, &lines);
        other.send(at, &lines);
        history.push(format!("{at}> {}", lines.join(" / ")));
        if lines[0] == "RESET" {
            let hello = [format!("HELLO {}", protos[at])];
            let marker = format!("reset-{number}");
            own.frames(at, &marker);
            other.frames(at, &marker);
            own.send(at, &hello);
            other.send(at, &hello);
            own.frames(at, &marker);
            other.frames(at, &marker);
            continue;
        }
        // The acting connection first: when it has its reply, the others have what it caused, or it is under way.
        for place in std::iter::once(at).chain((0..CONNECTIONS).filter(|&place| place != at)) {
            let marker = format!("marker-{number}");
            let mut expected = other.frames(place, &marker);
            let mut got = own.frames(place, &marker);
            if place == at {
                // Redis broadcasts when everything it has read is done, the marker included.
                expected.extend(other.frames(place, &marker));
                got.extend(own.frames(place, &marker));
            }
            let patience = Instant::now() + Duration::from_millis(300);
            while got.len() < expected.len() && Instant::now() < patience {
                got.extend(own.frames(place, &marker));
            }
            told += pushes(&expected).len() as u64;
            if place == at {
                record(coverage, &lines, &expected);
            }
            refused += (place == at && expected.iter().any(|(_, raw)| raw.first() == Some(&b'-'))) as u64;
            let from = history.len().saturating_sub(env_number("SHOWN", 12) as usize);
            assert!(
                equal(&got, &expected, threads == 1 && !targets[place]),
                "SEED={seed} THREADS={threads} protocols {protos:?}, step {number}, connection {place}\n  ours:\n{}  redis:\n{}  {}",
                describe(&got),
                describe(&expected),
                history[from..].join("\n  ")
            );
        }
    }
    drop((own, other));
    ours.assert_healthy();
    theirs.assert_healthy();
    (told, refused)
}

#[test]
fn pushes_equal_those_of_redis() {
    let steps = env_number("FRAMES", 1500);
    let (mut coverage, mut sums) = (Coverage::default(), (0, 0, 0));
    for seed in seeds(1, env_number("SEEDS", 2)) {
        for threads in [1, 3].into_iter().filter(|&threads| env_number("THREADS", threads) == threads) {
            let (told, refused) = run(seed, threads as u32, steps, &mut coverage);
            println!("seed {seed} threads {threads}: {steps} steps, {refused} refused, {told} pushes");
            sums = (sums.0 + told, sums.1 + refused, sums.2 + steps);
        }
    }
    println!("{}", coverage.table());
    let (told, refused, steps) = sums;
    println!("{steps} steps, {refused} refused, {told} pushes");
    assert!(told * 2 > steps && refused * 100 < steps * 30, "the traffic tests too little");
}
