//! A new file written from front to end through glommio with O_DIRECT, several writes in flight.
//!
//! Used by `save`. Bytes are gathered in aligned buffers; a full one is written by a task of its own while the next fills. The last one is written padded and the file cut to its length.
//! Invariant: after [`FileWriter::finish`] every byte is on the disk; before that nothing is promised. Bounds: [`WRITE_BEHIND`] buffers of [`BUFFER`] bytes.
//! Why not glommio's `DmaStreamWriter`: dropped after a failed write, or in the middle of closing, it panics.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::rc::Rc;

use glommio::io::{DmaBuffer, DmaFile};

/// Bytes of one write.
const BUFFER: usize = 512 * 1024;
/// Writes in flight.
const WRITE_BEHIND: usize = 8;

/// See the module's text.
pub struct FileWriter {
    file: Rc<DmaFile>,
    buffer: DmaBuffer,
    filled: usize,
    /// Where the buffer begins in the file.
    at: u64,
    flying: VecDeque<glommio::Task<io::Result<()>>>,
}

impl FileWriter {
    /// Creates the file, or empties it.
    ///
    /// Errors: those of open(2).
    pub async fn create(path: &Path) -> io::Result<FileWriter> {
        let file = Rc::new(DmaFile::create(path).await?);
        let buffer = file.alloc_dma_buffer(BUFFER);
        Ok(FileWriter { file, buffer, filled: 0, at: 0, flying: VecDeque::new() })
    }

    /// Adds bytes at the end.
    ///
    /// Errors: of an earlier write: what was added since the beginning is not a file then.
    pub async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = bytes.len().min(BUFFER - self.filled);
            let (now, rest) = bytes.split_at(room);
            self.buffer.as_bytes_mut()[self.filled..self.filled + room].copy_from_slice(now);
            self.filled += room;
            bytes = rest;
            if self.filled == BUFFER {
                self.send_buffer(BUFFER).await?;
            }
        }
        Ok(())
    }

    /// Begins writing the first `len` bytes of the buffer, after waiting for a place in flight.
    async fn send_buffer(&mut self, len: usize) -> io::Result<()> {
        while self.flying.len() >= WRITE_BEHIND {
            self.await_oldest().await?;
        }
        let mut buffer = std::mem::replace(&mut self.buffer, self.file.alloc_dma_buffer(BUFFER));
        buffer.trim_to_size(len);
        let (file, at) = (Rc::clone(&self.file), self.at);
        self.flying.push_back(glommio::spawn_local(async move {
            let written = file.write_at(buffer, at).await?;
            if written == len { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOSPC)) }
        }));
        self.at += len as u64;
        self.filled = 0;
        Ok(())
    }

    /// Closes the file as it is, so that its space is given back once it is removed.
    pub async fn abandon(mut self) {
        while let Some(write) = self.flying.pop_front() {
            let _ = write.await;
        }
        let _ = self.file.close_rc().await;
    }

    async fn await_oldest(&mut self) -> io::Result<()> {
        match self.flying.pop_front() {
            Some(write) => write.await,
            None => Ok(()),
        }
    }

    /// Writes what is left, cuts the file to its length and syncs it.
    ///
    /// Errors: the first of any write, of ftruncate(2), of fdatasync(2).
    pub async fn finish(mut self) -> io::Result<()> {
        let ended = self.end().await;
        if ended.is_err() {
            self.abandon().await;
            return ended;
        }
        self.file.close_rc().await?;
        Ok(())
    }

    async fn end(&mut self) -> io::Result<()> {
        let end = self.at + self.filled as u64;
        if self.filled > 0 {
            let padded = self.file.align_up(self.filled as u64) as usize;
            self.buffer.as_bytes_mut()[self.filled..padded].fill(0);
            self.send_buffer(padded).await?;
        }
        while !self.flying.is_empty() {
            self.await_oldest().await?;
        }
        self.file.truncate(end).await?;
        self.file.fdatasync().await?;
        Ok(())
    }
}
