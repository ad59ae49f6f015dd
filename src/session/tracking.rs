//! Client-side caching: who is told that a key changed, and how the message gets there.
//!
//! Reads are registered, and changes found, on the shard of the key (`keyspace::track`): [`Core::note_reads`] and [`Core::track_changes`] behind each command. What must be
//! told is collected per core of the clients and leaves at the end of the turn ([`Core::send_invalidations`]); there the connection's [`TrackingState`] says how:
//! ```text
//! write -> shard's table -> (turn's end) -> home of the reader -> RESP3 push behind its replies
//!                                                      \-> REDIRECT: home of the other client -> push, or a message of __redis__:invalidate
//! ```
//! Invariant: a reader's invalidation never overtakes the reply it invalidates: while the session is away it waits for it (`late`). A client is told of its own
//! writes behind the reply, or behind EXEC's. Bounds: `tracking-table-max-keys`; a turn's changes. Why tell at the turn's end: many keys, one message per core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::core::{Core, Message};
use super::{ReplyMode, Session, client_flag};
use crate::command::keyspec;
use crate::command::row::{Row, flag};
use crate::keyspace::{Changed, Key, News, Tracker};
use crate::resp::{Args, Out};
use crate::shard::Shard;
use crate::shard::execute::Hands;

/// A name of a key on its way.
type Name = Arc<[u8]>;

/// What a client is told.
#[derive(Clone, Debug)]
pub enum Invalid {
    /// These keys changed.
    Keys(Vec<Name>),
    /// Everything; written as the null of this protocol.
    All(u8),
    /// Its redirection leads to this client, which is gone.
    Broken(u64),
}

/// Where a client's messages go instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Client id.
    pub id: u64,
    /// Its home core.
    pub core: usize,
    /// Its connection slot there.
    pub conn: u32,
}

/// How a connection is told, kept on its home side.
#[derive(Debug, Default)]
pub struct TrackingState {
    /// REDIRECT.
    pub target: Option<Target>,
    /// The target was found gone.
    pub is_broken: bool,
    /// BCAST.
    pub is_bcast: bool,
    /// NOLOOP.
    pub is_noloop: bool,
    /// Prefixes of BCAST.
    pub prefixes: BTreeSet<Box<[u8]>>,
    /// What waits for the session to come home.
    pub late: Vec<Invalid>,
}

/// Keys that changed, for the clients of one core.
#[derive(Default)]
pub struct Invalidations {
    /// (connection, client id, key).
    keys: Vec<(u32, u64, Name)>,
    /// Keys some prefix may match, each with the id of its writer (0: none).
    broadcast: Vec<(Name, u64)>,
    /// A database was emptied by this client (0: by none).
    flushed: Option<u64>,
}

impl Invalidations {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.broadcast.is_empty() && self.flushed.is_none()
    }
}

/// What a core knows of tracking.
#[derive(Default)]
pub struct Tracking {
    /// Connections of this core that track.
    pub members: BTreeSet<u32>,
    /// Prefixes of all clients of all cores, with how many clients have them.
    pub prefixes: BTreeMap<Box<[u8]>, usize>,
    /// To be told, by core.
    outgoing: Vec<Invalidations>,
    has_outgoing: bool,
    /// What a client running a transaction here is told behind it.
    own: Vec<(u64, Invalid)>,
    /// A script made the changes at hand: for NOLOOP with BCAST they are nobody's, as in redis.
    pub by_script: bool,
}

impl Tracking {
    /// A client takes up or gives up a prefix.
    pub fn count_prefix(&mut self, prefix: &[u8], join: bool) {
        if join {
            *self.prefixes.entry(prefix.into()).or_default() += 1;
        } else if let Some(count) = self.prefixes.get_mut(prefix) {
            *count -= 1;
            if *count == 0 {
                self.prefixes.remove(prefix);
            }
        }
    }

    /// Whether every change is to be reported.
    #[inline]
    pub fn reports_all(&self) -> bool {
        !self.prefixes.is_empty()
    }

    fn is_wanted(&self, key: &[u8]) -> bool {
        self.prefixes.keys().any(|prefix| key.starts_with(prefix))
    }
}

/// Whether the keys of a client's command are to be remembered.
fn remembers(session: &Session, row: &Row) -> bool {
    let flags = session.client.flags;
    let tracks = flags & client_flag::TRACKING != 0 && flags & client_flag::TRACK_BCAST == 0;
    let caching = flags & client_flag::TRACK_CACHING != 0;
    let wanted = match flags & (client_flag::TRACK_OPTIN | client_flag::TRACK_OPTOUT) {
        client_flag::TRACK_OPTIN => caching,
        client_flag::TRACK_OPTOUT => !caching,
        _ => true,
    };
    tracks && wanted && row.flags.has(flag::READONLY)
}

impl Core {
    /// Whether some client of the process wants to hear of keys by prefix, told to the shards a command is about to run on.
    #[inline]
    pub fn prepare_tracking(&self, hands: &mut Hands<'_>) {
        let all = self.tracking.reports_all();
        match hands {
            Hands::One(shard) => shard.space.common.watch.track.reports_all = all,
            Hands::Many(_, shards, _) => {
                shards
                    .iter_mut()
                    .flatten()
                    .for_each(|shard| shard.space.common.watch.track.reports_all = all);
            }
        }
    }

    /// Keys have left a shard by themselves.
    #[inline]
    pub fn note_departures(&mut self, shard: &mut Shard) {
        if shard.space.common.watch.track.has_news() {
            self.note_changes(shard, None);
        }
    }

    /// A command, or a script, has run: what changed is put down to be told.
    #[inline]
    pub fn track_changes(&mut self, session: &mut Session, hands: &mut Hands<'_>) {
        let mut flushed = false;
        match hands {
            Hands::One(shard) => {
                if shard.space.common.watch.track.has_news() {
                    flushed = self.note_changes(shard, Some(session));
                }
            }
            Hands::Many(_, shards, _) => {
                for shard in shards.iter_mut().flatten() {
                    if shard.space.common.watch.track.has_news() {
                        flushed |= self.note_changes(shard, Some(session));
                    }
                }
            }
        }
        if flushed {
            self.note_flush(session);
        }
    }

    /// Registers the keys that a client's command has read.
    #[cold]
    pub fn note_reads(&self, session: &Session, row: &Row, args: &Args<'_>, hands: &mut Hands<'_>) {
        if !remembers(session, row) {
            return;
        }
        let Ok(keys) = keyspec::keys_of(row, args) else { return };
        let tracker = Tracker { id: session.id, conn: session.conn, core: session.home as u32 };
        let limit = self.settings.tracking_table_max_keys.div_ceil(self.cores());
        for index in keys {
            let key = args.get(index);
            let shard = match hands {
                Hands::One(shard) => Some(&mut **shard),
                Hands::Many(map, shards, _) => shards[map.core_of(Key::new(key).slot)].as_deref_mut(),
            };
            if let Some(shard) = shard {
                shard.space.common.watch.track.track(key, tracker, limit);
            }
        }
    }

    /// Puts down who must be told of what changed on a shard; `writer` is the client whose command did it. Returns whether a database was emptied.
    #[cold]
    pub fn note_changes(&mut self, shard: &mut Shard, mut writer: Option<&mut Session>) -> bool {
        let News { changed, flushed } = shard.space.common.watch.track.take();
        let cores = self.cores();
        self.tracking.outgoing.resize_with(cores, Default::default);
        for change in changed {
            self.note_change(change, &mut writer);
        }
        flushed
    }

    fn note_change(&mut self, change: Changed, writer: &mut Option<&mut Session>) {
        let Changed { key, trackers, by_itself } = change;
        if self.tracking.is_wanted(&key) {
            let is_own = !by_itself && !self.tracking.by_script;
            let id = writer.as_ref().filter(|_| is_own).map_or(0, |session| session.id);
            for outgoing in &mut self.tracking.outgoing {
                outgoing.broadcast.push((Arc::clone(&key), id));
            }
            self.tracking.has_outgoing = true;
        }
        for tracker in trackers {
            match writer.as_mut().filter(|session| session.id == tracker.id) {
                // What left by itself, or was given up, the client cannot know.
                Some(session) if session.client.flags & client_flag::TRACK_NOLOOP != 0 && !by_itself => {}
                Some(session) if session.client.flags & client_flag::TRACK_BCAST != 0 => {}
                Some(session) if is_told_directly(session) => {
                    self.tell_writer(session, Invalid::Keys(vec![Arc::clone(&key)]));
                }
                _ => {
                    let outgoing = &mut self.tracking.outgoing[tracker.core as usize];
                    outgoing.keys.push((tracker.conn, tracker.id, Arc::clone(&key)));
                    self.tracking.has_outgoing = true;
                }
            }
        }
    }

    fn note_flush(&mut self, session: &mut Session) {
        let told_directly = is_told_directly(session);
        // Who does not track yet is not told either, should it begin to before the turn ends.
        let tracks = session.client.flags & client_flag::TRACKING != 0;
        let excepted = if told_directly || !tracks { session.id } else { 0 };
        if told_directly {
            self.tell_writer(session, Invalid::All(3));
        }
        for outgoing in &mut self.tracking.outgoing {
            let before = outgoing.flushed.get_or_insert(excepted);
            if *before != excepted {
                *before = 0;
            }
        }
        self.tracking.has_outgoing = true;
    }

    /// A client's own change: it is told behind the reply, or behind the transaction's.
    fn tell_writer(&mut self, session: &mut Session, invalid: Invalid) {
        if session.client.flags & client_flag::EXECUTING != 0 {
            return self.tracking.own.push((session.id, invalid));
        }
        if matches!(session.client.reply, ReplyMode::Off | ReplyMode::Skip) {
            // They concern the reply, not what is told.
            session.out.rewind(session.reply_mark);
        }
        write(&mut session.out, &invalid);
        session.reply_mark = session.out.mark();
    }

    /// A transaction is over: its client is told of its own changes.
    #[inline]
    pub fn tell_own_changes(&mut self, session: &mut Session) {
        if self.tracking.own.is_empty() {
            return;
        }
        let id = session.id;
        for (_, invalid) in self.tracking.own.extract_if(.., |own| own.0 == id) {
            write(&mut session.out, &invalid);
        }
    }

    /// The turn ends: what changed is told.
    #[inline]
    pub fn send_invalidations(&mut self) {
        if self.tracking.has_outgoing {
            self.send_outgoing();
        }
    }

    #[cold]
    fn send_outgoing(&mut self) {
        self.tracking.has_outgoing = false;
        for core in 0..self.cores() {
            let outgoing = std::mem::take(&mut self.tracking.outgoing[core]);
            if outgoing.is_empty() {
                continue;
            }
            match core == self.id() {
                true => self.invalidate(outgoing),
                false => self.mesh.send(core, Message::Invalidate(Box::new(outgoing))),
            }
        }
    }

    /// Tells the clients of this core.
    pub fn invalidate(&mut self, told: Invalidations) {
        let Invalidations { keys, broadcast, flushed } = told;
        for (conn, id, key) in keys {
            let state = self.connections.get(conn).filter(|conn| conn.id == id);
            let state = state.and_then(|conn| conn.tracking.as_ref());
            if state.is_some_and(|state| !state.is_bcast) {
                self.tell(conn, Invalid::Keys(vec![key]));
            }
        }
        if !broadcast.is_empty() {
            self.broadcast(broadcast);
        }
        if let Some(writer) = flushed {
            for conn in self.tracking.members.iter().copied().collect::<Vec<u32>>() {
                let proto = self.proto_of(conn);
                if self.connections.get(conn).is_some_and(|conn| conn.id != writer) {
                    self.tell(conn, Invalid::All(proto));
                }
            }
        }
    }

    /// One message per prefix and client, its keys sorted; the first writer of a key is its writer, as in redis.
    fn broadcast(&mut self, changed: Vec<(Name, u64)>) {
        let mut keys: BTreeMap<Name, u64> = BTreeMap::new();
        changed.into_iter().for_each(|(key, writer)| {
            keys.entry(key).or_insert(writer);
        });
        let mut told = Vec::new();
        for &conn in &self.tracking.members {
            let Some(state) = self.connections.get(conn).and_then(|conn| conn.tracking.as_ref()) else {
                continue;
            };
            let id = self.connections.get(conn).map_or(0, |conn| conn.id);
            for prefix in &state.prefixes {
                let matching = keys
                    .iter()
                    .filter(|(key, writer)| key.starts_with(prefix) && !(state.is_noloop && **writer == id));
                let matching: Vec<Name> = matching.map(|(key, _)| Arc::clone(key)).collect();
                if !matching.is_empty() {
                    told.push((conn, Invalid::Keys(matching)));
                }
            }
        }
        told.into_iter().for_each(|(conn, invalid)| self.tell(conn, invalid));
    }

    /// The protocol of a connection of this core.
    fn proto_of(&self, conn: u32) -> u8 {
        let conn = self.connections.get(conn);
        conn.map_or(2, |conn| conn.session.as_ref().map_or(conn.shadow.proto, |session| session.out.proto()))
    }

    /// Tells a client of this core, or the one it redirects to.
    fn tell(&mut self, index: u32, invalid: Invalid) {
        let Some(state) = self.connections.get(index).and_then(|conn| conn.tracking.as_ref()) else { return };
        let Some(target) = state.target else { return self.tell_directly(index, invalid) };
        if target.core == self.id() {
            if !self.tell_target(target, &invalid) {
                self.note_broken(index, target.id);
            }
            return;
        }
        let Some((own, id)) = self.connections.get(index).map(|conn| (self.id(), conn.id)) else { return };
        self.call_on(target.core, move |core| {
            if !core.tell_target(target, &invalid) {
                core.call_on(own, move |core| {
                    if core.connections.get(index).is_some_and(|conn| conn.id == id) {
                        core.note_broken(index, target.id);
                    }
                });
            }
        });
    }

    /// The client that messages are redirected to is gone.
    fn note_broken(&mut self, index: u32, target: u64) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if let Some(state) = conn.tracking.as_mut() {
            state.is_broken = true;
            self.tell_directly(index, Invalid::Broken(target));
        }
    }

    /// Puts a push behind the replies of a client, if it speaks RESP3.
    fn tell_directly(&mut self, index: u32, invalid: Invalid) {
        let Some(conn) = self.connections.get_mut(index).filter(|conn| !conn.dead) else { return };
        match (&mut conn.session, &mut conn.tracking) {
            (Some(session), _) if session.out.proto() >= 3 => {
                write(&mut session.out, &invalid);
                self.note_memory(index);
                self.mark_dirty(index);
            }
            (None, Some(state)) if !conn.unborn => state.late.push(invalid),
            _ => {}
        }
    }

    /// Tells the target of a redirection; false if it is gone.
    fn tell_target(&mut self, target: Target, invalid: &Invalid) -> bool {
        let known = self.connections.get(target.conn).filter(|conn| conn.id == target.id && !conn.dead);
        let Some(conn) = known else { return false };
        let flags = conn.session.as_ref().map_or(conn.shadow.flags, |session| session.client.flags);
        let proto = self.proto_of(target.conn);
        let mut out = Out::new();
        out.set_proto(proto);
        if proto < 3 && flags & client_flag::PUBSUB != 0 {
            out.array(3);
            out.bulk(b"message");
            out.bulk(b"__redis__:invalidate");
            write_keys(&mut out, invalid);
        } else if proto >= 3 {
            write(&mut out, invalid);
        }
        if !out.is_empty() {
            self.push_all(target.conn, target.id, &out.into_pieces());
        }
        true
    }

    /// The session is at home: what waited for it follows its replies.
    #[inline]
    pub fn tell_late(state: &mut TrackingState, session: &mut Session) {
        for invalid in std::mem::take(&mut state.late) {
            if session.out.proto() >= 3 {
                write(&mut session.out, &invalid);
            }
        }
    }

    /// A connection that tracked has ended.
    pub fn forget_tracker(&mut self, index: u32, state: &TrackingState) {
        self.tracking.members.remove(&index);
        if state.prefixes.is_empty() {
            return;
        }
        let prefixes = Arc::new(state.prefixes.clone());
        for core in 0..self.cores() {
            let prefixes = Arc::clone(&prefixes);
            self.call_on(core, move |core| {
                prefixes.iter().for_each(|prefix| core.tracking.count_prefix(prefix, false));
            });
        }
    }
}

/// Whether a client's own changes are written behind its reply here.
fn is_told_directly(session: &Session) -> bool {
    let flags = session.client.flags;
    flags & client_flag::TRACKING != 0 && flags & client_flag::TRACK_REDIRECT == 0 && session.out.proto() >= 3
}

/// A RESP3 push.
fn write(out: &mut Out, invalid: &Invalid) {
    out.push(2);
    if let Invalid::Broken(target) = invalid {
        out.bulk(b"tracking-redir-broken");
        return out.integer(*target as i64);
    }
    out.bulk(b"invalidate");
    write_keys(out, invalid);
}

fn write_keys(out: &mut Out, invalid: &Invalid) {
    match invalid {
        Invalid::Keys(keys) => {
            out.array(keys.len());
            keys.iter().for_each(|key| out.bulk(key));
        }
        Invalid::All(3..) => out.raw_slice(b"_\r\n"),
        Invalid::All(_) => out.raw_slice(b"$-1\r\n"),
        Invalid::Broken(_) => {}
    }
}
