//! A cheap stopwatch: the time-stamp counter, calibrated once against the monotonic clock.
//!
//! Called twice per command by `session` accounting (`clock_gettime` would cost three times as much). Invariant: ticks of one thread
//! grow; they are only ever subtracted on the thread that read them. Bounds: calibration takes 5 ms at start, precise to about 0.1 %.
//! Why not the counter everywhere: it is no wall clock, and only constant_tsc machines keep its rate; elsewhere the
//! monotonic clock's nanoseconds stand in.

use std::sync::OnceLock;

/// Ticks per 1024 nanoseconds.
static RATE: OnceLock<u64> = OnceLock::new();

/// The counter now.
#[inline]
pub fn now() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: rdtsc is available on every x86_64.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        super::clock::monotonic_us() * 1000
    }
}

fn rate() -> u64 {
    *RATE.get_or_init(|| {
        let (ticks, started) = (now(), std::time::Instant::now());
        while started.elapsed().as_micros() < 5000 {
            std::hint::spin_loop();
        }
        let nanos = started.elapsed().as_nanos().max(1) as u64;
        ((now() - ticks) * 1024 / nanos).max(1)
    })
}

/// Calibrates; called at start so that no command pays for it.
pub fn calibrate() {
    rate();
}

/// Ticks in a microsecond.
pub fn per_us() -> u64 {
    (rate() * 1000 / 1024).max(1)
}

/// Nanoseconds of a tick, times 2^32.
static INVERSE: OnceLock<u64> = OnceLock::new();

/// Nanoseconds of a number of ticks.
#[inline]
pub fn to_ns(ticks: u64) -> u64 {
    let inverse = *INVERSE.get_or_init(|| (1024 << 32) / rate());
    ((u128::from(ticks) * u128::from(inverse)) >> 32) as u64
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_millisecond_is_about_a_millisecond() {
        super::calibrate();
        let (ticks, started) = (super::now(), std::time::Instant::now());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let (measured, real) = (super::to_ns(super::now() - ticks), started.elapsed().as_nanos() as u64);
        assert!(measured.abs_diff(real) < real / 50, "{measured} against {real}");
    }
}
