//! LATENCY LATEST, HISTORY, RESET, GRAPH, DOCTOR, HISTOGRAM over all cores.
//!
//! Every core keeps its own samples and histograms; a visit merges them: of one event the samples of all cores by second, the larger one kept;
//! of one command the histograms added. Invariant: a merged series is in order of time and has one sample per second.
//! Bounds: 160 samples per event are shown, as redis keeps them.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::latency_doctor;
use crate::command::reply_error::{ReplyError, quoting};
use crate::observe::latency::{SERIES_LEN, Samples};
use crate::observe::sparkline;
use crate::resp::{Args, Out};
use crate::session::core::Core;
use crate::session::visit::Visit;
use crate::session::{Control, Flow, Session};

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[
    ("latency|latest", latest),
    ("latency|history", history),
    ("latency|reset", reset),
    ("latency|graph", graph),
    ("latency|doctor", doctor),
    ("latency|histogram", histogram),
];

/// Events of all cores.
pub(super) type Events = BTreeMap<&'static str, Samples>;

/// How the merged events are shown.
enum Show {
    Latest,
    History(Vec<u8>),
    Graph(Vec<u8>),
    Doctor,
}

/// Gathers events.
struct Gather {
    events: Events,
    show: Show,
}

impl Visit for Gather {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        for (name, samples) in &core.latency.events {
            self.events.entry(name).or_default().merge(samples);
        }
    }

    fn finish(self: Box<Self>, core: &mut Core, session: &mut Session) {
        let find = |name: &[u8]| self.events.iter().find(|(known, _)| known.as_bytes() == name);
        match &self.show {
            Show::Latest => write_latest(&mut session.out, &self.events),
            Show::History(name) => write_history(&mut session.out, find(name).map(|(_, samples)| samples)),
            Show::Graph(name) => match find(name) {
                Some((name, samples)) => {
                    let now_s = (core.now_ms as i64 + core.wall_offset_ms) / 1000;
                    let text = sparkline::graph(name, samples, now_s);
                    session.out.verbatim("txt", text.as_bytes());
                }
                None => {
                    let text = quoting("ERR No samples available for event '", name, "'");
                    session.out.error_bytes(&text);
                }
            },
            Show::Doctor => {
                let text = latency_doctor::report(core, &self.events);
                session.out.verbatim("txt", text.as_bytes());
            }
        }
    }
}

fn write_latest(out: &mut Out, events: &Events) {
    out.array(events.len());
    for (name, samples) in events {
        let (at_s, latest_ms) = samples.series.last().copied().unwrap_or_default();
        out.array(4);
        out.bulk(name.as_bytes());
        out.integer(at_s);
        out.integer(latest_ms as i64);
        out.integer(samples.max_ms as i64);
    }
}

fn write_history(out: &mut Out, samples: Option<&Samples>) {
    let series = samples.map_or(&[][..], |samples| &samples.series);
    let shown = &series[series.len().saturating_sub(SERIES_LEN)..];
    out.array(shown.len());
    for (at_s, took_ms) in shown {
        out.array(2);
        out.integer(*at_s);
        out.integer(*took_ms as i64);
    }
}

fn gather(show: Show) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Gather { events: Events::new(), show })))
}

fn latest(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    gather(Show::Latest)
}

fn history(_: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    gather(Show::History(args.get(2).to_vec()))
}

fn graph(_: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    gather(Show::Graph(args.get(2).to_vec()))
}

fn doctor(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    gather(Show::Doctor)
}

/// Forgets events, all or those named; replies how many there were.
struct Reset {
    names: Vec<Vec<u8>>,
    gone: std::collections::BTreeSet<&'static str>,
}

impl Visit for Reset {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        let (names, gone) = (&self.names, &mut self.gone);
        core.latency.events.retain(|event, _| {
            let named =
                names.is_empty() || names.iter().any(|name| event.as_bytes().eq_ignore_ascii_case(name));
            if named {
                gone.insert(event);
            }
            !named
        });
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.integer(self.gone.len() as i64);
    }
}

fn reset(_: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let names = args.skip(2).iter().map(<[u8]>::to_vec).collect();
    Ok(Flow::Visit(Box::new(Reset { names, gone: Default::default() })))
}

/// Adds up the histograms of commands.
struct Histograms {
    /// Command ids in the order of the reply; empty for all.
    ids: Vec<u16>,
    all: bool,
    found: BTreeMap<u16, Histogram<u32>>,
}

impl Visit for Histograms {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        for (id, stats) in core.stats.by_command.iter().enumerate() {
            let id = id as u16;
            let Some(own) = stats.histogram.as_deref() else { continue };
            if !self.all && !self.ids.contains(&id) {
                continue;
            }
            match self.found.get_mut(&id) {
                // Same bounds and precision: cannot fail.
                Some(total) => drop(total.add(own)),
                None => drop(self.found.insert(id, own.clone())),
            }
        }
    }

    fn finish(mut self: Box<Self>, core: &mut Core, session: &mut Session) {
        if self.all {
            self.ids = self.found.keys().copied().collect();
        }
        let found: Vec<_> = self.ids.iter().filter_map(|id| Some((*id, self.found.get(id)?))).collect();
        session.out.map(found.len());
        for (id, histogram) in found {
            let row = core.shared.table.command(id).row;
            session.out.bulk(row.full_name.as_bytes());
            write_histogram(&mut session.out, histogram);
        }
    }
}

/// Cumulative counts at powers of two of 1.024 microseconds, where they grow.
fn write_histogram(out: &mut Out, histogram: &Histogram<u32>) {
    let mut steps = Vec::new();
    let (mut level, mut before) = (1024u64, 0);
    while before < histogram.len() && level <= histogram.high().saturating_mul(2) {
        let bound = histogram.highest_equivalent(level);
        let count = histogram.count_between(0, bound);
        if count > before {
            steps.push((bound / 1000, count));
        }
        before = count;
        level *= 2;
    }
    out.map(2);
    out.bulk(b"calls");
    out.integer(histogram.len() as i64);
    out.bulk(b"histogram_usec");
    out.map(steps.len());
    for (micros, count) in steps {
        out.integer(micros as i64);
        out.integer(count as i64);
    }
}

fn histogram(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let table = &core.shared.table;
    let mut ids = Vec::new();
    for name in args.skip(2).iter() {
        let Some(command) = table.by_client_name(name) else { continue };
        ids.push(command.id);
        ids.extend(table.subcommands(command).map(|sub| sub.id));
    }
    let all = args.len() == 2;
    Ok(Flow::Visit(Box::new(Histograms { ids, all, found: BTreeMap::new() })))
}
