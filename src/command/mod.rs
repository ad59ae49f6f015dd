//! Layer 4: commands: one row each, the handler's view, every error text, one room per family.
//!
//! `shard::execute` calls handlers; `session` looks commands up. See `row` for the columns, `cx` for what a handler sees.
//! Invariant: a handler does no I/O and sends no message.

pub mod arguments;
pub mod bitmap;
pub mod blocking;
pub mod cx;
pub mod describe;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod keys;
pub mod keyspec;
pub mod list;
pub mod lookup;
pub mod reply_error;
pub mod row;
pub mod rows;
pub mod script;
pub mod set;
pub mod sort;
pub mod stream;
pub mod string;
#[cfg(test)]
mod tests;
pub mod zset;

pub use blocking::{BlockSpec, OnTimeout};
pub use cx::{Caller, Cx, Event, Outcome, SlotMap, Spaces, notify};
