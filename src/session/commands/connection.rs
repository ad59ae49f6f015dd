//! PING, ECHO, AUTH, HELLO, SELECT, QUIT, RESET.
//!
//! Run where the session is; they change its client state only, save RESET and HELLO, which tell the other cores about
//! subscriptions. Texts and order of checks are redis' (networking.c, acl.c as observed from outside); who may log in is `session::gate`'s.

use super::super::core::Core;
use super::super::pubsub::Reproto;
use super::super::visit::Visit;
use super::super::{Control, Flow, ReplyMode, Session, client_flag, gate, multi};
use super::{fail, is};
use crate::acl;
use crate::base::number::parse_i64;
use crate::command::arguments::parse_database;
use crate::command::reply_error::{ReplyError, quoting};
use crate::observe::identity::REDIS_VERSION;
use crate::resp::Args;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[
    ("ping", ping),
    ("echo", echo),
    ("auth", auth),
    ("hello", hello),
    ("select", select),
    ("quit", quit),
    ("reset", reset),
];

const HELLO_NEEDS_AUTH: ReplyError = ReplyError::Text(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);
/// A client name with bytes outside `!`..`~`.
pub(super) const BAD_NAME: ReplyError =
    ReplyError::Text("ERR Client names cannot contain spaces, newlines or special characters.");

fn ping(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    if args.len() > 2 {
        return Err(ReplyError::Text("ERR wrong number of arguments for 'ping' command"));
    }
    if session.client.flags & client_flag::PUBSUB != 0 && session.out.proto() == 2 {
        session.out.array(2);
        session.out.bulk(b"pong");
        session.out.bulk(args.get_checked(1).unwrap_or_default());
    } else if args.len() == 1 {
        session.out.simple("PONG");
    } else {
        session.out.blob(args.bytes(1));
    }
    Ok(Flow::Done)
}

fn echo(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.blob(args.bytes(1));
    Ok(Flow::Done)
}

fn auth(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let (user, password) = match args.len() {
        2 if core.users.default_user().nopass => return Err(ReplyError::NoPassword),
        2 => (acl::users::DEFAULT, args.get(1)),
        3 => (args.get(1), args.get(2)),
        _ => return Err(ReplyError::Syntax),
    };
    if !gate::login(core, session, user, password, args) {
        return Err(ReplyError::WrongPass);
    }
    session.out.ok();
    Ok(Flow::Done)
}

/// Whether a name of CLIENT SETNAME and its like has only visible characters.
pub(super) fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn hello(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let mut proto = None;
    if let Some(word) = args.get_checked(1) {
        proto = match parse_i64(word) {
            Some(version @ 2..=3) => Some(version as u8),
            Some(_) => return Err(ReplyError::NoProto),
            None => return Err(ReplyError::ProtocolNotInteger),
        };
    }
    let (mut login, mut name, mut at) = (None, None, 2);
    while at < args.len() {
        let (option, more) = (args.get(at), args.len() - 1 - at);
        if is(option, "auth") && more >= 2 {
            login = Some((args.get(at + 1), args.get(at + 2)));
            at += 3;
        } else if is(option, "setname") && more >= 1 {
            if !is_plain(args.get(at + 1)) {
                return Err(BAD_NAME);
            }
            name = Some(args.get(at + 1));
            at += 2;
        } else {
            let text = quoting("ERR Syntax error in HELLO option '", option, "'");
            return Err(fail(core, text));
        }
    }
    if let Some((user, password)) = login
        && !gate::login(core, session, user, password, args)
    {
        return Err(ReplyError::WrongPass);
    }
    if !session.client.authenticated {
        return Err(HELLO_NEEDS_AUTH);
    }
    if let Some(name) = name {
        session.client.set_name(name);
    }
    let before = session.out.proto();
    session.out.set_proto(proto.unwrap_or(before));
    greet(session);
    if session.out.proto() != before && session.client.flags & client_flag::PUBSUB != 0 {
        return Ok(Flow::Visit(Box::new(Reproto)));
    }
    Ok(Flow::Done)
}

fn greet(session: &mut Session) {
    let (id, out) = (session.id, &mut session.out);
    let proto = out.proto();
    out.map(7);
    out.bulk(b"server");
    out.bulk(b"redis");
    out.bulk(b"version");
    out.bulk(REDIS_VERSION.as_bytes());
    out.bulk(b"proto");
    out.integer(proto as i64);
    out.bulk(b"id");
    out.integer(id as i64);
    out.bulk(b"mode");
    out.bulk(b"standalone");
    out.bulk(b"role");
    out.bulk(b"master");
    out.bulk(b"modules");
    out.array(0);
}

fn select(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    session.client.db = parse_database(args.get(1), core.settings.databases)?;
    session.out.ok();
    Ok(Flow::Done)
}

fn quit(_: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.ok();
    Ok(Flow::Close)
}

fn reset(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    session.multi = None;
    multi::unwatch_all(core, session);
    let observed = client_flag::PUBSUB | client_flag::MONITOR | client_flag::TRACKING;
    let is_known = session.client.flags & observed != 0;
    let kept = client_flag::UNIX | client_flag::LOCAL | observed;
    let client = &mut session.client;
    client.flags &= kept;
    client.db = 0;
    client.reply = ReplyMode::On;
    gate::begin(&core.users, client);
    client.set_name(b"");
    if is_known {
        return Ok(Flow::Visit(Box::new(Farewell)));
    }
    session.out.set_proto(2);
    session.out.simple("RESET");
    Ok(Flow::Done)
}

/// RESET of a client that listens to something: no core knows of it when the reply leaves.
struct Farewell;

impl Visit for Farewell {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        core.discount(session.id, session.home, session.client.subscriptions.as_deref());
        if session.home == core.id() {
            session.client.subscriptions = None;
            session.client.flags &= !(client_flag::PUBSUB | client_flag::MONITOR | client_flag::TRACK_ALL);
            if let Some(state) = core.connections.get_mut(session.conn).and_then(|conn| conn.tracking.take())
            {
                core.forget_tracker(session.conn, &state);
            }
            session.out.set_proto(2);
            session.out.simple("RESET");
            core.commit(session);
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: &mut Session) {}

    fn ends_at_home(&self) -> bool {
        true
    }
}
