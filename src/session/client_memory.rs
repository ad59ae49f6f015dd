//! maxmemory-clients: when the buffers of all clients together grow over the limit, the largest client goes.
//!
//! Upkeep calls [`Core::evict_clients`]; cores publish their sums, and the core with the largest sum closes its largest client, so that two cores
//! do not both close one for the same excess. CLIENT NO-EVICT exempts. Invariant: nothing is measured while there is no limit.
//! Bounds: one pass over the core's connections per call. Why not on the path of a command: as in redis, a client may exceed
//! the limit for a moment.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::client_flag;
use super::commands::client_row;
use super::connection::Connection;
use super::core::Core;
use crate::limits::MAX_CORES;
use crate::observe::log;

/// Bytes of the clients of each core, as last measured.
static CLIENT_BYTES: [AtomicUsize; MAX_CORES] = [const { AtomicUsize::new(0) }; MAX_CORES];

/// Memory of a connection with the session that is at home.
fn bytes_of(conn: &Connection) -> usize {
    client_row::total_bytes(conn, conn.session.as_deref())
}

impl Core {
    /// Closes clients of this core while all clients together hold too much and this core holds most.
    pub fn evict_clients(&mut self) {
        let limit = self.settings.client_memory_limit();
        if limit == 0 {
            return;
        }
        let alive = self.connections.iter().filter(|(_, conn)| !conn.dead);
        let mut sizes: Vec<(usize, u32, bool)> =
            alive.map(|(index, conn)| (bytes_of(conn), index, is_exempt(conn))).collect();
        let mut own: usize = sizes.iter().map(|(bytes, ..)| bytes).sum();
        sizes.sort_unstable();
        let published = |core: usize| CLIENT_BYTES[core].load(Ordering::Relaxed);
        let others: usize = (0..self.cores()).filter(|&core| core != self.id()).map(published).sum();
        let has_most = (0..self.cores()).all(|core| core == self.id() || published(core) <= own);
        while has_most && own + others > limit {
            let Some((bytes, index, exempt)) = sizes.pop() else { break };
            if !exempt {
                own -= bytes;
                self.evict_client(index);
            }
        }
        CLIENT_BYTES[self.id()].store(own, Ordering::Relaxed);
    }

    fn evict_client(&mut self, index: u32) {
        if let Some(conn) = self.connections.get(index) {
            let line =
                format!("Evicting client: id={} addr={} laddr={}", conn.id, conn.ends.peer, conn.ends.local);
            log::notice(&line);
        }
        self.stats.evicted_clients += 1;
        self.kill(index);
    }
}

fn is_exempt(conn: &Connection) -> bool {
    let flags = conn.session.as_ref().map_or(conn.shadow.flags, |session| session.client.flags);
    flags & client_flag::NO_EVICT != 0
}
