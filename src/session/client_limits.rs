//! Limits of clients: output buffers, idle time, memory of all clients together.
//!
//! `session::deliver` asks before each send, upkeep sweeps over the connections ([`Core::sweep_clients`]) for those to whom nothing happens, `Core::end_turn` calls
//! [`Core::check_client_memory`]. Invariant: a client over a limit is closed at the latest one sweep later. Bounds: a sweep step looks at [`SWEEP`] slots.
//! Why not a timer per client: ten thousand idle connections would cost memory and wake-ups for nothing.

use std::sync::atomic::Ordering;

use super::connection::Connection;
use super::core::{Core, Message};
use super::{Session, client_flag};
use crate::observe::log;

/// Slots looked at by one step of a sweep.
const SWEEP: u32 = 500;
/// Redis does not count the first buffer of a reply (PROTO_REPLY_CHUNK_BYTES).
const FREE_REPLY_BYTES: usize = 16 * 1024;

impl Connection {
    /// `client_flag` bits, as last seen while the session is away.
    fn flags(&self) -> u32 {
        self.session.as_ref().map_or(self.shadow.flags, |session| session.client.flags)
    }

    /// Memory of the connection with what hangs on it, in bytes.
    pub fn memory(&self) -> usize {
        self.memory_with(self.session.as_deref())
    }

    /// The same while its session is in other hands.
    pub fn memory_with(&self, session: Option<&Session>) -> usize {
        let travelling = session.map_or(0, |session| {
            let multi = session.multi.as_ref().map_or(0, |multi| multi.bytes);
            let subscribed = session.client.subscriptions.as_ref().map_or(0, |names| names.heap_len());
            size_of::<Session>() + session.reader.heap_len() + session.out.heap_len() + multi + subscribed
        });
        size_of::<Self>()
            + self.inbound.len()
            + self.sending.heap_len()
            + self.pushes.len()
            + self.pushes.heap_len()
            + travelling
    }
}

/// Writes a line about a client to the log, in redis' words.
pub fn log_client(core: &Core, index: u32, before: &str, after: &str) {
    let Some(conn) = core.connections.get(index) else { return };
    let flags = conn.flags();
    let age_s = core.now_ms.saturating_sub(conn.created_ms) / 1000;
    let idle_s = core.now_ms.saturating_sub(conn.active_ms) / 1000;
    let line = format!(
        "{before}id={} addr={} laddr={} fd={} age={age_s} idle={idle_s} flags={} obl={} tot-mem={}{after}",
        conn.id,
        conn.ends.peer,
        conn.ends.local,
        conn.fd,
        if flags & client_flag::PUBSUB != 0 { 'P' } else { 'N' },
        conn.output_bytes(),
        conn.memory()
    );
    log::warning(&line);
}

impl Core {
    /// client-output-buffer-limit: whether the reader has fallen too far behind, or for too long.
    pub fn is_over_output_limit(&mut self, index: u32) -> bool {
        let Some(conn) = self.connections.get_mut(index) else { return false };
        let limit = self.settings.output_limit(conn.flags() & client_flag::PUBSUB != 0);
        if conn.dead || (limit.soft_bytes == 0 && limit.hard_bytes == 0) {
            return false;
        }
        let bytes = conn.output_bytes().saturating_sub(FREE_REPLY_BYTES);
        if limit.hard_bytes > 0 && bytes >= limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || bytes < limit.soft_bytes {
            conn.soft_limit_since_ms = 0;
            return false;
        }
        if conn.soft_limit_since_ms == 0 {
            conn.soft_limit_since_ms = self.now_ms;
        }
        self.now_ms.saturating_sub(conn.soft_limit_since_ms) > limit.soft_seconds as u64 * 1000
    }

    /// Closes a client for its output buffer.
    pub fn kill_slow_reader(&mut self, index: u32) {
        self.stats.output_buffer_limit_disconnections += 1;
        log_client(
            self,
            index,
            "Client ",
            " scheduled to be closed ASAP for overcoming of output buffer limits.",
        );
        self.kill(index);
    }

    /// Looks at the next few hundred connections: idle time, output limits, memory.
    pub fn sweep_clients(&mut self) {
        let bound = self.connections.id_bound();
        let timeout_ms = self.settings.timeout_s as u64 * 1000;
        for _ in 0..SWEEP.min(bound) {
            let index = self.swept;
            self.swept = if index + 1 >= bound { 0 } else { index + 1 };
            let Some(conn) = self.connections.get(index).filter(|conn| !conn.dead) else { continue };
            if timeout_ms > 0 && self.now_ms.saturating_sub(conn.active_ms) > timeout_ms && is_mortal(conn) {
                log::verbose("Closing idle client");
                self.kill(index);
                continue;
            }
            if conn.output_bytes() > FREE_REPLY_BYTES && self.is_over_output_limit(index) {
                self.kill_slow_reader(index);
                continue;
            }
            self.note_memory(index);
        }
    }

    /// Keeps this core's sum of client memory, if maxmemory-clients wants it.
    #[inline]
    pub fn note_memory(&mut self, index: u32) {
        if self.client_memory_limit > 0 {
            self.count_memory(index);
        }
    }

    #[cold]
    fn count_memory(&mut self, index: u32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        let bytes = if conn.dead { 0 } else { conn.memory() };
        let before = std::mem::replace(&mut conn.counted_bytes, bytes);
        self.client_bytes = self.client_bytes + bytes - before;
    }

    /// maxmemory-clients: while the clients of all cores together take too much, the largest is closed.
    pub fn check_client_memory(&mut self) {
        let own = self.id();
        if self.clients_take_too_much() && !self.is_hunting {
            self.is_hunting = true;
            self.hunt(Hunt { origin: own, left: self.cores(), bytes: 0, core: own });
        }
    }

    fn publish_client_memory(&self) {
        self.shared.client_bytes[self.id()].store(self.client_bytes, Ordering::Relaxed);
    }

    /// Whether the clients of all cores together are over maxmemory-clients.
    fn clients_take_too_much(&self) -> bool {
        self.publish_client_memory();
        let sums = &self.shared.client_bytes[..self.cores()];
        let sum: usize = sums.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum();
        self.client_memory_limit > 0 && sum > self.client_memory_limit
    }

    /// One core's part in the search for the largest client; the last one has it closed.
    #[cold]
    fn hunt(&mut self, mut hunt: Hunt) {
        let own = self.id();
        let largest = self.largest_client().map_or(0, |(bytes, _)| bytes);
        if largest > hunt.bytes {
            (hunt.bytes, hunt.core) = (largest, own);
        }
        hunt.left -= 1;
        if hunt.left > 0 {
            let next = (own + 1) % self.cores();
            return self.mesh.send(next, Message::Call(Box::new(move |core| core.hunt(hunt))));
        }
        if hunt.bytes == 0 {
            return; // nobody may be closed; upkeep lets the origin look again
        }
        self.call_on(hunt.core, move |core| {
            // Another core's search may have made room meanwhile, or have closed the one that was found: who is largest
            // here now may be small beside those of other cores. Then nobody is closed, and the origin looks again.
            let victim = core.largest_client().filter(|(bytes, _)| bytes.saturating_mul(2) >= hunt.bytes);
            if let Some((_, index)) = victim.filter(|_| core.clients_take_too_much()) {
                log_client(core, index, "Evicting client: ", "");
                core.stats.evicted_clients += 1;
                core.kill(index);
                core.note_memory(index);
            }
            core.publish_client_memory();
            // The origin judges anew at the end of its next turn (the dying connection makes one): no recursion per victim.
            core.call_on(hunt.origin, |origin| origin.is_hunting = false);
        });
    }

    /// Runs `call` on a core: here at once, elsewhere by message.
    pub fn call_on(&mut self, core: usize, call: impl FnOnce(&mut Core) + Send + 'static) {
        match core == self.id() {
            true => call(self),
            false => self.mesh.send(core, Message::Call(Box::new(call))),
        }
    }

    /// The client with the most memory that may be evicted.
    fn largest_client(&self) -> Option<(usize, u32)> {
        let may = |conn: &Connection| !conn.dead && conn.flags() & client_flag::NO_EVICT == 0;
        let all = self.connections.iter().filter(|(_, conn)| may(conn));
        all.map(|(index, conn)| (conn.counted_bytes, index)).max()
    }
}

/// The search for the largest client of all cores.
#[derive(Clone, Copy)]
struct Hunt {
    origin: usize,
    /// Cores not asked yet.
    left: usize,
    /// The largest so far, and where it is.
    bytes: usize,
    core: usize,
}

/// Whether `timeout` applies: not to subscribers and monitors, and not while a command is at work.
fn is_mortal(conn: &Connection) -> bool {
    let exempt = client_flag::PUBSUB | client_flag::MONITOR | client_flag::BLOCKED;
    conn.is_home() && conn.flags() & exempt == 0
}
