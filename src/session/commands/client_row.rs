//! One client as CLIENT LIST, CLIENT INFO and CLIENT KILL see it.
//!
//! Built on the client's home core by [`rows`]: from its session if that is at home, from the visitor's own session, else from the
//! connection's shadow. Invariant: every figure is read from where it is kept; one that cannot arise here (replica buffers,
//! tracking) is what redis shows without it. Bounds: one [`ClientRow`] per connection.

use std::sync::Arc;

use super::super::connection::Connection;
use super::super::core::Core;
use super::super::shadow::{Labels, Shadow};
use super::super::{Session, client_flag};

/// What kind of client it is, as CLIENT LIST TYPE names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// None of the others.
    Normal,
    /// The link to a master.
    Master,
    /// A replica's link.
    Replica,
    /// Subscribed to something.
    PubSub,
}

impl ClientKind {
    /// The kind of that name.
    pub fn named(word: &[u8]) -> Option<ClientKind> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Some(ClientKind::Normal),
            b"master" => Some(ClientKind::Master),
            b"slave" | b"replica" => Some(ClientKind::Replica),
            b"pubsub" => Some(ClientKind::PubSub),
            _ => None,
        }
    }
}

/// A client's figures.
pub struct ClientRow {
    /// Client id.
    pub id: u64,
    /// Connection slot on its home core.
    pub conn: u32,
    /// Peer address.
    pub peer: Arc<str>,
    /// Own address.
    pub local: Arc<str>,
    fd: i32,
    age_s: u64,
    idle_s: u64,
    labels: Labels,
    shadow: Shadow,
    closing: bool,
    query_free: usize,
    argv_bytes: usize,
    multi_bytes: usize,
    reply_room: usize,
    reply_bytes: usize,
    push_count: usize,
    push_bytes: usize,
    total_bytes: usize,
    sending: bool,
    /// Where its invalidations go, -1 if it does not track; whether that is broken.
    redirect: i64,
    is_broken: bool,
}

/// The rows of this core's connections; `visitor` is the session that asks, `argv_bytes` the size of its command.
pub fn rows(core: &Core, visitor: &Session, argv_bytes: usize) -> Vec<ClientRow> {
    let alive = core.connections.iter().filter(|(_, conn)| !conn.dead);
    alive.map(|(index, conn)| row_of(core, index, conn, Some(visitor), argv_bytes)).collect()
}

/// The line of connection `index`, at home here, as CLIENT LIST shows it; `visitor` is its session, unless that is in its connection or away.
pub fn line_of(core: &Core, index: u32, visitor: Option<&Session>, argv_bytes: usize) -> Vec<u8> {
    let conn = core.connections.get(index);
    conn.map_or(Vec::new(), |conn| row_of(core, index, conn, visitor, argv_bytes).line())
}

fn row_of(
    core: &Core,
    index: u32,
    conn: &Connection,
    visitor: Option<&Session>,
    argv_bytes: usize,
) -> ClientRow {
    let visitor = visitor.filter(|visitor| visitor.id == conn.id);
    let asks = visitor.is_some();
    let session = visitor.or(conn.session.as_deref());
    let shadow = session.map_or(conn.shadow, Shadow::of);
    let labels = match session {
        Some(session) => Labels::of(&session.client),
        None => conn.labels.as_deref().cloned().unwrap_or_default(),
    };
    let out = session.filter(|_| !asks).map_or(0, |session| session.out.len());
    ClientRow {
        id: conn.id,
        conn: index,
        peer: Arc::clone(&conn.ends.peer),
        local: Arc::clone(&conn.ends.local),
        fd: conn.fd,
        age_s: core.now_ms.saturating_sub(conn.created_ms) / 1000,
        idle_s: core.now_ms.saturating_sub(conn.active_ms) / 1000,
        labels,
        shadow,
        closing: conn.closing || session.is_some_and(|session| session.closing),
        query_free: session
            .map_or(0, |session| session.reader.heap_len().saturating_sub(session.reader.len())),
        argv_bytes: if asks { argv_bytes } else { 0 },
        multi_bytes: session.and_then(|session| session.multi.as_ref()).map_or(0, |multi| multi.bytes),
        reply_room: conn.sending.heap_len() + session.map_or(0, |session| session.out.heap_len()),
        reply_bytes: conn.sending.len() + out,
        push_count: conn.pushes.count(),
        push_bytes: conn.pushes.len(),
        total_bytes: conn.memory_with(session),
        sending: conn.send_busy,
        redirect: conn
            .tracking
            .as_ref()
            .map_or(-1, |state| state.target.map_or(0, |target| target.id as i64)),
        is_broken: conn.tracking.as_ref().is_some_and(|state| state.is_broken),
    }
}

impl ClientRow {
    /// Its kind.
    pub fn kind(&self) -> ClientKind {
        match self.shadow.flags & client_flag::PUBSUB {
            0 => ClientKind::Normal,
            _ => ClientKind::PubSub,
        }
    }

    /// The name it logged in with, if that is not the default user's.
    pub fn user(&self) -> Option<&[u8]> {
        self.labels.user.as_deref().map(|user| user.name.as_slice())
    }

    /// Memory it takes, in bytes.
    pub fn memory(&self) -> usize {
        self.total_bytes
    }

    /// Bytes of input not executed, the buffer's room included.
    pub fn query_room(&self) -> usize {
        self.shadow.query_bytes as usize + self.query_free
    }

    /// Reply bytes that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.reply_bytes + self.push_bytes
    }

    fn flags(&self) -> String {
        let (bits, mut text) = (self.shadow.flags, String::new());
        let mut letter = |on: bool, letter: char| {
            if on {
                text.push(letter);
            }
        };
        letter(bits & client_flag::MONITOR != 0, 'O');
        letter(bits & client_flag::PUBSUB != 0, 'P');
        letter(self.shadow.queued >= 0, 'x');
        letter(bits & (client_flag::BLOCKED | client_flag::PAUSED) != 0, 'b');
        letter(self.redirect >= 0, 't');
        letter(self.is_broken, 'R');
        letter(bits & client_flag::TRACK_BCAST != 0, 'B');
        letter(self.closing, 'c');
        letter(bits & client_flag::UNIX != 0, 'U');
        letter(bits & client_flag::NO_EVICT != 0, 'e');
        letter(bits & client_flag::NO_TOUCH != 0, 'T');
        if text.is_empty() {
            text.push('N');
        }
        text
    }

    /// The line of CLIENT LIST, without its line end.
    pub fn line(&self) -> Vec<u8> {
        let shadow = &self.shadow;
        let events = if self.sending { "rw" } else { "r" };
        let command = shadow.last_command.map_or("NULL", |row| row.full_name);
        let user = self.user().map_or("default".into(), String::from_utf8_lossy);
        let mut line = format!("id={} addr={} laddr={} fd={} name=", self.id, self.peer, self.local, self.fd)
            .into_bytes();
        line.extend_from_slice(&self.labels.name);
        let figures = format!(
            " age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} qbuf={} qbuf-free={} argv-mem={} multi-mem={} \
             rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={events} cmd={command} user={user} redir={} resp={} lib-name=",
            self.age_s,
            self.idle_s,
            self.flags(),
            shadow.db,
            shadow.channels,
            shadow.patterns,
            shadow.shards,
            shadow.queued,
            shadow.query_bytes,
            self.query_free,
            self.argv_bytes,
            self.multi_bytes,
            self.reply_room,
            self.reply_bytes,
            self.reply_bytes,
            self.push_count,
            self.push_bytes,
            self.total_bytes,
            self.redirect,
            shadow.proto,
        );
        line.extend_from_slice(figures.as_bytes());
        line.extend_from_slice(&self.labels.lib_name);
        line.extend_from_slice(b" lib-ver=");
        line.extend_from_slice(&self.labels.lib_ver);
        line
    }
}
