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
use super::shadow::{Labels, Shadow};
use super::{Session, client_flag, multi, run};
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
    /// The session, unless it travels.
    pub session: Option<Box<Session>>,
    /// The session while its lanes are under way (`session::split`).
    pub gathering: Option<Box<Session>>,
    /// Bytes received while the session was away.
    pub inbound: Vec<u8>,
    /// What is being sent.
    pub sending: Out,
    /// Segment of `sending` in flight, and bytes of it already sent.
    pub sent: (usize, usize),
    /// A send is in flight.
    pub send_busy: bool,
    /// The multishot receive is armed.
    pub recv_armed: bool,
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
    pub pushes: Vec<Bytes>,
    /// What CLIENT LIST shows while the session is away.
    pub shadow: Shadow,
    /// The names the client gave itself, if any.
    pub labels: Option<Box<Labels>>,
    /// When the soft output limit was first exceeded.
    pub soft_limit_since_ms: u64,
}

impl Connection {
    fn in_flight(&self) -> bool {
        self.send_busy || self.recv_armed
    }

    /// Reply bytes that wait to be sent.
    pub fn output_bytes(&self) -> usize {
        let waiting: usize = self.pushes.iter().map(Bytes::len).sum();
        self.sending.len() + waiting + self.session.as_ref().map_or(0, |session| session.out.len())
    }
}

impl Core {
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
        let (home, now_ms) = (self.id(), self.now_ms);
        let free = self.settings.requirepass.is_empty();
        let index = self.connections.insert_with(|index| {
            let mut session = Box::new(Session::new(id, home, index, Arc::clone(&ends.peer)));
            session.client.authenticated = free;
            session.client.last_active_ms = now_ms;
            session.client.flags |= if unix { client_flag::UNIX } else { 0 };
            session.client.flags |= if ends.is_local { client_flag::LOCAL } else { 0 };
            Connection {
                fd,
                generation: id as u32 & 0xff_ffff,
                id,
                session: Some(session),
                gathering: None,
                inbound: Vec::new(),
                sending: Out::new(),
                sent: (0, 0),
                send_busy: false,
                recv_armed: true,
                is_dirty: false,
                dead: false,
                closing: false,
                created_ms: now_ms,
                active_ms: now_ms,
                ends,
                pushes: Vec::new(),
                shadow: Shadow::default(),
                labels: None,
                soft_limit_since_ms: 0,
            }
        });
        self.ring.recv(fd, index, id as u32 & 0xff_ffff);
    }

    /// Protected mode: without a password only the machine itself may connect.
    fn admit_peer(&mut self, fd: RawFd, unix: bool, ends: &Ends) -> bool {
        if unix || !self.settings.protected_mode || !self.settings.requirepass.is_empty() {
            return true;
        }
        if !ends.is_local {
            self.stats.rejected_connections += 1;
            refuse(fd, super::admit::PROTECTED_MODE_TEXT.as_bytes());
        }
        ends.is_local
    }

    /// A receive completed.
    pub fn received(&mut self, completion: Completion) {
        let index = completion.token.index;
        let known = self.connections.get_mut(index).filter(|conn| conn.generation == completion.token.generation);
        let Some(conn) = known else {
            if let Some(buffer) = completion.buffer {
                self.ring.recycle(buffer);
            }
            return;
        };
        conn.recv_armed = completion.more;
        if completion.result > 0 {
            conn.active_ms = self.now_ms;
        }
        let taken = if conn.dead { None } else { conn.session.take() };
        if let Some(buffer) = completion.buffer {
            let (data, len) = self.ring.buffer(buffer, completion.result.max(0) as usize);
            // SAFETY: the buffer is ours from its completion to `recycle` below; `run` copies what it keeps.
            let bytes = unsafe { std::slice::from_raw_parts(data, len) };
            self.stats.net_input_bytes += len as u64;
            self.stats.reads += 1;
            match taken {
                Some(session) => run::run(self, session, bytes),
                None => self.keep_inbound(index, bytes),
            }
            self.ring.recycle(buffer);
        } else if let (Some(session), Some(conn)) = (taken, self.connections.get_mut(index)) {
            conn.session = Some(session);
        }
        self.after_receive(index, completion);
    }

    fn keep_inbound(&mut self, index: u32, bytes: &[u8]) {
        let limit = self.settings.client_query_buffer_limit;
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.dead {
            return;
        }
        conn.inbound.extend_from_slice(bytes);
        if conn.inbound.len() > limit {
            self.stats.query_buffer_limit_disconnections += 1;
            self.kill(index);
        }
    }

    /// Arms the receive again, or ends the connection when the peer has.
    fn after_receive(&mut self, index: u32, completion: Completion) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.generation != completion.token.generation || conn.recv_armed {
            return;
        }
        let out_of_buffers = completion.result == -libc::ENOBUFS;
        if (completion.result > 0 || out_of_buffers) && !conn.dead {
            conn.recv_armed = true;
            let (fd, generation) = (conn.fd, conn.generation);
            self.ring.recv(fd, index, generation);
        } else {
            conn.dead = true;
            self.reap_connection(index);
        }
    }

    /// A session is home with nothing to run: replies leave at the end of the turn; input that came meanwhile runs.
    pub fn park(&mut self, mut session: Box<Session>) {
        let index = session.conn;
        session.homeward = false;
        if session.lane.is_some() {
            return super::split::lane_home(self, session);
        }
        let Some(conn) = self.connections.get_mut(index) else {
            multi::unwatch_all(self, &mut session);
            return;
        };
        if conn.dead {
            conn.session = Some(session);
            self.reap_connection(index);
            return;
        }
        conn.closing |= session.closing;
        if session.client.labels_changed {
            session.client.labels_changed = false;
            conn.labels = Some(Box::new(Labels::of(&session.client)));
        }
        let input = std::mem::take(&mut conn.inbound);
        if !input.is_empty() && !session.closing {
            return run::run(self, session, &input);
        }
        let pending = session.out.len() > 0 || session.closing;
        conn.session = Some(session);
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
    pub fn push_bytes(&mut self, index: u32, id: u64, bytes: Bytes) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.id == id && !conn.dead {
            conn.pushes.push(bytes);
            self.mark_dirty(index);
        }
    }

    /// Starts the sends of this turn.
    pub fn flush_connections(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for index in dirty.drain(..) {
            if let Some(conn) = self.connections.get_mut(index) {
                conn.is_dirty = false;
                self.start_send(index);
            }
        }
        self.dirty = dirty;
    }

    fn start_send(&mut self, index: u32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if conn.send_busy {
            return self.check_output_limit(index);
        }
        if conn.sending.len() == 0 {
            if let Some(session) = &mut conn.session {
                std::mem::swap(&mut conn.sending, &mut session.out);
                session.out.set_proto(conn.sending.proto());
                for push in conn.pushes.drain(..) {
                    conn.sending.raw(push);
                }
            }
            conn.sent = (0, 0);
        }
        let Some(segment) = conn.sending.segment(conn.sent.0) else {
            conn.sending.clear();
            conn.sending.release();
            if conn.closing && conn.session.is_some() {
                self.kill(index);
            }
            return;
        };
        let rest = &segment[conn.sent.1..];
        let (data, len) = (rest.as_ptr(), rest.len().min(1 << 30) as u32);
        conn.send_busy = true;
        // SAFETY: `sending` is not touched while `send_busy`, and the slot outlives the operation.
        unsafe { self.ring.send(conn.fd, data, len, index, conn.generation) };
    }

    /// A send completed: the rest follows, or what was written meanwhile.
    pub fn sent(&mut self, completion: Completion) {
        let index = completion.token.index;
        let known = self.connections.get_mut(index).filter(|conn| conn.generation == completion.token.generation);
        let Some(conn) = known else { return };
        conn.send_busy = false;
        if completion.result < 0 {
            conn.dead = true;
            return self.reap_connection(index);
        }
        self.stats.net_output_bytes += completion.result as u64;
        self.stats.writes += 1;
        let (segment, done) = conn.sent;
        let done = done + completion.result as usize;
        let whole = conn.sending.segment(segment).map_or(0, <[u8]>::len);
        conn.sent = if done >= whole { (segment + 1, 0) } else { (segment, done) };
        if conn.sending.segment(conn.sent.0).is_none() {
            conn.sending.clear();
            conn.soft_limit_since_ms = 0;
            if conn.session.as_ref().is_some_and(|session| session.out.is_empty()) {
                conn.sending.release();
            }
        }
        if conn.dead {
            return self.reap_connection(index);
        }
        let more = conn.sending.len() > 0 || conn.closing || conn.output_bytes() > 0;
        if more {
            self.start_send(index);
        }
    }

    /// client-output-buffer-limit: a reader that falls too far behind is dropped.
    fn check_output_limit(&mut self, index: u32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        let flags = conn.session.as_ref().map_or(0, |session| session.client.flags);
        let limit = self.settings.output_limit(flags & client_flag::PUBSUB != 0);
        let bytes = conn.output_bytes();
        let over_soft = limit.soft_bytes > 0 && bytes > limit.soft_bytes;
        if !over_soft {
            conn.soft_limit_since_ms = 0;
        } else if conn.soft_limit_since_ms == 0 {
            conn.soft_limit_since_ms = self.now_ms;
        }
        let soft_ms = limit.soft_seconds as u64 * 1000;
        let lasted = over_soft && self.now_ms.saturating_sub(conn.soft_limit_since_ms) > soft_ms;
        if lasted || (limit.hard_bytes > 0 && bytes > limit.hard_bytes) {
            self.stats.output_buffer_limit_disconnections += 1;
            let line = format!(
                "Client id={} addr={} laddr={} scheduled to be closed ASAP for overcoming of output buffer limits.",
                conn.id, conn.ends.peer, conn.ends.local
            );
            crate::observe::log::warning(&line);
            self.kill(index);
        }
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

    /// `timeout`: clients that said nothing for so long are closed; subscribers are not.
    pub fn close_idle_connections(&mut self) {
        let limit_ms = self.settings.timeout_s as u64 * 1000;
        if limit_ms == 0 {
            return;
        }
        let now_ms = self.now_ms;
        let is_idle = |conn: &Connection| {
            let exempt = client_flag::PUBSUB | client_flag::MONITOR;
            let session = conn.session.as_ref();
            now_ms.saturating_sub(conn.active_ms) > limit_ms
                && session.is_some_and(|session| session.client.flags & exempt == 0)
        };
        let idle: Vec<u32> = self.connections.iter().filter(|(_, conn)| is_idle(conn)).map(|(index, _)| index).collect();
        for index in idle {
            crate::observe::log::verbose("Closing idle client");
            self.kill(index);
        }
    }

    /// Frees a dead connection once nothing refers to it any more.
    fn reap_connection(&mut self, index: u32) {
        let Some(conn) = self.connections.get_mut(index) else { return };
        if !conn.dead {
            return;
        }
        if conn.in_flight() {
            // SAFETY: as in `kill`.
            unsafe { libc::shutdown(conn.fd, libc::SHUT_RDWR) };
            return;
        }
        let Some(mut session) = conn.session.take() else { return };
        let fd = conn.fd;
        self.connections.remove(index);
        multi::unwatch_all(self, &mut session);
        self.forget_subscriber(&session);
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
