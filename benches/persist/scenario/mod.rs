//! The scenarios, one file each; `ALL` is the list the command line knows.
//!
//! Called by program and options. To add one: a file with a `run`, a row here.

mod always;
#[path = "../../load/scenario/case.rs"]
pub mod case;
mod everysec;
mod latency;
mod load;
mod rewrite;
mod save;

use crate::options::Scenario;

/// The name of this program.
pub const PROGRAM: &str = "persist";
/// What it measures if nothing is asked for.
pub const DEFAULT: &str = "save";

/// Every scenario, in the order `all` runs them.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "save",
        about: "SAVE and BGSAVE of 1 M keys x 100 bytes: wall and CPU time",
        run: save::run,
    },
    Scenario {
        name: "load",
        about: "start with these files (RDB, AOF) until the first PONG",
        run: load::run,
    },
    Scenario { name: "rewrite", about: "BGREWRITEAOF of 1 M keys x 100 bytes", run: rewrite::run },
    Scenario {
        name: "latency",
        about: "50 clients write at 70 % of the peer's maximum while 2 GB are saved: latency over time, memory",
        run: latency::run,
    },
    Scenario {
        name: "everysec",
        about: "SET at P16 with appendfsync everysec: CPU per request",
        run: everysec::run,
    },
    Scenario {
        name: "always",
        about: "SET at P1, 50 clients, with appendfsync always: throughput",
        run: always::run,
    },
    Scenario {
        name: "case",
        about: "one load of your own: --traffic, --pipeline, --rate ...",
        run: case::run,
    },
];
