//! `load`: from the start of the process to its first PONG, with an RDB file of 1 M keys x 100 bytes, and with an AOF of the same as commands.
//!
//! Bars (issue 4): half of the peer's time. The files are the peer's, a copy for each side, in the page cache on both.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::save::{KEYS, VALUE_SIZE};
use crate::Outcome;
use crate::bench::{Bench, Side};
use crate::report::Report;
use crate::work::{self, CPU_S, WALL_S, cpu_s};

const BAR: f64 = 0.5;

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let keys = bench.scaled(KEYS, 10_000);
    let empty = |report: &mut Report| -> Outcome<()> {
        for _ in 0..bench.options.pairs {
            for side in [Side::Ours, Side::Peer] {
                measure(bench, report, side, "nothing", None, "no", 0)?;
            }
        }
        Ok(())
    };
    empty(report)?;
    for (case, appendonly) in [("RDB compressible", "no"), ("RDB random", "no"), ("AOF commands", "yes")] {
        let source = make(bench, keys, case.ends_with("random"), appendonly)?;
        let copies = [Side::Ours, Side::Peer].map(|side| (side, source.with_extension(format!("{side:?}"))));
        for (_, copy) in &copies {
            copy_all(&source, copy)?;
        }
        for _ in 0..bench.options.pairs {
            for (side, copy) in &copies {
                measure(bench, report, *side, case, Some(copy), appendonly, keys)?;
            }
        }
        report.set_bar(case, WALL_S, BAR);
    }
    report
        .note(format!("{keys} keys; the start of an empty server is in every figure: see the case nothing"));
    Ok(())
}

fn measure(
    bench: &Bench,
    report: &mut Report,
    side: Side,
    case: &str,
    files: Option<&Path>,
    appendonly: &str,
    keys: u64,
) -> Outcome<()> {
    let path = files.map(|path| path.display().to_string());
    let mut directives = vec![("appendonly", appendonly)];
    directives.extend(path.as_deref().map(|path| ("dir", path)));
    let started = Instant::now();
    let server = work::start(bench, side, &directives)?;
    let wall_s = started.elapsed().as_secs_f64();
    let held = server.client()?.integer(&[b"DBSIZE"])?;
    if held != keys as i64 {
        return Err(format!("{} has {held} keys of {keys} after its start", server.name).into());
    }
    report.add(side, case, WALL_S, wall_s);
    report.add(side, case, CPU_S, cpu_s(server.pid())?);
    Ok(())
}

/// Lets the peer write the files of a case.
fn make(bench: &Bench, keys: u64, random: bool, appendonly: &str) -> Outcome<PathBuf> {
    let settings = [("appendonly", appendonly), ("auto-aof-rewrite-percentage", "0"), ("appendfsync", "no")];
    let server = work::start(bench, Side::Peer, &settings)?;
    work::fill(bench, &server, keys, VALUE_SIZE, random)?;
    if appendonly == "no" {
        server.client()?.text(&[b"SAVE"])?;
    }
    let directory = server.directory().to_owned();
    // Ended in order: the AOF is whole.
    drop(server);
    Ok(directory)
}

/// Copies a directory of files and directories; logs come along and do no harm.
fn copy_all(from: &Path, to: &Path) -> Outcome<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
