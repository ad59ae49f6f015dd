//! shoal: a Redis-compatible in-memory server for Linux. This page is the map of its source.
//!
//! One thread per core. Each owns its connections, its share of the keys (the *shard*), its log, its timers and its
//! counters; threads talk only by messages. The README says how to run it; this page says where things are.
//!
//! # Rooms
//!
//! | layer | room | what is in it |
//! |---|---|---|
//! | – | `main.rs` | arguments and config file, then [`server::run`]; prints the one fatal line |
//! | – | [`limits`] | every fixed bound, asserted against the others |
//! | L0 | [`base`] | clocks, hash slots, SipHash, CRC-64, globs, number <-> text, slab, counting allocator, CPU time |
//! | L1 | [`runtime`] | one glommio executor per core, our io_uring socket ring, the mesh, the process' limits and affinity |
//! | L1 | [`resp`] | RESP2 and RESP3 as bytes: reading commands, writing replies |
//! | L1 | [`config`] | one table of directives: files, command line, CONFIG, `--help`, hot [`config::Settings`] |
//! | L2 | [`types`] | values and their encodings (strings live in the entry itself) |
//! | L2 | [`keyspace`] | a core's keys: slot tables, entries, expiry, eviction, WATCH versions, SCAN, digests |
//! | L3 | [`effect`] | what a write leaves behind, its wire form, the log of a core, merging the logs by offset |
//! | L3 | [`rdb`] | values as redis' RDB writes them, there and back: DUMP and RESTORE payloads |
//! | L4 | [`command`] | one row per command, the handlers by family, every error text, key specs |
//! | L4 | [`acl`] | users and their rules, the check before a command, ACL LOG, the ACL file; pure, beside `command` so that scripts (L5) can ask |
//! | L5 | [`shard`] | keyspace + log of a core; [`shard::execute`], the one door for writes; lending; upkeep |
//! | L6 | [`persist`] | the append-only file as plain state machines: manifest, journal, scanner, recovery |
//! | L7 | [`session`] | connections and what runs on them: receive, admit, route, run, transactions, pub/sub, client-side caching, deliver |
//! | L7 | [`observe`] | log, INFO, SLOWLOG, LATENCY, MEMORY, counters, crash report |
//! | L8 | [`server`] | boot, listening sockets, the registry of control commands, the network task, signals |
//!
//! A file imports only from its own layer and those below; `tests/tidy.rs` checks it. Replication and cluster (L6)
//! do not exist yet. Nothing imports `server`: what a lower room needs of a higher one comes as a function
//! pointer ([`command::row::Handler`], [`session::Control`]).
//!
//! # The life of a SET
//!
//! `SET k v` arrives for a connection whose *home* is core 0; the slot of `k` belongs to core 1.
//!
//! 1. **Ring.** The multishot receive of [`runtime::ring`] completes with a provided buffer. [`session::core::Core::turn`] reaps it and
//!    calls `received` ([`session::receive`]), which takes the session out of its connection ([`session::connection`]; were it away, the bytes
//!    would wait there) and calls [`session::run::run`] with the bytes where they lie.
//! 2. **Parse.** [`resp::Reader`] finds the words in place. A command cut by the end of the buffer is completed later; an argument of
//!    32 KiB or more gets a buffer of its own, and one with 256 KiB or more missing is received by the kernel straight into it.
//! 3. **Admit.** [`session::admit`], once per command and before any hop: known (its row), arity, DEBUG allowed, password and rights ([`session::gate`]; an unrestricted user: one comparison), MULTI, maxmemory
//!    (may evict), subscriber mode, CLIENT PAUSE. Within MULTI it is queued here and that is all.
//! 4. **Route.** [`session::route`]: the row's key positions -> [`base::slot`] -> [`command::SlotMap`] -> the set of cores.
//! 5. **Go there.** One core, this one: a plain call. One core, another (our case): the `Box<Session>`, unread input and unsent replies
//!    included, becomes a message of [`runtime::mesh`] and leaves at the end of this turn; on core 1 `run` parses the command again and
//!    does not admit it again. Several cores: see below. If the shard is lent at the moment, the session waits in `Core::waiting`. A core between two turns has
//!    its shard at its *berth* ([`session::berth`]): then the session need not go, it borrows the shard for as long as it runs and gives it back.
//! 6. **Execute.** `run` takes the shard out of the core and calls [`shard::execute::execute`], which calls the row's handler
//!    (`command::string::set`) with a [`command::Cx`]; the handler writes through [`keyspace::Db`], which judges expiry by the time of the turn.
//! 7. **Effect.** The handler calls `propagate` (or `propagate_as`: `EX 10` leaves as `PXAT ms`). With a reader attached the effect is added
//!    to [`effect::Staging`]; with none, that is one branch. Keys that expired on the way leave before it, as DEL.
//! 8. **Reply.** The handler has written `+OK` to the session's [`resp::Out`]; an error would have rewound it to the command's start.
//!    `close_unit` ends the unit, keyspace events are published, `session::account` counts, and feeds SLOWLOG and LATENCY.
//! 9. **Next command.** Back to 2, here, as long as input is left: the session goes where its commands lead it, core to core. With
//!    nothing left it goes home (`homeward`), where [`session::connection`] keeps it.
//! 10. **Seal.** The turn ends ([`session::core::Core::end_turn`]): [`shard::execute::seal`] reserves the bytes' place in the stream by one
//!     `fetch_add` and appends the batch to the core's log ([`effect::Log`]). Only then do sends start and messages go.
//! 11. **Send.** [`session::deliver`] queues at most one send per connection, the same way on whichever turn the session came home;
//!     the network task ([`server`]) submits everything and waits, in one system call. The completion
//!     frees the buffer or asks for the next slice.
//!
//! Steps 10 and 11 happen in each core's own turn: core 1 seals before the session, with its reply, can leave for core 0.
//!
//! # Commands and transactions over several cores
//!
//! 1. The set of cores is known before the first step: from the row for MSET, RENAME and the like; all of them for KEYS, DBSIZE, FLUSHALL;
//!    for EXEC the union over the queued commands and the watched keys.
//! 2. The session travels these cores in ascending order. On each it takes the core's `Box<Shard>` along ([`shard::lending::Lent`]), its staged effects
//!    sealed before, or waits there until the shard is home. The order is the same for everyone, so no circle of waiting can form.
//! 3. On the last core it has all shards in hand: watched versions are compared, then the commands run, as plain calls, judged by one `now_ms`.
//! 4. The effects of the whole unit go to the log of that last core, as `MULTI … EXEC` if there are several, and are sealed.
//! 5. Every shard is sent home by a message. Other cores were never stopped; an involved one went on with whatever needs no shard
//!    (receiving, sending, sessions passing through) and queued the rest.
//!
//! A command that asks every core but needs no common moment (INFO, CLIENT LIST, CONFIG SET, SLOWLOG, MONITOR, SUBSCRIBE …) is a
//! [`session::visit::Visit`]: the session goes round the cores one after another and replies where it began.
//!
//! # Commands that wait
//!
//! 1. BLPOP finds nothing and asks to block ([`command::blocking`]). With the shards of its keys still in hand the client is registered on each
//!    ([`keyspace::WaitTable`]), in order of arrival; the session goes home and is parked there ([`session::blocking`]).
//! 2. A key that comes into being, in whatever way, is noted if somebody waits for it: one branch if nobody does.
//! 3. When the command or transaction that made it is over, its session and shards become an [`session::offer`]: they travel to the home of the first waiter, whose
//!    command is executed there with these shards in hand; then the next one's, until nobody can be served. Nobody else can touch the keys meanwhile.
//! 4. Only a waiter's home core takes the parked session: to serve it, for its time-out, CLIENT UNBLOCK or its end. So exactly one of them happens.
//! 5. Serving BLMOVE writes a second key. A unit that may set that off collects that key's shard before it begins ([`session::widen`]).
//!
//! # Scripts
//!
//! A script is a transaction whose commands nobody knows beforehand ([`session::script`]): it gets the shards of its declared keys if its text shows that it touches no others
//! (`command::script`), else all of them; its calls go through [`shard::execute`] like queued commands, and its effects are one unit. A late one lets its
//! core answer others meanwhile ([`session::busy`]).
//!
//! # Snapshots
//!
//! 1. SAVE, BGSAVE, a save point ask core 0 ([`session::saving`]). It sends an [`session::errand`], a transaction over all shards without a client: with every shard in
//!    hand each database's *cut* is opened, and the stream's offset is the snapshot's. That is all that clients ever wait for.
//! 2. One bit of each entry says whether the snapshot has seen it (`keyspace::cut`). Each core walks its tables in steps of 150 us, in upkeep and while idle, and whoever changes
//!    or removes an entry that is not seen yet keeps a copy of it first, of a large value a pin. FLUSHALL leaves its tables to the snapshot.
//! 3. [`shard::snapshot`] makes chunks of what is seen, with their checksums; they go to core 0, whose file task (`server::save`) writes them in the order in which they come: temporary file,
//!    fsync, rename, fsync of the directory. A core with 4 MB on the way walks no further; copies beyond 4 MB a core are written by its turns; what the disk cannot take is
//!    spilled (`server::spill`). So memory is bounded and no write ever waits.
//!
//! # Rules that hold everywhere
//!
//! - A session, and a shard, is owned by exactly one core or one message at a time. There is no lock on the path of a command.
//! - A connection's commands are executed in order, because there is one session and it is in one place
//!   (`pipeline-order relaxed` gives that up for commands on different cores: [`session::split`]).
//! - Handlers know no cores, send nothing and never touch a log.
//! - Nobody waits for a full mesh lane: what does not fit stays in the sender's outbox.
//! - Long work is cut: a turn hands out bounded sends, frees happen in steps ([`keyspace::Trash`], `base::reclaim`), expiry has a budget.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | berth | where a core's shard lies between its turns, for others to borrow: [`session::berth`] |
//! | slot | CRC16/XMODEM of the key or its `{tag}`, mod 16384; each belongs to one core |
//! | shard | one core's keys (all databases) and log: [`shard::Shard`] |
//! | lent | of a shard: away with a transaction; its core has `None` in its place meanwhile |
//! | home | the core whose ring has the connection's socket |
//! | session | the travelling part of a connection: input, replies, client state |
//! | hop | a session going to another core |
//! | mesh | the rings between cores: one single-producer lane per ordered pair |
//! | place | of a channel: the core all its messages go through, that of its slot ([`session::pubsub`]) |
//! | lane | one direction of the mesh; in [`session::split`], the part of a relaxed pipeline that goes to one core |
//! | doorbell | an `IORING_OP_MSG_RING` that wakes a core; rung once per batch and only if it sleeps |
//! | turn | reap completions, take messages, run sessions, seal, start sends, flush the mesh |
//! | step | a turn and its submission, or a round of upkeep: what `longest_step_usec` measures, in thread CPU time |
//! | upkeep | expiry, lazy frees, time-outs: a background task, ten times a second, or between the network task's slices while work is left |
//! | visit | a command that goes to every core in turn |
//! | errand | work done once with every core's shard in hand, on no client's behalf |
//! | cut | the moment of a snapshot, in each database; an entry of it is seen once, as it was then |
//! | pre-image | what an entry was at the cut, kept because it changed before the walk came to it |
//! | control | a command served by the session and not by a shard: [`session::Control`] |
//! | effect | one deterministic write, in the words a replica would be sent |
//! | unit | the effects of one command or transaction: applied wholly or not at all |
//! | batch | the effects of one turn of one core, contiguous in the stream, beginning and ending in database 0 |
//! | stream | all batches of all cores in the order of their offsets, without holes |
//! | offset | the position of a byte in the stream |
//! | ready | of a key: it may serve those who wait for it |
//! | offer | ready keys, the shards and the session that made them, going round to the waiters |
//! | departed | keys that expired or were evicted and whose effects are still to be staged |
//! | internal time | unix milliseconds on a monotonic base, so a clock jump neither expires nor revives keys; wall time is converted at the edge |
pub mod acl;
pub mod base;
pub mod command;
pub mod config;
pub mod effect;
pub mod keyspace;
pub mod limits;
pub mod observe;
pub mod persist;
pub mod rdb;
pub mod resp;
pub mod runtime;
pub mod server;
pub mod session;
pub mod shard;
pub mod types;

/// The allocator of every thread (see `base::memory` for the accounting).
#[global_allocator]
static ALLOCATOR: base::memory::Counting = base::memory::Counting;
