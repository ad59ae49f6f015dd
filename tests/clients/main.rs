//! What applications do with redis-py, one file per pattern, each against redis-server, shoal with one core and shoal with three.
//!
//! The programs know nothing of the server they talk to: what passes on redis-server is what a client may rely on. A scenario that a server cannot play says
//! so in a line `SKIPPED`, and [`SKIPS`] says who may. `every_program_has_its_tests` keeps a new file from being forgotten.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use support::python;
use support::server::Plan;

/// Program, scenario, reason: what redis-server 7.0 need not play. shoal plays everything.
const SKIPS: &[(&str, &str, &str)] = &[("hashes", "field expiry", "unknown command HPEXPIRE")];

fn play(program: &str, plan: Plan) {
    let allowed: BTreeSet<String> = SKIPS
        .iter()
        .filter(|(known, ..)| plan.is_redis() && *known == program)
        .map(|(_, scenario, reason)| format!("SKIPPED {scenario}: {reason}"))
        .collect();
    let mut server = plan.start();
    let text = python::run(&format!("clients/{program}.py"), &[server.port.to_string()]);
    println!("{text}");
    let skipped: BTreeSet<String> =
        text.lines().filter(|line| line.starts_with("SKIPPED ")).map(str::to_owned).collect();
    assert!(skipped.is_subset(&allowed), "{program}: {skipped:?}, allowed {allowed:?}");
    assert!(text.trim_end().ends_with("done"), "{program} did not come to its end:\n{text}");
    server.assert_healthy();
}

macro_rules! programs {
    ($($program:ident),* $(,)?) => {
        const PROGRAMS: &[&str] = &[$(stringify!($program)),*];
        $(mod $program {
            use super::*;

            #[test]
            fn on_redis() {
                play(stringify!($program), Plan::redis());
            }

            #[test]
            fn on_one_core() {
                play(stringify!($program), Plan::shoal(1));
            }

            #[test]
            fn on_three_cores() {
                play(stringify!($program), Plan::shoal(3));
            }
        })*
    };
}

programs!(
    acl,
    bitfields,
    caching,
    geo,
    hashes,
    leaderboards,
    locks,
    pipelines,
    pool,
    pubsub,
    queues,
    scripts,
    streams,
    transactions,
);

#[test]
fn every_program_has_its_tests() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let found: BTreeSet<String> = names
        .filter_map(|name| name.to_str()?.strip_suffix(".py").map(str::to_owned))
        .filter(|name| name != "app")
        .collect();
    assert_eq!(found, PROGRAMS.iter().map(|name| (*name).to_owned()).collect());
}
