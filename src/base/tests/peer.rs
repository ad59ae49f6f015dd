//! A redis-server of our own on a unix socket, driven by raw commands.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running redis-server; killed when dropped.
pub struct Peer {
    process: Child,
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Peer {
    /// Starts one; fails loudly if redis-server is not installed.
    pub fn start(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("shoal-peer-{name}-{}.sock", std::process::id()));
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--daemonize", "no", "--unixsocket"])
            .arg(&path)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is missing: apt-get install redis-server");
        let start = Instant::now();
        let stream = loop {
            match UnixStream::connect(&path) {
                Ok(stream) => break stream,
                Err(error) => assert!(start.elapsed() < Duration::from_secs(10), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Self { process, path, stream: BufReader::new(stream) }
    }

    /// Sends all `commands` at once and returns one reply each; only simple, error, integer and bulk replies.
    pub fn run(&mut self, commands: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>> {
        let mut request = Vec::new();
        for command in commands {
            request.extend(format!("*{}\r\n", command.len()).bytes());
            for argument in command {
                request.extend(format!("${}\r\n", argument.len()).bytes());
                request.extend_from_slice(argument);
                request.extend_from_slice(b"\r\n");
            }
        }
        self.stream.get_mut().write_all(&request).unwrap();
        commands.iter().map(|_| self.reply()).collect()
    }

    /// Sends `bytes` on a connection of their own and returns all that comes back until redis closes it.
    pub fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(&self.path).unwrap();
        let mut replies = Vec::new();
        // Redis closes at an error, maybe before all is written or read.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut replies);
        replies
    }

    fn reply(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        line.truncate(line.len() - 2);
        if line[0] != b'$' || line == b"$-1" {
            return line;
        }
        let len: usize = std::str::from_utf8(&line[1..]).unwrap().parse().unwrap();
        let mut body = vec![0; len + 2];
        self.stream.read_exact(&mut body).unwrap();
        body.truncate(len);
        body
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.path);
    }
}
