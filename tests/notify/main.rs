//! Keyspace notifications: the same commands give the same events, in the same order, as redis-server's.
//!
//! The traffic is that of differential/. After every command (or transaction) the subscribers of both servers are read up to a marked message. With
//! several cores messages of one may overtake another's: a hundred commands are compared at once then, channel by channel.
//! `SEED=`, `SEEDS` (3), `COMMANDS` (4000), `THREADS`, and `EVENTS` (KEAmn: key misses and new keys, too).
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "the modules of differential/ are used in part")]

#[path = "../differential/control.rs"]
mod control;
#[path = "../differential/exclusions.rs"]
mod exclusions;
#[path = "../differential/families.rs"]
mod families;
#[path = "../differential/lines.rs"]
mod lines;
#[path = "../support/mod.rs"]
mod support;
#[path = "../differential/traffic.rs"]
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use exclusions::{Exclusions, Mode};
use support::client::Client;
use support::prng::{env_number, seeds};
use support::reply::{Value, show};
use support::server::{Plan, Server};
use traffic::{Args, Step, Traffic};

const DIFFERENCES_MAX: usize = 20;
/// Commands that would disturb the harness or are none of this test's business.
const UNUSED: [&str; 12] = [
    "debug",
    "hello",
    "reset",
    "subscribe",
    "psubscribe",
    "unsubscribe",
    "punsubscribe",
    "pubsub",
    "publish",
    "auth",
    "shutdown",
    "config",
];

/// A client that runs commands and one that hears of them.
struct Watched {
    client: Client,
    listener: Client,
}

impl Watched {
    fn attach(server: &Server, events: &str) -> Watched {
        let mut client = server.connect();
        assert_eq!(client.run(&format!("CONFIG SET notify-keyspace-events {events}")).text(), "OK");
        let mut listener = server.connect();
        listener.run("PSUBSCRIBE __key*__:* marker-*");
        listener.read().unwrap();
        Watched { client, listener }
    }

    /// The events so far, as `channel message`.
    fn events(&mut self, number: u64) -> Vec<String> {
        let marker = format!("marker-{number}");
        assert_eq!(self.client.run(&format!("PUBLISH {marker} x")), Value::Int(1));
        let mut events = Vec::new();
        loop {
            let reply = self
                .listener
                .read()
                .unwrap_or_else(|error| panic!("{error} before {marker}; so far {events:?}"));
            let Some([_, _, channel, message]) = reply.value.items() else { panic!("{reply:?}") };
            if channel.bytes() == Some(marker.as_bytes()) {
                return events;
            }
            let text = |value: &Value| show(value.bytes().unwrap_or_default(), 60);
            events.push(format!("{} {}", text(channel), text(message)));
        }
    }
}

fn known(servers: [&Server; 2]) -> BTreeSet<String> {
    let [ours, theirs] = servers.map(|server| -> BTreeSet<String> {
        let value = server.connect().run("COMMAND LIST");
        value.items().unwrap().iter().map(|name| name.text().to_lowercase()).collect()
    });
    ours.intersection(&theirs).filter(|name| !UNUSED.contains(&name.as_str())).cloned().collect()
}

fn next_unit(traffic: &mut Traffic, exclusions: &Exclusions) -> Vec<Args> {
    let steps = traffic.next_steps().into_iter();
    let commands = steps.filter_map(|step| match step {
        Step::Command(args) => Some(args),
        Step::ScanAll(..) | Step::Restore { .. } | Step::RestoreFunctions(_) | Step::Blocked { .. } => None,
    });
    commands.filter(|args| !args.is_empty() && exclusions.mode(args) != Mode::Skip).collect()
}

fn words_of(unit: &[Args]) -> String {
    let line = |args: &Args| args.iter().map(|arg| show(arg, 60)).collect::<Vec<_>>().join(" ");
    unit.iter().map(line).collect::<Vec<_>>().join(" ; ")
}

/// Events by channel. The order of keys in an event's channel is free where they come from several cores.
fn by_channel(events: &[String], cores: u32) -> BTreeMap<&str, Vec<&str>> {
    let mut channels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in events {
        let (channel, message) = event.split_once(' ').unwrap();
        channels.entry(channel).or_default().push(message);
    }
    if cores > 1 {
        channels
            .iter_mut()
            .filter(|(name, _)| name.starts_with("__keyevent"))
            .for_each(|(_, keys)| keys.sort_unstable());
    }
    channels
}

/// What is different, channel by channel.
fn difference(ours: &[String], theirs: &[String], threads: u32) -> Option<String> {
    if threads == 1 {
        return (ours != theirs).then(|| format!("ours:   {ours:?}\ntheirs: {theirs:?}"));
    }
    let (mine, other) = (by_channel(ours, threads), by_channel(theirs, threads));
    let mut text = String::new();
    for channel in mine.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
        let (left, right) = (mine.get(*channel), other.get(*channel));
        if left != right {
            text.push_str(&format!("{channel}\n  ours:   {left:?}\n  theirs: {right:?}\n"));
        }
    }
    (!text.is_empty()).then_some(text)
}

struct Run {
    left: Watched,
    right: Watched,
    threads: u32,
    kinds: BTreeMap<String, u64>,
}

impl Run {
    /// Compares what was heard since the last call.
    fn compare(&mut self, number: u64) -> Option<String> {
        if self.threads > 1 {
            // A message of one core may overtake another core's: wait for the stragglers.
            std::thread::sleep(Duration::from_millis(30));
        }
        let (mine, other) = (self.left.events(number), self.right.events(number));
        for event in other.iter().filter(|event| event.starts_with("__keyspace")) {
            *self.kinds.entry(event.rsplit(' ').next().unwrap_or("").to_owned()).or_default() += 1;
        }
        difference(&mine, &other, self.threads)
    }
}

fn run_seed(
    seed: u64,
    threads: u32,
    exclusions: &Exclusions,
    differences: &mut BTreeMap<(Vec<u8>, u32), String>,
) -> BTreeMap<String, u64> {
    let wanted = std::env::var("EVENTS").unwrap_or_else(|_| "KEAmn".to_owned());
    let start = |plan: Plan| plan.args(&["--proto-max-bulk-len", "1mb"]).start();
    let (ours, theirs) = (start(Plan::shoal(threads)), start(Plan::redis()));
    let mut traffic = Traffic::new(seed, 2, &known([&ours, &theirs]));
    let (left, right) = (Watched::attach(&ours, &wanted), Watched::attach(&theirs, &wanted));
    let mut run = Run { left, right, threads, kinds: BTreeMap::new() };
    let per_comparison = if threads == 1 { 1 } else { 100 };
    let (mut count, mut unit) = (0, Vec::new());
    while count < env_number("COMMANDS", 4000) && differences.len() < DIFFERENCES_MAX {
        unit.clear();
        for _ in 0..per_comparison {
            let more = next_unit(&mut traffic, exclusions);
            for args in &more {
                run.left.client.command(args).unwrap();
                run.right.client.command(args).unwrap();
            }
            unit.extend(more);
        }
        count += 1 + unit.len() as u64;
        if let Some(text) = run.compare(count) {
            let name = unit.last().map(|args| args[0].to_ascii_uppercase()).unwrap_or_default();
            let commands = if threads == 1 { words_of(&unit) } else { format!("{} commands", unit.len()) };
            differences
                .entry((name, threads))
                .or_insert(format!("seed {seed} threads {threads}: {commands}\n{text}"));
        }
    }
    run.kinds
}

#[test]
fn events_equal_those_of_redis() {
    let exclusions = Exclusions::parse(include_str!("../differential/exclusions.txt"));
    let threads_tried = match env_number("THREADS", 0) {
        0 => vec![1, 3],
        one => vec![one as u32],
    };
    let (mut differences, mut kinds) = (BTreeMap::new(), BTreeMap::<String, u64>::new());
    for seed in seeds(200, env_number("SEEDS", 3)) {
        for &threads in &threads_tried {
            for (name, count) in run_seed(seed, threads, &exclusions, &mut differences) {
                *kinds.entry(name).or_default() += count;
            }
        }
    }
    println!("{kinds:?}");
    differences.values().for_each(|text| println!("---- {text}"));
    assert!(differences.is_empty(), "{} differences (above)", differences.len());
}
