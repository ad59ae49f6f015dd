//! Every command tried by a user without its right: refused, with redis' words, and nothing has changed.
//!
//! The commands are those of redis' COMMAND that the server under test lists as well. Words for each are guessed from templates until redis finds
//! keys in them; then the command is sent by users without the command, without any key, with keys to read only and to write only, and without channels,
//! alone and in MULTI. What ACL DRYRUN permits is not sent. Invariant: DEBUG DIGEST is the same at the end.

use std::collections::BTreeMap;

use crate::support::client::Client;
use crate::support::reply::{Value, show};
use crate::support::server::{Plan, Server};

/// Words behind a command's name, tried in turn; the last fills up to the arity.
const TEMPLATES: [&str; 12] = [
    "k k k k k k k k k k",
    "1 k k k k k",
    "k 1 k k k k",
    "x 1 k k k k",
    "1 1 k k k k",
    "STREAMS k 0",
    "GROUP g c STREAMS k >",
    "h 1 k 0 9",
    "and k k k",
    "0 1 k left",
    "k left 1",
    "usage k k",
];

/// Rights beside all commands.
const RIGHTS: [(&str, &str); 5] = [
    ("no key", "resetkeys allchannels"),
    ("keys to read", "resetkeys %R~* allchannels"),
    ("keys to write", "resetkeys %W~* allchannels"),
    ("other keys", "resetkeys ~other* allchannels"),
    ("no channel", "allkeys resetchannels"),
];

/// One command to try.
struct Tried {
    name: String,
    words: Vec<String>,
    is_free: bool,
}

/// Both servers, an administrator's connection and a user's connection each.
struct Pair {
    admins: [Client; 2],
    users: [Client; 2],
    refused: usize,
    failures: Vec<String>,
}

impl Pair {
    fn both(&mut self, line: &str) -> [Value; 2] {
        let values = self.admins.each_mut().map(|admin| admin.run(line));
        assert!(!values.iter().any(Value::is_error), "{line}: {values:?}");
        values
    }

    /// Sends words as the user to both; the replies must be equal refusals.
    fn try_refused(&mut self, why: &str, words: &[String], code: &str) {
        let mut replies = Vec::new();
        for user in &mut self.users {
            replies.push(
                user.command(words).map_or_else(|error| error.to_string().into_bytes(), |reply| reply.raw),
            );
        }
        self.refused += 1;
        let is_refused = replies[0].starts_with(code.as_bytes());
        if replies[0] != replies[1] || !is_refused {
            let (ours, theirs) = (show(&replies[0], 300), show(&replies[1], 300));
            self.failures.push(format!("{why}: {words:?}\n  ours   {ours}\n  theirs {theirs}"));
        }
    }

    /// Whether redis permits the words to user `u`; both must agree.
    fn is_permitted(&mut self, why: &str, words: &[String]) -> bool {
        let mut asked = vec!["ACL".to_owned(), "DRYRUN".to_owned(), "u".to_owned()];
        asked.extend_from_slice(words);
        let replies = self.admins.each_mut().map(|admin| admin.command(&asked).unwrap());
        if replies[0].raw != replies[1].raw {
            let (ours, theirs) = (show(&replies[0].raw, 300), show(&replies[1].raw, 300));
            self.failures.push(format!("DRYRUN, {why}: {words:?}\n  ours   {ours}\n  theirs {theirs}"));
        }
        !matches!(replies[1].value, Value::Bulk(_))
    }
}

/// Full name -> (arity, flags) of every command that is no container.
fn catalogue(client: &mut Client) -> BTreeMap<String, (i64, Vec<String>)> {
    fn add(row: &Value, all: &mut BTreeMap<String, (i64, Vec<String>)>) {
        let fields = row.items().unwrap();
        let subcommands = fields[9].items().unwrap();
        if subcommands.is_empty() {
            let flags = fields[2].items().unwrap().iter().map(Value::text).collect();
            all.insert(fields[0].text(), (fields[1].int().unwrap(), flags));
        }
        subcommands.iter().for_each(|sub| add(sub, all));
    }
    let mut all = BTreeMap::new();
    client.run("COMMAND").items().unwrap().iter().for_each(|row| add(row, &mut all));
    all
}

/// The entries of ACL LOG, without times and the client's own figures.
fn entries(log: &Value) -> Vec<Vec<String>> {
    let fields =
        |entry: &Value| entry.items().unwrap()[..10].iter().map(|field| format!("{field:?}")).collect();
    log.items().unwrap().iter().map(fields).collect()
}

/// The words of each command that both know.
fn tried(redis: &mut Client, shoal: &mut Client) -> Vec<Tried> {
    let known = catalogue(shoal);
    let mut all = Vec::new();
    for (name, (arity, flags)) in catalogue(redis) {
        if !known.contains_key(&name) {
            continue;
        }
        let is_free = flags.iter().any(|flag| flag == "no_auth");
        let mut chosen: Option<Vec<String>> = None;
        for template in TEMPLATES {
            let mut words: Vec<String> = name.split('|').map(str::to_owned).collect();
            words.extend(template.split(' ').map(str::to_owned));
            let last = words.last().cloned().unwrap();
            let least = arity.unsigned_abs() as usize;
            while words.len() < least {
                words.push(last.clone());
            }
            if arity > 0 || name == "set" || name == "getex" {
                words.truncate(least);
            }
            let mut asked = vec!["COMMAND".to_owned(), "GETKEYS".to_owned()];
            asked.extend_from_slice(&words);
            let found = redis.command(&asked).unwrap().value;
            let has_k = found.items().is_some_and(|keys| keys.iter().any(|key| key.text() == "k"));
            if has_k || chosen.is_none() {
                chosen = Some(words);
            }
            if has_k {
                break;
            }
        }
        all.push(Tried { name, words: chosen.unwrap(), is_free });
    }
    all
}

fn try_every_command(threads: u32) {
    let (mut ours, mut theirs) = (Server::shoal(threads), Plan::redis().start());
    let mut pair = Pair {
        admins: [ours.connect(), theirs.connect()],
        users: [ours.connect(), theirs.connect()],
        refused: 0,
        failures: Vec::new(),
    };
    let [admin, peer] = &mut pair.admins;
    let all = tried(peer, admin);
    for line in ["SET k v", "SET other v", "HSET h f v", "SET g v", "ACL SETUSER u on nopass +@all"] {
        pair.both(line);
    }
    let before = pair.both("DEBUG DIGEST");
    for user in &mut pair.users {
        user.run("AUTH u x");
    }
    for Tried { name, words, .. } in all.iter().filter(|tried| !tried.is_free) {
        pair.both(&format!("ACL SETUSER u nocommands +@all -{name} allkeys allchannels"));
        let code = if name == "exec" { "-EXECABORT" } else { "-NOPERM" };
        pair.try_refused("without the command", words, code);
        if !["multi", "exec", "discard", "watch"].contains(&name.as_str()) {
            let in_multi = |word: &str| vec![word.to_owned()];
            pair.try_refused("MULTI", &in_multi("MULTI"), "+OK");
            pair.try_refused("in MULTI", words, "-");
            pair.try_refused("EXEC", &in_multi("EXEC"), "-EXECABORT");
        }
    }
    for (why, rights) in RIGHTS {
        pair.both(&format!("ACL SETUSER u +@all {rights}"));
        for Tried { words, .. } in all.iter().filter(|tried| !tried.is_free) {
            if !pair.is_permitted(why, words) {
                pair.try_refused(why, words, "-NOPERM");
            }
        }
    }
    let [ours_log, theirs_log] = pair.both("ACL LOG 1000").map(|log| entries(&log));
    assert_eq!(ours_log, theirs_log);
    assert_eq!(theirs_log.len(), 128, "acllog-max-len");
    let after = pair.both("DEBUG DIGEST");
    println!("{} commands, {} refusals, threads {threads}", all.len(), pair.refused);
    assert!(pair.failures.is_empty(), "{} differ:\n{}", pair.failures.len(), pair.failures.join("\n"));
    assert_eq!(before, after, "something had an effect");
    assert!(pair.refused > 4 * all.len(), "only {} refusals of {} commands", pair.refused, all.len());
    ours.assert_healthy();
    theirs.assert_healthy();
}

#[test]
fn every_command_without_its_right_is_refused() {
    try_every_command(1);
}

#[test]
fn every_command_without_its_right_is_refused_on_three_cores() {
    try_every_command(3);
}
