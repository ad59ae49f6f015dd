//! The command line of `load` and `persist`, declared once: `FLAGS` gives both the parser's names and `--help`.
//!
//! Called by main; calls `scenario::ALL` to resolve names. Invariant: every flag has a default that suits a 2-core
//! machine, so that a scenario's name alone is a full measurement. Why not clap: a dozen flags do not pay for it.

use std::path::PathBuf;

use crate::Outcome;
use crate::bench::Bench;
use crate::generator::Traffic;
use crate::report::Report;
use crate::scenario;
use crate::scenario::case::Flags;

/// One thing that can be measured.
pub struct Scenario {
    /// Its name on the command line, in JSON and of its chart.
    pub name: &'static str,
    /// One line for `--list`.
    pub about: &'static str,
    /// Measures and records.
    pub run: fn(&Bench, &mut Report) -> Outcome<()>,
}

/// Flag, its argument, what it does.
const FLAGS: &[(&str, &str, &str)] = &[
    ("--scenario", "NAME[,NAME]", "what to measure, or `all` (default: the first); bare names work too"),
    ("--pairs", "N", "how often each side is measured, in turn (default 5)"),
    (
        "--shoal",
        "PATH",
        "our server (default $CARGO_TARGET_DIR/release/shoal-server); any redis-server works too",
    ),
    (
        "--shoal-conf",
        "FILE",
        "a config file for our server (tuning/latency.conf ...); pinning and threads stay the scenario's",
    ),
    ("--peer", "PATH", "the server beside it (default /usr/bin/redis-server)"),
    ("--redis-benchmark", "PATH", "the stock load driver (default /usr/bin/redis-benchmark)"),
    (
        "--driver",
        "redis-benchmark|own",
        "who makes the load in cpu, cpu500 and threads (default redis-benchmark)",
    ),
    (
        "--scale",
        "F",
        "multiplies request counts, durations, key counts: 0.05 checks the harness, where connecting weighs in (default 1)",
    ),
    ("--server-cpu", "N", "core of the server (default: the first this process may use)"),
    ("--load-cpu", "N", "core of the load (default: the second)"),
    ("--out", "DIR", "where results.json and the charts go (default $CARGO_TARGET_DIR/load or /persist)"),
    ("--only", "TEXT", "scenario stalls: only the events whose names contain it"),
    ("--traffic", "set|get|mixed|incr|ping", "scenario case: the command (default mixed, half GET)"),
    ("--connections", "N", "scenario case: connections (default 50)"),
    ("--pipeline", "N", "scenario case: requests per batch (default 1)"),
    ("--key-range", "N", "scenario case: number of keys (default 1000000)"),
    ("--value-size", "BYTES", "scenario case: size of a value (default 64)"),
    ("--requests", "N", "scenario case: requests per measurement (default 300000)"),
    ("--rate", "N", "scenario case: requests/s of an open loop (default 0: closed loop)"),
    ("--list", "", "prints the scenarios"),
    ("--help", "", "prints this"),
];

/// Who makes the load where a scenario lets one choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driver {
    /// redis-benchmark, the figure others can repeat.
    RedisBenchmark,
    /// The io_uring generator of this harness: cheaper per request, exact percentiles.
    Own,
}

impl Driver {
    /// The flag's value.
    pub fn name(self) -> &'static str {
        match self {
            Driver::RedisBenchmark => "redis-benchmark",
            Driver::Own => "own",
        }
    }
}

/// A parsed command line.
pub struct Options {
    /// In the order asked for.
    pub scenarios: Vec<&'static Scenario>,
    /// Measurements per side.
    pub pairs: usize,
    /// Our server's binary.
    pub ours: PathBuf,
    /// A config file for our server.
    pub ours_conf: Option<PathBuf>,
    /// The peer's binary.
    pub peer: PathBuf,
    /// redis-benchmark's binary.
    pub redis_benchmark: PathBuf,
    /// The driver of cpu, cpu500 and threads.
    pub driver: Driver,
    /// Factor on counts and durations.
    pub scale: f64,
    /// Core of the server, if given.
    pub server_cpu: Option<usize>,
    /// Core of the load, if given.
    pub load_cpu: Option<usize>,
    /// Output directory.
    pub out: PathBuf,
    /// Events of the scenario `stalls`.
    pub only: Option<String>,
    /// The load of the scenario `case`.
    pub case: Flags,
}

impl Options {
    /// Whether an event is to be measured.
    pub fn wants(&self, event: &str) -> bool {
        self.only.as_ref().is_none_or(|text| event.contains(text.as_str()))
    }
}

/// What the command line asks for.
pub enum Request {
    /// Measure.
    Run(Box<Options>),
    /// Print a text and end.
    Print(String),
}

/// Parses the arguments after the program's name; `--bench`, which cargo adds, is skipped.
pub fn parse(args: impl Iterator<Item = String>) -> Outcome<Request> {
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let mut options = Options {
        scenarios: Vec::new(),
        pairs: 5,
        ours: target.join("release/shoal-server"),
        ours_conf: None,
        peer: "/usr/bin/redis-server".into(),
        redis_benchmark: "/usr/bin/redis-benchmark".into(),
        driver: Driver::RedisBenchmark,
        scale: 1.0,
        server_cpu: None,
        load_cpu: None,
        out: target.join(scenario::PROGRAM),
        only: None,
        case: Flags::default(),
    };
    let mut args = args.filter(|arg| arg != "--bench");
    while let Some(arg) = args.next() {
        let (flag, inline) = match arg.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
            _ => (arg, None),
        };
        match flag.as_str() {
            "--help" | "-h" => return Ok(Request::Print(help())),
            "--list" => return Ok(Request::Print(list())),
            name if !name.starts_with('-') => add_scenarios(&mut options, name)?,
            name if !FLAGS.iter().any(|flag| flag.0 == name) => {
                return Err(format!("unknown flag {name}").into());
            }
            name => {
                let value = inline.or_else(|| args.next()).ok_or_else(|| format!("{name} needs a value"))?;
                set_flag(&mut options, name, &value)?;
            }
        }
    }
    if options.scenarios.is_empty() {
        add_scenarios(&mut options, scenario::DEFAULT)?;
    }
    // A scenario asked for twice would mix two runs' samples.
    let asked = std::mem::take(&mut options.scenarios);
    for scenario in asked {
        if !options.scenarios.iter().any(|known| known.name == scenario.name) {
            options.scenarios.push(scenario);
        }
    }
    Ok(Request::Run(Box::new(options)))
}

fn set_flag(options: &mut Options, name: &str, value: &str) -> Outcome<()> {
    let wrong = || format!("{name} {value}: not a usable value");
    match name {
        "--scenario" => add_scenarios(options, value)?,
        "--pairs" => options.pairs = value.parse().ok().filter(|&n| n >= 1).ok_or_else(wrong)?,
        "--shoal" => options.ours = value.into(),
        "--shoal-conf" => options.ours_conf = Some(std::path::absolute(value)?),
        "--peer" => options.peer = value.into(),
        "--redis-benchmark" => options.redis_benchmark = value.into(),
        "--scale" => {
            options.scale = value.parse().ok().filter(|&f: &f64| f > 0.0 && f <= 100.0).ok_or_else(wrong)?;
        }
        "--driver" => {
            let known = [Driver::RedisBenchmark, Driver::Own];
            options.driver = known.into_iter().find(|driver| driver.name() == value).ok_or_else(wrong)?;
        }
        "--server-cpu" => options.server_cpu = Some(value.parse().map_err(|_| wrong())?),
        "--load-cpu" => options.load_cpu = Some(value.parse().map_err(|_| wrong())?),
        "--only" => options.only = Some(value.to_owned()),
        "--out" => options.out = value.into(),
        _ => set_case_flag(&mut options.case, name, value).ok_or_else(wrong)?,
    }
    Ok(())
}

/// The flags of scenario `case`; None for a value that is none.
fn set_case_flag(case: &mut Flags, name: &str, value: &str) -> Option<()> {
    let count = || value.parse::<u64>().ok().filter(|&count| count >= 1);
    match name {
        "--traffic" => case.traffic = CASE_TRAFFIC.into_iter().find(|traffic| traffic.name() == value)?,
        "--connections" => case.connections = count().filter(|&count| count <= 8192)? as usize,
        "--pipeline" => case.pipeline = count()? as usize,
        "--key-range" => case.key_range = count()?,
        "--value-size" => case.value_size = count()? as usize,
        "--requests" => case.requests = count()?,
        "--rate" => case.rate = value.parse().ok().filter(|&rate: &f64| rate >= 0.0)?,
        _ => return None,
    }
    Some(())
}

const CASE_TRAFFIC: [Traffic; 5] =
    [Traffic::Set, Traffic::Get, Traffic::Mixed(50), Traffic::Incr, Traffic::Ping];

fn add_scenarios(options: &mut Options, names: &str) -> Outcome<()> {
    for name in names.split(',').filter(|name| !name.is_empty()) {
        if name == "all" {
            // `case` measures what its flags say, which is nothing in particular without them.
            options.scenarios.extend(scenario::ALL.iter().filter(|scenario| scenario.name != "case"));
        } else {
            let found = scenario::ALL.iter().find(|scenario| scenario.name == name);
            options.scenarios.push(found.ok_or_else(|| format!("no scenario {name}; --list shows them"))?);
        }
    }
    Ok(())
}

fn help() -> String {
    let mut text = format!("usage: cargo bench --bench {} -- [flags] [scenario ...]\n\n", scenario::PROGRAM);
    for (flag, value, about) in FLAGS {
        text += &format!("  {:<32}{about}\n", format!("{flag} {value}"));
    }
    text + "\nscenarios:\n" + &list()
}

fn list() -> String {
    scenario::ALL.iter().map(|scenario| format!("  {:<10}{}\n", scenario.name, scenario.about)).collect()
}
