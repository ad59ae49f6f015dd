//! Commands on keys of any type: presence, expiry, names, walks, whole databases.
//!
//! Handlers of the rows in `command::rows::generic` (and DBSIZE, FLUSHALL, SWAPDB of server). Called by `shard::execute`; they call
//! `keyspace` only. Invariant: what changed nothing propagates nothing, as in redis. Bounds: KEYS and the whole-database
//! commands run over every shard and cost what they cost; all others cost their keys.

pub mod database;
pub mod debug;
pub mod expiry;
pub mod names;
pub mod object;
pub mod payload;
pub mod presence;
pub mod scan;
pub mod wait;
