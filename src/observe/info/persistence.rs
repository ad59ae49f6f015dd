//! `# Persistence` and `# Keyspace`.
//!
//! [`Snapshots`] are core 0's figures, taken when INFO visits it. There is no fork: the fields of copy-on-write are 0.
//! Databases without keys are left out, as in redis. Bounds: one line per database.

use std::sync::atomic::Ordering;

use super::{Totals, line};
use crate::base::clock;
use crate::session::core::Core;

/// What core 0 knows of snapshots.
#[derive(Default)]
pub struct Snapshots {
    /// Keys written and keys at the cut, of the one under way.
    progress: Option<(u64, u64)>,
    saving_for_s: Option<u64>,
    rewriting_for_s: Option<u64>,
    is_rewrite_scheduled: bool,
    rewrite_took_s: Option<u64>,
    has_rewrite_failed: bool,
    rewrites: u64,
    rewrite_failures: u32,
    has_failed: bool,
    took_s: Option<u64>,
    begun: u64,
    /// Changes that are saved.
    dirty: u64,
    log: AppendOnly,
}

/// What core 0 knows of the append-only file.
#[derive(Default)]
struct AppendOnly {
    is_on: bool,
    has_trouble: bool,
    size: u64,
    base_size: u64,
    unwritten: u64,
    syncs_under_way: u64,
    delayed_syncs: u64,
}

impl AppendOnly {
    fn of(core: &Core) -> Self {
        let Some(drive) = core.journal.as_deref() else {
            return AppendOnly { is_on: core.settings.appendonly, ..AppendOnly::default() };
        };
        let journal = &drive.journal;
        AppendOnly {
            is_on: core.settings.appendonly || journal.is_on(),
            has_trouble: journal.trouble().is_some(),
            size: journal.current_size(),
            base_size: journal.rewrite_base_size(),
            unwritten: drive.unwritten(),
            syncs_under_way: u64::from(journal.is_syncing()),
            delayed_syncs: journal.delayed_syncs(),
        }
    }
}

impl Snapshots {
    /// On core 0.
    pub fn of(core: &Core) -> Self {
        let (job, past) = (core.saving.job.as_ref(), &core.saving.past);
        let saving = job.filter(|job| !job.is_base);
        Snapshots {
            progress: job.map(|job| (job.keys_done, job.keys)),
            saving_for_s: saving.map(|job| core.now_ms.saturating_sub(job.started_ms) / 1000),
            rewriting_for_s: core.rewriting.running_for_ms(core.now_ms).map(|ms| ms / 1000),
            is_rewrite_scheduled: core.rewriting.is_scheduled || core.is_turning_on(),
            rewrite_took_s: core.rewriting.took_s,
            has_rewrite_failed: core.rewriting.has_failed,
            rewrites: core.rewriting.begun,
            rewrite_failures: core.rewriting.failures,
            has_failed: !past.is_ok,
            took_s: past.took_s,
            begun: past.begun,
            dirty: past.dirty,
            log: AppendOnly::of(core),
        }
    }
}

fn seconds(value: Option<u64>) -> i64 {
    value.map_or(-1, |seconds| seconds as i64)
}

fn status(has_failed: bool) -> &'static str {
    if has_failed { "err" } else { "ok" }
}

pub(super) fn persistence(core: &Core, totals: &Totals, text: &mut String) {
    let snapshots = &totals.snapshots;
    let (done, keys) = snapshots.progress.unwrap_or((0, 0));
    text.push_str("# Persistence\r\n");
    line(text, "loading", u8::from(core.loading.is_on));
    line(text, "async_loading", 0);
    line(text, "current_cow_peak", 0);
    line(text, "current_cow_size", 0);
    line(text, "current_cow_size_age", 0);
    line(text, "current_fork_perc", format!("{:.2}", done as f64 * 100.0 / keys.max(1) as f64));
    line(text, "current_save_keys_processed", done);
    line(text, "current_save_keys_total", keys);
    line(text, "rdb_changes_since_last_save", totals.sums.dirty.saturating_sub(snapshots.dirty));
    line(text, "rdb_bgsave_in_progress", u8::from(snapshots.saving_for_s.is_some()));
    line(text, "rdb_last_save_time", core.shared.last_save_s.load(Ordering::Relaxed));
    line(text, "rdb_last_bgsave_status", status(snapshots.has_failed));
    line(text, "rdb_last_bgsave_time_sec", seconds(snapshots.took_s));
    line(text, "rdb_current_bgsave_time_sec", seconds(snapshots.saving_for_s));
    line(text, "rdb_saves", snapshots.begun);
    line(text, "rdb_last_cow_size", 0);
    let progress = &core.shared.loading;
    line(text, "rdb_last_load_keys_expired", progress.keys_expired.load(Ordering::Relaxed));
    line(text, "rdb_last_load_keys_loaded", progress.keys_loaded.load(Ordering::Relaxed));
    let log = &snapshots.log;
    line(text, "aof_enabled", u8::from(log.is_on));
    line(text, "aof_rewrite_in_progress", u8::from(snapshots.rewriting_for_s.is_some()));
    line(text, "aof_rewrite_scheduled", u8::from(snapshots.is_rewrite_scheduled));
    line(text, "aof_last_rewrite_time_sec", seconds(snapshots.rewrite_took_s));
    line(text, "aof_current_rewrite_time_sec", seconds(snapshots.rewriting_for_s));
    line(text, "aof_last_bgrewrite_status", status(snapshots.has_rewrite_failed));
    line(text, "aof_rewrites", snapshots.rewrites);
    line(text, "aof_rewrites_consecutive_failures", snapshots.rewrite_failures);
    line(text, "aof_last_write_status", status(log.has_trouble));
    line(text, "aof_last_cow_size", 0);
    line(text, "module_fork_in_progress", 0);
    line(text, "module_fork_last_cow_size", 0);
    if log.is_on {
        line(text, "aof_current_size", log.size);
        line(text, "aof_base_size", log.base_size);
        line(text, "aof_pending_rewrite", u8::from(snapshots.is_rewrite_scheduled));
        line(text, "aof_buffer_length", log.unwritten);
        line(text, "aof_pending_bio_fsync", log.syncs_under_way);
        line(text, "aof_delayed_fsync", log.delayed_syncs);
    }
    if core.loading.is_on {
        loading(core, text);
    }
}

/// How far loading is.
fn loading(core: &Core, text: &mut String) {
    let progress = &core.shared.loading;
    let (total, loaded) =
        (progress.total_bytes.load(Ordering::Relaxed), progress.loaded_bytes.load(Ordering::Relaxed));
    let started_s = progress.started_s.load(Ordering::Relaxed);
    let elapsed_s = ((clock::wall_us() / 1_000_000) as i64).saturating_sub(started_s).max(0) as u64;
    let left_s = match elapsed_s {
        // As redis: there is not enough to go by.
        0 => 1,
        _ => u128::from(elapsed_s) * u128::from(total.saturating_sub(loaded)) / (u128::from(loaded) + 1),
    };
    let percent = if total > 0 { loaded as f64 / total as f64 * 100.0 } else { 0.0 };
    line(text, "loading_start_time", started_s);
    line(text, "loading_total_bytes", total);
    line(text, "loading_rdb_used_mem", progress.used_memory.load(Ordering::Relaxed));
    line(text, "loading_loaded_bytes", loaded);
    line(text, "loading_loaded_perc", format!("{percent:.2}"));
    line(text, "loading_eta_seconds", left_s);
}

pub(super) fn keyspace(_: &Core, totals: &Totals, text: &mut String) {
    text.push_str("# Keyspace\r\n");
    for (index, database) in totals.databases.iter().enumerate().filter(|(_, database)| database.keys > 0) {
        let avg_ttl = database.weighted_ttl / u128::from(database.expires.max(1));
        let figures = format!(
            "keys={},expires={},avg_ttl={avg_ttl},subexpiry={}",
            database.keys, database.expires, database.timed
        );
        line(text, &format!("db{index}"), figures);
    }
}
