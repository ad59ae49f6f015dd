//! MEMORY STATS, DOCTOR, PURGE, MALLOC-STATS. (MEMORY USAGE looks at a key: it is a handler of `command`.)
//!
//! STATS and DOCTOR gather the same figures as INFO (`observe::info::memory`). PURGE asks the allocator of every core to give pages back.
//! Invariant: as INFO: no number without a source.

use crate::command::reply_error::ReplyError;
use crate::observe::info::Totals;
use crate::observe::info::memory::{Figures, ratio};
use crate::resp::{Args, Out};
use crate::session::core::Core;
use crate::session::visit::Visit;
use crate::session::{Control, Flow, Session};

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[
    ("memory|stats", stats),
    ("memory|doctor", doctor),
    ("memory|purge", purge),
    ("memory|malloc-stats", malloc_stats),
];

unsafe extern "C" {
    /// The library behind the `mimalloc` crate: gives unused pages of the calling thread back.
    fn mi_collect(force: bool);
    /// Writes the allocator's statistics through `output`.
    fn mi_stats_print_out(
        output: Option<unsafe extern "C" fn(*const libc::c_char, *mut libc::c_void)>,
        argument: *mut libc::c_void,
    );
}

/// Gathers figures, then shows them.
struct Gather {
    totals: Totals,
    show: fn(&Totals, &mut Out),
}

impl Visit for Gather {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        self.totals.add(core, session);
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        (self.show)(&self.totals, &mut session.out);
    }

    fn needs_shard(&self) -> bool {
        true
    }
}

fn stats(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Gather { totals: Totals::default(), show: write_stats })))
}

fn doctor(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Gather { totals: Totals::default(), show: write_diagnosis })))
}

/// A figure of MEMORY STATS.
enum Figure {
    Count(i64),
    Share(f64),
}

fn write_stats(totals: &Totals, out: &mut Out) {
    let figures = Figures::read(totals);
    let keys = totals.keys();
    let net = figures.used.saturating_sub(figures.startup) as u64;
    let per_key = net.checked_div(keys).unwrap_or(0);
    let count = |value: usize| Figure::Count(value as i64);
    let less = |part: usize, whole: usize| Figure::Count(part as i64 - whole as i64);
    let rows = [
        ("peak.allocated", count(figures.peak)),
        ("total.allocated", count(figures.used)),
        ("startup.allocated", count(figures.startup)),
        ("replication.backlog", count(totals.sums.log_bytes)),
        ("clients.slaves", count(0)),
        ("clients.normal", count(totals.sums.client_bytes)),
        ("cluster.links", count(0)),
        ("aof.buffer", count(0)),
        ("lua.caches", count(0)),
        ("functions.caches", count(0)),
        ("overhead.total", count(figures.overhead)),
        ("keys.count", Figure::Count(keys as i64)),
        ("keys.bytes-per-key", Figure::Count(per_key as i64)),
        ("dataset.bytes", count(figures.dataset)),
        ("dataset.percentage", Figure::Share(figures.dataset_percent())),
        ("peak.percentage", Figure::Share(figures.peak_percent())),
        ("allocator.allocated", count(figures.used)),
        ("allocator.active", count(figures.active)),
        ("allocator.resident", count(figures.resident)),
        ("allocator-fragmentation.ratio", Figure::Share(ratio(figures.active, figures.used))),
        ("allocator-fragmentation.bytes", less(figures.active, figures.used)),
        ("allocator-rss.ratio", Figure::Share(ratio(figures.resident, figures.active))),
        ("allocator-rss.bytes", less(figures.resident, figures.active)),
        ("rss-overhead.ratio", Figure::Share(ratio(figures.resident, figures.resident))),
        ("rss-overhead.bytes", count(0)),
        ("fragmentation", Figure::Share(ratio(figures.resident, figures.used))),
        ("fragmentation.bytes", less(figures.resident, figures.used)),
    ];
    out.map(rows.len());
    for (name, figure) in rows {
        out.bulk(name.as_bytes());
        match figure {
            Figure::Count(count) => out.integer(count),
            Figure::Share(share) => out.double(share),
        }
    }
}

const EMPTY: &str = "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to our programming as soon as I finished rebooting.\n";
const HEALTHY: &str = "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n";
/// Below so many bytes no diagnosis is made.
const LITTLE: usize = 5 << 20;
/// A difference below so many bytes is none.
const NOTABLE: usize = 10 << 20;

fn write_diagnosis(totals: &Totals, out: &mut Out) {
    let figures = Figures::read(totals);
    if figures.used.saturating_sub(figures.startup) < LITTLE {
        return out.verbatim("txt", EMPTY.as_bytes());
    }
    let mut found = Vec::new();
    if ratio(figures.peak, figures.used) > 1.5 {
        found.push(" * Peak memory: In the past this instance used more than 150% the memory that is currently using. The allocator is normally not able to release memory after a peak, so you can expect to see a big fragmentation ratio, however this is actually harmless and is only due to the memory peak, and if the Redis instance Resident Set Size (RSS) is currently bigger than expected, the memory will be used as soon as you fill the Redis instance with more data. If the memory peak was only occasional and you want to try to reclaim memory, please try the MEMORY PURGE command, otherwise the only other option is to shutdown and restart the instance.\n\n");
    }
    if ratio(figures.resident, figures.used) > 1.4 && figures.resident - figures.used > NOTABLE {
        found.push(" * High total RSS: This instance has a memory fragmentation and RSS overhead greater than 1.4 (this means that the Resident Set Size of the Redis process is much larger than the sum of the logical allocations Redis performed). MEMORY PURGE gives unused pages back.\n\n");
    }
    let clients = totals.sums.clients.max(1) as usize;
    if totals.sums.client_bytes / clients > 200 * 1024 {
        found.push(" * Big client buffers: The clients output buffers in this instance are greater than 200K per client (on average). This may result from different causes, like Pub/Sub clients subscribed to channels bot not receiving data fast enough, so that data piles on the Redis instance output buffer, or clients sending commands with large replies or very large sequences of commands in the same pipeline. Please use the CLIENT LIST command in order to investigate the issue if it causes problems in your instance, or to understand better why certain clients are using a big amount of memory.\n\n");
    }
    if found.is_empty() {
        return out.verbatim("txt", HEALTHY.as_bytes());
    }
    let text = format!(
        "Sam, I detected a few issues in this Redis instance memory implants:\n\n{}I'm here to keep you safe, Sam. I want to help you.\n",
        found.concat()
    );
    out.verbatim("txt", text.as_bytes());
}

/// Every core's thread gives its unused pages back.
struct Purge;

impl Visit for Purge {
    fn at(&mut self, _: &mut Core, _: &mut Session) {
        // SAFETY: no preconditions; it works on the calling thread's heap.
        unsafe { mi_collect(true) };
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.ok();
    }
}

fn purge(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Purge)))
}

/// Appends what the allocator prints to the `Vec<u8>` behind `argument`.
unsafe extern "C" fn take_text(text: *const libc::c_char, argument: *mut libc::c_void) {
    // SAFETY: mimalloc passes a NUL-terminated text and the argument it was given, a live Vec.
    unsafe {
        let text = std::ffi::CStr::from_ptr(text);
        (*argument.cast::<Vec<u8>>()).extend_from_slice(text.to_bytes());
    }
}

fn malloc_stats(_: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let mut text: Vec<u8> = Vec::new();
    // SAFETY: `take_text` gets the Vec it expects, which outlives the call.
    unsafe { mi_stats_print_out(Some(take_text), (&raw mut text).cast()) };
    session.out.verbatim("txt", &text);
    Ok(Flow::Done)
}
