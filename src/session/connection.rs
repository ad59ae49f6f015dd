//! The home side of a connection: socket, bytes in, bytes out, end.
//!
//! `session::core` calls it for completions and at the end of a turn. Received bytes go to the session where they lie if
//! it is at home, else they wait here. One send per connection is in flight; what was written meanwhile follows in the next.
//!
//! Invariant: a slot is freed only when no operation on its socket is in flight and its session is home (or gone), so a
//! completion never finds a stranger: `generation` guards the rest. Bounds: client-query-buffer-limit, client-output-buffer-limit,
//! maxclients. Why not keep bytes with the session while it travels: the kernel writes at any time, and only home may touch them.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::core::{Core, Message};
use super::push_queue::PushQueue;
use super::receive::{Direct, Inbound};
use super::shadow::{Labels, Shadow};
use super::tracking::TrackingState;
use super::{Session, blocking, client_flag, gate, multi, run};
use crate::resp::Out;
use crate::runtime::ring::Completion;

/// A listening socket.
pub struct Listener {
    /// Its descriptor.
    pub fd: RawFd,
    /// Whether it is a unix socket.
    pub unix: bool,
}

/// A connection on its way to its home core.
pub struct Accepted {
    /// Its descriptor.
    pub fd: RawFd,
    /// Whether it came by unix socket.
    pub unix: bool,
}

/// What CLIENT LIST shows while the session is away.
#[derive(Clone, Debug)]
pub struct Ends {
    /// Peer address as `ip:port` or the socket path with `:0`.
    pub peer: Arc<str>,
    /// Own address, likewise.
    pub local: Arc<str>,
    /// The peer is on this machine.
    pub is_local: bool,
}

/// The home side of one connection.
pub struct Connection {
    /// Its socket.
    pub fd: RawFd,
    /// Tells it from earlier users of the slot.
    pub generation: u32,
    /// Client id.
    pub id: u64,
    /// The session, unless it travels or was not needed yet.
    pub session: Option<Box<Session>>,
    /// No byte has come: there is no session, it is made when it is asked for ([`Connection::take_session`]).
    pub unborn: bool,
    /// Whether a session made later counts as authenticated: what the client was entitled to when it came.
    born_authenticated: bool,
    /// The session while its lanes are under way (`session::split`).
    pub gathering: Option<Box<Session>>,
    /// Bytes received while the session was away.
    pub inbound: Inbound,
    /// What is being sent.
    pub sending: Out,
    /// Segment of `sending` in flight, and bytes of it already sent.
    pub sent: (usize, usize),
    /// A send is in flight.
    pub send_busy: bool,
    /// The multishot receive is armed.
    pub recv_armed: bool,
    /// How it receives.
    pub direct: Direct,
    /// In the core's `dirty` list.
    pub is_dirty: bool,
    /// The peer is gone, or it is to be closed: nothing more is read or run.
    pub dead: bool,
    /// Close when everything is sent.
    pub closing: bool,
    /// Internal time of creation.
    pub created_ms: u64,
    /// Internal time of the last input.
    pub active_ms: u64,
    /// Addresses.
    pub ends: Ends,
    /// Bytes that arrived outside the request order (pub/sub, MONITOR, invalidations).
    pub pushes: PushQueue,
    /// What this connection counts in the core's sum for maxmemory-clients.
    pub counted_bytes: usize,
    /// What CLIENT LIST shows while the session is away.
    pub shadow: Shadow,
    /// How it is told of changed keys, if it tracks.
    pub tracking: Option<Box<TrackingState>>,
    /// The names the client gave itself, if any.
    pub labels: Option<Box<Labels>>,
    /// The last blocked command of its session that came to rest here.
    pub blocks_seen: u64,
    /// Nothing leaves before the append-only file is on the disk up to here (`held_replies`).
    pub held_until: Option<u64>,
    /// `pushes` holds replies to writes.
    pub wrote: bool,
    /// When the soft output limit was first exceeded.
    pub soft_limit_since_ms: u64,
}

impl Connection {
    /// Whether the session is at home (or was never needed): the connection may run or end.
    pub fn is_home(&self) -> bool {
        self.session.is_some() || self.unborn
    }

    /// The session, if it is at home and does not wait for a key; made now if it was never needed. `home` and `index` are the connection's own place.
    pub fn take_session(&mut self, home: usize, index: u32) -> Option<Box<Session>> {
        if !std::mem::take(&mut self.unborn) {
            return self.session.take_if(|session| session.blocked.is_none());
        }
        let mut session = Box::new(Session::new(self.id, home, index, Arc::clone(&self.ends.peer)));
        session.client.authenticated = self.born_authenticated;
        session.client.last_active_ms = self.created_ms;
        session.client.flags = self.shadow.flags;
        Some(session)
    }

    fn in_flight(&self) -> bool {
        self.send_busy || self.recv_armed || self.direct == Direct::Busy
    }

    /// Asks the cache for what a send looks at beside the connection itself.
    #[inline]
    pub fn prefetch_output(&self) {
        self.pushes.prefetch();
        if let Some(session) = self.session.as_deref() {
            crate::base::cache::prefetch_value(&session.out);
            crate::base::cache::prefetch_value(&session.client.flags);
        }
    }

    /// Reply bytes that wait to be sent.
    pub fn output_bytes(&self) -> usize {
        self.sending.len() + self.pushes.len() + self.session.as_ref().map_or(0, |session| session.out.len())
    }
}

impl Core {
    /// Begins to take connections in.
    pub fn open_doors(&mut self) {
        for (index, listener) in self.listeners.iter().enumerate() {
            self.ring.accept(listener.fd, index as u32);
        }
    }

    /// A listening socket has a new connection: the emptiest core adopts it.
    pub fn accepted(&mut self, completion: Completion) {
        let index = completion.token.index as usize;
        let Some(listener) = self.listeners.get(index) else { return };
        let (listening, unix) = (listener.fd, listener.unix);
        if !completion.more && !self.is_stopping() {
            self.ring.accept(listening, index as u32);
        }
        let fd = completion.result;
        if fd < 0 {
            return;
        }
        self.stats.connections_received += 1;
        let counts = &self.shared.connections[..self.cores()];
        let total: usize = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        if total >= self.settings.maxclients {
            self.stats.rejected_connections += 1;
            refuse(fd, b"-ERR max number of clients reached\r\n");
            return;
        }
        let least = (0..counts.len()).min_by_key(|&core| counts[core].load(Ordering::Relaxed)).unwrap_or(0);
        counts[least].fetch_add(1, Ordering::Relaxed);
        let accepted = Accepted { fd, unix };
        if least == self.id() {
            self.adopt(accepted);
        } else {
            self.mesh.send(least, Message::Adopt(Box::new(accepted)));
        }
    }

    /// Makes the connection this core's own and starts to receive.
    pub fn adopt(&mut self, accepted: Accepted) {
        let Accepted { fd, unix } = accepted;
        let ends = ends_of(fd, unix);
        if !self.admit_peer(fd, unix, &ends) {
            self.shared.connections[self.id()].fetch_sub(1, Ordering::Relaxed);
            return;
        }
        set_socket_options(fd, unix, self.settings.tcp_keepalive);
        let id = self.shared.next_client.fetch_add(1, Ordering::Relaxed);
        let now_ms = self.now_ms;
        let is_open = self.users.is_open();
        let index = self.connections.insert_with(|_| {
            let unix_flag = if unix { client_flag::UNIX } else { 0 };
            let local_flag = if ends.is_local { client_flag::LOCAL } else { 0 };
            Connection {
                fd,
                generation: id as u32 & 0xff_ffff,
                id,
                session: None,
                unborn: true,
                born_authenticated: is_open,
                gathering: None,
                inbound: Inbound::default(),
                sending: Out::new(),
                sent: (0, 0),
                send_busy: false,
                recv_armed: true,
                direct: Direct::Off,
                is_dirty: false,
                dead: false,
                closing: false,
                created_ms: now_ms,
                active_ms: now_ms,
                ends,
                pushes: PushQueue::default(),
                counted_bytes: 0,
                shadow: Shadow::unborn(unix_flag | local_flag),
                tracking: None,
                labels: None,
                blocks_seen: 0,
                held_until: None,
                wrote: false,
                soft_limit_since_ms: 0,
            }
        });
        self.ring.recv(fd, index, id as u32 & 0xff_ffff);
    }

    /// Protected mode: without a password only the machine itself may connect.
    fn admit_peer(&mut self, fd: RawFd, unix: bool, ends: &Ends) -> bool {
        if unix || !self.settings.protected_mode || !self.users.default_user().nopass {
            return true;
        }
        if !ends.is_local {
            self.stats.rejected_connections += 1;
            refuse(fd, super::admit::PROTECTED_MODE_TEXT.as_bytes());
        }
        ends.is_local
    }

    /// A session is home with nothing to run: replies leave at the end of the turn; input that came meanwhile runs.
    pub fn park(&mut self, mut session: Box<Session>) {
        let index = session.conn;
        session.homeward = false;
        if session.client.flags & client_flag::APPLIES != 0 {
            return self.rest_applied(session);
        }
        if session.lane.is_some() {
            return super::split::lane_home(self, session);
        }
        let Some(conn) = self.connections.get_mut(index) else {
            multi::unwatch_all(self, &mut session);
            blocking::abandon(self, &mut session);
            return;
        };
        if conn.dead {
            conn.session = Some(session);
            self.reap_connection(index);
            return;
        }
        session.closing |= !gate::still_may(&self.users, &mut session);
        conn.closing |= session.closing;
        if session.client.labels_changed {
            session.client.labels_changed = false;
            conn.labels = Some(Box::new(Labels::of(&session.client)));
        }
        if let Some(state) = conn.tracking.as_mut().filter(|state| !state.late.is_empty()) {
            Core::tell_late(state, &mut session);
        }
        if session.blocked.is_some() {
            return self.park_blocked(session);
        }
        if !conn.inbound.is_empty() && !session.closing {
            let input = conn.inbound.take_piece();
            return run::run(self, session, &input);
        }
        let pending = !session.out.is_empty() || conn.closing;
        conn.session = Some(session);
        self.consider_direct(index);
        self.note_memory(index);
        if pending {
            self.mark_dirty(index);
        }
    }

    /// Notes that a connection has something to send.
    pub fn mark_dirty(&mut self, index: u32) {
        if let Some(conn) = self.connections.get_mut(index)
            && !conn.is_dirty
        {
            conn.is_dirty = true;
            self.dirty.push(index);
        }
    }

    /// Bytes outside the request order, for one client.
    #[inline]
    pub fn push_all(&mut self, index: u32, id: u64, pieces: &[Bytes]) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.id != id || conn.dead {
            return;
        }
        pieces.iter().for_each(|bytes| conn.pushes.push(bytes.clone()));
        if !conn.is_dirty {
            conn.is_dirty = true;
            self.dirty.push(index);
        }
        self.note_memory(index);
    }

    /// What the session at home here has written so far leaves before any message that comes later.
    pub fn commit(&mut self, session: &mut Session) {
        let Some(conn) = self.connections.get_mut(session.conn) else { return };
        if session.home != self.mesh.core() || session.out.is_empty() || conn.dead {
            return;
        }
        for piece in session.out.take().into_pieces() {
            conn.pushes.push_ordered(piece);
        }
        session.reply_mark = session.out.mark();
        self.note_committed(session);
        self.mark_dirty(session.conn);
    }

    /// Ends a connection now: nothing more is read, run or sent.
    pub fn kill(&mut self, index: u32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if !conn.dead {
            conn.dead = true;
            // SAFETY: shutdown on a descriptor we own; it makes the operations in flight complete.
            unsafe { libc::shutdown(conn.fd, libc::SHUT_RDWR) };
        }
        self.reap_connection(index);
    }

    /// Frees a dead connection once nothing refers to it any more.
    pub fn reap_connection(&mut self, index: u32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if !conn.dead {
            return;
        }
        self.client_bytes -= std::mem::take(&mut conn.counted_bytes);
        if conn.in_flight() {
            // SAFETY: as in `kill`.
            unsafe { libc::shutdown(conn.fd, libc::SHUT_RDWR) };
            return;
        }
        if !conn.is_home() {
            return;
        }
        let (fd, session, tracking) = (conn.fd, conn.session.take(), conn.tracking.take());
        self.connections.remove(index);
        if let Some(state) = tracking {
            self.forget_tracker(index, &state);
        }
        if let Some(mut session) = session {
            multi::unwatch_all(self, &mut session);
            blocking::abandon(self, &mut session);
            self.forget_subscriber(&mut session);
        }
        // SAFETY: no operation on it is in flight; nobody else knows the descriptor.
        unsafe { libc::close(fd) };
        self.shared.connections[self.id()].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers a connection that is not let in, and closes it.
fn refuse(fd: RawFd, text: &[u8]) {
    // SAFETY: writes a valid buffer without blocking, then closes our own descriptor.
    unsafe {
        libc::send(fd, text.as_ptr().cast(), text.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        libc::close(fd);
    }
}

fn set_socket_options(fd: RawFd, unix: bool, keepalive_s: u32) {
    if unix {
        return;
    }
    let set = |level: i32, name: i32, value: i32| {
        // SAFETY: passes a valid i32; a refused option is harmless.
        unsafe {
            let pointer = std::ptr::from_ref(&value).cast();
            libc::setsockopt(fd, level, name, pointer, size_of::<i32>() as u32);
        }
    };
    set(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    if keepalive_s > 0 {
        let seconds = keepalive_s as i32;
        set(libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
        set(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, seconds);
        set(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, (seconds / 3).max(1));
        set(libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3);
    }
}

/// Both addresses of a socket, as CLIENT LIST writes them.
fn ends_of(fd: RawFd, unix: bool) -> Ends {
    use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd};
    if unix {
        // SAFETY: the descriptor is open for the whole call.
        let path = unsafe { BorrowedFd::borrow_raw(fd) }
            .try_clone_to_owned()
            .ok()
            .and_then(|owned| std::os::unix::net::UnixStream::from(owned).local_addr().ok())
            .and_then(|address| address.as_pathname().map(|path| path.display().to_string()))
            .unwrap_or_default();
        let name: Arc<str> = format!("{path}:0").into();
        return Ends { peer: Arc::clone(&name), local: name, is_local: true };
    }
    // SAFETY: the descriptor is open; ownership goes back by `into_raw_fd` before anything could close it.
    let stream = unsafe { std::net::TcpStream::from_raw_fd(fd) };
    let text = |address: &std::io::Result<SocketAddr>| match address {
        Ok(SocketAddr::V6(v6)) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => format!("{v4}:{}", v6.port()),
            None => format!("[{}]:{}", v6.ip(), v6.port()),
        },
        Ok(v4) => v4.to_string(),
        Err(_) => String::from("?:0"),
    };
    let (peer, local) = (stream.peer_addr(), stream.local_addr());
    let is_local = peer.as_ref().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
    let ends = Ends { peer: text(&peer).into(), local: text(&local).into(), is_local };
    let _ = stream.into_raw_fd();
    ends
}
