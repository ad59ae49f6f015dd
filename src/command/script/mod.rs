//! Lua scripts and functions: everything that needs no core.
//!
//! ```text
//! session::script ──> engine (interpreters of this thread) ──> state, stack (the door to C)
//!   implements          │ sandbox: what a script sees ── api (redis.*), cjson, cmsgpack, struct, bit, random
//!   running::Host <──── running: the script under execution     reply: RESP <-> Lua
//!                       room: scripts and libraries of the process;  library, shebang, analysis, payload
//! ```
//! A script is never propagated: its commands go through `shard::execute` like all others and leave as effects of one unit.

pub mod analysis;
pub mod api;
mod bits;
mod cjson;
mod cmsgpack;
pub mod engine;
pub mod function;
pub mod library;
mod lua_struct;
pub mod payload;
mod random;
pub mod reply;
pub mod room;
pub mod running;
mod sandbox;
pub mod shebang;
mod stack;
mod state;
mod tokens;
