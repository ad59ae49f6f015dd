//! `objects`: resident bytes per small collection: 10-field hashes, 20-element lists, 50-element integer sets, 20-member sorted sets, 100-entry streams.
//!
//! 100,000 of one type in a fresh server per sample; resident memory before the fill is taken off, so the key and its place in the table are
//! counted. Bar (issue 3): 0.85 of the peer.

use std::time::Duration;

use crate::Outcome;
use crate::account::resident_bytes;
use crate::bench::{Bench, Side};
use crate::client;
use crate::report::{OBJECT_BYTES, Report};
use crate::server::Server;

const COUNT: u64 = 100_000;
const BAR: f64 = 0.85;

/// Makes the commands that fill one object.
type Fill = fn(u64, &mut Vec<u8>) -> usize;

const KINDS: &[(&str, Fill)] = &[
    ("hash of 10 fields", fill_hash),
    ("list of 20 elements", fill_list),
    ("set of 50 integers", fill_set),
    ("zset of 20 members", fill_zset),
    ("stream of 100 entries", fill_stream),
];

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let count = bench.scaled(COUNT, 1_000);
    for _ in 0..bench.options.pairs {
        for (name, fill) in KINDS {
            for side in [Side::Ours, Side::Peer] {
                let server = Server::start(&bench.setup(side))?;
                let empty = resident_bytes(server.pid())?;
                fill_all(&server, count, *fill)?;
                std::thread::sleep(Duration::from_millis(1500));
                let grown = resident_bytes(server.pid())?.saturating_sub(empty);
                report.add(side, name, OBJECT_BYTES, grown as f64 / count as f64);
                report.set_bar(name, OBJECT_BYTES, BAR);
            }
        }
    }
    Ok(())
}

fn fill_all(server: &Server, count: u64, fill: Fill) -> Outcome<()> {
    let mut client = server.client()?;
    let (mut batch, mut commands) = (Vec::new(), 0);
    for object in 0..count {
        commands += fill(object, &mut batch);
        if batch.len() > 256 * 1024 || object + 1 == count {
            client.pipeline(&batch, commands)?;
            batch.clear();
            commands = 0;
        }
    }
    let held = client.integer(&[b"DBSIZE"])?;
    if held == count as i64 { Ok(()) } else { Err(format!("{held} keys after {count} objects").into()) }
}

fn push(batch: &mut Vec<u8>, name: &str, object: u64, words: &[String]) -> usize {
    let key = format!("object:{object:09}");
    let mut args: Vec<&[u8]> = vec![name.as_bytes(), key.as_bytes()];
    args.extend(words.iter().map(String::as_bytes));
    batch.extend_from_slice(&client::encode(&args));
    1
}

fn fill_hash(object: u64, batch: &mut Vec<u8>) -> usize {
    let words: Vec<String> = (0..10)
        .flat_map(|field| [format!("field{field}"), format!("value{:08}", object * 10 + field)])
        .collect();
    push(batch, "HSET", object, &words)
}

fn fill_list(object: u64, batch: &mut Vec<u8>) -> usize {
    let words: Vec<String> = (0..20).map(|index| format!("element:{:08}", object * 20 + index)).collect();
    push(batch, "RPUSH", object, &words)
}

fn fill_set(object: u64, batch: &mut Vec<u8>) -> usize {
    let words: Vec<String> = (0..50).map(|index| (object * 50 + index * 7).to_string()).collect();
    push(batch, "SADD", object, &words)
}

fn fill_zset(object: u64, batch: &mut Vec<u8>) -> usize {
    let words: Vec<String> = (0..20)
        .flat_map(|index| [format!("{}.5", index * 3), format!("member:{:08}", object * 20 + index)])
        .collect();
    push(batch, "ZADD", object, &words)
}

fn fill_stream(object: u64, batch: &mut Vec<u8>) -> usize {
    for entry in 0..100 {
        let words =
            [format!("{}-0", 1_700_000_000_000 + entry), "sensor".into(), format!("{:08}", object + entry)];
        push(batch, "XADD", object, &words);
    }
    100
}
