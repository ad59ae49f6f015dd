//! Berths: a core's shard, lying where other cores may borrow it while its own core is between turns.
//!
//! Between two turns a core is in the kernel (sending, receiving, sleeping) or off its processor; its shard would lie idle, and a session in need
//! of it would have to travel there, wake that core and come back. So the network task [`Core::offer`]s the shard when a turn is over and
//! [`Core::recall`]s it before the next; `run` borrows it meanwhile ([`Core::borrow`]), executes in place, and gives it back ([`Core::give_back`])
//! when the session has gone as far as it can. What is not free is travelled to, as ever. One word per core says where its shard is:
//! ```text
//!        offer                    borrow                    give_back
//! HOME ---------> the shard's address ---------> AWAY -----------------> the shard's address
//!   ^---------------- recall ------|               |-- recall --> HOME; the borrower's give_back sees it and sends the shard by message
//! ```
//! Invariant: a shard is reachable from exactly one thread: whoever exchanged its address for another word owns it. A borrower holds it only while
//! it runs one session (or as part of a transaction's set), its log sealed before it goes back. Bounds: never waited for; two atomic operations per
//! turn and per borrowing. Why this besides hops: on a machine with few cores every hop costs a wake-up; figures in README.

use std::sync::atomic::{AtomicPtr, Ordering};

use super::Session;
use super::core::{Core, Message};
use crate::base::ticks;
use crate::shard::Shard;
use crate::shard::execute::seal;

/// The owner has its shard, wants it back, or has lent it by message.
const HOME: *mut Shard = std::ptr::null_mut();
/// A borrower has it, and its owner does not mind yet. Never a shard's address: those are aligned.
const AWAY: *mut Shard = std::ptr::without_provenance_mut(1);

/// How long an owner looks whether a borrower is about to be done, in microseconds: less than the two messages and the wake-up that it saves.
const PATIENCE_US: u64 = 5;

/// Where one core's shard is; on cache lines of its own.
#[repr(align(128))]
pub struct Berth(AtomicPtr<Shard>);

impl Default for Berth {
    fn default() -> Self {
        Self(AtomicPtr::new(HOME))
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        let left = *self.0.get_mut();
        if left != HOME && left != AWAY {
            // SAFETY: an address in the word is an owned box (module invariant); nobody else can see the word any more.
            drop(unsafe { Box::from_raw(left) });
        }
    }
}

impl Berth {
    fn offer(&self, shard: Box<Shard>) {
        self.0.store(Box::into_raw(shard), Ordering::Release);
    }

    /// Takes the shard back; `None` if a borrower has it, who will send it.
    fn recall(&self) -> Option<Box<Shard>> {
        let began = ticks::now();
        while self.0.load(Ordering::Relaxed) == AWAY
            && ticks::now().wrapping_sub(began) < PATIENCE_US * ticks::per_us()
        {
            std::hint::spin_loop();
        }
        let found = self.0.swap(HOME, Ordering::Acquire);
        // SAFETY: an address in the word is an owned box; the swap made it ours.
        (found != HOME && found != AWAY).then(|| unsafe { Box::from_raw(found) })
    }

    fn is_offered(&self) -> bool {
        let found = self.0.load(Ordering::Relaxed);
        found != HOME && found != AWAY
    }

    fn borrow(&self) -> Option<Box<Shard>> {
        let found = self.0.load(Ordering::Relaxed);
        if found == HOME || found == AWAY {
            return None;
        }
        self.0.compare_exchange(found, AWAY, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // SAFETY: as in `recall`. (Should the address have been taken and offered again in between, it is still the one in the word.)
        Some(unsafe { Box::from_raw(found) })
    }

    /// Lays a borrowed shard back; returns it if its owner waits for it (or it was lent by message).
    fn give_back(&self, shard: Box<Shard>) -> Option<Box<Shard>> {
        let address = Box::into_raw(shard);
        match self.0.compare_exchange(AWAY, address, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => None,
            // SAFETY: the exchange failed, so the box is still only ours.
            Err(_) => Some(unsafe { Box::from_raw(address) }),
        }
    }
}

impl Core {
    /// The turn is over: until [`Core::recall`] other cores may use the shard.
    pub fn offer(&mut self) {
        if self.cores() > 1
            && self.waiting.is_empty()
            && self.errands.is_empty()
            && let Some(shard) = self.shard.take()
        {
            self.shared.berths[self.id()].offer(shard);
            self.is_offering = true;
        }
    }

    /// Takes the shard back before anything of this core runs; a borrower that has it will send it.
    pub fn recall(&mut self) {
        if std::mem::take(&mut self.is_offering)
            && let Some(shard) = self.shared.berths[self.id()].recall()
        {
            self.take_home(shard);
        }
    }

    /// Core `owner`'s shard, if it lies in its berth. What this core's own shard has staged is published first: the borrowed log is sealed before the
    /// turn ends, and a client's earlier effects must not stand behind its later ones.
    pub fn borrow(&mut self, owner: usize) -> Option<Box<Shard>> {
        self.seal_own();
        let shard = self.shared.berths[owner].borrow()?;
        self.stats.borrows += 1;
        Some(shard)
    }

    /// Makes `owner`'s shard the guest of the session at hand, if it can be borrowed.
    pub fn host(&mut self, owner: usize, session: &Session) -> bool {
        if self.guest.as_ref().is_some_and(|guest| guest.core == owner) {
            self.seal_own();
            return true;
        }
        self.dismiss_guest();
        let Some(shard) = self.borrow(owner) else { return false };
        session.plan.fetch_own(&shard.space, session.client.db, &self.map, owner);
        self.guest = Some(shard);
        true
    }

    /// Publishes what the own shard has staged, before the guest's log takes more.
    #[inline]
    fn seal_own(&mut self) {
        if let Some(own) = self.shard.as_deref_mut() {
            seal(own);
        }
    }

    /// Publishes what the guest has staged, before the own shard's log takes more.
    #[inline]
    pub fn seal_guest(&mut self) {
        if let Some(guest) = self.guest.as_deref_mut() {
            seal(guest);
        }
    }

    /// The session at hand needs the guest no longer.
    pub fn dismiss_guest(&mut self) {
        if let Some(guest) = self.guest.take() {
            self.give_back(guest);
        }
    }

    /// Whether `owner`'s shard seems free to be borrowed.
    pub fn is_offered(&self, owner: usize) -> bool {
        self.shared.berths[owner].is_offered()
    }

    /// Sends a shard that this core has used to where it belongs: its log is published first.
    pub fn give_back(&mut self, mut shard: Box<Shard>) {
        seal(&mut shard);
        if shard.core == self.id() {
            return self.take_home(shard);
        }
        let owner = shard.core;
        if std::mem::take(&mut self.has_events_out) {
            // The next command on the shard may run on another core: its events must not overtake these.
            self.flush_mesh();
        }
        if let Some(shard) = self.shared.berths[owner].give_back(shard) {
            self.mesh.send(owner, Message::Shard(shard));
        }
    }
}
