//! Bytes out: one send per connection in flight, large replies in slices, a bounded amount per turn.
//!
//! `Core::end_turn` calls [`Core::flush_connections`], `session::core` [`Core::sent`]. What sessions and publishers wrote meanwhile follows in the next send;
//! attached values and published messages leave from where they lie. Invariant: `sending` is not touched while a send of it is in flight. Bounds: [`TURN_BYTES`] handed
//! to the kernel per turn, [`SEND_SLICE`] per send. Why bounds: the kernel copies what fits the socket within the submit: a gigabyte would stop the core for 0.3 s.

use super::core::Core;
use super::push_queue::PushQueue;
use super::receive::Direct;
use super::trace;
use crate::effect::stream_offset;
use crate::runtime::ring::{Completion, Ring};

/// Most bytes of one send.
const SEND_SLICE: usize = 128 * 1024;
/// What one turn hands to the kernel, in bytes; the rest goes with the next turn.
const TURN_BYTES: usize = 512 * 1024;
/// What a small send costs beside its bytes, as if it were so many bytes more.
const SEND_COST: usize = 12 * 1024;

impl Core {
    /// Starts the sends (and the receives into large arguments) of this turn.
    pub fn flush_connections(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        if self.stop.is_silent() {
            // All are marked again if the core is to speak.
            for index in dirty.drain(..) {
                self.connections.get_mut(index).into_iter().for_each(|conn| conn.is_dirty = false);
            }
            self.dirty = dirty;
            return;
        }
        let (mut at, mut quota) = (0, TURN_BYTES);
        while at < dirty.len() && quota > 0 {
            let index = dirty[at];
            at += 1;
            if let Some(&ahead) = dirty.get(at + 5) {
                self.connections.prefetch(ahead);
            }
            if let Some(ahead) = dirty.get(at + 2).and_then(|&ahead| self.connections.get(ahead)) {
                ahead.prefetch_output();
            }
            let Some(conn) = self.connections.get_mut(index) else { continue };
            conn.is_dirty = false;
            if conn.direct == Direct::Ready {
                quota = quota.saturating_sub(self.start_direct(index));
            }
            quota = quota.saturating_sub(self.start_send(index));
        }
        dirty.drain(..at);
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    /// Starts the next send of a connection; returns its cost.
    fn start_send(&mut self, index: u32) -> usize {
        if self.is_over_output_limit(index) {
            self.kill_slow_reader(index);
            return 0;
        }
        let Some(conn) = self.connections.get_mut(index) else { return 0 };
        if conn.send_busy || conn.dead || self.holds_back(index) {
            return 0;
        }
        let Some(conn) = self.connections.get_mut(index) else { return 0 };
        if conn.sending.is_empty() {
            let replies_wait = conn.session.as_ref().is_some_and(|session| !session.out.is_empty());
            if conn.pushes.is_next(replies_wait) {
                conn.send_busy = true;
                let (ring, token) = (&mut self.ring, (conn.fd, index, conn.generation));
                // SAFETY: the queue keeps what is in flight, and the slot outlives the operation.
                let len = unsafe { send_pushes(ring, token, &mut conn.pushes) };
                trace::sends(conn.id, len);
                return len + SEND_COST;
            }
            if let Some(session) = &mut conn.session {
                if std::mem::take(&mut session.wrote) {
                    session.written_to = stream_offset();
                }
                std::mem::swap(&mut conn.sending, &mut session.out);
                session.out.set_proto(conn.sending.proto());
                conn.pushes.yield_turn();
            }
            conn.sent = (0, 0);
        }
        let Some(segment) = conn.sending.segment(conn.sent.0) else {
            conn.sending.clear();
            conn.sending.release();
            if conn.closing && conn.is_home() {
                self.kill(index);
            }
            return 0;
        };
        let rest = &segment[conn.sent.1..];
        let (data, len) = (rest.as_ptr(), rest.len().min(SEND_SLICE));
        conn.send_busy = true;
        trace::sends(conn.id, len);
        // SAFETY: `sending` is not touched while `send_busy`, and the slot outlives the operation.
        unsafe { self.ring.send(conn.fd, data, len as u32, index, conn.generation) };
        len + SEND_COST
    }

    /// A send completed: the rest follows, or what was written meanwhile.
    pub fn sent(&mut self, completion: Completion) {
        let index = completion.token.index;
        let known =
            self.connections.get_mut(index).filter(|conn| conn.generation == completion.token.generation);
        let Some(conn) = known else { return };
        conn.send_busy = false;
        if completion.result < 0 {
            conn.dead = true;
            return self.reap_connection(index);
        }
        self.stats.net_output_bytes += completion.result as u64;
        self.stats.writes += 1;
        if conn.pushes.is_in_flight() {
            return self.pushes_sent(index, completion.result as usize);
        }
        let (segment, done) = conn.sent;
        let done = done + completion.result as usize;
        let whole = conn.sending.segment(segment).map_or(0, <[u8]>::len);
        conn.sent = if done >= whole { (segment + 1, 0) } else { (segment, done) };
        if conn.sending.segment(conn.sent.0).is_none() {
            conn.sending.clear();
            conn.soft_limit_since_ms = 0;
            if conn.session.as_ref().is_some_and(|session| session.out.is_empty()) {
                conn.sending.release();
            }
        }
        if conn.dead {
            return self.reap_connection(index);
        }
        let more = !conn.sending.is_empty() || conn.closing || conn.output_bytes() > 0;
        self.note_memory(index);
        if more {
            self.mark_dirty(index);
        }
    }

    /// A send of messages completed: the rest follows, or replies that came meanwhile.
    fn pushes_sent(&mut self, index: u32, count: usize) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        conn.pushes.finish(count);
        if conn.dead {
            return self.reap_connection(index);
        }
        let more = conn.closing || conn.output_bytes() > 0;
        if !more {
            conn.soft_limit_since_ms = 0;
        }
        self.note_memory(index);
        if more {
            self.mark_dirty(index);
        }
    }
}

/// Starts a send of queued messages from where they lie; returns its bytes.
///
/// # Safety
/// As for [`Ring::send`], for every message that is in flight then.
unsafe fn send_pushes(
    ring: &mut Ring,
    (fd, index, generation): (i32, u32, u32),
    pushes: &mut PushQueue,
) -> usize {
    let slices = ring.vector();
    let total = pushes.start(SEND_SLICE, |slice| {
        slices.push(libc::iovec { iov_base: slice.as_ptr().cast_mut().cast(), iov_len: slice.len() });
    });
    // SAFETY: the caller's contract.
    unsafe { ring.send_vector(fd, index, generation) };
    total
}
