//! Facts of this process that never change after the start: run id, times, paths, versions.
//!
//! Made by `server::boot`, read by INFO and CONFIG REWRITE. Bounds: a few strings.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The version of redis whose behaviour is the contract; clients decide by it.
pub const REDIS_VERSION: &str = "7.2.0";

/// Memory in use when the start was over.
static STARTUP_BYTES: AtomicUsize = AtomicUsize::new(0);
/// The replication id of this process.
static REPLICATION_ID: OnceLock<String> = OnceLock::new();

/// Notes the memory in use when the start is over (`used_memory_startup`).
pub fn note_startup_memory() {
    STARTUP_BYTES.store(crate::base::memory::used(), Ordering::Relaxed);
}

/// Memory in use when the start was over, in bytes.
pub fn startup_bytes() -> usize {
    STARTUP_BYTES.load(Ordering::Relaxed)
}

/// 40 hexadecimal digits: which history of writes this process makes.
pub fn replication_id() -> &'static str {
    REPLICATION_ID.get_or_init(|| {
        let mut bytes = [0; 20];
        crate::base::prng::fill_from_kernel(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    })
}

/// Facts of this process.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    /// Path of the configuration file, empty for none.
    pub config_file: String,
    /// Path of this program.
    pub executable: String,
    /// Internal time of the start.
    pub started_ms: u64,
    /// TCP port.
    pub tcp_port: u16,
}
