//! Whose rights a session has, and whether they suffice: the password gate and ACL.
//!
//! `session::admit` asks [`judge`] before a command is routed or queued, EXEC asks [`judge_queued`] again for each queued command, scripts ask
//! [`may_run`]. A session carries a *tag*: the generation of [`Users`] it was last compared with, and whether its user is restricted:
//! ```text
//! acl_tag = generation << 1 | restricted
//! ```
//! It equals the core's tag exactly if the session is logged in (or need not be), its user may do everything, and no user has changed since: then one
//! comparison is all a command pays. A session left behind by a change looks its user up again ([`refresh`]), at its next command or when it comes home.
//!
//! Invariant: no command runs with rights that this core knows to be revoked. Bounds: a change costs each session one lookup.

use std::sync::Arc;

use super::admit::{Verdict, refuse};
use super::commands::client_row;
use super::core::{Core, Message};
use super::{Client, Session};
use crate::acl::{self, Context, Denied, Reason, Record, User, Users};
use crate::command::Caller;
use crate::command::lookup::Command;
use crate::command::reply_error::protected_command;
use crate::command::row::{Row, flag};
use crate::resp::Args;

/// Set in a tag if the user is restricted or not logged in.
const RESTRICTED: u32 = 1;

/// The tag of unrestricted sessions.
pub fn tag_of(users: &Users) -> u32 {
    users.generation() << 1
}

/// The user whose rights a client has.
pub fn user_of(users: &Users, client: &Client) -> Arc<User> {
    Arc::clone(client.user.as_ref().unwrap_or(users.default_user()))
}

/// Takes the newest rights; false if the client's user is gone or has lost channels it is subscribed to: it must be disconnected.
pub fn refresh(users: &Users, client: &mut Client) -> bool {
    let mut lives = true;
    if let Some(before) = client.user.take() {
        let subscribed = client.subscriptions.iter().flat_map(|names| names.all());
        match users.get(&before.name).filter(|now| now.serial == before.serial) {
            Some(now) => {
                lives = Arc::ptr_eq(now, &before) || !now.loses(&before, subscribed);
                client.user = Some(Arc::clone(now));
            }
            None => {
                lives = false;
                client.authenticated = false;
            }
        }
    }
    let user = client.user.as_ref().unwrap_or(users.default_user());
    let is_free = user.is_unrestricted() && (client.authenticated || users.is_open());
    client.acl_tag = tag_of(users) | if is_free { 0 } else { RESTRICTED };
    lives
}

/// Whether a session that has come home may stay connected.
#[inline]
pub fn still_may(users: &Users, session: &mut Session) -> bool {
    session.client.acl_tag & !RESTRICTED == tag_of(users) || refresh(users, &mut session.client)
}

/// Begins with the default user: a new connection, or RESET.
pub fn begin(users: &Users, client: &mut Client) {
    client.labels_changed |= client.user.is_some();
    client.user = None;
    client.authenticated = users.is_open();
    client.acl_tag = 0;
}

/// Logs in with a name and password; a failure is counted and noted in ACL LOG. Whether it succeeded.
pub fn login(core: &mut Core, session: &mut Session, name: &[u8], password: &[u8], args: &Args<'_>) -> bool {
    let users = Arc::clone(&core.users);
    if let Some(user) = users.get(name).filter(|user| user.accepts(password)) {
        let is_default = user.name == acl::users::DEFAULT;
        session.client.user = (!is_default).then(|| Arc::clone(user));
        session.client.authenticated = true;
        session.client.labels_changed = true;
        session.client.acl_tag = 0;
        return true;
    }
    core.stats.acl_denied_auth += 1;
    let context = if session.multi.is_some() { Context::Multi } else { Context::TopLevel };
    record(core, session, args, (Reason::Auth, context), args.get(0), name);
    false
}

/// The part of admission that only restricted, not logged in, or outdated sessions need; `None`: the command may go on.
#[cold]
pub fn judge(core: &mut Core, session: &mut Session, command: Command, args: &Args<'_>) -> Option<Verdict> {
    let row = command.row;
    if is_outdated(core, session) && !refresh(&core.users, &mut session.client) {
        session.closing = true;
        return Some(Verdict::Answered);
    }
    if session.client.acl_tag == core.acl_tag {
        return None;
    }
    if !session.client.authenticated && !core.users.is_open() && !row.flags.has(flag::NO_AUTH) {
        return Some(refuse(core, session, command, "NOAUTH Authentication required."));
    }
    if row.flags.has(flag::NO_MULTI) && session.multi.is_some() {
        return None;
    }
    let user = user_of(&core.users, &session.client);
    let denied = acl::check(&user, row, args).err()?;
    if session.home != core.id() {
        // Refused at home: only there is all that ACL LOG shows of the client.
        return Some(Verdict::GoHome);
    }
    session.client.last_command = Some(row);
    let context = if session.multi.is_some() { Context::Multi } else { Context::TopLevel };
    note_denial(core, session, row, args, denied, context);
    Some(refuse(core, session, command, denied.text(row)))
}

/// DEBUG and MODULE where the configuration does not allow them: the error's text.
pub fn protected(core: &Core, session: &Session, row: &Row) -> Option<String> {
    let is_local = session.client.flags & super::client_flag::LOCAL != 0;
    (row.flags.has(flag::PROTECTED) && !core.settings.debug_allowed(is_local)).then(|| protected_command(row))
}

/// Whether a queued command may still run; the error's text if not. A user deleted meanwhile leaves the rights of the default one.
pub fn judge_queued(
    core: &mut Core,
    session: &mut Session,
    row: &'static Row,
    args: &Args<'_>,
) -> Result<(), &'static str> {
    if session.client.acl_tag == core.acl_tag || session.rules().is_some() {
        return Ok(());
    }
    if is_outdated(core, session) && !refresh(&core.users, &mut session.client) {
        session.closing = true;
    }
    let user = user_of(&core.users, &session.client);
    let Err(denied) = acl::check(&user, row, args) else { return Ok(()) };
    note_denial(core, session, row, args, denied, Context::Multi);
    Err(denied.since_queued())
}

/// Whether the session's user may run this command, as a script asks. The refusal is noted in ACL LOG if `notes` says so.
///
/// Errors: what is refused.
pub fn may_run(
    core: &mut Core,
    session: &mut Session,
    row: &'static Row,
    args: &Args<'_>,
    notes: bool,
) -> Result<(), Denied> {
    if session.client.acl_tag == core.acl_tag || session.rules().is_some() {
        return Ok(());
    }
    let user = user_of(&core.users, &session.client);
    let checked = acl::check(&user, row, args);
    if let (Err(denied), true) = (checked, notes) {
        note_denial(core, session, row, args, denied, Context::Lua);
    }
    checked
}

/// What a handler may know of who calls.
#[inline]
pub fn caller(core: &Core, session: &Session, row: &'static Row, args: &Args<'_>, is_script: bool) -> Caller {
    let is_restricted = row.beyond.is_some()
        && session.client.acl_tag != core.acl_tag
        && session.rules().is_none()
        && !acl::check::reads_all_keys(&user_of(&core.users, &session.client), row, args);
    Caller { is_script, is_restricted }
}

fn is_outdated(core: &Core, session: &Session) -> bool {
    session.client.acl_tag & !RESTRICTED != core.acl_tag
}

fn note_denial(
    core: &mut Core,
    session: &Session,
    row: &Row,
    args: &Args<'_>,
    denied: Denied,
    context: Context,
) {
    let count = match denied.reason {
        Reason::Key => &mut core.stats.acl_denied_key,
        Reason::Channel => &mut core.stats.acl_denied_channel,
        _ => &mut core.stats.acl_denied_cmd,
    };
    *count += 1;
    let object = match denied.reason {
        Reason::Key | Reason::Channel => args.get(denied.at),
        _ => row.full_name.as_bytes(),
    };
    let user = user_of(&core.users, &session.client);
    record(core, session, args, (denied.reason, context), object, &user.name);
}

/// Adds an entry to ACL LOG. Away from home, home adds it: only there is all that CLIENT LIST shows.
fn record(
    core: &mut Core,
    session: &Session,
    args: &Args<'_>,
    (reason, context): (Reason, Context),
    object: &[u8],
    username: &[u8],
) {
    let mut record = Record {
        count: 1,
        reason,
        context,
        object: object.to_vec(),
        username: username.to_vec(),
        at_ms: core.now_ms,
        client: Vec::new(),
    };
    let max = core.settings.acllog_max_len;
    if session.home == core.id() {
        record.client = client_row::line_of(core, session.conn, Some(session), args.total_len());
        acl::log::log().add(record, max);
        return;
    }
    let (conn, bytes) = (session.conn, args.total_len());
    let add = move |home: &mut Core| {
        record.client = client_row::line_of(home, conn, None, bytes);
        acl::log::log().add(record, max);
    };
    core.mesh.send(session.home, Message::Call(Box::new(add)));
}

impl Core {
    /// Takes the newest users and disconnects clients at home here that may not stay.
    pub fn adopt_users(&mut self) {
        let users = acl::users::newest();
        self.acl_tag = tag_of(&users);
        let (before, now) = (self.users.default_user(), users.default_user());
        let mut leaving = Vec::new();
        for (index, conn) in self.connections.iter_mut() {
            // One that is away looks for itself: at its next command, or when it comes home.
            let Some(session) = conn.session.as_deref_mut() else { continue };
            let stays = match session.client.user {
                Some(_) => refresh(&users, &mut session.client),
                None => {
                    let mut subscribed = session.client.subscriptions.iter().flat_map(|names| names.all());
                    Arc::ptr_eq(before, now) || !now.loses(before, &mut subscribed)
                }
            };
            if !stays {
                leaving.push(index);
            }
        }
        self.users = users;
        leaving.into_iter().for_each(|index| self.kill(index));
    }
}
