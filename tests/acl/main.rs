//! Access control against a real redis-server: every command without its right, and users in files.
//!
//! [`refusals`] tries every command of [`table`] as a user without the command, its keys or its channels, in a [`world`] that shows any effect; [`files`] starts, saves, loads and
//! rewrites. Rules and texts: tests/commands/acl.txt; random rules: tests/differential/acl.rs; redis-py: tests/clients/acl.py.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod files;
mod refusals;
mod table;
mod world;
