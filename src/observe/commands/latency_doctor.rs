//! LATENCY DOCTOR: what the samples say, in words.
//!
//! Called when [`super::latency`] has gathered the events. The first lines and the figures are redis'; the advice names what can be done
//! about it here. Bounds: one paragraph per event.

use std::fmt::Write;

use super::latency::Events;
use crate::observe::latency::Samples;
use crate::session::core::Core;

const DISABLED: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n";
const QUIET: &str = "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";

/// Figures of one event.
struct Figures {
    samples: usize,
    average: u64,
    mean_deviation: u64,
    period_s: f64,
}

fn figures(samples: &Samples, now_s: i64) -> Figures {
    let count = samples.series.len().max(1) as u64;
    let sum: u64 = samples.series.iter().map(|(_, took_ms)| took_ms).sum();
    let average = sum / count;
    let deviation: u64 = samples.series.iter().map(|(_, took_ms)| took_ms.abs_diff(average)).sum();
    let oldest_s = samples.series.first().map_or(now_s, |sample| sample.0);
    Figures {
        samples: samples.series.len(),
        average,
        mean_deviation: deviation / count,
        period_s: (now_s - oldest_s).max(0) as f64 / count as f64,
    }
}

/// The report over all events.
pub(super) fn report(core: &Core, events: &Events) -> String {
    if events.is_empty() {
        let off = core.settings.latency_monitor_threshold_ms == 0;
        return String::from(if off { DISABLED } else { QUIET });
    }
    let now_s = (core.now_ms as i64 + core.wall_offset_ms) / 1000;
    let mut text = String::from(
        "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n",
    );
    for (index, (name, samples)) in events.iter().enumerate() {
        let figures = figures(samples, now_s);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}. {name}: {} latency spikes (average {}ms, mean deviation {}ms, period {:.2} sec). Worst all time event {}ms.",
            index + 1,
            figures.samples,
            figures.average,
            figures.mean_deviation,
            figures.period_s,
            samples.max_ms
        );
    }
    text.push_str("\nI have a few advices for you:\n\n");
    for line in advice(core, events) {
        text.push_str("- ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn advice(core: &Core, events: &Events) -> Vec<String> {
    let mut lines = Vec::new();
    if events.contains_key("command") {
        let (slower_than_us, threshold_us) =
            (core.settings.slowlog_log_slower_than_us, core.settings.latency_monitor_threshold_ms * 1000);
        if slower_than_us < 0 {
            lines.push(format!(
                "There are latency issues with potentially slow commands you are using. Try to enable the Slow Log Redis feature using the command 'CONFIG SET slowlog-log-slower-than {threshold_us}'. If the Slow log is disabled Redis is not able to log slow commands execution for you."
            ));
        } else if slower_than_us as u64 > threshold_us {
            lines.push(format!(
                "Your current Slow Log configuration only logs events that are slower than your configured latency monitor threshold. Please use 'CONFIG SET slowlog-log-slower-than {threshold_us}'."
            ));
        }
        lines.push(String::from(
            "Check your Slow Log to understand what are the commands you are running which are too slow to execute. Please check https://redis.io/commands/slowlog for more information.",
        ));
        lines.push(String::from(
            "Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking operation. If you have very large objects that are often deleted, expired, or evicted, try to fragment those objects into multiple smaller objects.",
        ));
    }
    if events.contains_key("fast-command") {
        lines.push(String::from(
            "The system is slow to execute Redis code paths not containing system calls. This usually means the system does not provide Redis CPU time to run for long periods. You should try to: 1) Lower the system load. 2) Use a computer / VM just for Redis if you are running other software in the same system. 3) Check if you have a \"noisy neighbour\" problem. 4) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic latency in your system. 5) Check if the problem is allocator-related by recompiling Redis with MALLOC=libc, if you are using Jemalloc. However this may create fragmentation problems.",
        ));
    }
    if lines.is_empty() {
        lines.push(String::from(
            "Look at INFO cores: the longest step of each core, and which of them are busy.",
        ));
    }
    lines
}
