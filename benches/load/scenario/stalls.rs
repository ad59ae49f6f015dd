//! `stalls`: one client sends huge commands while another PINGs every ms: what the PINGs notice. [`large`] does so for every way to build, read and delete the five types.
//!
//! The PINGs run in an open loop (a stall of 50 ms is seen by 50 of them) with real-time priority if that is granted, for the
//! client of the huge command shares the load's core. For a server that counts it (INFO `longest_step_usec`), the longest
//! step of a shard is read as well; issue 2 wants it under 500 µs save for KEYS. p99.9 of 1,000 to 3,000 PINGs is
//! nearly their maximum: read both.

mod large;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::client::{self, Client};
use crate::generator::{self, Keys, Pace, Plan, Traffic};
use crate::report::{COMMAND_US, EVENT_MS, MAX_US, P99_US, P999_US, Report, STEP_US};
use crate::sample::fill;
use crate::server::Server;

const PINGS_PER_S: f64 = 1000.0;
const FIELDS_PER_COMMAND: u64 = 1000;
const LONGEST_S: f64 = 60.0;

/// A command worth worrying about.
struct Event {
    name: &'static str,
    prepare: fn(&Bench, &Server, &mut Client) -> Outcome<()>,
    act: fn(&Bench, &mut Client) -> Outcome<()>,
}

const EVENTS: &[Event] = &[
    Event { name: "nothing", prepare: |_, _, _| Ok(()), act: |_, _| sleep_ms(500) },
    Event {
        name: "DEL hash of 1 M fields",
        prepare: fill_hash,
        act: |_, client| client.integer(&[b"DEL", b"big"]).map(drop),
    },
    Event { name: "SET 100 MB", prepare: |_, _, _| Ok(()), act: set_large },
    Event { name: "GET 100 MB", prepare: |bench, _, client| set_large(bench, client), act: get_large },
    Event {
        name: "KEYS * of 1 M",
        prepare: fill_keys,
        act: |_, client| client.call_discarding(&[b"KEYS", b"*"]).map(drop),
    },
];

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    for event in EVENTS.iter().filter(|event| bench.options.wants(event.name)) {
        let servers = bench.start_both()?;
        bench::alternate(&servers, bench.options.pairs, |side, server| {
            let mut client = server.client()?;
            (event.prepare)(bench, server, &mut client)?;
            observe(bench, report, event.name, side, server, &mut client, event.act)
        })?;
        if event.name != "nothing" {
            report.set_bar(event.name, P999_US, 1.0);
        }
    }
    large::run(bench, report)
}

/// What is done while the PINGs run.
trait EventAct: FnOnce(&Bench, &mut Client) -> Outcome<()> {}

impl<F: FnOnce(&Bench, &mut Client) -> Outcome<()>> EventAct for F {}

/// Lets the PINGs run across what `act` does.
fn observe(
    bench: &Bench,
    report: &mut Report,
    name: &str,
    side: Side,
    server: &Server,
    client: &mut Client,
    act: impl EventAct,
) -> Outcome<()> {
    client.call(&[b"CONFIG", b"RESETSTAT"])?;
    let plan = Plan {
        port: server.port,
        connections: 1,
        pipeline: 1,
        traffic: Traffic::Ping,
        keys: Keys::Sequential,
        value_size: 0,
        pace: Pace::Open { rate: PINGS_PER_S, seconds: LONGEST_S },
        seed: 1,
    };
    let stop = AtomicBool::new(false);
    let (pings, took) = std::thread::scope(|scope| {
        let pinger = scope.spawn(|| generator::run_until(&plan, bench.load_cpu, &stop, true));
        let timed = sleep_ms(300).and_then(|()| {
            let started = Instant::now();
            act(bench, client)?;
            let took = started.elapsed();
            // What the command left behind to be done is watched, too.
            sleep_ms(500).map(|()| took)
        });
        stop.store(true, Ordering::Relaxed);
        let pings = pinger.join().unwrap_or_else(|_| Err("the pinging thread panicked".into()));
        (pings, timed)
    });
    let ((pings, preferred), took) = (pings?, took?);
    report.add(side, name, EVENT_MS, took.as_secs_f64() * 1e3);
    report.add(side, name, P99_US, pings.latency.p99_us);
    report.add(side, name, P999_US, pings.latency.p999_us);
    report.add(side, name, MAX_US, pings.latency.max_us);
    for (metric, field) in [(STEP_US, "longest_step_usec"), (COMMAND_US, "longest_command_usec")] {
        if let Some(us) = server.counted(field)? {
            report.add(side, name, metric, us as f64);
        }
    }
    let priority = if preferred { "real-time" } else { "ordinary (no privilege for more)" };
    report.note(format!("PINGs every ms, one connection, priority {priority}"));
    Ok(())
}

fn sleep_ms(ms: u64) -> Outcome<()> {
    std::thread::sleep(Duration::from_millis(ms));
    Ok(())
}

fn fill_hash(bench: &Bench, _: &Server, client: &mut Client) -> Outcome<()> {
    let fields = bench.scaled(1_000_000, FIELDS_PER_COMMAND) / FIELDS_PER_COMMAND * FIELDS_PER_COMMAND;
    for start in (0..fields).step_by(FIELDS_PER_COMMAND as usize) {
        let names: Vec<String> =
            (start..start + FIELDS_PER_COMMAND).map(|n| format!("field:{n:010}")).collect();
        let mut args: Vec<&[u8]> = vec![b"HSET", b"big"];
        args.extend(names.iter().flat_map(|name| [name.as_bytes(), b"value:0123456789".as_slice()]));
        client.pipeline(&client::encode(&args), 1)?;
    }
    let held = client.integer(&[b"HLEN", b"big"])?;
    if held == fields as i64 { Ok(()) } else { Err(format!("HLEN {held} after {fields} fields").into()) }
}

fn large_size(bench: &Bench) -> usize {
    bench.scaled(100 << 20, 1 << 20) as usize
}

fn set_large(bench: &Bench, client: &mut Client) -> Outcome<()> {
    client.text(&[b"SET", b"large", &vec![b'v'; large_size(bench)]]).map(drop)
}

fn get_large(bench: &Bench, client: &mut Client) -> Outcome<()> {
    let received = client.call_discarding(&[b"GET", b"large"])?;
    if received > large_size(bench) as u64 {
        Ok(())
    } else {
        Err(format!("GET gave {received} bytes").into())
    }
}

fn fill_keys(bench: &Bench, server: &Server, client: &mut Client) -> Outcome<()> {
    let wanted = bench.scaled(1_000_000, 10_000);
    if client.integer(&[b"DBSIZE"])? >= wanted as i64 { Ok(()) } else { fill(bench, server, wanted) }
}
