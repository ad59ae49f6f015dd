//! RDB files both ways: the same data set is saved by one server and loaded by the others.
//!
//! Called by main. Per seed: who writes (shoal, redis-server), how it saves (SAVE, BGSAVE, SHUTDOWN SAVE, a save point at SIGTERM), who reads
//! (redis-server, shoal with other threads), and DEBUG RELOAD in between. The file must please redis-check-rdb and hold as many keys as were there.

use crate::dataset::{self, Dataset, text, unix_ms};
use crate::seed_count;
use crate::state::{Detail, State};
use crate::support::checkers::check_rdb;
use crate::support::client::Client;
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number, seeds};
use crate::support::reply::Value;
use crate::support::server::{Plan, Server};

/// Keys with an age or a frequency set by RESTORE.
const PROBES: u64 = 10;

fn words(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// Number of keys in all databases.
fn total_keys(server: &Server) -> u64 {
    let text = server.connect().run("INFO keyspace").text();
    let counts =
        text.lines().filter_map(|line| line.split_once("keys=")?.1.split(',').next()?.parse::<u64>().ok());
    counts.sum()
}

/// Saves in one of the ways there are; the server has ended after some of them.
fn save(server: &mut Server, way: u64) {
    let mut client = server.connect();
    match way {
        0 => assert_eq!(client.run("SAVE").text(), "OK"),
        1 => {
            assert_eq!(client.run("BGSAVE").text(), "Background saving started");
            server.wait_info("rdb_bgsave_in_progress", "0");
            assert_eq!(server.info("rdb_last_bgsave_status"), "ok");
        }
        2 => {
            client.send(&["SHUTDOWN", "SAVE"]).expect("sent");
            let status = server.wait_exit(std::time::Duration::from_secs(20));
            assert!(status.success(), "SHUTDOWN SAVE: {status}\n{}", server.log());
        }
        _ => {
            assert_eq!(
                client.command(&["CONFIG", "SET", "save", "3600 1"]).expect("a reply").value.text(),
                "OK"
            );
            let status = server.terminate();
            assert!(status.success(), "SIGTERM: {status}\n{}", server.log());
        }
    }
}

/// Gives keys an age or a frequency; what to expect of OBJECT later.
fn plant_probes(client: &mut Client, policy: &str) -> Vec<(String, u64)> {
    let (option, unit) = match policy {
        "allkeys-lru" => ("IDLETIME", 1000),
        policy if policy.ends_with("lfu") => ("FREQ", 25),
        _ => return Vec::new(),
    };
    client.run("SELECT 0");
    client.run("SET probe x");
    let payload = client.run("DUMP probe").bytes().unwrap_or_default().to_vec();
    let mut probes = Vec::new();
    for number in 1..=PROBES {
        let (key, value) = (format!("probe:{number}"), number * unit);
        let args = [b"RESTORE".as_slice(), key.as_bytes(), b"0", &payload, option.as_bytes(), &text(value)];
        assert_eq!(client.command(&args).expect("a reply").value.text(), "OK", "RESTORE {option}");
        probes.push((key, value));
    }
    probes
}

fn check_probes(server: &Server, policy: &str, probes: &[(String, u64)], what: &str) {
    let mut client = server.connect();
    for (key, wanted) in probes {
        let got =
            |client: &mut Client, word: &str| client.run(&format!("OBJECT {word} {key}")).int().unwrap_or(-1);
        let (value, slack) = if policy == "allkeys-lru" {
            (got(&mut client, "IDLETIME"), 30)
        } else {
            (got(&mut client, "FREQ"), 0)
        };
        let range = *wanted as i64..=*wanted as i64 + slack;
        assert!(range.contains(&value), "{what}: {policy} of {key} is {value}, not {wanted}");
    }
}

/// A file written by `writer` and read by each of `readers`.
fn pass(seed: u64, data: &Dataset, writer: Plan, readers: Vec<Plan>) {
    let prng = &mut Prng::new(seed ^ 0x5afe);
    let options = dataset::directives(seed);
    let policy =
        options[options.iter().position(|word| word == "--maxmemory-policy").expect("a policy") + 1].clone();
    let directory = Directory::new("rdb");
    let writer_is_redis = writer.is_redis();
    let mut server = writer.args(&words(&options)).data(directory.path()).start();
    let mut client = server.connect();
    if writer_is_redis && prng.chance(50) {
        client.run("DEBUG QUICKLIST-PACKED-THRESHOLD 200B");
    }
    dataset::send(&mut client, &data.commands);
    let probes = plant_probes(&mut client, &policy);
    let way = prng.below(4);
    let before = total_keys(&server);
    let early = (way > 1).then(|| State::of(&server, data.near_until_ms, Detail::All));
    save(&mut server, way);
    let state = early.unwrap_or_else(|| State::of(&server, data.near_until_ms, Detail::All));
    let in_file = check_rdb(&directory.path().join("dump.rdb"));
    assert!((state.len() as u64..=before).contains(&in_file), "{in_file} keys in the file, {before} before");
    let files: Vec<String> = directory.files().into_keys().collect();
    assert_eq!(files, ["dump.rdb"], "nothing else is left");
    if way < 2 && prng.chance(50) {
        let reply = server.connect().run("DEBUG RELOAD");
        assert_eq!(reply, Value::Simple(b"OK".to_vec()), "DEBUG RELOAD");
        state.assert_same(&State::of(&server, 0, Detail::All), "DEBUG RELOAD");
    }
    server.kill();
    for reader in readers {
        let copy = Directory::copy_of("rdb-copy", directory.path());
        let what = format!(
            "seed {seed}, way {way}, redis wrote: {writer_is_redis}, redis reads: {}",
            reader.is_redis()
        );
        let server =
            reader.args(&["--maxmemory-policy", &policy, "--lfu-decay-time", "0"]).data(copy.path()).start();
        check_probes(&server, &policy, &probes, &what);
        state.assert_same(&State::of(&server, data.near_until_ms, Detail::All), &what);
    }
}

#[test]
fn rdb_files_pass_both_ways() {
    let objects = env_number("OBJECTS", 150) as usize;
    for seed in seeds(1, seed_count(2)) {
        let data = dataset::generate(seed, objects);
        let threads = 1 + (seed % 3) as u32;
        pass(seed, &data, Plan::shoal(threads), vec![Plan::redis(), Plan::shoal(4 - threads)]);
        let started = unix_ms();
        let data = dataset::generate(seed, objects);
        pass(seed, &data, Plan::redis(), vec![Plan::shoal(threads)]);
        println!("seed {seed}: {} commands, second pass {} ms", data.commands.len(), unix_ms() - started);
    }
}
