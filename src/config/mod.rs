//! Configuration: one table of directives, and everything derived from it.
//!
//! ```text
//! schema (rows per area) -> value, compound, check (one value) -> store (all values: CONFIG GET, SET)
//!   -> words, file, cmdline (reading)   -> rewrite (CONFIG REWRITE)   -> help (--help, listing)   -> settings (hot fields)
//! ```
//! `main` calls [`cmdline`]; the CONFIG commands call [`Config::get`], [`Config::set`] and [`rewrite`]; every core holds an
//! `Arc<Config>` and the [`Settings`] made from it. Layer 1: uses only `base`. Contract: names, defaults, ranges and texts of
//! Redis 7.0.15, and the directives that 7.2 added. Bounds: see the files.
pub mod check;
pub mod cmdline;
pub mod compound;
pub mod file;
pub mod help;
pub mod rewrite;
pub mod schema;
pub mod settings;
pub mod store;
pub mod value;
pub mod words;

pub use compound::{OutputLimit, SavePoint};
pub use file::FileError;
pub use settings::{ClientMemory, EvictionPolicy, FsyncPolicy, PipelineOrder, Settings, ShutdownFlags};
pub use store::{Config, Rename, SetBy, SetError, UserLine, system_text};

#[cfg(test)]
mod tests;
