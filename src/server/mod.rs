//! Layer 8: boot, registry of control commands, wiring, shutdown.
//!
//! `main` calls [`run`]; nothing imports this room. Invariant: every fatal error is one line with its remedy and leaves through
//! [`Fatal`]. Bounds: none.

mod boot;
mod daemon;
mod file_writer;
mod listen;
mod load;
mod load_aof;
mod network;
mod registry;
mod reload;
mod save;
mod signals;
mod spill;

pub use boot::{Fatal, run};
