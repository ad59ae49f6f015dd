//! Users in the ACL file and in the configuration: start, LOAD, SAVE, REWRITE, and what is refused, as redis has it.
//!
//! Each check runs against both servers and compares what they say.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::reply::Value;
use crate::support::server::{Plan, Server, shoal_binary};

const GOOD: &str = "user alice on nopass ~* &* +@all\n\nuser bob on >pw ~b* resetchannels -@all +get (~k +set)\nuser default on >def ~* &* +@all\n";
const BAD: &str = "user alice on\n# comment\nuser\nuser bob \"unbalanced\nuser carl +foo -bar foo #x\nuser dave (+get\nuser alice on\nuser eve on  +@all\nuser f #abc !x\n";

fn path_of(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("shoal-acl-{}-{name}", std::process::id()))
}

/// Starts a server with this ACL file.
fn start(plan: Plan, file: &PathBuf, text: &str) -> Server {
    fs::write(file, text).unwrap();
    plan.args(&["--aclfile", file.to_str().unwrap(), "--requirepass", "ignored"]).start()
}

/// One conversation; both servers must give the same.
fn converse(plan: Plan, name: &str) -> Vec<Value> {
    let file = path_of(name);
    let server = start(plan, &file, GOOD);
    let mut admin = server.connect();
    let mut said = vec![admin.run("AUTH def"), admin.run("ACL LIST"), admin.run("ACL GETUSER bob")];
    let mut alice = server.connect();
    said.push(alice.run("AUTH alice x"));
    said.push(admin.run("ACL SETUSER bob +@hash"));
    said.push(admin.run("ACL SAVE"));
    said.push(Value::Bulk(fs::read(&file).unwrap()));
    fs::write(&file, BAD).unwrap();
    let refusal = admin.run("ACL LOAD").text();
    said.push(Value::Bulk(refusal.replace(file.to_str().unwrap(), "FILE").into_bytes()));
    said.push(alice.run("ACL WHOAMI"));
    fs::write(&file, "user zoe on nopass ~* &* +@all\n").unwrap();
    said.push(admin.run("ACL LOAD"));
    said.push(admin.run("ACL LIST"));
    said.push(Value::Int(i64::from(alice.command(&["PING"]).is_err())));
    said.push(server.connect().run("ACL WHOAMI"));
    fs::remove_file(&file).unwrap();
    let missing = admin.run("ACL LOAD").text();
    said.push(Value::Bulk(missing.replace(file.to_str().unwrap(), "FILE").into_bytes()));
    said
}

#[test]
fn acl_files_are_loaded_and_saved() {
    let (ours, theirs) = (converse(Plan::shoal(3), "ours.acl"), converse(Plan::redis(), "theirs.acl"));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.text(), theirs.text());
        assert_eq!(ours, theirs);
    }
}

/// `user` lines of the configuration, and what CONFIG REWRITE makes of them.
fn configured(plan: Plan, name: &str) -> Vec<String> {
    let file = path_of(name);
    fs::write(&file, "user tom on >x ~a* +@read\nuser default on nopass ~* &* +@all\nacllog-max-len 7\n")
        .unwrap();
    let server = plan.config_file(&file).start();
    let mut admin = server.connect();
    let mut said = vec![admin.run("ACL LIST").items().unwrap().iter().map(Value::text).collect::<String>()];
    admin.run("ACL SETUSER tom -get");
    admin.run("ACL SETUSER ann on nopass &a");
    said.push(admin.run("CONFIG REWRITE").text());
    let text = fs::read_to_string(&file).unwrap();
    said.extend(text.lines().filter(|line| line.starts_with("user ")).map(str::to_owned));
    fs::remove_file(&file).unwrap();
    said
}

#[test]
fn user_lines_are_read_and_rewritten() {
    assert_eq!(configured(Plan::shoal(1), "ours.conf"), configured(Plan::redis(), "theirs.conf"));
}

/// The last words of a server that does not start.
fn last_words(binary: &PathBuf, config: &str) -> String {
    let file = path_of("broken.conf");
    fs::write(&file, format!("port 0\nsave \"\"\nunixsocket {}\n{config}\n", path_of("sock").display()))
        .unwrap();
    let output = Command::new(binary).arg(&file).output().unwrap();
    fs::remove_file(&file).unwrap();
    assert!(!output.status.success(), "{config} was accepted");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let lines =
        text.lines().filter(|line| line.contains("ACL") || line.contains("user ") || line.contains(">>>"));
    // Without the log's prefix.
    let bare = |line: &str| line.split_once(" # ").map_or(line, |(_, text)| text).to_owned();
    let mut said: Vec<String> = Vec::new();
    for line in lines.map(bare) {
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said.join("\n")
}

#[test]
fn broken_user_lines_are_refused_in_the_same_words() {
    let redis = PathBuf::from("redis-server");
    for config in [
        "user carl foo",
        "user carl +foo",
        "user carl +get (foo",
        "user carl +get foo %X~",
        "user carl on (+get ) #zz",
        "user carl on\nuser carl off",
        "user \"a b\" on",
        "user carl on\naclfile /nonexistent/acl",
        "aclfile /nonexistent/acl",
    ] {
        let (ours, theirs) = (last_words(&shoal_binary(), config), last_words(&redis, config));
        assert_eq!(ours, theirs, "{config}");
    }
}
