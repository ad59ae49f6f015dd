//! A server process in a directory of the test's choosing, whose start may fail and whose end is looked at.
//!
//! Unlike `support::server`, which wants every server to come up and live. Killed by its own PID on drop. Bounds: every wait ends after [`PATIENCE`].

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::reply::Value;
use crate::support::server::{free_port, shoal_binary};

const PATIENCE: Duration = Duration::from_secs(30);
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The real peer.
    Redis,
    /// The server under test, with so many cores.
    Shoal(u32),
}

/// All that are compared, the peer first.
pub const ALL: [Kind; 3] = [Kind::Redis, Kind::Shoal(1), Kind::Shoal(3)];

/// A fresh directory.
pub fn directory() -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("shoal-loading-{}-{number}", std::process::id()));
    fs::create_dir_all(&path).expect("temp dir");
    path
}

/// A started process.
pub struct Node {
    child: Child,
    pub port: u16,
    log: PathBuf,
}

impl Node {
    /// Starts a server in `directory`; it may fail.
    pub fn start(kind: Kind, directory: &Path, args: &[&str]) -> Node {
        let port = free_port();
        let log = directory.join(format!("log-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut command = match kind {
            Kind::Redis => Command::new("redis-server"),
            Kind::Shoal(threads) => {
                let mut command = Command::new(shoal_binary());
                command.args(["--threads", &threads.to_string()]);
                command
            }
        };
        let child = command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--enable-debug-command", "yes", "--logfile"])
            .arg(&log)
            .arg("--dir")
            .arg(directory)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        Node { child, port, log }
    }

    /// Starts a server and waits until it is ready.
    pub fn ready(kind: Kind, directory: &Path, args: &[&str]) -> Node {
        let mut node = Node::start(kind, directory, args);
        assert!(node.becomes_ready(), "{kind:?} did not start:\n{}", node.log());
        node
    }

    /// Waits until it is ready (true) or has ended.
    pub fn becomes_ready(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.log().contains("Ready to accept connections") {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("neither ready nor ended:\n{}", self.log());
    }

    /// Waits until the log contains `text`.
    pub fn wait_log(&self, text: &str) {
        let began = Instant::now();
        while !self.log().contains(text) {
            assert!(began.elapsed() < PATIENCE, "no {text:?} in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A connection, as soon as one is accepted.
    pub fn connect(&self) -> Client {
        let began = Instant::now();
        loop {
            match Client::connect(self.port) {
                Ok(client) => return client,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}\n{}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end; the exit code, or minus the signal.
    pub fn exit_code(&mut self) -> i32 {
        let status = self.wait();
        status.code().unwrap_or_else(|| -status.signal().unwrap_or(99))
    }

    /// DEBUG DIGEST.
    pub fn digest(&self) -> String {
        match self.connect().run("DEBUG DIGEST") {
            Value::Simple(digest) => String::from_utf8_lossy(&digest).into_owned(),
            other => panic!("{other:?}"),
        }
    }

    /// Everything logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The log's messages without process, time and level, from `Server initialized` on, and without what each server says of itself.
    pub fn messages(&self) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| line.splitn(3, [' ']).nth(2));
        // `DATE MONTH YEAR TIME LEVEL text`
        let texts = lines.filter_map(|rest| {
            let mut words = rest.splitn(5, ' ');
            words.nth(3).filter(|level| level.len() == 1)?;
            words.next()
        });
        let known = ["WARNING Memory overcommit", "WARNING overcommit", "Removing the pid file"];
        texts
            .skip_while(|text| !text.starts_with("Server initialized"))
            .filter(|text| !known.iter().any(|start| text.starts_with(start)))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Replaces times by `N`: two runs never take equally long.
pub fn without_times(messages: &[String]) -> Vec<String> {
    let blank = |text: &String| match text.rsplit_once(": ") {
        Some((head, tail)) if tail.ends_with(" seconds") => format!("{head}: N seconds"),
        _ if text.starts_with("RDB age ") => String::from("RDB age N seconds"),
        _ if text.starts_with("RDB memory usage") => String::from("RDB memory usage when created N Mb"),
        _ => text.clone(),
    };
    messages.iter().map(blank).collect()
}
