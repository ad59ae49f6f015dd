//! SCAN's promises: what is there from start to end of an iteration is returned, whatever else comes and goes meanwhile.
//!
//! Too dynamic for a table: keys are added and removed between the calls so that tables grow, rehash and shrink under the cursor.

use std::collections::BTreeSet;

use crate::support::client::Client;
use crate::support::prng::{Prng, env_number};
use crate::support::reply::Value;
use crate::support::server::{Plan, Server};

/// One call; gives the next cursor and the elements.
fn call(client: &mut Client, args: &[String]) -> (String, Vec<String>) {
    let reply = client.command(args).unwrap().value;
    let Some([cursor, Value::Array(items)]) = reply.items() else { panic!("{args:?}: {reply:?}") };
    (cursor.text(), items.iter().map(Value::text).collect())
}

fn set_many(client: &mut Client, prefix: &str, from: usize, to: usize) {
    let mut args = vec!["MSET".to_owned()];
    args.extend((from..to).flat_map(|index| [format!("{prefix}{index}"), "v".to_owned()]));
    client.command(&args).unwrap();
}

fn iterate_while_changing(server: &Server, seed: u64) {
    let mut prng = Prng::new(seed);
    let (mut client, mut other) = (server.connect(), server.connect());
    client.run("FLUSHALL");
    let stable = 2000;
    set_many(&mut client, "stable:", 0, stable);
    let (mut cursor, mut found, mut calls) = ("0".to_owned(), BTreeSet::new(), 0);
    loop {
        let (next, keys) =
            call(&mut client, &["SCAN".into(), cursor, "COUNT".into(), prng.range(1, 80).to_string()]);
        found.extend(keys);
        calls += 1;
        assert!(calls < 100_000, "seed {seed}: the iteration does not end");
        let batch = prng.index(60);
        if prng.chance(60) {
            set_many(&mut other, "come:", batch * 100, batch * 100 + 100);
        } else {
            let keys: Vec<String> = (0..300).map(|index| format!("come:{}", batch * 100 + index)).collect();
            other.command(&[vec!["DEL".to_owned()], keys].concat()).unwrap();
        }
        if next == "0" {
            break;
        }
        cursor = next;
    }
    let missing: Vec<usize> =
        (0..stable).filter(|index| !found.contains(&format!("stable:{index}"))).collect();
    assert!(
        missing.is_empty(),
        "seed {seed}: {} stable keys were not returned, e.g. {:?}",
        missing.len(),
        &missing[..1]
    );
    let strange: Vec<&String> =
        found.iter().filter(|key| !key.starts_with("stable:") && !key.starts_with("come:")).collect();
    assert!(strange.is_empty(), "seed {seed}: keys that never were: {strange:?}");
}

fn iterate_hash_while_changing(server: &Server, seed: u64) {
    let mut prng = Prng::new(seed);
    let mut client = server.connect();
    client.run("FLUSHALL");
    let fields = (0..1000).flat_map(|index| [format!("stable:{index}"), "v".to_owned()]);
    client
        .command(&["HSET".to_owned(), "h".to_owned()].into_iter().chain(fields).collect::<Vec<_>>())
        .unwrap();
    let (mut cursor, mut found) = ("0".to_owned(), BTreeSet::new());
    loop {
        let (next, items) =
            call(&mut client, &["HSCAN".into(), "h".into(), cursor, "COUNT".into(), "20".into()]);
        found.extend(items.chunks(2).map(|pair| pair[0].clone()));
        for _ in 0..30 {
            let field = prng.below(3000);
            let line = if prng.chance(60) {
                format!("HSET h come:{field} v")
            } else {
                format!("HDEL h come:{field}")
            };
            client.run(&line);
        }
        if next == "0" {
            break;
        }
        cursor = next;
    }
    assert!(
        (0..1000).all(|index| found.contains(&format!("stable:{index}"))),
        "seed {seed}: stable fields are missing"
    );
}

#[test]
fn scan_returns_what_stays() {
    for threads in [1, 3] {
        let mut server = Plan::shoal(threads).start();
        for seed in 1..=env_number("SCAN_SEEDS", 3) {
            iterate_while_changing(&server, seed);
            iterate_hash_while_changing(&server, seed);
        }
        server.assert_healthy();
    }
}

#[test]
fn random_key_is_fair() {
    let server = Plan::shoal(3).start();
    let mut client = server.connect();
    set_many(&mut client, "k", 0, 20);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..4000 {
        *counts.entry(client.run("RANDOMKEY").text()).or_insert(0u32) += 1;
    }
    // 200 expected each; redis' own choice is not perfectly even, so only gross unfairness counts.
    assert!(counts.len() == 20 && counts.values().all(|count| (40..800).contains(count)), "{counts:?}");
}
