//! Counters of one core: written by it alone, read by visits.
//!
//! Bumped by `session`; shown by INFO, `# Cores`, CONFIG RESETSTAT. Invariant: plain integers, no atomics. Bounds: one
//! [`CommandStats`] per command of the table.

use hdrhistogram::Histogram;

use super::rates::{Counters, Rates};

/// Counters of one command on one core.
#[derive(Default)]
pub struct CommandStats {
    /// Executions.
    pub calls: u64,
    /// Time spent, in clock ticks (`base::clock::ticks`).
    pub ticks: u64,
    /// Refused before execution.
    pub rejected: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Latency in nanoseconds, if latency-tracking is on.
    pub histogram: Option<Box<Histogram<u32>>>,
}

/// Counters of one core.
#[derive(Default)]
pub struct CoreStats {
    /// Commands executed.
    pub commands: u64,
    /// Connections accepted (core 0).
    pub connections_received: u64,
    /// Connections refused.
    pub rejected_connections: u64,
    /// Bytes received from clients.
    pub net_input_bytes: u64,
    /// Bytes sent to clients.
    pub net_output_bytes: u64,
    /// Clients closed for their query buffer.
    pub query_buffer_limit_disconnections: u64,
    /// Clients closed for their output buffer.
    pub output_buffer_limit_disconnections: u64,
    /// Protocol errors.
    pub protocol_errors: u64,
    /// Receives that brought bytes.
    pub reads: u64,
    /// Sends that took bytes.
    pub writes: u64,
    /// Refused passwords.
    pub acl_denied_auth: u64,
    /// Commands refused by ACL.
    pub acl_denied_cmd: u64,
    /// Keys refused by ACL.
    pub acl_denied_key: u64,
    /// Channels refused by ACL.
    pub acl_denied_channel: u64,
    /// Clients closed for maxmemory-clients.
    pub evicted_clients: u64,
    /// Time spent expiring keys in the background, in clock ticks.
    pub expire_ticks: u64,
    /// Per second.
    pub rates: Rates,
    /// Error replies.
    pub error_replies: u64,
    /// Error replies by code.
    pub errors: std::collections::BTreeMap<String, u64>,
    /// Sessions that arrived.
    pub hops_in: u64,
    /// Sessions sent away for a shard.
    pub hops_out: u64,
    /// Shards lent to transactions.
    pub lends: u64,
    /// Shards of other cores borrowed between their turns.
    pub borrows: u64,
    /// The longest time this core did not look for news, in microseconds of its CPU: a turn with the submission of what it caused, or one
    /// step of upkeep.
    pub longest_step_us: u64,
    /// The longest turn without its submission, in microseconds of CPU.
    pub longest_turn_us: u64,
    /// The longest submission (sends and receives the kernel did at once), likewise.
    pub longest_submit_us: u64,
    /// The longest step of upkeep, likewise.
    pub longest_upkeep_us: u64,
    /// The longest command, likewise.
    pub longest_command_us: u64,
    /// Turns that did something.
    pub turns: u64,
    /// Time spent in turns, in clock ticks.
    pub busy_ticks: u64,
    /// Waits that slept.
    pub sleeps: u64,
    /// By command id.
    pub by_command: Vec<CommandStats>,
}

impl CoreStats {
    /// Counters for `commands` commands.
    pub fn new(commands: usize) -> CoreStats {
        CoreStats {
            by_command: (0..commands).map(|_| CommandStats::default()).collect(),
            ..Default::default()
        }
    }

    /// Samples the rates; called by upkeep.
    pub fn sample_rates(&mut self, now_ms: u64) {
        let counters: Counters =
            [self.commands, self.net_input_bytes, self.net_output_bytes, self.turns, self.busy_ticks];
        self.rates.sample(now_ms, counters);
    }

    /// CONFIG RESETSTAT: everything from zero.
    pub fn reset(&mut self) {
        *self = CoreStats::new(self.by_command.len());
    }

    /// Counts a refusal of command `id`.
    pub fn reject(&mut self, id: u16) {
        self.by_command[id as usize].rejected += 1;
    }

    /// Counts an error reply as it was written: `-CODE text`.
    #[cold]
    pub fn count_error_reply(&mut self, reply: &[u8]) {
        let line = reply.strip_prefix(b"-").unwrap_or(reply);
        let code = line.split(|byte| matches!(byte, b' ' | b'\r')).next().unwrap_or_default();
        self.count_error(&String::from_utf8_lossy(&code[..code.len().min(32)]));
    }

    /// Counts an error reply whose text begins with its code.
    pub fn count_error(&mut self, text: &str) {
        self.error_replies += 1;
        let code = text.split(' ').next().unwrap_or("ERR");
        if let Some(count) = self.errors.get_mut(code) {
            *count += 1;
        } else if self.errors.len() < 128 {
            self.errors.insert(code.to_string(), 1);
        }
    }
}
