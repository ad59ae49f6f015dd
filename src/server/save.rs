//! The file task of core 0: writes a snapshot's chunks to one file, in the order in which they come.
//!
//! Spawned by `boot` in class background; `session::saving` sends [`FileEvent`]s and hears how it ended. Writes through glommio with O_DIRECT, several buffers in flight; the way to
//! the final name is redis': a temporary file, fsync, rename, fsync of the directory. A chunk that ends in the middle of a value keeps the others waiting, so that values stay whole.
//! Invariant: a file under its final name is complete and durable. Bounds: what the cores have in flight (`session::saving`). Why one file task: one file has one end.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use futures_lite::AsyncWriteExt;
use glommio::channels::local_channel::LocalReceiver;
use glommio::io::{DmaFile, DmaStreamWriter, DmaStreamWriterBuilder};

use crate::base::crc64::{combine, crc64};
use crate::observe::log::{notice, warning};
use crate::rdb::file::write;
use crate::session::core::Core;
use crate::session::saving::FileEvent;
use crate::shard::snapshot::Chunk;

/// Bytes of one write.
const BUFFER: usize = 512 * 1024;
/// Writes in flight.
const WRITE_BEHIND: usize = 8;

/// Serves snapshots until the process ends.
pub async fn serve(core: Rc<RefCell<Core>>, events: LocalReceiver<FileEvent>) {
    while let Some(event) = events.recv().await {
        // Chunks of a snapshot that has failed have been drained; anything else begins one.
        let FileEvent::Begin { path, temporary, header, checksum, cores } = event else { continue };
        let outcome = write_file(&core, &events, &temporary, header, checksum, cores).await;
        let outcome = match outcome {
            Ok(()) => install(&temporary, &path).await,
            Err(error) => Err(error),
        };
        let mut core = core.borrow_mut();
        match outcome {
            Ok(()) => {
                notice("DB saved on disk");
                core.snapshot_written();
            }
            Err(text) => {
                warning(&text);
                let _ = std::fs::remove_file(&temporary);
                core.snapshot_failed(text);
            }
        }
    }
}

/// The file as it grows.
struct Growing {
    writer: DmaStreamWriter,
    checksum: bool,
    sum: u64,
}

impl Growing {
    async fn put(&mut self, bytes: &[u8], sum: u64) -> io::Result<()> {
        if self.checksum {
            self.sum = combine(self.sum, sum, bytes.len() as u64);
        }
        self.writer.write_all(bytes).await
    }

    async fn put_own(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(bytes, crc64(0, bytes)).await
    }
}

/// Writes header, all chunks and the end; the file is on the disk when this returns.
async fn write_file(
    core: &RefCell<Core>,
    events: &LocalReceiver<FileEvent>,
    temporary: &Path,
    header: Vec<u8>,
    checksum: bool,
    cores: usize,
) -> Result<(), String> {
    let file = DmaFile::create(temporary).await.map_err(|error| {
        let here = std::env::current_dir().unwrap_or_default();
        format!(
            "Failed opening the temp RDB file {} (in server root dir {}) for saving: {}",
            temporary.display(),
            here.display(),
            io::Error::from(error)
        )
    })?;
    let writer =
        DmaStreamWriterBuilder::new(file).with_write_behind(WRITE_BEHIND).with_buffer_size(BUFFER).build();
    let mut growing = Growing { writer, checksum, sum: 0 };
    let written = write_chunks(core, events, &mut growing, header, cores).await;
    let closed = growing.writer.close().await;
    written.and(closed).map_err(|error| format!("Write error saving DB on disk: {error}"))
}

async fn write_chunks(
    core: &RefCell<Core>,
    events: &LocalReceiver<FileEvent>,
    growing: &mut Growing,
    header: Vec<u8>,
    cores: usize,
) -> io::Result<()> {
    growing.put_own(&header).await?;
    let mut order = Order { at_work: None, others: VecDeque::new() };
    let mut walking = cores;
    while walking > 0 {
        let (from, chunk) = match order.next() {
            Some(next) => next,
            None => match events.recv().await {
                Some(FileEvent::Chunk(from, chunk)) => match order.admit(from, chunk) {
                    Some(next) => next,
                    None => continue,
                },
                _ => return Err(io::Error::other("the snapshot has been given up")),
            },
        };
        growing.put(&chunk.bytes, chunk.sum).await?;
        walking -= usize::from(chunk.is_last);
        core.borrow_mut().chunk_written(from, chunk.bytes.len());
    }
    let mut end = Vec::new();
    write::end(&mut end);
    growing.put_own(&end).await?;
    let sum = if growing.checksum { growing.sum } else { 0 };
    growing.writer.write_all(&sum.to_le_bytes()).await
}

/// Whose chunk may be written next.
struct Order {
    /// The core whose value is not finished.
    at_work: Option<usize>,
    /// Chunks that wait for that.
    others: VecDeque<(usize, Chunk)>,
}

impl Order {
    /// A chunk has come: it is the next, or it waits.
    fn admit(&mut self, from: usize, chunk: Chunk) -> Option<(usize, Chunk)> {
        if self.at_work.is_some_and(|core| core != from) {
            self.others.push_back((from, chunk));
            return None;
        }
        self.at_work = (!chunk.is_whole).then_some(from);
        Some((from, chunk))
    }

    /// A chunk that has waited and may go.
    fn next(&mut self) -> Option<(usize, Chunk)> {
        if self.at_work.is_some() {
            return None;
        }
        let (from, chunk) = self.others.pop_front()?;
        self.admit(from, chunk)
    }
}

/// The complete file takes its name. On a thread of its own: neither call has an asynchronous form in glommio that reports all errors.
async fn install(temporary: &Path, path: &Path) -> Result<(), String> {
    let (temporary, path) = (temporary.to_path_buf(), path.to_path_buf());
    glommio::executor().spawn_blocking(move || install_now(&temporary, &path)).await
}

fn install_now(temporary: &Path, path: &Path) -> Result<(), String> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    std::fs::rename(temporary, path).map_err(|error| {
        let here = std::env::current_dir().unwrap_or_default();
        format!(
            "Error moving temp DB file {} on the final destination {} (in server root dir {}): {error}",
            temporary.display(),
            path.display(),
            here.display()
        )
    })?;
    let synced = std::fs::File::open(&directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| format!("Failed to fsync directory {}: {error}", directory.display()))
}
