//! SUBSCRIBE, UNSUBSCRIBE, PSUBSCRIBE, PUNSUBSCRIBE, PUBLISH, PUBSUB.
//!
//! The client's own list lives in its session; [`Change`] carries joins and leaves to every core. The acknowledgements are
//! written before the journey but leave only when the session is home, and messages wait for the session at home: so an
//! acknowledgement always precedes its channel's first message. Bounds: none beside memory, as in redis.

use super::super::core::Core;
use super::super::pubsub::{Change, Receiver};
use super::super::{Control, Flow, Session, client_flag};
use super::at_most;
use crate::base::glob::glob_match;
use crate::command::reply_error::ReplyError;
use crate::resp::Args;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[
    ("subscribe", subscribe),
    ("unsubscribe", unsubscribe),
    ("psubscribe", psubscribe),
    ("punsubscribe", punsubscribe),
    ("publish", publish),
    ("pubsub|channels", pubsub_channels),
    ("pubsub|numsub", pubsub_numsub),
    ("pubsub|numpat", pubsub_numpat),
];

/// One acknowledgement: what happened, to which name, and how many subscriptions there are now.
fn acknowledge(session: &mut Session, kind: &[u8], name: Option<&[u8]>) {
    let count = session.client.channels.len() + session.client.patterns.len();
    session.out.push(3);
    session.out.bulk(kind);
    match name {
        Some(name) => session.out.bulk(name),
        None => session.out.null(),
    }
    session.out.integer(count as i64);
}

fn change(session: &mut Session, names: Vec<Vec<u8>>, patterns: bool, join: bool) -> Flow {
    if session.client.channels.is_empty() && session.client.patterns.is_empty() {
        session.client.flags &= !client_flag::PUBSUB;
    } else {
        session.client.flags |= client_flag::PUBSUB;
    }
    if names.is_empty() {
        return Flow::Done;
    }
    let receiver =
        Receiver { core: session.home, conn: session.conn, id: session.id, proto: session.out.proto() };
    Flow::Visit(Box::new(Change { names, patterns, join, receiver }))
}

/// Joins the channels or patterns named.
fn join(session: &mut Session, args: &Args<'_>, patterns: bool) -> Flow {
    let kind: &[u8] = if patterns { b"psubscribe" } else { b"subscribe" };
    let mut fresh = Vec::new();
    for name in args.skip(1).iter() {
        let list = if patterns { &mut session.client.patterns } else { &mut session.client.channels };
        if !list.iter().any(|known| known == name) {
            list.push(name.to_vec());
            fresh.push(name.to_vec());
        }
        acknowledge(session, kind, Some(name));
    }
    change(session, fresh, patterns, true)
}

/// Leaves the channels or patterns named, or all.
fn leave(session: &mut Session, args: &Args<'_>, patterns: bool) -> Flow {
    let kind: &[u8] = if patterns { b"punsubscribe" } else { b"unsubscribe" };
    let list = if patterns { &session.client.patterns } else { &session.client.channels };
    let names: Vec<Vec<u8>> = match args.len() {
        1 => list.clone(),
        _ => args.skip(1).iter().map(<[u8]>::to_vec).collect(),
    };
    if names.is_empty() {
        acknowledge(session, kind, None);
    }
    let mut left = Vec::new();
    for name in names {
        let list = if patterns { &mut session.client.patterns } else { &mut session.client.channels };
        let before = list.len();
        list.retain(|known| *known != name);
        let was_there = list.len() < before;
        acknowledge(session, kind, Some(&name));
        if was_there {
            left.push(name);
        }
    }
    change(session, left, patterns, false)
}

fn subscribe(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(join(session, args, false))
}

fn psubscribe(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(join(session, args, true))
}

fn unsubscribe(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(leave(session, args, false))
}

fn punsubscribe(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(leave(session, args, true))
}

fn publish(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let receivers = core.publish(args.get(1), args.get(2));
    session.out.integer(receivers as i64);
    Ok(Flow::Done)
}

fn pubsub_channels(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 3)?;
    let pattern = args.get_checked(2);
    let wanted = |name: &&Vec<u8>| pattern.is_none_or(|pattern| glob_match(pattern, name, false));
    let names: Vec<&Vec<u8>> = core.pubsub.channels.keys().filter(wanted).collect();
    session.out.array(names.len());
    names.iter().for_each(|name| session.out.bulk(name));
    Ok(Flow::Done)
}

fn pubsub_numsub(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let names = args.skip(2);
    session.out.array(names.len() * 2);
    for name in names.iter() {
        session.out.bulk(name);
        session.out.integer(core.pubsub.channels.get(name).map_or(0, Vec::len) as i64);
    }
    Ok(Flow::Done)
}

fn pubsub_numpat(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.integer(core.pubsub.patterns.len() as i64);
    Ok(Flow::Done)
}
