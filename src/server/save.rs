//! The file task of core 0: writes a snapshot's chunks to one file, in the order in which they come.
//!
//! Spawned by `boot` in class files; `session::saving` sends [`FileEvent`]s and hears how it ended. Writes through glommio with O_DIRECT, several buffers in flight; the way to
//! the final name is redis': a temporary file, fsync, rename, fsync of the directory. A chunk that ends in the middle of a value keeps the others waiting, so that values stay whole.
//! Invariant: a file under its final name is complete and durable. Bounds: what the cores have in flight (`session::saving`) and what `spill` keeps. Why one file task: one file has one end.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};

use futures_lite::future::{poll_once, try_zip};
use glommio::channels::local_channel::LocalReceiver;

use super::file_writer::FileWriter;
use super::spill::{Order, Spill, Waiting};
use crate::base::crc64::{combine, crc64};
use crate::observe::log::{notice, warning};
use crate::rdb::file::write;
use crate::session::core::Core;
use crate::session::saving::FileEvent;
use crate::shard::snapshot::{Form, Manner};

/// Bytes of one write to the spill file, about.
const SPILL_WRITE: usize = 4 << 20;

/// Serves snapshots until the process ends.
pub async fn serve(core: Rc<RefCell<Core>>, events: LocalReceiver<FileEvent>) {
    while let Some(event) = events.recv().await {
        // Chunks of a snapshot that has failed have been drained; anything else begins one.
        let FileEvent::Begin { number, path, temporary, header, manner, cores } = event else { continue };
        let outcome = write_file(&core, &events, &temporary, header, manner, cores).await;
        let outcome = match outcome {
            Ok(()) => match &path {
                Some(path) => install(&temporary, path).await,
                None => Ok(()),
            },
            Err(error) => Err(error),
        };
        match &outcome {
            Ok(()) if path.is_some() => notice("DB saved on disk"),
            Ok(()) => {}
            Err(text) => {
                warning(text);
                let _ = std::fs::remove_file(&temporary);
            }
        }
        core.borrow_mut().file_ended(number, outcome);
    }
}

/// The file as it grows.
struct Growing {
    writer: FileWriter,
    manner: Manner,
    sum: u64,
}

impl Growing {
    async fn put(&mut self, bytes: &[u8], sum: u64) -> io::Result<()> {
        if self.manner.checksum {
            self.sum = combine(self.sum, sum, bytes.len() as u64);
        }
        self.writer.write(bytes).await
    }

    async fn put_end(&mut self) -> io::Result<()> {
        if self.manner.form == Form::Commands {
            return Ok(());
        }
        let mut end = Vec::new();
        write::end(&mut end);
        self.put_own(&end).await?;
        let sum = if self.manner.checksum { self.sum } else { 0 };
        self.writer.write(&sum.to_le_bytes()).await
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
    manner: Manner,
    cores: usize,
) -> Result<(), String> {
    let writer = FileWriter::create(temporary).await.map_err(|error| {
        let here = std::env::current_dir().unwrap_or_default();
        format!(
            "Failed opening the temp RDB file {} (in server root dir {}) for saving: {}",
            temporary.display(),
            here.display(),
            error
        )
    })?;
    let mut growing = Growing { writer, manner, sum: 0 };
    let store = Store {
        core,
        temporary,
        order: RefCell::default(),
        spill: RefCell::default(),
        waker: Cell::default(),
    };
    let written = match growing.put_own(&header).await {
        // Whoever fails first ends both.
        Ok(()) => try_zip(store.take_in(events, cores), store.write_out(&mut growing, cores)).await.map(drop),
        Err(error) => Err(error),
    };
    core.borrow().shared.spilling.store(false, Ordering::Relaxed);
    let ended = match written {
        Ok(()) => growing.put_end().await,
        Err(error) => Err(error),
    };
    let finished = match ended {
        Ok(()) => growing.writer.finish().await,
        Err(error) => {
            growing.writer.abandon().await;
            Err(error)
        }
    };
    finished.map_err(|error| format!("Write error saving DB on disk: {error}"))
}

fn chunk_of(event: Option<FileEvent>) -> io::Result<Waiting> {
    match event {
        Some(FileEvent::Chunk(from, chunk)) => {
            Ok(Waiting { from, len: chunk.bytes.len(), chunk, spilled_at: None })
        }
        _ => Err(io::Error::other("the snapshot has been given up")),
    }
}

/// Chunks between the cores and the file.
struct Store<'a> {
    core: &'a RefCell<Core>,
    temporary: &'a Path,
    order: RefCell<Order>,
    spill: RefCell<Option<Rc<Spill>>>,
    /// Of who waits for a chunk.
    waker: Cell<Option<Waker>>,
}

impl Store<'_> {
    /// Takes chunks in until every core has sent its last.
    async fn take_in(&self, events: &LocalReceiver<FileEvent>, cores: usize) -> io::Result<()> {
        let mut walking = cores;
        while walking > 0 {
            let mut arrived = vec![chunk_of(events.recv().await)?];
            let is_full = self.order.borrow().is_full(arrived[0].len);
            if is_full {
                // As much as has come leaves with one write.
                let mut bytes = Vec::with_capacity(SPILL_WRITE + arrived[0].len);
                bytes.append(&mut std::mem::take(&mut arrived[0].chunk.bytes));
                while bytes.len() < SPILL_WRITE
                    && let Some(event) = poll_once(events.recv()).await
                {
                    let mut waiting = chunk_of(event)?;
                    bytes.append(&mut std::mem::take(&mut waiting.chunk.bytes));
                    arrived.push(waiting);
                }
                let mut at = self.spill().await?.write(bytes).await?;
                for waiting in &mut arrived {
                    waiting.spilled_at = Some(at);
                    at += waiting.len as u64;
                    self.core.borrow_mut().chunk_written(waiting.from, waiting.len);
                }
            }
            for waiting in arrived {
                walking -= usize::from(waiting.chunk.is_last);
                self.order.borrow_mut().push(waiting);
            }
            self.note_spilling();
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        Ok(())
    }

    /// Writes chunks out until every core's last is written.
    async fn write_out(&self, growing: &mut Growing, cores: usize) -> io::Result<()> {
        let mut walking = cores;
        while walking > 0 {
            let mut next = poll_fn(|context| match self.order.borrow_mut().next() {
                Some(next) => Poll::Ready(next),
                None => {
                    self.waker.set(Some(context.waker().clone()));
                    Poll::Pending
                }
            })
            .await;
            self.note_spilling();
            match next.spilled_at {
                Some(_) => self.spill().await?.fetch(&mut next).await?,
                None => self.core.borrow_mut().chunk_written(next.from, next.len),
            }
            growing.put(&next.chunk.bytes, next.chunk.sum).await?;
            #[cfg(feature = "test-switches")]
            be_slow().await;
            walking -= usize::from(next.chunk.is_last);
        }
        Ok(())
    }

    /// The spill file, made when it is first needed.
    async fn spill(&self) -> io::Result<Rc<Spill>> {
        if let Some(spill) = self.spill.borrow().as_ref() {
            return Ok(Rc::clone(spill));
        }
        let made = Rc::new(Spill::new(self.temporary).await?);
        *self.spill.borrow_mut() = Some(Rc::clone(&made));
        Ok(made)
    }

    fn note_spilling(&self) {
        self.core.borrow().shared.spilling.store(self.order.borrow().is_spilling(), Ordering::Relaxed);
    }
}

/// A slow disk, for tests: `SHOAL_TEST_SLOW_DISK` milliseconds for each chunk.
#[cfg(feature = "test-switches")]
async fn be_slow() {
    let wish = std::env::var("SHOAL_TEST_SLOW_DISK").ok().and_then(|text| text.parse().ok());
    if let Some(ms) = wish {
        glommio::timer::sleep(std::time::Duration::from_millis(ms)).await;
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
