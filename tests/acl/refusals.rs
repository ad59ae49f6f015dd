//! Every command tried by a user without its right: refused, with redis' words, and nothing has changed.
//!
//! The words of the [`table`](super::table) are sent by users who lack the command, its container, a category, its keys (all, one of them, to read, to write, in selectors) or channels:
//! alone, in MULTI, with the right taken away before EXEC, and from a script. After each, the [`State`] is the same. redis is asked by ACL DRYRUN what must be refused, and says the text.

use crate::support::client::Client;
use crate::support::reply::{Value, show};
use crate::support::server::Plan;
use crate::table::{Tried, table};
use crate::world::{State, World, words};

/// They write, but redis' key specs say that they read.
const READS_ITS_KEY: [&str; 2] = ["xreadgroup", "pfdebug"];
/// What a script of a user is made of.
const CALL: &str = "return redis.call(unpack(ARGV))";
/// After so many differences the rest says nothing new.
const ENOUGH: usize = 20;

/// Both servers, and a connection of user `u` to each.
struct Pair {
    worlds: [World; 2],
    users: [Client; 2],
    ids: [i64; 2],
    base: State,
    /// What redis 7.0 does not have is being tried.
    ours_only: bool,
    refused: usize,
    failures: Vec<String>,
}

impl Pair {
    fn start(threads: u32) -> Pair {
        let ours = World::start(Plan::shoal(threads), &format!("ours-{threads}"));
        let theirs = World::start(Plan::redis(), &format!("theirs-{threads}"));
        let mut worlds = [ours, theirs];
        worlds.iter_mut().for_each(World::restore);
        for world in &mut worlds {
            world.admin.run("ACL SETUSER u on nopass allkeys allchannels +@all");
            // Else the first script would be a change.
            world.admin.command(&["EVAL", CALL, "0", "PING"]).unwrap();
        }
        let mut users = worlds.each_mut().map(|world| world.server.connect());
        let ids = users.each_mut().map(|user| {
            user.run("AUTH u x");
            user.run("CLIENT ID").int().unwrap()
        });
        let base = worlds[0].state(ids[0]);
        Pair { worlds, users, ids, base, ours_only: false, refused: 0, failures: Vec::new() }
    }

    /// What user `u` may from here on.
    fn allow(&mut self, rights: &str) {
        let count = if self.ours_only { 1 } else { 2 };
        for world in &mut self.worlds[..count] {
            let reply = world.admin.run(&format!("ACL SETUSER u reset on nopass {rights}"));
            assert!(!reply.is_error(), "{rights}: {reply:?}");
        }
    }

    /// Sends words as the user to both (a command that redis has not: to ours only).
    fn send(&mut self, tried: &Tried, words: &[String]) -> Vec<Vec<u8>> {
        let count = if tried.is_shared { 2 } else { 1 };
        let asked = self.worlds[..count].iter().zip(&mut self.users);
        asked
            .map(|(world, user)| match user.command(&world.fill(words)) {
                Ok(reply) => reply.raw,
                Err(error) => error.to_string().into_bytes(),
            })
            .collect()
    }

    fn say(&mut self, line: &str, wanted: &str) {
        let count = if self.ours_only { 1 } else { 2 };
        for user in &mut self.users[..count] {
            let reply = user.command(&words(line)).unwrap().raw;
            assert!(reply.starts_with(wanted.as_bytes()), "{line}: {}", show(&reply, 300));
        }
    }

    /// Judges replies that must be equal refusals, and that nothing has changed.
    fn judge(&mut self, why: &str, words: &[String], replies: &[Vec<u8>], is_refusal: impl Fn(&str) -> bool) {
        self.refused += 1;
        if replies.iter().any(|reply| *reply != replies[0])
            || !is_refusal(&String::from_utf8_lossy(&replies[0]))
        {
            let said: Vec<String> = replies.iter().map(|reply| show(reply, 300)).collect();
            self.failures.push(format!("{why}: {words:?}\n  ours, theirs: {said:#?}"));
        }
        let after = self.worlds[0].state(self.ids[0]);
        if after != self.base {
            self.failures.push(format!("{why}: {words:?} had an effect:\n{}", self.base.difference(&after)));
            self.base = after;
        }
        let failures = &self.failures;
        assert!(failures.len() < ENOUGH, "{} and more failures:\n{}", failures.len(), failures.join("\n"));
    }

    /// The words alone.
    fn refuse(&mut self, why: &str, tried: &Tried) {
        let replies = self.send(tried, &tried.words);
        let code = if tried.name == "exec" { "-EXECABORT" } else { "-NOPERM" };
        self.judge(why, &tried.words, &replies, |text| text.starts_with(code));
    }

    /// Whether the words are permitted to `u`, as DRYRUN tells; both must agree.
    fn is_permitted(&mut self, why: &str, tried: &Tried) -> bool {
        let mut asked = vec!["ACL".to_owned(), "DRYRUN".to_owned(), "u".to_owned()];
        asked.extend_from_slice(&tried.words);
        let count = if tried.is_shared { 2 } else { 1 };
        let told: Vec<Vec<u8>> =
            self.worlds[..count].iter_mut().map(|world| world.admin.command(&asked).unwrap().raw).collect();
        if told.iter().any(|one| *one != told[0]) {
            let said: Vec<String> = told.iter().map(|one| show(one, 300)).collect();
            self.failures.push(format!("DRYRUN, {why}: {:?}\n  ours, theirs: {said:#?}", tried.words));
        }
        told.last().unwrap() == b"+OK\r\n"
    }

    /// Sends the words if redis refuses them; `must` says that it has to.
    fn refuse_if_it_must(&mut self, why: &str, tried: &Tried, must: bool) {
        if !self.is_permitted(why, tried) {
            self.refuse(why, tried);
        } else if must {
            self.failures.push(format!("{why}: {:?} is permitted", tried.words));
        }
    }
}

/// Rules that take the command away.
fn without_the_command(tried: &Tried) -> Vec<String> {
    let mut all = vec![
        format!("allkeys allchannels +@all -{}", tried.name),
        "allkeys allchannels".to_owned(),
        format!("allkeys allchannels (+@all -{} ~* &*)", tried.name),
    ];
    all.extend(tried.container().map(|container| format!("allkeys allchannels +@all -{container}")));
    all.extend(tried.categories.iter().map(|category| format!("allkeys allchannels +@all -{category}")));
    if !tried.keys.is_empty() {
        // The root has the keys, the selector the command.
        all.push(format!("allkeys allchannels +@all -{0} (+{0} ~other*)", tried.name));
    }
    all
}

fn try_commands(pair: &mut Pair, all: &[&Tried]) {
    for tried in all {
        for rights in without_the_command(tried) {
            pair.allow(&rights);
            pair.refuse(&rights, tried);
        }
    }
}

/// Refused when queued; and queued with the right, executed without it.
fn try_in_transactions(pair: &mut Pair, all: &[&Tried]) {
    for tried in all {
        if ["multi", "exec", "discard", "watch"].contains(&tried.name.as_str()) {
            continue;
        }
        let rights = format!("allkeys allchannels +@all -{}", tried.name);
        pair.allow(&rights);
        pair.say("MULTI", "+OK");
        let replies = pair.send(tried, &tried.words);
        pair.say("EXEC", "-EXECABORT");
        let code = if tried.has("no_multi") { "-ERR Command not allowed" } else { "-NOPERM" };
        pair.judge("in MULTI", &tried.words, &replies, |text| text.starts_with(code));
        let mut taken = vec![rights];
        if !tried.keys.is_empty() {
            taken.push("+@all allchannels ~other".to_owned());
        }
        for rights in taken {
            pair.allow("allkeys allchannels +@all");
            pair.say("MULTI", "+OK");
            let queued = pair.send(tried, &tried.words);
            if queued.iter().any(|reply| *reply != queued[0]) {
                pair.failures.push(format!("queueing {:?}: ours, theirs {queued:?}", tried.words));
            }
            if queued[0] != b"+QUEUED\r\n" {
                pair.say("DISCARD", "+OK");
                continue;
            }
            pair.allow(&rights);
            let mut replies = pair.send(tried, &["EXEC".to_owned()]);
            let why = format!("EXEC with {rights}");
            // A shard channel is a key to nobody but GETKEYS.
            if tried.has("pubsub") && replies.iter().all(|reply| reply.starts_with(b"*1\r\n:")) {
                replies.clear();
            }
            if !replies.is_empty() {
                pair.judge(&why, &tried.words, &replies, |text| text.starts_with("*1\r\n-NOPERM"));
            }
        }
    }
}

/// The command from a script of a user who may run scripts.
fn try_in_scripts(pair: &mut Pair, all: &[&Tried]) {
    for tried in all.iter().filter(|tried| !tried.has("noscript") && !tried.has("pubsub")) {
        let mut call = ["EVAL", CALL, "0"].map(str::to_owned).to_vec();
        call.extend_from_slice(&tried.words);
        let mut taken = vec![format!("allkeys allchannels +@all -{}", tried.name)];
        if !tried.keys.is_empty() {
            taken.push("allchannels +@all ~other".to_owned());
        }
        for rights in taken {
            pair.allow(&rights);
            let replies = pair.send(tried, &call);
            pair.judge(&format!("script, {rights}"), &tried.words, &replies, |text| {
                text.starts_with("-ERR The user executing the script can't ")
            });
        }
    }
}

fn try_keys(pair: &mut Pair, all: &[&Tried]) {
    for tried in all {
        // The keys of SPUBLISH and SSUBSCRIBE are channels.
        let has_keys = !tried.keys.is_empty() && !tried.has("pubsub");
        let must_write = has_keys && tried.has("write") && !READS_ITS_KEY.contains(&tried.name.as_str());
        for (rights, must) in [("", has_keys), ("~other*", has_keys), ("%R~*", must_write), ("%W~*", false)] {
            let rights = format!("+@all allchannels {rights}");
            pair.allow(&rights);
            pair.refuse_if_it_must(&rights, tried, must);
        }
        if !has_keys {
            continue;
        }
        let pattern = |key: &String| format!("~{key}");
        for lacking in &tried.keys {
            let rest =
                tried.keys.iter().filter(|key| *key != lacking).map(pattern).collect::<Vec<_>>().join(" ");
            let rights = format!("+@all allchannels {rest}");
            pair.allow(&rights);
            pair.refuse_if_it_must(&rights, tried, true);
        }
        let split = |of: &str| -> String {
            tried.keys.iter().map(|key| format!(" (+@all allchannels {of}~{key})")).collect()
        };
        if tried.keys.len() > 1 {
            pair.allow(&split(""));
            pair.refuse_if_it_must("each key in its own selector", tried, true);
        }
        let rights = "(+@all &* %R~*) (+@all &* %W~*)";
        pair.allow(rights);
        pair.refuse_if_it_must(rights, tried, false);
        let exactly = tried.keys.iter().map(pattern).collect::<Vec<_>>().join(" ");
        // SORT needs all keys for BY and GET only, which the table does not use.
        let rights = format!("+{} allchannels {exactly}", tried.name);
        pair.allow(&rights);
        if !pair.is_permitted(&rights, tried) {
            pair.failures.push(format!("{rights}: {:?} is refused", tried.words));
        }
    }
}

fn try_channels(pair: &mut Pair, all: &[&Tried]) {
    let named = ["publish", "spublish", "subscribe", "ssubscribe", "psubscribe"];
    for tried in all {
        let must = named.contains(&tried.name.as_str());
        for rights in ["", "&other*", "&channe", "(+@all ~* &other*)"] {
            let rights = format!("allkeys resetchannels +@all {rights}");
            pair.allow(&rights);
            pair.refuse_if_it_must(&rights, tried, must);
        }
        let rights = "allkeys resetchannels +@all &channel &channel* &shard";
        pair.allow(rights);
        if !pair.is_permitted(rights, tried) {
            pair.failures.push(format!("{rights}: {:?} is refused", tried.words));
        }
    }
}

/// The entries of ACL LOG, without counts, times and the client's own figures.
fn entries(log: &Value) -> Vec<Vec<String>> {
    let fields =
        |entry: &Value| entry.items().unwrap()[2..10].iter().map(|field| format!("{field:?}")).collect();
    log.items().unwrap().iter().map(fields).collect()
}

type Attempt = fn(&mut Pair, &[&Tried]);

fn try_every_command(threads: u32) {
    let mut pair = Pair::start(threads);
    let [ours, theirs] = &mut pair.worlds;
    let table = table(&mut ours.admin, &mut theirs.admin);
    let before = theirs.admin.run("DEBUG DIGEST");
    let all: Vec<&Tried> = table.iter().filter(|tried| !tried.has("no_auth")).collect();
    let shared: Vec<&Tried> = all.iter().copied().filter(|tried| tried.is_shared).collect();
    let newer: Vec<&Tried> = all.iter().copied().filter(|tried| !tried.is_shared).collect();
    let attempts: [(&str, Attempt); 5] = [
        ("commands", try_commands),
        ("keys", try_keys),
        ("channels", try_channels),
        ("transactions", try_in_transactions),
        ("scripts", try_in_scripts),
    ];
    for (what, attempt) in attempts {
        let (started, refused) = (std::time::Instant::now(), pair.refused);
        attempt(&mut pair, &shared);
        let logs = pair.worlds.each_mut().map(|world| entries(&world.admin.run("ACL LOG 1000")));
        assert_eq!(logs[0], logs[1], "ACL LOG after {what}");
        pair.ours_only = true;
        attempt(&mut pair, &newer);
        pair.ours_only = false;
        println!("{what}: {} refusals in {:?}", pair.refused - refused, started.elapsed());
        // What redis-server was not asked is in our log only.
        for world in &mut pair.worlds {
            world.admin.run("ACL LOG RESET");
            let mut stranger = world.server.connect();
            stranger.run("AUTH nobody x");
        }
    }
    let failures = &pair.failures;
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(pair.worlds[1].admin.run("DEBUG DIGEST"), before, "redis was changed: the comparison is void");
    println!("{} lines, {} refusals, threads {threads}", all.len(), pair.refused);
    assert!(pair.refused > 12 * all.len(), "only {} refusals of {} lines", pair.refused, all.len());
    pair.worlds.iter_mut().for_each(|world| world.server.assert_healthy());
}

#[test]
fn every_command_without_its_right_is_refused() {
    try_every_command(1);
}

#[test]
fn every_command_without_its_right_is_refused_on_three_cores() {
    try_every_command(3);
}
