//! Byte-exact command tests: the tables `*.txt` of this directory, run against the server under test and redis-server alike.
//!
//! Every table is delivered in three ways: command by command, cut at every byte, and (where a case uses one connection and does not
//! wait) as one pipeline. That redis-server passes the same table is what makes the expected replies the contract; cases of commands
//! that it does not have are tagged `@shoal`, and commands the server under test does not list yet are printed as missing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod scan;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use support::client::{Client, is_closed};
use support::reply::show;
use support::server::{Plan, Server};
use table::{Case, Expected, Step};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Delivery {
    Whole,
    ByteByByte,
    Pipeline,
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/commands");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty(), "no tables");
    let only = std::env::var("CASE").unwrap_or_default();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        table::parse(&name, &fs::read_to_string(path).unwrap())
    };
    files.iter().flat_map(read).filter(|case| case.name.contains(&only)).collect()
}

fn can_pipeline(case: &Case) -> bool {
    !case.tags.iter().any(|tag| tag == "@serial")
        && case.steps.iter().all(|(_, step)| match step {
            Step::Send(connection, _) => *connection == 'A',
            Step::Expect(_, expected) => !matches!(expected, Expected::Closed | Expected::Silent),
            Step::Sleep(_) => false,
        })
}

/// Runs one case; the first mismatch as text.
fn run_case(server: &Server, case: &Case, delivery: Delivery) -> Result<(), String> {
    let mut admin = server.connect();
    admin.run("FLUSHALL");
    admin.run("CONFIG SET hash-max-listpack-entries 128 hash-max-listpack-value 64 maxmemory 0 maxmemory-policy noeviction");
    let mut clients: BTreeMap<char, Client> = BTreeMap::new();
    if delivery == Delivery::Pipeline {
        let all: Vec<u8> = case.steps.iter().flat_map(|(_, step)| sent_bytes(step)).collect();
        let client = clients.entry('A').or_insert_with(|| server.connect());
        client.send_raw(&all).map_err(|error| format!("send: {error}"))?;
    }
    for (number, step) in &case.steps {
        let at = |why: String| format!("line {number}: {why}");
        match step {
            Step::Sleep(ms) => std::thread::sleep(Duration::from_millis(*ms)),
            Step::Send(connection, bytes) => {
                let client = clients.entry(*connection).or_insert_with(|| server.connect());
                match delivery {
                    Delivery::Whole => client.send_raw(bytes).map_err(|error| at(error.to_string()))?,
                    Delivery::ByteByByte if bytes.len() < 4000 => {
                        for byte in bytes {
                            client.send_raw(&[*byte]).map_err(|error| at(error.to_string()))?;
                        }
                    }
                    Delivery::ByteByByte => client.send_raw(bytes).map_err(|error| at(error.to_string()))?,
                    Delivery::Pipeline => {}
                }
            }
            Step::Expect(connection, expected) => {
                let client = clients.entry(*connection).or_insert_with(|| server.connect());
                expect(client, expected).map_err(at)?;
            }
        }
    }
    for (connection, client) in &mut clients {
        if !client.is_silent(Duration::from_millis(1)) && !ends_closed(case, *connection) {
            return Err(format!("connection {connection}: more replies than the table lists (or closed)"));
        }
    }
    Ok(())
}

fn sent_bytes(step: &Step) -> Vec<u8> {
    if let Step::Send(_, bytes) = step { bytes.clone() } else { Vec::new() }
}

fn ends_closed(case: &Case, connection: char) -> bool {
    case.steps.iter().any(|(_, step)| matches!(step, Step::Expect(on, Expected::Closed) if *on == connection))
}

fn expect(client: &mut Client, expected: &Expected) -> Result<(), String> {
    match expected {
        Expected::Silent => match client.is_silent(Duration::from_millis(60)) {
            true => Ok(()),
            false => Err("expected silence".to_owned()),
        },
        Expected::Closed => match client.read() {
            Err(error) if is_closed(&error) => Ok(()),
            Err(error) => Err(format!("expected a close: {error}")),
            Ok(reply) => Err(format!("expected a close, got {}", show(&reply.raw, 300))),
        },
        _ => {
            let reply = client.read().map_err(|error| format!("expected {expected:?}: {error}"))?;
            table::judge(expected, &reply.raw, &reply.value).map_or(Ok(()), Err)
        }
    }
}

fn run_tables(plan: Plan, own_tag: &str, other_tag: &str) {
    let (mut failures, mut count) = (Vec::new(), 0);
    let mut server = plan.clone().start();
    let listed = server.connect().run("COMMAND LIST").items().map_or_else(Vec::new, |names| names.to_vec());
    let listed: Vec<String> = listed.iter().map(|name| name.text().to_lowercase()).collect();
    for case in cases().iter().filter(|case| !case.tags.iter().any(|tag| tag == other_tag)) {
        let needed = case.tags.iter().find_map(|tag| tag.strip_prefix("@needs="));
        if let Some(missing) = needed.filter(|name| !listed.iter().any(|listed| listed == name)) {
            println!("{own_tag}: {missing} is not there yet: left out {}", case.name);
            continue;
        }
        for delivery in [Delivery::Whole, Delivery::ByteByByte, Delivery::Pipeline] {
            if delivery == Delivery::Pipeline && !can_pipeline(case) {
                continue;
            }
            count += 1;
            if let Err(why) = run_case(&server, case, delivery) {
                failures.push(format!("{} ({delivery:?}) {why}", case.name));
                // A case that stopped half way may have left a password or a memory limit behind.
                server.assert_healthy();
                server = plan.clone().start();
                break;
            }
        }
    }
    server.assert_healthy();
    println!("{count} runs as {own_tag}");
    assert!(failures.is_empty(), "{} of the cases fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn tables_hold_on_redis() {
    run_tables(Plan::redis(), "redis", "@shoal");
}

#[test]
fn tables_hold_on_one_core() {
    let plan = Plan::shoal(1);
    let other = if plan.is_redis() { "@shoal" } else { "@redis" };
    run_tables(plan, "threads 1", other);
}

#[test]
fn tables_hold_on_three_cores() {
    let plan = Plan::shoal(3);
    let other = if plan.is_redis() { "@shoal" } else { "@redis" };
    run_tables(plan, "threads 3", other);
}
