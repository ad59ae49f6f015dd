//! A file system of 16 MiB that fills up under the AOF, a rewrite, a save: what clients are told, what INFO says, what is left, how it ends.
//!
//! Called by main. Each story is told to shoal and to redis-server and the two transcripts are compared word for word. A ballast file takes most of the
//! room; taking it away is the "space is back". Needs root for the mount (a failure if it has not).

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::checkers::{check_aof, check_rdb};
use crate::support::client::{Client, wait_until};
use crate::support::directory::Directory;
use crate::support::prng::Prng;
use crate::support::server::{Plan, Server};

const DISK_MIB: u32 = 16;
const LIMIT: Duration = Duration::from_secs(15);

/// What happened, step by step.
#[derive(Default)]
struct Transcript {
    lines: Vec<String>,
}

impl Transcript {
    fn note(&mut self, step: &str, outcome: impl std::fmt::Display) {
        self.lines.push(format!("{step}: {outcome}"));
    }

    /// The reply to a line.
    fn ask(&mut self, client: &mut Client, line: &str) {
        let reply = client.run(line);
        let text = if reply.is_error() { format!("-{}", reply.text()) } else { reply.text() };
        self.note(line, text);
    }

    fn info(&mut self, server: &Server, fields: &[&str]) {
        for field in fields {
            self.note(field, server.info(field));
        }
    }

    /// Names of the files, and the manifest.
    fn files(&mut self, directory: &Directory) {
        let names: Vec<String> = directory.files().into_keys().filter(|name| name != "ballast").collect();
        self.note("files", names.join(" "));
        if let Some(manifest) = names.iter().find(|name| name.ends_with(".manifest")) {
            self.note("manifest", String::from_utf8_lossy(&directory.read(manifest)));
        }
    }
}

fn ballast(path: &Path, mib: usize) {
    fs::write(path.join("ballast"), vec![b'b'; mib << 20]).expect("room for the ballast");
}

fn random_value(prng: &mut Prng, length: usize) -> Vec<u8> {
    prng.bytes(length)
}

/// Writes values of 100 KB until one is refused or the connection ends; the refusal, and how many were accepted.
fn fill(client: &mut Client, most: usize) -> (Option<String>, usize) {
    let mut prng = Prng::new(5);
    for number in 0..most {
        let value = random_value(&mut prng, 100_000);
        match client.command(&[b"SET".as_slice(), format!("fill:{number}").as_bytes(), &value]) {
            Ok(reply) if reply.value.is_error() => return (Some(reply.value.text()), number),
            Ok(_) => {}
            Err(_) => return (None, number),
        }
    }
    panic!("{most} values of 100 KB fit on a disk of {DISK_MIB} MiB");
}

/// Everything a client may try while writes are refused.
fn ask_all(told: &mut Transcript, client: &mut Client) {
    for line in [
        "SET x 1",
        "GET fill:0:none",
        "PING",
        "DEL fill:0",
        "EXPIRE fill:0 100",
        "FLUSHALL",
        "PUBLISH channel message",
        "MULTI",
        "SET x 1",
        "EXEC",
        "EVAL return(redis.call('SET','x','y')) 0",
        "EVAL return(redis.call('EXISTS','x')) 0",
        "EVAL return(redis.pcall('SET','x','y')['err']) 0",
        "CONFIG SET lfu-decay-time 1",
    ] {
        told.ask(client, line);
    }
}

/// Writes are taken again within the limit.
fn recovers(server: &Server) -> bool {
    wait_until(LIMIT, || server.connect().run("SET back again").text() == "OK")
}

/// Started again on the same files: has it the same data?
fn restarts_with(plan: &Plan, digest: &str) -> bool {
    plan.clone().start().connect().run("DEBUG DIGEST").text() == digest
}

fn tell_everysec(plan: Plan) -> Vec<String> {
    let disk = Directory::small("full", DISK_MIB);
    ballast(disk.path(), 11);
    let mut told = Transcript::default();
    let plan = plan.args(&["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"]).data(disk.path());
    let mut server = plan.clone().start();
    let mut client = server.connect();
    let (refusal, accepted) = fill(&mut client, 400);
    told.note("refused", refusal.as_deref().unwrap_or("connection lost"));
    told.note("about 5 MiB were accepted", (40..60).contains(&accepted));
    told.info(&server, &["aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"]);
    ask_all(&mut told, &mut client);
    fs::remove_file(disk.path().join("ballast")).expect("the ballast");
    told.note("recovers", recovers(&server));
    told.info(&server, &["aof_last_write_status"]);
    told.ask(&mut client, "SET x 2");
    let digest = client.run("DEBUG DIGEST").text();
    told.note("SIGTERM", server.terminate());
    drop(server);
    check_aof(&disk.path().join("appendonlydir"));
    told.note("the same data after a restart", restarts_with(&plan, &digest));
    told.lines
}

fn tell_always(plan: Plan) -> Vec<String> {
    let disk = Directory::small("full", DISK_MIB);
    ballast(disk.path(), 11);
    let mut told = Transcript::default();
    let options = ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"];
    let plan = plan.args(&options).data(disk.path());
    let mut server = plan.clone().start();
    let (refusal, accepted) = fill(&mut server.connect(), 400);
    told.note("refused", refusal.as_deref().unwrap_or("connection lost"));
    told.note("ends", server.wait_exit(LIMIT));
    let log = server.log();
    let words = "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...";
    told.note(words, log.contains(words));
    drop(server);
    fs::remove_file(disk.path().join("ballast")).expect("the ballast");
    let server = plan.start();
    let size = server.connect().run("DBSIZE").int().unwrap_or(-1);
    told.note(
        "all that was acknowledged is there, and at most one more",
        [accepted, accepted + 1].contains(&(size as usize)),
    );
    told.lines
}

/// Both ways of saving, with writes stopped after a failure or not.
fn tell_save(plan: Plan, stop_writes: &str) -> Vec<String> {
    let disk = Directory::small("full", DISK_MIB);
    let mut told = Transcript::default();
    let options = ["--stop-writes-on-bgsave-error", stop_writes];
    let plan = plan.args(&options).args(&["--save", "3600 1000000"]).data(disk.path());
    let mut server = plan.clone().start();
    let mut client = server.connect();
    told.ask(&mut client, "SET small 1");
    told.ask(&mut client, "SAVE");
    let good = disk.read("dump.rdb");
    ballast(disk.path(), 12);
    let mut prng = Prng::new(6);
    for number in 0..80 {
        let value = random_value(&mut prng, 100_000);
        client.command(&[b"SET".as_slice(), format!("fill:{number}").as_bytes(), &value]).expect("a reply");
    }
    let fields = ["rdb_last_bgsave_status", "rdb_bgsave_in_progress", "aof_last_write_status"];
    told.ask(&mut client, "SAVE");
    told.info(&server, &fields);
    told.files(&disk);
    told.ask(&mut client, "SET after save");
    told.ask(&mut client, "BGSAVE");
    told.note("BGSAVE ends", wait_until(LIMIT, || server.info("rdb_bgsave_in_progress") == "0"));
    told.info(&server, &fields);
    told.files(&disk);
    told.note("the last good file is untouched", disk.read("dump.rdb") == good);
    ask_all(&mut told, &mut client);
    let changes = server.info("rdb_changes_since_last_save").parse::<u64>().unwrap_or(0) > 0;
    told.note("changes are still counted", changes);
    fs::remove_file(disk.path().join("ballast")).expect("the ballast");
    told.ask(&mut client, "BGSAVE");
    told.note("BGSAVE ends", wait_until(LIMIT, || server.info("rdb_bgsave_in_progress") == "0"));
    told.info(&server, &fields);
    told.ask(&mut client, "SET after recovery");
    told.ask(&mut client, "SAVE");
    let digest = client.run("DEBUG DIGEST").text();
    let keys = client.run("DBSIZE").int().unwrap_or(-1);
    told.note("as many keys in the file", check_rdb(&disk.path().join("dump.rdb")) as i64 == keys);
    told.files(&disk);
    server.kill();
    drop(server);
    told.note("the same data after a restart", restarts_with(&plan, &digest));
    told.lines
}

/// A shutdown that has to save and cannot: refused, and the server goes on.
fn tell_shutdown(plan: Plan) -> Vec<String> {
    let disk = Directory::small("full", DISK_MIB);
    let mut told = Transcript::default();
    let plan = plan.args(&["--save", "3600 1000000"]).data(disk.path());
    let mut server = plan.start();
    let mut client = server.connect();
    ballast(disk.path(), 14);
    let mut prng = Prng::new(6);
    for number in 0..40 {
        let value = random_value(&mut prng, 100_000);
        client.command(&[b"SET".as_slice(), format!("fill:{number}").as_bytes(), &value]).expect("a reply");
    }
    told.ask(&mut client, "SHUTDOWN");
    told.note("it goes on", server.is_running());
    told.ask(&mut client, "GET none");
    told.files(&disk);
    told.note("SHUTDOWN FORCE ends it", client.command(&["SHUTDOWN", "FORCE"]).is_err());
    told.note("ends", server.wait_exit(LIMIT));
    told.files(&disk);
    told.lines
}

fn tell_rewrite(plan: Plan) -> Vec<String> {
    let disk = Directory::small("full", DISK_MIB);
    let mut told = Transcript::default();
    let plan = plan.args(&["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"]).data(disk.path());
    let mut server = plan.clone().start();
    let mut client = server.connect();
    let mut prng = Prng::new(7);
    for number in 0..50 {
        let value = random_value(&mut prng, 100_000);
        client.command(&[b"SET".as_slice(), format!("fill:{number}").as_bytes(), &value]).expect("a reply");
    }
    // Written, so that the ballast does not take the room of what was acknowledged.
    let grown = || disk.files().values().sum::<u64>() >= 5_000_000;
    told.note("the log is written", wait_until(LIMIT, grown));
    ballast(disk.path(), 8);
    told.ask(&mut client, "BGREWRITEAOF");
    let idle =
        || server.info("aof_rewrite_in_progress") == "0" && server.info("aof_rewrite_scheduled") == "0";
    told.note("it ends", wait_until(LIMIT, idle));
    told.info(&server, &["aof_last_bgrewrite_status", "aof_last_write_status"]);
    told.files(&disk);
    told.ask(&mut client, "SET while full");
    fs::remove_file(disk.path().join("ballast")).expect("the ballast");
    told.note("recovers", recovers(&server));
    told.ask(&mut client, "BGREWRITEAOF");
    told.note("it ends", wait_until(LIMIT, idle));
    told.info(&server, &["aof_last_bgrewrite_status", "aof_last_write_status"]);
    told.ask(&mut client, "SET after all");
    let digest = client.run("DEBUG DIGEST").text();
    told.note("SIGTERM", server.terminate());
    drop(server);
    told.files(&disk);
    check_aof(&disk.path().join("appendonlydir"));
    told.note("the same data after a restart", restarts_with(&plan, &digest));
    told.lines
}

/// Tells a story to both and compares.
fn compare(tell: impl Fn(Plan) -> Vec<String>) {
    let theirs = tell(Plan::redis());
    let ours = tell(Plan::shoal(2));
    let differing: Vec<String> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| format!("ours:   {ours}\nredis': {theirs}"))
        .collect();
    if std::env::var_os("SHOW").is_some() {
        println!("{}", theirs.join("\n"));
    }
    assert!(differing.is_empty() && ours.len() == theirs.len(), "{}", differing.join("\n"));
}

#[test]
fn a_full_disk_under_the_aof_with_everysec() {
    compare(tell_everysec);
}

#[test]
fn a_full_disk_under_the_aof_with_always() {
    compare(tell_always);
}

#[test]
fn a_full_disk_while_saving_stops_writes() {
    compare(|plan| tell_save(plan, "yes"));
}

#[test]
fn a_full_disk_while_saving_may_be_ignored() {
    compare(|plan| tell_save(plan, "no"));
}

#[test]
fn a_full_disk_at_shutdown() {
    compare(tell_shutdown);
}

#[test]
fn a_full_disk_while_rewriting() {
    compare(tell_rewrite);
}
