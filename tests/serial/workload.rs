//! Concurrent clients that run seeded random transactions and write down what they saw.
//!
//! Called by main; calls a server through the raw client. Ways to make a transaction: MULTI/EXEC; WATCH, reads, MULTI of appends;
//! WATCH, MGET, MULTI of one MSET (read-modify-write over keys); single APPEND, GET and MGET; pipelines of those, each command
//! a transaction of its own. A WATCH that fails is no transaction at all (its reads were transactions of their own). The keys are few, so
//! that transactions meet, and spread over all cores by their slots.

use std::io::Result;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::history::{History, Op, TOKEN_BYTES, Token, Transaction, parse_tokens, token_text};
use crate::support::client::{Client, encode};
use crate::support::prng::Prng;
use crate::support::reply::Value;
use crate::support::server::Server;

/// The size of a run.
#[derive(Clone, Copy)]
pub struct Volume {
    /// Concurrent connections.
    pub clients: u64,
    /// Keys in play.
    pub keys: usize,
    /// Transactions per connection.
    pub transactions: u64,
    /// Sends the commands of a MULTI one by one without MULTI: a known violation, to prove that the test sees it.
    pub without_multi: bool,
}

struct Worker<'a> {
    client: Client,
    prng: Prng,
    clock: Instant,
    tokens: &'a AtomicU64,
    volume: Volume,
    run: u64,
    history: History,
}

/// One concurrent run; every transaction's `follows` is an index into the result.
pub fn record(server: &Server, seed: u64, volume: Volume) -> History {
    let clock = Instant::now();
    let tokens = AtomicU64::new(1);
    let barrier = Barrier::new(volume.clients as usize);
    let (tokens, barrier) = (&tokens, &barrier);
    let histories: Vec<History> = std::thread::scope(|scope| {
        let work = |number: u64| {
            move || {
                let prng = Prng::new(seed.wrapping_mul(7919) + number);
                let mut worker = Worker {
                    client: server.connect(),
                    prng,
                    clock,
                    tokens,
                    volume,
                    run: seed,
                    history: Vec::new(),
                };
                barrier.wait();
                for _ in 0..volume.transactions {
                    worker.transact().unwrap_or_else(|error| panic!("seed {seed} client {number}: {error}"));
                }
                worker.history
            }
        };
        let handles: Vec<_> = (0..volume.clients).map(|number| scope.spawn(work(number))).collect();
        handles.into_iter().map(|handle| handle.join().expect("a client failed")).collect()
    });
    let mut whole = History::new();
    for history in histories {
        let base = whole.len();
        whole.extend(history.into_iter().map(|mut one| {
            one.follows = one.follows.map(|index| index + base);
            one
        }));
    }
    whole
}

impl Worker<'_> {
    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    fn name(&self, key: usize) -> String {
        format!("r{}:k{key}", self.run)
    }

    fn random_keys(&mut self, most: usize) -> Vec<usize> {
        let mut keys = Vec::new();
        for _ in 0..1 + self.prng.index(most) {
            let key = self.prng.index(self.volume.keys);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn token(&self) -> Token {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }

    fn transact(&mut self) -> Result<()> {
        match self.prng.below(10) {
            0..4 => self.multi(),
            4..6 => self.watched(),
            6 => self.watched_mset(),
            7 => self.mget(),
            _ => self.pipeline(),
        }
    }

    /// Random reads and appends, with the wire form of each.
    fn random_ops(&mut self, most: u64) -> Vec<(usize, Option<Token>, Vec<u8>)> {
        (0..1 + self.prng.below(most))
            .map(|_| {
                let key = self.prng.index(self.volume.keys);
                let name = self.name(key);
                if self.prng.chance(50) {
                    let token = self.token();
                    (key, Some(token), encode(&["APPEND", &name, &token_text(token)]))
                } else {
                    (key, None, encode(&["GET", &name]))
                }
            })
            .collect()
    }

    fn commit(&mut self, label: &'static str, start_ns: u64, ops: Vec<Op>, follows: Option<usize>) {
        let end_ns = self.now();
        self.history.push(Transaction { ops, start_ns, end_ns, follows, label });
    }

    fn multi(&mut self) -> Result<()> {
        let planned = self.random_ops(6);
        let start = self.now();
        if self.volume.without_multi {
            let mut ops = Vec::new();
            for (key, token, wire) in planned {
                self.client.send_raw(&wire)?;
                ops.push(op(key, token, &self.client.read()?.value));
            }
            self.commit("no MULTI at all", start, ops, None);
            return Ok(());
        }
        let mut wire = encode(&["MULTI"]);
        for (_, _, bytes) in &planned {
            wire.extend(bytes);
        }
        wire.extend(encode(&["EXEC"]));
        self.client.send_raw(&wire)?;
        for _ in 0..=planned.len() {
            self.client.read()?;
        }
        let reply = self.client.read()?.value;
        let items = reply.items().unwrap_or_else(|| panic!("EXEC: {reply:?}"));
        assert_eq!(items.len(), planned.len(), "EXEC: {reply:?}");
        let ops = planned.iter().zip(items).map(|((key, token, _), value)| op(*key, *token, value)).collect();
        self.commit("MULTI", start, ops, None);
        Ok(())
    }

    /// WATCH, read, and append only if nothing read has changed.
    fn watched(&mut self) -> Result<()> {
        let keys = self.random_keys(3);
        let start = self.now();
        let mut ops = self.watch_and_read(&keys)?;
        let target = keys[self.prng.index(keys.len())];
        let other = self.prng.index(self.volume.keys);
        let appends = [(target, self.token()), (other, self.token())];
        let mut wire = encode(&["MULTI"]);
        for (key, token) in appends {
            wire.extend(encode(&["APPEND", &self.name(key), &token_text(token)]));
        }
        wire.extend(encode(&["EXEC"]));
        self.client.send_raw(&wire)?;
        for _ in 0..3 {
            self.client.read()?;
        }
        match self.client.read()?.value {
            Value::NullArray => {
                self.commit("reads of a failed WATCH", start, ops.split_off(ops.len() - 1), None)
            }
            Value::Array(items) => {
                ops.extend(
                    appends.iter().zip(&items).map(|((key, token), value)| op(*key, Some(*token), value)),
                );
                self.commit("WATCH/APPEND", start, ops, None);
            }
            other => panic!("EXEC: {other:?}"),
        }
        Ok(())
    }

    /// WATCH and MGET some keys, then write all of them with one MSET.
    fn watched_mset(&mut self) -> Result<()> {
        let keys = self.random_keys(3);
        let start = self.now();
        let mut ops = self.watch_and_read(&keys)?;
        let mut mset = vec!["MSET".to_owned()];
        let mut appends = Vec::new();
        for op in &ops {
            let Op::Read { key, tokens } = op else { continue };
            let token = self.token();
            let value: String = tokens.iter().map(|token| token_text(*token)).collect();
            mset.extend([self.name(*key), value + &token_text(token)]);
            appends.push(Op::Append { key: *key, token, position: tokens.len() });
        }
        self.client.send_raw(&[encode(&["MULTI"]), encode(&mset), encode(&["EXEC"])].concat())?;
        for _ in 0..2 {
            self.client.read()?;
        }
        match self.client.read()?.value {
            Value::NullArray => {
                self.commit("reads of a failed WATCH", start, ops.split_off(ops.len() - 1), None)
            }
            Value::Array(_) => {
                ops.extend(appends);
                self.commit("WATCH/MSET", start, ops, None);
            }
            other => panic!("EXEC: {other:?}"),
        }
        Ok(())
    }

    fn watch_and_read(&mut self, keys: &[usize]) -> Result<Vec<Op>> {
        let mut watch = vec!["WATCH".to_owned()];
        watch.extend(keys.iter().map(|key| self.name(*key)));
        self.client.command(&watch)?;
        if self.prng.chance(50) {
            watch[0] = "MGET".to_owned();
            let reply = self.client.command(&watch)?.value;
            let items = reply.items().unwrap_or_else(|| panic!("MGET: {reply:?}"));
            return Ok(keys.iter().zip(items).map(|(key, value)| op(*key, None, value)).collect());
        }
        let mut ops = Vec::new();
        for key in keys {
            ops.push(op(*key, None, &self.client.command(&["GET", &self.name(*key)])?.value));
        }
        Ok(ops)
    }

    fn mget(&mut self) -> Result<()> {
        let keys = self.random_keys(5);
        let mut args = vec!["MGET".to_owned()];
        args.extend(keys.iter().map(|key| self.name(*key)));
        let start = self.now();
        let reply = self.client.command(&args)?.value;
        let items = reply.items().unwrap_or_else(|| panic!("MGET: {reply:?}"));
        let ops = keys.iter().zip(items).map(|(key, value)| op(*key, None, value)).collect();
        self.commit("MGET", start, ops, None);
        Ok(())
    }

    /// Several commands in one write: each is a transaction, in program order.
    fn pipeline(&mut self) -> Result<()> {
        let planned = self.random_ops(8);
        let wire: Vec<u8> = planned.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect();
        let start = self.now();
        self.client.send_raw(&wire)?;
        let mut follows = None;
        for (key, token, _) in planned {
            let value = self.client.read()?.value;
            self.commit("pipelined", start, vec![op(key, token, &value)], follows);
            follows = Some(self.history.len() - 1);
        }
        Ok(())
    }
}

/// An operation from its reply; anything but a length, a null or whole tokens is a failure by itself.
fn op(key: usize, token: Option<Token>, value: &Value) -> Op {
    match (token, value) {
        (Some(token), Value::Int(length)) => {
            let length = *length as usize;
            assert!(length > 0 && length.is_multiple_of(TOKEN_BYTES), "APPEND replied {length}");
            Op::Append { key, token, position: length / TOKEN_BYTES - 1 }
        }
        (None, Value::Null) => Op::Read { key, tokens: Vec::new() },
        (None, Value::Bulk(bytes)) => {
            let tokens = parse_tokens(bytes).unwrap_or_else(|| panic!("torn value of key {key}: {value:?}"));
            Op::Read { key, tokens }
        }
        _ => panic!("unexpected reply {value:?}"),
    }
}
