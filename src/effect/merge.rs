//! One stream out of the logs of all cores, by offset.
//!
//! [`Merge`] follows the logs (the append-only file; later replica links); [`gather`] puts together what `DEBUG STREAM` collected. Invariant: offsets are dense, so the
//! next byte is always in exactly one log: a hole means a batch was dropped or is not published yet, and ends the piece.
//! Bounds: one cursor per core; a step looks at each cursor at most once. Why no heap: the batch that follows is mostly of the same core or of the
//! next one, and there are few cores.

use super::log::{Batch, Cursor};

/// Follows the logs of all cores as one stream.
pub struct Merge {
    cursors: Vec<Cursor>,
    offset: u64,
    at: usize,
}

impl Merge {
    /// Follows `cursors`, one of each core, which all stand at stream position `offset`.
    pub fn new(cursors: Vec<Cursor>, offset: u64) -> Merge {
        Merge { cursors, offset, at: 0 }
    }

    /// Where the next batch begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the next batch is published.
    pub fn has_next(&self) -> bool {
        self.cursors.iter().any(|cursor| cursor.next_offset() == Some(self.offset))
    }
}

impl Iterator for Merge {
    type Item = Batch;

    /// The batch at [`Merge::offset`], if it is published.
    fn next(&mut self) -> Option<Batch> {
        for _ in 0..self.cursors.len() {
            let cursor = &mut self.cursors[self.at];
            if cursor.next_offset() == Some(self.offset) {
                let batch = cursor.take()?;
                self.offset = batch.end();
                return Some(batch);
            }
            self.at = if self.at + 1 == self.cursors.len() { 0 } else { self.at + 1 };
        }
        None
    }
}

/// The contiguous stream from `offset` on, as far as the batches of all cores reach.
pub fn gather(mut batches: Vec<Batch>, offset: u64) -> Vec<u8> {
    batches.sort_unstable_by_key(Batch::offset);
    let (mut next, mut stream) = (offset, Vec::new());
    for batch in batches {
        if batch.offset() > next {
            break;
        }
        if batch.end() > next {
            stream.extend_from_slice(&batch.bytes()[(next - batch.offset()) as usize..]);
            next = batch.end();
        }
    }
    stream
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Effect, Kind, Log, Reader};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn stops_at_a_hole_and_starts_inside_a_batch() {
        let batch = |offset, bytes: &[u8]| Batch::detached(offset, bytes.to_vec());
        let batches = vec![batch(3, b"def"), batch(0, b"abc"), batch(7, b"hi")];
        assert_eq!(gather(batches.clone(), 1), b"bcdef");
        assert_eq!(gather(batches, 7), b"hi");
    }

    #[test]
    fn three_threads_write_and_one_reads_every_byte_in_order() {
        const EACH: u32 = 20_000;
        let stream: &'static AtomicU64 = Box::leak(Box::default());
        let mut logs: Vec<Log> = (0..3).map(|_| Log::of_stream(stream)).collect();
        let cursors = logs.iter_mut().map(|log| log.attach(Reader::File, 0)).collect();
        let mut merge = Merge::new(cursors, 0);
        std::thread::scope(|scope| {
            for (core, mut log) in logs.into_iter().enumerate() {
                scope.spawn(move || {
                    for number in 0..EACH {
                        let text = format!("{core}:{number}");
                        let words = [&b"DEL"[..], text.as_bytes()].into_iter().collect();
                        log.staging.add(&Effect { db: 0, slot: None, kind: Kind::Plain, words });
                        log.staging.close_unit();
                        log.seal();
                    }
                });
            }
            let (mut seen, mut end) = (0, 0);
            while seen < 3 * EACH {
                let Some(batch) = merge.next() else { continue };
                assert_eq!(batch.offset(), end);
                end = batch.end();
                seen += 1;
            }
            assert!(!merge.has_next() && merge.offset() == stream.load(Ordering::Acquire));
        });
    }
}
