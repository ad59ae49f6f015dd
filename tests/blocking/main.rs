//! Blocking commands: shoal and redis-server side by side, and shoal alone under fire.
//!
//! - `scenarios`: the situations of scenarios.txt, replies and propagated effects compared to the byte, `threads` 1 and 3.
//! - `lockstep`: seeded random commands of ten clients over a few keys; after each the servers come to rest and are compared
//!   (`BLOCKING_SEEDS`, `BLOCKING_STEPS`, `SEED`).
//! - `stress`: producers, blocked consumers on three cores, kills, time-outs, other poppers, transactions over several cores: no element lost or
//!   doubled, order per key kept, no deadlock, and the effect stream replayed into a redis-server gives the same data (`BLOCKING_SECONDS`, `SEED`).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod lockstep;
#[path = "../effects/replica.rs"]
mod replica;
mod scenarios;
#[path = "../effects/stream.rs"]
mod stream;
mod stress;
#[path = "../support/mod.rs"]
mod support;
mod world;
