//! Malformed input: seeded bytes on the socket. The server stays alive, and says what redis says.
//!
//! Part one, deterministic: each input goes over a fresh connection to both servers in one write; everything they answer
//! must be equal byte for byte. Part two: many connections at once send rubbish in
//! pieces and vanish; the server must go on answering. `FUZZ_BYTES` (200,000; the full volume is 10,000,000), `SEED`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::prng::{Prng, env_number};
use support::reply::show;
use support::server::{Plan, Server};

/// An input fits into one read of either server, so that both see it whole.
const INPUT_MAX: usize = 8000;

const WORDS: [&str; 22] = [
    "SET", "GET", "APPEND", "PING", "ECHO", "MULTI", "EXEC", "DEL", "INCR", "MGET", "STRLEN", "EXISTS",
    "HELLO", "NOSUCH", "k1", "k2", "k3", "value", "10", "-1", "2", "3",
];

fn valid_command(prng: &mut Prng) -> Vec<u8> {
    let args: Vec<&str> = (0..1 + prng.index(4)).map(|_| prng.pick(&WORDS)).collect();
    match prng.below(3) {
        0 => [args.join(" ").as_bytes(), b"\r\n"].concat(),
        _ => encode(&args),
    }
}

/// Lengths and headers that parsers get wrong.
fn header(prng: &mut Prng) -> Vec<u8> {
    const LENGTHS: [&str; 18] = [
        "-1",
        "-2",
        "0",
        "1",
        "1048576",
        "1048577",
        "2147483647",
        "2147483648",
        "536870912",
        "536870913",
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "",
        "abc",
        " 1",
        "+1",
    ];
    let mut bytes = prng
        .pick(&["*", "$", "*1\r\n$", "*2\r\n$3\r\nGET\r\n$", "*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$"])
        .as_bytes()
        .to_vec();
    bytes.extend_from_slice(prng.pick(&LENGTHS).as_bytes());
    bytes.extend_from_slice(prng.pick(&["\r\n", "\n", "\r", "", "\r\nx"]).as_bytes());
    bytes
}

fn mutate(prng: &mut Prng, bytes: &mut Vec<u8>) {
    for _ in 0..1 + prng.index(4) {
        let at = prng.index(bytes.len());
        match prng.below(5) {
            _ if bytes.is_empty() => return,
            0 => bytes[at] = prng.next() as u8,
            1 => bytes.insert(at, prng.pick(b"\r\n*$0 -\"'\\\0")),
            2 => {
                bytes.remove(at);
            }
            3 => bytes.truncate(at),
            _ => bytes[at] ^= 1 << prng.index(8),
        }
    }
}

fn input(prng: &mut Prng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + prng.index(12) {
        match prng.below(10) {
            0..5 => bytes.extend(valid_command(prng)),
            5..7 => {
                let mut command = valid_command(prng);
                mutate(prng, &mut command);
                bytes.extend(command);
            }
            7 => bytes.extend(header(prng)),
            8 => {
                let length = prng.index(60);
                bytes.extend(prng.bytes(length));
            }
            _ => {
                let quotes = [
                    "SET k1 \"a\\x41\\n\"\r\n",
                    "SET k1 'a\\'b'\r\n",
                    "GET \"k1\r\n",
                    "GET \"k1\"x\r\n",
                    "\r\n",
                    "\n",
                    "GET 'k",
                ];
                bytes.extend_from_slice(prng.pick(&quotes).as_bytes());
            }
        }
    }
    if prng.chance(2) {
        // An endless inline request, or a multibulk that brings nothing.
        bytes.extend(vec![b'x'; INPUT_MAX]);
    }
    bytes.truncate(INPUT_MAX);
    bytes
}

/// Everything redis says to this input: the writing side is closed behind it, so the end is certain.
fn answer_of_redis(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut client = server.connect();
    let _ = client.send_raw(bytes);
    let _ = client.finish_sending();
    let (answer, _) = client.read_until_closed(Duration::from_secs(5)).unwrap_or_default();
    without_identity(&answer)
}

/// What the server under test says: awaited until it is as long as it should be, then the end as above, for what is too much.
fn answer_of_ours(server: &Server, bytes: &[u8], wanted: usize) -> Vec<u8> {
    let mut client = server.connect();
    let _ = client.send_raw(bytes);
    let mut answer = Vec::new();
    let deadline = Instant::now() + Duration::from_millis(500);
    let mut closed = false;
    while !closed && without_identity(&answer).len() < wanted && Instant::now() < deadline {
        let (more, ended) = client.read_until_closed(Duration::from_millis(1)).unwrap_or_default();
        answer.extend(more);
        closed = ended;
    }
    let _ = client.finish_sending();
    if !closed {
        answer.extend(client.read_until_closed(Duration::from_secs(5)).unwrap_or_default().0);
    }
    without_identity(&answer)
}

/// Commands that only redis has: a mutated word may hit one, and then the answers cannot be equal.
fn missing_commands(ours: &Server, theirs: &Server) -> Vec<String> {
    let list = |server: &Server| -> Vec<String> {
        let names = server.connect().run("COMMAND LIST");
        names.items().unwrap_or(&[]).iter().map(|name| name.text().to_lowercase()).collect()
    };
    let known = list(ours);
    list(theirs).into_iter().filter(|name| !known.contains(name)).collect()
}

fn names_missing_command(answer: &[u8], missing: &[String]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    text.split("unknown command '")
        .skip(1)
        .any(|rest| missing.iter().any(|name| rest.starts_with(&format!("{name}'"))))
}

/// The first lines that differ, without what varies in them: one bug is reported once.
fn first_difference(left: &[u8], right: &[u8]) -> String {
    let lines =
        |bytes: &[u8]| -> Vec<String> { show(bytes, 100_000).split("\\n").map(str::to_owned).collect() };
    let (left, right) = (lines(left), lines(right));
    let at =
        left.iter().zip(&right).position(|(one, other)| one != other).unwrap_or(left.len().min(right.len()));
    let start =
        |lines: &[String]| lines.get(at).map_or_else(String::new, |line| line.chars().take(24).collect());
    format!("{} / {}", start(&left), start(&right))
}

/// HELLO's reply names the server; the rest of an answer does not.
fn without_identity(answer: &[u8]) -> Vec<u8> {
    let mut text = answer.to_vec();
    for field in ["version", "id"] {
        let marker = format!("${}\r\n{field}\r\n", field.len()).into_bytes();
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&text[from..], &marker) {
            let start = from + at + marker.len();
            let lines = if field == "id" { 1 } else { 2 };
            let end = text[start..].iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(lines - 1);
            let Some((length, _)) = end else { break };
            text.drain(start..=start + length);
            from = start;
        }
    }
    text
}

#[test]
fn what_was_sent_before_the_end_is_answered() {
    let mut wire = Vec::new();
    let mut expected = Vec::new();
    for index in 0..200 {
        wire.extend(encode(&["SET", &format!("key:{index}"), "v"]));
        expected.extend_from_slice(b"+OK\r\n");
    }
    for plan in [Plan::redis(), Plan::shoal(1), Plan::shoal(3)] {
        let server = plan.start();
        for _ in 0..20 {
            let answer = answer_of_redis(&server, &wire);
            assert_eq!(
                show(&answer, 5000),
                show(&expected, 5000),
                "replies lost when the client ends its side (`… | nc`)"
            );
        }
    }
}

#[test]
fn answers_equal_those_of_redis() {
    let volume = env_number("FUZZ_BYTES", 200_000) / 2;
    let seed = env_number("SEED", 1);
    let mut prng = Prng::new(seed);
    let (mut ours, theirs) = (Plan::shoal(2).start(), Plan::redis().start());
    let missing = missing_commands(&ours, &theirs);
    let (mut sent, mut inputs, mut differences) = (0, 0u64, BTreeMap::new());
    while sent < volume && differences.len() < 20 {
        let bytes = input(&mut prng);
        sent += bytes.len() as u64;
        inputs += 1;
        if inputs.is_multiple_of(50) {
            for server in [&ours, &theirs] {
                server.connect().run("FLUSHALL");
            }
        }
        let right = answer_of_redis(&theirs, &bytes);
        let left = answer_of_ours(&ours, &bytes, right.len());
        if left != right && !names_missing_command(&left, &missing) {
            let text = format!(
                "input {inputs}: {}\n  ours:   {}\n  theirs: {}",
                show(&bytes, 1500),
                show(&left, 1500),
                show(&right, 1500)
            );
            differences.entry(first_difference(&left, &right)).or_insert(text);
            for server in [&ours, &theirs] {
                server.connect().run("FLUSHALL");
            }
        }
        if inputs.is_multiple_of(20) {
            ours.assert_healthy();
        }
    }
    ours.assert_healthy();
    println!("seed {seed}: {inputs} inputs, {sent} bytes");
    assert!(
        differences.is_empty(),
        "seed {seed}: {} differences\n{}",
        differences.len(),
        differences.into_values().collect::<Vec<_>>().join("\n")
    );
}

fn vandalize(port: u16, seed: u64, volume: u64) {
    let mut prng = Prng::new(seed);
    let mut sent = 0;
    while sent < volume {
        let Ok(mut client) = Client::connect(port) else { panic!("seed {seed}: connection refused") };
        for _ in 0..1 + prng.index(5) {
            let bytes = if prng.chance(30) {
                let length = prng.index(2000);
                prng.bytes(length)
            } else {
                input(&mut prng)
            };
            let cut = if prng.chance(50) { bytes.len() } else { prng.index(bytes.len() + 1) };
            sent += cut as u64;
            if client.send_raw(&bytes[..cut]).is_err() {
                break;
            }
        }
        if prng.chance(50) {
            let _ = client.read_until_closed(Duration::from_millis(2));
        }
    }
}

#[test]
fn rubbish_from_many_connections_does_no_harm() {
    let volume = env_number("FUZZ_BYTES", 200_000) / 2;
    let seed = env_number("SEED", 1);
    let mut server = Plan::shoal(3).start();
    let port = server.port;
    let mut witness = server.connect();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..8)
            .map(|number| scope.spawn(move || vandalize(port, seed * 100 + number, volume / 8)))
            .collect();
        while !handles.iter().all(|handle| handle.is_finished()) {
            assert_eq!(witness.run("PING").text(), "PONG", "seed {seed}");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(server.connect().run("PING").text(), "PONG", "seed {seed}");
    server.assert_healthy();
}
