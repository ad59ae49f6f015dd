//! One server under test: starting it pinned on a free port, waiting until it answers, pausing it, ending it.
//!
//! Called by bench (start) and the scenarios. Invariant: what was started is ended, by its own pid, when the value is
//! dropped. Bounds: 60 s to answer the first PING (a file may be loaded before), 10 s to end after SIGTERM, then SIGKILL.
//! Why pausing (SIGSTOP): both servers live through a scenario on one core, and the idle one must cost nothing.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{self, Client};
use crate::cores;

/// How long a server may take to answer its first PING, a file loaded meanwhile.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked: the start-up time of a scenario is known as closely as this.
const POLL: Duration = Duration::from_millis(2);

/// Whether a reply says that the server is still loading its data.
fn is_loading(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.is::<client::ErrorReply>() && error.to_string().contains("-LOADING")
}

/// Whose flags a binary understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Takes `--threads` and `--pipeline-order`.
    Shoal,
    /// Takes redis' directives only.
    Redis,
}

/// How a server is to be started.
#[derive(Clone)]
pub struct Setup {
    /// The binary.
    pub binary: PathBuf,
    /// A config file; the flags that follow it win.
    pub conf: Option<PathBuf>,
    /// What the tables call it.
    pub name: String,
    /// Cores it is pinned to.
    pub cores: Vec<usize>,
    /// Shards (shoal) or I/O threads (redis).
    pub threads: usize,
    /// More directives, name and value.
    pub directives: Vec<(String, String)>,
    /// Its working directory and log go here.
    pub scratch: PathBuf,
}

/// A running server.
pub struct Server {
    child: Child,
    /// The port it answers on, at 127.0.0.1.
    pub port: u16,
    /// What the tables call it.
    pub name: String,
    log: PathBuf,
}

/// Whose server a binary is, by its file name.
pub fn kind_of(binary: &Path) -> Kind {
    let name = binary.file_name().unwrap_or_default().to_string_lossy();
    if name.contains("shoal") { Kind::Shoal } else { Kind::Redis }
}

impl Server {
    /// Starts a server and waits until it answers; another port is tried if the first was taken meanwhile.
    pub fn start(setup: &Setup) -> Outcome<Server> {
        let mut last = None;
        for _ in 0..3 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            match Server::start_on(setup, port) {
                Ok(server) => return Ok(server),
                // Only a port that was taken meanwhile is worth another try.
                Err(error) if error.to_string().contains("Failed listening") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| "no port".into()))
    }

    fn start_on(setup: &Setup, port: u16) -> Outcome<Server> {
        let kind = kind_of(&setup.binary);
        let dir = setup.scratch.join(format!("{}-{port}", setup.name));
        fs::create_dir_all(&dir)?;
        let log = dir.join("stdout.log");
        let mut command = Command::new(&setup.binary);
        command.args(&setup.conf);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.arg("--port").arg(port.to_string()).arg("--dir").arg(&dir);
        if kind == Kind::Shoal {
            command.arg("--threads").arg(setup.threads.to_string());
        } else if setup.threads > 1 {
            command.arg("--io-threads").arg(setup.threads.to_string());
        }
        for (name, value) in &setup.directives {
            // pipeline-order is ours alone; a stock server would refuse to start.
            if kind == Kind::Shoal || name != "pipeline-order" {
                command.arg(format!("--{name}")).arg(value);
            }
        }
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
        cores::pin_child(&mut command, &setup.cores);
        let child = command.spawn().map_err(|error| format!("{}: {error}", setup.binary.display()))?;
        let mut server = Server { child, port, name: setup.name.clone(), log };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended at start ({status}):\n{}", self.name, self.log_tail()).into());
            }
            let answered = Client::connect(self.port).and_then(|mut client| client.text(&[b"PING"]));
            match answered {
                Ok(text) if text == "PONG" => return Ok(()),
                Err(error) if is_loading(error.as_ref()) && Instant::now() < deadline => {
                    std::thread::sleep(POLL);
                }
                Err(error) if error.is::<client::ErrorReply>() => {
                    return Err(format!(
                        "{} does not serve: to PING {error}\n{}",
                        self.name,
                        self.log_tail()
                    )
                    .into());
                }
                _ if Instant::now() < deadline => std::thread::sleep(POLL),
                Ok(text) => return Err(format!("{} answered PING with {text}", self.name).into()),
                Err(error) => {
                    let tail = self.log_tail();
                    return Err(format!(
                        "{} does not answer on port {}: {error}\n{tail}",
                        self.name, self.port
                    )
                    .into());
                }
            }
        }
    }

    /// The end of what the server printed, for error messages.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Where its log is, and its data unless a directive says otherwise.
    pub fn directory(&self) -> &Path {
        self.log.parent().unwrap_or(Path::new("."))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new admin connection.
    pub fn client(&self) -> Outcome<Client> {
        Client::connect(self.port).map_err(|error| {
            format!("{} on port {}: {error}\n{}", self.name, self.port, self.log_tail()).into()
        })
    }

    /// Stops the process where it stands, until `resume`.
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets a paused process go on.
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        // SAFETY: kill touches no memory; the child was not yet waited for, so the pid is still its own.
        unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
    }

    /// The largest of a figure that the server counts per core, if it publishes it (INFO, section Cores).
    pub fn counted(&self, field: &str) -> Outcome<Option<u64>> {
        let info = self.client()?.text(&[b"INFO", b"everything"])?;
        Ok(largest_value(&info, field))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        self.resume();
        self.signal(libc::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Nothing is left to do about an error here: the process is gone or not ours.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The largest number that follows `name` and a `:` or `=` anywhere in an INFO text.
fn largest_value(info: &str, name: &str) -> Option<u64> {
    let values = info.match_indices(name).filter_map(|(at, _)| {
        let rest = info[at + name.len()..].strip_prefix([':', '='])?;
        let end = rest.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    });
    values.max()
}
