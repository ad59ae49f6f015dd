//! INFO: figures gathered over all cores, then written section by section.
//!
//! [`Gather`] is the visit: [`gather`] adds up what each core counts (it needs the core's shard), and at the origin the sections below
//! write redis' fields in redis' order. A field whose subsystem does not exist here shows what redis shows without it.
//! Invariant: every number has a source. Bounds: one [`gather::Totals`], whatever the number of cores.

mod clients;
mod commands;
mod cores;
mod gather;
pub mod memory;
mod persistence;
mod replication;
mod server;
mod stats;

use std::fmt::Write;

pub use gather::{PerCore, Totals};

use crate::command::reply_error::ReplyError;
use crate::resp::Args;
use crate::session::core::Core;
use crate::session::visit::Visit;
use crate::session::{Flow, Session};

/// A section: its name, whether a plain INFO shows it, whether `all` does, and its body.
type Section = (&'static str, bool, bool, fn(&Core, &Totals, &mut String));

/// The sections in redis' order; our own is last.
const SECTIONS: &[Section] = &[
    ("server", true, true, server::server),
    ("clients", true, true, clients::clients),
    ("memory", true, true, memory::memory),
    ("persistence", true, true, persistence::persistence),
    ("stats", true, true, stats::stats),
    ("replication", true, true, replication::replication),
    ("cpu", true, true, server::cpu),
    ("module_list", true, true, |_, _, text| text.push_str("# Modules\r\n")),
    ("commandstats", false, true, commands::commandstats),
    ("errorstats", true, true, commands::errorstats),
    ("latencystats", false, true, commands::latencystats),
    ("cluster", true, true, |_, _, text| text.push_str("# Cluster\r\ncluster_enabled:0\r\n")),
    ("keyspace", true, true, persistence::keyspace),
    ("cores", true, true, cores::cores),
];

/// Which sections are wanted, as bits of [`SECTIONS`].
fn wanted(args: &Args<'_>) -> u32 {
    let mut bits = 0;
    let mut add = |choose: &dyn Fn(&Section) -> bool| {
        for (at, section) in SECTIONS.iter().enumerate() {
            bits |= u32::from(choose(section)) << at;
        }
    };
    if args.len() == 1 {
        add(&|section| section.1);
    }
    for word in args.skip(1).iter() {
        match word.to_ascii_lowercase().as_slice() {
            b"default" => add(&|section| section.1),
            b"all" => add(&|section| section.2),
            b"everything" => add(&|_| true),
            // The section's two names.
            b"modules" => add(&|section| section.0 == "module_list"),
            name => add(&|section| section.0.as_bytes() == name),
        }
    }
    bits
}

/// INFO under way.
struct Gather {
    wanted: u32,
    totals: Totals,
}

impl Visit for Gather {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        self.totals.add(core, session);
    }

    fn finish(self: Box<Self>, core: &mut Core, session: &mut Session) {
        session.out.verbatim("txt", write(core, &self.totals, self.wanted).as_bytes());
    }

    fn needs_shard(&self) -> bool {
        true
    }
}

/// The text of the sections in `bits`.
fn write(core: &Core, totals: &Totals, bits: u32) -> String {
    let mut text = String::with_capacity(8192);
    for (at, section) in SECTIONS.iter().enumerate() {
        if bits & (1 << at) == 0 {
            continue;
        }
        let start = text.len();
        if start > 0 {
            text.push_str("\r\n");
        }
        let headed = text.len();
        section.3(core, totals, &mut text);
        if text.len() == headed {
            text.truncate(start);
        }
    }
    text
}

/// INFO [section ...].
pub fn info(_: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Gather { wanted: wanted(args), totals: Totals::default() })))
}

/// One `name:value` line.
fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(text, "{name}:{value}\r\n");
}

/// Bytes as redis writes them for people.
pub fn human(bytes: u64) -> String {
    let scaled = |power: u32| bytes as f64 / (1u64 << (10 * power)) as f64;
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..0x10_0000 => format!("{:.2}K", scaled(1)),
        0x10_0000..0x4000_0000 => format!("{:.2}M", scaled(2)),
        0x4000_0000..0x100_0000_0000 => format!("{:.2}G", scaled(3)),
        0x100_0000_0000..0x4_0000_0000_0000 => format!("{:.2}T", scaled(4)),
        _ => format!("{:.2}P", scaled(5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people_are_those_of_redis() {
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(916_320), "894.84K");
        assert_eq!(human(12_275_712), "11.71M");
        assert_eq!(human(25_276_514_304), "23.54G");
    }

    #[test]
    fn every_section_has_a_bit() {
        assert!(SECTIONS.len() <= 32);
    }
}
