//! The seeded traffic: one generator per command, over a small universe of keys so that commands meet.
//!
//! Called by `lockstep`; calls `families` for the arguments. Distribution: about four in five commands are well formed and aimed
//! at a key of a fitting type; the rest is spoilt on purpose (wrong type, wrong arity, garbage, huge and negative numbers).
//! Bounds: values below 10 KiB (servers run with proto-max-bulk-len 1mb), expiry either far (days) or past, never in between:
//! what expires during the run would expire at different commands on the two servers.

use std::collections::BTreeSet;

use crate::families;
use crate::support::prng::Prng;

/// A command in words.
pub type Args = Vec<Vec<u8>>;

/// What the harness does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send this command to both.
    Command(Args),
    /// Iterate this SCAN-like command (cursor at the given index) to its end on both; compare the sets.
    ScanAll(Args, usize),
    /// Copy a value by DUMP on one of the servers and RESTORE on both.
    Restore {
        /// Dumped.
        from: Vec<u8>,
        /// Written.
        to: Vec<u8>,
    },
    /// Copy the libraries by FUNCTION DUMP on one of the servers and FUNCTION RESTORE, with this policy, on both.
    RestoreFunctions(&'static str),
    /// Clients that wait and what is done for them.
    Blocked {
        /// Prepares, on the step's connection.
        before: Vec<Args>,
        /// One command per waiting client.
        waiters: Vec<Args>,
        /// What the step's connection does then.
        then: Vec<Args>,
    },
}

/// Never spoilt: a garbled argument could block, sleep for years, end the server, evict by the own memory figures, or get several replies.
const UNSPOILT: [&str; 7] =
    ["config", "debug", "wait", "shutdown", "unsubscribe", "punsubscribe", "sunsubscribe"];

/// Whether a command has a timeout, which garbage could make endless.
fn may_wait(args: &Args) -> bool {
    let blocks = |name: &[u8]| name.starts_with(b"B") && (name.contains(&b'P') || name == b"BLMOVE");
    blocks(&args[0]) && !args[0].starts_with(b"BIT")
        || args.iter().any(|word| word.eq_ignore_ascii_case(b"BLOCK"))
}

/// What a generator needs.
pub struct Traffic {
    /// The source of all choices.
    pub prng: Prng,
    /// RESP version of the connection (HELLO and RESET go back to it).
    pub proto: u8,
    table: Vec<families::Row>,
    /// Generators of commands on keys, each as often as its weight says.
    pub on_keys: std::rc::Rc<[families::Generator]>,
    total_weight: u64,
}

impl Traffic {
    /// Traffic of the commands (lower-case names) that both servers know.
    pub fn new(seed: u64, proto: u8, known: &BTreeSet<String>) -> Traffic {
        let table: Vec<_> = families::all().filter(|row| known.contains(row.0)).collect();
        let total_weight = table.iter().map(|row| row.1).sum();
        assert!(total_weight > 0, "the two servers have no command in common");
        let on_keys = families::on_keys().filter(|row| known.contains(row.0));
        let on_keys = on_keys.flat_map(|row| std::iter::repeat_n(row.2, row.1 as usize)).collect();
        Traffic { prng: Prng::new(seed), proto, table, on_keys, total_weight }
    }

    /// The next step (several commands when they belong together).
    pub fn next_steps(&mut self) -> Vec<Step> {
        let mut at = self.prng.below(self.total_weight);
        let mut chosen = self.table[0];
        for row in &self.table {
            if at < row.1 {
                chosen = *row;
                break;
            }
            at -= row.1;
        }
        let mut steps = (chosen.2)(self);
        if self.prng.chance(14)
            && let [Step::Command(args)] = &mut steps[..]
            && !may_wait(args)
            && !UNSPOILT.contains(&String::from_utf8_lossy(&args[0]).to_lowercase().as_str())
        {
            self.spoil(args);
        }
        steps
    }

    /// Makes a well-formed command questionable.
    fn spoil(&mut self, args: &mut Args) {
        let first = if args.len() > 1 { 1 + self.prng.index(args.len() - 1) } else { 0 };
        match self.prng.below(6) {
            0 if args.len() > 1 => {
                args.pop();
            }
            1 => args.push(self.garbage()),
            2 if args.len() > 1 => args[1] = self.any_key(),
            3 if args.len() > 1 => {
                args.remove(first);
            }
            _ if first > 0 => args[first] = self.garbage(),
            _ => args.push(self.garbage()),
        }
        // A SET in the past (ms of 1970) leaves a key that is counted until the active expiry comes by.
        if args.iter().any(|arg| arg.eq_ignore_ascii_case(b"PXAT")) {
            args.iter_mut()
                .filter(|arg| arg.as_slice() == b"4294967296")
                .for_each(|arg| arg.extend_from_slice(b"000"));
        }
    }

    /// Words that parsers stumble over. No word here makes a big allocation or a near expiry.
    pub fn garbage(&mut self) -> Vec<u8> {
        const WORDS: [&str; 35] = [
            "",
            " ",
            "abc",
            "-",
            "+",
            "+1",
            "01",
            "1 ",
            " 1",
            "1.5",
            "-1",
            "-0",
            "0",
            "1e3",
            "nan",
            "inf",
            "-inf",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "18446744073709551616",
            "4294967296",
            "0x10",
            "1e400",
            "NX",
            "XX",
            "GET",
            "KEEPTTL",
            "WITHVALUES",
            "COUNT",
            "MATCH",
            "*",
            "\0",
            "\r\n",
            "99999999999999999999999999",
        ];
        if self.prng.chance(80) {
            return self.prng.pick(&WORDS).into();
        }
        // Not a number by chance: that could be a near expiry.
        let length = self.prng.index(20);
        [b"g".to_vec(), self.prng.bytes(length)].concat()
    }

    fn numbered(&mut self, prefix: &str, count: u64) -> Vec<u8> {
        format!("{prefix}{}", self.prng.below(count)).into_bytes()
    }

    /// A key that mostly holds a string.
    pub fn string_key(&mut self) -> Vec<u8> {
        if self.prng.chance(3) { self.any_key() } else { self.numbered("s", 7) }
    }

    /// A key that mostly holds an integer.
    pub fn int_key(&mut self) -> Vec<u8> {
        if self.prng.chance(3) { self.any_key() } else { self.numbered("{n}", 4) }
    }

    /// A key that mostly holds a float.
    pub fn float_key(&mut self) -> Vec<u8> {
        if self.prng.chance(3) { self.any_key() } else { self.numbered("f", 3) }
    }

    /// A key that mostly holds a hash.
    pub fn hash_key(&mut self) -> Vec<u8> {
        if self.prng.chance(3) { self.any_key() } else { self.numbered("h", 6) }
    }

    /// A key that mostly holds a bitmap.
    pub fn bit_key(&mut self) -> Vec<u8> {
        if self.prng.chance(3) { self.any_key() } else { self.numbered("b", 5) }
    }

    /// A key used by LCS only, whose cost is the product of the lengths.
    pub fn short_key(&mut self) -> Vec<u8> {
        self.numbered("lcs", 3)
    }

    /// Any key of the universe, and sometimes one that never exists.
    pub fn any_key(&mut self) -> Vec<u8> {
        match self.prng.below(12) {
            0..3 => self.numbered("s", 7),
            3..5 => self.numbered("{n}", 4),
            5 => self.numbered("f", 3),
            6..9 => self.numbered("h", 6),
            9..11 => self.numbered("b", 5),
            _ => b"missing".to_vec(),
        }
    }

    /// One to `most` keys by `choose`.
    pub fn keys(&mut self, most: u64, choose: fn(&mut Traffic) -> Vec<u8>) -> Args {
        let count = 1 + self.prng.below(most);
        (0..count).map(|_| choose(self)).collect()
    }

    /// A value: empty, short, number-like, binary, or some KiB.
    pub fn value(&mut self) -> Vec<u8> {
        match self.prng.below(20) {
            0 => Vec::new(),
            1..4 => self.int(),
            4 => self.float(),
            5 => {
                let length = self.prng.index(100);
                self.prng.bytes(length)
            }
            6 => {
                let length = 40 + self.prng.index(10);
                vec![b'e'; length]
            }
            7 => {
                let length = self.prng.index(3000);
                vec![b'L'; length]
            }
            _ => self.numbered("value-", 1000),
        }
    }

    /// An integer as text; sometimes at the edge of the range.
    pub fn int(&mut self) -> Vec<u8> {
        let number = match self.prng.below(20) {
            0 => self.prng.pick(&[i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1, 0]),
            1..4 => self.prng.range(-1_000_000_000_000, 1_000_000_000_000),
            _ => self.prng.range(-200, 12_000),
        };
        number.to_string().into_bytes()
    }

    /// A small integer in a range, as text.
    pub fn small(&mut self, low: i64, high: i64) -> Vec<u8> {
        self.prng.range(low, high).to_string().into_bytes()
    }

    /// A float as text.
    pub fn float(&mut self) -> Vec<u8> {
        let text = match self.prng.below(10) {
            0 => format!("{}e{}", self.prng.range(-99, 99), self.prng.range(-12, 12)),
            1 => {
                self.prng.pick(&["0.1", "-0.0", "3.0e2", "1e17", "123456789.123456789", "5.0e-7"]).to_owned()
            }
            2 => self.prng.range(-1000, 1000).to_string(),
            _ => format!("{}.{}", self.prng.range(-100, 100), self.prng.below(10_000)),
        };
        text.into_bytes()
    }

    /// A field of a hash.
    pub fn field(&mut self) -> Vec<u8> {
        match self.prng.below(20) {
            0 => self.value(),
            1 => Vec::new(),
            _ => self.numbered("f", 12),
        }
    }

    /// A relative time far ahead (10 days and more), in seconds; rarely one in the past.
    pub fn far_seconds(&mut self) -> i64 {
        if self.prng.chance(4) { self.prng.range(-100, 0) } else { self.prng.range(1_000_000, 4_000_000_000) }
    }

    /// An absolute time far ahead, in seconds; rarely one in the past.
    pub fn far_unix_seconds(&mut self) -> i64 {
        if self.prng.chance(4) {
            self.prng.range(1, 1_000_000_000)
        } else {
            self.prng.range(4_000_000_000, 9_000_000_000)
        }
    }
}

/// Words of a line as a command.
pub fn words(line: &str) -> Args {
    line.split_whitespace().map(|word| word.into()).collect()
}
