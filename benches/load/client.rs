//! A plain blocking RESP client for what is not measured: PING, INFO, DBSIZE, filling a hash; and, timed by the
//! caller, single huge commands.
//!
//! Called by server and the scenarios. Invariant: one command, one reply, in order. Bounds: 60 s without a byte from
//! the server is an error. Why not the generator: this one keeps the replies, the generator only counts them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Outcome;
use crate::generator::reply_scan::ReplyScan;

/// A reply, as far as the harness looks into it.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// A simple string or a bulk string.
    Text(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// The null bulk or the null array.
    Null,
    /// An array.
    Array(Vec<Reply>),
}

/// An error reply: the server works, but not for this command.
#[derive(Debug)]
pub struct ErrorReply(String);

impl std::fmt::Display for ErrorReply {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "the server answered -{}", self.0)
    }
}

impl std::error::Error for ErrorReply {}

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a port on 127.0.0.1.
    pub fn connect(port: u16) -> Outcome<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        Ok(Client { stream: BufReader::with_capacity(256 * 1024, stream) })
    }

    /// Sends a command and reads its reply; an error reply is an error.
    pub fn call(&mut self, args: &[&[u8]]) -> Outcome<Reply> {
        self.stream.get_mut().write_all(&encode(args))?;
        self.read_reply()
    }

    /// As `call`, for an answer that is text.
    pub fn text(&mut self, args: &[&[u8]]) -> Outcome<String> {
        match self.call(args)? {
            Reply::Text(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            other => Err(format!("{}: unexpected {other:?}", String::from_utf8_lossy(args[0])).into()),
        }
    }

    /// As `call`, for an answer that is a number.
    pub fn integer(&mut self, args: &[&[u8]]) -> Outcome<i64> {
        match self.call(args)? {
            Reply::Integer(value) => Ok(value),
            other => Err(format!("{}: unexpected {other:?}", String::from_utf8_lossy(args[0])).into()),
        }
    }

    /// Sends a command and throws its one reply away without holding it; gives the reply's length in bytes.
    pub fn call_discarding(&mut self, args: &[&[u8]]) -> Outcome<u64> {
        self.stream.get_mut().write_all(&encode(args))?;
        let mut scan = ReplyScan::default();
        let mut length = 0;
        loop {
            let bytes = self.stream.fill_buf()?;
            let received = bytes.len();
            if received == 0 {
                return Err("the server closed the connection".into());
            }
            let finished = scan.feed(bytes);
            self.stream.consume(received);
            length += received as u64;
            if let Some(error) = scan.first_error() {
                return Err(format!("the server answered {error}").into());
            }
            if finished > 0 {
                return Ok(length);
            }
        }
    }

    /// Sends what is already encoded and reads `replies` replies, all of which must be no errors.
    pub fn pipeline(&mut self, encoded: &[u8], replies: usize) -> Outcome<()> {
        self.stream.get_mut().write_all(encoded)?;
        for _ in 0..replies {
            self.read_reply()?;
        }
        Ok(())
    }

    fn read_reply(&mut self) -> Outcome<Reply> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        let Some((&kind, text)) = line.strip_suffix(b"\r\n").and_then(|line| line.split_first()) else {
            return Err("the server closed the connection".into());
        };
        let text = String::from_utf8_lossy(text).into_owned();
        let number = || text.parse::<i64>().map_err(|_| format!("not a RESP length: {text}"));
        match kind {
            b'+' => Ok(Reply::Text(text.into_bytes())),
            b'-' => Err(ErrorReply(text).into()),
            b':' => Ok(Reply::Integer(number()?)),
            b'$' | b'*' if number()? < 0 => Ok(Reply::Null),
            b'$' => {
                let mut body = vec![0; number()? as usize + 2];
                self.stream.read_exact(&mut body)?;
                body.truncate(body.len() - 2);
                Ok(Reply::Text(body))
            }
            b'*' => (0..number()?).map(|_| self.read_reply()).collect::<Outcome<_>>().map(Reply::Array),
            other => Err(format!("not RESP2: a reply that begins with byte {other}").into()),
        }
    }
}

/// A command as RESP.
pub fn encode(args: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}
