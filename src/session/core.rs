//! A core: everything one thread owns, and its turn.
//!
//! `server::boot` makes one per thread and drives [`Core::turn`] from the network task; background tasks borrow it between
//! turns. A turn: reap completions, take messages, run sessions, then seal the log, hand out sends and
//! flush the mesh; only after that does the driver submit and wait, so nothing leaves before its effects are published.
//!
//! Invariant: `shard` is `None` exactly while it is lent; sessions that need it wait in `waiting`, in order of arrival.
//! Bounds: a turn ends after a few hundred microseconds even if there is more. Why one struct: the parts of a core are used together in every command, and only by this thread.
//! Length: the fields of a core, their docs among them, are a third of it, and the turn has to be read in one piece.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::blocking::{BlockedClients, Forget};
use super::connection::{Connection, Listener};
use super::multi::Watched;
use super::offer::{self, Offer};
use super::save_points::refusal;
use super::{Control, Session, run};
use crate::acl::Users;
use crate::base::cpu_time::Meter;
use crate::base::slab::Slab;
use crate::base::{clock, reclaim, ticks};
use crate::command::lookup::Table;
use crate::command::{Outcome, SlotMap};
use crate::config::{Config, Settings};
use crate::keyspace::Freshness;
use crate::limits::{BUSY_WAIT_US, IDLE_WAIT_US, MAX_CORES, RECV_BUFFER_SIZE, RECV_BUFFERS};
use crate::observe::stats::CoreStats;
use crate::runtime::mesh::Port;
use crate::runtime::ring::{Completion, Op, Ring};
use crate::runtime::watchdog::Watchdog;
use crate::shard::{Shard, execute, upkeep};

/// One turn spends at most about this on each of completions, messages and waiting sessions, in microseconds; then its replies leave.
const TURN_PART_US: u64 = 100;
/// What one upkeep step spends on due keys, in microseconds.
const EXPIRE_BUDGET_US: u64 = 120;
/// Likewise on freeing what was unlinked.
const FREE_BUDGET_US: u64 = 100;
/// Likewise on giving pages of huge blocks back.
const RECLAIM_BUDGET_US: u64 = 60;

/// What cores send each other.
pub enum Message {
    /// A session that needs this core, or comes home.
    Session(Box<Session>),
    /// A shard comes home from a transaction.
    Shard(Box<Shard>),
    /// A connection to adopt.
    Adopt(Box<super::connection::Accepted>),
    /// A watched key to forget.
    Unwatch(Box<Watched>),
    /// A published message for this core's subscribers.
    Publish(Box<super::pubsub::Publication>),
    /// Keys that changed, for this core's clients.
    Invalidate(Box<super::tracking::Invalidations>),
    /// Bytes for a connection outside its request order: (connection, client id, bytes).
    Push(Box<(u32, u64, bytes::Bytes)>),
    /// A session goes on here.
    Resume(Box<Session>),
    /// Ready keys for clients that wait.
    Offer(Box<Offer>),
    /// Something to be done with every shard in hand.
    Errand(Box<super::errand::Errand>),
    /// A blocked client's registration to forget.
    Forget(Box<Forget>),
    /// Anything rare.
    Call(Box<dyn FnOnce(&mut Core) + Send>),
}

/// How keys age under the configured policy.
fn freshness(settings: &Settings) -> Freshness {
    use crate::config::EvictionPolicy::{AllKeysLfu, VolatileLfu};
    Freshness {
        lfu: matches!(settings.maxmemory_policy, Some(AllKeysLfu | VolatileLfu)),
        log_factor: settings.lfu_log_factor,
        decay_minutes: settings.lfu_decay_time_min,
    }
}

/// What all cores know; nothing on a command's path is written here.
pub struct Shared {
    /// Commands by name.
    pub table: Table,
    /// Control commands by command id.
    pub controls: Vec<Option<Control>>,
    /// Connections per core, for spreading new ones.
    pub connections: [AtomicUsize; MAX_CORES],
    /// Changes per core since the start, published by upkeep (read by save points).
    pub dirty: [std::sync::atomic::AtomicU64; MAX_CORES],
    /// Why writes are refused: `save_points::refusal` bits. Written when that changes.
    pub refusing: std::sync::atomic::AtomicU32,
    /// The snapshot's file cannot take what comes: cores walk no further (`server::spill`). Written when that changes.
    pub spilling: AtomicBool,
    /// What cores know of the append-only file.
    pub board: super::held_replies::Board,
    /// LASTSAVE, unix seconds.
    pub last_save_s: std::sync::atomic::AtomicI64,
    /// Bytes of keys and values per core, published once a turn (read by eviction).
    pub space_bytes: [AtomicUsize; MAX_CORES],
    /// Where the shards of cores between turns lie.
    pub berths: [super::berth::Berth; MAX_CORES],
    /// Memory of clients per core, while maxmemory-clients is set.
    pub client_bytes: [AtomicUsize; MAX_CORES],
    /// How far loading is.
    pub loading: super::loading::Progress,
    /// Keeps executors from sleeping with work in hand.
    pub watchdog: Watchdog,
    /// Set once: cores leave their loops.
    pub stopping: AtomicBool,
    /// Next client id.
    pub next_client: std::sync::atomic::AtomicU64,
    /// Facts of this process that INFO shows.
    pub identity: crate::observe::identity::Identity,
}

/// Everything one core owns.
pub struct Core {
    /// Its end of the mesh.
    pub mesh: Port<Message>,
    /// Its socket ring.
    pub ring: Ring,
    /// Its shard; `None` while lent.
    pub shard: Option<Box<Shard>>,
    /// Another core's shard, borrowed for the session at hand (`berth`).
    pub guest: Option<Box<Shard>>,
    /// The shard was left in its berth.
    pub is_offering: bool,
    /// Errands that wait for the shard; they go first.
    pub errands: VecDeque<Box<super::errand::Errand>>,
    /// Sessions that are put aside (`hold`).
    pub held: super::hold::Held,
    /// Sessions that wait for the shard.
    pub waiting: VecDeque<Box<Session>>,
    /// Connections at home here.
    pub connections: Slab<Connection>,
    /// Listening sockets (core 0 only).
    pub listeners: Vec<Listener>,
    /// Connections with replies to send.
    pub dirty: Vec<u32>,
    /// Known to all cores.
    pub shared: Arc<Shared>,
    /// slot -> core.
    pub map: SlotMap,
    /// All directives (this core's copy).
    pub config: Arc<Config>,
    /// Hot directives.
    pub settings: Arc<Settings>,
    /// All ACL users (this core's snapshot).
    pub users: Arc<Users>,
    /// The tag of sessions that may do everything (`gate`).
    pub acl_tag: u32,
    /// Internal clock at the start of the turn, in milliseconds.
    pub now_ms: u64,
    /// Whether the last upkeep left work.
    upkeep_waits: bool,
    /// Monotonic clock at the start of the turn, in microseconds.
    pub now_us: u64,
    /// Wall minus internal clock.
    pub wall_offset_ms: i64,
    /// Counters.
    pub stats: CoreStats,
    /// Observers of commands: (core, connection, client id) of every MONITOR.
    pub monitors: Vec<(usize, u32, u64)>,
    /// Subscribers of channels homed or matched here.
    pub pubsub: super::pubsub::PubSub,
    /// Keyspace events wait in the mesh's outboxes.
    pub has_events_out: bool,
    /// Client-side caching.
    pub tracking: super::tracking::Tracking,
    /// Slow commands of this core.
    pub slowlog: crate::observe::slowlog::SlowLog,
    /// Latency samples of this core.
    pub latency: crate::observe::latency::Latency,
    /// Scripts that take too long.
    pub busy: super::busy::Busy,
    /// Whether data is being loaded, and records that wait for the shard.
    pub loading: super::loading::Loading,
    /// Commands no connection sent, executed here.
    pub applied: super::applied::Applied,
    /// A stream of commands that is taken apart here.
    pub stream: Option<Box<super::apply::Stream>>,
    /// Tasks beside the network's that want this core: it does not sleep.
    pub bulk_tasks: usize,
    /// Until when commands pause, and whether only writes do.
    pub paused: super::pause::Pause,
    /// Clients at home here that wait in a blocking command.
    pub blocked: BlockedClients,
    /// Registrations to drop when the shard is home again.
    pub unwatch_later: Vec<Watched>,
    /// Tells of SIGTERM and SIGINT (core 0).
    pub signal_fd: std::os::fd::RawFd,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: bool,
    /// Commands that take at least this long are looked at (`account`).
    pub slow_ticks: u64,
    /// Scratch of the executor.
    pub outcome: Outcome,
    /// Snapshots (`saving`).
    pub saving: super::saving::Saving,
    /// The way to the end (`stop`).
    pub stop: super::stop::Stop,
    /// The append-only file (core 0).
    pub journal: Option<Box<super::journal::Drive>>,
    /// Replies that wait for it.
    pub holds: super::held_replies::Holds,
    /// Clients that wait for it (WAITAOF).
    pub local_waits: super::local_waits::LocalWaits,
    /// Rewrites of the append-only file (core 0).
    pub rewriting: super::rewriting::Rewriting,
    /// Longest steps (`steps`).
    pub meter: Meter,
    /// Where the sweep over the connections stands (`client_limits`).
    pub swept: u32,
    /// Memory of this core's clients, kept while maxmemory-clients is set.
    pub client_bytes: usize,
    /// maxmemory-clients in bytes, 0 if unlimited.
    pub client_memory_limit: usize,
    /// A search for the largest client that began here is under way.
    pub is_hunting: bool,
    pub(super) inbox: VecDeque<Message>,
    pub(super) completions: VecDeque<Completion>,
    /// The last clock reading of a turn's part.
    pub last_tick: u64,
    /// Whether the next command begins where the last one ended, at `last_tick`: no need to read the counter again.
    pub follows: bool,
    part_began: u64,
    part_ticks: u64,
    id: usize,
    cores: usize,
}

impl Core {
    /// Makes the core on its own thread (the ring belongs to the thread that makes it).
    pub fn new(
        mesh: Port<Message>,
        shared: Arc<Shared>,
        map: SlotMap,
        config: Arc<Config>,
        shard: Box<Shard>,
    ) -> std::io::Result<Core> {
        let ring = Ring::new(RECV_BUFFERS, RECV_BUFFER_SIZE)?;
        mesh.set_ring_fd(ring.fd());
        let settings = Arc::new(Settings::from(&*config));
        let users = crate::acl::users::newest();
        let (id, cores) = (mesh.core(), mesh.cores());
        let stats = CoreStats::new(shared.table.len());
        let mut core = Core {
            mesh,
            ring,
            shard: Some(shard),
            guest: None,
            is_offering: false,
            errands: VecDeque::new(),
            held: Default::default(),
            waiting: VecDeque::new(),
            connections: Slab::new(),
            listeners: Vec::new(),
            dirty: Vec::new(),
            shared,
            map,
            config,
            settings,
            acl_tag: super::gate::tag_of(&users),
            users,
            now_ms: clock::now_ms(),
            upkeep_waits: false,
            now_us: clock::monotonic_us(),
            wall_offset_ms: clock::sample_wall(),
            stats,
            monitors: Vec::new(),
            pubsub: Default::default(),
            has_events_out: false,
            tracking: Default::default(),
            slowlog: Default::default(),
            latency: Default::default(),
            busy: Default::default(),
            loading: Default::default(),
            applied: Default::default(),
            stream: None,
            bulk_tasks: 0,
            paused: Default::default(),
            blocked: Default::default(),
            unwatch_later: Vec::new(),
            signal_fd: -1,
            active_expire: true,
            slow_ticks: 0,
            outcome: Outcome::default(),
            saving: Default::default(),
            stop: Default::default(),
            rewriting: Default::default(),
            journal: None,
            holds: Default::default(),
            local_waits: Default::default(),
            meter: Meter::default(),
            swept: 0,
            client_bytes: 0,
            client_memory_limit: 0,
            is_hunting: false,
            inbox: VecDeque::new(),
            completions: VecDeque::new(),
            last_tick: 0,
            follows: false,
            part_began: 0,
            part_ticks: TURN_PART_US * ticks::per_us(),
            id,
            cores,
        };
        if let Some(shard) = core.shard.as_deref_mut() {
            shard.space.common.freshness = freshness(&core.settings);
        }
        core.client_memory_limit = core.settings.client_memory_limit();
        core.configure_shard();
        core.configure_journal();
        core.update_slow_ticks();
        reclaim::enable();
        Ok(core)
    }

    /// Takes a new configuration into use.
    pub fn configure(&mut self, config: Arc<Config>) {
        self.settings = Arc::new(Settings::from(&*config));
        self.config = config;
        if let Some(shard) = self.shard.as_deref_mut() {
            shard.space.common.freshness = freshness(&self.settings);
        }
        self.client_memory_limit = self.settings.client_memory_limit();
        self.configure_shard();
        self.update_slow_ticks();
        self.configure_journal();
        self.check_rewrites();
    }

    fn configure_shard(&mut self) {
        if let Some(shard) = self.shard.as_deref_mut() {
            shard.configure(&self.settings);
        }
    }

    /// This core's index.
    #[inline]
    pub fn id(&self) -> usize {
        self.id
    }

    /// How many cores there are.
    #[inline]
    pub fn cores(&self) -> usize {
        self.cores
    }

    /// Reads the clocks: once per turn, and after a command that took long.
    pub fn sample_clock(&mut self) {
        self.now_us = clock::monotonic_us();
        self.now_ms = clock::internal_ms(self.now_us);
    }

    /// One turn: everything that has arrived is handled, what it caused is published, then queued to leave.
    /// Returns whether anything happened.
    pub fn turn(&mut self) -> bool {
        let first = self.completions.len();
        self.ring.reap(&mut self.completions);
        self.fetch_received(first);
        let before = self.inbox.len();
        self.mesh.receive(&mut self.inbox);
        self.fetch_arrivals(before);
        self.release_held();
        self.serve_waits();
        if self.is_idle() && !self.blocked.has_due() {
            return false;
        }
        self.sample_clock();
        // What is left over comes first in the next turn, after this one's replies have left.
        self.begin_part();
        while !self.part_is_over()
            && let Some(completion) = self.completions.pop_front()
        {
            self.complete(completion);
            self.last_tick = ticks::now();
        }
        self.begin_part();
        while !self.part_is_over()
            && let Some(message) = self.inbox.pop_front()
        {
            self.handle(message);
            self.last_tick = ticks::now();
        }
        self.begin_part();
        self.take_deliveries();
        self.run_pieces();
        self.expire_blocked();
        std::mem::take(&mut self.blocked.early).into_iter().for_each(|offer| offer::step(self, offer));
        self.drain_waiting();
        self.end_turn();
        true
    }

    /// Handles all that has arrived, without a budget and without those that wait: the core is in the middle of something long.
    pub fn take_arrivals(&mut self) {
        self.ring.reap(&mut self.completions);
        self.mesh.receive(&mut self.inbox);
        while let Some(completion) = self.completions.pop_front() {
            self.complete(completion);
        }
        while let Some(message) = self.inbox.pop_front() {
            self.handle(message);
        }
    }

    /// Publishes effects, then lets replies and messages leave.
    pub fn end_turn(&mut self) {
        if let Some(shard) = self.shard.as_deref_mut() {
            execute::seal(shard);
            if shard.walk.is_some() {
                self.help_snapshot();
            }
        }
        if self.client_memory_limit > 0 {
            self.check_client_memory();
        }
        self.send_invalidations();
        self.place_waits();
        self.release_held();
        self.flush_connections();
        self.ask_for_sync();
        self.flush_mesh();
    }

    /// Publishes effects and lets messages leave before the turn ends.
    pub fn publish_and_flush(&mut self) {
        if let Some(shard) = self.shard.as_deref_mut() {
            execute::seal(shard);
        }
        self.flush_mesh();
    }

    /// Hands queued messages to their cores and rings those that sleep.
    pub fn flush_mesh(&mut self) {
        let ring = &mut self.ring;
        self.mesh.flush(|fd| ring.ring_doorbell(fd));
    }

    fn complete(&mut self, completion: Completion) {
        match completion.token.op {
            Op::Recv => self.received(completion),
            Op::RecvInto => self.received_into(completion),
            Op::Send => self.sent(completion),
            Op::Accept => self.accepted(completion),
            Op::Poll => self.signalled(completion),
            Op::File | Op::FileSync => self.file_done(completion),
            Op::Doorbell | Op::Cancel => {}
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Session(session) => {
                self.stats.hops_in += 1;
                if session.homeward { self.park(session) } else { run::run(self, session, &[]) }
            }
            Message::Shard(shard) => self.take_home(shard),
            Message::Adopt(accepted) => self.adopt(*accepted),
            Message::Unwatch(watched) => match self.shard.as_deref_mut() {
                Some(shard) => watched.release_on(shard),
                None => self.unwatch_later.push(*watched),
            },
            Message::Resume(session) => run::run(self, session, &[]),
            Message::Offer(offer) => offer::step(self, offer),
            Message::Errand(errand) => self.run_errand(errand),
            Message::Forget(forget) => match self.shard.as_deref_mut() {
                Some(shard) => forget.release_on(shard),
                None => self.blocked.forget_later.push(*forget),
            },
            Message::Publish(publication) => self.published(&publication),
            Message::Invalidate(told) => self.invalidate(*told),
            Message::Push(push) => self.push_all(push.0, push.1, &[push.2]),
            Message::Call(call) => call(self),
        }
    }

    /// The shard is home again.
    pub fn take_home(&mut self, mut shard: Box<Shard>) {
        for watched in self.unwatch_later.drain(..) {
            watched.release_on(&mut shard);
        }
        for forget in self.blocked.forget_later.drain(..) {
            forget.release_on(&mut shard);
        }
        shard.configure(&self.settings);
        self.shard = Some(shard);
    }

    /// Begins a part of the turn, with a budget of its own.
    fn begin_part(&mut self) {
        self.last_tick = ticks::now();
        self.part_began = self.last_tick;
    }

    /// Whether the part has used its budget, as of the last command.
    #[inline]
    pub fn part_is_over(&self) -> bool {
        self.last_tick.wrapping_sub(self.part_began) > self.part_ticks
    }

    /// Sessions that waited, for the shard or for their next share, go on, until one takes the shard away again.
    fn drain_waiting(&mut self) {
        while self.shard.is_some()
            && let Some(errand) = self.errands.pop_front()
        {
            self.run_errand(errand);
        }
        while self.shard.is_some() && !self.part_is_over() {
            let Some(session) = self.waiting.pop_front() else { return };
            run::run(self, session, &[]);
            self.last_tick = ticks::now();
        }
    }

    /// Whether the last turn left completions for the next: then nothing new is asked of the kernel (it would want receive buffers they still hold).
    pub fn has_completions(&self) -> bool {
        !self.completions.is_empty()
    }

    /// Whether the core may sleep.
    pub fn is_idle(&self) -> bool {
        let at_hand = !self.completions.is_empty() || !self.inbox.is_empty() || !self.dirty.is_empty();
        let nobody_waits = self.waiting.is_empty()
            && self.errands.is_empty()
            && !self.loading.has_deliveries()
            && !self.applied.has_next();
        !at_hand && self.mesh.queued() == 0 && (nobody_waits || self.shard.is_none())
    }

    /// Whether the process is stopping.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }
}

/// Stopping and upkeep.
impl Core {
    /// The signal descriptor is readable.
    fn signalled(&mut self, completion: Completion) {
        let fd = self.signal_fd;
        if !completion.more && completion.result >= 0 {
            self.ring.poll_in(fd, 0);
        }
        self.take_signals();
    }

    /// Upkeep, ten times a second and between: expiry, lazy free, timeouts, pauses. Returns whether more waits.
    pub fn upkeep(&mut self) -> bool {
        let started = ticks::now();
        self.sample_clock();
        self.wall_offset_ms = clock::sample_wall();
        self.stats.sample_rates(self.now_ms);
        let mut more = !reclaim::step(RECLAIM_BUDGET_US);
        if let Some(mut shard) = self.shard.take() {
            let (settings, now_ms) = (Arc::clone(&self.settings), self.now_ms);
            shard.space.common.freshness = freshness(&settings);
            shard.space.common.watch.track.reports_all = self.tracking.reports_all();
            if self.active_expire && !self.loading.is_on {
                let started = ticks::now();
                more |= upkeep::expire(&mut shard, now_ms, EXPIRE_BUDGET_US, &settings, &mut self.outcome);
                self.stats.expire_ticks += ticks::now().wrapping_sub(started);
            }
            more |= !upkeep::free(&mut shard, FREE_BUDGET_US);
            more |= self.walk_snapshot(&mut shard);
            self.shared.dirty[self.id].store(shard.dirty, Ordering::Relaxed);
            self.note_departures(&mut shard);
            self.shared.space_bytes[self.id].store(shard.space.bytes(), Ordering::Relaxed);
            self.shard = Some(shard);
        }
        if !self.outcome.events.is_empty() {
            let mut events = std::mem::take(&mut self.outcome.events);
            self.publish_events(&mut events);
        }
        self.begin_part();
        // A key somebody waits for has expired or was evicted.
        if let Some(shard) = self.shard.take_if(|shard| shard.space.common.waiters.has_ready()) {
            let cores = self.cores();
            offer::step(self, Offer::of_one(shard, cores));
        }
        let lets_go = !self.paused.is_on(self.now_ms)
            && self.shared.refusing.load(Ordering::Relaxed) & refusal::BEHIND == 0;
        while lets_go && !self.part_is_over() {
            let Some(session) = self.paused.sessions.pop_front() else { break };
            run::run(self, session, &[]);
            self.last_tick = ticks::now();
        }
        more |= lets_go && !self.paused.sessions.is_empty();
        self.is_hunting = false;
        self.check_save_points();
        self.step_stop();
        self.check_rewrites();
        self.sweep_clients();
        self.end_turn();
        self.note_upkeep(started);
        self.upkeep_waits = more || self.saving.is_waiting();
        more
    }

    /// How long the core may sleep, in microseconds.
    pub fn longest_wait_us(&self) -> u64 {
        let longest = if self.upkeep_waits { BUSY_WAIT_US } else { IDLE_WAIT_US };
        match self.blocked.next_due_in() {
            Some(ms) => longest.min(ms.saturating_mul(1000).max(1000)),
            None => longest,
        }
    }
}
