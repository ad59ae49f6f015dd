//! Active expiry: removes keys whose time is over without anyone touching them.
//!
//! Called by the shard's timer (and when idle) on a primary only; calls `dict`. The sweep goes round over slots and databases; it reads the
//! slots' hints (a linear pass over 16-byte records) and opens only slots with something due, there only segments whose bound has come.
//! Bounds: one step opens at most `budget` segments (each at most 140 entries) and passes each directory once. Why no timer
//! wheel: it would cost 8–16 bytes per volatile key; the bounds cost nothing per key.
use super::dict::{NO_HINT, hint_of};
use super::entry::Entry;
use super::{DepartedWhy, Keyspace};

/// Where the sweep stands.
#[derive(Debug, Default)]
pub struct Sweep {
    db: usize,
    slot: usize,
    position: u64,
    /// Lowest bound of the segments of `slot` passed so far.
    min_expire: Option<u64>,
    /// The slot did not fit one step: keys may have come behind the sweep.
    is_split: bool,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Keys removed.
    pub expired: u64,
    /// Segments opened.
    pub segments: usize,
    /// A round over all databases ended: what was due when the round began is gone.
    pub is_done: bool,
}

impl Keyspace {
    /// Removes due keys, opening at most `budget` segments; goes on where the last step stopped.
    pub fn expire_step(&mut self, now_ms: u64, budget: usize) -> Progress {
        let mut progress = Progress { expired: 0, segments: 0, is_done: false };
        while progress.segments < budget {
            if self.sweep.db >= self.dicts.len() {
                self.sweep = Sweep::default();
                progress.is_done = true;
                break;
            }
            let db = self.sweep.db;
            let volatile = self.dicts[db].totals.expires != 0;
            // Hints are rounded down, so "due" by hint may be up to 256 ms early: the segment's own bound decides.
            let due = || self.dicts[db].next_due_slot(self.sweep.slot, hint_of(now_ms));
            match volatile.then(due).flatten() {
                Some(slot) => {
                    if slot != self.sweep.slot {
                        self.sweep = Sweep { db, slot, ..Sweep::default() };
                    }
                    self.sweep_segments(now_ms, budget, &mut progress);
                }
                None => {
                    self.sample_ttl(db, now_ms);
                    self.sweep = Sweep { db: db + 1, ..Sweep::default() };
                }
            }
        }
        progress.is_done &= self.fields_step(now_ms, budget);
        self.common.stats.expired_time_cap_reached += u64::from(!progress.is_done);
        progress
    }

    /// Goes on in the sweep's slot until it is done or the budget is used.
    fn sweep_segments(&mut self, now_ms: u64, budget: usize, progress: &mut Progress) {
        let Self { dicts, common, sweep, .. } = self;
        let (db, slot) = (sweep.db, sweep.slot);
        loop {
            if progress.segments >= budget {
                sweep.is_split = true;
                return;
            }
            let before = progress.expired;
            let step = dicts[db].drain_due(slot, sweep.position, now_ms, |entry| {
                progress.expired += 1;
                common.depart(db, entry, DepartedWhy::Expired);
            });
            progress.segments += 1;
            let stale = if progress.expired > before { 1.0 } else { 0.0 };
            common.stats.expired_stale_perc = common.stats.expired_stale_perc * 0.95 + stale * 5.0;
            let low = sweep.min_expire.unwrap_or(u64::MAX).min(step.min_expire);
            sweep.min_expire = Some(low);
            if let Some(next) = step.next {
                sweep.position = next;
                continue;
            }
            let exact = if low == u64::MAX { NO_HINT } else { hint_of(low) };
            // A slot swept in several steps may have got earlier keys behind the sweep: look again in a second.
            let hint = if sweep.is_split { exact.min(hint_of(now_ms) + 4) } else { exact };
            dicts[db].set_hint(slot, hint);
            *sweep = Sweep { db, slot: slot + 1, ..Sweep::default() };
            return;
        }
    }

    /// Feeds the running averages with a few random volatile keys.
    fn sample_ttl(&mut self, db: usize, now_ms: u64) {
        let dict = &self.dicts[db];
        if dict.totals.expires == 0 {
            self.dicts[db].totals.avg_ttl_ms = 0;
            return;
        }
        let (mut sum, mut live, mut overdue) = (0u64, 0u64, 0u64);
        let look = |entry: Entry<'_>| match entry.expire_at() {
            Some(ms) if ms >= now_ms => (sum, live) = (sum.saturating_add(ms - now_ms), live + 1),
            Some(_) => overdue += 1,
            None => {}
        };
        dict.sample(&mut self.common.prng, 20, true, look);
        if let Some(new) = sum.checked_div(live) {
            let old = dict.totals.avg_ttl_ms;
            // Redis' weights: a fiftieth of each new sample; the first one counts whole.
            self.dicts[db].totals.avg_ttl_ms = if old == 0 { new } else { old / 50 * 49 + new / 50 };
        }
        if live + overdue > 0 {
            let share = overdue as f64 / (live + overdue) as f64;
            self.common.stats.expired_stale_perc = self.common.stats.expired_stale_perc * 0.95 + share * 5.0;
        }
    }
}
