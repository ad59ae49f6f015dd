//! Layer 6: persistence: the append-only file, its manifest, recovery. Plain state machines: messages in, actions out.
//!
//! Nothing here does I/O or reads a clock: file operations are data ([`storage::Op`]) that `session::journal` carries out on the core's ring and
//! `tests` on a simulated disk that forgets, reorders and tears whatever was not synced.
//!
//! - [`manifest`]: redis 7's list of append-only files. [`recover`]: what to load at start, what is rubbish.
//! - [`aof::Journal`]: when what is written, synced, rotated, installed. [`aof::scan`]: a file's bytes as whole units. `effect::Rewriter`: a value as commands.
//!
//! Invariant: what [`aof::Journal::durable`] covers is read back by [`recover`] and [`aof::scan`] after a crash at any instant.
pub mod aof;
pub mod manifest;
pub mod recover;
pub mod storage;
#[cfg(test)]
mod tests;
