//! The hot, typed view of the configuration: plain fields that commands read without a lookup.
//!
//! Made by [`Settings::from`] whenever a core gets a new `Config`; read everywhere above. Invariant: a pure function
//! of the `Config`. Bounds: tens of fields; cloning it is cheap and rare. Why not `Config` itself: a lookup by name per
//! command would cost more than the command.

use super::check::{self, Affinity};
use super::compound::{OutputLimit, SavePoint};
use super::schema;
use super::store::Config;
use super::value::{Value, show_choice};

/// `maxmemory-policy` without noeviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// Least recently used of all keys.
    AllKeysLru,
    /// Least frequently used of all keys.
    AllKeysLfu,
    /// Any key.
    AllKeysRandom,
    /// Least recently used of keys with an expiry.
    VolatileLru,
    /// Least frequently used of keys with an expiry.
    VolatileLfu,
    /// Any key with an expiry.
    VolatileRandom,
    /// The key that expires first.
    VolatileTtl,
}

impl EvictionPolicy {
    /// Whether it asks when or how often keys are used.
    pub fn looks_at_recency(self) -> bool {
        use EvictionPolicy::{AllKeysLfu, AllKeysLru, VolatileLfu, VolatileLru};
        matches!(self, AllKeysLru | AllKeysLfu | VolatileLru | VolatileLfu)
    }
}

/// `maxmemory-clients`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMemory {
    /// No limit.
    Unlimited,
    /// A number of bytes.
    Bytes(usize),
    /// Percent of maxmemory.
    Percent(u32),
}

/// `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// When the system likes.
    No,
    /// Before every reply.
    Always,
    /// Once a second.
    EverySecond,
}

/// `pipeline-order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineOrder {
    /// Commands of one connection run in their order.
    Strict,
    /// Commands on different cores may overtake each other.
    Relaxed,
}

/// How a signal shuts the server down: `shutdown-on-sigint`, `shutdown-on-sigterm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags {
    /// Save although no save point is configured.
    pub save: bool,
    /// Do not save.
    pub nosave: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Exit although saving failed.
    pub force: bool,
}

macro_rules! settings {
    ($( $(#[$doc:meta])* $field:ident : $type:ty = $read:ident $(($($arg:expr),*))? $name:literal ),* $(,)?) => {
        /// Typed values of the directives that code above reads. Field names are the directives', units appended.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $( $(#[$doc])* pub $field: $type, )*
            /// `rename-command` lines: command, new name (empty removes it).
            pub renames: Vec<(String, String)>,
            /// CPUs of `thread-affinity`; empty leaves the choice to the server.
            pub thread_affinity: Vec<usize>,
            /// False with `thread-affinity no`: threads float.
            pub thread_pinning: bool,
            /// Limits of normal, replica and pubsub clients.
            pub client_output_buffer_limits: [OutputLimit; 3],
        }

        impl From<&Config> for Settings {
            fn from(config: &Config) -> Self {
                let affinity = check::affinity(&bytes(config, "thread-affinity")).unwrap_or(Affinity::Auto);
                let renames = config.renames.iter();
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Settings {
                    $( $field: $read(config, $name $($(, $arg)*)?), )*
                    renames: renames.map(|rename| (text(&rename.from), text(&rename.to))).collect(),
                    thread_pinning: affinity != Affinity::Floating,
                    thread_affinity: match affinity {
                        Affinity::Cpus(cpus) => cpus,
                        Affinity::Auto | Affinity::Floating => Vec::new(),
                    },
                    client_output_buffer_limits: output_limits(config),
                }
            }
        }
    };
}

settings! {
    /// Addresses to listen on, each perhaps with a leading `-`.
    bind: Vec<String> = texts "bind",
    /// TCP port; 0 is none.
    port: u16 = number "port",
    /// Length of the listen queue.
    tcp_backlog: i32 = number "tcp-backlog",
    /// Seconds between keepalive probes; 0 is off.
    tcp_keepalive: u32 = number "tcp-keepalive",
    /// Seconds after which an idle client is closed; 0 is never.
    timeout_s: u32 = number "timeout",
    /// Path of the Unix socket; empty is none.
    unixsocket: String = text "unixsocket",
    /// Its mode; 0 leaves it.
    unixsocketperm: u32 = number "unixsocketperm",
    /// Only loopback without password.
    protected_mode: bool = yes "protected-mode",
    /// Clients at the same time.
    maxclients: usize = number "maxclients",
    /// Bytes of an unfinished command.
    client_query_buffer_limit: usize = number "client-query-buffer-limit",
    /// Bytes of one argument.
    proto_max_bulk_len: usize = number "proto-max-bulk-len",
    /// Memory of all client buffers.
    maxmemory_clients: ClientMemory = client_memory "maxmemory-clients",
    /// Keys remembered for client-side caching.
    tracking_table_max_keys: usize = number "tracking-table-max-keys",
    /// Run in the background.
    daemonize: bool = yes "daemonize",
    /// upstart, systemd, auto or no.
    supervised: String = word "supervised",
    /// Empty is none.
    pidfile: String = text "pidfile",
    /// Working directory as written; empty stays where it is.
    dir: String = text "dir",
    /// debug, verbose, notice or warning.
    loglevel: String = word "loglevel",
    /// Empty is standard output.
    logfile: String = text "logfile",
    /// Write a crash report.
    crash_log_enabled: bool = yes "crash-log-enabled",
    /// How SIGINT shuts down.
    shutdown_on_sigint: ShutdownFlags = shutdown "shutdown-on-sigint",
    /// How SIGTERM shuts down.
    shutdown_on_sigterm: ShutdownFlags = shutdown "shutdown-on-sigterm",
    /// Seconds to wait for replicas.
    shutdown_timeout_s: u64 = number "shutdown-timeout",
    /// Password of the default user; empty is none.
    requirepass: Vec<u8> = bytes "requirepass",
    /// Empty is none.
    aclfile: String = text "aclfile",
    /// Whether new ACL users may use all channels.
    acl_pubsub_default_all: bool = chosen(1) "acl-pubsub-default",
    /// Entries of ACL LOG.
    acllog_max_len: usize = number "acllog-max-len",
    /// Bits of `enable-debug-command`: 0 no, 1 yes, 2 local.
    enable_debug_command: u8 = bits "enable-debug-command",
    /// Bytes; 0 is unlimited.
    maxmemory: usize = number "maxmemory",
    /// `None` is noeviction.
    maxmemory_policy: Option<EvictionPolicy> = policy "maxmemory-policy",
    /// Keys looked at per eviction.
    maxmemory_samples: usize = number "maxmemory-samples",
    /// 0 to 100.
    maxmemory_eviction_tenacity: u32 = number "maxmemory-eviction-tenacity",
    /// How slowly the LFU counter grows.
    lfu_log_factor: u32 = number "lfu-log-factor",
    /// Minutes.
    lfu_decay_time_min: u32 = number "lfu-decay-time",
    /// Free evicted values in the background.
    lazyfree_lazy_eviction: bool = yes "lazyfree-lazy-eviction",
    /// Free expired values in the background.
    lazyfree_lazy_expire: bool = yes "lazyfree-lazy-expire",
    /// Free overwritten values in the background.
    lazyfree_lazy_server_del: bool = yes "lazyfree-lazy-server-del",
    /// DEL frees as UNLINK does.
    lazyfree_lazy_user_del: bool = yes "lazyfree-lazy-user-del",
    /// FLUSHALL frees in the background by default.
    lazyfree_lazy_user_flush: bool = yes "lazyfree-lazy-user-flush",
    /// Fields of a compact hash.
    hash_max_listpack_entries: usize = number "hash-max-listpack-entries",
    /// Bytes of a field or value of a compact hash.
    hash_max_listpack_value: usize = number "hash-max-listpack-value",
    /// Entries, or -1..-5 for 4..64 kB.
    list_max_listpack_size: i32 = number "list-max-listpack-size",
    /// List nodes at each end left uncompressed.
    list_compress_depth: u32 = number "list-compress-depth",
    /// Members of a compact set of integers.
    set_max_intset_entries: usize = number "set-max-intset-entries",
    /// Members of a compact set.
    set_max_listpack_entries: usize = number "set-max-listpack-entries",
    /// Bytes of a member of a compact set.
    set_max_listpack_value: usize = number "set-max-listpack-value",
    /// Members of a compact sorted set.
    zset_max_listpack_entries: usize = number "zset-max-listpack-entries",
    /// Bytes of a member of a compact sorted set.
    zset_max_listpack_value: usize = number "zset-max-listpack-value",
    /// Bytes of a sparse HyperLogLog.
    hll_sparse_max_bytes: usize = number "hll-sparse-max-bytes",
    /// Bytes of a stream node.
    stream_node_max_bytes: usize = number "stream-node-max-bytes",
    /// Entries of a stream node.
    stream_node_max_entries: usize = number "stream-node-max-entries",
    /// Bits as `command::cx::notify` has them.
    notify_keyspace_events: u32 = events "notify-keyspace-events",
    /// Milliseconds after which a script answers BUSY.
    busy_reply_threshold_ms: u64 = number "busy-reply-threshold",
    /// Microseconds; negative is off.
    slowlog_log_slower_than_us: i64 = number "slowlog-log-slower-than",
    /// Entries of SLOWLOG.
    slowlog_max_len: usize = number "slowlog-max-len",
    /// Milliseconds; 0 is off.
    latency_monitor_threshold_ms: u64 = number "latency-monitor-threshold",
    /// Per-command distributions.
    latency_tracking: bool = yes "latency-tracking",
    /// Percentiles of INFO latencystats.
    latency_tracking_info_percentiles: Vec<f64> = percentiles "latency-tracking-info-percentiles",
    /// Number of databases.
    databases: usize = number "databases",
    /// Background rounds per second, 1 to 500.
    hz: u32 = number "hz",
    /// More rounds with more clients.
    dynamic_hz: bool = yes "dynamic-hz",
    /// 1 to 10.
    active_expire_effort: u32 = number "active-expire-effort",
    /// Snapshot points.
    save: Vec<SavePoint> = save_points "save",
    /// Microseconds to wait per loaded key, for tests.
    key_load_delay_us: i64 = number "key-load-delay",
    /// File name of the snapshot.
    dbfilename: String = text "dbfilename",
    /// Refuse writes after a failed snapshot.
    stop_writes_on_bgsave_error: bool = yes "stop-writes-on-bgsave-error",
    /// Compress strings in snapshots.
    rdbcompression: bool = yes "rdbcompression",
    /// Checksum at the end of snapshots.
    rdbchecksum: bool = yes "rdbchecksum",
    /// Keep an append-only file.
    appendonly: bool = yes "appendonly",
    /// Base name of the append-only files.
    appendfilename: String = text "appendfilename",
    /// Directory of the append-only files.
    appenddirname: String = text "appenddirname",
    /// When the append-only file is fsynced.
    appendfsync: FsyncPolicy = fsync "appendfsync",
    /// No fsync while a rewrite runs.
    no_appendfsync_on_rewrite: bool = yes "no-appendfsync-on-rewrite",
    /// Percent; 0 is never.
    auto_aof_rewrite_percentage: u32 = number "auto-aof-rewrite-percentage",
    /// Bytes.
    auto_aof_rewrite_min_size: u64 = number "auto-aof-rewrite-min-size",
    /// Load a file whose tail is torn.
    aof_load_truncated: bool = yes "aof-load-truncated",
    /// The base of the append-only file is a snapshot.
    aof_use_rdb_preamble: bool = yes "aof-use-rdb-preamble",
    /// Timestamps in the append-only file.
    aof_timestamp_enabled: bool = yes "aof-timestamp-enabled",
    /// Keep files of former rewrites.
    aof_disable_auto_gc: bool = yes "aof-disable-auto-gc",
    /// The primary to follow at start.
    replicaof: Option<(String, u16)> = primary "replicaof",
    /// User sent to the primary; empty is none.
    masteruser: Vec<u8> = bytes "masteruser",
    /// Password sent to the primary; empty is none.
    masterauth: Vec<u8> = bytes "masterauth",
    /// Answer while the link to the primary is down.
    replica_serve_stale_data: bool = yes "replica-serve-stale-data",
    /// A replica refuses writes of clients.
    replica_read_only: bool = yes "replica-read-only",
    /// Flush in the background before a full sync.
    replica_lazy_flush: bool = yes "replica-lazy-flush",
    /// A replica does not evict.
    replica_ignore_maxmemory: bool = yes "replica-ignore-maxmemory",
    /// Preference for promotion; 0 is never.
    replica_priority: u32 = number "replica-priority",
    /// Sentinel may show this replica.
    replica_announced: bool = yes "replica-announced",
    /// Address told to the primary; empty is the socket's.
    replica_announce_ip: String = text "replica-announce-ip",
    /// Port told to the primary; 0 is the own one.
    replica_announce_port: u16 = number "replica-announce-port",
    /// Full sync over the socket without a file.
    repl_diskless_sync: bool = yes "repl-diskless-sync",
    /// Seconds to wait for more replicas.
    repl_diskless_sync_delay_s: u64 = number "repl-diskless-sync-delay",
    /// Replicas that end the wait; 0 is none.
    repl_diskless_sync_max_replicas: usize = number "repl-diskless-sync-max-replicas",
    /// disabled, on-empty-db or swapdb.
    repl_diskless_load: String = word "repl-diskless-load",
    /// Seconds between pings to replicas.
    repl_ping_replica_period_s: u64 = number "repl-ping-replica-period",
    /// Seconds after which a silent link is dead.
    repl_timeout_s: u64 = number "repl-timeout",
    /// Fewer, larger packets to replicas.
    repl_disable_tcp_nodelay: bool = yes "repl-disable-tcp-nodelay",
    /// Bytes kept for partial resync.
    repl_backlog_size: u64 = number "repl-backlog-size",
    /// Seconds the backlog outlives its last replica; 0 is for ever.
    repl_backlog_ttl_s: u64 = number "repl-backlog-ttl",
    /// Replicas below which writes are refused; 0 is off.
    min_replicas_to_write: usize = number "min-replicas-to-write",
    /// Seconds of silence after which a replica does not count.
    min_replicas_max_lag_s: u64 = number "min-replicas-max-lag",
    /// Cluster mode.
    cluster_enabled: bool = yes "cluster-enabled",
    /// Milliseconds after which a node is suspected.
    cluster_node_timeout_ms: u64 = number "cluster-node-timeout",
    /// Cores that work; 0 is as many as allowed.
    threads: usize = number "threads",
    /// Microseconds of polling before a core sleeps.
    busy_poll_us: u64 = number "busy-poll-us",
    /// Whether commands of a connection may overtake each other.
    pipeline_order: PipelineOrder = order "pipeline-order",
}

impl Settings {
    /// The output limit of a normal or a subscribed client.
    pub fn output_limit(&self, pubsub: bool) -> OutputLimit {
        self.client_output_buffer_limits[if pubsub { 2 } else { 0 }]
    }

    /// Whether a client may use DEBUG.
    pub fn debug_allowed(&self, local: bool) -> bool {
        match self.enable_debug_command {
            1 => true,
            2 => local,
            _ => false,
        }
    }

    /// Whether eviction goes by access (LRU, LFU): small integers are then not shared between keys.
    pub fn maxmemory_policy_tracks_access(&self) -> bool {
        use EvictionPolicy as Policy;
        let by_access = |policy| {
            matches!(
                policy,
                Policy::AllKeysLru | Policy::AllKeysLfu | Policy::VolatileLru | Policy::VolatileLfu
            )
        };
        self.maxmemory_policy.is_some_and(by_access)
    }

    /// Bytes all client buffers may take, after percents of maxmemory; 0 is unlimited.
    pub fn client_memory_limit(&self) -> usize {
        match self.maxmemory_clients {
            ClientMemory::Unlimited => 0,
            ClientMemory::Bytes(bytes) => bytes,
            ClientMemory::Percent(percent) => (self.maxmemory as u128 * u128::from(percent) / 100) as usize,
        }
    }
}

/// A number of the table: its row's range fits the field (a test sets every row to its bounds).
fn number<T: TryFrom<i128>>(config: &Config, name: &str) -> T {
    let Value::Number(number) = config.value(name) else { unreachable!("{name} is no number") };
    let Ok(number) = T::try_from(*number) else { unreachable!("{name} does not fit its field") };
    number
}

fn yes(config: &Config, name: &str) -> bool {
    matches!(config.value(name), Value::Bool(true))
}

fn bits(config: &Config, name: &str) -> u8 {
    let Value::Choice(bits) = config.value(name) else { unreachable!("{name} is no choice") };
    *bits
}

fn chosen(config: &Config, name: &str, wanted: u8) -> bool {
    bits(config, name) == wanted
}

fn word(config: &Config, name: &str) -> String {
    let Some(found) = schema::find(name.as_bytes()) else { unreachable!("no directive {name}") };
    show_choice(schema::DIRECTIVES[found.index], bits(config, name))
}

fn bytes(config: &Config, name: &str) -> Vec<u8> {
    let Value::Text(text) = config.value(name) else { unreachable!("{name} is no text") };
    text.clone().unwrap_or_default()
}

fn text(config: &Config, name: &str) -> String {
    String::from_utf8_lossy(&bytes(config, name)).into_owned()
}

fn texts(config: &Config, name: &str) -> Vec<String> {
    let Value::Addresses(addresses) = config.value(name) else { unreachable!("{name} is no list") };
    addresses.iter().map(|address| String::from_utf8_lossy(address).into_owned()).collect()
}

fn output_limits(config: &Config) -> [OutputLimit; 3] {
    match config.value("client-output-buffer-limit") {
        Value::OutputLimits(limits) => *limits,
        _ => unreachable!("client-output-buffer-limit holds limits"),
    }
}

fn client_memory(config: &Config, name: &str) -> ClientMemory {
    match number::<i64>(config, name) {
        0 => ClientMemory::Unlimited,
        percent if percent < 0 => ClientMemory::Percent(percent.unsigned_abs() as u32),
        bytes => ClientMemory::Bytes(bytes as usize),
    }
}

fn shutdown(config: &Config, name: &str) -> ShutdownFlags {
    let bits = bits(config, name);
    ShutdownFlags { nosave: bits & 1 != 0, save: bits & 2 != 0, now: bits & 4 != 0, force: bits & 8 != 0 }
}

fn policy(config: &Config, name: &str) -> Option<EvictionPolicy> {
    Some(match bits(config, name) {
        0 => EvictionPolicy::VolatileLru,
        1 => EvictionPolicy::VolatileLfu,
        2 => EvictionPolicy::VolatileRandom,
        3 => EvictionPolicy::VolatileTtl,
        4 => EvictionPolicy::AllKeysLru,
        5 => EvictionPolicy::AllKeysLfu,
        6 => EvictionPolicy::AllKeysRandom,
        _ => return None,
    })
}

fn fsync(config: &Config, name: &str) -> FsyncPolicy {
    match bits(config, name) {
        0 => FsyncPolicy::No,
        1 => FsyncPolicy::Always,
        _ => FsyncPolicy::EverySecond,
    }
}

fn order(config: &Config, name: &str) -> PipelineOrder {
    if bits(config, name) == 0 { PipelineOrder::Strict } else { PipelineOrder::Relaxed }
}

fn events(config: &Config, name: &str) -> u32 {
    let Value::NotifyEvents(bits) = config.value(name) else { unreachable!("{name} holds event classes") };
    *bits
}

fn percentiles(config: &Config, name: &str) -> Vec<f64> {
    let Value::Percentiles(values) = config.value(name) else { unreachable!("{name} holds percentiles") };
    values.clone()
}

fn save_points(config: &Config, name: &str) -> Vec<SavePoint> {
    let Value::SavePoints(points) = config.value(name) else { unreachable!("{name} holds save points") };
    points.clone()
}

fn primary(config: &Config, name: &str) -> Option<(String, u16)> {
    let Value::PrimaryAddress(address) = config.value(name) else { unreachable!("{name} is an address") };
    address.as_ref().map(|(host, port)| (String::from_utf8_lossy(host).into_owned(), *port))
}
