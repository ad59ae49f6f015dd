//! SLOWLOG GET, LEN, RESET: the slow logs of all cores as one, newest first.
//!
//! Every core keeps its own (`observe::slowlog`); a visit gathers them. Invariant: ids are one sequence for all cores, so sorting by id is
//! sorting by time. Bounds: slowlog-max-len entries per core are gathered, and at most as many in all are shown.

use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::observe::slowlog::Entry;
use crate::resp::{Args, Out};
use crate::session::commands::at_most;
use crate::session::core::Core;
use crate::session::visit::Visit;
use crate::session::{Control, Flow, Session};

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] =
    &[("slowlog|get", get), ("slowlog|len", len), ("slowlog|reset", reset)];

/// What SLOWLOG GET shows without a count.
const DEFAULT_COUNT: usize = 10;

/// Gathers entries.
struct Gather {
    count: usize,
    entries: Vec<Entry>,
}

impl Visit for Gather {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        let newest = core.slowlog.entries.iter().take(self.count);
        self.entries.extend(newest.cloned());
    }

    fn finish(mut self: Box<Self>, core: &mut Core, session: &mut Session) {
        self.entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.id));
        self.entries.truncate(self.count.min(core.settings.slowlog_max_len));
        session.out.array(self.entries.len());
        self.entries.iter().for_each(|entry| write(&mut session.out, entry));
    }
}

fn write(out: &mut Out, entry: &Entry) {
    out.array(6);
    out.integer(entry.id as i64);
    out.integer(entry.at_s);
    out.integer(entry.took_us as i64);
    out.array(entry.words.len());
    entry.words.iter().for_each(|word| out.bulk(word));
    out.bulk(entry.peer.as_bytes());
    out.bulk(&entry.name);
}

fn get(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 3)?;
    let count = match args.get_checked(2).map(parse_i64) {
        None => DEFAULT_COUNT,
        Some(Some(-1)) => usize::MAX,
        Some(Some(count)) if count >= 0 => count as usize,
        Some(_) => return Err(ReplyError::Text("ERR count should be greater than or equal to -1")),
    };
    Ok(Flow::Visit(Box::new(Gather { count, entries: Vec::new() })))
}

/// Counts entries.
struct Count(usize);

impl Visit for Count {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        self.0 += core.slowlog.entries.len();
    }

    fn finish(self: Box<Self>, core: &mut Core, session: &mut Session) {
        session.out.integer(self.0.min(core.settings.slowlog_max_len) as i64);
    }
}

fn len(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Count(0))))
}

/// Forgets entries.
struct Clear;

impl Visit for Clear {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        core.slowlog.entries.clear();
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.ok();
    }
}

fn reset(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Clear)))
}
