//! One server with its clients, some of whom wait; knows when everything has come to rest.
//!
//! Called by scenarios and lockstep. Invariant: a client has at most one command outstanding, so the server is at rest exactly when as many clients are
//! blocked as have no reply yet. Bounds: 10 s to come to rest.

use std::time::Duration;

use crate::replica::Replica;
use crate::stream::{Effect, Stream};
use crate::support::client::{Client, wait_until};
use crate::support::reply::show;
use crate::support::server::Server;

/// How a server's effects are read.
enum Effects {
    Redis(Replica),
    Shoal(Stream),
}

/// See the module's text.
pub struct World {
    pub server: Server,
    control: Client,
    clients: Vec<Client>,
    waiting: Vec<bool>,
    effects: Effects,
    reads: u64,
}

impl World {
    /// A server with `clients` connections, spread over its cores.
    pub fn new(server: Server, clients: usize) -> World {
        let effects = match server.plan.is_redis() {
            true => Effects::Redis(Replica::attach(&server)),
            false => Effects::Shoal(Stream::start(&server)),
        };
        let control = server.connect();
        let clients: Vec<Client> = (0..clients).map(|_| server.connect()).collect();
        let waiting = vec![false; clients.len()];
        let mut world = World { server, control, clients, waiting, effects, reads: 0 };
        (0..world.clients.len()).for_each(|at| assert!(world.call(at, "PING") == "+PONG\\r\\n"));
        world
    }

    /// Whether the client waits for a reply.
    pub fn waits(&self, at: usize) -> bool {
        self.waiting[at]
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.iter().filter(|waits| **waits).count()
    }

    /// Sends a command (words split at spaces; `\s` and `\n` stand for a space and an end of line in a word) without waiting.
    pub fn send(&mut self, at: usize, line: &str) {
        let written = |word: &str| word.replace("\\s", " ").replace("\\n", "\n");
        let words: Vec<String> = line.split(' ').map(written).collect();
        self.clients[at].send(&words).unwrap();
        self.waiting[at] = true;
    }

    /// Sends several commands at once; more than one reply will come.
    pub fn send_all(&mut self, at: usize, lines: &[String]) {
        let wire: Vec<u8> = lines
            .iter()
            .flat_map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                crate::support::client::encode(&words)
            })
            .collect();
        self.clients[at].send_raw(&wire).unwrap();
    }

    /// The client's id; it must not wait.
    pub fn id(&mut self, at: usize) -> i64 {
        self.clients[at].run("CLIENT ID").int().unwrap()
    }

    /// Reads one reply.
    pub fn read(&mut self, at: usize) -> String {
        self.waiting[at] = false;
        match self.clients[at].read() {
            Ok(reply) => show(&reply.raw, 2000),
            Err(error) => format!("closed: {:?}", error.kind()),
        }
    }

    /// Sends a command and reads its reply.
    pub fn call(&mut self, at: usize, line: &str) -> String {
        self.send(at, line);
        self.read(at)
    }

    /// Whether nothing comes for 50 ms.
    pub fn is_silent(&mut self, at: usize) -> bool {
        self.clients[at].is_silent(Duration::from_millis(50))
    }

    /// Ends the connection and makes a new one.
    pub fn reconnect(&mut self, at: usize) {
        self.clients[at] = self.server.connect();
        self.waiting[at] = false;
    }

    /// Waits until `count` clients are blocked.
    pub fn settle(&mut self, count: usize) {
        let control = &mut self.control;
        let rests = || blocked(control) == count;
        assert!(wait_until(Duration::from_secs(10), rests), "{count} blocked clients do not come about");
    }

    /// Waits until everybody who has no reply is blocked; what came meanwhile, by client.
    pub fn rest(&mut self) -> Vec<(usize, String)> {
        let mut came = Vec::new();
        let all = wait_until(Duration::from_secs(10), || {
            for at in 0..self.clients.len() {
                if self.waiting[at] && !self.clients[at].is_silent(Duration::from_micros(200)) {
                    let reply = self.read(at);
                    came.push((at, reply));
                }
            }
            let waiting = self.waiting();
            waiting == 0 || blocked(&mut self.control) == waiting
        });
        assert!(all, "the server does not come to rest: {came:?}\n{}", self.call_control("CLIENT LIST"));
        came.sort();
        came
    }

    /// A command outside of the game.
    pub fn call_control(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        show(&self.control.command(&words).unwrap().raw, 100_000)
    }

    /// What was propagated since the last call.
    pub fn effects(&mut self) -> Vec<Effect> {
        self.reads += 1;
        let mut effects = match &mut self.effects {
            Effects::Redis(replica) => replica.effects_until(&mut self.control, self.reads),
            Effects::Shoal(stream) => stream.read_effects(),
        };
        // Messages are propagated by redis only; they are not what is tested here.
        effects.retain(|effect| !effect.args[0].eq_ignore_ascii_case(b"publish"));
        effects
    }
}

fn blocked(control: &mut Client) -> usize {
    let info = control.run("INFO clients").text();
    let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")).unwrap_or("0");
    line.trim().parse().unwrap()
}
