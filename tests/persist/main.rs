//! Persistence from outside: files that stock servers and checkers take, and what is in them.
//!
//! The judges are redis-server, redis-check-rdb and redis-check-aof. `SEED=`, `PERSIST_SEEDS` or `SEEDS` (per test), `OBJECTS` (keys of a data set), `COMMANDS`
//! (random commands between two saves). With `SHOAL_SERVER=/usr/bin/redis-server` the tests must find no difference.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "the modules of differential/ are used in part")]

mod aof;
#[path = "../differential/control.rs"]
mod control;
mod cut;
mod dataset;
#[path = "../differential/exclusions.rs"]
mod exclusions;
#[path = "../differential/families.rs"]
mod families;
mod fields;
mod layout;
#[path = "../differential/lines.rs"]
mod lines;
mod rdb;
#[cfg(feature = "test-switches")]
mod slow_disk;
mod state;
#[path = "../support/mod.rs"]
mod support;
#[path = "../differential/traffic.rs"]
mod traffic;
mod work;

/// How many seeds a test takes: `PERSIST_SEEDS`, else `SEEDS`, else its own default.
fn seed_count(default: u64) -> u64 {
    use support::prng::env_number;
    env_number("PERSIST_SEEDS", env_number("SEEDS", default))
}
