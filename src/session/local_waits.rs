//! WAITAOF: clients that wait until the append-only file has what they wrote.
//!
//! A wait is a blocked command without keys (`session::blocking`) that [`Core::await_local`] learns of when the session is parked; the turn calls [`Core::place_waits`] behind the seal of its
//! effects and [`Core::serve_waits`] when it begins. Core 0 raises [`super::held_replies::Board::durable`] and wakes cores that have something waiting.
//! Invariant: a client is told 1 only if a recovery after a crash right now finds all it wrote before. Bounds: one entry per client that waits; one that has
//! given up goes when its offset is reached. Why the offset is taken behind the seal: before it nobody knows where in the stream the effects of this turn will lie.

use std::sync::atomic::Ordering;

use super::Session;
use super::blocking::Unblock;
use super::core::Core;
use crate::effect::stream_offset;

/// The waits of a core.
#[derive(Default)]
pub struct LocalWaits {
    /// Parked in this turn: (connection, ticket).
    fresh: Vec<(u32, u64)>,
    /// (offset, connection, ticket).
    placed: Vec<(u64, u32, u64)>,
}

impl LocalWaits {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.placed.is_empty() && self.fresh.is_empty()
    }
}

impl Core {
    /// What a recovery after a crash finds: everything before this stream offset.
    pub(super) fn durable(&self) -> u64 {
        self.shared.board.durable.load(Ordering::Acquire)
    }

    /// Whether the append-only file is known to have all that the session wrote. What it has not been given a place in the stream for is not.
    pub(super) fn has_locally(&self, session: &Session) -> bool {
        self.settings.appendonly && !session.wrote && session.written_to <= self.durable()
    }

    /// A session was parked that waits for the file.
    pub(super) fn await_local(&mut self, index: u32, ticket: u64) {
        self.local_waits.fresh.push((index, ticket));
    }

    /// Gives the waits of this turn their offsets; all effects of the turn are sealed.
    #[inline]
    pub(super) fn place_waits(&mut self) {
        if !self.local_waits.fresh.is_empty() {
            self.place_now();
        }
    }

    fn place_now(&mut self) {
        for (index, ticket) in std::mem::take(&mut self.local_waits.fresh) {
            let Some(session) = self.connections.get_mut(index).and_then(|conn| conn.session.as_deref_mut())
            else {
                continue;
            };
            let Some(blocked) = session.blocked.as_mut().filter(|blocked| blocked.ticket == ticket) else {
                continue;
            };
            let until = if session.wrote { stream_offset() } else { session.written_to };
            blocked.local_to = Some(until);
            if blocked.ends_locally {
                self.local_waits.placed.push((until, index, ticket));
            }
        }
        self.tell_holding();
        self.serve_now();
    }

    /// Ends the waits whose offset is reached.
    #[inline]
    pub(super) fn serve_waits(&mut self) {
        if !self.local_waits.placed.is_empty() {
            self.serve_now();
        }
    }

    fn serve_now(&mut self) {
        let durable = self.durable();
        let how = if self.settings.appendonly { Unblock::Local } else { Unblock::NoFile };
        let mut at = 0;
        while let Some(&(until, index, ticket)) = self.local_waits.placed.get(at) {
            if until <= durable || how == Unblock::NoFile {
                self.local_waits.placed.swap_remove(at);
                self.end_wait(index, ticket, how);
            } else {
                at += 1;
            }
        }
        if self.local_waits.is_empty() {
            self.tell_holding();
        }
    }

    /// Whether a wait can be ended.
    pub(super) fn has_durable_wait(&self) -> bool {
        let waits = &self.local_waits.placed;
        !waits.is_empty() && {
            let durable = self.durable();
            waits.iter().any(|(until, ..)| *until <= durable)
        }
    }
}
