//! `rewrite`: BGREWRITEAOF of 1 M keys x 100 bytes without traffic: wall and CPU time until the manifest names the new base.

use std::path::Path;

use super::save::{KEYS, VALUE_SIZE};
use crate::Outcome;
use crate::bench::{self, Bench, Side};
use crate::report::Report;
use crate::work::{self, CPU_S, WALL_S, timed};

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let keys = bench.scaled(KEYS, 10_000);
    let settings =
        [("appendonly", "yes"), ("auto-aof-rewrite-percentage", "0"), ("aof-use-rdb-preamble", "yes")];
    let servers = [
        (Side::Ours, work::start(bench, Side::Ours, &settings)?),
        (Side::Peer, work::start(bench, Side::Peer, &settings)?),
    ];
    bench::alternate(&servers, 1, |_, server| work::fill(bench, server, keys, VALUE_SIZE, false))?;
    bench::alternate(&servers, bench.options.pairs, |side, server| {
        let manifest = server.directory().join("appendonlydir/appendonly.aof.manifest");
        let old = base_of(&manifest);
        let mut client = server.client()?;
        let begin = || client.text(&[b"BGREWRITEAOF"]).map(drop);
        let (wall_s, cpu_s) = timed(server, begin, || base_of(&manifest) != old, "aof_rewrite_in_progress")?;
        report.add(side, "BGREWRITEAOF", WALL_S, wall_s);
        report.add(side, "BGREWRITEAOF", CPU_S, cpu_s);
        Ok(())
    })?;
    report.note(format!("{keys} keys; redis-server notices its child's end ten times a second"));
    Ok(())
}

/// The line of the base in a manifest; an unreadable one (being replaced) is none.
fn base_of(manifest: &Path) -> Option<String> {
    let text = std::fs::read_to_string(manifest).ok()?;
    text.lines().find(|line| line.ends_with("type b")).map(str::to_owned)
}
