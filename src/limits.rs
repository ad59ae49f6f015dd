//! Every bound in one place, asserted against each other at compile time.
//!
//! Read by all rooms; calls nobody. Numbers that users may set are config directives, not limits.

/// Submission entries of a core's socket ring.
pub const RING_SQ: u32 = 1024;
/// Completion entries of a core's socket ring.
pub const RING_CQ: u32 = 16384;
/// Provided receive buffers per core (a power of two): what one visit to the kernel can bring, so about 0.3 ms of copying at most.
pub const RECV_BUFFERS: u16 = 64;
/// Bytes of one provided receive buffer.
pub const RECV_BUFFER_SIZE: u32 = 16 * 1024;
/// Messages in flight from one core to another (a power of two).
pub const MESH_RING: usize = 1024;
/// Most cores one process runs.
pub const MAX_CORES: usize = 64;
/// A core sleeps at most this long in its ring before it looks at timers, in microseconds. Longer than the kernel's tick (4 ms as a rule): an earlier end would
/// have the clock's hardware set anew for every sleep, 5 % of a pipelined GET where that leaves a virtual machine.
pub const IDLE_WAIT_US: u64 = 10_000;
/// The same while upkeep has work left: a step, this pause, the next step. A quarter of an idle core frees a million elements in a second or two.
pub const BUSY_WAIT_US: u64 = 250;
/// The executor gets the core after this much network work, in microseconds.
pub const TURN_SLICE_US: u64 = 1000;

const _: () = assert!(RECV_BUFFERS.is_power_of_two() && MESH_RING.is_power_of_two());
const _: () = assert!(RING_CQ >= 4 * RING_SQ);
