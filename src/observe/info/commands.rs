//! `# Commandstats`, `# Errorstats`, `# Latencystats`.
//!
//! By full command name, in the table's order; only commands that were called or refused. Bounds: one line per command.

use super::{Totals, line};
use crate::base::ticks;
use crate::session::core::Core;

pub(super) fn commandstats(core: &Core, totals: &Totals, text: &mut String) {
    text.push_str("# Commandstats\r\n");
    for (id, stats) in totals.commands.iter().enumerate() {
        if stats.calls == 0 && stats.rejected == 0 && stats.failed == 0 {
            continue;
        }
        let row = core.shared.table.command(id as u16).row;
        let usec = ticks::to_ns(stats.ticks) / 1000;
        let per_call = if stats.calls == 0 {
            0.0
        } else {
            ticks::to_ns(stats.ticks) as f64 / 1000.0 / stats.calls as f64
        };
        let figures = format!(
            "calls={},usec={usec},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
            stats.calls, stats.rejected, stats.failed
        );
        line(text, &format!("cmdstat_{}", row.full_name), figures);
    }
}

pub(super) fn errorstats(_: &Core, totals: &Totals, text: &mut String) {
    text.push_str("# Errorstats\r\n");
    for (code, count) in &totals.errors {
        line(text, &format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

/// A percentile's name: no zeroes at the end.
fn percentile_name(percentile: f64) -> String {
    let text = format!("{percentile:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("p{text}")
}

pub(super) fn latencystats(core: &Core, totals: &Totals, text: &mut String) {
    text.push_str("# Latencystats\r\n");
    let percentiles = &core.settings.latency_tracking_info_percentiles;
    for (id, stats) in totals.commands.iter().enumerate() {
        let Some(histogram) = &stats.histogram else { continue };
        let row = core.shared.table.command(id as u16).row;
        let values: Vec<String> = percentiles
            .iter()
            .map(|&percentile| {
                let micros = histogram.value_at_percentile(percentile) as f64 / 1000.0;
                format!("{}={micros:.3}", percentile_name(percentile))
            })
            .collect();
        line(text, &format!("latency_percentiles_usec_{}", row.full_name), values.join(","));
    }
}

#[cfg(test)]
mod tests {
    use super::percentile_name;

    #[test]
    fn percentiles_have_short_names() {
        assert_eq!(percentile_name(50.0), "p50");
        assert_eq!(percentile_name(99.9), "p99.9");
        assert_eq!(percentile_name(100.0), "p100");
        assert_eq!(percentile_name(0.0), "p0");
    }
}
