//! How long this core was busy without looking for news: the figures behind "no step over 500 µs".
//!
//! `server::network` calls [`Core::end_step`] after each turn and its submission, `Core::upkeep` after each of its parts, `account` after a slow command. Figures are CPU
//! time of the core's thread (`base::cpu_time`), shown by INFO `# Cores`, reset by CONFIG RESETSTAT. Invariant: a figure is never below the true one
//! (but for steps under 200 µs that the machine interrupted). Bounds: one CPU-time read per 200 µs.

use super::core::Core;
use crate::base::ticks;

impl Core {
    /// Books a turn that began at `started` and ends at `now` (ticks) and did something; returns its CPU time in microseconds.
    #[inline]
    pub fn note_turn(&mut self, started: u64, now: u64) -> u64 {
        self.stats.turns += 1;
        self.stats.busy_ticks += now.wrapping_sub(started);
        let took_us = self.meter.measure(started, now) / 1000;
        self.stats.longest_turn_us = self.stats.longest_turn_us.max(took_us);
        took_us
    }

    /// Books the submission from `started` to `now`, and with it the whole step, of which the turn took `turn_us`. What it slept does not count.
    #[inline]
    pub fn end_step(&mut self, started: u64, now: u64, turn_us: u64) {
        let submit_us = self.meter.measure(started, now) / 1000;
        self.stats.longest_submit_us = self.stats.longest_submit_us.max(submit_us);
        self.stats.longest_step_us = self.stats.longest_step_us.max(turn_us + submit_us);
    }

    /// Books a step of upkeep that began at `started`.
    pub fn note_upkeep(&mut self, started: u64) {
        let took_us = self.meter.measure(started, ticks::now()) / 1000;
        self.stats.longest_upkeep_us = self.stats.longest_upkeep_us.max(took_us);
        self.stats.longest_step_us = self.stats.longest_step_us.max(took_us);
    }

    /// Books a command that began at `started` and seemed slow.
    #[cold]
    pub fn note_command(&mut self, started: u64) {
        let took_us = self.meter.measure_part(started) / 1000;
        self.stats.longest_command_us = self.stats.longest_command_us.max(took_us);
    }
}
