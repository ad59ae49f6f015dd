//! `save`: SAVE and BGSAVE of 1 M keys with 100-byte values, compressible (one letter) and random: wall and CPU time.
//!
//! Bars (issue 4): half of the peer's wall time. The same rdbcompression (yes) and rdbchecksum (yes). The end of a BGSAVE is seen by the new file, not by INFO, which
//! redis-server updates ten times a second. The peer's child shares the one core of its server.

use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::report::Report;
use crate::server::Server;
use crate::work::{self, CPU_S, WALL_S, identity, timed};

pub const KEYS: u64 = 1_000_000;
pub const VALUE_SIZE: usize = 100;
const BAR: f64 = 0.5;

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let keys = bench.scaled(KEYS, 10_000);
    for (content, random) in [("compressible", false), ("random", true)] {
        let settings = [("rdbcompression", "yes"), ("rdbchecksum", "yes")];
        let servers = [
            (Side::Ours, work::start(bench, Side::Ours, &settings)?),
            (Side::Peer, work::start(bench, Side::Peer, &settings)?),
        ];
        bench::alternate(&servers, 1, |_, server| work::fill(bench, server, keys, VALUE_SIZE, random))?;
        for command in ["SAVE", "BGSAVE"] {
            let case = format!("{command} {content}");
            bench::alternate(&servers, bench.options.pairs, |side, server| {
                let (wall_s, cpu_s) = save(server, command)?;
                report.add(side, &case, WALL_S, wall_s);
                report.add(side, &case, CPU_S, cpu_s);
                Ok(())
            })?;
            report.set_bar(&case, WALL_S, BAR);
        }
        let sizes = servers.iter().map(|(_, server)| {
            let size = identity(&server.directory().join("dump.rdb")).map_or(0, |(_, size)| size);
            format!("{} {size}", server.name)
        });
        report.note(format!(
            "{keys} keys, {content}; bytes of the file: {}",
            sizes.collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(())
}

fn save(server: &Server, command: &str) -> Outcome<(f64, f64)> {
    let file = server.directory().join("dump.rdb");
    let old = identity(&file);
    let mut client = server.client()?;
    let begin = || client.text(&[command.as_bytes()]).map(drop);
    timed(server, begin, || identity(&file) != old, "rdb_bgsave_in_progress")
}
