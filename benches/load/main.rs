//! `load`: drives shoal and a peer (redis-server) side by side and says how they compare.
//!
//! Called by `cargo bench --bench load -- --scenario cpu --pairs 5`, or as a plain binary. It starts both servers on
//! free loopback ports, pins them and the load apart, drives them in turn (A B A B), and writes a table, a JSON file
//! with every sample and one SVG chart per scenario.
//! Invariant: a number is only ever compared with one taken in the same run, on the same cores, moments apart.
//! Bounds: only processes started here are signalled, by their own pid; they die with the harness.
//! Why not criterion: it times a function in this process; here the cost to be known is another process's CPU time.

mod account;
mod bench;
mod chart;
mod client;
mod cores;
mod generator;
mod options;
mod redis_benchmark;
mod report;
mod sample;
mod scenario;
mod server;
mod table;

use std::io::Write;
use std::process::ExitCode;

/// What goes wrong in the harness is told to a person once, so a message is all an error needs to be.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options::Request::Run(options)) => *options,
        Ok(options::Request::Print(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("load: {error}\nload: --help lists the flags");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every chosen scenario; what was measured before a failure is still written.
fn run(options: options::Options) -> Outcome<()> {
    let bench = bench::Bench::prepare(options)?;
    let mut report = report::Report::new(&bench);
    let mut failures = Vec::new();
    for scenario in bench.options.scenarios.clone() {
        say(&format!("\n== {}: {}\n", scenario.name, scenario.about));
        report.begin(scenario.name);
        if let Some(warning) = &bench.busy {
            report.note(warning.clone());
        }
        if let Err(error) = (scenario.run)(&bench, &mut report) {
            eprintln!("load: scenario {}: {error}", scenario.name);
            failures.push(format!("{}: {error}", scenario.name));
        }
        say(&table::render(&report, scenario.name));
    }
    report.write(&bench.options.out, &failures)?;
    chart::write_all(&report, &bench.options.out)?;
    say(&format!("\nwritten to {}\n", bench.options.out.display()));
    if failures.is_empty() { Ok(()) } else { Err(format!("failed: {}", failures.join("; ")).into()) }
}

/// Prints; a reader that went away (`| head`) must not cost the results, which are files.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
