//! Transcripts of real servers for commands newer than redis 7.0, replayed: every reply must be the recorded one, byte for byte.
//!
//! `tests/fixtures/golden/*.jsonl`: one JSON object a line, `{"cmd": [...], "reply": …}` with bytes as latin-1; `{"restart": true}` begins anew on
//! an empty server. What depends on the moment (a remaining time) is compared as a number in its range; see `depends_on_time`.
//! `THREADS` (1 and 3) narrows it. A command that the server does not list yet is left out and printed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use support::client::Client;
use support::prng::env_number;
use support::reply::show;
use support::server::{Plan, Server};

const DIFFERENCES_MAX: usize = 15;

fn bytes(text: &Json) -> Vec<u8> {
    text.as_str().unwrap().chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

fn fresh(threads: u64, proto: u8) -> (Server, Client) {
    let server = Plan::shoal(threads as u32).start();
    let mut client = server.connect();
    if proto == 3 {
        client.run("HELLO 3");
    }
    (server, client)
}

/// A remaining time: what was left when it was recorded is more than what is left now, and not all of it is gone.
fn depends_on_time(words: &[Vec<u8>], reply: &[u8], recorded: &[u8]) -> bool {
    let name = String::from_utf8_lossy(&words[0]).to_uppercase();
    if !matches!(name.as_str(), "HTTL" | "HPTTL" | "TTL" | "PTTL") {
        return false;
    }
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes).split("\r\n").map(str::to_owned).collect()
    };
    let (reply, recorded) = (lines(reply), lines(recorded));
    let near = |(own, then): (&String, &String)| {
        let number = |text: &String| text.strip_prefix(':').and_then(|digits| digits.parse::<i64>().ok());
        match (number(own), number(then)) {
            (Some(own), Some(then)) if then > 0 => own > 0 && own <= then + then / 100,
            _ => own == then,
        }
    };
    reply.len() == recorded.len() && reply.iter().zip(&recorded).all(near)
}

/// Replays one file; the differences by command, one each, and how many lines were compared.
fn replay(path: &Path, threads: u64) -> (BTreeMap<String, String>, usize) {
    let proto = if path.to_string_lossy().contains("resp3") { 3 } else { 2 };
    let (mut server, mut client) = fresh(threads, proto);
    let (mut differences, mut compared) = (BTreeMap::new(), 0);
    for (number, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
        let line: Json = serde_json::from_str(line).unwrap();
        if line.get("restart").is_some() {
            drop(client);
            server.assert_healthy();
            drop(server);
            (server, client) = fresh(threads, proto);
            continue;
        }
        let words: Vec<Vec<u8>> = line["cmd"].as_array().unwrap().iter().map(bytes).collect();
        let recorded = bytes(&line["reply"]);
        let reply = client.command(&words).unwrap_or_else(|error| panic!("line {}: {error}", number + 1));
        compared += 1;
        if reply.raw != recorded && !depends_on_time(&words, &reply.raw, &recorded) {
            let text: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            let (ours, theirs) = (show(&reply.raw, 300), show(&recorded, 300));
            let entry =
                format!("line {}: {}\n  ours:     {ours}\n  recorded: {theirs}", number + 1, text.join(" "));
            differences.entry(text[0].clone()).or_insert(entry);
        }
    }
    server.assert_healthy();
    (differences, compared)
}

fn replay_all(prefix: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with(prefix) {
            continue;
        }
        count += 1;
        let all = env_number("THREADS", 0);
        for threads in if all == 0 { vec![1, 3] } else { vec![all] } {
            let (differences, compared) = replay(&path, threads);
            println!("{} on {threads} threads: {compared} replies compared", path.display());
            let shown: Vec<_> = differences.values().take(DIFFERENCES_MAX).cloned().collect();
            assert!(differences.is_empty(), "{} on {threads} threads:\n{}", path.display(), shown.join("\n"));
        }
    }
    assert_eq!(count, 2, "a RESP2 and a RESP3 transcript");
}

#[test]
fn hash_field_expiry_is_as_recorded() {
    replay_all("hash-field-expiry");
}

#[test]
fn additions_of_7_0_and_7_2_are_as_recorded() {
    replay_all("since-7.0-and-7.2");
}
