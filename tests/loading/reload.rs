//! DEBUG RELOAD and DEBUG LOADAOF: the same data afterwards, redis' replies, nothing lost that others were told.

use std::fs;

use crate::node::{ALL, Kind, Node, directory};
use crate::support::client::Client;

/// Data of every type, libraries among them.
fn fill(client: &mut Client) {
    for line in [
        "SET a b",
        "SET e f PX 10000000",
        "RPUSH l a b c",
        "SADD s a b c",
        "HSET h a b c d",
        "ZADD z 1 a 2 b",
        "XADD x 1-1 a b",
    ] {
        client.run(line);
    }
    for number in 0..3000 {
        client.run(&format!("SET key:{number} value:{number}"));
    }
    client.command(&["SELECT", "3"]).unwrap();
    client.run("SET a other");
    client.command(&["SELECT", "0"]).unwrap();
    let code = "#!lua name=lib\nredis.register_function('f', function() return 7 end)";
    client.command(&["FUNCTION", "LOAD", code]).unwrap();
}

#[test]
fn replies_and_data_are_those_of_redis() {
    const LINES: [&str; 14] = [
        "DEBUG RELOAD foo",
        "DEBUG RELOAD NOSAVE",
        "DBSIZE",
        "fill",
        "DEBUG RELOAD",
        "DEBUG DIGEST",
        "FCALL f 0",
        "SET new key",
        "DEBUG RELOAD NOSAVE NOFLUSH MERGE",
        "GET new",
        "DEBUG RELOAD nosave",
        "GET new",
        "DBSIZE",
        "DEBUG DIGEST",
    ];
    let play = |kind: Kind| {
        let top = directory();
        let node = Node::ready(kind, &top, &[]);
        let mut client = node.connect();
        let mut seen = Vec::new();
        for line in LINES {
            match line {
                "fill" => fill(&mut client),
                line => seen.push(format!("{line}: {}", client.run(line).text())),
            }
        }
        drop(node);
        fs::remove_dir_all(top).unwrap();
        seen
    };
    let redis = play(Kind::Redis);
    assert_eq!(play(Kind::Shoal(1)), redis);
    assert_eq!(play(Kind::Shoal(3)), redis);
}

#[test]
fn a_key_that_is_there_ends_the_process_unless_merged() {
    for kind in [Kind::Shoal(1), Kind::Shoal(3)] {
        let top = directory();
        let mut node = Node::ready(kind, &top, &[]);
        let mut client = node.connect();
        client.run("SET a b");
        assert!(client.command(&["DEBUG", "RELOAD", "NOFLUSH"]).is_err());
        assert_eq!(node.exit_code(), 1);
        fs::remove_dir_all(top).unwrap();
    }
}

#[test]
fn within_a_transaction_it_is_refused() {
    let top = directory();
    let node = Node::ready(Kind::Shoal(3), &top, &[]);
    let mut client = node.connect();
    client.run("MULTI");
    client.run("DEBUG RELOAD");
    client.run("DEBUG LOADAOF");
    let replies = client.run("EXEC");
    assert_eq!(replies.items().unwrap().len(), 2);
    assert!(replies.items().unwrap().iter().all(|reply| reply.text().starts_with("ERR")), "{replies:?}");
    drop(node);
    fs::remove_dir_all(top).unwrap();
}

#[test]
fn the_append_only_file_comes_back() {
    for kind in ALL {
        let top = directory();
        let node = Node::ready(kind, &top, &["--appendonly", "yes"]);
        let mut client = node.connect();
        fill(&mut client);
        let digest = client.run("DEBUG DIGEST").text();
        assert_eq!(client.run("DEBUG LOADAOF").text(), "OK", "{kind:?}\n{}", node.log());
        assert_eq!(client.run("DEBUG DIGEST").text(), digest, "{kind:?}\n{}", node.log());
        drop(node);
        fs::remove_dir_all(top).unwrap();
    }
}

#[test]
fn what_others_were_told_survives_reloads() {
    for kind in [Kind::Shoal(1), Kind::Shoal(3)] {
        let top = directory();
        let node = Node::ready(kind, &top, &[]);
        let mut client = node.connect();
        client.run("DEBUG POPULATE 30000 filler 100");
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let (mut client, done) = (node.connect(), &done);
                scope.spawn(move || {
                    let (key, mut last) = (format!("count:{number}"), 0);
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let reply = client.run(&format!("INCR {key}"));
                        match reply.int() {
                            Some(count) => {
                                assert_eq!(count, last + 1, "{kind:?}");
                                last = count;
                            }
                            None => assert!(reply.text().starts_with("LOADING"), "{reply:?}"),
                        }
                    }
                    assert!(last > 0);
                });
            }
            for _ in 0..5 {
                let reply = client.run("DEBUG RELOAD").text();
                std::thread::sleep(std::time::Duration::from_millis(20));
                if reply != "OK" {
                    done.store(true, std::sync::atomic::Ordering::Relaxed);
                    panic!("{kind:?} {reply}\n{}", node.log());
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        drop(node);
        fs::remove_dir_all(top).unwrap();
    }
}

#[test]
fn files_in_memory_are_saved_and_loaded_too() {
    for kind in [Kind::Shoal(1), Kind::Shoal(3)] {
        let top = crate::support::directory::Directory::small("memory", 32);
        let args: &[&str] = &["--appendonly", "yes"];
        let mut node = Node::ready(kind, top.path(), args);
        let mut client = node.connect();
        fill(&mut client);
        let digest = client.run("DEBUG DIGEST").text();
        assert_eq!(client.run("DEBUG RELOAD").text(), "OK", "{kind:?}\n{}", node.log());
        assert_eq!(client.run("DEBUG LOADAOF").text(), "OK", "{kind:?}\n{}", node.log());
        assert_eq!(client.run("DEBUG DIGEST").text(), digest, "{kind:?}\n{}", node.log());
        assert!(client.command(&["SHUTDOWN"]).is_err());
        assert_eq!(node.exit_code(), 0, "{}", node.log());
        for args in [args, &[]] {
            let node = Node::ready(kind, top.path(), args);
            assert_eq!(node.connect().run("DEBUG DIGEST").text(), digest, "{kind:?}\n{}", node.log());
        }
    }
}
