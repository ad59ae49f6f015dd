//! RDB files in this process: those of other servers and versions, and ours in other servers.
//!
//! `fixtures`: every file of tests/fixtures/rdb gives its digest or is refused, as index.json says (`RDB_FIXTURES` names another such directory).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod fixtures;
mod loading;
