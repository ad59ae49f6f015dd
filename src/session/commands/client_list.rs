//! CLIENT LIST and CLIENT INFO: the clients of all cores, by id.
//!
//! LIST visits every core; INFO visits too, because the caller's connection is on its home core only. Rows are made by
//! [`super::client_row`]. Bounds: one line per client, gathered before the reply is written.

use super::super::core::Core;
use super::super::visit::Visit;
use super::super::{Control, Flow, Session};
use super::client_row::{self, ClientKind, ClientRow};
use super::{fail, is};
use crate::base::number::parse_i64;
use crate::command::reply_error::{ReplyError, quoting};
use crate::resp::Args;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[("client|list", list), ("client|info", info)];

/// Which clients are wanted.
enum Wanted {
    All,
    Kind(ClientKind),
    Ids(Vec<u64>),
}

/// Gathers lines on every core.
struct Listing {
    wanted: Wanted,
    argv_bytes: usize,
    rows: Vec<ClientRow>,
}

impl Visit for Listing {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        let rows = client_row::rows(core, session, self.argv_bytes);
        self.rows.extend(rows.into_iter().filter(|row| match &self.wanted {
            Wanted::All => true,
            Wanted::Kind(kind) => row.kind() == *kind,
            Wanted::Ids(ids) => ids.contains(&row.id),
        }));
    }

    fn finish(mut self: Box<Self>, _: &mut Core, session: &mut Session) {
        match &self.wanted {
            // As given: a client named twice is listed twice.
            Wanted::Ids(ids) => {
                let known = ids.iter().filter_map(|id| self.rows.iter().find(|row| row.id == *id));
                let text = join(known);
                session.out.verbatim("txt", &text);
            }
            _ => {
                self.rows.sort_unstable_by_key(|row| row.id);
                session.out.verbatim("txt", &join(self.rows.iter()));
            }
        }
    }
}

fn join<'a>(rows: impl Iterator<Item = &'a ClientRow>) -> Vec<u8> {
    let mut text = Vec::new();
    for row in rows {
        text.extend_from_slice(&row.line());
        text.push(b'\n');
    }
    text
}

fn list(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let option = args.get_checked(2).unwrap_or_default();
    let wanted = if args.len() == 4 && is(option, "type") {
        match ClientKind::named(args.get(3)) {
            Some(kind) => Wanted::Kind(kind),
            None => {
                let text = quoting("ERR Unknown client type '", args.get(3), "'");
                return Err(fail(core, text));
            }
        }
    } else if args.len() > 3 && is(option, "id") {
        let ids =
            args.skip(3).iter().map(|word| parse_i64(word).map(|id| id as u64)).collect::<Option<Vec<_>>>();
        match ids {
            Some(ids) => Wanted::Ids(ids),
            None => return Err(ReplyError::Text("ERR Invalid client ID")),
        }
    } else if args.len() == 2 {
        Wanted::All
    } else {
        return Err(ReplyError::Syntax);
    };
    Ok(Flow::Visit(Box::new(Listing { wanted, argv_bytes: args.total_len(), rows: Vec::new() })))
}

fn info(_: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let wanted = Wanted::Ids(vec![session.id]);
    Ok(Flow::Visit(Box::new(Listing { wanted, argv_bytes: args.total_len(), rows: Vec::new() })))
}
