//! `# Replication`: a master without replicas, at the stream's offset.
//!
//! Bounds: none. The backlog is active while somebody reads the logs; its bytes are those the logs hold.

use super::{Totals, line};
use crate::effect::stream_offset;
use crate::observe::identity;
use crate::session::core::Core;

pub(super) fn replication(core: &Core, totals: &Totals, text: &mut String) {
    let (offset, held) = (stream_offset(), totals.sums.log_bytes as u64);
    text.push_str("# Replication\r\n");
    line(text, "role", "master");
    line(text, "connected_slaves", 0);
    line(text, "master_failover_state", "no-failover");
    line(text, "master_replid", identity::replication_id());
    line(text, "master_replid2", "0".repeat(40));
    line(text, "master_repl_offset", offset);
    line(text, "second_repl_offset", -1);
    line(text, "repl_backlog_active", u8::from(held > 0));
    line(text, "repl_backlog_size", core.settings.repl_backlog_size);
    line(text, "repl_backlog_first_byte_offset", if held > 0 { offset.saturating_sub(held) } else { 0 });
    line(text, "repl_backlog_histlen", held);
}
