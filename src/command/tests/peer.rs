//! What COMMAND, HELP and the lookup's errors say, compared with a live redis-server 7.0.
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::base::prng::Prng;
use crate::command::describe;
use crate::command::lookup::Table;
use crate::command::row::Row;
use crate::command::rows;
use crate::resp::{Out, OwnedCommand, Reply, ReplyReader};

/// A running redis-server; killed when dropped.
struct Peer {
    process: Child,
    stream: UnixStream,
    reader: ReplyReader,
}

impl Peer {
    fn start(name: &str, options: &[&str]) -> Peer {
        let path = std::env::temp_dir().join(format!("shoal-rows-{name}-{}.sock", std::process::id()));
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--enable-debug-command", "yes", "--unixsocket"])
            .arg(&path)
            .args(options)
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
        Peer { process, stream, reader: ReplyReader::new() }
    }

    /// The reply's bytes.
    fn raw(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&request).unwrap();
        let mut buffer = [0; 65536];
        loop {
            if let Some(reply) = self.reader.next_raw().unwrap() {
                return reply.to_vec();
            }
            let read = self.stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the peer closed after {words:?}");
            self.reader.feed(&buffer[..read]);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The rows redis 7.0 knows.
fn is_in_7_0(row: &Row) -> bool {
    !matches!(row.since, "7.2.0" | "7.4.0")
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// Our reply to `words`, errors of the lookup included.
fn ours(table: &Table, proto: u8, words: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Out::new();
    out.set_proto(proto);
    let owned = OwnedCommand::from_words(words);
    let args = owned.args();
    match table.find(&args) {
        Err(unknown) => out.error_bytes(&unknown.bytes(&args)),
        Ok(command) if !command.row.arity_fits(args.len()) => {
            out.error_text(&crate::command::reply_error::wrong_arity(command.row))
        }
        Ok(command) if command.row.name == "help" => {
            describe::write_help(command.row.container, args.get(0), &mut out)
        }
        Ok(_) => {
            if let Err(error) = describe::run(table, &args, &mut out) {
                out.error_bytes(error.text(b""));
            }
        }
    }
    out.to_vec()
}

fn decode(raw: &[u8]) -> Reply {
    let mut reader = ReplyReader::new();
    reader.feed(raw);
    reader.next_reply().unwrap().unwrap()
}

/// Sorts what redis leaves unordered: lists and maps of commands.
fn canonical(reply: Reply) -> Reply {
    let is_command_name = |key: &Reply| key.as_bytes().is_some_and(rows_know);
    match reply {
        Reply::Array(items) => {
            let mut items: Vec<Reply> = items.into_iter().map(canonical).collect();
            let are_commands = items.iter().all(|item| item.as_items().is_some_and(|item| item.len() == 10));
            if are_commands || (items.len() > 1 && items.iter().all(is_command_name)) {
                items.sort_by_key(|item| format!("{item:?}"));
            }
            Reply::Array(items)
        }
        Reply::Map(pairs) => {
            let mut pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key, canonical(value))).collect();
            if pairs.iter().all(|(key, _)| is_command_name(key)) {
                pairs.sort_by_key(|(key, _)| format!("{key:?}"));
            }
            Reply::Map(pairs)
        }
        other => other,
    }
}

fn rows_know(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| rows::find(name).is_some())
}

/// Both replies equal but for the order of commands.
fn same(table: &Table, peer: &mut Peer, proto: u8, asked: &[&str]) {
    let asked = words(asked);
    let (theirs, ours) = (peer.raw(&asked), ours(table, proto, &asked));
    assert_eq!(theirs.len(), ours.len(), "{asked:?}");
    if theirs != ours {
        assert_eq!(canonical(decode(&theirs)), canonical(decode(&ours)), "{asked:?}");
    }
}

#[test]
fn info_docs_and_list_of_every_command_are_the_peers() {
    let table = Table::of(is_in_7_0);
    let mut peer = Peer::start("describe", &[]);
    for proto in [2, 3] {
        peer.raw(&words(&["HELLO", &proto.to_string()]));
        for row in rows::all().filter(|row| is_in_7_0(row)) {
            for row in std::iter::once(row).chain(row.subcommands.iter().filter(|row| is_in_7_0(row))) {
                same(&table, &mut peer, proto, &["COMMAND", "INFO", row.full_name]);
                if proto == 3 || row.subcommands.is_empty() {
                    same(&table, &mut peer, proto, &["command", "docs", row.full_name]);
                }
                if proto == 3 {
                    same(&table, &mut peer, proto, &["COMMAND", "LIST", "FILTERBY", "PATTERN", row.name]);
                }
            }
        }
        for category in crate::command::row::CATEGORY_NAMES {
            same(&table, &mut peer, proto, &["COMMAND", "LIST", "FILTERBY", "ACLCAT", category]);
        }
        for asked in [
            &["COMMAND"][..],
            &["COMMAND", "COUNT"],
            &["COMMAND", "INFO"],
            &["COMMAND", "LIST"],
            &["COMMAND", "LIST", "FILTERBY", "PATTERN", "*G*"],
            &["COMMAND", "LIST", "FILTERBY", "MODULE", "x"],
            &["COMMAND", "LIST", "FILTERBY", "ACLCAT", "x"],
            &["COMMAND", "LIST", "FILTERBY", "x", "x"],
            &["COMMAND", "LIST", "FILTERBY", "PATTERN"],
            &["COMMAND", "INFO", "nosuch", "GET", "config|GET", "config|x", "get|x", "config|get|x", ""],
            &["COMMAND", "DOCS", "nosuch", "GET", "config|GET"],
            &["COMMAND", "HELP"],
            &["COMMAND", "HELP", "x"],
            &["COMMAND", "nosuch"],
            &["COMMAND", "COUNT", "x"],
        ] {
            same(&table, &mut peer, proto, asked);
        }
    }
    same(&table, &mut peer, 3, &["COMMAND", "DOCS"]);
}

#[test]
fn help_of_every_container_is_the_peers() {
    let table = Table::of(is_in_7_0);
    let nodes = format!("shoal-rows-nodes-{}.conf", std::process::id());
    let mut peer = Peer::start("help", &["--cluster-enabled", "yes", "--cluster-config-file", &nodes]);
    for row in rows::all().filter(|row| row.subcommands.iter().any(|sub| sub.name == "help")) {
        same(&table, &mut peer, 2, &[row.name, "HELP"]);
    }
    let mut out = Out::new();
    describe::write_help("debug", b"DeBug", &mut out);
    assert_eq!(out.to_vec(), peer.raw(&words(&["DeBug", "HELP"])));
    std::fs::remove_file(std::env::temp_dir().join(nodes)).unwrap();
}

#[test]
fn errors_of_the_lookup_are_the_peers() {
    let table = Table::of(is_in_7_0);
    let mut peer = Peer::start("errors", &[]);
    let long = "x".repeat(300);
    for asked in [
        &["nosuch"][..],
        &["nosuch", "a", "b", "", "c"],
        &["no\r\nsuch\n", "a\r\nb"],
        &["no\0such", "a\0b", "c"],
        &[&long, &long],
        &["nosuch", &long[..120], "abcdefghijkl", "m"],
        &["nosuch", &long[..121], "abc", "m"],
        &["nosuch", &long[..125], "abc", "m"],
        &["nosuch", "a", &long, &long, "b"],
        &["Config", "nosuch"],
        &["Config", &long],
        &["config", "a\0b\r\n"],
        &["config", ""],
        &["", ""],
        &["config"],
        &["config", "get"],
        &["get"],
        &["get", "a", "b"],
        &["object", "nosuch"],
    ] {
        let asked = words(asked);
        let (theirs, ours) = (peer.raw(&asked), ours(&table, 2, &asked));
        assert_eq!(String::from_utf8_lossy(&theirs), String::from_utf8_lossy(&ours), "{asked:?}");
    }
}

const VOCABULARY: &[&str] = &[
    "a",
    "b",
    "",
    "0",
    "1",
    "2",
    "3",
    "4",
    "-1",
    "2x",
    " 2",
    "GET",
    "get",
    "SET",
    "INCRBY",
    "OVERFLOW",
    "u8",
    "STORE",
    "STOREDIST",
    "BY",
    "LIMIT",
    "KEYS",
    "AUTH",
    "AUTH2",
    "COPY",
    "REPLACE",
    "STREAMS",
    "BLOCK",
    "COUNT",
    "GROUP",
    "NOACK",
];

#[test]
fn keys_of_random_arguments_are_the_peers() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let mut prng = Prng::new(seed);
    let table = Table::of(is_in_7_0);
    let mut peer = Peer::start("keys", &[]);
    let all: Vec<&Row> = rows::all().flat_map(|row| std::iter::once(row).chain(row.subcommands)).collect();
    for row in all.into_iter().filter(|row| is_in_7_0(row)) {
        let rounds = if row.keyspecs.is_empty() { 3 } else { 100 };
        let rounds = if row.movable == crate::command::row::Movable::No { rounds } else { 2000 };
        for _ in 0..rounds {
            let mut asked = words(&["COMMAND", "GETKEYSANDFLAGS"]);
            asked.extend(row.full_name.split('|').map(|word| word.as_bytes().to_vec()));
            for _ in 0..prng.below(12) {
                asked.push(VOCABULARY[prng.below(VOCABULARY.len() as u64) as usize].as_bytes().to_vec());
            }
            let (theirs, ours) = (peer.raw(&asked), ours(&table, 2, &asked));
            let shown = || asked.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>();
            assert_eq!(String::from_utf8_lossy(&theirs), String::from_utf8_lossy(&ours), "{:?}", shown());
        }
    }
}
