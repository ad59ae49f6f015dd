//! Wakes an executor that went to sleep with work in hand.
//!
//! glommio 0.9.0 parks when its preempt timer has fired before the first task of a round ran (the thread was descheduled for that long
//! between arming and looking): `run_task_queues` then reports that nothing ran, although queues are active, and with no timer
//! left the core would sleep for good. Seen here under a full machine. The main thread, which has nothing else to do, watches the beat
//! of each core and wakes the executor of one that stands still, by a waker from outside, which glommio always obeys.
//!
//! `server::boot` runs [`Watchdog::watch`], each core's network task beats, a task per core keeps its waker here. Invariant: a wake-up changes
//! nothing but the sleep. Bounds: a stalled core resumes within two [`PERIOD`]s. Why not timers inside the executor: they can all be due at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::limits::MAX_CORES;

/// How often beats are looked at.
pub const PERIOD: Duration = Duration::from_millis(20);

/// One core's sign of life, on cache lines of its own.
#[repr(align(128))]
struct Pulse {
    beat: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

/// The pulses of all cores.
pub struct Watchdog {
    pulses: Box<[Pulse]>,
}

impl Default for Watchdog {
    fn default() -> Self {
        let pulse = |_| Pulse { beat: AtomicU64::new(0), waker: Mutex::new(None) };
        Watchdog { pulses: (0..MAX_CORES).map(pulse).collect() }
    }
}

impl Watchdog {
    /// A core's network task is alive: a plain store to a line nobody else writes.
    #[inline]
    pub fn beat(&self, core: usize, count: u64) {
        self.pulses[core].beat.store(count, Ordering::Relaxed);
    }

    /// Keeps the waker of the calling task where the watchdog finds it; never completes.
    pub async fn attend(&self, core: usize) {
        std::future::poll_fn(|context| {
            if let Ok(mut waker) = self.pulses[core].waker.lock() {
                *waker = Some(context.waker().clone());
            }
            Poll::<()>::Pending
        })
        .await;
    }

    /// Forgets a core's waker, before its executor ends.
    pub fn leave(&self, core: usize) {
        if let Ok(mut waker) = self.pulses[core].waker.lock() {
            *waker = None;
        }
    }

    /// Watches until `is_over`.
    pub fn watch(&self, is_over: impl Fn() -> bool) {
        let mut seen = vec![0; self.pulses.len()];
        while !is_over() {
            std::thread::sleep(PERIOD);
            for (pulse, seen) in self.pulses.iter().zip(&mut seen) {
                let beat = pulse.beat.load(Ordering::Relaxed);
                if beat == *seen
                    && let Ok(waker) = pulse.waker.lock()
                    && let Some(waker) = &*waker
                {
                    waker.wake_by_ref();
                }
                *seen = beat;
            }
        }
    }
}
