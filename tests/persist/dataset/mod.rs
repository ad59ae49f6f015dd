//! A seeded data set of every type, encoding and size class, as the commands that make it.
//!
//! Called by the tests of files. Invariant: one seed and one starting time give the same commands, so the same data on any server; every command
//! succeeds. The limits of the encodings are part of the seed (`directives`), and collections cross them both ways: some grow over a limit and
//! shrink again. Bounds: `bulk_left` bytes in strings of a MiB and more, collections up to 4,000 elements.

mod collections;
mod streams;
mod strings;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::client::{Client, encode};
use crate::support::prng::Prng;
use crate::support::reply::show;

/// A command in words.
pub type Args = Vec<Vec<u8>>;

/// Commands, each with its database.
pub struct Dataset {
    /// In order.
    pub commands: Vec<(u32, Args)>,
    /// From this unix time (ms) on no key with a near expiry is left.
    pub near_until_ms: u64,
}

/// Keys with an expiry of a second or two begin with this, and no others do.
pub const NEAR: &str = "near:";

/// Milliseconds since 1970.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}

/// The directives that decide how this seed's values are laid out in memory and in files.
pub fn directives(seed: u64) -> Vec<String> {
    let prng = &mut Prng::new(seed ^ 0x00d1_4ec7);
    let mut all = Vec::new();
    let mut set = |name: &str, choices: &[&str]| {
        all.push(format!("--{name}"));
        all.push(prng.pick(choices).to_owned());
    };
    set("rdbcompression", &["yes", "no"]);
    set("rdbchecksum", &["yes", "yes", "no"]);
    set("list-max-listpack-size", &["-2", "-1", "-5", "1", "4", "128"]);
    set("list-compress-depth", &["0", "1", "2"]);
    set("hash-max-listpack-entries", &["128", "8", "512"]);
    set("hash-max-listpack-value", &["64", "8", "1000"]);
    set("set-max-intset-entries", &["512", "8", "0"]);
    set("zset-max-listpack-entries", &["128", "8"]);
    set("zset-max-listpack-value", &["64", "8"]);
    set("stream-node-max-bytes", &["4096", "100", "0"]);
    set("stream-node-max-entries", &["100", "2", "0"]);
    set("hll-sparse-max-bytes", &["3000", "100"]);
    set("maxmemory-policy", &["noeviction", "allkeys-lru", "volatile-lfu", "allkeys-lfu"]);
    all.extend(["--lfu-decay-time", "0"].map(str::to_owned));
    all
}

/// The data set of a seed with about so many keys.
pub fn generate(seed: u64, objects: usize) -> Dataset {
    let now_ms = unix_ms();
    let mut maker = Maker {
        prng: Prng::new(seed),
        now_ms,
        db: 0,
        number: 0,
        named_empty: false,
        bulk_left: 6 << 20,
        near_until_ms: now_ms,
        commands: Vec::new(),
    };
    maker.libraries();
    for _ in 0..objects {
        maker.object();
    }
    Dataset { commands: maker.commands, near_until_ms: maker.near_until_ms }
}

/// Sends commands in pipelines; every one must succeed.
pub fn send(client: &mut Client, commands: &[(u32, Args)]) {
    let mut selected = u32::MAX;
    for chunk in commands.chunks(200) {
        let (mut wire, mut sent) = (Vec::new(), Vec::new());
        for (db, args) in chunk {
            if *db != selected {
                let select = vec![b"SELECT".to_vec(), db.to_string().into_bytes()];
                wire.extend(encode(&select));
                sent.push(select);
                selected = *db;
            }
            wire.extend(encode(args));
            sent.push(args.clone());
        }
        client.send_raw(&wire).expect("sent");
        for args in &sent {
            let reply = client.read().expect("a reply");
            let words: Vec<String> = args.iter().take(8).map(|arg| show(arg, 60)).collect();
            assert!(!reply.value.is_error(), "{}: {}", words.join(" "), reply.value.text());
        }
    }
}

/// What the generators of the types share.
pub struct Maker {
    /// Of all choices.
    pub prng: Prng,
    /// When the data set was begun.
    pub now_ms: u64,
    db: u32,
    number: u64,
    named_empty: bool,
    /// What may still go into huge strings.
    pub bulk_left: usize,
    near_until_ms: u64,
    commands: Vec<(u32, Args)>,
}

/// Makes one value at a key.
type Kind = fn(&mut Maker, &[u8]);

const KINDS: &[(u64, Kind)] = &[
    (30, strings::string),
    (4, strings::bitmap),
    (5, strings::hyperloglog),
    (14, collections::list),
    (12, collections::set),
    (14, collections::hash),
    (12, collections::zset),
    (9, streams::stream),
];

impl Maker {
    /// One more command.
    pub fn push(&mut self, args: Args) {
        self.commands.push((self.db, args));
    }

    /// One more command of text words and a key behind the first.
    pub fn on(&mut self, name: &str, key: &[u8], rest: Args) {
        let mut args = vec![name.as_bytes().to_vec(), key.to_vec()];
        args.extend(rest);
        self.push(args);
    }

    fn object(&mut self) {
        if self.prng.chance(40) {
            self.db = if self.prng.chance(50) { 0 } else { self.prng.below(16) as u32 };
        }
        let near = self.prng.chance(8);
        let key = self.key(near);
        let mut at = self.prng.below(KINDS.iter().map(|kind| kind.0).sum());
        for (weight, make) in KINDS {
            if at < *weight {
                make(self, &key);
                break;
            }
            at -= weight;
        }
        if near {
            let deadline = self.now_ms + 400 + self.prng.below(1100);
            self.near_until_ms = self.near_until_ms.max(deadline + 1);
            self.on("PEXPIREAT", &key, vec![text(deadline)]);
        } else if self.prng.chance(25) {
            let ahead = self.prng.pick(&[100_000, 86_400_000, 4_000_000_000, 100_000_000_000]);
            let deadline = self.now_ms + ahead + self.prng.below(ahead);
            self.on("PEXPIREAT", &key, vec![text(deadline)]);
        }
    }

    /// A key that no other object has: empty, text, tagged, binary or long.
    fn key(&mut self, near: bool) -> Vec<u8> {
        self.number += 1;
        let number = self.number;
        if near {
            return format!("{NEAR}{number}").into_bytes();
        }
        match self.prng.below(12) {
            0 => format!("{{tag{}}}:{number}", self.prng.below(3)).into_bytes(),
            1 => [self.prng.bytes(12), text(number)].concat(),
            2 => [vec![b'L'; 300], text(number)].concat(),
            3 if number > 20 && number < 40 => [vec![0; 20_000], text(number)].concat(),
            4 => text(number),
            5 if !self.named_empty => {
                self.named_empty = true;
                Vec::new()
            }
            _ => format!("key:{number}").into_bytes(),
        }
    }

    /// A number of elements: one, few, about the limits of the encodings, thousands.
    pub fn count(&mut self) -> usize {
        match self.prng.below(20) {
            0..3 => 1,
            3..11 => 2 + self.prng.index(10),
            11..15 => 124 + self.prng.index(10),
            15..18 => 508 + self.prng.index(10),
            18 => 30 + self.prng.index(60),
            _ => 1500 + self.prng.index(2500),
        }
    }

    /// An element, field or member.
    pub fn element(&mut self) -> Vec<u8> {
        match self.prng.below(16) {
            0 => Vec::new(),
            1..6 => self.integer(),
            6 => {
                let length = self.prng.index(30);
                self.prng.bytes(length)
            }
            7 => {
                let length = 60 + self.prng.index(10);
                vec![b'e'; length]
            }
            8 if self.prng.chance(20) => {
                let length = 2000 + self.prng.index(10_000);
                self.content(length)
            }
            _ => format!("element-{}", self.prng.below(1 << 30)).into_bytes(),
        }
    }

    /// An integer of any width, in any spelling.
    pub fn integer(&mut self) -> Vec<u8> {
        const EDGES: [i64; 16] = [
            0,
            -1,
            12,
            13,
            127,
            128,
            -128,
            -129,
            32_767,
            32_768,
            8_388_607,
            8_388_608,
            2_147_483_647,
            2_147_483_648,
            i64::MAX,
            i64::MIN,
        ];
        match self.prng.below(8) {
            0..3 => self.prng.pick(&EDGES).to_string().into_bytes(),
            3 => self.prng.pick(&["01", "+1", "-0", " 1", "1 ", "99999999999999999999", "1.0", "1e3"]).into(),
            4 => text(self.prng.next()),
            _ => self.prng.range(-100_000, 100_000).to_string().into_bytes(),
        }
    }

    /// So many bytes: random, repeated, or of few letters.
    pub fn content(&mut self, length: usize) -> Vec<u8> {
        match self.prng.below(4) {
            0 => self.prng.bytes(length),
            1 => vec![self.prng.next() as u8; length],
            2 => (0..length).map(|at| b'a' + (at % 17) as u8).collect(),
            _ => (0..length).map(|_| b'a' + self.prng.below(4) as u8).collect(),
        }
    }

    fn libraries(&mut self) {
        for number in 0..self.prng.below(4) {
            let filling = "-- filling\n".repeat(self.prng.index(300));
            let code = format!(
                "#!lua name=lib{number}\n{filling}redis.register_function('f{number}', function(k, a) return #a + {number} end)\n"
            );
            self.push(vec![b"FUNCTION".to_vec(), b"LOAD".to_vec(), code.into_bytes()]);
        }
    }
}

/// A number as text.
pub fn text(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}
