//! What CLIENT LIST shows of a session, kept with its connection while the session is away.
//!
//! `run::dispose` takes a [`Shadow`] when a session leaves its home core (a copy of a few words: it is paid per hop); names travel only
//! when they have changed ([`Labels`], taken at departure and on coming home). `commands::client_row` reads both.
//! Invariant: a shadow is at most as old as the session's last stay at home. Bounds: 48 bytes per connection, names aside.
//! Why not ask the session: it may be on any core, or in a message.

use std::sync::Arc;

use super::core::Core;
use super::{Client, Session};
use crate::acl::User;
use crate::command::row::Row;

/// The state of a session at its last departure.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shadow {
    /// Last command.
    pub last_command: Option<&'static Row>,
    /// `client_flag` bits.
    pub flags: u32,
    /// Selected database.
    pub db: u32,
    /// Channels subscribed to.
    pub channels: u32,
    /// Patterns subscribed to.
    pub patterns: u32,
    /// Shard channels subscribed to.
    pub shards: u32,
    /// Commands queued in MULTI, -1 outside of one.
    pub queued: i32,
    /// Unexecuted input, in bytes.
    pub query_bytes: u32,
    /// Protocol version.
    pub proto: u8,
}

impl Shadow {
    /// A client that has sent nothing, with these `client_flag` bits.
    pub fn unborn(flags: u32) -> Shadow {
        Shadow { flags, queued: -1, proto: 2, ..Shadow::default() }
    }

    /// The session as it is now.
    pub fn of(session: &Session) -> Shadow {
        let subscribed = session.client.subscriptions.as_deref();
        Shadow {
            last_command: session.client.last_command,
            flags: session.client.flags,
            db: session.client.db as u32,
            channels: subscribed.map_or(0, |it| it.channels.len() as u32),
            patterns: subscribed.map_or(0, |it| it.patterns.len() as u32),
            shards: subscribed.map_or(0, |it| it.shards.len() as u32),
            queued: session.multi.as_ref().map_or(-1, |multi| multi.queue.len() as i32),
            query_bytes: session.reader.len().min(u32::MAX as usize) as u32,
            proto: session.out.proto(),
        }
    }
}

/// Names a client gave itself.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// CLIENT SETNAME.
    pub name: Box<[u8]>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Box<[u8]>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: Box<[u8]>,
    /// Who it logged in as; `None` is the default user.
    pub user: Option<Arc<User>>,
}

impl Labels {
    /// A client's names.
    pub fn of(client: &Client) -> Labels {
        Labels {
            name: client.name.as_slice().into(),
            lib_name: client.lib_name.as_slice().into(),
            lib_ver: client.lib_ver.as_slice().into(),
            user: client.user.clone(),
        }
    }
}

impl Client {
    /// CLIENT SETNAME.
    pub fn set_name(&mut self, name: &[u8]) {
        self.name = name.to_vec();
        self.labels_changed = true;
    }
}

impl Core {
    /// Keeps a picture of a session that is about to leave its connection here.
    #[inline]
    pub fn cast_shadow(&mut self, session: &mut Session) {
        if session.home != self.id() {
            return;
        }
        if let Some(conn) = self.connections.get_mut(session.conn) {
            conn.shadow = Shadow::of(session);
        }
        self.note_labels(session);
    }

    /// Copies changed names to the connection of a session that is at home.
    #[inline]
    pub fn note_labels(&mut self, session: &mut Session) {
        if !session.client.labels_changed {
            return;
        }
        session.client.labels_changed = false;
        if let Some(conn) = self.connections.get_mut(session.conn) {
            conn.labels = Some(Box::new(Labels::of(&session.client)));
        }
    }
}
