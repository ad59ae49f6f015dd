//! RDB files in this process: those of other servers and versions, and ours in other servers.
//!
//! `fixtures`: every file of tests/fixtures/rdb gives its digest or is refused, as index.json says (`RDB_FIXTURES` names another such directory). `types`: every type byte built by
//! hand. `damage`: every changed byte of these. `peers`: what we write, judged by redis (`SEED` or its list of seeds).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod damage;
mod fixtures;
mod loading;
mod peers;
#[path = "../support/mod.rs"]
mod support;
mod types;
