//! Drives two servers through the same traffic and compares every reply.
//!
//! Called by main; calls `traffic` for what to do, `compare` for the verdict. Three connections per server take turns in
//! batches (pipelined, up to 16 commands); a batch is answered completely on both servers before the next one starts, so the
//! order of execution is the same on both. After a difference both servers are emptied and the run goes on, so that one
//! bug does not hide the next; the run gives up after `DIFF_MAX` differences.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::compare::{self, Queue};
use crate::exclusions::{Exclusions, Mode};
use crate::lines;
use crate::support::client::{Client, Reply, encode, is_closed, wait_until};
use crate::support::coverage::{Coverage, Outcome};
use crate::support::prng::env_number;
use crate::support::reply::{Value, show};
use crate::support::server::Server;
use crate::traffic::{Args, Step, Traffic, words};

#[path = "composite.rs"]
mod composite;
#[path = "waiting.rs"]
mod waiting;

use waiting::Waiters;

const CONNECTIONS: usize = 3;
const BATCH_MAX: usize = 16;
const DIGEST_EVERY: u64 = 1000;
const DATABASES: usize = 4;

/// One connection to each server and what is known about both.
struct Pair {
    ours: Client,
    theirs: Client,
    queue: VecDeque<Step>,
    in_multi: bool,
    /// Logged in as a user with few rights: no questions of our own then, ACL LOG would tell.
    as_user: bool,
    queued: Queue,
}

/// A command on its way.
struct Sent {
    args: Args,
    mode: Mode,
    in_multi: bool,
    has_type: bool,
    has_reset: bool,
}

/// One seed's run.
pub struct Lockstep<'a> {
    traffic: Traffic,
    exclusions: &'a Exclusions,
    ours: &'a Server,
    theirs: &'a Server,
    pairs: Vec<Pair>,
    waiters: Option<(Waiters, Waiters)>,
    /// How often both were started afresh.
    rounds: u64,
    listed: (BTreeSet<String>, BTreeSet<String>),
    history: VecDeque<(u64, usize, Args)>,
    sent_count: u64,
    /// What was tried.
    pub coverage: Coverage,
    /// What differed, one text each, at most one per command and kind of difference.
    pub differences: BTreeMap<String, String>,
    digest_known: bool,
    /// The server under test is gone: nothing more can be compared.
    pub crashed: bool,
}

/// Names of COMMAND LIST, lower case, subcommands as `client|id`.
pub fn command_list(server: &Server) -> BTreeSet<String> {
    let value = server.connect().run("COMMAND LIST");
    let names = value.items().unwrap_or_else(|| panic!("COMMAND LIST: {value:?}"));
    names.iter().map(|name| name.text().to_lowercase()).collect()
}

fn connect(server: &Server, proto: u8) -> Client {
    let mut client = server.connect();
    if proto == 3 {
        client.run("HELLO 3");
    }
    client
}

impl<'a> Lockstep<'a> {
    /// Two running servers, a seed, a RESP version.
    pub fn new(
        ours: &'a Server,
        theirs: &'a Server,
        exclusions: &'a Exclusions,
        seed: u64,
        proto: u8,
    ) -> Self {
        let listed = (command_list(ours), command_list(theirs));
        let known = listed.0.intersection(&listed.1).cloned().collect();
        let mut run = Lockstep {
            traffic: Traffic::new(seed, proto, &known),
            exclusions,
            ours,
            theirs,
            pairs: Vec::new(),
            waiters: None,
            rounds: 0,
            listed,
            history: VecDeque::new(),
            sent_count: 0,
            coverage: Coverage::default(),
            differences: BTreeMap::new(),
            digest_known: true,
            crashed: false,
        };
        run.start_afresh();
        run
    }

    /// Runs about `commands` commands; stops early after `diff_max` differences.
    pub fn run(&mut self, commands: u64, diff_max: usize) {
        for args in lines::tour() {
            if let Err(error) = self.batch(0, vec![args]) {
                self.report("CONNECTION", &format!("connection: {error}"), &[]);
            }
        }
        let mut next_digest = DIGEST_EVERY;
        while self.sent_count < commands && self.differences.len() < diff_max && !self.crashed {
            let connection = self.traffic.prng.index(CONNECTIONS);
            if let Err(error) = self.turn(connection) {
                let broken = format!("connection: {error}");
                self.report("CONNECTION", &broken, &[]);
            }
            if self.sent_count >= next_digest {
                next_digest += DIGEST_EVERY;
                self.compare_digests();
            }
        }
        self.compare_digests();
    }

    fn start_afresh(&mut self) {
        self.pairs.clear();
        self.waiters = None;
        for server in [self.ours, self.theirs] {
            let mut client = server.connect();
            // What was sent and never read is still executed: not after the flush.
            let alone =
                |client: &mut Client| client.run("INFO clients").text().contains("connected_clients:1\r");
            assert!(wait_until(Duration::from_secs(10), || alone(&mut client)), "old connections stay");
            client.run("FLUSHALL");
            client.run("FUNCTION FLUSH");
            client.run("CONFIG SET hash-max-listpack-entries 128 hash-max-listpack-value 64 maxmemory 0");
        }
        let proto = self.traffic.proto;
        let pair = |_| Pair {
            ours: connect(self.ours, proto),
            theirs: connect(self.theirs, proto),
            queue: VecDeque::new(),
            in_multi: false,
            as_user: false,
            queued: Vec::new(),
        };
        self.pairs = (0..CONNECTIONS).map(pair).collect();
        self.waiters = Some((Waiters::new(self.ours, proto), Waiters::new(self.theirs, proto)));
        self.rounds += 1;
        self.history.clear();
    }

    fn turn(&mut self, connection: usize) -> io::Result<()> {
        let wanted = 1 + self.traffic.prng.index(BATCH_MAX);
        let mut batch = Vec::new();
        while batch.len() < wanted {
            if self.pairs[connection].queue.is_empty() {
                let steps = self.traffic.next_steps();
                self.pairs[connection].queue.extend(steps);
            }
            match self.pairs[connection].queue.front() {
                Some(Step::Command(_)) => {
                    if let Some(Step::Command(args)) = self.pairs[connection].queue.pop_front() {
                        batch.push(args);
                    }
                }
                _ if batch.is_empty() => {
                    let step = self.pairs[connection].queue.pop_front();
                    return self.composite(connection, step);
                }
                _ => break,
            }
        }
        self.batch(connection, batch)
    }

    /// Sends a batch to both servers, then reads and judges all replies.
    fn batch(&mut self, connection: usize, batch: Vec<Args>) -> io::Result<()> {
        let (mut to_ours, mut to_theirs) = (Vec::new(), Vec::new());
        let mut sent = Vec::new();
        for args in batch {
            let mode = self.exclusions.mode(&args);
            if mode == Mode::Skip || self.is_one_sided(&args) {
                continue;
            }
            let pair = &mut self.pairs[connection];
            let is_alone = !pair.in_multi && !pair.as_user;
            let key = first_key(&args).filter(|_| is_alone);
            // SORT of redis 7.0 takes an old ERANGE for its own; this leaves no errno behind.
            let has_reset = is_alone && name_of(&args).starts_with("SORT");
            if has_reset {
                to_theirs.extend(encode(&["ZADD", "missing", "XX", "1", "a"]));
            }
            if let Some(key) = key {
                to_theirs.extend(encode(&[b"TYPE", key]));
            }
            let has_type = key.is_some();
            to_ours.extend(encode(&args));
            to_theirs.extend(encode(&args));
            self.history.push_back((self.sent_count, connection, args.clone()));
            if self.history.len() > 5000 {
                self.history.pop_front();
            }
            self.sent_count += 1;
            sent.push(Sent { in_multi: pair.in_multi, args, mode, has_type, has_reset });
            let last = &sent[sent.len() - 1];
            pair.in_multi = next_in_multi(&last.args, pair.in_multi);
            if name_of(&last.args) == "AUTH" {
                pair.as_user = last.args.get(1).is_some_and(|name| name.starts_with(b"own"));
            }
        }
        let pair = &mut self.pairs[connection];
        pair.theirs.send_raw(&to_theirs)?;
        pair.ours.send_raw(&to_ours)?;
        let count = sent.len();
        for (index, command) in sent.into_iter().enumerate() {
            if !self.judge(connection, &command, index + 1 == count)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads one reply of each server; false if they differ (everything was started afresh).
    fn judge(&mut self, connection: usize, command: &Sent, is_last: bool) -> io::Result<bool> {
        let pair = &mut self.pairs[connection];
        if command.has_reset {
            pair.theirs.read()?;
        }
        let key_type =
            if command.has_type { next_reply(&mut pair.theirs)?.value.text() } else { "-".to_owned() };
        let theirs = next_reply(&mut pair.theirs);
        let ours = next_reply(&mut pair.ours);
        let (ours, theirs) = match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (Err(ours), Err(theirs)) if is_closed(&ours) && is_closed(&theirs) => return Ok(true),
            (ours, theirs) => {
                let text = format!("ours:   {}\ntheirs: {}", show_result(&ours), show_result(&theirs));
                self.report(&name_of(&command.args), &text, &command.args);
                return Ok(false);
            }
        };
        let is_exec = name_of(&command.args) == "EXEC" && command.in_multi;
        let mut same = if is_exec {
            compare::equal_exec(&pair.queued, &ours, &theirs)
        } else {
            compare::equal(&command.mode, &ours, &theirs)
        };
        if command.in_multi && theirs.raw == b"+QUEUED\r\n" {
            pair.queued.push(command.mode.clone());
        } else if !command.in_multi || is_exec {
            pair.queued.clear();
        }
        if is_last && same && !command.in_multi {
            same = self.is_member(connection, command, &ours)?;
        }
        self.coverage.record(&self.label(&command.args), &key_type, outcome(&theirs.value));
        if !same {
            let text = format!("ours:   {}\ntheirs: {}", show(&ours.raw, 6000), show(&theirs.raw, 6000));
            self.report(&name_of(&command.args), &text, &command.args);
        }
        Ok(same)
    }

    /// Random picks must at least exist: asked of the other server.
    fn is_member(&mut self, connection: usize, command: &Sent, ours: &Reply) -> io::Result<bool> {
        let theirs = &mut self.pairs[connection].theirs;
        match (name_of(&command.args).as_str(), &ours.value) {
            ("RANDOMKEY", Value::Bulk(key)) => {
                Ok(theirs.command(&[b"EXISTS", key.as_slice()])?.value == Value::Int(1))
            }
            ("HRANDFIELD", value) if matches!(command.args.len(), 2 | 3) => {
                let fields = theirs.command(&[b"HKEYS", command.args[1].as_slice()])?.value;
                let known = fields.items().unwrap_or(&[]);
                let single = std::slice::from_ref(value);
                let picked = value.items().unwrap_or(if value.is_null() { &[] } else { single });
                let distinct = picked.iter().collect::<BTreeSet<_>>().len() == picked.len();
                let repeats = command.args.get(2).is_some_and(|count| count.starts_with(b"-"));
                Ok(value.is_error()
                    || (distinct || repeats) && picked.iter().all(|field| known.contains(field)))
            }
            _ => Ok(true),
        }
    }

    /// The row of the coverage table: the command, with its subcommand if there is such a one.
    fn label(&self, args: &Args) -> String {
        let name = name_of(args);
        let Some(second) = args.get(1) else { return name };
        let second = String::from_utf8_lossy(second).to_lowercase();
        let full = format!("{}|{second}", name.to_lowercase());
        let is_debug =
            name == "DEBUG" && second.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        match is_debug || self.listed.0.contains(&full) || self.listed.1.contains(&full) {
            true => full.replace('|', " ").to_uppercase(),
            false => name,
        }
    }

    fn is_one_sided(&self, args: &Args) -> bool {
        let Some(second) = args.get(1) else { return false };
        if name_of(args) == "COMMAND" && args.len() > 2 {
            let asked = String::from_utf8_lossy(&args[2]).to_lowercase();
            return self.listed.0.contains(&asked) != self.listed.1.contains(&asked);
        }
        let name = format!("{}|{}", name_of(args), String::from_utf8_lossy(second)).to_lowercase();
        self.listed.0.contains(&name) != self.listed.1.contains(&name)
    }

    fn compare_digests(&mut self) {
        if !self.digest_known || self.crashed {
            return;
        }
        let (mut ours, mut theirs) = (self.ours.connect(), self.theirs.connect());
        let (left, right) = (ours.run("DEBUG DIGEST"), theirs.run("DEBUG DIGEST"));
        if left.is_error() {
            println!("DEBUG DIGEST not available: {}", left.text());
            self.digest_known = false;
            return;
        }
        if left == right {
            return;
        }
        let mut text = format!("ours:   {}\ntheirs: {}\n", left.text(), right.text());
        let mut suspects = Vec::new();
        for database in 0..DATABASES {
            for client in [&mut ours, &mut theirs] {
                client.run(&format!("SELECT {database}"));
            }
            let (left, right) = (ours.run("KEYS *"), theirs.run("KEYS *"));
            let both = left.items().unwrap_or(&[]).iter().chain(right.items().unwrap_or(&[]));
            for key in both.collect::<BTreeSet<_>>() {
                let Value::Bulk(key) = key else { continue };
                for probe in ["DEBUG DIGEST-VALUE", "TTL", "TYPE"] {
                    let mut args = words(probe);
                    args.push(key.clone());
                    let values = (ours.command(&args), theirs.command(&args));
                    let (Ok(left), Ok(right)) = values else { continue };
                    let near = probe == "TTL"
                        && left.value.int().zip(right.value.int()).is_some_and(|(l, r)| (l - r).abs() < 6);
                    if left.value != right.value && !near {
                        let _ = writeln!(
                            text,
                            "db {database} {probe} {}: {} / {}",
                            show(key, 40),
                            show(&left.raw, 80),
                            show(&right.raw, 80)
                        );
                        suspects = vec![Vec::new(), key.clone()];
                    }
                }
            }
        }
        self.report("DIGEST", &text, &suspects);
    }

    /// Notes a difference and starts afresh.
    fn report(&mut self, name: &str, text: &str, args: &[Vec<u8>]) {
        let command: Vec<String> = args.iter().map(|arg| show(arg, 200)).collect();
        let mut full = format!(
            "command {} : {}\n{text}\nlast commands touching its keys:\n",
            self.sent_count,
            command.join(" ")
        );
        let related = |other: &Args| {
            let all = ["FLUSHALL", "FLUSHDB", "SELECT", "SWAPDB", "RESET"].contains(&name_of(other).as_str());
            all || other
                .iter()
                .skip(1)
                .any(|arg| arg.len() > 1 && args.iter().skip(1).any(|mine| mine == arg))
        };
        let shown = env_number("SHOWN", 0) as usize;
        let all: Vec<_> = self.history.iter().rev().take(shown).collect();
        for (index, connection, other) in all.into_iter().rev() {
            let words: Vec<String> = other.iter().map(|arg| show(arg, 200)).collect();
            let _ = writeln!(full, "  all {index} [{connection}] {}", words.join(" "));
        }
        let touching: Vec<_> =
            self.history.iter().rev().filter(|(_, _, other)| related(other)).take(10).collect();
        for (index, connection, other) in touching.into_iter().rev() {
            let words: Vec<String> = other.iter().map(|arg| show(arg, 80)).collect();
            let _ = writeln!(full, "  {index} [{connection}] {}", words.join(" "));
        }
        let kind: String = text.lines().map(|line| line.chars().take(30).collect::<String>()).collect();
        let kind: String = kind.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        if Client::connect(self.ours.port).is_err() {
            self.crashed = true;
            let report = self.ours.crash_report().unwrap_or_else(|| "(no crash report)".to_owned());
            self.differences
                .insert("CRASH".to_owned(), format!("the server under test is gone\n{full}\n{report}"));
            return;
        }
        self.differences.entry(format!("{name} {kind}")).or_insert(full);
        self.start_afresh();
    }
}

/// The next reply. A flush tells every client that tracks, whatever it reads: `frames` compares what is pushed, here it is no reply.
fn next_reply(client: &mut Client) -> io::Result<Reply> {
    loop {
        let reply = client.read()?;
        if !reply.raw.starts_with(b">2\r\n$10\r\ninvalidate\r\n") {
            return Ok(reply);
        }
    }
}

fn show_result(result: &io::Result<Reply>) -> String {
    match result {
        Ok(reply) => show(&reply.raw, 400),
        Err(error) if error.kind() == ErrorKind::WouldBlock => "(no reply within 10 s)".to_owned(),
        Err(error) => format!("({error})"),
    }
}

fn name_of(args: &[Vec<u8>]) -> String {
    args.first().map_or_else(String::new, |name| String::from_utf8_lossy(name).to_uppercase())
}

/// Where a command's first key is, for the coverage table.
fn first_key(args: &Args) -> Option<&[u8]> {
    const KEYLESS: &str = " PING ECHO SELECT CLIENT HELLO RESET AUTH DBSIZE FLUSHDB FLUSHALL SWAPDB TIME LASTSAVE ROLE INFO \
        CONFIG COMMAND SLOWLOG LATENCY DEBUG LOLWUT SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE PUBLISH PUBSUB SHUTDOWN MULTI EXEC DISCARD UNWATCH KEYS RANDOMKEY SCAN WAIT NOSUCHCOMMAND QUIT \
        ACL SCRIPT FUNCTION SPUBLISH SSUBSCRIBE SUNSUBSCRIBE MONITOR PFSELFTEST ";
    let name = name_of(args);
    if KEYLESS.contains(&format!(" {name} ")) {
        return None;
    }
    let index = match name.as_str() {
        "OBJECT" | "MEMORY" | "BITOP" | "XGROUP" | "XINFO" | "LMPOP" | "ZMPOP" | "ZDIFF" | "ZINTER"
        | "ZUNION" | "SINTERCARD" => 2,
        "BLMPOP" | "BZMPOP" => 3,
        name if name.starts_with("EVAL") || name.starts_with("FCALL") => 3,
        _ => 1,
    };
    args.get(index).map(Vec::as_slice)
}

fn next_in_multi(args: &Args, before: bool) -> bool {
    match (name_of(args).as_str(), args.len()) {
        ("MULTI", 1) => true,
        // A refused EXEC (wrong arity) discards the transaction too.
        ("EXEC", _) | ("DISCARD" | "RESET", 1) => false,
        _ => before,
    }
}

pub fn outcome(value: &Value) -> Outcome {
    match value {
        Value::Error(text) if text.starts_with(b"WRONGTYPE") => Outcome::WrongType,
        Value::Error(text) if text.starts_with(b"ERR wrong number") => Outcome::Arity,
        value if value.is_error() => Outcome::Error,
        Value::Simple(text) if text == b"QUEUED" => Outcome::Queued,
        Value::Null | Value::NullArray | Value::Int(0) => Outcome::Nothing,
        Value::Bulk(bytes) if bytes.is_empty() => Outcome::Nothing,
        value if value.items().is_some_and(<[Value]>::is_empty) => Outcome::Nothing,
        _ => Outcome::Value,
    }
}
