//! What is left after the worst: SIGKILL at any instant, a full disk, torn and damaged files, interrupted rewrites.
//!
//! redis-server stands beside in all but the rounds of kill -9: it is asked what it does with the same files. `SEED=`, `ROUNDS` (kills; 200 is the
//! issue's bar), `CUTS` and `FLIPS` (positions tried of a file; 0 is every one). With `SHOAL_SERVER=/usr/bin/redis-server` all must pass.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod damage;
mod full_disk;
mod ledger;
mod leftovers;
mod rounds;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "test-switches")]
mod trace;
mod waits;
