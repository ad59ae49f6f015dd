//! A session that waits for something long that is done elsewhere: SAVE, DEBUG RELOAD, SHUTDOWN.
//!
//! A control command takes a [`Ticket`], hands it to whoever does the work and answers [`super::Flow::Hold`]; the session is put aside on its core, nothing of its
//! input runs. [`Core::answer`], called on any core, brings the reply: the session goes on with its next command. Invariant: every ticket is answered once, however the work
//! ends. Bounds: one ticket per session. Why not a blocked command: those end by time, by CLIENT UNBLOCK, by a key; these by nothing but their work.

use std::collections::HashMap;

use super::Session;
use super::core::{Core, Message};
use super::run;

/// Writes the reply.
pub type Answer = Box<dyn FnOnce(&mut Core, &mut Session) + Send>;

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    core: usize,
    number: u64,
}

/// The sessions that are put aside on a core, and answers that came before their session was.
#[derive(Default)]
pub struct Held {
    last: u64,
    sessions: HashMap<u64, Box<Session>>,
    early: HashMap<u64, Answer>,
}

impl Core {
    /// A ticket for the session at hand.
    pub fn take_ticket(&mut self) -> Ticket {
        self.held.last += 1;
        Ticket { core: self.id(), number: self.held.last }
    }

    /// Puts a session aside until its ticket is answered.
    pub fn put_aside(&mut self, session: Box<Session>, ticket: Ticket) {
        match self.held.early.remove(&ticket.number) {
            Some(answer) => self.reply_held(session, answer),
            None => drop(self.held.sessions.insert(ticket.number, session)),
        }
    }

    /// Answers a ticket, from any core.
    pub fn answer(&mut self, ticket: Ticket, answer: Answer) {
        if ticket.core != self.id() {
            let message = move |core: &mut Core| core.answer(ticket, answer);
            return self.mesh.send(ticket.core, Message::Call(Box::new(message)));
        }
        match self.held.sessions.remove(&ticket.number) {
            Some(session) => self.reply_held(session, answer),
            None => drop(self.held.early.insert(ticket.number, answer)),
        }
    }

    fn reply_held(&mut self, mut session: Box<Session>, answer: Answer) {
        let mark = session.out.mark();
        answer(self, &mut session);
        if session.out.since(mark).first() == Some(&b'-') {
            self.stats.count_error_reply(session.out.since(mark));
        }
        run::end_reply_mode(&mut session);
        self.inbox.push_back(Message::Resume(session));
    }
}
