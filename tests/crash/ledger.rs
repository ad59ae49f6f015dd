//! What writers were told, and what a restarted server must therefore have.
//!
//! Called by `rounds`. A writer numbers its writes; of each it remembers when it was sent and when it was acknowledged. Each family of keys keeps an
//! invariant of its own, so that a lost, a doubled, a reordered and a half-applied write each show. Bounds: a few hundred thousand numbers.

use std::time::Instant;

use crate::support::client::{Client, encode};
use crate::support::prng::Prng;
use crate::support::reply::Value;

/// Accounts of all writers together; their sum never changes.
pub const ACCOUNTS: u64 = 64;
/// In each account at the beginning.
pub const OPENING: i64 = 1000;
/// Keys over which a striding writer spreads its numbers.
const STRIDE: u64 = 8;

/// How a writer writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// RPUSH of the number to a list: the list is 1, 2, 3 …
    Append,
    /// INCR: the value is the number of writes.
    Count,
    /// SET of the number to one of eight keys in turn, keys on different cores: a prefix of the writes.
    Stride,
    /// MULTI over keys of different cores: a counter, a string, a list and a hash that always agree.
    Transaction,
    /// A script over two keys.
    Script,
    /// MSET of two keys.
    Pair,
}

/// One writer's story.
pub struct Ledger {
    /// Its way of writing.
    pub way: Way,
    /// Names its keys.
    pub name: String,
    /// Numbers sent so far.
    pub sent: u64,
    /// Numbers acknowledged so far: 1 to this.
    pub acknowledged: u64,
    /// When each number of the last run was acknowledged.
    pub times: Vec<(u64, Instant)>,
}

const SCRIPT: &str = "redis.call('SET',KEYS[1],ARGV[1]);redis.call('RPUSH',KEYS[2],ARGV[1]);return(1)";

impl Ledger {
    /// A writer that has written nothing.
    pub fn new(way: Way, number: usize) -> Ledger {
        Ledger { way, name: format!("{way:?}:{number}"), sent: 0, acknowledged: 0, times: Vec::new() }
    }

    /// The commands of a number, and how many replies they get.
    fn render(&self, number: u64) -> (Vec<u8>, usize) {
        let name = &self.name;
        let lines = match self.way {
            Way::Append => vec![format!("RPUSH {name} {number}")],
            Way::Count => vec![format!("INCR {name}")],
            Way::Stride => vec![format!("SET {name}:{} {number}", number % STRIDE)],
            Way::Transaction => vec![
                "MULTI".to_owned(),
                format!("INCR {name}:count"),
                format!("SET {name}:string {number}"),
                format!("RPUSH {name}:list {number}"),
                format!("HSET {name}:hash last {number}"),
                "EXEC".to_owned(),
            ],
            Way::Script => vec![format!("EVAL {SCRIPT} 2 {name}:one {name}:two {number}")],
            Way::Pair => vec![format!("MSET {name}:one {number} {name}:two {number}")],
        };
        let wire = lines.iter().flat_map(|line| encode(&line.split(' ').collect::<Vec<_>>())).collect();
        (wire, lines.len())
    }

    /// Writes until the connection breaks or the server refuses; up to `depth` numbers are on their way at once.
    pub fn write_on(&mut self, client: &mut Client, prng: &mut Prng, depth: u64) {
        self.times.clear();
        loop {
            let batch = 1 + prng.below(depth);
            let (mut wire, mut replies) = (Vec::new(), Vec::new());
            for number in self.sent + 1..=self.sent + batch {
                let (bytes, count) = self.render(number);
                wire.extend(bytes);
                replies.push((number, count));
            }
            self.sent += batch;
            if client.send_raw(&wire).is_err() {
                return;
            }
            for (number, count) in replies {
                for _ in 0..count {
                    match client.read() {
                        Ok(reply) if reply.value.is_error() => {
                            panic!("{}: {}", self.name, reply.value.text())
                        }
                        Ok(_) => {}
                        Err(_) => return,
                    }
                }
                self.acknowledged = number;
                self.times.push((number, Instant::now()));
            }
        }
    }

    /// Checks the writer's keys; the last number that is there. What was written later than that is taken as never sent.
    pub fn settle(&mut self, client: &mut Client) -> Result<u64, String> {
        let name = self.name.clone();
        let mut int = |line: String| client.run(&line).int().unwrap_or(0) as u64;
        let present = match self.way {
            Way::Append => {
                let present = int(format!("LLEN {name}"));
                check_list(client, &name, present)?;
                present
            }
            Way::Count => int(format!("GET {name}")),
            Way::Stride => {
                let values: Vec<u64> = (0..STRIDE).map(|at| int(format!("GET {name}:{at}"))).collect();
                let last = values.iter().copied().max().unwrap_or(0);
                for (at, value) in values.iter().enumerate() {
                    let back = (last + STRIDE - at as u64) % STRIDE;
                    let wanted = last.saturating_sub(back);
                    let wanted = if wanted % STRIDE == at as u64 { wanted } else { 0 };
                    if *value != wanted {
                        return Err(format!("{name}:{at} is {value}, not {wanted}: {values:?} is no prefix"));
                    }
                }
                last
            }
            Way::Transaction => {
                let count = int(format!("GET {name}:count"));
                let others = [
                    int(format!("GET {name}:string")),
                    int(format!("LLEN {name}:list")),
                    int(format!("HGET {name}:hash last")),
                ];
                if others.iter().any(|other| *other != count) {
                    return Err(format!("{name}: a transaction was applied in part: {count} and {others:?}"));
                }
                count
            }
            Way::Script => {
                let (one, length) = (int(format!("GET {name}:one")), int(format!("LLEN {name}:two")));
                if one != length {
                    return Err(format!("{name}: a script was applied in part: {one} and {length}"));
                }
                one
            }
            Way::Pair => {
                let (one, two) = (int(format!("GET {name}:one")), int(format!("GET {name}:two")));
                if one != two {
                    return Err(format!("{name}: an MSET was applied in part: {one} and {two}"));
                }
                one
            }
        };
        if present > self.sent {
            return Err(format!("{name}: {present} writes are there, {} were sent", self.sent));
        }
        Ok(present)
    }
}

/// The list is 1, 2, 3 … up to its length.
fn check_list(client: &mut Client, name: &str, length: u64) -> Result<(), String> {
    let range = client.run(&format!("LRANGE {name} 0 -1"));
    let values: Vec<i64> = range.items().unwrap_or_default().iter().filter_map(Value::int).collect();
    let right = values.iter().enumerate().all(|(at, value)| *value == at as i64 + 1);
    if right && values.len() as u64 == length {
        Ok(())
    } else {
        Err(format!("{name} has gaps or repeats: {values:?}"))
    }
}

/// Moves money until the connection breaks.
pub fn transfer_on(client: &mut Client, prng: &mut Prng) {
    loop {
        let (from, to, amount) = (prng.below(ACCOUNTS), prng.below(ACCOUNTS), prng.below(50));
        let lines = [
            "MULTI".to_owned(),
            format!("DECRBY account:{from} {amount}"),
            format!("INCRBY account:{to} {amount}"),
            "EXEC".to_owned(),
        ];
        let wire: Vec<u8> =
            lines.iter().flat_map(|line| encode(&line.split(' ').collect::<Vec<_>>())).collect();
        if client.send_raw(&wire).is_err() || lines.iter().any(|_| client.read().is_err()) {
            return;
        }
    }
}

/// Opens the accounts.
pub fn open_accounts(client: &mut Client) {
    for number in 0..ACCOUNTS {
        client.run(&format!("SET account:{number} {OPENING}"));
    }
}

/// The sum of the accounts is what it was.
pub fn audit(client: &mut Client) -> Result<(), String> {
    let sum: i64 =
        (0..ACCOUNTS).map(|number| client.run(&format!("GET account:{number}")).int().unwrap_or(0)).sum();
    let wanted = ACCOUNTS as i64 * OPENING;
    if sum == wanted {
        Ok(())
    } else {
        Err(format!("the accounts hold {sum}, not {wanted}: a transfer was applied in part"))
    }
}
