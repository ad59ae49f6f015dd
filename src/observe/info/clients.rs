//! `# Clients`.
//!
//! Written by [`super::write`]. Bounds: none of its own.

use super::{Totals, line};
use crate::session::core::Core;

pub(super) fn clients(core: &Core, totals: &Totals, text: &mut String) {
    let sums = &totals.sums;
    text.push_str("# Clients\r\n");
    line(text, "connected_clients", sums.clients);
    line(text, "cluster_connections", 0);
    line(text, "maxclients", core.settings.maxclients);
    line(text, "client_recent_max_input_buffer", sums.max_query_bytes);
    line(text, "client_recent_max_output_buffer", sums.max_output_bytes);
    line(text, "blocked_clients", sums.blocked_clients);
    line(text, "tracking_clients", sums.tracking_clients);
    line(text, "clients_in_timeout_table", sums.clients_with_deadline);
    line(text, "total_blocking_keys", sums.blocking_keys);
    line(text, "total_blocking_keys_on_nokey", sums.blocking_keys_on_nokey);
}
