//! Time: one internal clock that never jumps, and its distance to the wall clock.
//!
//! Called by the runtime (once a turn), by the edge where clients name wall times, and by simulators through
//! [`Clock`]. Invariant: internal milliseconds only grow. They start at the wall time of the first use in this process
//! and then follow the monotonic clock, so a wall-clock jump neither expires nor revives a key. The wall clock's
//! offset is sampled (`sample_wall`, a few times a second) and added or taken away where wall times enter or leave.
//! Why not the wall clock with corrections: deadlines stored in millions of entries could not be corrected.
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// A source of time; production uses [`SystemClock`], simulators and tests [`ManualClock`].
pub trait Clock {
    /// Microseconds since an arbitrary start; never goes back.
    fn monotonic_us(&self) -> u64;
    /// Internal unix time in milliseconds; never jumps.
    fn now_ms(&self) -> u64;
    /// What to add to internal milliseconds to get wall milliseconds, as last sampled.
    fn wall_offset_ms(&self) -> i64;

    #[allow(clippy::wrong_self_convention)] // the name is the conversion's, not a constructor's
    /// Internal time of a wall time given by a client. Times before 1970 or before the offset's reach become 0.
    fn from_wall_ms(&self, wall_ms: i64) -> u64 {
        wall_ms.saturating_sub(self.wall_offset_ms()).max(0) as u64
    }

    /// Wall time of an internal time.
    fn to_wall_ms(&self, internal_ms: u64) -> i64 {
        i64::try_from(internal_ms).unwrap_or(i64::MAX).saturating_add(self.wall_offset_ms())
    }
}

/// Both clocks at the first use in this process.
struct Boot {
    monotonic_us: u64,
    wall_us: u64,
}

static BOOT: OnceLock<Boot> = OnceLock::new();
static WALL_OFFSET_MS: AtomicI64 = AtomicI64::new(0);

fn read_us(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec; both clocks used here exist on every Linux.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    debug_assert_eq!(result, 0);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

fn boot() -> &'static Boot {
    BOOT.get_or_init(|| Boot {
        monotonic_us: read_us(libc::CLOCK_MONOTONIC),
        wall_us: read_us(libc::CLOCK_REALTIME),
    })
}

/// The kernel's monotonic clock in microseconds.
#[inline]
pub fn monotonic_us() -> u64 {
    read_us(libc::CLOCK_MONOTONIC)
}

/// Internal unix time of a monotonic reading (so that one reading serves both).
#[inline]
pub fn internal_ms(monotonic_us: u64) -> u64 {
    let boot = boot();
    (boot.wall_us + monotonic_us.saturating_sub(boot.monotonic_us)) / 1000
}

/// Internal unix time in microseconds of a monotonic reading.
#[inline]
pub fn internal_us(monotonic_us: u64) -> u64 {
    let boot = boot();
    boot.wall_us + monotonic_us.saturating_sub(boot.monotonic_us)
}

/// Internal unix time now, in milliseconds.
#[inline]
pub fn now_ms() -> u64 {
    internal_ms(monotonic_us())
}

/// The wall clock now, in microseconds (TIME, log lines, LASTSAVE).
pub fn wall_us() -> u64 {
    read_us(libc::CLOCK_REALTIME)
}

/// The wall clock now, in milliseconds.
pub fn wall_ms() -> u64 {
    wall_us() / 1000
}

/// Reads both clocks and stores their distance for the whole process; returns it in milliseconds. Differences of a
/// single millisecond are reading noise and are not followed.
pub fn sample_wall() -> i64 {
    let offset_us = wall_us() as i64 - internal_us(monotonic_us()) as i64;
    let known = WALL_OFFSET_MS.load(Ordering::Relaxed);
    let offset_ms = offset_us.div_euclid(1000) + i64::from(offset_us.rem_euclid(1000) >= 500);
    if offset_ms.abs_diff(known) <= 1 {
        return known;
    }
    WALL_OFFSET_MS.store(offset_ms, Ordering::Relaxed);
    offset_ms
}

/// Internal time of a wall time given by a client, by the sampled offset.
#[inline]
pub fn from_wall_ms(wall_ms: i64) -> u64 {
    SystemClock.from_wall_ms(wall_ms)
}

/// Wall time of an internal time, by the sampled offset.
#[inline]
pub fn to_wall_ms(internal_ms: u64) -> i64 {
    SystemClock.to_wall_ms(internal_ms)
}

/// The real clocks of this process. All copies agree: the base is one per process.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn monotonic_us(&self) -> u64 {
        monotonic_us()
    }
    fn now_ms(&self) -> u64 {
        now_ms()
    }
    #[inline]
    fn wall_offset_ms(&self) -> i64 {
        WALL_OFFSET_MS.load(Ordering::Relaxed)
    }
}

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock {
    monotonic_us: Cell<u64>,
    start_ms: u64,
    offset_ms: Cell<i64>,
}

impl ManualClock {
    /// A clock that shows `start_ms` of internal time and agrees with the wall.
    pub fn new(start_ms: u64) -> Self {
        Self { monotonic_us: Cell::new(0), start_ms, offset_ms: Cell::new(0) }
    }

    /// Lets time pass.
    pub fn advance_us(&self, us: u64) {
        self.monotonic_us.set(self.monotonic_us.get() + us);
    }

    /// Makes the wall clock jump by `ms`; internal time goes on.
    pub fn jump_wall_ms(&self, ms: i64) {
        self.offset_ms.set(self.offset_ms.get() + ms);
    }
}

impl Clock for ManualClock {
    fn monotonic_us(&self) -> u64 {
        self.monotonic_us.get()
    }
    fn now_ms(&self) -> u64 {
        self.start_ms + self.monotonic_us.get() / 1000
    }
    fn wall_offset_ms(&self) -> i64 {
        self.offset_ms.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_clock_is_near_the_wall_and_grows() {
        sample_wall();
        assert!(to_wall_ms(now_ms()).abs_diff(wall_ms() as i64) < 1000);
        let (first, second) = (SystemClock.now_ms(), SystemClock.now_ms());
        assert!(second >= first);
        assert!(SystemClock.monotonic_us() <= monotonic_us());
        assert_eq!(to_wall_ms(from_wall_ms(1_700_000_000_000)), 1_700_000_000_000);
    }

    #[test]
    fn wall_jumps_do_not_move_internal_time() {
        let clock = ManualClock::new(1_000_000);
        clock.advance_us(2_500);
        assert_eq!(clock.now_ms(), 1_000_002);
        clock.jump_wall_ms(-600_000);
        assert_eq!(clock.now_ms(), 1_000_002);
        assert_eq!(clock.to_wall_ms(clock.now_ms()), 400_002);
        assert_eq!(clock.from_wall_ms(400_002), 1_000_002);
        assert_eq!(clock.from_wall_ms(i64::MIN), 0);
        assert_eq!(clock.to_wall_ms(u64::MAX), i64::MAX - 600_000);
    }
}
