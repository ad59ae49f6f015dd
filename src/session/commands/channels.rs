//! SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, their opposites, PUBLISH, SPUBLISH, PUBSUB.
//!
//! The client's own list lives in its session; [`Change`] carries joins and leaves to every core, the client's home last: only there do
//! messages begin or cease to flow, and the acknowledgements are committed in the same step. So none of a name's messages precedes the
//! acknowledgement of joining it or follows that of leaving it. Bounds: none beside memory, as in redis.

use super::super::core::Core;
use super::super::pubsub::{Kind, Receiver, Subscriptions};
use super::super::visit::{Visit, shard_of};
use super::super::{Control, Flow, Session, client_flag};
use super::at_most;
use crate::base::glob::glob_match;
use crate::command::reply_error::ReplyError;
use crate::resp::{Args, Out};
use crate::shard::execute;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[
    ("subscribe", |_, session, args| Ok(join(session, args, Kind::Channel))),
    ("psubscribe", |_, session, args| Ok(join(session, args, Kind::Pattern))),
    ("ssubscribe", ssubscribe),
    ("unsubscribe", |_, session, args| Ok(leave(session, args, Kind::Channel))),
    ("punsubscribe", |_, session, args| Ok(leave(session, args, Kind::Pattern))),
    ("sunsubscribe", |_, session, args| Ok(leave(session, args, Kind::Shard))),
    ("publish", publish),
    ("spublish", publish),
    ("pubsub|channels", channels),
    ("pubsub|shardchannels", channels),
    ("pubsub|numsub", numsub),
    ("pubsub|shardnumsub", numsub),
    ("pubsub|numpat", numpat),
];

/// Joins or leaves, on their way round the cores.
struct Change {
    kind: Kind,
    join: bool,
    /// What really changes.
    names: Vec<Box<[u8]>>,
    /// The first subscription of the client (1), its last (-1), or neither.
    clients: i8,
    /// The acknowledgements.
    replies: Out,
}

impl Visit for Change {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        let (kind, join, home) = (self.kind, self.join, session.home);
        let at_home = home == core.id();
        let receiver = Receiver { id: session.id, conn: session.conn, proto: session.out.proto() };
        for name in &self.names {
            if !join && at_home {
                core.pubsub.leave(kind, name, receiver.id);
            }
            core.pubsub.count(kind, name, home, join);
            if join && at_home {
                core.pubsub.join(kind, name, receiver);
            }
        }
        if at_home {
            core.pubsub.clients = core.pubsub.clients.wrapping_add_signed(self.clients as isize);
            session.out.append(&self.replies);
            // CLIENT REPLY OFF and SKIP do not concern them.
            session.reply_mark = session.out.mark();
            core.commit(session);
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: &mut Session) {}

    fn ends_at_home(&self) -> bool {
        true
    }
}

/// Collects acknowledgements and what changes.
struct Draft<'a> {
    session: &'a mut Session,
    kind: Kind,
    join: bool,
    names: Vec<Box<[u8]>>,
    replies: Out,
    had_any: bool,
}

impl<'a> Draft<'a> {
    fn new(session: &'a mut Session, kind: Kind, join: bool) -> Draft<'a> {
        let mut replies = Out::new();
        replies.set_proto(session.out.proto());
        let had_any = session.client.subscriptions.is_some();
        Draft { session, kind, join, names: Vec::new(), replies, had_any }
    }

    fn list(&mut self) -> &mut std::collections::BTreeSet<Box<[u8]>> {
        self.session.client.subscriptions.get_or_insert_default().of(self.kind)
    }

    /// One acknowledgement: what happened, to which name, and how many subscriptions there are now.
    fn acknowledge(&mut self, name: Option<&[u8]>) {
        let word = match (self.kind, self.join) {
            (Kind::Channel, true) => "subscribe",
            (Kind::Channel, false) => "unsubscribe",
            (Kind::Pattern, true) => "psubscribe",
            (Kind::Pattern, false) => "punsubscribe",
            (Kind::Shard, true) => "ssubscribe",
            (Kind::Shard, false) => "sunsubscribe",
        };
        let count = self.session.client.subscriptions.as_ref().map_or(0, |names| match self.kind {
            Kind::Shard => names.shards.len(),
            _ => names.channels.len() + names.patterns.len(),
        });
        self.replies.push(3);
        self.replies.bulk(word.as_bytes());
        match name {
            Some(name) => self.replies.bulk(name),
            None => self.replies.null(),
        }
        self.replies.integer(count as i64);
    }

    fn change(&mut self, name: &[u8]) {
        let join = self.join;
        let list = self.list();
        if if join { list.insert(name.into()) } else { list.remove(name) } {
            self.names.push(name.into());
        }
        self.acknowledge(Some(name));
    }

    fn finish(self) -> Flow {
        let Draft { session, kind, join, names, replies, had_any } = self;
        let subscriptions = &mut session.client.subscriptions;
        if subscriptions.as_deref().is_some_and(Subscriptions::is_empty) {
            *subscriptions = None;
        }
        let clients = subscriptions.is_some() as i8 - had_any as i8;
        match subscriptions {
            Some(_) => session.client.flags |= client_flag::PUBSUB,
            None => session.client.flags &= !client_flag::PUBSUB,
        }
        Flow::Visit(Box::new(Change { kind, join, names, clients, replies }))
    }
}

/// Joins the names given.
fn join(session: &mut Session, args: &Args<'_>, kind: Kind) -> Flow {
    let mut draft = Draft::new(session, kind, true);
    args.skip(1).iter().for_each(|name| draft.change(name));
    draft.finish()
}

fn ssubscribe(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    if session.client.flags & client_flag::EXECUTING != 0 {
        return Err(ReplyError::Text("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    Ok(join(session, args, Kind::Shard))
}

/// Leaves the names given, or all.
fn leave(session: &mut Session, args: &Args<'_>, kind: Kind) -> Flow {
    let mut draft = Draft::new(session, kind, false);
    if args.len() > 1 {
        args.skip(1).iter().for_each(|name| draft.change(name));
    } else {
        let all: Vec<Box<[u8]>> = draft.list().iter().cloned().collect();
        all.iter().for_each(|name| draft.change(name));
        if all.is_empty() {
            draft.acknowledge(None);
        }
    }
    draft.finish()
}

/// PUBLISH and SPUBLISH; they run on the channel's place (`pubsub::place_of_command`).
fn publish(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let sharded = args.get(0).len() == "spublish".len();
    let receivers = core.publish(sharded, args.get(1), args.get(2), args.shared(2));
    let (db, ends_unit) = (session.client.db, session.exec.is_none());
    if let Some(shard) = shard_of(core, session) {
        execute::propagate_publish(shard, db, args);
        if ends_unit {
            execute::close_unit(shard);
        }
    }
    session.out.integer(receivers as i64);
    Ok(Flow::Done)
}

fn channels(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 3)?;
    let pattern = args.get_checked(2);
    let names = if is_sharded(args) { &core.pubsub.shards } else { &core.pubsub.channels };
    let wanted = |name: &&[u8]| pattern.is_none_or(|pattern| glob_match(pattern, name, false));
    let names: Vec<&[u8]> = names.keys().map(|name| &**name).filter(wanted).collect();
    session.out.array(names.len());
    names.iter().for_each(|name| session.out.bulk(name));
    Ok(Flow::Done)
}

fn numsub(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let known = if is_sharded(args) { &core.pubsub.shards } else { &core.pubsub.channels };
    let names = args.skip(2);
    session.out.array(names.len() * 2);
    for name in names.iter() {
        session.out.bulk(name);
        session.out.integer(known.get(name).map_or(0, |audience| audience.len()) as i64);
    }
    Ok(Flow::Done)
}

/// Whether PUBSUB's subcommand begins with SHARD.
fn is_sharded(args: &Args<'_>) -> bool {
    args.get(1).first().is_some_and(|letter| letter.eq_ignore_ascii_case(&b's'))
}

fn numpat(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.integer(core.pubsub.patterns.len() as i64);
    Ok(Flow::Done)
}
