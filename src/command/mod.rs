//! Layer 4: commands: one row each, the handler's view, every error text, one room per family.
//!
//! `shard::execute` calls handlers; `session` looks commands up. See `row` for the columns, `cx` for what a handler sees.
//! Invariant: a handler does no I/O and sends no message.

pub mod arguments;
pub mod bitmap;
pub mod cx;
pub mod describe;
pub mod hash;
pub mod hyperloglog;
pub mod keys;
pub mod keyspec;
pub mod lookup;
pub mod reply_error;
pub mod row;
pub mod rows;
pub mod set;
pub mod string;
#[cfg(test)]
mod tests;

pub use cx::{Cx, Event, Outcome, SlotMap, Spaces, notify};
