//! Figures of a run: samples of both sides per scenario, case and metric, their medians, spread and ratio; the JSON.
//!
//! Filled by the scenarios; read by table and chart; written by main. Invariant: the i-th sample of ours and of the peer were
//! taken one after the other, so their ratio is taken pair by pair, and its median and spread are over pairs.

use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::sample::Sample;

/// Median and range of a list of samples.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Median; of an even number, the mean of the middle two.
    pub median: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// None without samples.
    pub fn of(samples: &[f64]) -> Option<Spread> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Spread { median, min, max })
    }
}

/// What is measured, and how it is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    /// Name in tables and JSON; ends with the unit.
    pub name: &'static str,
    /// Whether a smaller number is the better one.
    pub lower_is_better: bool,
    /// Whether the chart shows its ratio.
    pub charted: bool,
}

/// A metric of a scenario's own.
pub const fn metric(name: &'static str, lower_is_better: bool, charted: bool) -> Metric {
    Metric { name, lower_is_better, charted }
}

/// Requests per second.
pub const PER_SECOND: Metric = metric("requests/s", false, true);
/// Server CPU per request.
pub const CPU_US: Metric = metric("cpu us/request", true, true);
/// Sleeps per request.
pub const WAKEUPS: Metric = metric("wake-ups/request", true, false);
/// How often per second someone else took a server thread's core: near 0 on a quiet machine, and where it is not, the
/// figures beside it are partly someone else's.
pub const PREEMPTIONS: Metric = metric("preemptions/s", true, false);
/// Median latency.
pub const P50_US: Metric = metric("p50 us", true, true);
/// 99th percentile.
pub const P99_US: Metric = metric("p99 us", true, true);
/// 99.9th percentile.
pub const P999_US: Metric = metric("p99.9 us", true, true);
/// Worst latency.
pub const MAX_US: Metric = metric("max us", true, false);
/// Resident bytes per key.
pub const KEY_BYTES: Metric = metric("rss B/key", true, true);
/// Resident bytes per collection.
pub const OBJECT_BYTES: Metric = metric("rss B/object", true, true);
/// Resident bytes per connection.
pub const CONNECTION_BYTES: Metric = metric("rss B/connection", true, true);
/// How long a single command took.
pub const EVENT_MS: Metric = metric("command ms", true, false);
/// The longest step of a shard, as the server counted it.
pub const STEP_US: Metric = metric("longest step us", true, false);

/// The longest command of a shard, as the server counted it.
pub const COMMAND_US: Metric = metric("longest command us", true, false);

/// One line of the table.
pub struct Figure {
    /// The scenario.
    pub scenario: &'static str,
    /// The case within it.
    pub case: String,
    /// What was measured.
    pub metric: Metric,
    /// The ratio to stay at or under (at or over, where more is better), if the project has set one.
    pub bar: Option<f64>,
    /// The value of ours to stay at or under, whatever the peer does.
    pub limit: Option<f64>,
    /// Samples of ours.
    pub ours: Vec<f64>,
    /// Samples of the peer.
    pub peer: Vec<f64>,
}

impl Figure {
    /// Ours over the peer's, pair by pair.
    pub fn ratio(&self) -> Option<Spread> {
        let pairs = self.ours.iter().zip(&self.peer).filter(|(_, peer)| **peer > 0.0);
        Spread::of(&pairs.map(|(ours, peer)| ours / peer).collect::<Vec<_>>())
    }

    /// Whether the median ratio keeps the bar, and every sample of ours the limit; None with neither.
    pub fn keeps_bar(&self) -> Option<bool> {
        match self.limit {
            Some(limit) => Some(Spread::of(&self.ours)?.max <= limit),
            None => {
                let (median, bar) = (self.ratio()?.median, self.bar?);
                Some(if self.metric.lower_is_better { median <= bar } else { median >= bar })
            }
        }
    }
}

/// All figures of a run.
pub struct Report {
    /// In the order they were first recorded.
    pub figures: Vec<Figure>,
    /// Remarks, each with the scenario it belongs to.
    pub notes: Vec<(&'static str, String)>,
    /// What the two columns are called, by scenario.
    names: Vec<(&'static str, [String; 2])>,
    sides: [String; 2],
    setting: Value,
    scenario: &'static str,
}

impl Report {
    /// An empty report that knows the machine and the command line.
    pub fn new(bench: &Bench) -> Report {
        let options = &bench.options;
        let setting = json!({
            "ours": { "binary": options.ours.display().to_string(), "version": bench::version_of(&options.ours), "conf": options.ours_conf.as_ref().map(|conf| conf.display().to_string()) },
            "peer": { "binary": options.peer.display().to_string(), "version": bench::version_of(&options.peer) },
            "pairs": options.pairs,
            "scale": options.scale,
            "driver": options.driver.name(),
            "server_cpu": bench.server_cpu,
            "load_cpu": bench.load_cpu,
            "kernel": first_line("/proc/sys/kernel/osrelease"),
            "cpu": cpu_model(),
            "cores": bench.allowed.len(),
            "load_average_at_start": first_line("/proc/loadavg"),
            "unix_time": std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |elapsed| elapsed.as_secs()),
        });
        let sides = [bench.name_of(Side::Ours), bench.name_of(Side::Peer)];
        Report { figures: Vec::new(), notes: Vec::new(), names: Vec::new(), sides, setting, scenario: "" }
    }

    /// What is recorded from now on belongs to this scenario; its columns are the two binaries.
    pub fn begin(&mut self, scenario: &'static str) {
        self.scenario = scenario;
        self.names.push((scenario, self.sides.clone()));
    }

    /// Names the columns of a scenario that compares something else than the two binaries.
    pub fn name_columns(&mut self, names: [String; 2]) {
        let scenario = self.scenario;
        self.names.retain(|(of, _)| *of != scenario);
        self.names.push((scenario, names));
    }

    /// What the columns of a scenario are called.
    pub fn names(&self, scenario: &str) -> &[String; 2] {
        self.names.iter().find(|(of, _)| *of == scenario).map_or(&self.sides, |(_, names)| names)
    }

    /// Adds one sample of one side.
    pub fn add(&mut self, side: Side, case: &str, metric: Metric, value: f64) {
        let figure = self.figure(case, metric);
        match side {
            Side::Ours => figure.ours.push(value),
            Side::Peer => figure.peer.push(value),
        }
    }

    /// Adds all of a driver run's metrics.
    pub fn add_sample(&mut self, side: Side, case: &str, sample: &Sample) {
        self.add(side, case, PER_SECOND, sample.per_second());
        self.add(side, case, CPU_US, sample.cpu_us);
        self.add(side, case, WAKEUPS, sample.wakeups);
        self.add(side, case, PREEMPTIONS, sample.preemptions);
        let latency = sample.run.latency;
        self.add(side, case, P50_US, latency.p50_us);
        self.add(side, case, P99_US, latency.p99_us);
        self.add(side, case, P999_US, latency.p999_us);
        self.add(side, case, MAX_US, latency.max_us);
    }

    /// Sets the ratio a case is to keep.
    pub fn set_bar(&mut self, case: &str, metric: Metric, bar: f64) {
        self.figure(case, metric).bar = Some(bar);
    }

    /// Sets the value that no sample of ours may exceed.
    pub fn set_limit(&mut self, case: &str, metric: Metric, limit: f64) {
        self.figure(case, metric).limit = Some(limit);
    }

    /// Adds a remark under the scenario's table.
    pub fn note(&mut self, text: String) {
        if !self.notes.iter().any(|(_, known)| *known == text) {
            self.notes.push((self.scenario, text));
        }
    }

    fn figure(&mut self, case: &str, metric: Metric) -> &mut Figure {
        let scenario = self.scenario;
        let found = self.figures.iter().position(|figure| {
            figure.scenario == scenario && figure.case == case && figure.metric.name == metric.name
        });
        let index = found.unwrap_or_else(|| {
            let case = case.to_owned();
            self.figures.push(Figure {
                scenario,
                case,
                metric,
                bar: None,
                limit: None,
                ours: Vec::new(),
                peer: Vec::new(),
            });
            self.figures.len() - 1
        });
        &mut self.figures[index]
    }

    /// Writes results.json.
    pub fn write(&self, dir: &Path, failures: &[String]) -> Outcome<()> {
        std::fs::create_dir_all(dir)?;
        let side = |samples: &[f64]| {
            let spread = Spread::of(samples);
            json!({
                "median": spread.map(|s| s.median), "min": spread.map(|s| s.min), "max": spread.map(|s| s.max),
                "samples": samples,
            })
        };
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                json!({
                    "scenario": figure.scenario,
                    "names": self.names(figure.scenario),
                    "case": figure.case,
                    "metric": figure.metric.name,
                    "lower_is_better": figure.metric.lower_is_better,
                    "ours": side(&figure.ours),
                    "peer": side(&figure.peer),
                    "ratio": figure.ratio().map(|s| json!({ "median": s.median, "min": s.min, "max": s.max })),
                    "bar": figure.bar,
                    "limit": figure.limit,
                    "keeps_bar": figure.keeps_bar(),
                })
            })
            .collect();
        let notes: Vec<Value> =
            self.notes.iter().map(|(scenario, text)| json!({ "scenario": scenario, "text": text })).collect();
        let all = json!({
            "setting": self.setting, "figures": figures, "notes": notes, "failures": failures,
        });
        std::fs::write(dir.join("results.json"), serde_json::to_string_pretty(&all)? + "\n")?;
        Ok(())
    }
}

fn first_line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map(|(_, model)| model.to_owned()).unwrap_or_default()
}
