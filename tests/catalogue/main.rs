//! The command catalogue against a live redis-server: COMMAND, COMMAND INFO, COMMAND DOCS and ACL CAT of every command and subcommand, HELP of every container.
//!
//! Whatever both servers serve must be equal: arity, flags, key positions, ACL categories, tips, key specs, documentation with its argument tree. What is
//! not served must stand in [`LATER`] with its reason. What we serve beyond 7.0 is in [`newer`].
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::client::Client;
use support::newer;
use support::reply::Value;
use support::server::{Plan, Server};

/// Commands that a later issue brings, by name or container, and why; served ones must be equal all the same.
const LATER: &[(&str, &str)] = &[
    ("module", "modules are not supported"),
    ("cluster", "cluster"),
    ("asking", "cluster"),
    ("readonly", "cluster"),
    ("readwrite", "cluster"),
    ("migrate", "cluster"),
    ("restore-asking", "cluster"),
    ("replicaof", "replication"),
    ("slaveof", "replication"),
    ("replconf", "replication"),
    ("psync", "replication"),
    ("sync", "replication"),
    ("failover", "replication"),
];

/// Commands whose arity 7.2 changed, and why.
const WIDER: &[(&str, &str)] = &[("zrank", "WITHSCORE"), ("zrevrank", "WITHSCORE")];

fn container(name: &str) -> &str {
    name.split('|').next().unwrap_or(name)
}

fn is_later(name: &str) -> bool {
    LATER.iter().any(|(known, _)| container(name) == *known)
}

fn is_wider(name: &str) -> bool {
    WIDER.iter().any(|(known, _)| *known == name)
}

/// The rows of COMMAND by full name, each without its subcommands.
fn rows(client: &mut Client) -> BTreeMap<String, Vec<Value>> {
    fn add(row: &Value, all: &mut BTreeMap<String, Vec<Value>>) {
        let mut fields = row.items().unwrap().to_vec();
        let subcommands = fields.pop().unwrap();
        all.insert(fields[0].text(), fields);
        subcommands.items().unwrap().iter().for_each(|sub| add(sub, all));
    }
    let mut all = BTreeMap::new();
    client.run("COMMAND").items().unwrap().iter().for_each(|row| add(row, &mut all));
    all
}

/// A flat map as pairs, without `subcommands`.
fn documented(client: &mut Client, name: &str) -> Vec<(String, Value)> {
    let reply = client.run(&format!("COMMAND DOCS {name}"));
    let items = reply.items().unwrap_or_else(|| panic!("COMMAND DOCS {name}: {reply:?}"));
    let Some(fields) = items.get(1).and_then(Value::items) else { return Vec::new() };
    let pairs = fields.chunks(2).map(|pair| (pair[0].text(), pair[1].clone()));
    pairs.filter(|(field, _)| field != "subcommands").collect()
}

/// The names in a category.
fn members(client: &mut Client, category: &str) -> BTreeSet<String> {
    let reply = client.run(&format!("ACL CAT {category}"));
    reply
        .items()
        .unwrap()
        .iter()
        .map(Value::text)
        .filter(|name| !newer::COMMANDS.contains(&name.as_str()))
        .collect()
}

#[test]
fn every_command_is_described_as_redis_does() {
    let (mut shoal, mut redis) = (Server::shoal(1), Plan::redis().start());
    let (mut ours, mut theirs) = (shoal.connect(), redis.connect());
    let (our_rows, their_rows) = (rows(&mut ours), rows(&mut theirs));
    let mut wrong = Vec::new();
    let mut equal = 0;
    for (name, row) in &their_rows {
        let Some(own) = our_rows.get(name) else {
            if !is_later(name) {
                wrong.push(format!("{name} is not served"));
            }
            continue;
        };
        equal += 1;
        let fields = ["name", "arity", "flags", "first", "last", "step", "categories", "tips", "key specs"];
        for (field, (own, row)) in fields.iter().zip(own.iter().zip(row)) {
            if own != row && !(*field == "arity" && is_wider(name)) {
                wrong.push(format!("{name}: {field}\n  ours   {own:?}\n  theirs {row:?}"));
            }
        }
        let info = ours.run(&format!("COMMAND INFO {name}"));
        let fields = info.items().and_then(|rows| rows[0].items()).map(|fields| fields[..9].to_vec());
        if fields.as_ref() != Some(own) {
            wrong.push(format!("{name}: COMMAND INFO {info:?}"));
        }
        let (own, other) = (documented(&mut ours, name), documented(&mut theirs, name));
        if own != other || other.is_empty() {
            wrong.push(format!("{name}: COMMAND DOCS\n  ours   {own:?}\n  theirs {other:?}"));
        }
    }
    for name in our_rows.keys().filter(|name| !their_rows.contains_key(*name)) {
        if !newer::COMMANDS.contains(&name.as_str()) {
            wrong.push(format!("{name}: redis does not have it"));
        }
    }
    let (own, other) = (ours.run("ACL CAT"), theirs.run("ACL CAT"));
    assert_eq!(own, other);
    for category in other.items().unwrap().iter().map(Value::text) {
        let (own, other) = (members(&mut ours, &category), members(&mut theirs, &category));
        let lacks: Vec<&String> =
            other.difference(&own).filter(|name| our_rows.contains_key(*name)).collect();
        let extra: Vec<&String> = own.difference(&other).collect();
        if !lacks.is_empty() || !extra.is_empty() {
            wrong.push(format!("ACL CAT {category}: lacks {lacks:?}, has {extra:?}"));
        }
    }
    for name in their_rows.keys().filter(|name| name.ends_with("|help") && our_rows.contains_key(*name)) {
        let line = format!("{} HELP", container(name));
        let (own, other) = (ours.run(&line), theirs.run(&line));
        if own != other {
            wrong.push(format!("{line}\n  ours   {own:?}\n  theirs {other:?}"));
        }
    }
    let missing: Vec<&str> =
        their_rows.keys().filter(|name| !our_rows.contains_key(*name)).map(String::as_str).collect();
    println!(
        "{equal} commands and subcommands compared, {} not served: {}",
        missing.len(),
        missing.join(" ")
    );
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    shoal.assert_healthy();
    redis.assert_healthy();
}
