//! The scenarios, one file each; `ALL` is the list the command line knows.
//!
//! Called by main and options. To add one: a file with a `run`, a row here.

pub mod case;
mod cpu;
mod cpu500;
mod defaults;
mod idle;
mod memory;
mod objects;
mod open;
mod pubsub;
mod stalls;
mod threads;

use crate::options::Scenario;

/// The name of this program.
pub const PROGRAM: &str = "load";
/// What it measures if nothing is asked for.
pub const DEFAULT: &str = "cpu";

/// Every scenario, in the order `all` runs them.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "cpu",
        about: "SET and GET at P1, P16, P64, 50 connections: CPU per request",
        run: cpu::run,
    },
    Scenario {
        name: "cpu500",
        about: "SET and GET at P1, 500 connections: CPU per request",
        run: cpu500::run,
    },
    Scenario {
        name: "defaults",
        about: "redis-benchmark's whole default set at P1 and P16: CPU per request",
        run: defaults::run,
    },
    Scenario {
        name: "open",
        about: "open loop at 70 % of the peer's maximum, P1 and P16: latency",
        run: open::run,
    },
    Scenario {
        name: "threads",
        about: "2 threads beside 1, strict and relaxed, P1 and P16",
        run: threads::run,
    },
    Scenario {
        name: "memory",
        about: "resident bytes per key at 0.6, 1.05 and 1.5 M keys",
        run: memory::run,
    },
    Scenario {
        name: "objects",
        about: "resident bytes per small hash, list, set, zset and stream, 100,000 of each",
        run: objects::run,
    },
    Scenario { name: "idle", about: "resident bytes per idle connection, 10,000 of them", run: idle::run },
    Scenario {
        name: "stalls",
        about: "PING while a huge hash, a huge value, KEYS * are handled",
        run: stalls::run,
    },
    Scenario {
        name: "pubsub",
        about: "10,000 subscribers, 1 KB messages: CPU per delivery",
        run: pubsub::run,
    },
    Scenario {
        name: "case",
        about: "one load of your own: --traffic, --pipeline, --rate ...",
        run: case::run,
    },
];
