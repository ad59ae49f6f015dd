//! While data is loaded: what connections are told, what INFO shows, and the records that wait for this core's shard.
//!
//! `server::load` drives: it tells all cores that loading begins and ends ([`Core::announce_loading`]) and delivers [`Delivery`]s; a turn takes what the shard can
//! have ([`Core::take_deliveries`]). `session::admit` asks [`Loading::refuses`], upkeep [`Loading::is_on`]: nothing expires and nothing is evicted meanwhile.
//! Invariant: a delivery is counted in its [`Ledger`] as under way until its last record is in the shard (or loading has failed). Bounds: the driver keeps so many
//! deliveries under way per core as it thinks fit and waits for the others. Why not straight into the shard: it may be lent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use super::core::{Core, Message};
use super::multi::Multi;
use super::reload::Order;
use crate::base::ticks;
use crate::command::row::{Row, flag};
use crate::limits::MAX_CORES;
use crate::persist::aof::Last;
use crate::persist::manifest::Manifest;
use crate::shard::intake::{Batch, Fault, Intake, Tally};

/// What redis says instead of a reply.
pub const LOADING: &str = "LOADING Redis is loading the dataset in memory";

/// What one slice of a turn spends on deliveries, in microseconds.
const SLICE_US: u64 = 200;

/// How far loading is, for INFO on any core: written by the driver, now and then.
#[derive(Default)]
pub struct Progress {
    is_on: AtomicBool,
    /// Wall clock, s.
    pub started_s: AtomicI64,
    /// Bytes of the files.
    pub total_bytes: AtomicU64,
    /// Bytes read.
    pub loaded_bytes: AtomicU64,
    /// `used-mem` of the file.
    pub used_memory: AtomicU64,
    /// Keys of the last snapshot that were left out because their time was over.
    pub keys_expired: AtomicU64,
    /// Keys it brought.
    pub keys_loaded: AtomicU64,
}

impl Progress {
    /// Loading begins: files of `total_bytes` in all.
    pub fn begin(&self, started_s: i64, total_bytes: u64) {
        self.started_s.store(started_s, Ordering::Relaxed);
        self.total_bytes.store(total_bytes, Ordering::Relaxed);
        self.loaded_bytes.store(0, Ordering::Relaxed);
        self.used_memory.store(0, Ordering::Relaxed);
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// So many more bytes were read.
    pub fn add(&self, bytes: u64) {
        self.loaded_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// It is over.
    pub fn end(&self) {
        self.is_on.store(false, Ordering::Relaxed);
    }

    /// Whether data is being loaded.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }
}

/// What driver and cores know together of one load.
pub struct Ledger {
    under_way: [AtomicUsize; MAX_CORES],
    loaded: AtomicU64,
    expired: AtomicU64,
    empty: AtomicU64,
    /// The keys of empty collections, as they were found.
    skipped: Mutex<Vec<Vec<u8>>>,
    fault: Mutex<Option<Fault>>,
    has_failed: AtomicBool,
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger {
            under_way: [const { AtomicUsize::new(0) }; MAX_CORES],
            loaded: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            empty: AtomicU64::new(0),
            skipped: Mutex::default(),
            fault: Mutex::default(),
            has_failed: AtomicBool::new(false),
        }
    }
}

impl Ledger {
    /// What has come of the records so far.
    pub fn tally(&self) -> Tally {
        Tally {
            loaded: self.loaded.load(Ordering::Relaxed),
            expired: self.expired.load(Ordering::Relaxed),
            empty: self.empty.load(Ordering::Relaxed),
        }
    }

    /// Deliveries under way to `core`.
    pub fn under_way(&self, core: usize) -> usize {
        self.under_way[core].load(Ordering::Acquire)
    }

    /// The first record that could not be taken.
    pub fn fault(&self) -> Option<Fault> {
        if !self.has_failed.load(Ordering::Acquire) {
            return None;
        }
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the keys of empty collections found since the last call.
    pub fn take_skipped(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.skipped.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, tally: Tally, mut skipped: Vec<Vec<u8>>) {
        self.loaded.fetch_add(tally.loaded, Ordering::Relaxed);
        if tally.expired > 0 {
            self.expired.fetch_add(tally.expired, Ordering::Relaxed);
        }
        if tally.empty > 0 {
            self.empty.fetch_add(tally.empty, Ordering::Relaxed);
            self.skipped.lock().unwrap_or_else(PoisonError::into_inner).append(&mut skipped);
        }
    }

    fn fail(&self, fault: Fault) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
        self.has_failed.store(true, Ordering::Release);
    }
}

/// Records for one core.
pub struct Delivery {
    /// The records.
    pub batch: Batch,
    /// How they are taken.
    pub intake: Arc<Intake>,
    /// Where they are counted.
    pub ledger: Arc<Ledger>,
    /// The core of the driver.
    pub driver: usize,
}

/// What loading an append-only file has found, for whoever goes on writing it.
#[derive(Clone, Debug)]
pub struct LoadedLog {
    /// As loaded.
    pub manifest: Manifest,
    /// Paths of interrupted work, to be deleted.
    pub rubbish: Vec<String>,
    /// How the last file was found.
    pub last: Last,
    /// Whole bytes of the base.
    pub base_bytes: u64,
    /// Likewise of all incremental files.
    pub incr_bytes: u64,
}

/// What a core knows of loading.
#[derive(Default)]
pub struct Loading {
    /// Data is being loaded: most commands are refused, nothing expires.
    pub is_on: bool,
    deliveries: VecDeque<Delivery>,
    /// The append-only file that was loaded, until it is taken (on the driver's core).
    pub log: Option<Box<LoadedLog>>,
    /// What is to be loaded, until the driver takes it.
    orders: VecDeque<Order>,
    /// The driver, if it runs on this core and waits.
    waker: Option<Waker>,
}

impl Loading {
    /// Whether a command is refused meanwhile; EXEC is if anything queued would be.
    #[inline]
    pub fn refuses(&self, row: &Row, multi: Option<&Multi>) -> bool {
        self.is_on
            && (!row.flags.has(flag::LOADING)
                || (row.name == "exec" && multi.is_some_and(|multi| multi.is_refused_loading)))
    }

    /// Gives the driver something to load.
    pub fn order(&mut self, order: Order) {
        self.orders.push_back(order);
        self.wake();
    }

    /// What is to be loaded next.
    pub fn take_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// Whether something is to be loaded.
    pub fn has_order(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Whether records wait for the shard.
    #[inline]
    pub fn has_deliveries(&self) -> bool {
        !self.deliveries.is_empty()
    }

    /// Keeps the driver's waker until something has happened.
    pub fn wait(&mut self, waker: &Waker) {
        self.waker = Some(waker.clone());
    }

    /// Something the driver may wait for has happened.
    pub fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Core {
    /// Tells every core that loading begins or ends.
    pub fn announce_loading(&mut self, is_on: bool) {
        self.loading.is_on = is_on;
        let own = self.id();
        for other in (0..self.cores()).filter(|&other| other != own) {
            self.mesh.send(other, Message::Call(Box::new(move |core| core.loading.is_on = is_on)));
        }
    }

    /// Hands records to the core that owns their keys.
    pub fn deliver_records(&mut self, to: usize, delivery: Delivery) {
        delivery.ledger.under_way[to].fetch_add(1, Ordering::AcqRel);
        if to == self.id() {
            self.loading.deliveries.push_back(delivery);
        } else {
            let take = move |core: &mut Core| core.loading.deliveries.push_back(delivery);
            self.mesh.send(to, Message::Call(Box::new(take)));
        }
    }

    /// Takes records into the shard, if it is at home, for one slice.
    pub fn take_deliveries(&mut self) {
        let budget = SLICE_US * ticks::per_us();
        let began = ticks::now();
        while self.loading.has_deliveries() {
            let spent = ticks::now().wrapping_sub(began);
            if spent >= budget || !self.take_delivery(budget - spent) {
                return;
            }
        }
    }

    /// Goes on with the first delivery; false if it has to wait.
    fn take_delivery(&mut self, budget: u64) -> bool {
        let Some(shard) = self.shard.as_deref_mut() else { return false };
        let Some(delivery) = self.loading.deliveries.front_mut() else { return false };
        let Delivery { batch, intake, ledger, .. } = delivery;
        let (mut tally, mut skipped) = (Tally::default(), Vec::new());
        let taken = match ledger.has_failed.load(Ordering::Relaxed) {
            // What is left of a load that has failed is thrown away.
            true => Ok(true),
            false => intake.step(shard, batch, budget, &mut tally, &mut skipped),
        };
        ledger.add(tally, skipped);
        match taken {
            Ok(false) => return true,
            Ok(true) => {}
            Err(fault) => ledger.fail(fault),
        }
        let Some(Delivery { ledger, driver, .. }) = self.loading.deliveries.pop_front() else { return false };
        ledger.under_way[self.id()].fetch_sub(1, Ordering::AcqRel);
        if driver == self.id() {
            self.loading.wake();
        } else {
            self.mesh.send(driver, Message::Call(Box::new(|core| core.loading.wake())));
        }
        true
    }
}
