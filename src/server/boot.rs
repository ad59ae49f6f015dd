//! From a configuration to running cores, and back to a clean exit.
//!
//! `main` calls [`run`]. Order: daemonize, log, limits, table, what is to be loaded, sockets, then one thread per core, with redis' line when every core has
//! its ring; then core 0 loads ([`super::load`]), and the start ends with redis' other line. Invariant: whatever fails before that is one fatal line and exit 1. Bounds: `limits::MAX_CORES`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::load::{self, LoadError, Plan};
use super::{listen, network, registry, signals};
use crate::base::prng::Prng;
use crate::base::{clock, purge, siphash, ticks};
use crate::command::SlotMap;
use crate::config::{Config, Settings};
use crate::effect::Log;
use crate::keyspace::Keyspace;
use crate::observe::identity::Identity;
use crate::observe::log::{notice, warning};
use crate::runtime::executor::{self, Classes};
use crate::runtime::mesh::{self, Port};
use crate::runtime::process::{self, Allowance};
use crate::runtime::watchdog::Watchdog;
use crate::session::connection::Listener;
use crate::session::core::{Core, Message, Shared};
use crate::session::held_replies::Board;
use crate::shard::Shard;

/// A reason not to start: one line, with its remedy.
#[derive(Debug)]
pub struct Fatal(pub String);

/// Open files the process needs beside its clients, as redis reserves them.
const RESERVED_FILES: u64 = 32;

/// Runs the server until it is told to stop.
///
/// Errors: anything that prevents the start.
pub fn run(config: Config, config_file: String) -> Result<(), Fatal> {
    let settings = Settings::from(&config);
    super::daemon::prepare(&settings).map_err(Fatal)?;
    crate::observe::log::start(&settings.logfile, &settings.loglevel).map_err(Fatal)?;
    let served = serve(config, config_file, settings);
    if let Err(fatal) = &served {
        warning(&fatal.0);
    }
    served
}

/// Runs with the log open: what is fatal from here on stands there too.
fn serve(config: Config, config_file: String, settings: Settings) -> Result<(), Fatal> {
    process::disable_huge_pages();
    purge::postpone();
    if settings.crash_log_enabled {
        crate::observe::crash::install();
    }
    siphash::init_seed();
    ticks::calibrate();
    let allowance = process::allowance();
    let threads = thread_count(&settings, &allowance);
    raise_limits(&settings, threads);
    check_kernel(threads)?;
    announce(&config, &config_file, &settings, threads);
    let (table, controls) = registry::build(&settings.renames).map_err(Fatal)?;
    let users = crate::acl::file::initial(
        &config.users,
        &settings.aclfile,
        &settings.requirepass,
        settings.acl_pubsub_default_all,
    );
    crate::acl::users::install(users.map_err(Fatal)?);
    let plan = load::plan(&settings).map_err(Fatal)?;
    let listeners = listen::listen(&settings).map_err(Fatal)?;
    let signal_fd = signals::catch().map_err(|error| Fatal(format!("signalfd: {error}")))?;
    let identity = Identity {
        run_id: make_run_id(),
        config_file,
        executable: std::env::current_exe().map_or_else(|_| String::new(), |path| path.display().to_string()),
        started_ms: clock::now_ms(),
        tcp_port: settings.port,
    };
    let shared = Arc::new(Shared {
        table,
        controls,
        connections: [const { AtomicUsize::new(0) }; crate::limits::MAX_CORES],
        dirty: [const { AtomicU64::new(0) }; crate::limits::MAX_CORES],
        refusing: AtomicU32::new(0),
        spilling: AtomicBool::new(false),
        board: Board::new(threads),
        last_save_s: AtomicI64::new((clock::wall_us() / 1_000_000) as i64),
        space_bytes: [const { AtomicUsize::new(0) }; crate::limits::MAX_CORES],
        berths: std::array::from_fn(|_| Default::default()),
        client_bytes: [const { AtomicUsize::new(0) }; crate::limits::MAX_CORES],
        loading: Default::default(),
        watchdog: Watchdog::default(),
        stopping: AtomicBool::new(false),
        next_client: AtomicU64::new(1),
        identity,
    });
    super::daemon::write_pid_file(&settings);
    let doors = Doors { listeners, signal_fd };
    run_cores(threads, &allowance, &settings, config, shared, doors, plan)?;
    super::daemon::remove_pid_file(&settings);
    warning("Redis is now ready to exit, bye bye...");
    Ok(())
}

/// How the outside reaches the process: core 0's.
#[derive(Default)]
struct Doors {
    listeners: Vec<Listener>,
    signal_fd: i32,
}

/// What is to be loaded before commands are served: core 0's.
struct Load {
    plan: Plan,
    /// Every core has started: go.
    may_begin: Arc<AtomicBool>,
    /// Where the last line of the log goes if that cannot be.
    failed: mpsc::Sender<String>,
}

/// What one core's thread is started with.
struct Seed {
    port: Port<Message>,
    cpu: Option<usize>,
    shared: Arc<Shared>,
    map: SlotMap,
    config: Arc<Config>,
    doors: Option<Doors>,
    load: Option<Load>,
    is_loading: bool,
    started: mpsc::Sender<Result<(), String>>,
}

/// Starts the cores, has the data loaded, and waits until they end.
fn run_cores(
    threads: usize,
    allowance: &Allowance,
    settings: &Settings,
    config: Config,
    shared: Arc<Shared>,
    doors: Doors,
    plan: Plan,
) -> Result<(), Fatal> {
    let (started, all_started) = mpsc::channel();
    let (failed, failed_load) = mpsc::channel();
    let may_begin = Arc::new(AtomicBool::new(false));
    let is_loading = !plan.is_empty();
    if is_loading {
        shared.loading.begin(clock::wall_us() as i64 / 1_000_000, plan.total_bytes());
    }
    let (map, config) = (SlotMap::even(threads), Arc::new(config));
    let cpus = pinning(settings, allowance, threads);
    let mut handles = Vec::new();
    let mut of_first = Some((doors, Load { plan, may_begin: Arc::clone(&may_begin), failed }));
    for port in mesh::mesh(threads) {
        let core = port.core();
        let (doors, load) = of_first.take().unzip();
        let seed = Seed {
            port,
            cpu: cpus.get(core).copied(),
            shared: Arc::clone(&shared),
            map: map.clone(),
            config: Arc::clone(&config),
            doors,
            load,
            is_loading,
            started: started.clone(),
        };
        let thread =
            std::thread::Builder::new().name(format!("shoal-core-{core}")).spawn(move || run_core(seed));
        handles.push(thread.map_err(|error| Fatal(format!("cannot start a thread: {error}")))?);
    }
    drop(started);
    for _ in 0..threads {
        match all_started.recv() {
            Ok(Ok(())) => {}
            Ok(Err(text)) => return Err(Fatal(text)),
            Err(_) => return Err(Fatal(String::from("a core ended while starting"))),
        }
    }
    crate::observe::identity::note_startup_memory();
    notice("Server initialized");
    start_purge(&shared)?;
    may_begin.store(true, Ordering::Release);
    let fatal = std::cell::Cell::new(None);
    shared.watchdog.watch(|| {
        if let Ok(text) = failed_load.try_recv() {
            fatal.set(Some(Fatal(text)));
            return true;
        }
        handles.iter().all(|handle| handle.is_finished())
    });
    let fatal = fatal.take().or_else(|| shared.board.fatal.get().cloned().map(Fatal));
    fatal.map_or(Ok(()), Err)
}

/// Starts the thread that gives freed memory back to the system.
fn start_purge(shared: &Arc<Shared>) -> Result<(), Fatal> {
    let stopping = Arc::clone(shared);
    let purge = move || purge::run(|| stopping.stopping.load(Ordering::Relaxed));
    let purging = std::thread::Builder::new().name("shoal-purge".into()).spawn(purge);
    purging.map_err(|error| Fatal(format!("cannot start a thread: {error}")))?;
    Ok(())
}

/// The life of one core's thread.
fn run_core(seed: Seed) {
    let started = seed.started.clone();
    let cpu = seed.cpu;
    let result = executor::run(cpu, move |classes| live(seed, classes));
    if let Err(error) | Ok(Err(error)) = result.map_err(|error| error.0) {
        let _ = started.send(Err(error));
    }
}

/// The network task, upkeep and loading of one core, until the process stops.
async fn live(seed: Seed, classes: Classes) -> Result<(), String> {
    let Seed { port, shared, map, config, doors, load, is_loading, started, .. } = seed;
    let (id, kept) = (port.core(), Arc::clone(&shared));
    let settings = Settings::from(&*config);
    let space = Keyspace::new(settings.databases, Prng::from_entropy().next_u64());
    let shard = Box::new(Shard { core: port.core(), space, log: Log::default(), dirty: 0, walk: None });
    let mut core = Core::new(port, shared, map, config, shard)
        .map_err(|error| executor::explain(&error.to_string(), Some(&error)))?;
    core.loading.is_on = is_loading;
    if let Some(Doors { listeners, signal_fd }) = doors {
        core.listeners = listeners;
        if is_loading {
            core.open_doors();
        }
        core.signal_fd = signal_fd;
        core.ring.poll_in(signal_fd, 0);
    }
    let core = Rc::new(RefCell::new(core));
    let saver = start_saver(&core, classes);
    let _ = started.send(Ok(()));
    drop(started);
    let loading = load.map(|load| glommio::spawn_local_into(load_data(Rc::clone(&core), load), classes.bulk));
    let upkeep = glommio::spawn_local_into(tend(Rc::clone(&core)), classes.background);
    let network = glommio::spawn_local_into(network::drive(core), classes.network);
    let (Ok(upkeep), Ok(network), Ok(loading)) = (upkeep, network, loading.transpose()) else {
        return Err(String::from("cannot start the core's tasks"));
    };
    let (shared, watched) = (Arc::clone(&kept), kept);
    let attended = glommio::spawn_local(async move { watched.watchdog.attend(id).await });
    network.await;
    attended.cancel().await;
    upkeep.cancel().await;
    if let Some(loading) = loading {
        loading.cancel().await;
    }
    if let Some(saver) = saver {
        saver.cancel().await;
    }
    shared.watchdog.leave(id);
    Ok(())
}

/// Loads what there is once every core has started; then the start is complete.
async fn load_data(core: load::SharedCore, load: Load) {
    while !load.may_begin.load(Ordering::Acquire) {
        glommio::timer::sleep(Duration::from_millis(1)).await;
    }
    match load::at_start(&core, &load.plan).await {
        Ok(()) => {}
        Err(LoadError::Stopped) => return,
        Err(LoadError::Fatal(text)) => {
            let _ = load.failed.send(text);
            return;
        }
    }
    core.borrow_mut().rewriting.is_open = true;
    if load.plan.is_empty() {
        core.borrow_mut().open_doors();
    }
    notice("Ready to accept connections");
    let settings = Arc::clone(&core.borrow().settings);
    super::daemon::tell_supervisor(&settings);
    if let Err(LoadError::Fatal(text)) = super::reload::serve(&core).await {
        let _ = load.failed.send(text);
    }
}

/// The file task of snapshots, on core 0.
fn start_saver(core: &Rc<RefCell<Core>>, classes: Classes) -> Option<glommio::Task<()>> {
    if core.borrow().id() != 0 {
        return None;
    }
    let (sender, receiver) = glommio::channels::local_channel::new_unbounded();
    core.borrow_mut().saving.files = Some(sender);
    glommio::spawn_local_into(super::save::serve(Rc::clone(core), receiver), classes.files).ok()
}

/// Upkeep: ten times a second, or whenever the network task has had its slice or has waited for [`crate::limits::BUSY_WAIT_US`] while work is left
/// (glommio's timers are too coarse for that).
async fn tend(core: Rc<RefCell<Core>>) {
    loop {
        if core.borrow_mut().upkeep() {
            glommio::executor().yield_task_queue_now().await;
        } else {
            glommio::timer::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn thread_count(settings: &Settings, allowance: &Allowance) -> usize {
    match settings.threads {
        0 => allowance.threads,
        wanted => wanted.min(crate::limits::MAX_CORES),
    }
}

/// The CPU of each core: as configured, else the allowed ones in order; none where cores are shared.
fn pinning(settings: &Settings, allowance: &Allowance, threads: usize) -> Vec<usize> {
    if !settings.thread_pinning {
        return Vec::new();
    }
    if !settings.thread_affinity.is_empty() {
        return settings.thread_affinity.iter().copied().cycle().take(threads).collect();
    }
    if allowance.shared || threads > allowance.cpus.len() || threads < allowance.threads {
        return Vec::new();
    }
    allowance.cpus.iter().copied().take(threads).collect()
}

fn raise_limits(settings: &Settings, threads: usize) {
    let wanted = settings.maxclients as u64 + RESERVED_FILES + 16 * threads as u64;
    let got = process::raise_limit(libc::RLIMIT_NOFILE, wanted);
    if got < wanted {
        warning(&format!(
            "Only {got} files can be open, too few for maxclients {}: raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=) to {wanted}",
            settings.maxclients
        ));
    }
    process::raise_limit(libc::RLIMIT_MEMLOCK, MEMLOCK_BASE + MEMLOCK_PER_CORE * threads as u64);
}

/// Locked memory the process asks for, in bytes: at all, and for each core's rings.
const MEMLOCK_BASE: u64 = 8 << 20;
const MEMLOCK_PER_CORE: u64 = 4 << 20;
/// What glommio needs at least per executor.
const MEMLOCK_LEAST_PER_CORE: u64 = 512 << 10;

/// Refuses early, in one line, what would fail inside the executors.
fn check_kernel(threads: usize) -> Result<(), Fatal> {
    crate::runtime::ring::probe()
        .map_err(|error| Fatal(executor::explain(&error.to_string(), Some(&error))))?;
    let least = MEMLOCK_LEAST_PER_CORE * threads as u64;
    let got = process::limit(libc::RLIMIT_MEMLOCK);
    if got < least {
        return Err(Fatal(format!(
            "{threads} cores need at least {} KiB of locked memory, {} KiB are allowed: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) or lower `threads`",
            least >> 10,
            got >> 10
        )));
    }
    Ok(())
}

fn announce(config: &Config, config_file: &str, settings: &Settings, threads: usize) {
    let version = env!("CARGO_PKG_VERSION");
    warning(&format!(
        "shoal {version} (redis {}) starting, pid={}, threads={threads}",
        crate::observe::identity::REDIS_VERSION,
        std::process::id()
    ));
    if config_file.is_empty() {
        warning(
            "Warning: no config file specified, using the default config. In order to specify a config file use shoal-server /path/to/redis.conf",
        );
    } else {
        notice("Configuration loaded");
    }
    let idle = config.accepted_without_effect();
    if !idle.is_empty() {
        notice(&format!("Directives known but without effect here: {}", idle.join(", ")));
    }
    if settings.port != 0 {
        notice(&format!("Running mode=standalone, port={}.", settings.port));
    }
}

/// 40 hexadecimal digits from the kernel's random source.
fn make_run_id() -> String {
    let mut bytes = [0; 20];
    crate::base::prng::fill_from_kernel(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
