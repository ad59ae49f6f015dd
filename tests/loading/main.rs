//! Loading at start and stopping, beside redis-server: what clients are told meanwhile, what the log says, what is refused, how the process ends.
//!
//! Every case is played on a real redis-server and on shoal with one core and with three; what the two may differ in is named where it is compared. Files are those of
//! redis-server, of `tests/fixtures/rdb`, or bytes described in the case.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod append_only;
mod gate;
mod node;
mod reload;
mod snapshots;
mod stop;
