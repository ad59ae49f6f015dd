//! CLIENT KILL, in its old form (an address) and its new one (filters).
//!
//! Visits every core: a connection is ended by its home core. The caller's own connection is not cut but closed after its reply, as in
//! redis. Invariant: the count is of connections that matched and were alive.

use super::super::core::Core;
use super::super::visit::Visit;
use super::super::{Control, Flow, Session};
use super::client_row::{self, ClientKind, ClientRow};
use super::{fail, is};
use crate::acl;
use crate::base::number::parse_i64;
use crate::command::reply_error::{ReplyError, quoting};
use crate::resp::Args;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[("client|kill", kill)];

/// Which connections to end.
#[derive(Default)]
struct Filter {
    id: Option<u64>,
    addr: Option<Vec<u8>>,
    laddr: Option<Vec<u8>>,
    kind: Option<ClientKind>,
    user: Option<Vec<u8>>,
    skip_me: bool,
    /// The old form: replies OK or an error.
    by_address: bool,
    killed: i64,
}

impl Filter {
    fn matches(&self, row: &ClientRow, caller: u64) -> bool {
        let is_text =
            |wanted: &Option<Vec<u8>>, text: &str| wanted.as_ref().is_none_or(|it| it == text.as_bytes());
        is_text(&self.addr, &row.peer)
            && is_text(&self.laddr, &row.local)
            && self.id.is_none_or(|id| id == row.id)
            && self.kind.is_none_or(|kind| kind == row.kind())
            && self.user.as_deref().is_none_or(|user| user == row.user().unwrap_or(acl::users::DEFAULT))
            && !(self.skip_me && row.id == caller)
    }
}

impl Visit for Filter {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        for row in client_row::rows(core, session, 0) {
            if !self.matches(&row, session.id) {
                continue;
            }
            self.killed += 1;
            if row.id == session.id {
                session.closing = true;
            } else {
                core.kill(row.conn);
            }
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        if !self.by_address {
            session.out.integer(self.killed);
        } else if self.killed > 0 {
            session.out.ok();
        } else {
            session.out.error_bytes(ReplyError::NoSuchClient.text(b""));
        }
    }
}

fn kill(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let filter = if args.len() == 3 {
        Filter { addr: Some(args.get(2).to_vec()), by_address: true, ..Filter::default() }
    } else {
        parse(core, args)?
    };
    Ok(Flow::Visit(Box::new(filter)))
}

fn parse(core: &mut Core, args: &Args<'_>) -> Result<Filter, ReplyError> {
    let mut filter = Filter { skip_me: true, ..Filter::default() };
    let mut at = 2;
    while at < args.len() {
        let Some(value) = args.get_checked(at + 1) else { return Err(ReplyError::Syntax) };
        let option = args.get(at);
        if is(option, "id") {
            let id = parse_i64(value).filter(|&id| id >= 1);
            let Some(id) = id else { return Err(ReplyError::Text("ERR client-id should be greater than 0")) };
            filter.id = Some(id as u64);
        } else if is(option, "type") {
            filter.kind = ClientKind::named(value);
            if filter.kind.is_none() {
                let text = quoting("ERR Unknown client type '", value, "'");
                return Err(fail(core, text));
            }
        } else if is(option, "addr") {
            filter.addr = Some(value.to_vec());
        } else if is(option, "laddr") {
            filter.laddr = Some(value.to_vec());
        } else if is(option, "user") {
            filter.user = Some(value.to_vec());
            if core.users.get(value).is_none() {
                let text = quoting("ERR No such user '", value, "'");
                return Err(fail(core, text));
            }
        } else if is(option, "skipme") {
            filter.skip_me = match value {
                value if is(value, "yes") => true,
                value if is(value, "no") => false,
                _ => return Err(ReplyError::Syntax),
            };
        } else {
            return Err(ReplyError::Syntax);
        }
        at += 2;
    }
    Ok(filter)
}
