//! `memory`: resident bytes per key, 16-byte keys with 64-byte values, at 0.6, 1.05 and 1.5 M keys.
//!
//! Three sizes, for a table that doubles looks good just before and bad just after it. A fresh server per sample; resident
//! memory before the fill is taken off. Bar (issue 2): 128 B as the mean of the three (reported as a note, for it is no ratio).

use std::time::Duration;

use crate::Outcome;
use crate::account::resident_bytes;
use crate::bench::{Bench, Side};
use crate::report::{KEY_BYTES, Report, Spread};
use crate::sample::fill;
use crate::server::Server;

const SIZES: [u64; 3] = [600_000, 1_050_000, 1_500_000];
const BAR_BYTES: f64 = 128.0;

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    for _ in 0..bench.options.pairs {
        for size in SIZES.map(|size| bench.scaled(size, 10_000)) {
            for side in [Side::Ours, Side::Peer] {
                let server = Server::start(&bench.setup(side))?;
                let empty = resident_bytes(server.pid())?;
                fill(bench, &server, size)?;
                // Rehashing and freeing of buffers go on after the last reply.
                std::thread::sleep(Duration::from_millis(1500));
                let grown = resident_bytes(server.pid())?.saturating_sub(empty);
                report.add(side, &format!("{size} keys"), KEY_BYTES, grown as f64 / size as f64);
            }
        }
    }
    let mean_of = |report: &Report, ours: bool| {
        let figures = report.figures.iter().filter(|figure| figure.metric.name == KEY_BYTES.name);
        let medians: Vec<f64> = figures
            .filter_map(|figure| Spread::of(if ours { &figure.ours } else { &figure.peer }))
            .map(|spread| spread.median)
            .collect();
        medians.iter().sum::<f64>() / medians.len().max(1) as f64
    };
    let (ours, peer) = (mean_of(report, true), mean_of(report, false));
    let verdict = if ours <= BAR_BYTES { "ok" } else { "MISSED" };
    report.note(format!(
        "mean over the sizes: {ours:.1} B/key, peer {peer:.1} B/key; bar <= {BAR_BYTES} B: {verdict}"
    ));
    Ok(())
}
