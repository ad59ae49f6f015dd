//! A client that redis-server takes for a replica of the old kind: it says SYNC, skips the RDB file and reads the stream.
//!
//! Called by main. Bounds: every read waits 10 s at most.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::stream::{Effect, effects_of, split_commands};
use crate::support::client::Client;
use crate::support::reply;
use crate::support::server::Server;

/// The connection and what was read of its stream.
pub struct Replica {
    socket: TcpStream,
    buffer: Vec<u8>,
    db: usize,
}

impl Replica {
    /// Attaches to a server and waits until its snapshot has passed.
    pub fn attach(server: &Server) -> Replica {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        socket.write_all(b"SYNC\r\n").expect("sent");
        let mut replica = Replica { socket, buffer: Vec::new(), db: 0 };
        loop {
            replica.fill();
            let text = replica.buffer.trim_ascii_start();
            let Some(end) = text.windows(2).position(|two| two == b"\r\n") else { continue };
            assert_eq!(text[0], b'$', "{}", String::from_utf8_lossy(&text[..end]));
            let length: usize = String::from_utf8_lossy(&text[1..end]).parse().expect("a length");
            let all = replica.buffer.len() - text.len() + end + 2 + length;
            while replica.buffer.len() < all {
                replica.fill();
            }
            replica.buffer.drain(..all);
            return replica;
        }
    }

    fn fill(&mut self) {
        let mut chunk = [0; 16384];
        let count = self.socket.read(&mut chunk).expect("the stream goes on");
        assert!(count > 0, "redis closed the replica's connection");
        self.buffer.extend_from_slice(&chunk[..count]);
    }

    /// Everything up to now: a marked write is sent through `client` and waited for.
    pub fn effects_until(&mut self, client: &mut Client, number: u64) -> Vec<Effect> {
        let marker = format!("replica-marker-{number}");
        client.run(&format!("PUBLISH {marker} x"));
        let mut commands = Vec::new();
        loop {
            let mut at = 0;
            while let Ok((_, end)) = reply::parse(&self.buffer, at + newlines(&self.buffer[at..])) {
                let mut found = split_commands(&self.buffer[at..end]);
                at = end;
                let is_marker = found
                    .last()
                    .is_some_and(|args| args.get(1).is_some_and(|word| word == marker.as_bytes()));
                if is_marker {
                    self.buffer.drain(..at);
                    return effects_of(commands, &mut self.db);
                }
                commands.append(&mut found);
            }
            self.buffer.drain(..at);
            self.fill();
        }
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == b'\n').count()
}
