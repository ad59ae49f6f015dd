//! Loading an append-only file: its base, then its incremental files, in the manifest's order.
//!
//! [`super::load`] calls [`plan`] before the cores start and [`load`] as part of its task. `persist::recover` says which files, `persist::aof::scan` where their commands and
//! transactions end; whole units go to `session::apply`, which sorts them by core.
//! ```text
//! file ─DMA─> Scanner ─units─> Stream ─pieces─> every core's session
//! ```
//! Invariant: nothing of a unit is executed that is not whole; a tail is given up only in the last file, and only if `aof-load-truncated` says so. Bounds: those of `load`, [`FEED_BYTES`]
//! of units, and the largest transaction. Why not by the log's own offsets: files of redis have none.

use std::path::PathBuf;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::load::{How, LoadError, SharedCore, Source, load_preamble};
use crate::config::Settings;
use crate::observe::log::{notice, warning};
use crate::persist::aof::scan::{End, Scanner, bad_format, loaded_anyway, torn_lines, unexpected_end};
use crate::persist::aof::{Last, Names, Start};
use crate::persist::manifest::{self, Manifest};
use crate::persist::recover::{self, Found, ToLoad};
use crate::persist::storage::{Op, error_text};
use crate::session::applied::Rules;
use crate::session::apply::{Stream, StreamError};
use crate::session::core::Core;
use crate::session::loading::LoadedLog;

/// Bytes of units fed to the stream at once.
const FEED_BYTES: usize = 64 * 1024;

/// What there is to load of an append-only file.
#[derive(Debug)]
pub struct Files {
    names: Names,
    manifest: Manifest,
    rubbish: Vec<String>,
    load: Vec<ToLoad>,
    takes_torn: bool,
    was_moved: bool,
}

impl Files {
    /// Bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        self.load.iter().map(|file| file.size).sum()
    }
}

fn io_text(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), error_text)
}

/// Looks at the files, after moving a single file of redis 6 into the directory. `None`: there are none.
///
/// Errors: the last line of the log.
pub fn plan(settings: &Settings) -> Result<Option<Files>, String> {
    let names = Names { directory: settings.appenddirname.clone(), append: settings.appendfilename.clone() };
    let (mut plan, mut was_moved) = (look(&names)?, false);
    if plan.upgrades {
        carry_out(&recover::upgrade(&names)).map_err(|error| {
            format!("Error trying to upgrade the AOF file {}: {}", names.append, io_text(&error))
        })?;
        plan = look(&names)?;
        was_moved = true;
    }
    if plan.load.is_empty() {
        return Ok(None);
    }
    let recover::Plan { manifest, load, rubbish, .. } = plan;
    Ok(Some(Files { names, manifest, rubbish, load, takes_torn: settings.aof_load_truncated, was_moved }))
}

/// What lies on the disk, judged.
fn look(names: &Names) -> Result<recover::Plan, String> {
    let mut files = Vec::new();
    let mut has_directory = false;
    match std::fs::read_dir(&names.directory) {
        Ok(entries) => {
            has_directory = true;
            for entry in entries.flatten() {
                let size = entry.metadata().map_or(0, |found| found.len());
                files.push((entry.file_name().to_string_lossy().into_owned(), size));
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(format!("Can't open the AOF directory {}: {}", names.directory, io_text(&error)));
        }
    }
    let path = names.path(&manifest::file_name(&names.append));
    let text = match std::fs::read(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let text = io_text(&error);
            return Err(format!("Fatal error: can't open the AOF manifest file {path} for reading: {text}"));
        }
    };
    let has_old_file = std::fs::metadata(&names.append).is_ok_and(|found| found.is_file());
    let found = Found { has_directory, files: &files, manifest: text.as_deref(), has_old_file };
    recover::plan(names, &found).map_err(|refusal| refusal.to_string())
}

/// Carries out the steps of the upgrade, in order; the manifest is the one file they write.
fn carry_out(ops: &[Op]) -> std::io::Result<()> {
    use std::io::Write;
    let mut open = None;
    for op in ops {
        match op {
            Op::MakeDir { path } => match std::fs::create_dir(path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made?,
            },
            Op::SyncDir { path } => std::fs::File::open(path)?.sync_all()?,
            Op::Rename { from, to } => std::fs::rename(from, to)?,
            Op::Unlink { path } => std::fs::remove_file(path)?,
            Op::Open { path, truncate, .. } => {
                let mut options = std::fs::OpenOptions::new();
                open = Some(options.write(true).create(true).truncate(*truncate).open(path)?);
            }
            Op::Write { payload, .. } => {
                let mut bytes = Vec::new();
                payload.each(0, |slice| bytes.extend_from_slice(slice));
                if let Some(file) = &mut open {
                    file.write_all(&bytes)?;
                    file.sync_all()?;
                }
            }
            Op::Close { .. } => open = None,
            Op::Sync { .. } | Op::Truncate { .. } => {}
        }
    }
    Ok(())
}

/// Loads the files in order; what the one who goes on writing them must know.
pub async fn load(core: &SharedCore, files: &Files) -> Result<LoadedLog, LoadError> {
    let mut log = LoadedLog {
        manifest: files.manifest.clone(),
        rubbish: files.rubbish.clone(),
        last: Last::default(),
        base_bytes: 0,
        incr_bytes: 0,
    };
    if files.was_moved {
        let Names { append, directory } = &files.names;
        notice(&format!(
            "Successfully migrated an old-style AOF file ({append}) into the AOF directory ({directory})."
        ));
    }
    for file in &files.load {
        let began = Instant::now();
        let end = load_file(core, files, file, &mut log).await?;
        let kind = if file.is_base { "base" } else { "incr" };
        if file.size > 0 {
            let took_s = began.elapsed().as_secs_f64();
            notice(&format!("DB loaded from {kind} file {}: {took_s:.3} seconds", file.name));
        }
        let bytes = if file.is_base { &mut log.base_bytes } else { &mut log.incr_bytes };
        *bytes += end;
    }
    Ok(log)
}

/// Opens the files for writing, with everything loaded and nobody served.
pub async fn go_on_writing(core: &SharedCore) -> Result<(), LoadError> {
    let (sender, receiver) = std::sync::mpsc::channel();
    {
        let mut core = core.borrow_mut();
        let start = match core.loading.log.take() {
            Some(log) => {
                for path in &log.rubbish {
                    // What cannot be deleted is emptied when its name is used.
                    let _ = std::fs::remove_file(path);
                }
                let others = log.incr_bytes.saturating_sub(log.last.len);
                let sizes = (log.base_bytes, others);
                Start { manifest: log.manifest, last: log.last, sizes, ..Start::default() }
            }
            None => Start { empty_base: Some(core.empty_base()), ..Start::default() },
        };
        let started = move |_: &mut Core, result| {
            let _ = sender.send(result);
        };
        core.start_journal(start, Box::new(started));
    }
    loop {
        match receiver.try_recv() {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(errno)) => {
                let text = format!("Fatal error: can't open the append-only file: {}", error_text(errno));
                return Err(LoadError::Fatal(text));
            }
            Err(_) if core.borrow().is_stopping() => return Err(LoadError::Stopped),
            Err(_) => glommio::timer::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Loads one file; how many of its bytes are whole.
async fn load_file(
    core: &SharedCore,
    files: &Files,
    file: &ToLoad,
    log: &mut LoadedLog,
) -> Result<u64, LoadError> {
    let path = PathBuf::from(files.names.path(&file.name));
    let mut source = Source::open(&path).await?;
    let mut scan = Scan { scanner: Scanner::new(0, file.size), units: Vec::new(), name: &file.name };
    core.borrow_mut().begin_stream(Rules::FILE);
    let mut next = source.next().await?;
    if file.is_base
        && let Some(head) = next.take_if(|block| recover::is_rdb(block))
    {
        let is_old = file.name == files.names.append;
        notice(match is_old {
            true => "Reading RDB preamble from AOF file...",
            false => "Reading RDB base file on AOF loading...",
        });
        let (rest, position) = load_preamble(core, &mut source, head, &path, How::PREAMBLE).await?;
        if is_old {
            notice("Reading the remaining AOF tail...");
        }
        scan.scanner = Scanner::new(position, file.size);
        scan.feed(core, &rest).await?;
        next = source.next().await?;
    }
    while let Some(block) = next {
        core.borrow().shared.loading.add(block.len() as u64);
        for piece in block.chunks(FEED_BYTES) {
            scan.feed(core, piece).await?;
        }
        next = source.next().await?;
    }
    source.close().await;
    scan.flush(core).await?;
    core.borrow_mut().flush_stream();
    scan.until(core, Stream::is_done).await?;
    core.borrow_mut().end_stream();
    judge_end(files, file, &scan.scanner, log)
}

/// What the file's end says; how many bytes are whole.
fn judge_end(files: &Files, file: &ToLoad, scanner: &Scanner, log: &mut LoadedLog) -> Result<u64, LoadError> {
    let end = scanner.finish();
    if let Ok(end) = end {
        log.last = scanner.last(end);
    }
    match end {
        Ok(End::Whole) => Ok(scanner.good()),
        // redis passes over it in silence.
        Ok(End::Torn { at, .. }) if scanner.tears_annotation() && file.is_last => Ok(at),
        Ok(End::Torn { .. }) if !files.takes_torn => Err(LoadError::Fatal(unexpected_end(&file.name))),
        Ok(End::Torn { at, in_transaction }) => {
            torn_lines(&file.name, at, in_transaction).iter().for_each(|line| warning(line));
            warning(&loaded_anyway(&file.name));
            if !file.is_last {
                return Err(LoadError::Fatal("Fatal error: the truncated file is not the last file".into()));
            }
            Ok(at)
        }
        Err(damage) => {
            warning(&format!("The append only file {} is damaged at offset {}", file.name, damage.at));
            Err(LoadError::Fatal(bad_format(&file.name)))
        }
    }
}

/// A file on its way to the stream.
struct Scan<'a> {
    scanner: Scanner,
    units: Vec<u8>,
    name: &'a str,
}

impl Scan<'_> {
    /// Takes the file's next bytes; whole units go to the stream when there are enough.
    async fn feed(&mut self, core: &SharedCore, bytes: &[u8]) -> Result<(), LoadError> {
        self.scanner.feed(bytes);
        while let Some(unit) = self.scanner.next_unit() {
            self.units.extend_from_slice(unit.bytes);
            if self.units.len() >= FEED_BYTES {
                self.flush(core).await?;
            }
        }
        Ok(())
    }

    /// Feeds the units at hand and waits until the stream takes more.
    async fn flush(&mut self, core: &SharedCore) -> Result<(), LoadError> {
        core.borrow_mut().feed_stream(&self.units);
        self.units.clear();
        self.until(core, Stream::wants_more).await?;
        glommio::executor().yield_task_queue_now().await;
        Ok(())
    }

    /// Waits until the stream says so, letting it go on whenever a core has executed a piece.
    async fn until(&self, core: &SharedCore, is_so: impl Fn(&Stream) -> bool) -> Result<(), LoadError> {
        let failure = std::future::poll_fn(|context| {
            let mut core = core.borrow_mut();
            if core.is_stopping() {
                return Poll::Ready(Err(LoadError::Stopped));
            }
            core.feed_stream(&[]);
            match &mut core.stream {
                None => Poll::Ready(Ok(None)),
                Some(stream) if is_so(stream) => Poll::Ready(Ok(stream.failure().cloned())),
                Some(stream) => {
                    stream.wait(context.waker());
                    Poll::Pending
                }
            }
        });
        match failure.await? {
            None => Ok(()),
            Some(StreamError::Unknown(word)) => Err(LoadError::Fatal(format!(
                "Unknown command '{}' reading the append only file {}",
                String::from_utf8_lossy(&word),
                self.name
            ))),
            Some(StreamError::Format) => Err(LoadError::Fatal(bad_format(self.name))),
        }
    }
}
