//! No reply to a write leaves before the fsync that covers it; with everysec nothing stays unsynced for longer than a second and one fsync.
//!
//! Called by main, with the crate feature `test-switches` only. kill -9 cannot show this: it keeps the page cache. So the server tells what the kernel told it
//! (`session::trace`): bytes of files written and synced, sends of connections as they begin, in one order. What a reply needs is not taken from the server's books: every
//! write carries a marker, and its place in the file is where the marker is found there afterwards. Servers broken on purpose (`SHOAL_TEST_BREAK`) must each be caught.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number};
use crate::support::server::{Plan, Server};

const INCR: &str = "appendonlydir/appendonly.aof.1.incr.aof";
/// What a machine under load may add to everysec's second and fsync, in microseconds.
const SLACK_US: u64 = 500_000;

/// What one connection was told: (its bytes so far, the marker of the write that the last of them answer).
struct Told {
    client: u64,
    replies: Vec<(usize, String)>,
}

/// How a connection writes.
#[derive(Clone, Copy, Debug)]
enum Way {
    Set,
    Pair,
    Transaction,
    Script,
    Push,
    /// Takes what a pusher pushes.
    Pop,
    /// Eight SETs in one piece.
    Burst,
}

const WAYS: [Way; 7] = [Way::Set, Way::Pair, Way::Transaction, Way::Script, Way::Push, Way::Pop, Way::Burst];

/// The commands that leave the marker in the file.
fn commands(way: Way, marker: &str, number: u64, prng: &mut Prng) -> Vec<Vec<String>> {
    let words = |line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let key = prng.below(50);
    match way {
        Way::Set => vec![words(format!("SET set:{key} {marker}"))],
        Way::Pair => vec![words(format!("MSET a:{key} {marker} b:{key} {marker}"))],
        Way::Transaction => vec![
            words("MULTI".into()),
            words(format!("SET t:{key} {marker}")),
            words(format!("APPEND u:{key} {marker}")),
            words("EXEC".into()),
        ],
        Way::Script => {
            let mut script = words(format!("EVAL - 1 s:{key} {marker}"));
            script[1] = "return redis.call('SET',KEYS[1],ARGV[1])".into();
            vec![script]
        }
        Way::Push => vec![words(format!("RPUSH queue {marker}"))],
        Way::Pop => vec![words("BLPOP queue 0".into())],
        Way::Burst => (0..8).map(|part| words(format!("SET burst:{number}:{part} {marker}"))).collect(),
    }
}

/// Writes until `until`.
fn write_on(mut client: Client, way: Way, index: usize, until: Instant, pause: Duration) -> Told {
    let mut prng = Prng::new(env_number("SEED", 1) + index as u64);
    let mut received = 0;
    let id = client.command(&["CLIENT", "ID"]).expect("a reply");
    received += id.raw.len();
    let id = id.value.int().expect("a number") as u64;
    let mut told = Told { client: id, replies: Vec::new() };
    client.set_timeout(Duration::from_millis(600)).expect("a socket");
    for number in 0.. {
        if Instant::now() >= until {
            break;
        }
        let mut marker = format!("w{index}x{number}e");
        let commands = commands(way, &marker, number, &mut prng);
        let wire: Vec<u8> = commands.iter().flat_map(|words| crate::support::client::encode(words)).collect();
        client.send_raw(&wire).expect("sent");
        for at in 0..commands.len() {
            let Ok(reply) = client.read() else { return told };
            assert!(!reply.value.is_error(), "{way:?}: {:?}", reply.value);
            received += reply.raw.len();
            if let Way::Pop = way {
                let text = String::from_utf8_lossy(&reply.raw).into_owned();
                marker = text.lines().last().unwrap_or_default().to_owned();
            }
            if at + 1 == commands.len() || matches!(way, Way::Burst) {
                told.replies.push((received, marker.clone()));
            }
        }
        std::thread::sleep(pause);
    }
    told
}

/// Where the unit that carries each marker ends in the file (the first one that does).
fn places(file: &[u8]) -> HashMap<String, u64> {
    let (mut at, mut open, mut places) = (0, Vec::new(), HashMap::new());
    let mut in_multi = false;
    let line = |from: usize| {
        let end = memchr::memchr(b'\n', &file[from..]).expect("a whole line") + from + 1;
        (&file[from..end - 2], end)
    };
    let number = |text: &[u8]| {
        std::str::from_utf8(&text[1..]).ok().and_then(|text| text.parse::<usize>().ok()).expect("a number")
    };
    while at < file.len() {
        let (head, next) = line(at);
        at = next;
        if head.first() == Some(&b'#') {
            continue;
        }
        let mut words: Vec<&[u8]> = Vec::new();
        for _ in 0..number(head) {
            let (length, body) = line(at);
            words.push(&file[body..body + number(length)]);
            at = body + number(length) + 2;
        }
        in_multi |= words[0] == b"MULTI";
        open.extend(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()));
        in_multi &= words[0] != b"EXEC";
        if !in_multi {
            for word in open.drain(..).filter(|word| word.starts_with('w') && word.ends_with('e')) {
                places.entry(word).or_insert(at as u64);
            }
        }
    }
    places
}

/// A line of the trace.
enum Line {
    Wrote(u64),
    Begin,
    Synced(u64),
    Send(u64, usize),
}

/// The lines about the incremental file and the connections: (microseconds, line).
fn lines(trace: &str) -> Vec<(u64, Line)> {
    let mut file = None;
    let mut lines = Vec::new();
    for line in trace.lines() {
        let mut words = line.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let Some(us) = number() else { continue };
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let [kind, rest @ ..] = &words[..] else { continue };
        let numbers: Vec<u64> = rest.iter().filter_map(|word| word.parse().ok()).collect();
        let is_file = || numbers.first().copied() == file;
        match (*kind, &numbers[..]) {
            ("open", [opened]) if rest[1] == INCR => file = Some(*opened),
            ("wrote", [_, to]) if is_file() => lines.push((us, Line::Wrote(*to))),
            ("begin", [_]) if is_file() => lines.push((us, Line::Begin)),
            ("synced", [_, to]) if is_file() => lines.push((us, Line::Synced(*to))),
            ("send", [client, bytes]) => lines.push((us, Line::Send(*client, *bytes as usize))),
            _ => {}
        }
    }
    lines
}

/// What the trace says of the replies.
#[derive(Default, Debug)]
struct Finding {
    replies: usize,
    fsyncs: usize,
    /// Replies that left before what they tell of was synced.
    early: usize,
    /// From the reply to the sync that covers it, at the most, and the longest sync.
    oldest_us: u64,
    longest_sync_us: u64,
    never_synced: usize,
}

fn judge(trace: &str, told: &[Told], places: &HashMap<String, u64>) -> Finding {
    let mut finding = Finding::default();
    let mut streams: HashMap<u64, (usize, usize, &Told)> =
        told.iter().map(|told| (told.client, (0, 0, told))).collect();
    let (mut written, mut covers, mut begun, mut synced) = (0, 0, 0, 0);
    let mut unsynced: Vec<(u64, u64)> = Vec::new();
    for (us, line) in lines(trace) {
        match line {
            Line::Wrote(to) => written = to,
            Line::Begin => (covers, begun) = (written, us),
            Line::Synced(to) => {
                if to == 0 {
                    finding.longest_sync_us = finding.longest_sync_us.max(us - begun);
                }
                synced = synced.max(if to == 0 { covers } else { to });
                finding.fsyncs += 1;
                unsynced.retain(|&(place, sent_us)| {
                    if place <= synced {
                        finding.oldest_us = finding.oldest_us.max(us - sent_us);
                    }
                    place > synced
                });
            }
            Line::Send(client, bytes) => {
                let Some((sent, next, told)) = streams.get_mut(&client) else { continue };
                *sent += bytes;
                while let Some((end, marker)) = told.replies.get(*next).filter(|(end, _)| *end <= *sent) {
                    let place =
                        *places.get(marker).unwrap_or_else(|| panic!("{marker} ({end}) is not in the file"));
                    finding.replies += 1;
                    finding.early += usize::from(place > synced);
                    if place > synced {
                        unsynced.push((place, us));
                    }
                    *next += 1;
                }
            }
        }
    }
    finding.never_synced = unsynced.len();
    finding
}

/// Traffic of all ways on a server that traces; what the trace says.
fn story(threads: u32, policy: &str, fault: Option<&str>, run: Duration, pause: Duration) -> Finding {
    let directory = Directory::new("trace");
    let trace = directory.path().join("trace");
    let mut plan = Plan::shoal(threads)
        .args(&["--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"])
        .env("SHOAL_TEST_TRACE", trace.to_str().expect("text"))
        .data(directory.path());
    if let Some(fault) = fault {
        plan = plan.env("SHOAL_TEST_BREAK", fault);
    }
    let mut server = plan.start();
    let until = Instant::now() + run;
    let told = write_all(&server, until, pause);
    // What nobody waits for any more is judged by what was synced on time, not by the sync at the end.
    std::thread::sleep(Duration::from_millis(1800));
    let text = fs::read_to_string(&trace).expect("a trace");
    assert!(server.terminate().success());
    let file = read(directory.path());
    judge(&text, &told, &places(&file))
}

fn read(directory: &Path) -> Vec<u8> {
    fs::read(directory.join(INCR)).expect("the file")
}

fn write_all(server: &Server, until: Instant, pause: Duration) -> Vec<Told> {
    // Two of each, so that every way is at home on both cores.
    let ways: Vec<Way> = WAYS.iter().chain(&WAYS).copied().collect();
    let clients: Vec<Client> = ways.iter().map(|_| server.connect()).collect();
    std::thread::scope(|scope| {
        let writers: Vec<_> = ways
            .into_iter()
            .zip(clients)
            .enumerate()
            .map(|(index, (way, client))| scope.spawn(move || write_on(client, way, index, until, pause)))
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
    })
}

const BRIEF: Duration = Duration::from_millis(1200);

#[test]
fn with_always_no_reply_leaves_before_its_fsync() {
    for threads in [1, 2] {
        let finding = story(threads, "always", None, BRIEF, Duration::ZERO);
        println!("{threads} cores: {finding:?}");
        assert!(finding.replies > 500 && finding.fsyncs > 50, "{finding:?}");
        assert_eq!((finding.early, finding.never_synced), (0, 0), "{finding:?}");
    }
}

#[test]
fn servers_that_reply_too_early_are_caught() {
    for fault in ["skip-fsync", "early-release"] {
        let finding = story(2, "always", Some(fault), BRIEF, Duration::ZERO);
        println!("{fault}: {finding:?}");
        assert!(finding.replies > 500 && finding.early > 0, "{fault} goes unseen: {finding:?}");
    }
}

/// Whether everysec holds.
fn is_on_time(finding: &Finding) -> bool {
    finding.never_synced == 0 && finding.oldest_us <= 1_000_000 + finding.longest_sync_us + SLACK_US
}

#[test]
fn with_everysec_nothing_stays_unsynced_for_longer_than_a_second_and_a_sync() {
    let finding = story(2, "everysec", None, Duration::from_secs(4), Duration::from_millis(3));
    println!("{finding:?}");
    assert!(finding.replies > 500 && finding.fsyncs >= 3, "{finding:?}");
    assert!(finding.early * 10 > finding.replies * 9, "replies waited for the disk: {finding:?}");
    assert!(is_on_time(&finding), "{finding:?}");
}

#[test]
fn a_server_that_syncs_too_late_is_caught() {
    let finding = story(2, "everysec", Some("late-fsync"), Duration::from_secs(4), Duration::from_millis(3));
    println!("late-fsync: {finding:?}");
    assert!(finding.replies > 500 && !is_on_time(&finding), "late-fsync goes unseen: {finding:?}");
}
