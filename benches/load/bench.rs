//! The bench of one run: checked binaries, the plan of cores, the scratch directory; and how two servers take turns.
//!
//! Called by main (prepare) and every scenario (start, alternate). Invariant: while one side is measured the other is
//! stopped. Bounds: scratch lies under the system's temporary directory and is removed at the end.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::cores;
use crate::options::Options;
use crate::server::{self, Kind, Server, Setup};

/// Which of the two servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// `--shoal`.
    Ours,
    /// `--peer`.
    Peer,
}

/// What all scenarios share.
pub struct Bench {
    /// The command line.
    pub options: Options,
    /// Cores this process was allowed when it started.
    pub allowed: Vec<usize>,
    /// The core of a one-core server.
    pub server_cpu: usize,
    /// The core of the load.
    pub load_cpu: usize,
    /// What to say under every table if others used the machine when the run began.
    pub busy: Option<String>,
    scratch: PathBuf,
}

impl Bench {
    /// Checks what a run needs before the first server is started.
    pub fn prepare(options: Options) -> Outcome<Bench> {
        check(&options.ours, "cargo build --release --bin shoal-server", "--shoal")?;
        check(&options.peer, "apt-get install -y redis-server", "--peer")?;
        check(&options.redis_benchmark, "apt-get install -y redis-tools", "--redis-benchmark")?;
        let allowed = cores::allowed()?;
        let first = allowed.first().copied().ok_or("no core to run on")?;
        let server_cpu = options.server_cpu.unwrap_or(first);
        let other = allowed.iter().copied().find(|&core| core != server_cpu).unwrap_or(server_cpu);
        let load_cpu = options.load_cpu.unwrap_or(other);
        if server_cpu == load_cpu {
            eprintln!("load: server and load share core {server_cpu}: latency and throughput say little");
        }
        let scratch = std::env::temp_dir().join(format!("shoal-load-{}", std::process::id()));
        std::fs::create_dir_all(&scratch)?;
        cores::pin_here(&[load_cpu])?;
        let busy = busy_warning();
        Ok(Bench { options, allowed, server_cpu, load_cpu, busy, scratch })
    }

    /// How a one-core server of a side is started.
    pub fn setup(&self, side: Side) -> Setup {
        let (binary, name) = match side {
            Side::Ours => (&self.options.ours, self.name_of(Side::Ours)),
            Side::Peer => (&self.options.peer, self.name_of(Side::Peer)),
        };
        Setup {
            binary: binary.clone(),
            conf: self.options.ours_conf.clone().filter(|_| side == Side::Ours),
            name,
            cores: vec![self.server_cpu],
            threads: 1,
            directives: Vec::new(),
            scratch: self.scratch.clone(),
        }
    }

    /// What the tables call a side: the binary's name, marked where both are the same program.
    pub fn name_of(&self, side: Side) -> String {
        let stem = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (ours, peer) = (stem(&self.options.ours), stem(&self.options.peer));
        match side {
            Side::Ours if ours == peer => format!("{ours}(A)"),
            Side::Peer if ours == peer => format!("{peer}(B)"),
            Side::Ours => ours,
            Side::Peer => peer,
        }
    }

    /// Starts one one-core server per side.
    pub fn start_both(&self) -> Outcome<[(Side, Server); 2]> {
        let ours = Server::start(&self.setup(Side::Ours))?;
        let peer = Server::start(&self.setup(Side::Peer))?;
        Ok([(Side::Ours, ours), (Side::Peer, peer)])
    }

    /// Cores of a server with `threads` threads: the server's core first, the load's core last.
    pub fn cores_for(&self, threads: usize) -> Vec<usize> {
        let mut order = vec![self.server_cpu];
        order.extend(
            self.allowed.iter().copied().filter(|&core| core != self.server_cpu && core != self.load_cpu),
        );
        if !order.contains(&self.load_cpu) {
            order.push(self.load_cpu);
        }
        order.truncate(threads);
        order
    }

    /// A count, scaled, at least 1 and at least `least`.
    pub fn scaled(&self, count: u64, least: u64) -> u64 {
        ((count as f64 * self.options.scale) as u64).max(least).max(1)
    }

    /// A duration in seconds, scaled, at least 0.2.
    pub fn seconds(&self, seconds: f64) -> f64 {
        (seconds * self.options.scale).max(0.2)
    }

    /// Whether our side takes shoal's own directives.
    pub fn ours_is_shoal(&self) -> bool {
        server::kind_of(&self.options.ours) == Kind::Shoal
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A scratch directory that stays behind does no harm, and there is nobody to tell.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

/// Gives each server its turn, the others stopped meanwhile: A B A B, `rounds` times.
pub fn alternate<K: Copy>(
    servers: &[(K, Server)],
    rounds: usize,
    mut turn: impl FnMut(K, &Server) -> Outcome<()>,
) -> Outcome<()> {
    for (_, server) in servers {
        server.pause();
    }
    for _ in 0..rounds {
        for (key, server) in servers {
            server.resume();
            let done = turn(*key, server);
            server.pause();
            done.map_err(|error| format!("{}: {error}\n{}", server.name, server.log_tail()))?;
        }
    }
    Ok(())
}

fn check(binary: &Path, install: &str, flag: &str) -> Outcome<()> {
    if binary.is_file() {
        return Ok(());
    }
    Err(format!(
        "{} is missing: install it with `{install}`, or name another with {flag} PATH",
        binary.display()
    )
    .into())
}

/// The first line a binary prints for `--version`, for the report.
pub fn version_of(binary: &Path) -> String {
    let output = Command::new(binary).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// Load of the last minute that a quiet machine stays under.
const QUIET_LOAD: f64 = 0.5;

/// A warning if others are using the machine: then "ok" and "MISSED" check the harness and prove nothing.
fn busy_warning() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load: f64 = text.split_whitespace().next()?.parse().ok()?;
    let busy = load > QUIET_LOAD;
    busy.then(|| {
        format!(
            "BUSY MACHINE: load average {load} before the run; no figure here is evidence (see preemptions/s)"
        )
    })
}
