//! The five collections with a million elements: every way to build, read and delete one, and the longest step of the core meanwhile.
//!
//! Called by `stalls`. A `spare` collection is built and read, copies of it are deleted. Bars (issue 3): no step over 1 ms of thread CPU time but for a command whose own cost is that long
//! (the table has both: a long step beside a short command is a fault); a delete never. Bounds: at `--scale 1` about 250 MB in the server.

use std::time::{Duration, Instant};

use super::{EventAct, observe};
use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::client::{self, Client, Reply};
use crate::report::{Report, STEP_US};
use crate::server::Server;

const ELEMENTS: u64 = 1_000_000;
/// Commands sent at once while building.
const BATCH: u64 = 100;
/// Longest step of a delete.
const DELETE_US: f64 = 1000.0;

/// One type and its commands; `{n}` stands for the number of the element.
struct Kind {
    name: &'static str,
    add: &'static str,
    /// Makes `made` from `spare`.
    store: &'static str,
    ranges: &'static [&'static str],
    /// Empties `big` without naming it whole.
    erase: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "list",
        add: "RPUSH spare element:{n}",
        store: "SORT spare BY nosort STORE made",
        ranges: &["LRANGE spare 0 99999", "LRANGE spare 0 -1"],
        erase: "LTRIM big 1 0",
    },
    Kind {
        name: "set",
        add: "SADD spare element:{n}",
        store: "SUNIONSTORE made spare",
        ranges: &["SRANDMEMBER spare 100000", "SMEMBERS spare"],
        erase: "SINTERSTORE big big nothing",
    },
    Kind {
        name: "zset",
        add: "ZADD spare {n} element:{n}",
        store: "ZUNIONSTORE made 1 spare",
        ranges: &["ZRANGE spare 0 99999", "ZRANGE spare 0 -1 WITHSCORES"],
        erase: "ZREMRANGEBYRANK big 0 -1",
    },
    Kind {
        name: "hash",
        add: "HSET spare field:{n} value:{n}",
        store: "",
        ranges: &["HRANDFIELD spare 100000", "HGETALL spare"],
        erase: "",
    },
    Kind {
        name: "stream",
        add: "XADD spare {n}-1 field value:{n}",
        store: "",
        ranges: &["XRANGE spare - + COUNT 100000", "XRANGE spare - +"],
        erase: "XTRIM big MAXLEN 0",
    },
];

/// Deletes of `big`; what must be done first, and the command.
const DELETES: &[(&str, &str)] = &[
    ("", "DEL big"),
    ("", "UNLINK big"),
    ("", "PEXPIRE big 1"),
    ("", "PEXPIREAT big 1"),
    ("", "SET big x"),
    ("SET other x", "RENAME other big"),
    ("SADD tiny a", "SUNIONSTORE big tiny"),
    ("", "RESTORE big 0 {tiny} REPLACE"),
    ("", "FLUSHALL"),
];

fn words(line: &str) -> Vec<&[u8]> {
    line.split_whitespace().map(str::as_bytes).collect()
}

/// Measures every type.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    for kind in KINDS {
        let events = events(kind);
        if !events.iter().any(|event| bench.options.wants(event)) {
            continue;
        }
        let servers = bench.start_both()?;
        bench::alternate(&servers, bench.options.pairs, |side, server| {
            one_kind(bench, report, kind, side, server)
        })?;
    }
    for kind in KINDS {
        for (_, line) in DELETES {
            let event = format!("{}: {line}", kind.name);
            if bench.options.wants(&event) {
                report.set_limit(&event, STEP_US, DELETE_US);
            }
        }
    }
    Ok(())
}

/// Names of what is measured for a type.
fn events(kind: &Kind) -> Vec<String> {
    let mut lines = vec![kind.add, "RESTORE made", kind.store, "COPY spare made", kind.erase];
    lines.extend(kind.ranges);
    lines.extend(DELETES.iter().map(|(_, line)| line));
    let lines = lines.into_iter().filter(|line| !line.is_empty());
    lines.map(|line| format!("{}: {line}", kind.name)).collect()
}

/// What one type's events share.
struct Turn<'a> {
    bench: &'a Bench,
    report: &'a mut Report,
    kind: &'a Kind,
    side: Side,
    server: &'a Server,
    client: Client,
}

impl Turn<'_> {
    /// Measures `act` under the type's name and `line`, if it is wanted; else just does it where something else `needs` it.
    fn observe(&mut self, line: &str, needed: bool, act: impl EventAct) -> Outcome<()> {
        let event = format!("{}: {line}", self.kind.name);
        if self.bench.options.wants(&event) {
            observe(self.bench, self.report, &event, self.side, self.server, &mut self.client, act)
        } else if needed {
            act(self.bench, &mut self.client)
        } else {
            Ok(())
        }
    }

    /// Nothing of what was deleted waits to be freed.
    fn settle(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let info = self.client.text(&[b"INFO", b"memory"])?;
            if info.contains("lazyfree_pending_objects:0\r") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("the server does not finish freeing".into())
    }
}

fn one_kind(bench: &Bench, report: &mut Report, kind: &Kind, side: Side, server: &Server) -> Outcome<()> {
    let mut turn = Turn { bench, report, kind, side, server, client: server.client()? };
    let elements = bench.scaled(ELEMENTS, BATCH) / BATCH * BATCH;
    turn.observe(kind.add, true, |_, client| build(kind, elements, client))?;
    let Reply::Text(payload) = turn.client.call(&[b"DUMP", b"spare"])? else {
        return Err("DUMP gave no payload".into());
    };
    turn.observe("RESTORE made", false, |_, client| {
        client.call(&[b"RESTORE", b"made", b"0", &payload]).map(drop)
    })?;
    for line in ["COPY spare made", kind.store].into_iter().filter(|line| !line.is_empty()) {
        turn.client.call(&[b"DEL", b"made"])?;
        turn.settle()?;
        turn.observe(line, false, |_, client| client.call(&words(line)).map(drop))?;
    }
    turn.client.call(&[b"DEL", b"made"])?;
    for line in kind.ranges {
        turn.observe(line, false, |_, client| client.call_discarding(&words(line)).map(drop))?;
    }
    turn.client.call(&[b"SET", b"text", b"x"])?;
    let Reply::Text(tiny) = turn.client.call(&[b"DUMP", b"text"])? else {
        return Err("DUMP gave no payload".into());
    };
    let erase = [("", kind.erase)];
    for (first, line) in erase.iter().filter(|(_, line)| !line.is_empty()).chain(DELETES) {
        turn.client.call(&words("COPY spare big REPLACE"))?;
        if !first.is_empty() {
            turn.client.call(&words(first))?;
        }
        turn.settle()?;
        let keys = turn.client.integer(&[b"DBSIZE"])?;
        turn.observe(line, false, |_, client| {
            let args: Vec<&[u8]> =
                words(line).into_iter().map(|word| if word == b"{tiny}" { &tiny } else { word }).collect();
            client.call(&args)?;
            if *line == "PEXPIRE big 1" { wait_for_keys(client, keys - 1) } else { Ok(()) }
        })?;
        if *line != "FLUSHALL" {
            turn.client.call(&words("DEL big other tiny"))?;
        }
    }
    turn.client.call(&[b"FLUSHALL"])?;
    turn.settle()
}

fn build(kind: &Kind, elements: u64, client: &mut Client) -> Outcome<()> {
    for start in (0..elements).step_by(BATCH as usize) {
        let mut wire = Vec::new();
        for number in start..start + BATCH {
            let line = kind.add.replace("{n}", &format!("{:010}", number + 1));
            wire.extend_from_slice(&client::encode(&words(&line)));
        }
        client.pipeline(&wire, BATCH as usize)?;
    }
    Ok(())
}

/// Waits without touching any key.
fn wait_for_keys(client: &mut Client, keys: i64) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.integer(&[b"DBSIZE"])? != keys {
        if Instant::now() > deadline {
            return Err("a key does not expire".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
