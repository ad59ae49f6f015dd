//! Commands that no connection sent, executed on one core: those of an append-only file, or of a primary's stream.
//!
//! `session::apply` takes a stream apart and sends each core [`Piece`]s; here a session without a connection runs them through the ordinary loop
//! ([`super::run`]), one piece at a time, by its [`Rules`]: nobody's rights are asked, nothing is refused, paused or blocked, replies go nowhere (an error is logged, as redis
//! does). When a piece is used up the session comes to rest ([`Core::rest_applied`]) and the stream's core is told.
//!
//! Invariant: one session per core, so the pieces of a core are executed in the order in which they came. Bounds: those of `apply`. Why a session and not calls of
//! `execute`: transactions, scripts, functions and commands over several cores need everything the loop does.

use std::collections::VecDeque;
use std::sync::Arc;

use super::core::{Core, Message};
use super::{ReplyMode, Session, admit, client_flag, run};
use crate::command::lookup::Command;
use crate::command::reply_error::{ReplyError, wrong_arity};
use crate::keyspace::{Access, ExpiryRule};
use crate::observe::log::warning;
use crate::resp::Args;

/// The connection slot no connection has.
const NO_CONNECTION: u32 = u32::MAX;

/// Whose commands they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An append-only file's.
    File,
    /// A primary's.
    Primary,
}

/// How commands are executed that no connection sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whose they are.
    pub source: Source,
    /// What becomes of keys whose time is over.
    pub expiry: ExpiryRule,
    /// They leave effects in the log.
    pub logs: bool,
    /// They are counted in the statistics, and shown to MONITOR.
    pub shows: bool,
}

impl Rules {
    /// Those of loading an append-only file.
    pub const FILE: Rules =
        Rules { source: Source::File, expiry: ExpiryRule::Ignore, logs: false, shows: false };
}

/// Commands for one core.
pub struct Piece {
    /// In wire form, whole commands.
    pub bytes: Vec<u8>,
    /// The database they begin in.
    pub db: usize,
    /// By which they are executed.
    pub rules: Rules,
    /// The core that takes the stream apart.
    pub driver: usize,
}

/// The pieces of one core, and who runs them.
#[derive(Default)]
pub struct Applied {
    pieces: VecDeque<Piece>,
    /// The session, while it has nothing to run.
    resting: Option<Box<Session>>,
    /// Who is told when the piece at hand is used up, while the session runs.
    running: Option<usize>,
}

impl Applied {
    /// Whether a piece can be begun.
    #[inline]
    pub fn has_next(&self) -> bool {
        !self.pieces.is_empty() && self.running.is_none()
    }
}

impl Session {
    /// The rules of a session without connection.
    #[inline]
    pub fn rules(&self) -> Option<Rules> {
        if self.client.flags & client_flag::APPLIES == 0 { None } else { self.applies }
    }

    /// How this session's commands look at keys.
    #[inline]
    pub fn access(&self, now_ms: u64) -> Access {
        let mut access = Access::at(now_ms);
        if self.client.flags & client_flag::APPLIES != 0
            && let Some(rules) = self.applies
        {
            access.expiry = rules.expiry;
            access.count_stats = rules.shows;
        }
        access
    }

    /// Whether its commands leave effects in the log.
    #[inline]
    pub fn is_logged(&self) -> bool {
        self.client.flags & client_flag::APPLIES == 0 || self.applies.is_none_or(|rules| rules.logs)
    }

    /// Whether its commands are counted and shown.
    #[inline]
    pub fn is_shown(&self) -> bool {
        self.client.flags & client_flag::APPLIES == 0 || self.applies.is_none_or(|rules| rules.shows)
    }

    /// Notes an error among the replies of a session without connection; they go nowhere.
    #[cold]
    pub fn note_discarded(&self, reply: &[u8]) {
        let (Some(rules), Some(b'-')) = (self.rules(), reply.first()) else { return };
        let (who, to) = match rules.source {
            Source::File => ("server", "AOF-loading-client"),
            Source::Primary => ("replica", "master"),
        };
        let text = String::from_utf8_lossy(reply.strip_suffix(b"\r\n").unwrap_or(reply));
        let name = self.client.last_command.map_or("", |row| row.name);
        warning(&format!(
            "== CRITICAL == This {who} is sending an error to its {to}: '{}' after processing the command '{name}'",
            text.strip_prefix("-ERR ").unwrap_or(&text)
        ));
    }
}

/// The admission of a command that no connection sent: it is known and has its words, else nothing is asked.
pub fn admit(core: &mut Core, session: &mut Session, args: &Args<'_>) -> admit::Verdict {
    session.client.acl_tag = core.acl_tag;
    let refused = match core.shared.table.find(args) {
        Err(unknown) => unknown.bytes(args),
        Ok(Command { row, .. }) if !row.arity_fits(args.len()) => wrong_arity(row).into(),
        Ok(command) => {
            session.client.last_command = Some(command.row);
            if session.multi.is_some() && !admit::runs_inside_multi(command.row.full_name) {
                admit::queue(core, session, command, args);
                return admit::Verdict::Answered;
            }
            if command.row.name == "shutdown" || command.row.name.ends_with("subscribe") {
                // redis refuses them to a client that may not be made to wait.
                ReplyError::Text("ERR not allowed for a DENY BLOCKING client").text(b"").into()
            } else {
                return admit::Verdict::Run(command);
            }
        }
    };
    session.out.error_bytes(&refused);
    if let Some(multi) = session.multi.as_mut() {
        multi.aborted = true;
    }
    admit::Verdict::Answered
}

impl Core {
    /// Takes commands to be executed here, behind those that wait.
    pub fn take_piece(&mut self, piece: Piece) {
        self.applied.pieces.push_back(piece);
    }

    /// Begins the next piece if the one before is used up.
    pub fn run_pieces(&mut self) {
        while self.applied.has_next() && !self.part_is_over() {
            let Some(piece) = self.applied.pieces.pop_front() else { return };
            let mut session = match self.applied.resting.take() {
                Some(session) => session,
                None => Box::new(Session::new(u64::MAX, self.id(), NO_CONNECTION, Arc::from(""))),
            };
            session.applies = Some(piece.rules);
            session.client.flags |= client_flag::APPLIES;
            session.client.authenticated = true;
            session.client.reply = ReplyMode::Off;
            session.client.db = piece.db;
            self.applied.running = Some(piece.driver);
            run::run(self, session, &piece.bytes);
            self.last_tick = crate::base::ticks::now();
        }
    }

    /// The session has come home with nothing left to run.
    pub fn rest_applied(&mut self, mut session: Box<Session>) {
        let Some(driver) = self.applied.running.take() else { return };
        let is_broken = session.closing || !session.reader.is_empty() || session.multi.is_some();
        session.out.clear();
        if !is_broken {
            self.applied.resting = Some(session);
        }
        let from = self.id();
        if driver == from {
            self.piece_done(from, is_broken);
        } else {
            let tell = move |core: &mut Core| core.piece_done(from, is_broken);
            self.mesh.send(driver, Message::Call(Box::new(tell)));
        }
    }

    /// No more pieces will come: the session is not kept.
    pub fn end_applied(&mut self) {
        self.applied.resting = None;
    }
}
