//! How long steps really ran: CPU time of the calling thread, read as rarely as possible.
//!
//! `session::steps` measures turns, submits and upkeep with it. A read is a system call (0.2–1 µs), far too dear for each turn; so a [`Meter`]
//! reads at most every [`SPACING_US`] and lets the time-stamp counter decide in between: a step shorter than that needs no proof.
//!
//! Invariant: a measured step is never longer than its wall time, nor than the CPU time since the last read: what the machine took away
//! does not count, short steps before it may (at most [`SPACING_US`]). Why not wall time alone: on a shared machine its longest step is the scheduler's.
use super::ticks;

/// CPU time is read at most this often, in microseconds.
pub const SPACING_US: u64 = 200;

/// CPU time of the calling thread in nanoseconds.
pub fn thread_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Measures steps of the thread that owns it.
#[derive(Debug)]
pub struct Meter {
    spacing_ticks: u64,
    read_at: u64,
    cpu_ns: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Meter { spacing_ticks: SPACING_US * ticks::per_us(), read_at: 0, cpu_ns: 0 }
    }
}

impl Meter {
    /// Nanoseconds of CPU of the step that began at `started` and ends at `now`, which is now (tick counts).
    #[inline]
    pub fn measure(&mut self, started: u64, now: u64) -> u64 {
        let wall_ns = ticks::to_ns(now.wrapping_sub(started));
        if now.wrapping_sub(self.read_at) < self.spacing_ticks {
            wall_ns
        } else {
            wall_ns.min(self.read(now))
        }
    }

    /// Like [`Meter::measure`] for a part of a step: the step itself can still be measured.
    pub fn measure_part(&self, started: u64) -> u64 {
        let wall_ns = ticks::to_ns(ticks::now().wrapping_sub(started));
        wall_ns.min(thread_ns() - self.cpu_ns)
    }

    /// CPU nanoseconds since the last read.
    #[cold]
    fn read(&mut self, now: u64) -> u64 {
        let cpu_ns = thread_ns();
        let since = cpu_ns - std::mem::replace(&mut self.cpu_ns, cpu_ns);
        self.read_at = now;
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_is_no_step() {
        ticks::calibrate();
        let mut meter = Meter::default();
        meter.measure(ticks::now(), ticks::now());
        let started = ticks::now();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(meter.measure(started, ticks::now()) < 5_000_000);
        let (started, cpu) = (ticks::now(), thread_ns());
        while thread_ns() - cpu < 3_000_000 {}
        let measured = meter.measure(started, ticks::now());
        assert!((2_900_000..6_000_000).contains(&measured), "{measured}");
    }
}
