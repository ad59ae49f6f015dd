//! One stream out of the logs of all cores, by offset.
//!
//! Called by `DEBUG STREAM` (the test reader); later by the stock PSYNC link. Invariant: offsets are dense, so the
//! next byte is always in exactly one log: a hole means a batch was dropped or is not published yet, and ends the piece.
//! Bounds: what the logs hold.

use std::sync::Arc;

use super::log::Batch;

/// The contiguous stream from `offset` on, as far as the batches of all cores reach.
pub fn gather(mut batches: Vec<Arc<Batch>>, offset: u64) -> Vec<u8> {
    batches.sort_unstable_by_key(|batch| batch.offset);
    let (mut next, mut stream) = (offset, Vec::new());
    for batch in batches {
        let end = batch.offset + batch.bytes.len() as u64;
        if batch.offset > next {
            break;
        }
        if end > next {
            stream.extend_from_slice(&batch.bytes[(next - batch.offset) as usize..]);
            next = end;
        }
    }
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(offset: u64, bytes: &[u8]) -> Arc<Batch> {
        Arc::new(Batch { offset, bytes: bytes.to_vec(), index: Vec::new() })
    }

    #[test]
    fn stops_at_a_hole_and_starts_inside_a_batch() {
        let batches = vec![batch(3, b"def"), batch(0, b"abc"), batch(7, b"hi")];
        assert_eq!(gather(batches.clone(), 1), b"bcdef");
        assert_eq!(gather(batches, 7), b"hi");
    }
}
