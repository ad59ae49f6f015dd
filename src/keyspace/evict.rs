//! Eviction: which key goes when memory is short. Redis' approximations: random samples, a pool of the best sixteen candidates.
//!
//! Called by the shard when the sum of the cores is over maxmemory, on the core that holds most; calls `dict`. Samples are random picks of a
//! random segment: hash order mixes ages well and a segment costs one cache miss instead of one per key.
//! Bounds: `samples` per database and call, and for sparse volatile keys one walk over slot records.
use super::entry::Entry;
use super::{DepartedWhy, Freshness, Key, Keyspace};

/// Candidates kept between calls.
const POOL: usize = 16;

/// maxmemory-policy, without noeviction.
pub use crate::config::EvictionPolicy as Policy;

impl Policy {
    fn volatile_only(self) -> bool {
        matches!(self, Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl)
    }

    /// How much a key deserves to go; larger goes first.
    fn score(self, entry: Entry<'_>, freshness: &Freshness, now_ms: u64) -> u64 {
        match self {
            Self::AllKeysLru | Self::VolatileLru => freshness.idle_ms(entry.lru(), now_ms),
            Self::AllKeysLfu | Self::VolatileLfu => 255 - u64::from(freshness.frequency(entry.lru(), now_ms)),
            Self::VolatileTtl => u64::MAX - entry.expire_at().unwrap_or(u64::MAX),
            Self::AllKeysRandom | Self::VolatileRandom => 0,
        }
    }
}

struct Candidate {
    score: u64,
    db: usize,
    key: Box<[u8]>,
}

/// The best candidates seen, ascending by score.
#[derive(Default)]
pub struct Pool {
    candidates: Vec<Candidate>,
    next_db: usize,
}

impl Pool {
    fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let full = self.candidates.len() >= POOL;
        if full && self.candidates.first().is_some_and(|worst| worst.score >= score) {
            return;
        }
        if self.candidates.iter().any(|known| known.db == db && *known.key == *key) {
            return;
        }
        if full {
            self.candidates.remove(0);
        }
        let at = self.candidates.partition_point(|known| known.score < score);
        self.candidates.insert(at, Candidate { score, db, key: key.into() });
    }
}

impl Keyspace {
    /// Evicts one key; returns the bytes it held, None if the policy finds nothing.
    pub fn evict_one(&mut self, policy: Policy, samples: usize, now_ms: u64) -> Option<usize> {
        let (db, name) = match policy {
            Policy::AllKeysRandom | Policy::VolatileRandom => self.pick_random(policy)?,
            _ => self.pick_best(policy, samples, now_ms)?,
        };
        let found = self.dicts[db].find_mut(&Key::new(&name))?;
        let entry = found.remove();
        let bytes = entry.heap_bytes();
        self.common.depart(db, entry, DepartedWhy::Evicted);
        Some(bytes)
    }

    fn pick_random(&mut self, policy: Policy) -> Option<(usize, Box<[u8]>)> {
        let databases = self.dicts.len();
        for _ in 0..databases {
            self.pool.next_db = (self.pool.next_db + 1) % databases;
            let db = self.pool.next_db;
            if let Some(name) = self.sample_one(db, policy.volatile_only()) {
                return Some((db, name));
            }
        }
        None
    }

    fn sample_one(&mut self, db: usize, volatile_only: bool) -> Option<Box<[u8]>> {
        let dict = &self.dicts[db];
        if volatile_only && dict.totals.expires == 0 {
            return None;
        }
        let mut name: Option<Box<[u8]>> = None;
        for _ in 0..8 {
            dict.sample(&mut self.common.prng, 1, volatile_only, |entry| name = Some(entry.key().into()));
            if name.is_some() {
                return name;
            }
        }
        // Stale hints only (keys were persisted): one exact walk.
        dict.iter()
            .find(|entry| !volatile_only || entry.expire_at().is_some())
            .map(|entry| entry.key().into())
    }

    fn pick_best(&mut self, policy: Policy, samples: usize, now_ms: u64) -> Option<(usize, Box<[u8]>)> {
        for _ in 0..2 {
            self.fill_pool(policy, samples, now_ms);
            while let Some(best) = self.pool.candidates.pop() {
                let alive = self.dicts[best.db].find(&Key::new(&best.key));
                if alive.is_some_and(|entry| !policy.volatile_only() || entry.expire_at().is_some()) {
                    return Some((best.db, best.key));
                }
            }
        }
        // Samples met nothing (few volatile keys behind stale hints): take any.
        self.pick_random(policy)
    }

    fn fill_pool(&mut self, policy: Policy, samples: usize, now_ms: u64) {
        let Self { dicts, common, pool, .. } = self;
        for (db, dict) in dicts.iter().enumerate() {
            let freshness = common.freshness;
            dict.sample(&mut common.prng, samples, policy.volatile_only(), |entry| {
                pool.offer(policy.score(entry, &freshness, now_ms), db, entry.key());
            });
        }
    }
}
