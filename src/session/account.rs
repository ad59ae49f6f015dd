//! What is written down about a command: counters, slow log, latency, monitors, memory.
//!
//! Called by `session::run` around each command and by `session::admit` before it. Invariant: nothing here changes what a command does, except
//! [`Core::make_room`], which may evict. Bounds: one clock read per command.

use std::sync::atomic::Ordering;

use super::core::{Core, Message};
use super::{Session, redact};
use crate::base::{clock, memory, ticks};
use crate::command::lookup::Command;
use crate::command::row::{Row, flag};
use crate::observe::slowlog::Entry;
use crate::resp::Args;
use crate::shard::upkeep;

/// Words of a slow command that are kept, and bytes of each.
const SLOWLOG_WORDS: usize = 32;
const SLOWLOG_WORD_BYTES: usize = 128;

impl Core {
    /// Counts an executed command.
    #[inline]
    pub fn account(
        &mut self,
        session: &Session,
        command: Command,
        args: &Args<'_>,
        started: u64,
        failed: bool,
    ) {
        self.last_tick = ticks::now();
        self.follows = true;
        let ticks = self.last_tick.wrapping_sub(started);
        if !session.is_shown() {
            return;
        }
        if self.count(command, ticks, failed) {
            self.note_command(started);
            self.account_slow(session, command, args, ticks);
        }
    }

    /// Counts the time of a command that had blocked (it was counted when it did) and now was served.
    pub fn account_served(
        &mut self,
        session: &Session,
        command: Command,
        args: &Args<'_>,
        started: u64,
        failed: bool,
    ) {
        self.last_tick = ticks::now();
        let ticks = self.last_tick.wrapping_sub(started);
        let stats = &mut self.stats.by_command[command.id as usize];
        stats.ticks += ticks;
        stats.failed += failed as u64;
        if ticks >= self.slow_ticks {
            self.note_command(started);
            self.account_slow(session, command, args, ticks);
        }
    }

    /// Counts a command that was executed on several cores and took `ticks` in all.
    pub fn account_visit(
        &mut self,
        session: &Session,
        command: Command,
        args: &Args<'_>,
        ticks: u64,
        failed: bool,
    ) {
        if self.count(command, ticks, failed) {
            self.account_slow(session, command, args, ticks);
        }
    }

    /// Books an execution; whether it took long enough to be looked at.
    #[inline]
    fn count(&mut self, command: Command, ticks: u64, failed: bool) -> bool {
        self.stats.commands += 1;
        let stats = &mut self.stats.by_command[command.id as usize];
        stats.calls += 1;
        stats.ticks += ticks;
        stats.failed += failed as u64;
        if self.settings.latency_tracking {
            let nanos = ticks::to_ns(ticks).max(1);
            let histogram = stats.histogram.get_or_insert_with(|| {
                let made = hdrhistogram::Histogram::new_with_bounds(1, 1_000_000_000, 2);
                Box::new(made.unwrap_or_else(|_| unreachable!("the bounds are constants that fit")))
            });
            histogram.saturating_record(nanos);
        }
        ticks >= self.slow_ticks
    }

    /// Derives from the configuration which commands are slow enough to look at.
    pub fn update_slow_ticks(&mut self) {
        let slowlog = u64::try_from(self.settings.slowlog_log_slower_than_us).unwrap_or(u64::MAX);
        let latency = match self.settings.latency_monitor_threshold_ms {
            0 => u64::MAX,
            ms => ms.saturating_mul(1000),
        };
        self.slow_ticks = slowlog.min(latency).min(100).saturating_mul(ticks::per_us());
    }

    /// The rare part: a command slow enough for the slow log, the latency monitor or the cached clock.
    #[cold]
    fn account_slow(&mut self, session: &Session, command: Command, args: &Args<'_>, ticks: u64) {
        let took_us = ticks::to_ns(ticks) / 1000;
        self.sample_clock();
        let wall_s = (self.now_ms as i64 + self.wall_offset_ms) / 1000;
        let threshold = self.settings.latency_monitor_threshold_ms;
        if threshold > 0 && took_us / 1000 >= threshold {
            let event = if command.row.flags.has(flag::FAST) { "fast-command" } else { "command" };
            self.latency.add(event, wall_s, took_us / 1000);
        }
        self.log_slow(session, command.row, args, took_us, wall_s);
    }

    fn log_slow(&mut self, session: &Session, row: &Row, args: &Args<'_>, took_us: u64, wall_s: i64) {
        let slower_than = self.settings.slowlog_log_slower_than_us;
        if slower_than < 0 || took_us < slower_than as u64 || row.flags.has(flag::SKIP_SLOWLOG) {
            return;
        }
        let peer = session.peer.to_string();
        let entry = Entry {
            id: 0,
            at_s: wall_s,
            took_us,
            words: shorten(args),
            peer,
            name: session.client.name.clone(),
        };
        let max = self.settings.slowlog_max_len;
        self.slowlog.push(entry, max);
    }

    /// Shows the command to MONITOR clients.
    #[inline]
    pub fn feed_monitors(&mut self, session: &Session, args: &Args<'_>, row: &Row) {
        if !self.monitors.is_empty()
            && !row.flags.has(flag::SKIP_MONITOR)
            && !row.flags.has(flag::ADMIN)
            && session.is_shown()
        {
            self.send_to_monitors(session, args);
        }
    }

    /// Shows a command a script calls to MONITOR clients.
    #[inline]
    pub fn feed_monitors_from_script(&mut self, session: &mut Session, args: &Args<'_>, row: &Row) {
        if !self.monitors.is_empty()
            && !row.flags.has(flag::SKIP_MONITOR)
            && !row.flags.has(flag::ADMIN)
            && session.is_shown()
        {
            let peer = std::mem::replace(&mut session.peer, "lua".into());
            self.send_to_monitors(session, args);
            session.peer = peer;
        }
    }

    /// Shows a command to MONITOR clients, whatever it is.
    #[cold]
    pub fn send_to_monitors(&mut self, session: &Session, args: &Args<'_>) {
        let wall_us = clock::wall_us();
        let mut line = format!("+{}.{:06} [{} ", wall_us / 1_000_000, wall_us % 1_000_000, session.client.db)
            .into_bytes();
        line.extend_from_slice(session.peer.as_bytes());
        line.push(b']');
        for word in redact::shown(args) {
            line.push(b' ');
            crate::resp::append_quoted(&mut line, word);
        }
        line.extend_from_slice(b"\r\n");
        let bytes = bytes::Bytes::from(line);
        for (core, conn, id) in self.monitors.clone() {
            if core == self.id() {
                self.push_all(conn, id, std::slice::from_ref(&bytes));
            } else {
                self.mesh.send(core, Message::Push(Box::new((conn, id, bytes.clone()))));
            }
        }
    }

    /// Evicts until memory is below maxmemory; false if that is not possible now.
    pub fn make_room(&mut self) -> bool {
        if self.loading.is_on {
            return true;
        }
        let limit = self.settings.maxmemory;
        let mut used = memory::used();
        let mut rounds = 0;
        while used > limit && rounds < 64 {
            rounds += 1;
            let Some(mut shard) = self.shard.take() else { return true };
            shard.space.common.watch.track.reports_all = self.tracking.reports_all();
            let freed = upkeep::evict(&mut shard, self.now_ms, &self.settings, &mut self.outcome);
            self.note_departures(&mut shard);
            self.shard = Some(shard);
            if freed == 0 {
                break;
            }
            used = memory::used();
        }
        if !self.outcome.events.is_empty() {
            let mut events = std::mem::take(&mut self.outcome.events);
            self.publish_events(&mut events);
        }
        used <= limit || rounds == 64 || self.others_can_evict()
    }

    /// Whether another core has keys to evict; it is asked to.
    fn others_can_evict(&mut self) -> bool {
        if self.settings.maxmemory_policy.is_none() {
            return false;
        }
        let bytes = |core: usize| self.shared.space_bytes[core].load(Ordering::Relaxed);
        let fullest = (0..self.cores()).filter(|&core| core != self.id()).max_by_key(|&core| bytes(core));
        let Some(fullest) = fullest.filter(|&core| bytes(core) > 0) else { return false };
        let ask = |core: &mut Core| {
            core.make_room();
        };
        self.mesh.send(fullest, Message::Call(Box::new(ask)));
        true
    }
}

/// The words as SLOWLOG shows them: at most 32, at most 128 bytes each, with redis' remarks for the rest.
fn shorten(args: &Args<'_>) -> Vec<Vec<u8>> {
    let shown = redact::shown(args);
    let count = shown.len();
    let kept = count.min(SLOWLOG_WORDS);
    let mut words = Vec::with_capacity(kept);
    for (index, &word) in shown.iter().enumerate().take(kept) {
        if count > SLOWLOG_WORDS && index == SLOWLOG_WORDS - 1 {
            words.push(format!("... ({} more arguments)", count - SLOWLOG_WORDS + 1).into_bytes());
            break;
        }
        if word.len() > SLOWLOG_WORD_BYTES {
            let mut short = word[..SLOWLOG_WORD_BYTES].to_vec();
            let more = word.len() - SLOWLOG_WORD_BYTES;
            short.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
            words.push(short);
        } else {
            words.push(word.to_vec());
        }
    }
    words
}
