//! Traffic of ACL: users with random rules, their descriptions, dry runs, and commands sent as such a user.
//!
//! Called by `families`. Named users live through the run; a user that commands are sent as is made for them, under a name of its own, and deleted
//! afterwards, so that a connection of the harness never stays without rights.

use crate::families::{Row, line, one};
use crate::traffic::{Args, Step, Traffic, words};

const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];
const COMMANDS: [&str; 30] = [
    "get",
    "set",
    "mget",
    "mset",
    "del",
    "incr",
    "hset",
    "hgetall",
    "lpush",
    "zadd",
    "sadd",
    "xadd",
    "config",
    "config|get",
    "CONFIG|SET",
    "client",
    "client|list",
    "select",
    "publish",
    "subscribe",
    "eval",
    "fcall",
    "sort",
    "acl",
    "acl|whoami",
    "debug",
    "keys",
    "object|encoding",
    "multi",
    "exec",
];
const SIMPLE: [&str; 26] = [
    "on",
    "off",
    "ON",
    "nopass",
    "resetpass",
    "reset",
    "allkeys",
    "~*",
    "resetkeys",
    "allchannels",
    "&*",
    "resetchannels",
    "allcommands",
    "+@all",
    "nocommands",
    "-@all",
    "clearselectors",
    "sanitize-payload",
    "skip-sanitize-payload",
    ">pass",
    "<pass",
    "AllKeys",
    "%RW~*",
    "#zz",
    "+nosuch",
    "",
];
/// Fixed commands.
pub const LINES: &[&str] = &[
    "ACL GENPASS",
    "ACL GENPASS 12",
    "ACL WHOAMI",
    "ACL CAT",
    "ACL CAT nosuch",
    "ACL USERS",
    "ACL GETUSER nobody",
    "ACL DELUSER nobody",
    "ACL DELUSER default",
    "ACL DELUSER",
    "ACL LOG",
    "ACL LOG 3",
    "ACL LOG x",
    "ACL LOG -1",
    "ACL LOG RESET",
    "ACL GENPASS 0",
    "ACL GENPASS 4097",
    "ACL GENPASS x",
    "ACL SAVE",
    "ACL LOAD",
    "ACL NOSUCH",
    "ACL",
    "AUTH nobody x",
    "AUTH x",
    "AUTH a b c",
    "ACL DRYRUN nobody get a",
];
const TRIED: [&str; 36] = [
    "get abc",
    "set abc 1",
    "set abc 1 get",
    "mget abc b1 c",
    "mset abc 1 b1 2",
    "del c",
    "incr abc",
    "type zz",
    "zrangestore abc b1 0 -1",
    "substr abc 0 1",
    "bitfield abc get u8 0",
    "bitfield b1 set u8 0 1",
    "copy abc b1",
    "rename b1 c",
    "getdel abc",
    "getex b1 persist",
    "object encoding abc",
    "memory usage abc",
    "select 0",
    "select 1",
    "publish abc x",
    "publish zz x",
    "unsubscribe abc",
    "zunionstore abc 2 b1 c",
    "bitop and abc b1 c",
    "lcs abc b1",
    "expire abc 1000",
    "strlen b1",
    "scan 0 match x",
    "randomkey x",
    "dbsize",
    "config get maxmemory",
    "ping",
    "acl whoami",
    "hset b1 f v",
    "lmpop 1 abc left",
];

fn name(t: &mut Traffic) -> Vec<u8> {
    format!("user{}", t.prng.below(5)).into_bytes()
}

fn pattern(t: &mut Traffic) -> &'static str {
    t.prng.pick(&["a*", "b?", "[ab]*", "c", "*", "abc", "zz*", ""])
}

fn rule(t: &mut Traffic) -> String {
    let sign = t.prng.pick(&["+", "-"]);
    match t.prng.below(20) {
        0..5 => format!("{sign}@{}", t.prng.pick(&CATEGORIES)),
        5..10 => format!("{sign}{}", t.prng.pick(&COMMANDS)),
        10..13 => format!("{}{}", t.prng.pick(&["~", "~", "%R~", "%W~", "%rw~", "%X~"]), pattern(t)),
        13..15 => format!("&{}", pattern(t)),
        15 => format!("+{}|{}", t.prng.pick(&COMMANDS), t.prng.pick(&["0", "a", "GET", "set", ""])),
        16 => {
            let inner: Vec<String> = (0..t.prng.below(4)).map(|_| rule(t)).collect();
            format!("({})", inner.join(" "))
        }
        _ => t.prng.pick(&SIMPLE).to_owned(),
    }
}

fn rules(t: &mut Traffic, args: &mut Args) {
    for _ in 0..1 + t.prng.below(4) {
        let rule = rule(t);
        // A parenthesis comes as one word or as several.
        match t.prng.chance(50) && !rule.is_empty() {
            true => args.extend(words(&rule)),
            false => args.push(rule.into_bytes()),
        }
    }
}

fn setuser(t: &mut Traffic) -> Vec<Step> {
    let mut args = words("ACL SETUSER");
    args.push(name(t));
    rules(t, &mut args);
    one(args)
}

fn getuser(t: &mut Traffic) -> Vec<Step> {
    line!("ACL", "GETUSER", name(t))
}

fn deluser(t: &mut Traffic) -> Vec<Step> {
    line!("ACL", "DELUSER", name(t), name(t))
}

fn dryrun(t: &mut Traffic) -> Vec<Step> {
    let mut args = words("ACL DRYRUN");
    args.push(name(t));
    args.extend(words(t.prng.pick(&TRIED)));
    one(args)
}

/// Commands as a user of their own.
fn as_user(t: &mut Traffic) -> Vec<Step> {
    let name = format!("own{}", t.prng.below(1 << 40)).into_bytes();
    let mut args = words("ACL SETUSER");
    args.push(name.clone());
    args.extend(words("on nopass +@all"));
    for _ in 0..1 + t.prng.below(4) {
        let rule = rule(t);
        if !["off", "reset", "resetpass"].contains(&rule.as_str()) && !rule.starts_with(['<', '>']) {
            args.push(rule.into_bytes());
        }
    }
    let login = vec![b"AUTH".to_vec(), name.clone(), b"x".to_vec()];
    let mut steps = vec![Step::Command(args), Step::Command(login)];
    for _ in 0..1 + t.prng.below(5) {
        let command = words(t.prng.pick(&TRIED));
        steps.push(Step::Command(command));
    }
    steps.push(Step::Command(words("AUTH default x")));
    steps.push(Step::Command(vec![b"ACL".to_vec(), b"DELUSER".to_vec(), name]));
    steps
}

fn other(t: &mut Traffic) -> Vec<Step> {
    let line = t.prng.pick(LINES);
    one(words(line))
}

fn list(_: &mut Traffic) -> Vec<Step> {
    one(words("ACL LIST"))
}

fn category(t: &mut Traffic) -> Vec<Step> {
    line!("ACL", "CAT", t.prng.pick(&CATEGORIES))
}

/// Rows of this file.
pub const ROWS: &[Row] = &[
    ("acl|setuser", 16, setuser),
    ("acl|getuser", 10, getuser),
    ("acl|list", 3, list),
    ("acl|deluser", 2, deluser),
    ("acl|dryrun", 16, dryrun),
    ("acl|whoami", 8, as_user),
    ("acl|users", 4, other),
    ("acl|cat", 1, category),
];
