//! A blocking raw client: what it sends is exactly what it was given, what it reads is kept byte for byte.
//!
//! Called by all tests; calls `reply`. Invariant: `Reply::raw` holds the bytes of one whole reply and no more.
//! Every read is bounded by a timeout (10 s by default), so that a hung server is a failure and not a hung test.
//! Not redis-rs or another client: they hide bytes, retry, and reconnect.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::reply::{self, Incomplete, Value};

/// One reply: its bytes and its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Exactly the bytes received.
    pub raw: Vec<u8>,
    /// The same, parsed.
    pub value: Value,
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    position: usize,
}

/// A command in wire form (array of bulks).
pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        wire.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        wire.extend_from_slice(arg);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

impl Client {
    /// Connects to a server on the loopback.
    pub fn connect(port: u16) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok(Client { stream, buffer: Vec::new(), position: 0 })
    }

    /// How long a read may wait.
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(timeout))
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends one command without waiting for its reply.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<()> {
        self.send_raw(&encode(args))
    }

    /// Sends one command and reads one reply.
    pub fn command<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Reply> {
        self.send(args)?;
        self.read()
    }

    /// As `command`, for text arguments split at spaces; only the value. Panics on a dead connection: for set-up code.
    pub fn run(&mut self, line: &str) -> Value {
        let args: Vec<&str> = line.split_whitespace().collect();
        match self.command(&args) {
            Ok(reply) => reply.value,
            Err(error) => panic!("{line}: {error}"),
        }
    }

    /// Reads one reply; `UnexpectedEof` when the server closed, `WouldBlock` when it stayed silent.
    pub fn read(&mut self) -> Result<Reply> {
        loop {
            match reply::parse(&self.buffer, self.position) {
                Ok((value, end)) => {
                    let raw = self.buffer[self.position..end].to_vec();
                    self.position = end;
                    if self.position == self.buffer.len() {
                        self.buffer.clear();
                        self.position = 0;
                    }
                    return Ok(Reply { raw, value });
                }
                Err(Incomplete::Broken(what)) => return Err(Error::new(ErrorKind::InvalidData, what)),
                Err(Incomplete::More(wanted)) => self.fill(wanted)?,
            }
        }
    }

    /// Reads until the buffer holds at least `wanted` bytes (one read suffices when it does not know better).
    fn fill(&mut self, wanted: usize) -> Result<()> {
        let mut chunk = [0u8; 65536];
        loop {
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&chunk[..count]);
            if self.buffer.len() >= wanted {
                return Ok(());
            }
        }
    }

    /// Everything until the server closes or stays quiet for `quiet`; true if it closed.
    pub fn read_until_closed(&mut self, quiet: Duration) -> Result<(Vec<u8>, bool)> {
        let mut bytes = self.buffer.split_off(self.position);
        self.buffer.clear();
        self.position = 0;
        self.stream.set_read_timeout(Some(quiet))?;
        let mut chunk = [0u8; 65536];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok((bytes, true)),
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                Err(error) if is_quiet(&error) => return Ok((bytes, false)),
                Err(error) if is_closed(&error) => return Ok((bytes, true)),
                Err(error) => return Err(error),
            }
        }
    }

    /// True if nothing more is buffered and nothing arrives within `wait`.
    pub fn is_silent(&mut self, wait: Duration) -> bool {
        self.position == self.buffer.len() && {
            let _ = self.stream.set_read_timeout(Some(wait));
            let mut byte = [0u8; 1];
            let quiet = matches!(self.stream.peek(&mut byte), Err(error) if is_quiet(&error));
            let _ = self.stream.set_read_timeout(Some(Duration::from_secs(10)));
            quiet
        }
    }

    /// Says that no more will be sent; replies can still be read.
    pub fn finish_sending(&self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// A client on a connection that the caller set up (unix time-outs as `connect`).
    pub fn local_port(&self) -> u16 {
        self.stream.local_addr().map_or(0, |address| address.port())
    }
}

/// The read timed out.
pub fn is_quiet(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The peer is gone.
pub fn is_closed(error: &Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// Polls until `done` or until `limit` has passed; tells which.
pub fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    done()
}
