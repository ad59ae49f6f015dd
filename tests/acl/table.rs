//! Every command and subcommand that COMMAND lists, with words that work, and that change something if the command can.
//!
//! Read from `table.txt` by [`super::refusals`]; a command that lacks a line is a failure, so new ones cannot be forgotten. `the_table_works` shows with [`World::state`] that each
//! line does what its mark says: a refusal that leaves the state alone then proves something.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::client::{Client, wait_until};
use crate::support::reply::Value;
use crate::support::server::Plan;
use crate::world::{World, words};

const TABLE: &str = include_str!("table.txt");

/// One line of the table.
pub struct Tried {
    /// `*`, `=`, `-` or `!`, as the table says.
    pub mark: char,
    /// `command` or `container|command`, in lower case.
    pub name: String,
    /// What is sent.
    pub words: Vec<String>,
    /// As COMMAND lists them.
    pub flags: Vec<String>,
    /// With their `@`.
    pub categories: Vec<String>,
    /// redis 7.0 has it, too.
    pub is_shared: bool,
    /// The keys it names, each once.
    pub keys: Vec<String>,
}

impl Tried {
    /// Whether COMMAND lists this flag.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    /// A container's command, by its container.
    pub fn container(&self) -> Option<&str> {
        self.name.split_once('|').map(|(container, _)| container)
    }
}

/// Full name -> row of every command that is no container.
fn catalogue(client: &mut Client) -> BTreeMap<String, Vec<Value>> {
    fn add(row: &Value, all: &mut BTreeMap<String, Vec<Value>>) {
        let fields = row.items().unwrap();
        let subcommands = fields[9].items().unwrap();
        if subcommands.is_empty() {
            all.insert(fields[0].text(), fields.to_vec());
        }
        subcommands.iter().for_each(|sub| add(sub, all));
    }
    let mut all = BTreeMap::new();
    client.run("COMMAND").items().unwrap().iter().for_each(|row| add(row, &mut all));
    all
}

fn texts(value: &Value) -> Vec<String> {
    value.items().unwrap().iter().map(Value::text).collect()
}

/// The table; every command of ours must be in it, and nothing else.
pub fn table(ours: &mut Client, theirs: &mut Client) -> Vec<Tried> {
    let (known, shared) = (catalogue(ours), catalogue(theirs));
    let mut all = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (mark, rest) = line.split_at(1);
        let words = words(if mark == "!" { rest.split('#').next().unwrap() } else { rest });
        let first = words[0].to_lowercase();
        let second = words.get(1).map(|word| format!("{first}|{}", word.to_lowercase()));
        let name = second.filter(|name| known.contains_key(name)).unwrap_or(first);
        let row = known.get(&name).unwrap_or_else(|| panic!("COMMAND has no {name}: {line}"));
        let is_shared = shared.contains_key(&name);
        let mut asked = vec!["COMMAND".to_owned(), "GETKEYS".to_owned()];
        asked.extend_from_slice(&words);
        let found = if is_shared { theirs.command(&asked) } else { ours.command(&asked) }.unwrap().value;
        let mut keys = found.items().map(|_| texts(&found)).unwrap_or_default();
        keys.sort();
        keys.dedup();
        let (flags, categories) = (texts(&row[2]), texts(&row[6]));
        let mark = mark.chars().next().unwrap();
        all.push(Tried { mark, name, words, flags, categories, is_shared, keys });
    }
    let lacks: Vec<&String> =
        known.keys().filter(|name| !all.iter().any(|tried| tried.name == **name)).collect();
    assert!(lacks.is_empty(), "not in tests/acl/table.txt: {lacks:?}");
    all
}

/// As the default user every line works, and changes what the table says it changes.
fn the_table_works(threads: u32) {
    let mut world = World::start(Plan::shoal(threads), &format!("table-{threads}"));
    let peer = Plan::redis().start();
    let all = table(&mut world.admin, &mut peer.connect());
    let mut wrong = Vec::new();
    for Tried { mark, words, .. } in all.iter().filter(|tried| tried.mark != '!') {
        world.restore();
        let mut client = world.server.connect();
        let id = client.run("CLIENT ID").int().unwrap();
        let before = world.state(id);
        let reply = client.command(&world.fill(words)).unwrap().value;
        if reply.is_error() != (*mark == '-') {
            wrong.push(format!("{mark} {words:?}: {reply:?}"));
        }
        let mut after = world.state(id);
        if *mark == '*' && after == before {
            // Closing a connection and serving a subscriber may take a moment.
            wait_until(Duration::from_secs(2), || {
                after = world.state(id);
                after != before
            });
        }
        if (after != before) != (*mark == '*') {
            wrong.push(format!("{mark} {words:?} gave {reply:?}, changed:\n{}", before.difference(&after)));
        }
    }
    println!(
        "{} lines, {} of them change something",
        all.len(),
        all.iter().filter(|tried| tried.mark == '*').count()
    );
    assert!(wrong.is_empty(), "{} lines are not as the table says:\n{}", wrong.len(), wrong.join("\n"));
    world.server.assert_healthy();
}

#[test]
fn the_table_works_on_one_core() {
    the_table_works(1);
}

#[test]
fn the_table_works_on_three_cores() {
    the_table_works(3);
}
