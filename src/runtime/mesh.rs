//! The mesh: one bounded single-producer ring per ordered pair of cores, batched, with doorbells only for sleepers.
//!
//! `session::core` pushes messages during a turn and flushes them at its end. The protocol of sleeping
//! is Dekker's: the sleeper publishes `asleep`, fences, and looks at its rings once more; the sender
//! publishes its messages, fences, and looks at `asleep`. One of them sees the other, so no wake-up is lost.
//!
//! Invariant: messages of one pair arrive in order; a message is owned by exactly one core.
//! Bounds: `limits::MESH_RING` messages per pair in flight; what does not fit waits in the sender's outbox,
//! never blocking it (DESIGN §3: no waiting on a full ring).
//! Why not a channel crate: a wake-up there is a syscall per message; here it is one entry on our own ring per batch.

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering, fence};

use crate::limits::MESH_RING;

/// Keeps neighbours off each other's cache lines (two lines: the adjacent-line prefetcher pairs them).
#[repr(align(128))]
struct Padded<T>(T);

/// One direction between two cores.
struct Lane<M> {
    head: Padded<AtomicUsize>,
    tail: Padded<AtomicUsize>,
    cells: Box<[UnsafeCell<MaybeUninit<M>>]>,
}

// SAFETY: one core pushes and one pops (Port hands each side out once); a cell is written before the tail that
// publishes it and read before the head that frees it.
unsafe impl<M: Send> Sync for Lane<M> {}
// SAFETY: the lane owns its messages, which are Send.
unsafe impl<M: Send> Send for Lane<M> {}

impl<M> Lane<M> {
    fn new() -> Lane<M> {
        let cells = (0..MESH_RING).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
        Lane { head: Padded(AtomicUsize::new(0)), tail: Padded(AtomicUsize::new(0)), cells }
    }
}

impl<M> Drop for Lane<M> {
    fn drop(&mut self) {
        let (head, tail) = (*self.head.0.get_mut(), *self.tail.0.get_mut());
        for at in head..tail {
            // SAFETY: cells between head and tail hold messages nobody popped.
            unsafe { (*self.cells[at % MESH_RING].get()).assume_init_drop() };
        }
    }
}

/// What cores see of each other when deciding on a doorbell.
struct Doorplate {
    asleep: Padded<AtomicBool>,
    ring_fd: AtomicI32,
}

/// The shared part: lanes `[from * cores + to]`.
struct Shared<M> {
    cores: usize,
    lanes: Box<[Lane<M>]>,
    doors: Box<[Doorplate]>,
}

/// One core's end of the mesh.
pub struct Port<M> {
    shared: Arc<Shared<M>>,
    core: usize,
    outbox: Box<[VecDeque<M>]>,
    /// Producer side: my tail and the last head seen, per target.
    sent: Box<[(usize, usize)]>,
    /// Consumer side: my head, per source.
    taken: Box<[usize]>,
    queued: usize,
    /// Doorbells rung, for `# Cores`.
    pub doorbells: u64,
    /// Messages sent, for `# Cores`.
    pub messages: u64,
}

/// Makes the ports of `cores` cores.
pub fn mesh<M: Send>(cores: usize) -> Vec<Port<M>> {
    let door = |_| Doorplate { asleep: Padded(AtomicBool::new(false)), ring_fd: AtomicI32::new(-1) };
    let shared = Arc::new(Shared {
        cores,
        lanes: (0..cores * cores).map(|_| Lane::new()).collect(),
        doors: (0..cores).map(door).collect(),
    });
    let port = |core| Port {
        shared: Arc::clone(&shared),
        core,
        outbox: (0..cores).map(|_| VecDeque::new()).collect(),
        sent: vec![(0, 0); cores].into(),
        taken: vec![0; cores].into(),
        queued: 0,
        doorbells: 0,
        messages: 0,
    };
    (0..cores).map(port).collect()
}

impl<M: Send> Port<M> {
    /// This core's index.
    pub fn core(&self) -> usize {
        self.core
    }

    /// How many cores the mesh joins.
    pub fn cores(&self) -> usize {
        self.shared.cores
    }

    /// Publishes the ring other cores ring; called once, before the first message is sent here.
    pub fn set_ring_fd(&self, fd: i32) {
        self.shared.doors[self.core].ring_fd.store(fd, Ordering::Release);
    }

    /// Queues a message for `to`; it leaves at the next [`Port::flush`].
    pub fn send(&mut self, to: usize, message: M) {
        self.outbox[to].push_back(message);
        self.queued += 1;
        self.messages += 1;
    }

    /// Messages that found no room, or were not flushed yet.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Publishes queued messages; calls `doorbell(ring_fd)` for every target that sleeps.
    pub fn flush(&mut self, mut doorbell: impl FnMut(i32)) {
        if self.queued == 0 {
            return;
        }
        for to in 0..self.shared.cores {
            if self.outbox[to].is_empty() {
                continue;
            }
            let lane = &self.shared.lanes[self.core * self.shared.cores + to];
            let (tail, head_seen) = &mut self.sent[to];
            let before = *tail;
            while let Some(message) = self.outbox[to].pop_front() {
                if *tail - *head_seen == MESH_RING {
                    *head_seen = lane.head.0.load(Ordering::Acquire);
                    if *tail - *head_seen == MESH_RING {
                        self.outbox[to].push_front(message);
                        break;
                    }
                }
                // SAFETY: the cell is free (tail - head < MESH_RING) and this port is the lane's only producer.
                unsafe { (*lane.cells[*tail % MESH_RING].get()).write(message) };
                *tail += 1;
                self.queued -= 1;
            }
            if *tail == before {
                continue;
            }
            lane.tail.0.store(*tail, Ordering::Release);
            fence(Ordering::SeqCst);
            let door = &self.shared.doors[to];
            if door.asleep.0.load(Ordering::Relaxed) && door.asleep.0.swap(false, Ordering::Relaxed) {
                self.doorbells += 1;
                doorbell(door.ring_fd.load(Ordering::Acquire));
            }
        }
    }

    /// Rings `to`'s doorbell if it sleeps, although there is no message: something else has changed that it looks at before it sleeps.
    pub fn nudge(&mut self, to: usize, doorbell: impl FnOnce(i32)) {
        fence(Ordering::SeqCst);
        let door = &self.shared.doors[to];
        if door.asleep.0.load(Ordering::Relaxed) && door.asleep.0.swap(false, Ordering::Relaxed) {
            self.doorbells += 1;
            doorbell(door.ring_fd.load(Ordering::Acquire));
        }
    }

    /// Takes the messages that have arrived, oldest first per source, into `into`.
    pub fn receive(&mut self, into: &mut VecDeque<M>) {
        for from in 0..self.shared.cores {
            let lane = &self.shared.lanes[from * self.shared.cores + self.core];
            let mut head = self.taken[from];
            let tail = lane.tail.0.load(Ordering::Acquire);
            if head == tail {
                continue;
            }
            while head != tail {
                // SAFETY: cells up to the acquired tail are written, and this port is the lane's only consumer.
                into.push_back(unsafe { (*lane.cells[head % MESH_RING].get()).assume_init_read() });
                head += 1;
            }
            self.taken[from] = head;
            lane.head.0.store(head, Ordering::Release);
        }
    }

    /// Whether a message waits to be received.
    pub fn has_inbound(&self) -> bool {
        (0..self.shared.cores).any(|from| {
            let lane = &self.shared.lanes[from * self.shared.cores + self.core];
            lane.tail.0.load(Ordering::Acquire) != self.taken[from]
        })
    }

    /// Declares that this core is about to sleep; false (and awake again) if a message is there already.
    pub fn fall_asleep(&mut self) -> bool {
        if self.shared.cores == 1 {
            return true;
        }
        let door = &self.shared.doors[self.core];
        door.asleep.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.has_inbound() {
            door.asleep.0.store(false, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Declares that this core is awake: senders need no doorbell.
    pub fn wake_up(&mut self) {
        if self.shared.cores > 1 {
            self.shared.doors[self.core].asleep.0.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_cross_in_order_through_a_full_ring() {
        let mut ports = mesh::<u64>(2);
        let mut there = ports.pop().expect("two ports");
        let mut here = ports.pop().expect("two ports");
        const COUNT: u64 = 200_000;
        let reader = std::thread::spawn(move || {
            let (mut next, mut inbox) = (0, VecDeque::new());
            while next < COUNT {
                there.receive(&mut inbox);
                while let Some(message) = inbox.pop_front() {
                    assert_eq!(message, next);
                    next += 1;
                }
                std::hint::spin_loop();
            }
        });
        for message in 0..COUNT {
            here.send(1, message);
            if message % 37 == 0 {
                here.flush(|_| ());
            }
        }
        while here.queued() > 0 {
            here.flush(|_| ());
        }
        reader.join().expect("reader");
    }

    #[test]
    fn a_sleeper_gets_exactly_one_doorbell() {
        let mut ports = mesh::<u8>(2);
        ports[1].set_ring_fd(42);
        assert!(ports[1].fall_asleep());
        let mut rung = Vec::new();
        ports[0].send(1, 1);
        ports[0].flush(|fd| rung.push(fd));
        ports[0].send(1, 2);
        ports[0].flush(|fd| rung.push(fd));
        assert_eq!(rung, [42]);
        assert!(!ports[1].fall_asleep(), "a message is waiting");
    }
}
