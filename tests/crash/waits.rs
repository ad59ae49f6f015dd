//! WAITAOF, the figures of the append-only file in INFO, a base that is torn, and what happens when the disk cannot keep up.
//!
//! Called by main. redis-server 7.0.15 has no WAITAOF: its replies are those of 7.2 (shared fixtures), its wait is judged by the durable state it stands for.

use std::time::{Duration, Instant};

use crate::support::client::wait_until;
use crate::support::directory::Directory;
use crate::support::reply::Value;
use crate::support::server::{Plan, Server};

const LIMIT: Duration = Duration::from_secs(10);

fn start(policy: &str, directory: &Directory) -> Server {
    let options = ["--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"];
    Plan::shoal(2).args(&options).data(directory.path()).start()
}

fn counts(local: i64, replicas: i64) -> Value {
    Value::Array(vec![Value::Int(local), Value::Int(replicas)])
}

#[test]
fn waitaof_waits_for_the_disk_and_only_for_it() {
    for policy in ["everysec", "always"] {
        let directory = Directory::new("waitaof");
        let server = start(policy, &directory);
        let (mut client, mut other) = (server.connect(), server.connect());
        assert_eq!(other.run("WAITAOF 1 0 0"), counts(1, 0), "who wrote nothing waits for nothing");
        // Keys on both cores, the connection on one of them.
        for key in ["a", "b", "c", "d"] {
            client.run(&format!("SET {key} 1"));
        }
        assert_eq!(client.run("WAITAOF 1 0 5000"), counts(1, 0), "{policy}");
        client.run("SET a 2");
        let began = Instant::now();
        assert_eq!(client.run("WAITAOF 1 1 120"), counts(i64::from(policy == "always"), 0), "{policy}");
        assert!(began.elapsed() >= Duration::from_millis(120));
        assert_eq!(client.run("WAITAOF 1 0 0"), counts(1, 0), "{policy}");
        client.run("SET a 3");
        client.run("MULTI");
        client.run("WAITAOF 1 0 0");
        let in_transaction = client.run("EXEC");
        assert_eq!(in_transaction, Value::Array(vec![counts(i64::from(policy == "always"), 0)]), "{policy}");
    }
}

#[test]
fn waitaof_ends_by_unblock_by_time_and_when_the_file_is_turned_off() {
    let directory = Directory::new("waitaof");
    let server = start("no", &directory);
    let (mut client, mut other) = (server.connect(), server.connect());
    let id = client.run("CLIENT ID").int().expect("a number");
    let waits = |server: &Server, count: &str| server.wait_info("blocked_clients", count);
    client.run("SET a 1");
    assert_eq!(client.run("WAITAOF 1 0 50"), counts(0, 0));
    client.send(&["WAITAOF", "1", "0", "0"]).expect("sent");
    waits(&server, "1");
    assert_eq!(other.run(&format!("CLIENT UNBLOCK {id} ERROR")).int(), Some(1));
    let reply = client.read().expect("a reply").value.text();
    assert_eq!(reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    client.send(&["WAITAOF", "1", "0", "0"]).expect("sent");
    waits(&server, "1");
    assert_eq!(other.run(&format!("CLIENT UNBLOCK {id}")).int(), Some(1));
    assert_eq!(client.read().expect("a reply").value, counts(0, 0));
    client.send(&["WAITAOF", "1", "0", "0"]).expect("sent");
    waits(&server, "1");
    other.run("CONFIG SET appendonly no");
    let refusal = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    assert_eq!(client.read().expect("a reply").value.text(), refusal);
    assert_eq!(client.run("WAITAOF 1 0 0").text(), refusal);
    assert_eq!(client.run("WAITAOF 0 0 0"), counts(0, 0));
}

/// The fields that redis 7.0.15 has, in its order, and what they say of a quiet server.
#[test]
fn info_tells_of_the_file_as_redis_does() {
    let names = |server: &Server| -> Vec<String> {
        let text = server.connect().run("INFO persistence").text();
        text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
    };
    let [ours, theirs] = [Plan::shoal(2), Plan::redis()].map(|plan| {
        let directory = Directory::new("info");
        let server = plan.args(&["--appendonly", "yes"]).data(directory.path()).start();
        server.connect().run("SET a 1");
        for (field, value) in [
            ("aof_enabled", "1"),
            ("aof_last_write_status", "ok"),
            ("aof_base_size", "0"),
            ("aof_pending_rewrite", "0"),
            ("aof_buffer_length", "0"),
            ("aof_pending_bio_fsync", "0"),
            ("aof_delayed_fsync", "0"),
        ] {
            server.wait_info(field, value);
        }
        let size = || server.info("aof_current_size").parse::<u64>().expect("a number");
        assert!(size() >= 50);
        let with = names(&server);
        server.connect().run("CONFIG SET appendonly no");
        server.wait_info("aof_enabled", "0");
        (with, names(&server))
    });
    assert_eq!(ours, theirs);
}

/// Where no incremental file follows, a torn base may be cut; it is no longer the last file then.
#[test]
fn a_torn_base_without_a_file_behind_it_starts_again_and_again() {
    let directory = Directory::new("torn-base");
    directory.write(
        "appendonlydir/appendonly.aof.1.base.aof",
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nSE",
    );
    directory
        .write("appendonlydir/appendonly.aof.manifest", b"file appendonly.aof.1.base.aof seq 1 type b\n");
    for number in 1..4 {
        let mut server = start("always", &directory);
        let mut client = server.connect();
        assert_eq!(client.run("GET a").text(), "1");
        client.run(&format!("SET b{number} 1"));
        assert_eq!(client.run("DBSIZE").int(), Some(number + 1));
        server.kill();
    }
    let redis = Plan::redis().args(&["--appendonly", "yes"]).data(directory.path()).start();
    assert_eq!(redis.connect().run("DBSIZE").int(), Some(4));
}

/// With more unwritten bytes than allowed (here very few) writes wait, reads do not, nothing is refused and nothing is lost.
#[cfg(feature = "test-switches")]
#[test]
fn writes_wait_while_the_disk_is_behind() {
    const ROUNDS: usize = 60;
    let directory = Directory::new("behind");
    let server = Plan::shoal(2)
        .args(&["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"])
        .env("SHOAL_TEST_UNWRITTEN", "20000")
        .data(directory.path())
        .start();
    let value = "v".repeat(3000);
    let mut seen = 0;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..6)
            .map(|index| {
                let (mut client, value) = (server.connect(), &value);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        for part in 0..10 {
                            let key = format!("k{index}:{round}:{part}");
                            client.send(&["SET", &key, value]).expect("sent");
                        }
                        for _ in 0..10 {
                            assert_eq!(client.read().expect("a reply").value.text(), "OK");
                        }
                    }
                })
            })
            .collect();
        let mut watcher = server.connect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            let began = Instant::now();
            watcher.run("GET k0:0:0");
            assert!(began.elapsed() < Duration::from_secs(2), "a read waits");
            let text = watcher.run("INFO clients").text();
            seen += usize::from(!text.contains("blocked_clients:0"));
        }
    });
    assert!(seen > 0, "no write waited");
    let mut client = server.connect();
    assert_eq!(client.run("DBSIZE").int(), Some(6 * 10 * ROUNDS as i64));
    let digest = client.run("DEBUG DIGEST").text();
    assert!(wait_until(LIMIT, || server.info("aof_buffer_length") == "0"));
    drop(server);
    let again = start("everysec", &directory);
    assert_eq!(again.connect().run("DEBUG DIGEST").text(), digest);
}
