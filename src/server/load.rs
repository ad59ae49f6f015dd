//! Loading data: files in, keys in the shards.
//!
//! `boot` asks [`plan`] what there is and runs [`at_start`] as a task of core 0; the cores serve connections meanwhile (which are told so: `session::loading`).
//! A snapshot is read by large DMA reads ahead of the parser ([`crate::rdb::file::Reader`]), which only finds the entries' ends; the records are packed by owning core and decoded there.
//! ```text
//! file ─DMA─> Reader ─records─> batch of core 0 ─> deliveries ─> shard 0
//!                              batch of core 1 ─> deliveries ─> shard 1      at most WINDOW under way per core
//! ```
//! Invariant: what cannot be loaded ends the process with redis' words, the file and the offset; nothing is half loaded and then served. Bounds: read-ahead, one batch and
//! [`WINDOW`] deliveries per core, the largest record. Why parse on one core: entries have no index; finding their ends costs a fifth of decoding them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use glommio::io::{DmaFile, DmaStreamReader, DmaStreamReaderBuilder, ReadResult};

use super::load_aof::{self, Files};
use crate::base::slot::key_slot;
use crate::base::{clock, ticks};
use crate::command::SlotMap;
use crate::command::keys::payload::limits_of;
use crate::command::script::function;
use crate::config::Settings;
use crate::observe::log::{notice, warning};
use crate::persist::storage::error_text;
use crate::rdb::file::{FileError, Item, Reader, open_record};
use crate::session::core::Core;
use crate::session::loading::{Delivery, Ledger};
use crate::shard::intake::{Batch, Fault, Intake, Tally};

/// Bytes of one read, and how many are under way.
const READ_BYTES: usize = 512 * 1024;
const READS_AHEAD: usize = 8;
/// Bytes given to the parser at once.
const FEED_BYTES: usize = 64 * 1024;
/// Bytes at which a core's batch leaves.
const BATCH_BYTES: usize = 64 * 1024;
/// Deliveries under way to one core.
const WINDOW: usize = 8;
/// The parser lets others run after this long, in microseconds.
const SLICE_US: u64 = 200;
/// Oldest file version with a checksum.
const SUMMED_FROM: u32 = 5;
/// Keys of empty collections that are named in the log.
const SKIPPED_SHOWN: u64 = 10;

/// The core, as its tasks share it.
pub type SharedCore = Rc<RefCell<Core>>;

/// Why loading has ended early.
#[derive(Debug)]
pub enum LoadError {
    /// The process is stopping.
    Stopped,
    /// The data cannot be used: the last line of the log.
    Fatal(String),
}

/// What there is to load.
#[derive(Debug)]
pub enum Plan {
    /// Nothing.
    Nothing,
    /// A snapshot.
    Snapshot(PathBuf, u64),
    /// An append-only file.
    Log(Box<Files>),
}

impl Plan {
    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        matches!(self, Plan::Nothing)
    }

    /// Bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        match self {
            Plan::Nothing => 0,
            Plan::Snapshot(_, bytes) => *bytes,
            Plan::Log(files) => files.total_bytes(),
        }
    }
}

/// Looks which files there are; the working directory is that of the configuration.
///
/// Errors: a file is there and cannot be read.
pub fn plan(settings: &Settings) -> Result<Plan, String> {
    if settings.appendonly {
        // As redis: where there is to be an append-only file, the snapshot does not count.
        return Ok(load_aof::plan(settings)?.map_or(Plan::Nothing, |files| Plan::Log(Box::new(files))));
    }
    let path = PathBuf::from(&settings.dbfilename);
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(found) => Ok(Plan::Snapshot(path, found.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Plan::Nothing),
        Err(error) => Err(cannot_read(&path, &error)),
    }
}

/// Loads what was planned; the cores know already that loading is on.
pub async fn at_start(core: &SharedCore, plan: &Plan) -> Result<(), LoadError> {
    let began = Instant::now();
    let shared = Arc::clone(&core.borrow().shared);
    core.borrow_mut().bulk_tasks += 1;
    let loaded = match plan {
        Plan::Nothing => Ok(()),
        Plan::Snapshot(path, _) => load_snapshot(core, path, How::AT_START).await.map(|_| {
            notice(&format!("DB loaded from disk: {:.3} seconds", began.elapsed().as_secs_f64()));
        }),
        Plan::Log(files) => load_aof::load(core, files).await.map(|log| {
            notice(&format!("DB loaded from append only file: {:.3} seconds", began.elapsed().as_secs_f64()));
            core.borrow_mut().loading.log = Some(Box::new(log));
        }),
    };
    core.borrow_mut().bulk_tasks -= 1;
    loaded?;
    if core.borrow().settings.appendonly {
        load_aof::go_on_writing(core).await?;
    }
    shared.loading.end();
    core.borrow_mut().announce_loading(false);
    Ok(())
}

/// How a snapshot is taken in.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Keys whose time is over are left out.
    pub skips_expired: bool,
    /// Keys that are there are replaced.
    pub replaces: bool,
}

impl How {
    /// Of a primary that starts.
    pub const AT_START: How = How { skips_expired: true, replaces: false };
    /// Of the head of an append-only file: the commands behind it count on every key.
    pub const PREAMBLE: How = How { skips_expired: false, replaces: false };
}

/// Loads a snapshot file; says in the log how it went.
pub async fn load_snapshot(core: &SharedCore, path: &Path, how: How) -> Result<Tally, LoadError> {
    let mut source = Source::open(path).await?;
    let mut parse = Parse::new(core, path, how);
    while !parse.reader.is_at_end() {
        let Some(block) = source.next().await? else { break };
        parse.take(core, &block).await?;
    }
    source.close().await;
    parse.finish(core).await
}

/// Loads the snapshot at the head of an append-only file, whose first block is at hand; what follows it in the blocks read, and where that lies in the file.
pub async fn load_preamble(
    core: &SharedCore,
    source: &mut Source,
    head: ReadResult,
    path: &Path,
    how: How,
) -> Result<(Vec<u8>, u64), LoadError> {
    let mut parse = Parse::new(core, path, how);
    let mut block = Some(head);
    let mut rest = Vec::new();
    while let Some(bytes) = block {
        let taken = parse.take(core, &bytes).await?;
        if parse.reader.is_at_end() {
            rest.extend_from_slice(parse.reader.rest());
            rest.extend_from_slice(&bytes[taken..]);
            break;
        }
        block = source.next().await?;
    }
    let position = parse.reader.offset();
    parse.finish(core).await?;
    Ok((rest, position))
}

/// A file, read ahead.
pub struct Source {
    reader: Option<DmaStreamReader>,
    path: PathBuf,
}

impl Source {
    /// Opens a file for reading from its start. An empty one is never shown to glommio: it asks the kernel by a first read whether the disk can be polled, for all files on it,
    /// and the empty one's answer is yes.
    pub async fn open(path: &Path) -> Result<Source, LoadError> {
        let found = std::fs::metadata(path);
        if found.map_err(|error| LoadError::Fatal(cannot_read(path, &error)))?.len() == 0 {
            return Ok(Source { reader: None, path: path.to_path_buf() });
        }
        let opened = DmaFile::open(path).await;
        let file = opened.map_err(|error| LoadError::Fatal(cannot_read(path, &error.into())))?;
        let reader = DmaStreamReaderBuilder::new(file)
            .with_buffer_size(READ_BYTES)
            .with_read_ahead(READS_AHEAD)
            .build();
        Ok(Source { reader: Some(reader), path: path.to_path_buf() })
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<ReadResult>, LoadError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let read = reader.get_buffer_aligned(READ_BYTES as u64).await;
        let block = read.map_err(|error| LoadError::Fatal(cannot_read(&self.path, &error.into())))?;
        Ok(Some(block).filter(|block| !block.is_empty()))
    }

    /// Closes the file; what that says does not matter any more.
    pub async fn close(self) {
        if let Some(reader) = self.reader {
            let _ = reader.close().await;
        }
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> String {
    let reason = error.raw_os_error().map_or_else(|| error.to_string(), error_text);
    format!("Fatal error loading the DB: {reason}. Exiting. (file {})", path.display())
}

/// A file being parsed.
struct Parse {
    reader: Reader,
    path: PathBuf,
    map: SlotMap,
    batches: Vec<Batch>,
    intake: Arc<Intake>,
    ledger: Arc<Ledger>,
    databases: usize,
    skipped_shown: u64,
    /// `key-load-delay`: microseconds per key, and those not yet waited.
    delay_us: i64,
    owed_us: i64,
}

impl Parse {
    fn new(core: &SharedCore, path: &Path, how: How) -> Parse {
        let core = core.borrow();
        let settings = &core.settings;
        let intake = Intake {
            limits: limits_of(settings, core.wall_offset_ms),
            freshness: crate::shard::freshness(settings),
            now_wall_ms: (clock::wall_us() / 1000) as i64,
            skips_expired: how.skips_expired,
            replaces: how.replaces,
        };
        let reader = Reader::new();
        Parse {
            reader: if settings.rdbchecksum { reader } else { reader.without_checksum() },
            path: path.to_path_buf(),
            map: core.map.clone(),
            batches: (0..core.cores()).map(|_| Batch::with_capacity(BATCH_BYTES)).collect(),
            intake: Arc::new(intake),
            ledger: Arc::default(),
            databases: settings.databases,
            skipped_shown: 0,
            delay_us: settings.key_load_delay_us,
            owed_us: 0,
        }
    }

    /// Takes a block of the file, up to the snapshot's end; how many bytes that were.
    async fn take(&mut self, core: &SharedCore, block: &[u8]) -> Result<usize, LoadError> {
        core.borrow().shared.loading.add(block.len() as u64);
        let mut taken = 0;
        while taken < block.len() && !self.reader.is_at_end() {
            let piece = &block[taken..][..FEED_BYTES.min(block.len() - taken)];
            self.reader.feed(piece);
            taken += piece.len();
            self.drain(core).await?;
            self.progress(core);
        }
        Ok(taken)
    }

    /// Tells INFO what has come of the records.
    fn progress(&self, core: &SharedCore) {
        let (progress, tally) = (&core.borrow().shared.loading, self.ledger.tally());
        progress.keys_loaded.store(tally.loaded, Ordering::Relaxed);
        progress.keys_expired.store(tally.expired, Ordering::Relaxed);
    }

    /// Parses what was fed, letting others run in between.
    async fn drain(&mut self, core: &SharedCore) -> Result<(), LoadError> {
        let budget = SLICE_US * ticks::per_us();
        loop {
            let began = ticks::now();
            let is_drained = self.slice(core, began, budget)?;
            self.look_at_ledger()?;
            if is_drained && ticks::now().wrapping_sub(began) < budget / 4 {
                return Ok(());
            }
            if self.owed_us >= 1000 {
                let owed = std::mem::take(&mut self.owed_us);
                self.deliver_all(core);
                self.progress(core);
                glommio::timer::sleep(Duration::from_micros(owed as u64)).await;
            }
            wait_until(core, |_| (0..self.batches.len()).all(|to| self.ledger.under_way(to) < WINDOW))
                .await?;
            glommio::executor().yield_task_queue_now().await;
            if is_drained {
                return Ok(());
            }
        }
    }

    /// Parses until `budget` ticks after `began`, until a core has enough, or until nothing is left; whether nothing is.
    fn slice(&mut self, core: &SharedCore, began: u64, budget: u64) -> Result<bool, LoadError> {
        let mut count = 0_u32;
        loop {
            let offset = self.reader.offset();
            let item = match self.reader.next() {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(true),
                Err(error) => return Err(self.fatal(error)),
            };
            match item {
                Item::Entry { db, expire_wall_ms, recency, record } => {
                    let key = match open_record(record) {
                        Ok(opened) => opened.key,
                        Err(damage) => {
                            let error = FileError::of_value(offset, b"", damage);
                            return Err(self.fatal(error));
                        }
                    };
                    if db >= self.databases {
                        return Err(self.too_many_databases(offset));
                    }
                    let to = self.map.core_of(key_slot(&key));
                    let batch = &mut self.batches[to];
                    batch.push(db, offset, expire_wall_ms, recency, record);
                    self.owed_us += self.delay_us;
                    if batch.len() >= BATCH_BYTES {
                        self.deliver(core, to);
                        if self.ledger.under_way(to) >= WINDOW {
                            return Ok(false);
                        }
                    }
                }
                Item::Select(db) if db >= self.databases => return Err(self.too_many_databases(offset)),
                Item::Function(code) => {
                    if let Err(text) = function::install(&code, self.intake.replaces) {
                        let reason = String::from_utf8_lossy(&text).into_owned();
                        warning(&format!("Failed loading library, {reason}"));
                        return Err(self.fatal(FileError::corrupt(offset, reason)));
                    }
                }
                Item::Aux { key, value } => note_aux(core, &key, &value),
                Item::ModuleAux { name } => {
                    notice(&format!(
                        "Data of module '{name}' in the RDB file is left out: there are no modules here"
                    ));
                }
                Item::Select(_) | Item::Resize { .. } => {}
                Item::End => return Ok(true),
            }
            count += 1;
            if count.is_multiple_of(64) && ticks::now().wrapping_sub(began) >= budget || self.owed_us >= 1000
            {
                return Ok(false);
            }
        }
    }

    fn deliver(&mut self, core: &SharedCore, to: usize) {
        if self.batches[to].is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.batches[to], Batch::with_capacity(BATCH_BYTES));
        let mut core = core.borrow_mut();
        let driver = core.id();
        let (intake, ledger) = (Arc::clone(&self.intake), Arc::clone(&self.ledger));
        core.deliver_records(to, Delivery { batch, intake, ledger, driver });
    }

    fn deliver_all(&mut self, core: &SharedCore) {
        (0..self.batches.len()).for_each(|to| self.deliver(core, to));
    }

    /// Everything is parsed: waits until it is in the shards, then says so.
    async fn finish(mut self, core: &SharedCore) -> Result<Tally, LoadError> {
        if !self.reader.is_at_end() {
            return Err(self.fatal(self.reader.cut_short()));
        }
        self.deliver_all(core);
        wait_until(core, |_| (0..self.batches.len()).all(|to| self.ledger.under_way(to) == 0)).await?;
        self.look_at_ledger()?;
        self.progress(core);
        if self.reader.version() >= SUMMED_FROM && !self.reader.has_checksum() {
            notice("RDB file was saved with checksum disabled: no check performed.");
        }
        let tally = self.ledger.tally();
        let mut text =
            format!("Done loading RDB, keys loaded: {}, keys expired: {}", tally.loaded, tally.expired);
        if tally.empty > 0 {
            text += &format!(", empty keys skipped: {}.", tally.empty);
            warning(&text);
        } else {
            text.push('.');
            notice(&text);
        }
        Ok(tally)
    }

    /// Names skipped keys in the log; ends if a record could not be taken.
    fn look_at_ledger(&mut self) -> Result<(), LoadError> {
        for key in self.ledger.take_skipped() {
            self.skipped_shown += 1;
            if self.skipped_shown <= SKIPPED_SHOWN {
                warning(&format!("rdbLoadObject skipping empty key: {}", key.escape_ascii()));
            }
        }
        let Some(Fault { offset, db, key, damage }) = self.ledger.fault() else { return Ok(()) };
        Err(self.fatal(match damage {
            Some(damage) => FileError::of_value(offset, &key, damage),
            None => FileError::duplicate_key(offset, &key, db),
        }))
    }

    fn too_many_databases(&self, offset: u64) -> LoadError {
        self.fatal(FileError::too_many_databases(offset, self.databases))
    }

    /// Logs what is wrong; the last line names the file and the place.
    fn fatal(&self, error: FileError) -> LoadError {
        warning(&error.text);
        LoadError::Fatal(format!(
            "Fatal error loading the DB, terminating the server: file {}, offset {}",
            self.path.display(),
            error.offset
        ))
    }
}

/// What a file says of itself, as redis logs it.
fn note_aux(core: &SharedCore, key: &[u8], value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    let number = || text.parse::<i64>().unwrap_or(0);
    match key {
        b"redis-ver" => {
            let line = text.lines().next().unwrap_or_default();
            notice(&format!("Loading RDB produced by version {line}"));
        }
        b"ctime" => {
            let age_s = (clock::wall_us() / 1_000_000) as i64 - number();
            notice(&format!("RDB age {} seconds", age_s.max(0)));
        }
        b"used-mem" => {
            notice(&format!("RDB memory usage when created {:.2} Mb", number() as f64 / 1_048_576.0));
            core.borrow().shared.loading.used_memory.store(number().max(0) as u64, Ordering::Relaxed);
        }
        b"aof-preamble" if number() != 0 => notice("RDB has an AOF tail"),
        b"aof-base" if number() != 0 => notice("RDB is base AOF"),
        _ if key.first() == Some(&b'%') => {
            notice(&format!("RDB '{}': {text}", String::from_utf8_lossy(key)));
        }
        _ => {}
    }
}

/// Waits until `is_so`, asked again whenever a core has reported something.
pub async fn wait_until(core: &SharedCore, is_so: impl Fn(&Core) -> bool) -> Result<(), LoadError> {
    std::future::poll_fn(|context| {
        let mut core = core.borrow_mut();
        if core.is_stopping() {
            return Poll::Ready(Err(LoadError::Stopped));
        }
        if is_so(&core) {
            return Poll::Ready(Ok(()));
        }
        core.loading.wait(context.waker());
        Poll::Pending
    })
    .await
}
