//! shoal: a Redis-compatible in-memory server (map to come).
pub mod acl;
pub mod base;
pub mod command;
pub mod config;
pub mod effect;
pub mod keyspace;
pub mod limits;
pub mod observe;
pub mod rdb;
pub mod resp;
pub mod runtime;
pub mod server;
pub mod session;
pub mod shard;
pub mod types;

/// The allocator of every thread (see `base::memory` for the accounting).
#[global_allocator]
static ALLOCATOR: base::memory::Counting = base::memory::Counting;
