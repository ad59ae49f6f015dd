//! Traffic between two saves: the random commands of differential/ and what a log of commands may get wrong (databases, transactions, scripts,
//! keys on different cores, things that vanish).
//!
//! Called by the tests of AOFs. What redis-server itself does not bring back from its own AOF is left out, with its reason.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::dataset::unix_ms;
use crate::exclusions::{Exclusions, Mode};
use crate::support::client::{Client, encode};
use crate::support::prng::Prng;
use crate::support::reply::show;
use crate::support::server::Server;
use crate::traffic::{Args, Step, Traffic, words};

/// Not about data, or with several replies.
const LEFT_OUT: [&str; 24] = [
    "acl",
    "auth",
    "client",
    "command",
    "config",
    "debug",
    "hello",
    "info",
    "latency",
    "lolwut",
    "memory",
    "pfselftest",
    "psubscribe",
    "ssubscribe",
    "sunsubscribe",
    "subscribe",
    "unsubscribe",
    "punsubscribe",
    "publish",
    "pubsub",
    "reset",
    "shutdown",
    "slowlog",
    "wait",
];

fn known() -> &'static BTreeSet<String> {
    static KNOWN: OnceLock<BTreeSet<String>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let list = Server::redis().connect().run("COMMAND LIST");
        let names = list.items().unwrap_or_default().iter().map(|name| name.text().to_lowercase());
        names.filter(|name| !LEFT_OUT.contains(&name.as_str())).collect()
    })
}

/// A source of traffic.
pub struct Work {
    traffic: Traffic,
    exclusions: Exclusions,
    prng: Prng,
    near_until_ms: u64,
}

impl Work {
    /// The traffic of a seed.
    pub fn new(seed: u64) -> Work {
        Work {
            traffic: Traffic::new(seed, 2, known()),
            exclusions: Exclusions::parse(include_str!("../differential/exclusions.txt")),
            prng: Prng::new(seed ^ 0x0a0f),
            near_until_ms: 0,
        }
    }

    /// Sends about so many commands over three connections at once, databases and transactions mixed.
    pub fn run(&mut self, server: &Server, commands: usize) {
        let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
        let mut sent = 0;
        while sent < commands {
            let mut waiting = Vec::new();
            for client in &mut clients {
                let mut batch: Vec<Args> = (0..6).flat_map(|_| self.next()).collect();
                batch.extend(self.special());
                client
                    .send_raw(&batch.iter().flat_map(|args| encode(args)).collect::<Vec<u8>>())
                    .expect("sent");
                sent += batch.len();
                waiting.push(batch);
            }
            for (client, batch) in clients.iter_mut().zip(&waiting) {
                for args in batch {
                    client.read().unwrap_or_else(|error| panic!("{error} at {}", show_words(args)));
                }
            }
        }
    }

    /// From this unix time (ms) on no near expiry is left.
    pub fn near_until_ms(&self) -> u64 {
        self.near_until_ms
    }

    fn next(&mut self) -> Vec<Args> {
        let steps = self.traffic.next_steps().into_iter();
        let commands = steps.filter_map(|step| match step {
            Step::Command(args) => Some(args),
            Step::ScanAll(..) | Step::Restore { .. } | Step::RestoreFunctions(_) | Step::Blocked { .. } => {
                None
            }
        });
        let kept = commands.filter(|args| {
            !args.is_empty() && self.exclusions.mode(args) != Mode::Skip && !is_lost_by_redis(args)
        });
        kept.collect()
    }

    /// Now and then something that the random traffic has not, or seldom. Never within MULTI of the traffic: it is whole in one batch there.
    fn special(&mut self) -> Vec<Args> {
        let (one, two) = (self.prng.below(40), self.prng.below(40));
        let lines = match self.prng.below(24) {
            0 => format!("SELECT {}\nSET special:{one} {two}\nSELECT 0", one % 4),
            1 => format!("SET special:{one} x\nRENAME special:{one} special:{two}"),
            2 => format!("MULTI\nINCR count:{one}\nRPUSH list:{two} a\nSET special:{one} y\nEXEC"),
            3 => format!("MULTI\nSELECT 3\nINCR count:{one}\nSELECT 0\nINCR count:{two}\nEXEC"),
            4 => format!("SADD set:{one} a b c d e f\nSPOP set:{one} 2\nSMOVE set:{one} set:{two} a"),
            5 => format!(
                "INCRBYFLOAT float:{one} 0.1\nHINCRBYFLOAT hash:{two} f 1.3\nZADD zset:{one} INCR 1.1 m"
            ),
            6 => {
                self.near_until_ms = self.near_until_ms.max(unix_ms() + 400);
                format!("SET near:{one} x PX 100\nSET near:{two} x\nPEXPIRE near:{two} {}", 1 + one * 5)
            }
            7 => format!("MSET wide:{one} 1 wide:{two} 2 wide:{} 3", one + two),
            8 => format!("XADD log:{one} * f v\nXADD log:{one} MAXLEN 3 * f w\nXGROUP CREATE log:{one} g 0"),
            9 => format!("XREADGROUP GROUP g c COUNT 2 STREAMS log:{one} >\nXAUTOCLAIM log:{one} g d 0 0"),
            10 if self.prng.chance(10) => "FLUSHALL".to_owned(),
            11 if self.prng.chance(20) => format!("SELECT {}\nFLUSHDB\nSELECT 0", one % 4),
            12 => format!("SWAPDB {} {}", one % 4, two % 4),
            13 => format!("MOVE special:{one} {}\nCOPY special:{two} copied:{one} DB 2 REPLACE", two % 4),
            14 => return vec![script(one, two)],
            _ => return Vec::new(),
        };
        // A transaction that the traffic left open would take these in; harmless, but it could end there: close it first.
        let before = ["DISCARD", "UNWATCH"].map(words);
        before.into_iter().chain(lines.lines().map(words)).collect()
    }
}

/// A script that writes two keys, one of them by what it read.
fn script(one: u64, two: u64) -> Args {
    let code = "local n = redis.call('INCR', KEYS[1]); redis.call('SELECT', '1'); redis.call('APPEND', KEYS[2], n); return n";
    let keys = [format!("count:{one}"), format!("special:{two}")];
    [&["EVAL", code, "2"], keys.each_ref().map(String::as_str).as_slice()]
        .concat()
        .iter()
        .map(|word| (*word).into())
        .collect()
}

/// A BITFIELD that grows its string and then fails on every field: redis changes its own string and writes nothing to the AOF.
fn is_lost_by_redis(args: &[Vec<u8>]) -> bool {
    args[0].eq_ignore_ascii_case(b"BITFIELD") && args.iter().any(|arg| arg.eq_ignore_ascii_case(b"FAIL"))
}

fn show_words(args: &[Vec<u8>]) -> String {
    args.iter().map(|arg| show(arg, 60)).collect::<Vec<_>>().join(" ")
}
