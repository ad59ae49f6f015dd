//! The effect stream of a shoal server through DEBUG STREAM, and streams of commands in general.
//!
//! Called by main and `replica`. Invariant: SELECT, MULTI, EXEC and PING are framing: a command is told with the database it runs in.

use std::fmt;

use crate::support::client::Client;
use crate::support::reply::{self, Value, show};
use crate::support::server::Server;

/// A command of a stream and the database it runs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Effect {
    /// Selected when it was sent.
    pub db: usize,
    /// Its words.
    pub args: Vec<Vec<u8>>,
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.args.iter().map(|arg| show(arg, 60)).collect();
        write!(f, "{}: {}", self.db, words.join(" "))
    }
}

/// All whole commands of a stream.
pub fn split_commands(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (mut commands, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => at += 1,
            _ => match reply::parse(bytes, at) {
                Ok((Value::Array(words), end)) => {
                    commands
                        .push(words.iter().map(|word| word.bytes().unwrap_or_default().to_vec()).collect());
                    at = end;
                }
                other => panic!("not a command at byte {at}: {other:?}"),
            },
        }
    }
    commands
}

/// Takes the framing away; `db` is the selected database before and after.
pub fn effects_of(commands: Vec<Vec<Vec<u8>>>, db: &mut usize) -> Vec<Effect> {
    let mut effects = Vec::new();
    for args in commands {
        match args[0].to_ascii_uppercase().as_slice() {
            b"SELECT" => *db = String::from_utf8_lossy(&args[1]).parse().expect("an index"),
            b"MULTI" | b"EXEC" | b"PING" | b"REPLCONF" => {}
            _ => effects.push(Effect { db: *db, args }),
        }
    }
    effects
}

/// A reader attached to a server's logs.
pub struct Stream {
    client: Client,
    offset: u64,
    db: usize,
}

impl Stream {
    /// Attaches.
    pub fn start(server: &Server) -> Stream {
        let mut client = server.connect();
        let offset = client.run("DEBUG STREAM START").int().expect("an offset") as u64;
        Stream { client, offset, db: 0 }
    }

    /// What has been added since the last call.
    pub fn read(&mut self) -> Vec<u8> {
        match self.client.run(&format!("DEBUG STREAM READ {}", self.offset)) {
            Value::Bulk(bytes) => {
                self.offset += bytes.len() as u64;
                bytes
            }
            other => panic!("DEBUG STREAM READ: {other:?}"),
        }
    }

    /// The same as effects.
    pub fn read_effects(&mut self) -> Vec<Effect> {
        let commands = split_commands(&self.read());
        effects_of(commands, &mut self.db)
    }
}
