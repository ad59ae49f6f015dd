//! What every integration test stands on: server processes, a raw client, a bad network, seeds, coverage.
//!
//! Included by each `tests/<dir>/main.rs` with `#[path = "../support/mod.rs"] mod support;`, so it is compiled
//! into each test binary by itself (nothing here imports the shoal library: the tests judge the process from
//! outside, by its bytes). Every test that needs a real peer gets it from `server::Server::redis`, which fails
//! loudly with the install line when the peer is missing.
#![allow(dead_code, reason = "no test binary uses all of it")]

pub mod annotations;
pub mod checkers;
pub mod client;
pub mod coverage;
pub mod directory;
pub mod newer;
pub mod prng;
pub mod proxy;
pub mod python;
pub mod reply;
pub mod server;
