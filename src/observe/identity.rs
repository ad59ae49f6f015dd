//! Facts of this process that never change after the start: run id, times, paths, versions.
//!
//! Made by `server::boot`, read by INFO and CONFIG REWRITE. Bounds: a few strings.

/// The version of redis whose behaviour is the contract; clients decide by it.
pub const REDIS_VERSION: &str = "7.2.0";

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
