//! Layer 1: the executor of a core, its io_uring socket ring, the mesh between cores, limits of the process.
//!
//! Called by `session` (the core's turn) and `server` (boot); calls only `base` and the kernel. Nothing here
//! knows commands or keys. The invariant of the room: everything belongs to one thread, except the mesh, whose
//! rings have exactly one producer and one consumer each.

pub mod executor;
pub mod mesh;
pub mod process;
pub mod ring;
pub mod watchdog;
