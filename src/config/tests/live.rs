//! CONFIG GET, SET and REWRITE beside a real redis-server: the same calls, the same bytes.

use std::collections::BTreeMap;

use super::super::file;
use super::super::rewrite::rewrite_text;
use super::super::store::{Config, SetBy};
use super::peer::{Peer, Reply};

/// Directives of 7.2 and our own, which the peer (7.0) does not have.
const NEWER: [&str; 8] = [
    "threads",
    "thread-affinity",
    "busy-poll-us",
    "pipeline-order",
    "locale-collate",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "cluster-announce-human-nodename",
];

fn get(config: &Config, patterns: &[&[u8]]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    config.get(patterns).into_iter().collect()
}

fn peer_get(peer: &mut Peer, patterns: &[&[u8]]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let Reply::List(items) = peer.call(&[&[&b"CONFIG"[..], b"GET"], patterns].concat()) else {
        panic!("no list")
    };
    let bulk = |reply: &Reply| match reply {
        Reply::Bulk(bulk) => bulk.clone(),
        other => panic!("no bulk: {other:?}"),
    };
    items.chunks_exact(2).map(|pair| (bulk(&pair[0]), bulk(&pair[1]))).collect()
}

fn set(config: &mut Config, words: &[&str]) -> String {
    let pairs: Vec<(&[u8], &[u8])> =
        words.chunks_exact(2).map(|pair| (pair[0].as_bytes(), pair[1].as_bytes())).collect();
    match config.set(&pairs, SetBy::default()) {
        Ok(_) => "+OK".into(),
        Err(error) => format!("-{error}"),
    }
}

fn peer_set(peer: &mut Peer, words: &[&str]) -> String {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    match peer.call(&[&[&b"CONFIG"[..], b"SET"], words.as_slice()].concat()) {
        Reply::Line(line) => line,
        other => panic!("no line: {other:?}"),
    }
}

#[test]
fn names_and_defaults_are_those_of_redis() {
    let mut peer = Peer::start("", &[]);
    let mut theirs = peer_get(&mut peer, &[b"*"]);
    let config = Config::new();
    let mut ours = get(&config, &[b"*"]);
    for name in NEWER {
        assert!(ours.remove(name.as_bytes()).is_some(), "{name}");
    }
    for differs in ["port", "dir"] {
        ours.remove(differs.as_bytes());
        theirs.remove(differs.as_bytes());
    }
    let text = |map: BTreeMap<Vec<u8>, Vec<u8>>| -> BTreeMap<String, String> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        map.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    };
    assert_eq!(text(ours), text(theirs));
    for hidden in ["watchdog-period", "key-load-delay", "use-exit-on-panic", "lua-enable-deprecated-api"] {
        let hidden = hidden.as_bytes();
        assert_eq!(get(&config, &[hidden]), peer_get(&mut peer, &[hidden]));
    }
}

/// Every directive with values that are wrong, extreme or odd. Left out: what the process would really do (sockets,
/// files, OS limits) and `activedefrag`, which this Debian build refuses and we accept.
#[test]
fn every_directive_takes_and_refuses_the_same_values() {
    let mut peer = Peer::start("", &[]);
    let mut config = Config::new();
    let skipped = [
        "port",
        "bind",
        "dir",
        "maxclients",
        "tls-port",
        "activedefrag",
        "oom-score-adj",
        "watchdog-period",
        "unixsocket",
    ];
    let values = [
        "zzz",
        "-1",
        "0",
        "1",
        "07",
        "+3",
        "yes",
        "NO",
        "",
        " 5",
        "1kb",
        "5%",
        "101%",
        "-99999999999999",
        "9999999999999",
        "1mb",
        "99999999999",
        "a b",
        "{title}",
        "100 0",
        "300",
    ];
    let names: Vec<String> = peer_get(&mut peer, &[b"*"])
        .into_keys()
        .map(|name| String::from_utf8_lossy(&name).into_owned())
        .collect();
    let mut accepted = 0;
    for name in names.iter().filter(|name| !skipped.contains(&name.as_str()) && !name.starts_with("tls-")) {
        for value in values {
            let ours = set(&mut config, &[name, value]);
            let theirs = peer_set(&mut peer, &[name, value]);
            assert_eq!(ours, theirs, "CONFIG SET {name} '{value}'");
            let key: &[&[u8]] = &[name.as_bytes()];
            assert_eq!(get(&config, key), peer_get(&mut peer, key), "{name} '{value}'");
            accepted += usize::from(ours == "+OK");
            if name == "requirepass" || name == "appendonly" {
                let calm = if name == "requirepass" { "" } else { "no" };
                assert_eq!(set(&mut config, &[name, calm]), peer_set(&mut peer, &[name, calm]));
            }
        }
    }
    assert!(accepted > 400, "{accepted}");
}

const SETS: &[&[&str]] = &[
    &["maxmemory", "99999999999999999999"],
    &["MaxMemory", "1kB"],
    &["slave-priority", "1", "replica-priority", "2"],
    &["hz", "1", "hz", "2"],
    &["hz", "1", "HZ", "2"],
    &["hz", "1", "nope", "2"],
    &["hz", "5", "maxmemory", "x"],
    &["nope", "1", "databases", "2"],
    &["databases", "2", "nope", "1"],
    &["hz", "1", "hz", "2", "nope", "1"],
    &["un\r\nknown", "1"],
    &["dir", "/nope"],
    &["save", "3600 1 300"],
    &["save", "3600 1  300 100"],
    &["save", "0 1"],
    &["save", "10 0 20 5"],
    &["save", ""],
    &["client-output-buffer-limit", "normal 1 2"],
    &["client-output-buffer-limit", "foo 1 2 3"],
    &["client-output-buffer-limit", "normal x 2 3"],
    &["client-output-buffer-limit", "normal 1 2 -3"],
    &["client-output-buffer-limit", "master 1 2 3"],
    &["client-output-buffer-limit", "normal 1mb 2k 3 slave 1 2 3"],
    &["client-output-buffer-limit", "REPLICA 268435456 67108864 60"],
    &["client-output-buffer-limit", ""],
    &["notify-keyspace-events", "KEA"],
    &["notify-keyspace-events", "Kg$lshzxetmd"],
    &["notify-keyspace-events", "gnK"],
    &["notify-keyspace-events", "gAnmK"],
    &["notify-keyspace-events", "KQ"],
    &["oom-score-adj-values", "1 2"],
    &["oom-score-adj-values", "3 2 1"],
    &["oom-score-adj-values", "-1 2 3"],
    &["latency-tracking-info-percentiles", "50 99.123456789 0.1"],
    &["latency-tracking-info-percentiles", "50 abc"],
    &["latency-tracking-info-percentiles", "50 100.1"],
    &["latency-tracking-info-percentiles", ""],
    &["maxmemory-policy", "ALLKEYS-LRU"],
    &["shutdown-on-sigterm", "save now"],
    &["shutdown-on-sigterm", "default save"],
    &["shutdown-on-sigterm", "save nosave"],
    &["shutdown-on-sigint", "nosave now force"],
    &["cluster-announce-hostname", "a_b"],
    &["proc-title-template", "{foo}"],
    &["proc-title-template", "{}"],
    &["proc-title-template", "{{"],
    &["proc-title-template", "{TITLE} {Port}"],
    &["proc-title-template", "{server-mode} {title}"],
    &["proc-title-template", "{listen-addr}"],
    &["proc-title-template", "{port"],
    &["proc-title-template", "}"],
    &["requirepass", ""],
    &["list-max-ziplist-size", "-1"],
    &["list-max-ziplist-entries", "1"],
    &["maxmemory", "1.5gb"],
    &["maxmemory", "gb"],
    &["maxmemory", "0"],
    &["hz", "501"],
    &["appendfsync", "ALWAYS"],
    &["loglevel", "Verbose"],
];

const GETS: &[&[&str]] = &[
    &["MAXMEMORY"],
    &["maxmemory", "max*memory", "MAXMEMORY"],
    &["list-max-*"],
    &["h*z*"],
    &["watchdog*"],
    &["[m]axmemory*"],
    &["slave-*", "replica-*"],
    &["nope"],
    &["?imeout", "HZ"],
];

#[test]
fn replies_are_the_same_to_the_byte() {
    let mut peer = Peer::start("", &[]);
    let mut config = Config::new();
    for words in SETS {
        assert_eq!(set(&mut config, words), peer_set(&mut peer, words), "{words:?}");
        for patterns in GETS.iter().copied().chain([&words[..1]]).filter(|names| names[0] != "dir") {
            let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
            assert_eq!(get(&config, &patterns), peer_get(&mut peer, &patterns), "{words:?}: {patterns:?}");
        }
    }
}

const FILE: &str = "# my config\n\n\n\nHz 20\n# mem\nmaxmemory 1048576\nslave-priority 7\nmaxmemory 2097152\n\
save 900 1\nsave 300 10\ninclude /tmp/none*.none\nrename-command FLUSHALL \"\"\n\
client-output-buffer-limit pubsub 1mb 2mb 3\n  list-max-ziplist-size -3  \nlist-max-ziplist-entries 4\n\
notify-keyspace-events KEA\nunixsocketperm 700\nreplicaof 127.0.0.1 1\nmaxmemory-clients 5%\nbind 127.0.0.1\n\
shutdown-on-sigterm save now\noom-score-adj-values 1 2 3\nmasterauth \"\"\nappendonly no\npidfile \"\"\n";

const CHANGES: &[&[&str]] = &[
    &["lfu-log-factor", "11", "save", "60 5", "maxmemory", "3gb", "proc-title-template", "{title} x"],
    &["masterauth", "q\"\u{1}\\", "tracking-table-max-keys", "5", "lazyfree-lazy-expire", "yes"],
    &["client-output-buffer-limit", "normal 1024 2048 3", "repl-backlog-size", "1000000"],
];

/// Lines above the signature must be equal in order, those below as a set (Redis appends in hash order).
#[test]
fn rewriting_gives_the_same_file() {
    for (start, changes) in [(FILE, CHANGES), ("", CHANGES), (FILE, &[]), ("hz 5", &[])] {
        let mut peer = Peer::start(start, &[]);
        let mut config = Config::new();
        file::load(&mut config, start.as_bytes()).expect("valid");
        for words in changes {
            assert_eq!(set(&mut config, words), "+OK");
            assert_eq!(peer_set(&mut peer, words), "+OK");
        }
        assert_eq!(peer.call(&[b"CONFIG", b"REWRITE"]), Reply::Line("+OK".into()));
        let theirs = std::fs::read_to_string(peer.directory.join("redis.conf")).expect("the file");
        let users = [b"default on nopass ~* &* +@all".to_vec()];
        let ours = String::from_utf8(rewrite_text(&config, start.as_bytes(), Some(&users))).expect("text");
        assert_eq!(parts(&ours), parts(&theirs));
        // A second time from the peer's file, so that both begin with the same lines.
        assert_eq!(peer.call(&[b"CONFIG", b"REWRITE"]), Reply::Line("+OK".into()));
        let again = rewrite_text(&config, theirs.as_bytes(), Some(&users));
        let theirs = std::fs::read_to_string(peer.directory.join("redis.conf")).expect("the file");
        assert_eq!(parts(&String::from_utf8(again).expect("text")), parts(&theirs));
    }
}

fn parts(text: &str) -> (Vec<&str>, Vec<&str>) {
    let own = |line: &&str| !line.starts_with("port ") && !line.starts_with("dir ");
    let mut lines = text.lines().filter(own);
    let above = lines.by_ref().take_while(|line| *line != "# Generated by CONFIG REWRITE").collect();
    let mut below: Vec<&str> = lines.collect();
    below.sort_unstable();
    (above, below)
}

#[test]
fn trailing_comments_survive_a_rewrite() {
    let mut config = Config::new();
    let text = b"hz 5  # why\nsave \"\" # none\n";
    file::load(&mut config, text).expect("valid");
    assert_eq!(set(&mut config, &["hz", "6"]), "+OK");
    let ours = String::from_utf8(rewrite_text(&config, text, None)).expect("text");
    assert!(ours.starts_with("hz 6  # why\nsave \"\"  # none\n"), "{ours}");
}
