//! What every bench program of this family does: command line, every chosen scenario, tables, results.json, charts.
//!
//! Called by main of `load` and of `persist`, whose `scenario` module says which program it is. Invariant: what was measured before a failure is still written.

use std::io::Write;
use std::process::ExitCode;

use crate::scenario::PROGRAM;
use crate::{Outcome, bench, chart, options, report, table};

/// The whole program.
pub fn run_all() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options::Request::Run(options)) => *options,
        Ok(options::Request::Print(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{PROGRAM}: {error}\n{PROGRAM}: --help lists the flags");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{PROGRAM}: {error}");
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
            eprintln!("{PROGRAM}: scenario {}: {error}", scenario.name);
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
