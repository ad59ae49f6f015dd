//! Everything that a file must carry from one server to another, read by commands: values, expiries, streams' groups, libraries.
//!
//! Called by the tests of files. DEBUG DIGEST alone does not see groups, expiry times and functions. Invariant: reading changes nothing but keys
//! whose near expiry has passed, which are waited for and touched first (a server may count them until it looks at them).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dataset::{NEAR, unix_ms};
use crate::support::client::{Client, encode};
use crate::support::reply::{Value, show};
use crate::support::server::Server;

const DATABASES: u32 = 16;
/// Keys asked about at once.
const BATCH: usize = 200;

/// What is known of a key.
#[derive(PartialEq, Eq, Clone, Debug)]
struct Key {
    digest: String,
    expires_ms: i64,
    /// XINFO STREAM FULL as text.
    stream: String,
}

impl Key {
    /// What is to be seen of it beside another: a long description from shortly before the first difference on.
    fn beside(&self, other: &Key) -> String {
        let parts = self.stream.bytes().zip(other.stream.bytes());
        let from = parts.take_while(|(ours, theirs)| ours == theirs).count().saturating_sub(60);
        let stream: String = self.stream.chars().skip(from).take(240).collect();
        format!("{} expires {} {stream}", self.digest, self.expires_ms)
    }
}

/// A server's data.
#[derive(PartialEq, Eq, Clone)]
pub struct State {
    digest: String,
    keys: BTreeMap<(u32, Vec<u8>), Key>,
    libraries: Vec<String>,
}

/// What of streams' groups is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// All.
    All,
    /// What an AOF of redis-server brings back: neither when a consumer was last seen nor how many entries its group has read.
    Logged,
    /// The same after a rewrite as commands, which cannot say that an entry is pending that was deleted.
    Rewritten,
}

impl State {
    /// Reads a server's data once no near expiry is left.
    pub fn of(server: &Server, near_until_ms: u64, detail: Detail) -> State {
        let wait_ms = near_until_ms.saturating_sub(unix_ms());
        std::thread::sleep(Duration::from_millis(wait_ms));
        let mut client = server.connect();
        let mut keys = BTreeMap::new();
        for db in 0..DATABASES {
            client.run(&format!("SELECT {db}"));
            // Looks at every key, after which no expired one is counted.
            let names = scan(&mut client);
            assert!(!names.iter().any(|name| name.starts_with(NEAR.as_bytes())), "a key beyond its expiry");
            let size = client.run("DBSIZE").int().unwrap_or(-1);
            assert_eq!(size, names.len() as i64, "DBSIZE of database {db} and its keys");
            for batch in names.chunks(BATCH) {
                for (name, key) in batch.iter().zip(read_keys(&mut client, batch, detail)) {
                    keys.insert((db, name.clone()), key);
                }
            }
        }
        client.run("SELECT 0");
        let digest = client.run("DEBUG DIGEST").text();
        let mut libraries: Vec<String> = client
            .run("FUNCTION LIST WITHCODE")
            .items()
            .unwrap_or_default()
            .iter()
            .map(|library| format!("{:?}", deeply_sorted(library)))
            .collect();
        libraries.sort();
        State { digest, keys, libraries }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Panics, with the first differences, unless both are the same.
    pub fn assert_same(&self, other: &State, what: &str) {
        if self == other {
            return;
        }
        let mut lines = vec![format!("digests {} and {}", self.digest, other.digest)];
        for (name, key) in &self.keys {
            match other.keys.get(name) {
                None => lines.push(format!("{} is missing", show_key(name))),
                Some(there) if there != key => {
                    lines.push(format!(
                        "{}:\n    {}\n    {}",
                        show_key(name),
                        key.beside(there),
                        there.beside(key)
                    ));
                }
                Some(_) => {}
            }
        }
        let more = other.keys.keys().filter(|name| !self.keys.contains_key(*name));
        lines.extend(more.map(|name| format!("{} is too much", show_key(name))));
        if self.libraries != other.libraries {
            lines.push(format!("libraries:\n    {:?}\n    {:?}", self.libraries, other.libraries));
        }
        let count = lines.len() - 1;
        lines.truncate(12);
        panic!("{what}: {count} differences\n{}", lines.join("\n"));
    }
}

fn show_key(name: &(u32, Vec<u8>)) -> String {
    format!("db {} key {}", name.0, show(&name.1, 60))
}

fn scan(client: &mut Client) -> Vec<Vec<u8>> {
    let mut names = std::collections::BTreeSet::new();
    let mut cursor = b"0".to_vec();
    loop {
        let reply = client.command(&[b"SCAN".as_slice(), &cursor, b"COUNT", b"1000"]).expect("a reply").value;
        let parts = reply.items().unwrap_or_default();
        assert_eq!(parts.len(), 2, "SCAN: {reply:?}");
        names.extend(
            parts[1].items().unwrap_or_default().iter().map(|name| name.bytes().unwrap_or_default().to_vec()),
        );
        cursor = parts[0].bytes().unwrap_or_default().to_vec();
        if cursor == b"0" {
            return names.into_iter().collect();
        }
    }
}

fn read_keys(client: &mut Client, names: &[Vec<u8>], detail: Detail) -> Vec<Key> {
    let mut wire = Vec::new();
    for name in names {
        wire.extend(encode(&[b"DEBUG".as_slice(), b"DIGEST-VALUE", name]));
        wire.extend(encode(&[b"PEXPIRETIME".as_slice(), name]));
        wire.extend(encode(&[b"TYPE".as_slice(), name]));
    }
    client.send_raw(&wire).expect("sent");
    let mut read = || client.read().expect("a reply").value;
    let mut keys = Vec::new();
    let mut streams = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let digest = read().items().and_then(|items| items.first().map(Value::text)).unwrap_or_default();
        let expires_ms = read().int().unwrap_or(-2);
        if read().text() == "stream" {
            streams.push((at, name));
        }
        keys.push(Key { digest, expires_ms, stream: String::new() });
    }
    for (at, name) in streams {
        let words = [b"XINFO".as_slice(), b"STREAM", name, b"FULL", b"COUNT", b"0"];
        let info = client.command(&words).expect("a reply").value;
        keys[at].stream = plain(&without_layout(&info, detail));
    }
    keys
}

/// XINFO STREAM FULL without the figures of the tree, and if so asked without what an AOF loses.
fn without_layout(value: &Value, detail: Detail) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let dropped = |name: &Value| match name.bytes().unwrap_or_default() {
        b"radix-tree-keys" | b"radix-tree-nodes" => true,
        b"seen-time" | b"active-time" | b"entries-read" | b"lag" => detail != Detail::All,
        b"pel-count" | b"pending" | b"consumers" => detail == Detail::Rewritten,
        _ => false,
    };
    let mut kept = Vec::new();
    let mut at = 0;
    while at < items.len() {
        if dropped(&items[at]) {
            at += 2;
        } else {
            let follows = at > 0 && items[at - 1].bytes() == Some(b"consumers") && detail == Detail::Logged;
            kept.push(match &items[at] {
                Value::Array(consumers) if follows => {
                    let busy = consumers.iter().filter(|consumer| !is_idle(consumer));
                    without_layout(&Value::Array(busy.cloned().collect()), detail)
                }
                other => without_layout(other, detail),
            });
            at += 1;
        }
    }
    Value::Array(kept)
}

/// A consumer without pending entries. redis-server 7.0 does not log that XREADGROUP made one if it then found nothing to read.
fn is_idle(consumer: &Value) -> bool {
    let fields = consumer.items().unwrap_or_default();
    fields.windows(2).any(|pair| pair[0].bytes() == Some(b"pel-count") && pair[1] == Value::Int(0))
}

/// A reply in one line of ASCII.
fn plain(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Int(number) => number.to_string(),
        other => other.bytes().map_or_else(|| format!("{other:?}"), |bytes| show(bytes, usize::MAX)),
    }
}

fn deeply_sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(deeply_sorted).collect();
            items.sort();
            Value::Array(items)
        }
        other => other.clone(),
    }
}
