//! Chunks on their way to a snapshot's file: in memory while they are few, beyond that in a nameless file beside it.
//!
//! Used by `save`: one future takes chunks in, another writes them out. The file is written through the page cache, so what the disk cannot take at once costs no memory of this
//! process; while anything lies in it the cores walk no further, and only what their clients change is added. Invariant: chunks leave in an order in which values stay whole and each core's
//! chunks keep theirs. Bounds: [`IN_MEMORY`] bytes, and one chunk more. Why not let the writers wait: a snapshot never stops a client.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::path::Path;

use glommio::io::{BufferedFile, OpenOptions};

use crate::shard::snapshot::Chunk;

/// Bytes of chunks kept in memory.
const IN_MEMORY: usize = 8 << 20;

/// A chunk, or where its bytes are.
pub struct Waiting {
    /// Whose it is.
    pub from: usize,
    /// The chunk; without its bytes if they are spilled.
    pub chunk: Chunk,
    /// How many bytes.
    pub len: usize,
    /// Where they are in the file, if they are.
    pub spilled_at: Option<u64>,
}

/// Chunks that have come and not been written, in order of arrival.
#[derive(Default)]
pub struct Order {
    /// The core whose value is not finished.
    at_work: Option<usize>,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    spilled: usize,
}

impl Order {
    /// Whether one more of `len` bytes is to be spilled.
    pub fn is_full(&self, len: usize) -> bool {
        self.bytes + len > IN_MEMORY
    }

    /// Whether anything is in the file.
    pub fn is_spilling(&self) -> bool {
        self.spilled > 0
    }

    /// Takes a chunk in.
    pub fn push(&mut self, waiting: Waiting) {
        match waiting.spilled_at {
            Some(_) => self.spilled += 1,
            None => self.bytes += waiting.len,
        }
        self.waiting.push_back(waiting);
    }

    /// The next that may be written: the oldest, or the oldest of the core whose value is not finished.
    pub fn next(&mut self) -> Option<Waiting> {
        let at = match self.at_work {
            Some(core) => self.waiting.iter().position(|waiting| waiting.from == core)?,
            None => 0,
        };
        let next = self.waiting.remove(at)?;
        self.at_work = (!next.chunk.is_whole).then_some(next.from);
        match next.spilled_at {
            Some(_) => self.spilled -= 1,
            None => self.bytes -= next.len,
        }
        Some(next)
    }
}

/// The nameless file.
pub struct Spill {
    file: BufferedFile,
    end: Cell<u64>,
}

impl Spill {
    /// Makes it beside `temporary`.
    ///
    /// Errors: those of creating a file.
    pub async fn new(temporary: &Path) -> io::Result<Spill> {
        let path = temporary.with_extension("spill");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).buffered_open(&path).await?;
        std::fs::remove_file(&path)?;
        Ok(Spill { file, end: Cell::new(0) })
    }

    /// Adds bytes; returns where they lie.
    ///
    /// Errors: those of write(2), a short one included.
    pub async fn write(&self, bytes: Vec<u8>) -> io::Result<u64> {
        let (at, len) = (self.end.get(), bytes.len());
        if self.file.write_at(bytes, at).await? != len {
            return Err(io::Error::other("a short write to the spill file"));
        }
        self.end.set(at + len as u64);
        Ok(at)
    }

    /// Fetches a chunk's bytes back if they are in the file.
    ///
    /// Errors: those of read(2), a short one included.
    pub async fn fetch(&self, waiting: &mut Waiting) -> io::Result<()> {
        let Some(at) = waiting.spilled_at else { return Ok(()) };
        let read = self.file.read_at(at, waiting.len).await?;
        if read.len() != waiting.len {
            return Err(io::Error::other("a short read from the spill file"));
        }
        waiting.chunk.bytes = read.to_vec();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_whole_and_each_core_keeps_its_order() {
        let mut order = Order::default();
        let all = [
            (0, 'a', false),
            (1, 'p', false),
            (1, 'q', true),
            (0, 'b', false),
            (1, 'r', true),
            (0, 'c', true),
        ];
        let mut written = String::new();
        for (from, name, is_whole) in all {
            let chunk = Chunk { bytes: vec![name as u8], sum: 0, keys: 0, is_whole, is_last: false };
            order.push(Waiting { from, chunk, len: 1, spilled_at: None });
            while let Some(next) = order.next() {
                written.push(char::from(next.chunk.bytes[0]));
            }
        }
        assert_eq!((written.as_str(), order.bytes), ("abcpqr", 0));
    }
}
