//! Fields of hashes with an expiry of their own, through every kind of file, from shoal to shoal with other threads (redis-server 7.0 knows no such fields).
//!
//! Called by main. Per seed: random changes of small and large hashes, then each way of bringing them over a restart: SAVE, BGSAVE, SHUTDOWN SAVE, the log,
//! rewrites of both kinds (with more changes behind them), kill -9 with `always`. Values and HPEXPIRETIME of every field are equal; what has
//! expired meanwhile is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::aof::rewrite;
use crate::dataset::unix_ms;
use crate::seed_count;
use crate::support::client::Client;
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number, seeds};
use crate::support::reply::{Value, show};
use crate::support::server::{Plan, Server};

/// Hashes, the first half of them with few fields.
const HASHES: u64 = 12;
/// A near expiry is at most so far away.
const NEAR_MS: u64 = 1200;

/// Value and expiry (unix ms, or -1) of each field of each hash of the two databases.
type Fields = BTreeMap<(u32, String, Vec<u8>), (String, i64)>;

fn read(server: &Server) -> Fields {
    let mut client = server.connect();
    let mut all = Fields::new();
    for db in 0..2 {
        client.run(&format!("SELECT {db}"));
        let keys = client.run("KEYS *");
        for key in keys.items().unwrap_or_default() {
            let key = key.text();
            let values = client.run(&format!("HGETALL {key}"));
            for pair in values.items().unwrap_or_default().chunks(2) {
                let field = pair[0].bytes().unwrap_or_default().to_vec();
                let words = [b"HPEXPIRETIME".as_slice(), key.as_bytes(), b"FIELDS", b"1", &field];
                let reply = client.command(&words).expect("a reply").value;
                let at = reply.items().and_then(|items| items[0].int()).unwrap_or(i64::MIN);
                all.insert((db, key.clone(), field), (pair[1].text(), at));
            }
        }
    }
    all
}

fn assert_same(before: &Fields, after: &Fields, what: &str) {
    let differing = |from: &Fields, to: &Fields| -> Vec<String> {
        let lines = from.iter().filter(|(name, state)| to.get(*name) != Some(state));
        lines
            .map(|(name, state)| {
                format!("db {} {} {}: {state:?}, {:?}", name.0, name.1, show(&name.2, 40), to.get(name))
            })
            .take(6)
            .collect()
    };
    let (lost, new) = (differing(before, after), differing(after, before));
    assert!(
        before == after,
        "{what}: {} fields, then {}\n{}\nand beside\n{}",
        before.len(),
        after.len(),
        lost.join("\n"),
        new.join("\n")
    );
}

/// One random change.
fn change(client: &mut Client, prng: &mut Prng) {
    let number = prng.below(HASHES);
    let fields = if number < HASHES / 2 { 10 } else { 400 };
    let (key, field) = (format!("hash:{number}"), format!("f{}", prng.below(fields)));
    let far = unix_ms() + 100_000 + prng.below(1 << 40);
    let other = format!("hash:{}", prng.below(HASHES));
    let line = match prng.below(24) {
        0..=9 => format!("HSET {key} {field} {} g{} x", prng.next(), prng.below(fields)),
        10..=15 => format!("HPEXPIREAT {key} {far} FIELDS 2 {field} f{}", prng.below(fields)),
        16 => format!("HPEXPIRE {key} {} FIELDS 1 {field}", 1 + prng.below(NEAR_MS)),
        17 => format!("HEXPIRE {key} {} NX FIELDS 1 {field}", 1000 + prng.below(1000)),
        18 => format!("HPERSIST {key} FIELDS 1 {field}"),
        19 => format!("HDEL {key} {field}"),
        20 => format!("HINCRBY {key} count 1"),
        21 => format!("COPY {key} {other} REPLACE"),
        22 => format!("PEXPIREAT {key} {far}"),
        _ => format!("COPY {key} {other} DB 1 REPLACE"),
    };
    let reply = client.run(&line);
    assert!(!reply.is_error() || line.contains(&format!("COPY {key} {key}")), "{line}: {}", reply.text());
}

fn changes(server: &Server, prng: &mut Prng) {
    let mut client = server.connect();
    for _ in 0..env_number("COMMANDS", 900) {
        change(&mut client, prng);
    }
    // A large hash of which every field has an expiry, and one of which all are soon gone.
    for number in 0..300 {
        client.run(&format!("HSET all f{number} {number} g{number} x"));
        let at = unix_ms() + 100_000 + number;
        client.run(&format!("HPEXPIREAT all {at} FIELDS 2 f{number} g{number}"));
        client.run(&format!("HSET soon f{number} {number}"));
        client.run(&format!("HPEXPIRE soon {NEAR_MS} FIELDS 1 f{number}"));
    }
}

/// How the data get over a restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Save,
    Bgsave,
    Shutdown,
    Log,
    Kill,
    RewriteRdb,
    RewriteCommands,
}

const WAYS: [Way; 7] =
    [Way::Save, Way::Bgsave, Way::Shutdown, Way::Log, Way::Kill, Way::RewriteRdb, Way::RewriteCommands];

fn carry(seed: u64, way: Way) {
    let prng = &mut Prng::new(seed * 10 + way as u64);
    let directory = Directory::new("fields");
    let (log, preamble) = match way {
        Way::Save | Way::Bgsave | Way::Shutdown => ("no", "yes"),
        Way::RewriteCommands => ("yes", "no"),
        _ => ("yes", "yes"),
    };
    let options = ["--appendonly", log, "--aof-use-rdb-preamble", preamble, "--appendfsync"];
    let plan = |threads: u64| {
        let policy = if way == Way::Kill { "always" } else { "everysec" };
        Plan::shoal(threads as u32).args(&options).args(&[policy]).data(directory.path())
    };
    let threads = 1 + seed % 3;
    let mut server = plan(threads).start();
    changes(&server, prng);
    match way {
        Way::RewriteRdb | Way::RewriteCommands => {
            rewrite(&server);
            changes(&server, prng);
        }
        Way::Save => assert_eq!(server.connect().run("SAVE").text(), "OK"),
        Way::Bgsave => {
            assert_eq!(server.connect().run("BGSAVE").text(), "Background saving started");
            server.wait_info("rdb_bgsave_in_progress", "0");
            assert_eq!(server.info("rdb_last_bgsave_status"), "ok");
        }
        Way::Shutdown | Way::Log | Way::Kill => {}
    }
    let gone_at = unix_ms() + NEAR_MS + 10;
    // In half of the cases near expiries pass while nobody serves.
    let early = prng.chance(50);
    if !early {
        std::thread::sleep(Duration::from_millis(NEAR_MS + 10));
    }
    let mut before = read(&server);
    before.retain(|_, (_, at)| *at < 0 || *at > (gone_at as i64));
    match way {
        Way::Save | Way::Bgsave | Way::Kill => server.kill(),
        Way::Shutdown => {
            server.connect().send(&["SHUTDOWN", "SAVE"]).expect("sent");
            assert!(server.wait_exit(Duration::from_secs(20)).success(), "{}", server.log());
        }
        _ => assert!(server.terminate().success(), "{}", server.log()),
    }
    drop(server);
    std::thread::sleep(Duration::from_millis(gone_at.saturating_sub(unix_ms())));
    let what = format!("seed {seed}, {way:?}, {threads} threads, read before near expiries: {early}");
    let server = plan(4 - threads).start();
    let after = read(&server);
    assert_same(&before, &after, &what);
    let expiring = after.values().filter(|(_, at)| *at > 0).count();
    assert!(expiring > 600, "{what}: only {expiring} fields expire");
    assert_eq!(server.connect().run("EXISTS soon"), Value::Int(0), "{what}");
    assert_eq!(server.connect().run("DEBUG RELOAD").text(), "OK");
    assert_same(&before, &read(&server), &format!("{what}, DEBUG RELOAD"));
}

#[test]
fn expiries_of_fields_pass_through_every_kind_of_file() {
    if Plan::shoal(1).is_redis() {
        println!("not tried: redis-server 7.0 has no expiry of fields");
        return;
    }
    for seed in seeds(1, seed_count(1)) {
        std::thread::scope(|scope| {
            for way in WAYS {
                scope.spawn(move || carry(seed, way));
            }
        });
    }
}
