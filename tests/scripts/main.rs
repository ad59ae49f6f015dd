//! Scripts over several cores, and scripts that take too long.
//!
//! [`bank`]: seeded random scripts, with keys declared and undeclared, move money beside transactions; every audit finds the sum right and nobody
//! hangs. `SCRIPT_SECONDS` (5; the full run takes 60), `SEED`. [`busy`]: what other clients are told meanwhile, and how a script is killed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod bank;
mod busy;
