//! AOF directories both ways: one directory goes from server to server, each adds to it, the next must have what the last had.
//!
//! Called by main. Per seed the chain is shoal, redis-server, shoal with other threads, redis-server, shoal; the format of the base, time stamps and
//! the fsync policy are part of the seed; rewrites happen amid the traffic. Between two links redis-check-aof judges the manifest and every file.

use crate::dataset::{self, unix_ms};
use crate::seed_count;
use crate::state::{Detail, State};
use crate::support::annotations::without_annotations;
use crate::support::checkers::check_aof;
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number, seeds};
use crate::support::reply::show;
use crate::support::server::{Plan, Server};
use crate::work::Work;

/// How a link of the chain begins and ends.
struct Link {
    plan: Plan,
    name: &'static str,
}

fn links(prng: &mut Prng) -> Vec<Link> {
    let mut threads = || 1 + prng.below(3) as u32;
    vec![
        Link { plan: Plan::shoal(threads()), name: "first shoal" },
        Link { plan: Plan::redis(), name: "first redis" },
        Link { plan: Plan::shoal(threads()), name: "second shoal" },
        Link { plan: Plan::redis(), name: "second redis" },
        Link { plan: Plan::shoal(threads()), name: "third shoal" },
    ]
}

fn options(prng: &mut Prng, preamble: &'static str) -> Vec<&'static str> {
    vec![
        "--appendonly",
        "yes",
        "--appendfsync",
        prng.pick(&["everysec", "always", "no"]),
        "--aof-use-rdb-preamble",
        preamble,
        "--aof-timestamp-enabled",
        prng.pick(&["no", "yes"]),
        "--auto-aof-rewrite-percentage",
        "0",
    ]
}

/// A rewrite that is over when this returns.
pub fn rewrite(server: &Server) {
    let reply = server.connect().run("BGREWRITEAOF").text();
    assert_eq!(reply, "Background append only file rewriting started");
    server.wait_info("aof_rewrite_in_progress", "0");
    assert_eq!(server.info("aof_last_bgrewrite_status"), "ok");
}

fn add(server: &Server, work: &mut Work, prng: &mut Prng, commands: usize) {
    let parts = 1 + prng.index(3);
    for part in 0..parts {
        if part > 0 {
            let _ = server.connect().run("BGREWRITEAOF");
        }
        work.run(server, commands / parts);
    }
    server.wait_info("aof_rewrite_in_progress", "0");
}

/// Ends a server in an orderly way, or at once if every reply stood for an fsync.
fn end(mut server: Server, options: &[&str], prng: &mut Prng) {
    if options.contains(&"always") && prng.chance(50) {
        server.kill();
    } else {
        let status = server.terminate();
        assert!(status.success(), "SIGTERM: {status}\n{}", server.log());
    }
}

fn chain(seed: u64) {
    let prng = &mut Prng::new(seed);
    let directory = Directory::new("aof");
    let mut work = Work::new(seed);
    let mut last: Option<State> = None;
    let links = links(prng);
    // The base of the whole chain is of one kind: as commands it carries less.
    let preamble = if prng.chance(65) { "yes" } else { "no" };
    let detail = if preamble == "yes" { Detail::Logged } else { Detail::Rewritten };
    for (number, link) in links.iter().enumerate() {
        let options = options(prng, preamble);
        let server = link.plan.clone().args(&options).data(directory.path()).start();
        let what = format!("seed {seed}, {} with {options:?}", link.name);
        if let Some(last) = &last {
            last.assert_same(&State::of(&server, work.near_until_ms(), detail), &what);
        } else {
            let data = dataset::generate(seed, 60);
            dataset::send(&mut server.connect(), &data.commands);
            std::thread::sleep(std::time::Duration::from_millis(
                data.near_until_ms.saturating_sub(unix_ms()),
            ));
        }
        add(&server, &mut work, prng, env_number("COMMANDS", 900) as usize);
        let state = State::of(&server, work.near_until_ms(), detail);
        if number == 0 {
            assert!(state.len() > 20, "{what}: only {} keys, the test tests nothing", state.len());
        }
        end(server, &options, prng);
        check_aof(&directory.path().join("appendonlydir"));
        let left: Vec<String> = directory.files().into_keys().filter(|name| name.contains("temp")).collect();
        assert!(left.is_empty(), "{what} left {left:?}");
        last = Some(state);
    }
}

#[test]
fn aof_directories_pass_both_ways() {
    for seed in seeds(1, seed_count(2)) {
        let started = unix_ms();
        chain(seed);
        println!("seed {seed}: {} ms", unix_ms() - started);
    }
}

/// The AOF is switched on in a server that already has data; rewritten while clients write; switched off and on again.
#[test]
fn an_aof_switched_on_at_run_time_holds_everything() {
    for seed in seeds(1, seed_count(1)) {
        let directory = Directory::new("aof");
        let mut server = Plan::shoal(2).data(directory.path()).start();
        let mut work = Work::new(seed);
        let data = dataset::generate(seed, 60);
        dataset::send(&mut server.connect(), &data.commands);
        let mut near_until_ms = data.near_until_ms;
        for _ in 0..2 {
            assert_eq!(server.connect().run("CONFIG SET appendonly yes").text(), "OK");
            work.run(&server, 300);
            server.wait_info("aof_rewrite_in_progress", "0");
            work.run(&server, 300);
            let state = State::of(&server, near_until_ms.max(work.near_until_ms()), Detail::Logged);
            near_until_ms = 0;
            server.connect().run("CONFIG SET appendfsync always");
            server.connect().run("SET last one");
            server.connect().run("DEL last");
            for reader in [Plan::redis(), Plan::shoal(3)] {
                let copy = Directory::copy_of("aof-copy", directory.path());
                let what = format!("seed {seed}, redis reads: {}", reader.is_redis());
                let reader = reader.args(&["--appendonly", "yes"]).data(copy.path()).start();
                state.assert_same(&State::of(&reader, 0, Detail::Logged), &what);
            }
            assert_eq!(server.connect().run("CONFIG SET appendonly no").text(), "OK");
            work.run(&server, 100);
        }
        server.assert_healthy();
    }
}

/// DEBUG LOADAOF gives what was there.
#[test]
fn debug_loadaof_gives_the_same_data() {
    let directory = Directory::new("aof");
    let server = Plan::shoal(2).args(&["--appendonly", "yes"]).data(directory.path()).start();
    let mut work = Work::new(7);
    work.run(&server, 500);
    rewrite(&server);
    work.run(&server, 500);
    let state = State::of(&server, work.near_until_ms(), Detail::Logged);
    assert_eq!(server.connect().run("DEBUG LOADAOF").text(), "OK");
    state.assert_same(&State::of(&server, 0, Detail::Logged), "DEBUG LOADAOF");
}

/// A single file of Redis 6 is taken as the base of the new layout, exactly as redis-server 7 takes it.
#[test]
fn a_single_file_of_redis_6_is_upgraded() {
    for preamble in ["yes", "no"] {
        let directory = Directory::new("aof");
        let mut old = Plan::redis()
            .args(&["--appendonly", "yes", "--aof-use-rdb-preamble", preamble])
            .data(directory.path())
            .start();
        let mut work = Work::new(3);
        work.run(&old, 400);
        rewrite(&old);
        work.run(&old, 400);
        let state = State::of(&old, work.near_until_ms(), Detail::Logged);
        assert!(old.terminate().success());
        let of_suffix = |suffix: &str| -> Vec<u8> {
            let files = directory.files();
            let name = files.keys().find(|name| name.ends_with(suffix)).expect("a file of the AOF");
            directory.read(name)
        };
        let base = of_suffix(if preamble == "yes" { ".base.rdb" } else { ".base.aof" });
        let single = [base, of_suffix(".incr.aof")].concat();
        let mut layouts = Vec::new();
        for reader in [Plan::redis(), Plan::shoal(2)] {
            let upgraded = Directory::new("aof-6");
            upgraded.write("appendonly.aof", &single);
            let what = format!("preamble {preamble}, redis reads: {}", reader.is_redis());
            let mut reader = reader.args(&["--appendonly", "yes"]).data(upgraded.path()).start();
            state.assert_same(&State::of(&reader, 0, Detail::Logged), &what);
            reader.connect().run("SET after upgrade");
            assert!(reader.terminate().success());
            let files: Vec<String> = upgraded.files().into_keys().collect();
            assert!(
                upgraded.read("appendonlydir/appendonly.aof") == single,
                "{what}: the old file was changed"
            );
            let manifest = upgraded.read("appendonlydir/appendonly.aof.manifest");
            // redis-server begins a log with SELECT 0; ours begins in database 0 anyway.
            let written = without_annotations(&upgraded.read("appendonlydir/appendonly.aof.1.incr.aof"));
            let written = written.strip_prefix(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n").unwrap_or(&written);
            layouts.push((files, show(&manifest, 200), show(written, 200)));
        }
        assert_eq!(layouts[0], layouts[1], "preamble {preamble}: redis, then shoal");
    }
}
