//! A real redis-server on a free port, spoken to with plain RESP2; ended when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A reply: its first line, or its bulks flattened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+text` or `-text`, or a number, with its type byte.
    Line(String),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// An array.
    List(Vec<Reply>),
}

/// The running peer.
pub struct Peer {
    child: Child,
    stream: BufReader<TcpStream>,
    /// A directory of its own.
    pub directory: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}

/// A fresh directory for a test.
pub fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("shoal-config-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a directory");
    path
}

impl Peer {
    /// Starts redis-server with a file and further options.
    pub fn start(file: &str, options: &[&str]) -> Peer {
        let (directory, port) = (directory(), free_port());
        std::fs::write(directory.join("redis.conf"), file).expect("the file");
        let mut child = Command::new("redis-server")
            .arg(directory.join("redis.conf"))
            .args(["--port", &port.to_string()])
            .args(options)
            .current_dir(&directory)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is needed: apt-get install redis-server");
        for _ in 0..200 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
                return Peer { child, stream: BufReader::new(stream), directory };
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        let _ = child.kill();
        let _ = child.wait();
        panic!("redis-server does not listen on port {port}");
    }

    /// Sends a command and reads its reply.
    pub fn call(&mut self, words: &[&[u8]]) -> Reply {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request).expect("sent");
        self.reply()
    }

    fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a reply");
        let line = line.trim_end().to_string();
        let count = || line[1..].parse::<usize>().expect("a count");
        match line.as_bytes().first() {
            Some(b'$') => {
                let mut bulk = vec![0; count() + 2];
                self.stream.read_exact(&mut bulk).expect("a bulk");
                bulk.truncate(bulk.len() - 2);
                Reply::Bulk(bulk)
            }
            Some(b'*') => Reply::List((0..count()).map(|_| self.reply()).collect()),
            _ => Reply::Line(line),
        }
    }
}
