//! Server processes: the server under test and its real peer, each on a free port in its own directory.
//!
//! Called by all tests. A `Server` is killed by its own PID on drop; its directory is removed unless the test
//! failed, in which case the path of its log is printed. A crash report in the log fails the test even when all
//! replies were right. `SHOAL_SERVER=/path` replaces the binary under test (also by redis-server itself, which is
//! how the harness proves that it finds no difference where there is none).

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::client::Client;

/// How long a server may take to answer its first PING.
const START_LIMIT: Duration = Duration::from_secs(20);
/// A crash is recognised by any of these in the log.
const CRASH_MARKS: [&str; 4] = ["BUG REPORT", "panicked at", "CRASH REPORT", "Crash report"];

static NEXT_DIRECTORY: AtomicU32 = AtomicU32::new(0);

/// What to start.
#[derive(Clone, Default)]
pub struct Plan {
    binary: PathBuf,
    is_redis: bool,
    config_file: Option<PathBuf>,
    args: Vec<String>,
    envs: Vec<(String, String)>,
}

/// A running server.
pub struct Server {
    child: Child,
    /// TCP port on 127.0.0.1.
    pub port: u16,
    /// Working directory, holding `log`, `stdout`, `stderr`.
    pub directory: PathBuf,
    /// What was started.
    pub plan: Plan,
    /// The test has already reported that it crashed: drop does not fail again.
    pub crash_reported: bool,
}

/// A server that ended instead of serving (or hung: then without status).
#[derive(Debug)]
pub struct Refusal {
    /// All it wrote.
    pub log: String,
    /// How it ended.
    pub status: Option<ExitStatus>,
}

/// Where the server under test is.
pub fn shoal_binary() -> PathBuf {
    std::env::var_os("SHOAL_SERVER").map_or_else(|| env!("CARGO_BIN_EXE_shoal-server").into(), PathBuf::from)
}

fn redis_binary() -> PathBuf {
    let name = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let found = Command::new(&name).arg("--version").output();
    assert!(
        found.is_ok_and(|output| output.status.success()),
        "{name} is missing: the tests need a real peer.\n  install: apt-get install -y redis-server redis-tools redis-sentinel"
    );
    name.into()
}

impl Plan {
    /// The server under test; `threads` is left out when it was replaced by a redis-server.
    pub fn shoal(threads: u32) -> Plan {
        let binary = shoal_binary();
        let is_redis =
            binary.file_name().is_some_and(|name| name.to_string_lossy().starts_with("redis-server"));
        let plan = Plan { binary, is_redis, ..Plan::default() };
        if is_redis { plan } else { plan.args(&["--threads", &threads.to_string()]) }
    }

    /// The real peer.
    pub fn redis() -> Plan {
        Plan { binary: redis_binary(), is_redis: true, ..Plan::default() }
    }

    /// More command-line arguments.
    pub fn args(mut self, args: &[&str]) -> Plan {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// A configuration file; the command line goes before it.
    pub fn config_file(mut self, path: &Path) -> Plan {
        self.config_file = Some(path.to_owned());
        self
    }

    /// One more environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Plan {
        self.envs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its data lie in a directory of the test's, which outlives the server (its log stays in its own).
    pub fn data(self, directory: &Path) -> Plan {
        let path = directory.to_str().expect("a printable path").to_owned();
        self.args(&["--dir", &path])
    }

    /// True if this is redis-server, whichever side it plays.
    pub fn is_redis(&self) -> bool {
        self.is_redis
    }

    /// Starts it and waits until it answers; a port lost to someone else in between is retried.
    pub fn start(self) -> Server {
        let mut last_log = String::new();
        for _ in 0..5 {
            match self.start_once() {
                Ok(server) => return server,
                Err(log) => last_log = log,
            }
            if !last_log.contains("Failed listening") && !last_log.contains("Address already in use") {
                break;
            }
        }
        panic!("{} did not start:\n{last_log}", self.binary.display());
    }

    /// Starts it and waits until it answers or has ended; what it wrote and its exit status if it did end.
    pub fn try_start(&self) -> Result<Server, Refusal> {
        for _ in 0..5 {
            let mut server = self.spawn();
            match server.wait_ready() {
                Ok(()) => return Ok(server),
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => {
                    let status = server.child.try_wait().ok().flatten();
                    server.crash_reported = true;
                    return Err(Refusal { log, status });
                }
            }
        }
        panic!("{}: no free port", self.binary.display());
    }

    fn start_once(&self) -> Result<Server, String> {
        let mut server = self.spawn();
        server.wait_ready()?;
        Ok(server)
    }

    /// Starts it without waiting for anything.
    pub fn spawn(&self) -> Server {
        let port = free_port();
        let number = NEXT_DIRECTORY.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("shoal-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).expect("temp dir");
        let output = |name: &str| File::create(directory.join(name)).expect("output file");
        let child = Command::new(&self.binary)
            .args(&self.config_file)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--daemonize", "no", "--enable-debug-command", "yes", "--logfile"])
            .arg(directory.join("log"))
            .arg("--dir")
            .arg(&directory)
            .args(&self.args)
            .envs(self.envs.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        Server { child, port, directory, plan: self.clone(), crash_reported: false }
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

impl Server {
    /// The server under test with this many threads.
    pub fn shoal(threads: u32) -> Server {
        Plan::shoal(threads).start()
    }

    /// A real redis-server.
    pub fn redis() -> Server {
        Plan::redis().start()
    }

    /// A new connection; panics if refused.
    pub fn connect(&self) -> Client {
        match Client::connect(self.port) {
            Ok(client) => client,
            Err(error) => panic!("{}: {error}\n{}", self.plan.binary.display(), self.log()),
        }
    }

    /// Process id, for /proc.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The crash report in the log, if there is one (from its first line on, cut).
    pub fn crash_report(&self) -> Option<String> {
        let log = self.log();
        let at = CRASH_MARKS.iter().filter_map(|mark| log.find(mark)).min()?;
        Some(log[at..].lines().take(40).collect::<Vec<_>>().join("\n"))
    }

    /// Everything it wrote.
    pub fn log(&self) -> String {
        read_logs(&self.directory)
    }

    /// False once the process has ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and the process is gone when this returns.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM and gives how it ended; panics, with the log, if it does not within 20 s.
    pub fn terminate(&mut self) -> ExitStatus {
        // SAFETY: kill touches no memory; the child was not yet waited for, so the pid is still its own.
        unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        self.wait_exit(START_LIMIT)
    }

    /// Waits until it has ended by itself; panics, with the log, if it does not.
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            assert!(
                start.elapsed() < limit,
                "{} does not end:\n{}",
                self.plan.binary.display(),
                tail(&self.log(), 60)
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// One field of INFO; panics if there is none.
    pub fn info(&self, field: &str) -> String {
        let text = self.connect().run("INFO everything").text();
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{}: INFO has no {field}", self.plan.binary.display())).to_owned()
    }

    /// Polls a field of INFO until it has this value.
    pub fn wait_info(&self, field: &str, value: &str) {
        let done = super::client::wait_until(START_LIMIT, || self.info(field) == value);
        assert!(done, "{field} stays {}, not {value}\n{}", self.info(field), tail(&self.log(), 60));
    }

    /// Panics, with the log, if the server died or left a crash report.
    pub fn assert_healthy(&mut self) {
        let running = self.is_running();
        let log = self.log();
        let crash = CRASH_MARKS.iter().any(|mark| log.contains(mark));
        assert!(running && !crash, "server died or crashed (running: {running}):\n{}", tail(&log, 60));
    }

    /// Resident memory in KiB, from /proc.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
    }

    /// Open sockets, from /proc. Not all descriptors: glommio's helper threads open theirs when they first run, which may be late.
    pub fn open_sockets(&self) -> usize {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.pid())).into_iter().flatten().flatten();
        let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    }

    fn wait_ready(&mut self) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < START_LIMIT {
            if !self.is_running() {
                return Err(self.log());
            }
            if let Ok(mut client) = Client::connect(self.port)
                && client.set_timeout(Duration::from_secs(2)).is_ok()
                && client
                    .command(&["PING"])
                    .is_ok_and(|reply| reply.raw == b"+PONG\r\n" || reply.raw.starts_with(b"-NOAUTH"))
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("no PONG within {START_LIMIT:?}\n{}", self.log()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = !self.is_running();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log();
        let crash = CRASH_MARKS.iter().any(|mark| log.contains(mark));
        if std::thread::panicking() || crash {
            eprintln!("server's directory kept: {} (ended by itself: {ended})", self.directory.display());
            if crash || ended {
                eprintln!("{}", tail(&log, 60));
            }
        } else {
            let _ = fs::remove_dir_all(&self.directory);
        }
        assert!(std::thread::panicking() || self.crash_reported || !crash, "the server left a crash report");
    }
}

fn read_logs(directory: &Path) -> String {
    let read = |name: &str| fs::read(directory.join(name)).unwrap_or_default();
    let all = [read("stdout"), read("stderr"), read("log")].concat();
    String::from_utf8_lossy(&all).into_owned()
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
