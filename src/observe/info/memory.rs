//! `# Memory`, and the figures MEMORY STATS shows too.
//!
//! Sources: the counting allocator (`base::memory`), /proc, and mimalloc's own view of the process. There is no Lua and no replica yet:
//! their fields are 0. Invariant: `used_memory` is what maxmemory is judged by, less the log beyond the backlog.

use super::{Totals, human, line};
use crate::base::memory;
use crate::command::script::room;
use crate::observe::identity;
use crate::runtime::process;
use crate::session::core::Core;

unsafe extern "C" {
    /// The library behind the `mimalloc` crate: figures of this process.
    fn mi_process_info(
        elapsed_msecs: *mut usize,
        user_msecs: *mut usize,
        system_msecs: *mut usize,
        current_rss: *mut usize,
        peak_rss: *mut usize,
        current_commit: *mut usize,
        peak_commit: *mut usize,
        page_faults: *mut usize,
    );
}

/// Memory figures of the whole process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Counted by the allocator.
    pub used: usize,
    /// The largest `used` seen.
    pub peak: usize,
    /// When the start was over.
    pub startup: usize,
    /// Not data: start, clients, logs.
    pub overhead: usize,
    /// `used` less overhead.
    pub dataset: usize,
    /// Resident, from /proc.
    pub resident: usize,
    /// Committed by mimalloc.
    pub active: usize,
    /// Memory of the machine.
    pub machine: usize,
}

impl Figures {
    /// Reads them.
    pub fn read(totals: &Totals) -> Figures {
        let used = memory::used();
        let startup = identity::startup_bytes();
        let overhead = startup + totals.sums.client_bytes + totals.sums.log_bytes;
        Figures {
            used,
            peak: memory::peak().max(used),
            startup,
            overhead,
            dataset: used.saturating_sub(overhead),
            resident: process::resident_bytes(),
            active: committed_bytes().max(used),
            machine: machine_bytes(),
        }
    }

    /// Data's share of what was allocated since the start, in percent.
    pub fn dataset_percent(&self) -> f64 {
        let net = self.used.saturating_sub(self.startup);
        if net == 0 { 0.0 } else { self.dataset as f64 * 100.0 / net as f64 }
    }

    /// `used` against the peak, in percent.
    pub fn peak_percent(&self) -> f64 {
        self.used as f64 * 100.0 / self.peak.max(1) as f64
    }
}

/// One figure over another; 0 if there is no other.
pub fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn committed_bytes() -> usize {
    let mut all = [0usize; 8];
    let at = all.as_mut_ptr();
    // SAFETY: eight distinct, valid places for the eight results.
    unsafe {
        mi_process_info(at, at.add(1), at.add(2), at.add(3), at.add(4), at.add(5), at.add(6), at.add(7));
    }
    all[5]
}

fn machine_bytes() -> usize {
    // SAFETY: sysconf has no preconditions.
    let (pages, size) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    pages.max(0) as usize * size.max(0) as usize
}

/// A figure, and the same for people.
fn both(text: &mut String, name: &str, bytes: usize) {
    line(text, name, bytes);
    line(text, &format!("{name}_human"), human(bytes as u64));
}

pub(super) fn memory(core: &Core, totals: &Totals, text: &mut String) {
    let figures = Figures::read(totals);
    text.push_str("# Memory\r\n");
    both(text, "used_memory", figures.used);
    both(text, "used_memory_rss", figures.resident);
    both(text, "used_memory_peak", figures.peak);
    line(text, "used_memory_peak_perc", format_args!("{:.2}%", figures.peak_percent()));
    line(text, "used_memory_overhead", figures.overhead);
    line(text, "used_memory_startup", figures.startup);
    line(text, "used_memory_dataset", figures.dataset);
    line(text, "used_memory_dataset_perc", format_args!("{:.2}%", figures.dataset_percent()));
    line(text, "allocator_allocated", figures.used);
    line(text, "allocator_active", figures.active);
    line(text, "allocator_resident", figures.resident);
    both(text, "total_system_memory", figures.machine);
    scripts(totals, text);
    both(text, "maxmemory", core.settings.maxmemory);
    line(text, "maxmemory_policy", String::from_utf8_lossy(&policy(core)));
    ratios(&figures, text);
    line(text, "mem_not_counted_for_evict", totals.sums.log_bytes);
    line(text, "mem_replication_backlog", totals.sums.log_bytes);
    line(text, "mem_total_replication_buffers", totals.sums.log_bytes);
    line(text, "mem_clients_slaves", 0);
    line(text, "mem_clients_normal", totals.sums.client_bytes);
    line(text, "mem_cluster_links", 0);
    line(text, "mem_aof_buffer", 0);
    line(text, "mem_allocator", "mimalloc");
    line(text, "active_defrag_running", 0);
    line(text, "lazyfree_pending_objects", totals.sums.pending_frees);
    line(text, "lazyfreed_objects", totals.sums.freed);
}

/// The directive as CONFIG GET shows it.
fn policy(core: &Core) -> Vec<u8> {
    core.config.get(&[b"maxmemory-policy"]).pop().map(|(_, value)| value).unwrap_or_default()
}

/// Interpreters of all cores, and what the process knows of scripts and libraries.
fn scripts(totals: &Totals, text: &mut String) {
    let [eval, functions] = totals.sums.lua_bytes;
    let (scripts, script_bytes) = room::script_usage();
    let (libraries, _) = room::libraries();
    let code_bytes: usize = libraries.list.iter().map(|library| library.code.len()).sum();
    line(text, "used_memory_lua", eval);
    line(text, "used_memory_vm_eval", eval);
    line(text, "used_memory_lua_human", human(eval as u64));
    line(text, "used_memory_scripts_eval", script_bytes);
    line(text, "number_of_cached_scripts", scripts);
    line(text, "number_of_functions", libraries.function_count());
    line(text, "number_of_libraries", libraries.list.len());
    line(text, "used_memory_vm_functions", functions);
    both(text, "used_memory_vm_total", eval + functions);
    line(text, "used_memory_functions", code_bytes);
    both(text, "used_memory_scripts", script_bytes + code_bytes);
}

fn ratios(figures: &Figures, text: &mut String) {
    let mut pair = |name: &str, unit: &str, part: usize, whole: usize| {
        line(text, &format!("{name}_ratio"), format_args!("{:.2}", ratio(part, whole)));
        line(text, &format!("{name}_{unit}"), part as i64 - whole as i64);
    };
    pair("allocator_frag", "bytes", figures.active, figures.used);
    pair("allocator_rss", "bytes", figures.resident, figures.active);
    pair("rss_overhead", "bytes", figures.resident, figures.resident);
    pair("mem_fragmentation", "bytes", figures.resident, figures.used);
}
