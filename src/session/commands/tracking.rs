//! CLIENT TRACKING, TRACKINGINFO, CACHING, GETREDIR.
//!
//! Options and checks are redis', in its order. Tracking is a property of the connection, so [`Change`] ends at the client's home: first it looks for the client that is
//! redirected to (a lap over all cores, if one is named), then the home judges, then, for BCAST, a second lap makes the prefixes known to every core. Invariant: when
//! OK leaves, every core reports what this client must hear. Bounds: two laps.

use std::collections::BTreeSet;

use super::super::core::Core;
use super::super::tracking::{Target, TrackingState};
use super::super::visit::Visit;
use super::super::{Control, Flow, Session, client_flag};
use super::is;
use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::resp::{Args, Out};

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[
    ("client|tracking", tracking),
    ("client|trackinginfo", trackinginfo),
    ("client|caching", caching),
    ("client|getredir", getredir),
];

const SINGLE_TARGET: &str = "ERR A client can only redirect to a single other client";
const NO_TARGET: &str = "ERR The client ID you want redirect to does not exist";
const SYNTAX: &str = "ERR syntax error";
const NEEDS_BCAST: &str = "ERR PREFIX option requires BCAST mode to be enabled";
const OTHER_BCAST: &str = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
const OPT_AND_BCAST: &str = "ERR OPTIN and OPTOUT are not compatible with BCAST";
const BOTH_OPTS: &str = "ERR You can't specify both OPTIN mode and OPTOUT mode";
const OTHER_OPT: &str = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";

/// CLIENT TRACKING on its way.
#[derive(Default)]
struct Change {
    on: bool,
    /// `client_flag` bits asked for.
    options: u32,
    prefixes: Vec<Box<[u8]>>,
    /// The id to redirect to, 0 if none, and who that is.
    redirect: u64,
    target: Option<Target>,
    /// What is wrong behind the option REDIRECT: said if its client exists.
    mistake: Option<&'static str>,
    /// Cores looked at for the target.
    searched: usize,
    stops: usize,
    is_judged: bool,
    /// Prefixes taken up or given up, for the second lap.
    changed: Vec<Box<[u8]>>,
    replies: Out,
}

fn tracking(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let mut change = Change::default();
    let mut at = 3;
    while at < args.len() && change.mistake.is_none() {
        let (option, value) = (args.get(at), args.get_checked(at + 1));
        at += 1;
        match value {
            Some(id) if is(option, "redirect") => {
                at += 1;
                if change.redirect != 0 {
                    change.mistake = Some(SINGLE_TARGET);
                    break;
                }
                match parse_i64(id) {
                    Some(0) => change.mistake = Some(NO_TARGET),
                    // No client has a negative id, nor this one.
                    Some(id) => change.redirect = u64::try_from(id).unwrap_or(u64::MAX),
                    None => change.mistake = Some("ERR value is not an integer or out of range"),
                }
            }
            Some(prefix) if is(option, "prefix") => {
                at += 1;
                change.prefixes.push(prefix.into());
            }
            _ if is(option, "bcast") => change.options |= client_flag::TRACK_BCAST,
            _ if is(option, "optin") => change.options |= client_flag::TRACK_OPTIN,
            _ if is(option, "optout") => change.options |= client_flag::TRACK_OPTOUT,
            _ if is(option, "noloop") => change.options |= client_flag::TRACK_NOLOOP,
            _ => change.mistake = Some(SYNTAX),
        }
    }
    change.on = is(args.get(2), "on");
    if !change.on && !is(args.get(2), "off") && change.mistake.is_none() {
        change.mistake = Some(SYNTAX);
    }
    if let (Some(mistake), 0) = (change.mistake, change.redirect) {
        return Err(ReplyError::Text(mistake));
    }
    let lap = core.cores();
    let search = if change.redirect != 0 { lap } else { 1 };
    let tells_all = change.options & client_flag::TRACK_BCAST != 0
        || session.client.flags & client_flag::TRACK_BCAST != 0;
    change.stops = search + if tells_all { lap } else { 0 };
    change.replies.set_proto(session.out.proto());
    Ok(Flow::Visit(Box::new(change)))
}

impl Visit for Change {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        if self.is_judged {
            self.changed.iter().for_each(|prefix| core.tracking.count_prefix(prefix, self.on));
            return;
        }
        self.searched += 1;
        if self.redirect != 0 {
            let own = core.id();
            let found = core.connections.iter().find(|(_, conn)| conn.id == self.redirect && !conn.dead);
            self.target =
                self.target.or(found.map(|(conn, _)| Target { id: self.redirect, core: own, conn }));
        }
        let laps = if self.redirect != 0 { core.cores() } else { 1 };
        if self.searched == laps {
            self.is_judged = true;
            self.judge(core, session);
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.append(&self.replies);
    }

    fn ends_at_home(&self) -> bool {
        true
    }

    fn stops(&self, _: usize) -> usize {
        self.stops
    }
}

impl Change {
    /// At home: the checks in redis' order, then the change.
    fn judge(&mut self, core: &mut Core, session: &mut Session) {
        if let Some(mistake) = self.mistake(session.client.flags) {
            return self.replies.error_text(mistake);
        }
        let Some(conn) = core.connections.get_mut(session.conn) else { return };
        if !self.on {
            if let Some(state) = conn.tracking.take() {
                core.tracking.members.remove(&session.conn);
                self.changed = state.prefixes.into_iter().collect();
            }
            session.client.flags &= !client_flag::TRACK_ALL;
            return self.replies.ok();
        }
        let known = conn.tracking.as_ref().map(|state| &state.prefixes);
        if self.options & client_flag::TRACK_BCAST != 0
            && let Some(Collision { text, is_fatal }) = collision(known, &self.prefixes)
        {
            self.replies.error_bytes(&text);
            if is_fatal {
                return;
            }
        }
        let state = conn.tracking.get_or_insert_with(Box::<TrackingState>::default);
        (state.target, state.is_broken) = (self.target, false);
        state.is_bcast = self.options & client_flag::TRACK_BCAST != 0;
        state.is_noloop = self.options & client_flag::TRACK_NOLOOP != 0;
        if state.is_bcast {
            let all = [Box::default()];
            let prefixes = if self.prefixes.is_empty() { &all[..] } else { &self.prefixes[..] };
            let fresh = prefixes.iter().filter(|prefix| state.prefixes.insert((*prefix).clone()));
            self.changed = fresh.cloned().collect();
        }
        core.tracking.members.insert(session.conn);
        let caching = session.client.flags & client_flag::TRACK_CACHING;
        session.client.flags &= !client_flag::TRACK_ALL;
        session.client.flags |= client_flag::TRACKING | self.options | caching;
        if self.target.as_ref().is_some_and(|target| target.id != session.id) {
            session.client.flags |= client_flag::TRACK_REDIRECT;
        }
        self.replies.ok();
    }

    /// The first thing that is wrong.
    fn mistake(&self, flags: u32) -> Option<&'static str> {
        let (bcast, optin, optout) =
            (client_flag::TRACK_BCAST, client_flag::TRACK_OPTIN, client_flag::TRACK_OPTOUT);
        let asks = |bit: u32| self.options & bit != 0;
        let has = |bit: u32| flags & bit != 0;
        if self.redirect != 0 && self.target.is_none() {
            return Some(NO_TARGET);
        }
        if self.mistake.is_some() || !self.on {
            return self.mistake;
        }
        if !asks(bcast) && !self.prefixes.is_empty() {
            return Some(NEEDS_BCAST);
        }
        if has(client_flag::TRACKING) && has(bcast) != asks(bcast) {
            return Some(OTHER_BCAST);
        }
        if asks(bcast) && (asks(optin) || asks(optout)) {
            return Some(OPT_AND_BCAST);
        }
        if asks(optin) && asks(optout) {
            return Some(BOTH_OPTS);
        }
        if (asks(optin) && has(optout)) || (asks(optout) && has(optin)) {
            return Some(OTHER_OPT);
        }
        None
    }
}

/// Two prefixes one of which begins with the other.
struct Collision {
    text: Vec<u8>,
    /// Redis 7.0 enables tracking all the same if it found it between later prefixes of the command.
    is_fatal: bool,
}

fn collision(known: Option<&BTreeSet<Box<[u8]>>>, given: &[Box<[u8]>]) -> Option<Collision> {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let text = |prefix: &[u8], kind: &str, other: &[u8]| {
        let parts = [b"ERR Prefix '", prefix, b"' overlaps with ", kind.as_bytes(), b" prefix '", other];
        [&parts.concat()[..], b"'. Prefixes for a single client must not overlap."].concat()
    };
    for (index, prefix) in given.iter().enumerate() {
        let mut known = known.into_iter().flatten();
        if let Some(other) = known.find(|other| overlap(other, prefix)) {
            return Some(Collision { text: text(prefix, "an existing", other), is_fatal: true });
        }
        if let Some(other) = given[index + 1..].iter().find(|other| overlap(other, prefix)) {
            return Some(Collision { text: text(prefix, "another provided", other), is_fatal: index == 0 });
        }
    }
    None
}

/// CLIENT TRACKINGINFO and GETREDIR: read where it is kept.
struct Look {
    redirect_only: bool,
}

impl Visit for Look {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        let state = core.connections.get(session.conn).and_then(|conn| conn.tracking.as_deref());
        let redirect = state.map_or(-1, |state| state.target.map_or(0, |target| target.id as i64));
        let flags = session.client.flags;
        let out = &mut session.out;
        if self.redirect_only {
            return out.integer(redirect);
        }
        out.map(3);
        out.bulk(b"flags");
        let caching = flags & client_flag::TRACK_CACHING != 0;
        let mut words = vec![if state.is_some() { "on" } else { "off" }];
        let mut word = |on: bool, word: &'static str| words.extend(on.then_some(word));
        word(flags & client_flag::TRACK_BCAST != 0, "bcast");
        word(flags & client_flag::TRACK_OPTIN != 0, "optin");
        word(flags & client_flag::TRACK_OPTIN != 0 && caching, "caching-yes");
        word(flags & client_flag::TRACK_OPTOUT != 0, "optout");
        word(flags & client_flag::TRACK_OPTOUT != 0 && caching, "caching-no");
        word(flags & client_flag::TRACK_NOLOOP != 0, "noloop");
        word(state.is_some_and(|state| state.is_broken), "broken_redirect");
        out.set(words.len());
        words.iter().for_each(|word| out.bulk(word.as_bytes()));
        out.bulk(b"redirect");
        out.integer(redirect);
        out.bulk(b"prefixes");
        let prefixes = state.map(|state| &state.prefixes);
        out.array(prefixes.map_or(0, BTreeSet::len));
        prefixes.into_iter().flatten().for_each(|prefix| out.bulk(prefix));
    }

    fn finish(self: Box<Self>, _: &mut Core, _: &mut Session) {}

    fn ends_at_home(&self) -> bool {
        true
    }

    fn stops(&self, _: usize) -> usize {
        1
    }
}

fn trackinginfo(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Look { redirect_only: false })))
}

fn getredir(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Look { redirect_only: true })))
}

fn caching(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let flags = &mut session.client.flags;
    if *flags & client_flag::TRACKING == 0 {
        return Err(ReplyError::Text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    }
    let (mode, mistake) = if is(args.get(2), "yes") {
        let mistake = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
        (client_flag::TRACK_OPTIN, mistake)
    } else if is(args.get(2), "no") {
        let mistake = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";
        (client_flag::TRACK_OPTOUT, mistake)
    } else {
        return Err(ReplyError::Syntax);
    };
    if *flags & mode == 0 {
        return Err(ReplyError::Text(mistake));
    }
    *flags |= client_flag::TRACK_CACHING;
    session.out.ok();
    Ok(Flow::Done)
}
