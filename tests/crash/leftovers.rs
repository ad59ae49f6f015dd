//! The directories that a crash leaves behind amid a rewrite, a rename, a change of the manifest; and those that somebody spoilt.
//!
//! Called by main. Each case changes a good directory; shoal and redis-server start on copies of it: both serve the same data and leave the same
//! files and manifest (temporary files aside), or both refuse. After a start both must be able to rewrite, restart, and still have the data.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::client::wait_until;
use crate::support::directory::Directory;
use crate::support::server::{Plan, Server};

const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
const BASE: &str = "appendonlydir/appendonly.aof.2.base.rdb";
const INCR: &str = "appendonlydir/appendonly.aof.2.incr.aof";
const NEXT: &str = "appendonlydir/appendonly.aof.3.incr.aof";
const MORE: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$4\r\nmore\r\n$1\r\n1\r\n";

/// Makes a directory what a crash would have left.
type Spoil = fn(&Directory);

const CASES: &[(&str, Spoil)] = &[
    ("as it was", |_| {}),
    ("temporary files of a rewrite and a save", |at| {
        at.write("temp-rewriteaof-bg-4711.aof", b"REDIS0010 torn");
        at.write("temp-rewriteaof-4711.aof", b"torn");
        at.write("temp-4711.rdb", b"REDIS0010 torn");
        at.write("appendonlydir/temp-appendonly.aof.manifest", b"file appendonly.aof.3.ba");
    }),
    ("a next incr that no manifest lists", |at| at.write(NEXT, MORE)),
    ("a next base that no manifest lists", |at| {
        at.write("appendonlydir/appendonly.aof.3.base.rdb", b"REDIS0010 torn")
    }),
    ("two incrs, as during a rewrite", |at| {
        at.write(NEXT, MORE);
        add_line(at, "file appendonly.aof.3.incr.aof seq 3 type i");
    }),
    ("an empty last incr", |at| {
        at.write(NEXT, b"");
        add_line(at, "file appendonly.aof.3.incr.aof seq 3 type i");
    }),
    ("a last incr that is listed and not there", |at| {
        add_line(at, "file appendonly.aof.3.incr.aof seq 3 type i")
    }),
    ("history listed and there", |at| {
        at.write("appendonlydir/appendonly.aof.1.base.rdb", b"old");
        at.write("appendonlydir/appendonly.aof.1.incr.aof", b"old");
        add_line(at, "file appendonly.aof.1.base.rdb seq 1 type h");
        add_line(at, "file appendonly.aof.1.incr.aof seq 1 type h");
    }),
    ("history listed and gone", |at| add_line(at, "file appendonly.aof.1.base.rdb seq 1 type h")),
    ("a torn tail in the last incr", |at| append(at, INCR, b"*3\r\n$3\r\nSET\r\n$4\r\nto")),
    ("a torn transaction in the last incr", |at| {
        append(at, INCR, [b"*1\r\n$5\r\nMULTI\r\n", MORE].concat().as_slice())
    }),
    ("a torn tail in an incr that is not the last", |at| {
        append(at, INCR, b"*3\r\n$3\r\nSET\r\n$4\r\nto");
        at.write(NEXT, MORE);
        add_line(at, "file appendonly.aof.3.incr.aof seq 3 type i");
    }),
    ("a torn tail before an empty last incr", |at| {
        append(at, INCR, b"*3\r\n$3\r\nSET\r\n$4\r\nto");
        at.write(NEXT, b"");
        add_line(at, "file appendonly.aof.3.incr.aof seq 3 type i");
    }),
    ("a torn base", |at| at.write(BASE, &at.read(BASE)[..40])),
    ("no base file", |at| remove(at, BASE)),
    ("no incr file", |at| remove(at, INCR)),
    ("no manifest", |at| remove(at, MANIFEST)),
    ("an empty manifest", |at| at.write(MANIFEST, b"")),
    ("a manifest without its last newline", |at| at.write(MANIFEST, at.read(MANIFEST).trim_ascii_end())),
    ("a manifest with a comment", |at| add_line(at, "# a comment")),
    ("a manifest with an empty line", |at| add_line(at, "")),
    ("a manifest with a line of garbage", |at| add_line(at, "garbage")),
    ("a manifest with a torn line", |at| add_line(at, "file appendonly.aof.3.incr.aof seq")),
    ("a manifest with a path for a name", |at| {
        add_line(at, "file ../appendonly.aof.3.incr.aof seq 3 type i")
    }),
    ("a manifest with an unknown type", |at| add_line(at, "file appendonly.aof.3.incr.aof seq 3 type x")),
    ("a manifest with two bases", |at| add_line(at, "file appendonly.aof.3.base.rdb seq 3 type b")),
    ("a manifest with numbers out of order", |at| {
        add_line(at, "file appendonly.aof.1.incr.aof seq 1 type i")
    }),
    ("a manifest with more words", |at| {
        let text = String::from_utf8_lossy(&at.read(MANIFEST))
            .replace("type i", "type i startoffset 17 endoffset 20");
        at.write(MANIFEST, text.as_bytes());
    }),
    ("a manifest that lists no base", |at| {
        at.write(MANIFEST, b"file appendonly.aof.2.incr.aof seq 2 type i\n")
    }),
    ("no AOF directory, but an RDB file", |at| {
        let base = at.read(BASE);
        std::fs::remove_dir_all(at.path().join("appendonlydir")).expect("removed");
        at.write("dump.rdb", &base);
    }),
    ("a file of Redis 6 beside the directory", |at| at.write("appendonly.aof", MORE)),
    ("an RDB file beside the AOF", |at| at.write("dump.rdb", b"REDIS0010 garbage")),
    ("a directory in the place of a file", |at| {
        remove(at, INCR);
        std::fs::create_dir(at.path().join(INCR)).expect("created");
    }),
];

fn add_line(at: &Directory, line: &str) {
    append(at, MANIFEST, format!("{line}\n").as_bytes());
}

fn append(at: &Directory, name: &str, bytes: &[u8]) {
    at.write(name, &[at.read(name).as_slice(), bytes].concat());
}

fn remove(at: &Directory, name: &str) {
    std::fs::remove_file(at.path().join(name)).expect("removed");
}

/// A base of number 2 and an incr with some commands.
fn good() -> Directory {
    let directory = Directory::new("good");
    let mut redis = Plan::redis().args(&["--appendonly", "yes"]).data(directory.path()).start();
    let mut client = redis.connect();
    for line in ["SET a 1", "RPUSH list x y", "BGREWRITEAOF"] {
        assert!(!client.run(line).is_error(), "{line}");
    }
    redis.wait_info("aof_rewrite_in_progress", "0");
    for line in ["SET b 2", "MULTI", "INCR c", "INCR d", "EXEC"] {
        assert!(!client.run(line).is_error(), "{line}");
    }
    assert!(redis.terminate().success());
    directory
}

/// What came of a start.
#[derive(PartialEq, Eq, Debug)]
enum Outcome {
    /// Exit status.
    Refused(Option<i32>),
    /// Data, files after the start (and after a rewrite), and whether a restart brought the data back.
    Served { digest: String, files: Files, rewritten: Files, restarts: bool },
}

fn digest(server: &Server) -> String {
    server.connect().run("DEBUG DIGEST").text()
}

/// Names and, of the manifest, the text.
type Files = BTreeMap<String, String>;

/// Numbered files of which the manifest knows nothing.
fn is_unlisted(name: &str, files: &Files) -> bool {
    let manifest = files.get(MANIFEST).map_or("", String::as_str);
    let numbered = name.contains(".base.") || name.contains(".incr.");
    numbered && !manifest.contains(name.rsplit('/').next().unwrap_or(name))
}

/// Files but temporary ones, manifests whole. Old files are removed in the background: waits for `wanted`, or else for nothing to be removed, which
/// is not so in every case.
fn listing(at: &Directory, wanted: Option<&Files>) -> Files {
    let list = || -> Files {
        let names = at.files().into_keys().filter(|name| !name.contains("temp-"));
        let content = |name: String| {
            let text = if name == MANIFEST {
                String::from_utf8_lossy(&at.read(&name)).into_owned()
            } else {
                String::new()
            };
            (name, text)
        };
        names.map(content).collect()
    };
    let limit = if wanted.is_some() { Duration::from_secs(5) } else { Duration::from_millis(300) };
    let mut now = list();
    wait_until(limit, || {
        now = list();
        wanted.map_or_else(|| !now.keys().any(|name| is_unlisted(name, &now)), |wanted| now == *wanted)
    });
    now
}

/// Starts on a copy; `wanted` is what came of it elsewhere.
fn try_on(plan: &Plan, spoilt: &Directory, options: &[&str], wanted: Option<&Outcome>) -> (Outcome, String) {
    let (after_start, after_rewrite) = match wanted {
        Some(Outcome::Served { files, rewritten, .. }) => (Some(files), Some(rewritten)),
        _ => (None, None),
    };
    let files = Directory::copy_of("leftovers", spoilt.path());
    let plan = plan.clone().args(&["--appendonly", "yes"]).args(options).data(files.path());
    let mut server = match plan.try_start() {
        Ok(server) => server,
        Err(refusal) => {
            return (Outcome::Refused(refusal.status.and_then(|status| status.code())), refusal.log);
        }
    };
    let (found, log) = (digest(&server), server.log());
    let after = listing(&files, after_start);
    let mut client = server.connect();
    client.run("SET written later");
    client.run("BGREWRITEAOF");
    server.wait_info("aof_rewrite_in_progress", "0");
    let rewritten = listing(&files, after_rewrite);
    client.run("INCR counter");
    let wanted = digest(&server);
    assert!(server.terminate().success());
    let restarts = plan.try_start().is_ok_and(|server| digest(&server) == wanted);
    (Outcome::Served { digest: found, files: after, rewritten, restarts }, log)
}

fn run(options: &[&str], part: &str) {
    let (good, mut differences, mut served) = (good(), Vec::new(), 0);
    for (name, spoil) in CASES.iter().filter(|(name, _)| name.contains(part)) {
        let spoilt = Directory::copy_of("spoilt", good.path());
        spoil(&spoilt);
        let (theirs, their_log) = try_on(&Plan::redis(), &spoilt, options, None);
        let (ours, our_log) = try_on(&Plan::shoal(2), &spoilt, options, Some(&theirs));
        let dead = matches!(ours, Outcome::Served { restarts: false, .. });
        served += u32::from(matches!(ours, Outcome::Served { .. }));
        if std::env::var_os("SHOW").is_some() {
            println!("---- {name}: {theirs:?}");
        }
        if ours != theirs || dead {
            let last = |log: &str| log.lines().rev().take(4).collect::<Vec<_>>().join("\n    ");
            differences.push(format!(
                "{name} {options:?}\n  ours:   {ours:?}\n    {}\n  redis': {theirs:?}\n    {}",
                last(&our_log),
                last(&their_log)
            ));
        }
    }
    println!("{served} cases served");
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn what_crashes_leave_behind_is_taken_as_redis_takes_it() {
    run(&[], "");
}

#[test]
fn what_crashes_leave_behind_where_truncation_is_not_allowed() {
    run(&["--aof-load-truncated", "no"], "torn");
}
