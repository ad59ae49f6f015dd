//! CLIENT commands about the calling connection, and PAUSE and UNBLOCK, which concern others.
//!
//! Texts and checks are redis'. A name set here reaches the home core's shadow when the session comes home
//! (`connection::park`). Invariant: names and library facts hold only visible characters, so that a CLIENT LIST line stays a line.

use super::super::blocking::Unblock;
use super::super::core::Core;
use super::super::visit::Visit;
use super::super::{Control, Flow, ReplyMode, Session, client_flag};
use super::connection::{BAD_NAME, is_plain};
use super::{at_most, fail, is};
use crate::base::number::parse_i64;
use crate::command::reply_error::{ReplyError, quoting};
use crate::resp::Args;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[
    ("client|id", id),
    ("client|getname", getname),
    ("client|setname", setname),
    ("client|setinfo", setinfo),
    ("client|no-evict", no_evict),
    ("client|no-touch", no_touch),
    ("client|reply", reply),
    ("client|pause", pause),
    ("client|unpause", unpause),
    ("client|unblock", unblock),
];

fn id(_: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.integer(session.id as i64);
    Ok(Flow::Done)
}

fn getname(_: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    if session.client.name.is_empty() {
        session.out.null();
    } else {
        session.out.bulk(&session.client.name);
    }
    Ok(Flow::Done)
}

fn setname(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    if !is_plain(args.get(2)) {
        return Err(BAD_NAME);
    }
    session.client.set_name(args.get(2));
    session.out.ok();
    Ok(Flow::Done)
}

fn setinfo(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let (option, value) = (args.get(2), args.get(3));
    let place = if is(option, "lib-name") {
        &mut session.client.lib_name
    } else if is(option, "lib-ver") {
        &mut session.client.lib_ver
    } else {
        let text = quoting("ERR Unrecognized option '", option, "'");
        return Err(fail(core, text));
    };
    if !is_plain(value) {
        let text = quoting("ERR ", option, " cannot contain spaces, newlines or special characters.");
        return Err(fail(core, text));
    }
    *place = value.to_vec();
    session.client.labels_changed = true;
    session.out.ok();
    Ok(Flow::Done)
}

/// Sets or clears a flag by ON or OFF.
fn switch(session: &mut Session, word: &[u8], bit: u32) -> Result<Flow, ReplyError> {
    if is(word, "on") {
        session.client.flags |= bit;
    } else if is(word, "off") {
        session.client.flags &= !bit;
    } else {
        return Err(ReplyError::Syntax);
    }
    session.out.ok();
    Ok(Flow::Done)
}

fn no_evict(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    switch(session, args.get(2), client_flag::NO_EVICT)
}

fn no_touch(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    switch(session, args.get(2), client_flag::NO_TOUCH)
}

fn reply(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let word = args.get(2);
    if is(word, "on") {
        session.client.reply = ReplyMode::On;
        session.out.ok();
    } else if is(word, "off") {
        session.client.reply = ReplyMode::Off;
    } else if is(word, "skip") {
        if session.client.reply != ReplyMode::Off {
            session.client.reply = ReplyMode::SkipNext;
        }
    } else {
        return Err(ReplyError::Syntax);
    }
    Ok(Flow::Done)
}

/// CLIENT PAUSE and UNPAUSE on every core.
struct SetPause {
    /// Internal time until which commands wait; 0 lets them go.
    until_ms: u64,
    all: bool,
}

impl Visit for SetPause {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        let pause = &mut core.paused;
        if self.until_ms == 0 {
            pause.until_ms = 0;
            pause.all = false;
            return;
        }
        let running = pause.until_ms > core.now_ms;
        pause.all = self.all || (running && pause.all);
        pause.until_ms = if running { self.until_ms.max(pause.until_ms) } else { self.until_ms };
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.ok();
    }
}

fn pause(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 4)?;
    let all = match args.get_checked(3) {
        None => true,
        Some(word) if is(word, "all") => true,
        Some(word) if is(word, "write") => false,
        Some(_) => return Err(ReplyError::Text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let Some(timeout_ms) = parse_i64(args.get(2)) else {
        return Err(ReplyError::TimeoutNotInteger);
    };
    let Ok(timeout_ms) = u64::try_from(timeout_ms) else {
        return Err(ReplyError::TimeoutNegative);
    };
    let until_ms = core.now_ms.saturating_add(timeout_ms);
    Ok(Flow::Visit(Box::new(SetPause { until_ms, all })))
}

fn unpause(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(SetPause { until_ms: 0, all: false })))
}

/// CLIENT UNBLOCK: the client's home core, whichever that is, ends its wait.
struct WakeUp {
    id: u64,
    how: Unblock,
    found: bool,
}

impl Visit for WakeUp {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        self.found = self.found || core.unblock_client(self.id, self.how);
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.integer(i64::from(self.found));
    }
}

fn unblock(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 4)?;
    let how = match args.get_checked(3) {
        None => Unblock::Timeout,
        Some(word) if is(word, "timeout") => Unblock::Timeout,
        Some(word) if is(word, "error") => Unblock::Error,
        Some(_) => return Err(ReplyError::Text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = parse_i64(args.get(2)).ok_or(ReplyError::NotInteger)? as u64;
    Ok(Flow::Visit(Box::new(WakeUp { id, how, found: false })))
}
