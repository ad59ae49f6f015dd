//! Snapshots of the whole data set: one at a time, directed by core 0, walked by every core, written by its file task.
//!
//! ```text
//! SAVE, BGSAVE, a save point ──> core 0: begin_snapshot ──errand──> all shards: cuts opened, one offset ──> core 0: header to the file task
//! every core: upkeep ──snapshot::step──> chunks ──mesh──> core 0 ──> file task (`server::save`): write, …, fsync, rename, fsync of the directory ──> core 0: finished
//! ```
//! Chunks in flight of a core are bounded: it walks on when they are written. Pre-images that pile up meanwhile are written first, by the core's turns too if they
//! exceed their budget, so memory beyond the data set is bounded while writes go on. A failed snapshot is walked to its end without writing.
//!
//! Invariant: a snapshot ends, with its callers told, only when every core has walked its part. Bounds: [`IN_FLIGHT`], [`SAVED_BUDGET`] per core. Why one at a time: redis' rule,
//! and one bit per entry; who comes meanwhile is told, scheduled, or shares.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use glommio::channels::local_channel::LocalSender;

use super::core::{Core, Message};
use crate::command::script::room;
use crate::keyspace::Totals;
use crate::shard::Shard;
use crate::shard::snapshot::{self, Chunk, Form, Manner, Pace, Walk};

/// Bytes of chunks a core may have on their way to the file before it stops walking.
const IN_FLIGHT: usize = 4 << 20;
/// With more than this on their way, the core waits a little after each turn.
const IN_FLIGHT_MOST: usize = 8 << 20;
/// Bytes of pre-images a core keeps before its turns help writing them.
const SAVED_BUDGET: usize = 4 << 20;
/// What a step of the walk takes, in microseconds.
const STEP_US: u64 = 150;
/// A core that has not been idle for so long, in microseconds, walks with its upkeep.
const BUSY_AFTER_US: u64 = 5_000;
/// What a turn takes for pre-images beyond the budget, in microseconds: so much for each time they fill it.
const HELP_US: u64 = 100;
/// At most so many times that.
const HELP_MOST: u64 = 5;

/// What is told to who asked for a snapshot: on core 0.
pub type Done = Box<dyn FnOnce(&mut Core, Result<(), String>) + Send>;

/// What is done at the cut, with every shard in hand.
pub type AtCut = Box<dyn FnOnce(&mut Core, &mut [Option<Box<Shard>>], &Cut) + Send>;

/// What a snapshot is for.
pub struct Wish {
    /// The file's name while it grows.
    pub temporary: PathBuf,
    /// Its name when it is complete; without one it is left where it is, for who asked.
    pub path: Option<PathBuf>,
    /// It is the base of an append-only file.
    pub is_base: bool,
    /// Clients wait for it and for nothing else (SAVE), for the log.
    pub is_foreground: bool,
    /// Hears of the cut, with nothing executed since, on whatever core it is taken: to be short.
    pub at_cut: Option<AtCut>,
    /// Who asked.
    pub done: Done,
}

/// What was true at the cut.
pub struct Cut {
    /// The stream's offset.
    pub offset: u64,
    /// Counts of each database, over all cores.
    pub totals: Vec<Totals>,
    /// Changes since the start, over all cores.
    pub dirty: u64,
    /// Code of the function libraries.
    pub functions: Vec<Vec<u8>>,
    /// Bytes of all keys.
    pub used_bytes: usize,
    /// FLUSHALLs before it.
    pub flushes: u64,
}

/// What the file task is told.
pub enum FileEvent {
    /// A snapshot begins.
    Begin {
        /// Of which snapshot.
        number: u64,
        /// Its name while it grows.
        temporary: PathBuf,
        /// And when it is complete.
        path: Option<PathBuf>,
        /// What stands before the entries.
        header: Vec<u8>,
        /// How it is written.
        manner: Manner,
        /// How many cores send chunks.
        cores: usize,
    },
    /// A chunk of a core.
    Chunk(usize, Chunk),
    /// It is not wanted any more.
    GiveUp,
}

/// The snapshot under way.
pub struct Job {
    number: u64,
    /// Internal ms of its start.
    pub started_ms: u64,
    /// It is the base of an append-only file.
    pub is_base: bool,
    /// Clients wait for it and for nothing else.
    pub is_foreground: bool,
    names: Option<(PathBuf, Option<PathBuf>)>,
    done: Option<Done>,
    dirty: u64,
    /// FLUSHALLs before the cut; it is not made yet.
    pub flushes: Option<u64>,
    /// Keys at the cut.
    pub keys: u64,
    /// Keys written.
    pub keys_done: u64,
    failed: Option<String>,
    /// It was not wanted any more: that is no failure of the disk.
    is_given_up: bool,
    /// The file task has it.
    has_file: bool,
    /// Cores that have not walked their part.
    walking: usize,
}

/// The snapshots of the process (core 0), and what this core has on its way.
#[derive(Default)]
pub struct Saving {
    /// Under way.
    pub job: Option<Job>,
    /// Those that wait for it.
    queue: std::collections::VecDeque<Wish>,
    /// To the file task.
    pub files: Option<LocalSender<FileEvent>>,
    /// Bytes of this core's chunks not written yet.
    in_flight: usize,
    /// This core's walk is to be discarded when its shard is at hand, if it is of the snapshot of this number.
    discards: Option<u64>,
    /// Snapshots begun (core 0).
    last: u64,
    /// This core has something to walk.
    is_walking: bool,
    /// It is within a value that the file waits for.
    owes: bool,
    /// When a step was last made while the core was idle, by its monotonic clock.
    walked_idle_us: u64,
    chunks: Vec<Chunk>,
    /// The figures of INFO and LASTSAVE.
    pub past: super::save_points::Past,
}

impl Saving {
    /// Whether a snapshot is under way.
    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Whether BGSAVE, or SAVE, is.
    pub fn is_saving_in_background(&self) -> bool {
        self.job.as_ref().is_some_and(|job| !job.is_base)
    }

    /// Whether a snapshot's bytes are on their way.
    pub fn is_waiting(&self) -> bool {
        self.is_walking || self.job.is_some()
    }
}

/// On core 0.
impl Core {
    /// Begins a snapshot; gives the wish back if one is under way.
    pub fn begin_snapshot(&mut self, wish: Wish) -> Result<(), Wish> {
        debug_assert_eq!(self.id(), 0);
        if self.saving.job.is_some() {
            return Err(wish);
        }
        let Wish { path, temporary, is_base, is_foreground, at_cut, done } = wish;
        self.saving.last += 1;
        let number = self.saving.last;
        self.saving.job = Some(Job {
            number,
            started_ms: self.now_ms,
            is_base,
            is_foreground,
            names: Some((temporary, path)),
            done: Some(done),
            dirty: 0,
            flushes: None,
            keys: 0,
            keys_done: 0,
            failed: None,
            is_given_up: false,
            has_file: true,
            walking: self.cores(),
        });
        self.send_errand(Box::new(move |core, shards| {
            let (manner, cut) = cut(core, shards, number, is_base);
            if let Some(at_cut) = at_cut {
                at_cut(core, shards, &cut);
            }
            core.on_core(0, move |core| core.cut_taken(manner, cut));
            for other in 0..core.cores() {
                core.on_core(other, |core| core.saving.is_walking = true);
            }
        }));
        Ok(())
    }

    /// Runs something on a core, at once if it is this one.
    pub fn on_core(&mut self, core: usize, what: impl FnOnce(&mut Core) + Send + 'static) {
        if core == self.id() {
            what(self);
        } else {
            self.mesh.send(core, Message::Call(Box::new(what)));
        }
    }

    fn cut_taken(&mut self, manner: Manner, cut: Cut) {
        let Some(job) = &self.saving.job else { return };
        let header = match manner.form {
            Form::Rdb => super::save_points::header(self, &cut, job.is_base),
            Form::Commands => super::save_points::functions_as_commands(&cut),
        };
        let cores = self.cores();
        let Some(job) = &mut self.saving.job else { return };
        job.dirty = cut.dirty;
        job.flushes = Some(cut.flushes);
        job.keys = cut.totals.iter().map(|totals| totals.keys).sum();
        let Some((temporary, path)) = job.names.take() else { return };
        if job.failed.is_some() {
            job.has_file = false;
            return;
        }
        let number = job.number;
        self.tell_files(FileEvent::Begin { number, path, temporary, header, manner, cores });
    }

    fn tell_files(&mut self, event: FileEvent) {
        if let Some(files) = &self.saving.files {
            // Fails only when the task has ended, at the end of the process.
            let _ = files.try_send(event);
        }
    }

    /// A core's chunk has come.
    fn take_chunk(&mut self, from: usize, chunk: Chunk) {
        let Some(job) = &mut self.saving.job else { return };
        job.keys_done += chunk.keys;
        if chunk.is_last {
            job.walking -= 1;
        }
        match job.failed {
            Some(_) => {
                self.chunk_written(from, chunk.bytes.len());
                self.end_snapshot();
            }
            None => self.tell_files(FileEvent::Chunk(from, chunk)),
        }
    }

    /// The file task is done with a chunk.
    pub fn chunk_written(&mut self, from: usize, bytes: usize) {
        self.on_core(from, move |core| core.saving.in_flight = core.saving.in_flight.saturating_sub(bytes));
    }

    /// The file task is done with snapshot `number`: the file is complete and durable, or cannot be.
    pub fn file_ended(&mut self, number: u64, outcome: Result<(), String>) {
        let Some(job) = self.saving.job.as_mut().filter(|job| job.number == number) else { return };
        job.has_file = false;
        if let Err(why) = outcome {
            self.fail_snapshot(why);
        }
        self.end_snapshot();
    }

    /// The snapshot under way is not wanted any more.
    pub fn give_up_snapshot(&mut self, why: &str) {
        if self.saving.job.as_ref().is_none_or(|job| job.failed.is_some()) {
            return;
        }
        let has_begun = self.saving.job.as_ref().is_some_and(|job| job.names.is_none());
        self.saving.job.iter_mut().for_each(|job| job.is_given_up = true);
        self.fail_snapshot(why.into());
        if has_begun {
            self.tell_files(FileEvent::GiveUp);
        }
    }

    /// It will fail: the cores walk on, for nothing.
    fn fail_snapshot(&mut self, why: String) {
        let Some(job) = &mut self.saving.job else { return };
        job.failed.get_or_insert(why);
        let number = job.number;
        for other in 0..self.cores() {
            self.on_core(other, move |core| {
                core.saving.discards = Some(number);
                core.saving.in_flight = 0;
            });
        }
    }

    /// Ends the snapshot if every core has walked its part and the file task is done.
    fn end_snapshot(&mut self) {
        let Some(job) = self.saving.job.take_if(|job| job.walking == 0 && !job.has_file) else { return };
        let took_s = (self.now_ms - job.started_ms.min(self.now_ms)) / 1000;
        let result = job.failed.map_or(Ok(()), Err);
        if !job.is_base && !job.is_given_up {
            let wall_s = (self.now_ms as i64 + self.wall_offset_ms) / 1000;
            self.saving.past.note(result.is_ok(), took_s, job.dirty, job.is_foreground);
            self.publish_save_status(result.is_ok().then_some(wall_s));
        }
        if let Some(done) = job.done {
            done(self, result);
        }
        if let Some(wish) = self.saving.queue.pop_front() {
            self.queue_snapshot(wish);
        }
        self.step_stop();
    }

    /// Begins a snapshot, after the one under way.
    pub fn queue_snapshot(&mut self, wish: Wish) {
        if let Err(wish) = self.begin_snapshot(wish) {
            self.saving.queue.push_back(wish);
        }
    }
}

/// Every shard is in hand: the cut.
fn cut(core: &Core, shards: &mut [Option<Box<Shard>>], number: u64, is_base: bool) -> (Manner, Cut) {
    let is_rdb = !is_base || core.settings.aof_use_rdb_preamble;
    let manner = Manner {
        form: if is_rdb { Form::Rdb } else { Form::Commands },
        style: crate::rdb::encode::Style {
            compress: core.settings.rdbcompression,
            wall_offset_ms: core.wall_offset_ms,
        },
        checksum: is_rdb && core.settings.rdbchecksum,
        recency: core.settings.maxmemory_policy.is_some_and(|policy| policy.looks_at_recency()),
        now_ms: core.now_ms,
    };
    let mut cut = Cut {
        offset: crate::effect::stream_offset(),
        totals: Vec::new(),
        dirty: 0,
        functions: room::libraries().0.list.iter().map(|library| library.code.to_vec()).collect(),
        used_bytes: 0,
        flushes: 0,
    };
    for shard in shards.iter_mut().flatten() {
        let totals = shard.space.open_cut();
        cut.totals.resize_with(totals.len().max(cut.totals.len()), Totals::default);
        for (sum, own) in cut.totals.iter_mut().zip(totals) {
            sum.keys += own.keys;
            sum.expires += own.expires;
            sum.timed += own.timed;
        }
        cut.dirty += shard.dirty;
        cut.flushes = shard.space.common.flushes;
        cut.used_bytes += shard.space.bytes();
        shard.walk = Some(Box::new(Walk::new(number, manner)));
    }
    (manner, cut)
}

/// On every core.
impl Core {
    /// A step of this core's part, if there is one; whether there is more to do now.
    pub fn walk_snapshot(&mut self, shard: &mut Shard) -> bool {
        // Where the core is idle now and then, that is the walk's time.
        if !self.may_walk() || self.now_us.saturating_sub(self.saving.walked_idle_us) < BUSY_AFTER_US {
            return false;
        }
        self.step_snapshot(shard, STEP_US, Pace::Easy)
    }

    /// Whether so much of this core's part is on its way that the file task must have the core: clients are slowed, not stopped.
    #[inline]
    pub fn must_drain(&self) -> bool {
        self.saving.in_flight > IN_FLIGHT_MOST
    }

    /// Whether this core has a part of a snapshot to walk, and the file can take more.
    pub fn may_walk(&self) -> bool {
        let is_free = self.saving.in_flight < IN_FLIGHT && !self.shared.spilling.load(Ordering::Relaxed);
        self.saving.is_walking && (is_free || self.saving.owes)
    }

    /// A step while no client needs the core; whether there was one.
    pub fn walk_while_idle(&mut self) -> bool {
        let Some(mut shard) = self.shard.take() else { return false };
        self.step_snapshot(&mut shard, STEP_US, Pace::Easy);
        self.shard = Some(shard);
        self.flush_mesh();
        self.saving.walked_idle_us = self.now_us;
        true
    }

    /// At the end of a turn: pre-images beyond their budget are written by who makes them.
    pub fn help_snapshot(&mut self) {
        let Some(mut shard) = self.shard.take_if(|shard| shard.walk.is_some()) else { return };
        let beyond = (shard.space.saved_bytes() / SAVED_BUDGET) as u64;
        if beyond > 0 {
            self.step_snapshot(&mut shard, HELP_US * beyond.min(HELP_MOST), Pace::Pressed);
        }
        self.shard = Some(shard);
    }

    fn step_snapshot(&mut self, shard: &mut Shard, budget_us: u64, pace: Pace) -> bool {
        let Some(walk) = &mut shard.walk else {
            self.saving.is_walking = false;
            return false;
        };
        if self.saving.discards == Some(walk.number) {
            walk.discard();
        }
        let mut chunks = std::mem::take(&mut self.saving.chunks);
        let more = snapshot::step(shard, budget_us, pace, &mut chunks);
        let from = self.id();
        for chunk in chunks.drain(..) {
            self.saving.in_flight += chunk.bytes.len();
            self.on_core(0, move |core| core.take_chunk(from, chunk));
        }
        self.saving.chunks = chunks;
        self.saving.owes = shard.walk.as_ref().is_some_and(|walk| walk.owes());
        self.saving.is_walking = more;
        more
    }
}
