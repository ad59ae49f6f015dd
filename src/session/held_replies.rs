//! `appendfsync always`: replies to writes wait until what they tell of is on the disk.
//!
//! `deliver` asks [`Core::holds_back`] before each send, the core's turn calls [`Core::release_held`]; `journal` on core 0 raises [`Board::released`]. A session is marked when a command of it has staged
//! an effect ([`super::Session::wrote`]); the effects are sealed before its replies can be sent, so the stream's end at that moment covers them.
//! ```text
//! session.out (wrote) ──start_send──> conn.sending, conn.held_until = end of stream ──released reaches it──> sent
//!                      what comes meanwhile gathers in session.out: the next piece
//! ```
//! Invariant: no byte of a reply to a write is handed to the kernel before the write is released. Connections that did not write are not held. Bounds: a place in a list per held
//! connection. Why at the send and not at the command: there every way a reply can take comes together, whichever core has executed what.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering, fence};

use super::Session;
use super::core::Core;
use crate::limits::MAX_CORES;

/// What cores know of the append-only file; written by core 0.
pub struct Board {
    /// Replies to writes before this stream offset may leave; the greatest number while nothing waits.
    pub released: AtomicU64,
    /// A recovery after a crash finds everything before this stream offset.
    pub durable: AtomicU64,
    /// Which cores hold something.
    holding: [AtomicBool; MAX_CORES],
    /// Why writes are refused: an errno.
    pub errno: AtomicI32,
    /// The process ends with status 1, after this line.
    pub fatal: OnceLock<String>,
    /// Cores whose turns go on.
    pub running: AtomicUsize,
}

impl Board {
    /// Nothing is held; `cores` begin to run.
    pub fn new(cores: usize) -> Board {
        Board {
            released: AtomicU64::new(u64::MAX),
            durable: AtomicU64::new(0),
            holding: [const { AtomicBool::new(false) }; MAX_CORES],
            errno: AtomicI32::new(0),
            fatal: OnceLock::new(),
            running: AtomicUsize::new(cores),
        }
    }
}

/// A connection that is held.
struct Hold {
    until: u64,
    conn: u32,
    generation: u32,
}

/// The held connections of a core.
#[derive(Default)]
pub struct Holds {
    /// `appendfsync always`.
    pub is_on: bool,
    /// In order of their offsets.
    queue: VecDeque<Hold>,
    /// Core 0 is to be told that something waits.
    asks: bool,
}

impl Core {
    /// Whether a connection's output must wait; then the core is told when it need not any more.
    #[inline]
    pub(super) fn holds_back(&mut self, index: u32) -> bool {
        if !self.holds.is_on && self.holds.queue.is_empty() {
            return false;
        }
        self.must_hold(index)
    }

    fn must_hold(&mut self, index: u32) -> bool {
        let Some(conn) = self.connections.get_mut(index) else { return false };
        let released = self.shared.board.released.load(Ordering::Acquire);
        if let Some(until) = conn.held_until {
            if until > released {
                return true;
            }
            conn.held_until = None;
        }
        if !conn.sending.is_empty() {
            // It was waited for, or is on its way already.
            return false;
        }
        let mut wrote = std::mem::take(&mut conn.wrote);
        let replies_wait = conn.session.as_ref().is_some_and(|session| !session.out.is_empty());
        let sets_aside = !conn.pushes.is_next(replies_wait);
        if let Some(session) = conn.session.as_mut().filter(|_| replies_wait) {
            if std::mem::take(&mut session.wrote) {
                session.written_to = crate::effect::stream_offset();
                wrote = true;
            }
            if wrote && sets_aside {
                std::mem::swap(&mut conn.sending, &mut session.out);
                session.out.set_proto(conn.sending.proto());
                conn.pushes.yield_turn();
                conn.sent = (0, 0);
            }
        }
        let until = crate::effect::stream_offset();
        if !wrote || until <= released {
            return false;
        }
        conn.held_until = Some(until);
        let generation = conn.generation;
        let is_first = self.holds.queue.is_empty();
        self.holds.queue.push_back(Hold { until, conn: index, generation });
        if is_first {
            self.tell_holding();
        }
        self.holds.asks = true;
        true
    }

    /// What the session at hand has written leaves by way of the connection's messages: they are held like replies.
    pub(super) fn note_committed(&mut self, session: &mut Session) {
        if let Some(conn) = self.connections.get_mut(session.conn) {
            conn.wrote |= session.wrote;
        }
    }

    /// Connections that need not wait any more are sent to.
    #[inline]
    pub fn release_held(&mut self) {
        if !self.holds.queue.is_empty() {
            self.release_now();
        }
    }

    fn release_now(&mut self) {
        let released = self.shared.board.released.load(Ordering::Acquire);
        while let Some(hold) = self.holds.queue.pop_front_if(|hold| hold.until <= released) {
            let known = self.connections.get(hold.conn);
            if known.is_some_and(|conn| conn.generation == hold.generation) {
                self.mark_dirty(hold.conn);
            }
        }
        if self.holds.queue.is_empty() {
            self.tell_holding();
        }
    }

    /// Tells core 0 whether somebody here wants to know how far the disk is.
    pub(super) fn tell_holding(&self) {
        let holds = !self.holds.queue.is_empty() || !self.local_waits.is_empty();
        self.shared.board.holding[self.id()].store(holds, Ordering::Relaxed);
    }

    /// Wakes core 0 if something waits for the disk that it may not know of.
    #[inline]
    pub fn ask_for_sync(&mut self) {
        if std::mem::take(&mut self.holds.asks) && self.id() != 0 {
            self.nudge(0);
        }
    }

    /// Whether a held connection could be sent to.
    pub(super) fn has_released(&self) -> bool {
        let first = self.holds.queue.front();
        first.is_some_and(|hold| hold.until <= self.shared.board.released.load(Ordering::Acquire))
            || self.has_durable_wait()
    }

    /// On core 0: more is released, or durable.
    pub(super) fn publish_released(&mut self, released: u64, durable: u64) {
        self.shared.board.durable.store(durable, Ordering::Release);
        self.shared.board.released.store(released, Ordering::Release);
        fence(Ordering::SeqCst);
        for core in 1..self.cores() {
            if self.shared.board.holding[core].load(Ordering::Relaxed) {
                self.nudge(core);
            }
        }
    }

    /// Rings a core's doorbell if it sleeps.
    fn nudge(&mut self, core: usize) {
        let ring = &mut self.ring;
        self.mesh.nudge(core, |fd| ring.ring_doorbell(fd));
    }
}
