//! While data is loaded: the same command gets the same answer as from redis-server.

use std::fs;
use std::path::{Path, PathBuf};

use crate::node::{ALL, Kind, Node, directory};
use crate::snapshots::{number, persistence};
use crate::support::client::Client;

/// Loading takes seconds with these.
const SLOWLY: [&str; 4] = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"];

/// A directory with a snapshot of 20,000 keys.
fn prepared() -> PathBuf {
    let directory = directory();
    let peer = Node::ready(Kind::Redis, &directory, &[]);
    let mut client = peer.connect();
    client.run("DEBUG POPULATE 20000 k 100");
    client.run("SAVE");
    directory
}

/// Starts a server that loads slowly; returns when INFO says so.
fn loading(kind: Kind, directory: &Path, args: &[&str]) -> Node {
    let node = Node::start(kind, directory, &[&SLOWLY[..], args].concat());
    node.wait_log("RDB memory usage");
    node
}

/// Commands whose replies depend on nothing but loading.
const COMMANDS: &[&str] = &[
    "GET x",
    "NOSUCH",
    "GET",
    "PING",
    "SET a b",
    "DEL a",
    "DBSIZE",
    "KEYS *",
    "FLUSHALL",
    "TYPE x",
    "MULTI",
    "GET x",
    "EXEC",
    "MULTI",
    "EXEC",
    "MULTI",
    "PING",
    "SET a",
    "DISCARD",
    "DISCARD",
    "WATCH a",
    "UNWATCH",
    "SUBSCRIBE c",
    "GET x",
    "UNSUBSCRIBE c",
    "EVAL return 0",
    "EVAL return.1 0",
    "FCALL f 0",
    "SCRIPT LOAD x",
    "SCRIPT EXISTS a",
    "FUNCTION LIST",
    "FUNCTION STATS",
    "CONFIG GET dbfilename",
    "CONFIG SET appendonly yes",
    "CONFIG SET maxmemory 1",
    "SET a b",
    "CONFIG SET maxmemory 0",
    "WAIT 0 0",
    "SHUTDOWN foo",
    "SHUTDOWN ABORT",
    "SLOWLOG LEN",
    "LATENCY LATEST",
    "ACL WHOAMI",
    "SELECT 1",
    "ECHO a",
    "OBJECT HELP",
    "RESET",
    "PUBLISH a b",
    "SORT a",
    "RESTORE a 0 b",
    "XADD a * b",
];

#[test]
fn commands_are_answered_as_by_redis() {
    let directory = prepared();
    let ask = |kind: Kind| {
        let node = loading(kind, &directory, &[]);
        let mut client = node.connect();
        let replies: Vec<(String, String)> =
            COMMANDS.iter().map(|line| ((*line).to_owned(), reply(&mut client, line))).collect();
        let info = persistence(&node);
        assert!(info.contains("\nloading:1\r\n"), "{kind:?} was done too early:\n{info}");
        replies
    };
    let expected = ask(ALL[0]);
    assert!(expected.iter().any(|(_, reply)| reply.contains("-LOADING")));
    for kind in &ALL[1..] {
        let own = ask(*kind);
        for (expected, own) in expected.iter().zip(&own) {
            assert_eq!(own, expected, "{kind:?}");
        }
    }
    fs::remove_dir_all(directory).unwrap();
}

fn reply(client: &mut Client, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    String::from_utf8_lossy(&client.command(&words).unwrap().raw).into_owned()
}

#[test]
fn a_client_without_password_learns_that_first() {
    let directory = prepared();
    for kind in ALL {
        let node = loading(kind, &directory, &["--requirepass", "secret"]);
        let mut client = node.connect();
        let told: Vec<String> =
            ["GET x", "AUTH secret", "GET x"].iter().map(|line| reply(&mut client, line)).collect();
        let loading = "-LOADING Redis is loading the dataset in memory\r\n";
        assert_eq!(told, ["-NOAUTH Authentication required.\r\n", "+OK\r\n", loading], "{kind:?}");
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn info_tells_how_far_it_is() {
    let directory = prepared();
    let size = fs::metadata(directory.join("dump.rdb")).unwrap().len();
    for kind in ALL {
        let node = loading(kind, &directory, &[]);
        let info = persistence(&node);
        let names: Vec<&str> = info
            .lines()
            .filter_map(|line| line.split(':').next())
            .filter(|name| name.starts_with("loading_"))
            .collect();
        let all = [
            "loading_start_time",
            "loading_total_bytes",
            "loading_rdb_used_mem",
            "loading_loaded_bytes",
            "loading_loaded_perc",
            "loading_eta_seconds",
        ];
        assert_eq!(names, all, "{kind:?}");
        assert_eq!(number(&info, "loading_total_bytes"), size);
        assert!(number(&info, "loading_rdb_used_mem") > 1_000_000, "{info}");
        assert!(number(&info, "loading_loaded_bytes") <= size, "{info}");
        assert!(
            number(&info, "async_loading") == 0 && number(&info, "rdb_last_load_keys_loaded") < 20_000,
            "{info}"
        );
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_signal_meanwhile_ends_the_process_without_saving() {
    let directory = prepared();
    let before = fs::read(directory.join("dump.rdb")).unwrap();
    for kind in ALL {
        for signal in ["TERM", "INT"] {
            let mut node = loading(kind, &directory, &["--save", "1 1"]);
            node.signal(signal);
            assert_eq!(node.exit_code(), 0, "{kind:?}:\n{}", node.log());
            let log = node.log();
            let lines = ["Received shutdown signal during loading, scheduling shutdown.", "bye bye..."];
            assert!(lines.iter().all(|line| log.contains(line)), "{kind:?} {signal}:\n{log}");
            assert_eq!(fs::read(directory.join("dump.rdb")).unwrap(), before);
        }
    }
    fs::remove_dir_all(directory).unwrap();
}
