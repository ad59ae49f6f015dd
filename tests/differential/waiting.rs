//! Situations of blocked clients: several wait on both servers in the same order of arrival, another connection does something, all replies are compared.
//!
//! Part of `lockstep`, apart for its length; `blocking` makes the situations. Invariant: a waiter sends when the one before it is blocked or has its reply, so the
//! order of arrival is the same on both sides; at the end CLIENT UNBLOCK is asked for each of them (and its reply compared), so each has exactly one reply. Bounds: 10 s to block.

use std::io;
use std::time::Duration;

use super::{Lockstep, connect, name_of, outcome};
use crate::compare;
use crate::support::client::{Client, wait_until};
use crate::support::reply::{Value, show};
use crate::support::server::Server;
use crate::traffic::Args;

/// One client that may wait.
struct Waiter {
    client: Client,
    id: i64,
}

/// The waiting clients of one server, and one that watches.
pub struct Waiters {
    clients: Vec<Waiter>,
    control: Client,
}

impl Waiters {
    /// Three clients; their protocols alternate.
    pub fn new(server: &Server, proto: u8) -> Waiters {
        let clients = (0..3).map(|at| {
            let mut client = connect(server, if at == 1 { 5 - proto } else { proto });
            let id = client.run("CLIENT ID").int().unwrap();
            Waiter { client, id }
        });
        Waiters { clients: clients.collect(), control: server.connect() }
    }

    fn blocked(&mut self) -> usize {
        let info = self.control.run("INFO clients").text();
        let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")).unwrap_or("0");
        line.trim().parse().unwrap()
    }

    /// Sends a waiter's command and waits until it is blocked or has its reply.
    fn send(&mut self, at: usize, args: &Args) -> io::Result<()> {
        let before = self.blocked();
        self.clients[at].client.send(args)?;
        let rests = wait_until(Duration::from_secs(10), || {
            self.blocked() > before || !self.clients[at].client.is_silent(Duration::from_micros(200))
        });
        if rests { Ok(()) } else { Err(io::Error::other("a waiter neither waits nor has a reply")) }
    }

    fn unblock(&mut self, at: usize) -> Value {
        self.control.run(&format!("CLIENT UNBLOCK {}", self.clients[at].id))
    }
}

impl Lockstep<'_> {
    /// Plays one situation.
    pub fn play_blocked(
        &mut self,
        connection: usize,
        before: Vec<Args>,
        waiters: &[Args],
        then: Vec<Args>,
    ) -> io::Result<()> {
        let round = self.rounds;
        self.batch(connection, before)?;
        for (at, args) in waiters.iter().enumerate() {
            if self.rounds != round {
                return Ok(());
            }
            self.history.push_back((self.sent_count, 10 + at, args.clone()));
            self.sent_count += 1;
            let Some((ours, theirs)) = &mut self.waiters else { return Ok(()) };
            ours.send(at, args)?;
            theirs.send(at, args)?;
        }
        // One by one: redis serves after each command, and a later one must not find what the waiter took.
        for args in then {
            if self.rounds != round {
                return Ok(());
            }
            self.batch(connection, vec![args])?;
        }
        for (at, args) in waiters.iter().enumerate() {
            if self.rounds != round {
                return Ok(());
            }
            self.finish_waiter(at, args)?;
        }
        Ok(())
    }

    fn finish_waiter(&mut self, at: usize, args: &Args) -> io::Result<()> {
        let Some((ours, theirs)) = &mut self.waiters else { return Ok(()) };
        let unblocked = (ours.unblock(at), theirs.unblock(at));
        let theirs = theirs.clients[at].client.read()?;
        let ours = ours.clients[at].client.read()?;
        self.coverage.record(&self.label(args), "(waiting)", outcome(&theirs.value));
        self.coverage.record("CLIENT UNBLOCK", "-", outcome(&unblocked.1));
        let mode = self.exclusions.mode(args);
        if unblocked.0 != unblocked.1 || !compare::equal(&mode, &ours, &theirs) {
            let text = format!(
                "waiter {at} (unblocked {:?} / {:?})\nours:   {}\ntheirs: {}",
                unblocked.0,
                unblocked.1,
                show(&ours.raw, 600),
                show(&theirs.raw, 600)
            );
            self.report(&name_of(args), &text, args);
        }
        Ok(())
    }
}
