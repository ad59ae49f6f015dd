//! Large values, slow readers, limits of clients, and how long the server is busy with any of them.
//!
//! Values cross the border where the kernel writes into the argument's own buffer, whole, in small pieces, pipelined, and cut off; limits
//! must close whom redis closes and spare the others. `LARGE_MB` (32; the full volume is 100) scales the largest value.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod limits;
mod steps;

use std::time::Duration;

use support::client::{Client, encode, wait_until};
use support::prng::{Prng, env_number};
use support::reply::Value;
use support::server::{Plan, Server};

/// A field of an INFO section; numbers only.
fn info(client: &mut Client, section: &str, field: &str) -> u64 {
    let text = client.run(&format!("INFO {section}")).text();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {field} in {text}"))
}

/// Bytes that show a piece lost, doubled or moved.
fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut prng = Prng::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&prng.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn expect_ok(client: &mut Client) {
    assert_eq!(client.read().unwrap().raw, b"+OK\r\n");
}

fn expect_value(client: &mut Client, value: &[u8]) {
    let reply = client.read().unwrap();
    assert!(reply.value.bytes() == Some(value), "{} bytes came back wrong", value.len());
}

#[test]
fn values_of_every_size_come_back() {
    for threads in [1, 2] {
        let server = Server::shoal(threads);
        let mut client = server.connect();
        client.set_timeout(Duration::from_secs(60)).unwrap();
        let largest = (env_number("LARGE_MB", 32) as usize) << 20;
        let edge = 256 * 1024;
        for (index, len) in [edge - 1, edge, edge + 1, edge + 16 * 1024, 1 << 20, (3 << 20) + 7, largest]
            .into_iter()
            .enumerate()
        {
            let value = pattern(len, index as u64);
            let key = format!("key{index}");
            client.send(&[&b"SET"[..], key.as_bytes(), &value]).unwrap();
            expect_ok(&mut client);
            client.send(&["GET", &key]).unwrap();
            expect_value(&mut client, &value);
        }
        assert_eq!(client.run("STRLEN key6").int(), Some(largest as i64));
    }
}

#[test]
fn large_values_in_pieces_between_small_commands() {
    let seed = env_number("SEED", 1);
    println!("SEED={seed}");
    let mut prng = Prng::new(seed);
    for threads in [1, 2] {
        let server = Server::shoal(threads);
        let mut client = server.connect();
        let values: Vec<Vec<u8>> = (0..6).map(|at| pattern(300_000 + 170_000 * at, at as u64)).collect();
        let mut wire = Vec::new();
        for (at, value) in values.iter().enumerate() {
            let key = format!("k{at}");
            wire.extend(encode(&[&b"SET"[..], key.as_bytes(), value]));
            wire.extend(encode(&["INCR", "count"]));
            wire.extend(encode(&["GET", &key]));
        }
        // Long enough pauses let the server take each piece by itself.
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let piece = (1 + prng.index(200_000)).min(rest.len());
            client.send_raw(&rest[..piece]).unwrap();
            rest = &rest[piece..];
            if prng.chance(30) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        for (at, value) in values.iter().enumerate() {
            expect_ok(&mut client);
            assert_eq!(client.read().unwrap().value.int(), Some(at as i64 + 1));
            expect_value(&mut client, value);
        }
    }
}

#[test]
fn a_pipeline_longer_than_any_buffer_keeps_its_order() {
    for threads in [1, 2] {
        let server = Server::shoal(threads);
        let mut client = server.connect();
        client.set_timeout(Duration::from_secs(60)).unwrap();
        let count = 30_000;
        let wire: Vec<u8> =
            (0..count).flat_map(|at| encode(&["SET", &format!("k{at}"), &format!("{at}")])).collect();
        let gets: Vec<u8> = (0..count).flat_map(|at| encode(&["GET", &format!("k{at}")])).collect();
        client.send_raw(&wire).unwrap();
        (0..count).for_each(|_| expect_ok(&mut client));
        client.send_raw(&gets).unwrap();
        for at in 0..count {
            assert_eq!(client.read().unwrap().value.text(), at.to_string());
        }
    }
}

#[test]
fn connections_that_die_in_the_middle_leave_nothing() {
    for threads in [1, 2] {
        let mut server = Server::shoal(threads);
        let mut control = server.connect();
        control.run("PING");
        let (files, before) = (server.open_sockets(), info(&mut control, "memory", "used_memory"));
        let seed = env_number("SEED", 7);
        println!("SEED={seed}");
        let mut prng = Prng::new(seed);
        let value = pattern(4 << 20, seed);
        for _ in 0..40 {
            let mut client = server.connect();
            client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$33554432\r\n").unwrap();
            client.send_raw(&value[..prng.index(value.len())]).unwrap();
            if prng.chance(50) {
                std::thread::sleep(Duration::from_millis(prng.below(5)));
            }
            if prng.chance(50) {
                control.run("CLIENT KILL TYPE normal");
            }
        }
        assert!(wait_until(Duration::from_secs(10), || server.open_sockets() <= files), "sockets are left");
        let used = || info(&mut server.connect(), "memory", "used_memory");
        assert!(
            wait_until(Duration::from_secs(10), || used() < before + (1 << 20)),
            "{} then {}",
            before,
            used()
        );
        server.assert_healthy();
    }
}

#[test]
fn what_was_asked_before_the_end_of_input_is_answered() {
    for threads in [1, 2] {
        let server = Server::shoal(threads);
        let mut client = server.connect();
        let value = pattern(2 << 20, 3);
        let mut wire = encode(&[&b"SET"[..], b"k", &value]);
        wire.extend(encode(&["GET", "k"]));
        client.send_raw(&wire).unwrap();
        client.finish_sending().unwrap();
        expect_ok(&mut client);
        expect_value(&mut client, &value);
        assert!(client.read_until_closed(Duration::from_secs(5)).unwrap().1, "still open");
    }
}

#[test]
fn used_memory_is_what_the_process_holds() {
    let server = Server::shoal(2);
    let mut client = server.connect();
    let resident = server.resident_kib() * 1024;
    let used = info(&mut client, "memory", "used_memory");
    let value = "x".repeat(100);
    for from in (0..300_000).step_by(1000) {
        let wire: Vec<u8> = (from..from + 1000)
            .flat_map(|at| encode(&["HSET", &format!("key:{at}"), "field", &value]))
            .collect();
        client.send_raw(&wire).unwrap();
        (0..1000).for_each(|_| assert!(matches!(client.read().unwrap().value, Value::Int(1))));
    }
    let used = info(&mut client, "memory", "used_memory") - used;
    let resident = server.resident_kib() * 1024 - resident;
    let share = used as f64 / resident as f64;
    println!("used_memory grew by {used}, the process by {resident}: {share:.3}");
    assert!((0.93..1.05).contains(&share), "{share}");
}
