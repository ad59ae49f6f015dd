//! Arguments and config file -> server::run; the only place that prints a fatal error and exits.
//!
//! Calls `config::cmdline` for everything about arguments. Invariant: exit 0 only after a clean run or an answer to
//! `--help`/`--version`; whatever prevents the start is printed to standard error, exit 1.

use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use shoal::config::cmdline::{self, Action};

fn main() -> ExitCode {
    let arguments: Vec<Vec<u8>> = std::env::args_os().skip(1).map(OsStringExt::into_vec).collect();
    let config = match cmdline::read(&arguments, &mut std::io::stdin()) {
        Ok(Action::Serve(config)) => config,
        Ok(Action::Print(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(refusal) => {
            eprintln!("{refusal}");
            return ExitCode::FAILURE;
        }
    };
    let path = config.path.as_ref().map_or_else(String::new, |path| path.display().to_string());
    match shoal::server::run(*config, path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            eprintln!("{}", fatal.0);
            ExitCode::FAILURE
        }
    }
}
