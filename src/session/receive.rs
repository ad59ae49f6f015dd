//! Bytes in: the multishot receive of a connection, and receiving a large argument where it will stay.
//!
//! `session::core` calls it for receive completions. Ordinary input comes in provided buffers and is parsed where it lies. While a large argument is
//! on its way (at least [`DIRECT_MIN`] missing) the multishot receive is cancelled and the kernel writes straight into the argument's own buffer, slice by slice:
//! ```text
//! Off --large argument--> Cancelling --multishot has ended--> Ready --turn's quota--> Busy --filled--> Off (multishot armed again)
//! ```
//! What the multishot had received before its end is parsed as always; if that completes the argument, the multishot is simply armed again.
//! While a session is away and [`INBOUND_MAX`] bytes wait for it, nothing is received either (`Paused`): the client waits, not our memory.
//!
//! Invariant: while `Busy` the session is at home in its connection and nothing reads or runs for it, so the buffer neither moves nor dies; the connection is freed only
//! after the completion. Bounds: one slice per connection and turn. Why slices: a submit copies what is there at once, and fresh pages cost a fault each.

use std::collections::VecDeque;

use super::connection::Connection;
use super::core::Core;
use super::{client_limits, run};
use crate::runtime::ring::Completion;

/// Fewer missing bytes are not worth leaving the multishot receive.
const DIRECT_MIN: usize = 256 * 1024;
/// More input than this waits in the socket, not here, while the session is away, in bytes.
const INBOUND_MAX: usize = 64 * 1024;
/// Bytes of one piece of it.
const INBOUND_PIECE: usize = 64 * 1024;
/// Bytes received by one operation: about 100 µs of copying and page faults.
const DIRECT_SLICE: usize = 128 * 1024;

/// Input that waits for its session, in pieces of bounded size: what is left of a piece when the session's share of the turn is over is copied once more.
#[derive(Default)]
pub struct Inbound {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Inbound {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Adds received bytes.
    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        match self.pieces.back_mut().filter(|piece| piece.len() + bytes.len() <= INBOUND_PIECE) {
            Some(piece) => piece.extend_from_slice(bytes),
            None => self.pieces.push_back(bytes.to_vec()),
        }
    }

    /// Takes the oldest piece; empty if nothing waits.
    pub fn take_piece(&mut self) -> Vec<u8> {
        let piece = self.pieces.pop_front().unwrap_or_default();
        self.bytes -= piece.len();
        if self.bytes == 0 {
            self.pieces = VecDeque::new();
        }
        piece
    }
}

/// How a connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direct {
    /// By multishot, into provided buffers.
    Off,
    /// The multishot receive is being cancelled.
    Cancelling,
    /// Nothing is received: much input waits for the session to come home.
    Paused,
    /// The next slice is to be received into the large argument.
    Ready,
    /// The kernel owns the rest of the large argument's buffer.
    Busy,
}

impl Connection {
    /// Bytes of a large argument still missing, if the session is at home.
    fn missing_bytes(&mut self) -> usize {
        let session = self.session.as_mut();
        session.and_then(|session| session.reader.big_room()).map_or(0, |room| room.len())
    }
}

impl Core {
    /// A multishot receive completed.
    pub fn received(&mut self, completion: Completion) {
        let (index, home) = (completion.token.index, self.id());
        let known =
            self.connections.get_mut(index).filter(|conn| conn.generation == completion.token.generation);
        let Some(conn) = known else {
            if let Some(buffer) = completion.buffer {
                self.ring.recycle(buffer);
            }
            return;
        };
        conn.recv_armed = completion.more;
        if let Some(buffer) = completion.buffer {
            let (data, len) = self.ring.buffer(buffer, completion.result.max(0) as usize);
            // SAFETY: the buffer is ours from its completion to `recycle` below; `run` copies what it keeps.
            let bytes = unsafe { std::slice::from_raw_parts(data, len) };
            if len > 0 && !conn.dead {
                conn.active_ms = self.now_ms;
                self.stats.net_input_bytes += len as u64;
                self.stats.reads += 1;
                match conn.take_session(home, index) {
                    Some(session) => run::run(self, session, bytes),
                    None => self.keep_inbound(index, bytes),
                }
            }
            self.ring.recycle(buffer);
        }
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.generation == completion.token.generation && !conn.recv_armed {
            self.receive_ended(index, completion.result);
        }
    }

    /// Bytes for a session that is away.
    fn keep_inbound(&mut self, index: u32, bytes: &[u8]) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        conn.inbound.push(bytes);
        let held = conn.inbound.len();
        if held > INBOUND_MAX && conn.direct == Direct::Off && conn.recv_armed {
            conn.direct = Direct::Cancelling;
            self.ring.cancel_recv(index, conn.generation);
        }
        self.note_memory(index);
        self.check_query_limit(index, held);
    }

    /// client-query-buffer-limit, for `held` bytes of unexecuted input.
    fn check_query_limit(&mut self, index: u32, held: usize) {
        if held > self.settings.client_query_buffer_limit {
            self.stats.query_buffer_limit_disconnections += 1;
            client_limits::log_client(
                self,
                index,
                "Closing client that reached max query buffer length: ",
                "",
            );
            self.kill(index);
        }
    }

    /// A receive operation has ended with `result`: the next one, or the end of the connection.
    fn receive_ended(&mut self, index: u32, result: i32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.dead {
            return self.reap_connection(index);
        }
        match result {
            0 => {
                // What was asked before the end is still answered.
                conn.direct = Direct::Off;
                conn.closing = true;
                self.mark_dirty(index);
            }
            1.. => self.receive_more(index),
            _ => match -result {
                libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN => self.receive_more(index),
                _ => {
                    conn.direct = Direct::Off;
                    conn.dead = true;
                    self.reap_connection(index);
                }
            },
        }
    }

    /// Arms the receive that fits what is expected. None is armed now.
    fn receive_more(&mut self, index: u32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.missing_bytes() >= DIRECT_MIN {
            conn.direct = Direct::Ready;
            return self.mark_dirty(index);
        }
        if conn.inbound.len() > INBOUND_MAX {
            conn.direct = Direct::Paused;
            return;
        }
        conn.direct = Direct::Off;
        conn.recv_armed = true;
        self.ring.recv(conn.fd, index, conn.generation);
    }

    /// The session came to rest at home, its input used up: a paused receive goes on; if much of a large argument is missing, the multishot receive makes way.
    #[inline]
    pub fn consider_direct(&mut self, index: u32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.direct == Direct::Paused {
            return self.receive_more(index);
        }
        // A receive that has just ended is followed up by `receive_ended`.
        if conn.direct == Direct::Off && conn.recv_armed && conn.missing_bytes() >= DIRECT_MIN {
            conn.direct = Direct::Cancelling;
            self.ring.cancel_recv(index, conn.generation);
        }
    }

    /// Starts the next slice of a connection that is `Ready`; returns its size.
    pub fn start_direct(&mut self, index: u32) -> usize {
        let Some(conn) = self.connections.get_mut(index) else { return 0 };
        if conn.direct != Direct::Ready || conn.dead {
            return 0;
        }
        let session = conn.session.as_mut();
        let Some(room) = session.and_then(|session| session.reader.big_room()) else {
            self.receive_more(index);
            return 0;
        };
        let (data, len) = (room.as_mut_ptr().cast::<u8>(), room.len().min(DIRECT_SLICE));
        conn.direct = Direct::Busy;
        // SAFETY: the buffer has its final capacity; its session stays in `conn.session` while `Busy` (no receive is armed that could start it), and the
        // connection is not freed before the completion (`in_flight`). Nobody else touches the spare capacity.
        unsafe { self.ring.recv_into(conn.fd, data, len as u32, index, conn.generation) };
        len
    }

    /// A slice of a large argument has arrived.
    pub fn received_into(&mut self, completion: Completion) {
        let index = completion.token.index;
        let known =
            self.connections.get_mut(index).filter(|conn| conn.generation == completion.token.generation);
        let Some(conn) = known else { return };
        conn.direct = Direct::Off;
        let Some(count) = usize::try_from(completion.result).ok().filter(|&count| count > 0 && !conn.dead)
        else {
            return self.receive_ended(index, completion.result);
        };
        conn.active_ms = self.now_ms;
        self.stats.net_input_bytes += count as u64;
        self.stats.reads += 1;
        let Some(session) = conn.session.as_mut() else {
            unreachable!("a session stays while its buffer is lent")
        };
        // SAFETY: the kernel has written `count` bytes to the room that `start_direct` took from this reader.
        unsafe { session.reader.big_filled(count) };
        let (held, missing) = (session.reader.len(), conn.missing_bytes());
        if missing > 0 {
            conn.direct = Direct::Ready;
            self.mark_dirty(index);
        } else {
            self.receive_more(index);
        }
        self.check_query_limit(index, held);
    }
}
