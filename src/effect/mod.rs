//! Layer 3: effects, their codec and the per-core log.
//!
//! `shard::execute` alone appends here (DESIGN §1.2); replication, persistence, migration and other datacenters only
//! read. An [`Effect`] is one deterministic write as it leaves a shard; [`Staging`] collects the effects of a
//! unit (a command, a transaction) and of a turn in wire form; [`Log`] publishes sealed batches at their
//! position in the process-wide stream; [`Merge`] follows the logs of all cores as one stream by offset; [`Rewriter`] makes the effects
//! that bring a value about.
//!
//! Invariant: a batch leaves the stream in database 0, so batches of any cores may follow each other.
//! Bounds: a log keeps `capacity` bytes beyond what a reader has not released.

mod codec;
mod log;
mod merge;
pub mod rewrite;
mod staging;

pub use codec::{append_command, append_select};
pub use log::{Batch, Cursor, EntryIndex, Log, Reader, stream_offset};
pub use merge::{Merge, gather};
pub use rewrite::Rewriter;
pub use staging::{Effect, Kind, Staging};
