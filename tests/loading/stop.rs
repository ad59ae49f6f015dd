//! How a server ends: SHUTDOWN and signals, with and without save points, refused and forced; what is on disk then.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::node::{ALL, Kind, Node, directory};
use crate::support::reply::Value;

/// What the log says from the first of `marks` on, without process, time and level.
fn told(node: &Node) -> Vec<String> {
    let log = node.log();
    let text = log.lines().filter_map(|line| {
        if line.contains(":signal-handler (") {
            return line.split_once(") ").map(|(_, text)| text.to_owned());
        }
        let at = line.find(" # ").or_else(|| line.find(" * "))?;
        Some(line[at + 3..].to_owned())
    });
    let begins = |line: &String| line.starts_with("User requested") || line.starts_with("Received SIG");
    text.skip_while(|line| !begins(line))
        .map(|line| match line.find(" (in server root dir") {
            // The name holds the process, the directory is unknown to redis.
            Some(_) => String::from("cannot open"),
            None => line,
        })
        .collect()
}

/// Who is asked to end, and how.
struct Case {
    args: &'static [&'static str],
    /// Commands before; `gone` takes the directory away.
    before: &'static [&'static str],
    /// `-TERM` is a signal, anything else a command; after each the server has ended or goes on.
    asks: &'static [&'static str],
}

const CASES: [Case; 12] = [
    Case { args: &[], before: &["SET a b"], asks: &["SHUTDOWN"] },
    Case { args: &[], before: &["SET a b"], asks: &["SHUTDOWN SAVE"] },
    Case { args: &[], before: &[], asks: &["-TERM"] },
    Case { args: &[], before: &[], asks: &["-INT"] },
    Case { args: &["--save", "3600 1"], before: &["SET a b"], asks: &["SHUTDOWN"] },
    Case { args: &["--save", "3600 1"], before: &["SET a b"], asks: &["SHUTDOWN NOSAVE NOW"] },
    Case { args: &["--save", "3600 1"], before: &["SET a b"], asks: &["-TERM"] },
    Case {
        args: &["--save", "3600 1", "--shutdown-on-sigterm", "nosave now"],
        before: &["SET a b"],
        asks: &["-TERM"],
    },
    Case { args: &["--shutdown-on-sigint", "save"], before: &["SET a b"], asks: &["-INT"] },
    Case {
        args: &["--save", "3600 1"],
        before: &["SET a b", "gone"],
        asks: &["SHUTDOWN", "-TERM", "SHUTDOWN NOSAVE"],
    },
    Case {
        args: &["--save", "3600 1"],
        before: &["SET a b", "gone"],
        asks: &["SHUTDOWN SAVE NOW", "MULTI", "SHUTDOWN NOW", "DISCARD", "SHUTDOWN FORCE"],
    },
    Case {
        args: &["--save", "3600 1", "--shutdown-on-sigterm", "force"],
        before: &["SET a b", "gone"],
        asks: &["SHUTDOWN ABORT", "-TERM"],
    },
];

/// Everything that can be seen of a case.
fn play(kind: Kind, case: &Case) -> Vec<String> {
    let top = directory();
    let data = top.join("data");
    fs::create_dir(&data).unwrap();
    let mut node = Node::ready(kind, &top, &[&["--dir", data.to_str().unwrap()], case.args].concat());
    let mut client = node.connect();
    let mut seen = Vec::new();
    for line in case.before {
        match *line {
            "gone" => fs::remove_dir(&data).unwrap(),
            line => drop(client.run(line)),
        }
    }
    for (index, ask) in case.asks.iter().enumerate() {
        let is_last = index + 1 == case.asks.len();
        match ask.strip_prefix('-') {
            Some(signal) => {
                node.signal(signal);
                if !is_last {
                    node.wait_log("Received SIG");
                    let ended = "Errors trying to shut down";
                    while node.log().matches(ended).count() <= index {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
            None => {
                let words: Vec<&str> = ask.split(' ').collect();
                let reply = client.command(&words).map(|reply| reply.value.text());
                seen.push(format!("{ask}: {}", reply.unwrap_or_else(|_| "closed".into())));
            }
        }
        if !is_last {
            seen.push(client.run("PING").text());
        }
    }
    seen.push(format!("exit {}", node.exit_code()));
    seen.extend(told(&node));
    let mut files: Vec<String> = fs::read_dir(&data)
        .map(|found| found.map(|file| file.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    files.sort();
    seen.push(format!("files {files:?}"));
    fs::remove_dir_all(top).unwrap();
    seen
}

#[test]
fn ends_as_redis() {
    for case in &CASES {
        let redis = play(Kind::Redis, case);
        for kind in [Kind::Shoal(1), Kind::Shoal(3)] {
            assert_eq!(play(kind, case), redis, "{kind:?} {:?} {:?}", case.args, case.asks);
        }
    }
}

/// A script that never ends, past its threshold.
fn busy(kind: Kind, top: &std::path::Path) -> Node {
    let node = Node::ready(kind, top, &["--save", "3600 1", "--busy-reply-threshold", "20"]);
    let mut client = node.connect();
    client.send(&["EVAL", "while true do end", "1", "a"]).unwrap();
    let mut other = node.connect();
    while !matches!(other.run("GET a"), Value::Error(_)) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The client must outlive the script's start only.
    std::mem::forget(client);
    node
}

#[test]
fn a_signal_waits_for_a_script_and_can_be_taken_back() {
    for kind in ALL {
        let top = directory();
        let mut node = busy(kind, &top);
        let mut client = node.connect();
        let ask = |client: &mut crate::support::client::Client, line: &str| client.run(line).text();
        let abort = ask(&mut client, "SHUTDOWN ABORT");
        assert!(abort.contains("No shutdown in progress"), "{kind:?} {abort}");
        let refused = ask(&mut client, "SHUTDOWN SAVE");
        assert!(refused.contains("BUSY Redis is busy running a script"), "{kind:?} {refused}");
        node.signal("TERM");
        node.wait_log("Received SIGTERM scheduling shutdown...");
        while !ask(&mut client, "SHUTDOWN ABORT").contains("OK") {
            std::thread::sleep(Duration::from_millis(5));
        }
        node.wait_log("Shutdown manually aborted.");
        node.signal("INT");
        node.wait_log("Received SIGINT scheduling shutdown...");
        node.signal("INT");
        node.wait_log("You insist... exiting now.");
        assert_eq!(node.exit_code(), 1, "{kind:?}");
        fs::remove_dir_all(top).unwrap();
    }
}

#[test]
fn shutdown_nosave_ends_a_script() {
    for kind in ALL {
        let top = directory();
        let mut node = busy(kind, &top);
        let mut client = node.connect();
        assert!(client.command(&["SHUTDOWN", "NOSAVE"]).is_err(), "{kind:?}");
        assert_eq!(node.exit_code(), 0, "{kind:?}\n{}", node.log());
        fs::remove_dir_all(top).unwrap();
    }
}

/// Clients count on keys of their own, pipelined, until the server goes; what they were told last.
fn count_until_it_ends(node: &Node, clients: usize) -> Vec<std::thread::JoinHandle<i64>> {
    let began = Arc::new(AtomicBool::new(false));
    (0..clients)
        .map(|number| {
            let mut client = node.connect();
            let began = Arc::clone(&began);
            std::thread::spawn(move || {
                let key = format!("count:{number}");
                let batch: Vec<u8> = (0..8)
                    .flat_map(|_| crate::support::client::encode(&["INCR".as_bytes(), key.as_bytes()]))
                    .collect();
                let mut last = 0;
                while client.send_raw(&batch).is_ok() {
                    for _ in 0..8 {
                        match client.read().map(|reply| reply.value) {
                            Ok(Value::Int(count)) => last = count,
                            _ => return last,
                        }
                    }
                    began.store(true, Ordering::Relaxed);
                }
                last
            })
        })
        .collect()
}

#[test]
fn what_was_acknowledged_is_there_after_an_orderly_stop() {
    for (round, kind) in [Kind::Shoal(1), Kind::Shoal(3), Kind::Shoal(3), Kind::Shoal(1), Kind::Shoal(3)]
        .into_iter()
        .enumerate()
    {
        let top = directory();
        let args: &[&str] =
            if round < 3 { &["--save", "3600 1"] } else { &["--appendonly", "yes", "--appendfsync", "no"] };
        let mut node = Node::ready(kind, &top, args);
        let mut client = node.connect();
        client.run("DEBUG POPULATE 100000 filler 100");
        let counting = count_until_it_ends(&node, 6);
        std::thread::sleep(Duration::from_millis(150));
        if round == 1 {
            // Of what is given up nothing must stay.
            assert_eq!(client.run("BGSAVE").text(), "Background saving started");
        }
        match round {
            2 => node.signal("TERM"),
            _ => client.send(&["SHUTDOWN"]).unwrap(),
        }
        assert_eq!(node.exit_code(), 0, "{}", node.log());
        let told: Vec<i64> = counting.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(told.iter().all(|&count| count > 0), "{told:?}");
        let rubbish = fs::read_dir(&top)
            .unwrap()
            .filter(|file| file.as_ref().unwrap().file_name().into_string().unwrap().starts_with("temp"));
        assert_eq!(rubbish.count(), 0);
        let again = Node::ready(kind, &top, args);
        let mut client = again.connect();
        for (number, &count) in told.iter().enumerate() {
            let Value::Bulk(found) = client.run(&format!("GET count:{number}")) else { panic!("no count") };
            let found: i64 = String::from_utf8(found.to_vec()).unwrap().parse().unwrap();
            assert!(found >= count, "{kind:?}: told {count}, found {found}");
        }
        drop(again);
        fs::remove_dir_all(top).unwrap();
    }
}
