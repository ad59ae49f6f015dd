//! LZF, the compression of strings in RDB.
//!
//! Called by `encode`, `long` and `decode`. Format: a control byte below 32 announces that many + 1 literal bytes; otherwise its upper three bits are a length
//! (7: one more byte follows and is added) less 2, its lower five and the next byte a distance less 1. Invariants: what a [`Packer`] makes any reader of the
//! format expands to the input; [`expand`] reads and writes nothing outside its buffers whatever the input. Bounds: matches of up to 264 bytes, 8 KiB back;
//! a table of 32 KiB, one per thread and one per long text under way. Why not a crate: forty lines each way, it can stop midway, and the output's bound is ours.
//!
//! Why it is quick: the table is never cleared between texts (positions are counted on, what an earlier text left is out of range), and where nothing repeats
//! the search takes ever longer strides.
use std::cell::RefCell;

const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MAX: usize = 264;
/// The most bytes one compressed byte can stand for (a match of three bytes gives 264).
pub const RATIO_MAX: usize = MATCH_MAX / 3 + 1;
/// Positions of the table, as a power of two.
const TABLE_BITS: u32 = 13;
/// After this many positions without a match, as a power of two, the stride grows by one.
const PATIENCE_BITS: u32 = 5;
/// Longer texts are not compressed, bytes: positions are kept in 32 bits.
const INPUT_MAX: usize = 1 << 31;
/// The compressed form must be this much shorter, bytes (redis' rule).
pub const GAIN_MIN: usize = 4;

/// Appends literals in runs.
#[inline]
fn put_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

#[inline]
fn put_match(out: &mut Vec<u8>, distance: usize, len: usize) {
    let (far, len) = (distance - 1, len - 2);
    let high = (far >> 8) as u8;
    if len < 7 {
        out.extend_from_slice(&[(len as u8) << 5 | high, far as u8]);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8, far as u8]);
    }
}

/// The four bytes at `at`.
#[inline]
fn word(input: &[u8], at: usize) -> u32 {
    input.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// How many bytes both begin with.
#[inline]
fn common(one: &[u8], other: &[u8]) -> usize {
    let (eights, rest) = one.as_chunks::<8>();
    let (other_eights, other_rest) = other.as_chunks::<8>();
    let mut same = 0;
    for (one, other) in eights.iter().zip(other_eights) {
        let differing = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if differing != 0 {
            return same + differing.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    same + rest.iter().zip(other_rest).take_while(|(one, other)| one == other).count()
}

/// How far a text is compressed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Bytes looked at.
    at: usize,
    /// Bytes written, as literals or matches.
    written: usize,
    /// Positions since the last match.
    misses: usize,
}

/// A compressor: a table of where three bytes were last seen.
#[derive(Debug, Clone)]
pub struct Packer {
    table: Box<[u32; 1 << TABLE_BITS]>,
    /// Added to the positions of this text.
    base: u32,
    out: Vec<u8>,
}

impl Default for Packer {
    fn default() -> Self {
        Self { table: Box::new([0; 1 << TABLE_BITS]), base: 1, out: Vec::new() }
    }
}

impl Packer {
    /// The compressed form; None if it is not shorter than the input by [`GAIN_MIN`] bytes.
    pub fn compress(&mut self, input: &[u8]) -> Option<&[u8]> {
        let most = input.len().checked_sub(GAIN_MIN).filter(|&most| most > 0 && can_pack(input.len()))?;
        if self.base as usize > INPUT_MAX - input.len() {
            self.table.fill(0);
            self.base = 1;
        }
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        out.reserve(input.len() + input.len() / LITERALS_MAX + 1);
        let mut progress = Progress::default();
        self.advance(input, &mut progress, usize::MAX, &mut out);
        self.base += input.len() as u32;
        self.out = out;
        (self.out.len() <= most).then_some(&self.out[..])
    }

    /// Goes on to `until` bytes of `input`, of which this packer has seen the part up to `progress` and nothing since; what comes of it is appended to `out`. True at the end.
    pub fn advance(
        &mut self,
        input: &[u8],
        progress: &mut Progress,
        until: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        let (base, table) = (self.base, &mut *self.table);
        let bits = input.len().next_power_of_two().ilog2().clamp(8, TABLE_BITS);
        let hash = |word: u32| {
            let hash = (word << 8).wrapping_mul(0x9e37_79b1) >> (32 - bits);
            hash as usize & ((1 << TABLE_BITS) - 1)
        };
        let Progress { mut at, mut written, mut misses } = *progress;
        // Where four bytes can be read.
        let end = input.len().saturating_sub(3);
        let stop = end.min(until);
        while at < stop {
            let here = word(input, at);
            let slot = &mut table[hash(here)];
            let from = slot.wrapping_sub(base) as usize;
            *slot = base.wrapping_add(at as u32);
            let near = from.min(at);
            // One branch, which the processor foresees.
            let found = (from < at) & (at - near <= DISTANCE_MAX) & ((word(input, near) ^ here) << 8 == 0);
            if !found {
                at += 1 + (misses >> PATIENCE_BITS);
                misses += 1;
                continue;
            }
            misses = 0;
            put_literals(out, &input[written..at]);
            let limit = (input.len() - at).min(MATCH_MAX);
            let len = 3 + common(&input[from + 3..from + limit], &input[at + 3..at + limit]);
            put_match(out, at - from, len);
            at += len;
            written = at;
            if at < end {
                (at - 2..at).for_each(|seen| table[hash(word(input, seen))] = base.wrapping_add(seen as u32));
            }
        }
        let is_done = at >= end;
        // Whole runs of literals leave with each slice, so that the last has not all of them to write.
        let whole = at.min(input.len()).saturating_sub(written) / LITERALS_MAX * LITERALS_MAX;
        let ready = if is_done { input.len() } else { written + whole };
        put_literals(out, &input[written..ready]);
        *progress = Progress { at, written: ready, misses };
        is_done
    }
}

/// Whether a text of `len` bytes can be compressed at all.
pub fn can_pack(len: usize) -> bool {
    len < INPUT_MAX
}

thread_local! {
    static PACKER: RefCell<Packer> = RefCell::default();
}

/// Hands the compressed form of `input` to `take`; None if it is not shorter by [`GAIN_MIN`] bytes.
pub fn compressed<R>(input: &[u8], take: impl FnOnce(&[u8]) -> R) -> Option<R> {
    PACKER.with(|packer| packer.try_borrow_mut().ok()?.compress(input).map(take))
}

/// The `len` bytes that `input` stands for; None if it stands for anything else.
pub fn expand(input: &[u8], len: usize) -> Option<Vec<u8>> {
    if len > input.len().saturating_mul(RATIO_MAX) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = input;
    while let Some((&control, after)) = rest.split_first() {
        let control = usize::from(control);
        if control < LITERALS_MAX {
            let (literals, after) = after.split_at_checked(control + 1)?;
            out.extend_from_slice(literals);
            rest = after;
        } else {
            let mut count = (control >> 5) + 2;
            let mut after = after;
            if count == 7 + 2 {
                let (&more, next) = after.split_first()?;
                count += usize::from(more);
                after = next;
            }
            let (&low, next) = after.split_first()?;
            rest = next;
            let distance = ((control & 31) << 8 | usize::from(low)) + 1;
            let from = out.len().checked_sub(distance)?;
            if out.len() + count > len {
                return None;
            }
            // A match may run into what it writes: then what lies between is repeated.
            while count > 0 {
                let part = count.min(out.len() - from);
                out.extend_from_within(from..from + part);
                count -= part;
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn expands_to_what_was_compressed() {
        let mut prng = Prng::new(9);
        let mut shorter = 0;
        for round in 0..2000u64 {
            let alphabet = 1 + prng.below(round % 40 + 1);
            let len = prng.below(6000) as usize;
            let mut input: Vec<u8> = (0..len).map(|_| prng.below(alphabet) as u8).collect();
            if round % 3 == 0 {
                input = input.repeat(3);
            }
            let mut packer = Packer::default();
            let (mut progress, mut parts) = (Progress::default(), Vec::new());
            let mut until = 0;
            while !packer.advance(&input, &mut progress, until, &mut parts) {
                until += 1 + round as usize;
            }
            if let Some(short) = compressed(&input, <[u8]>::to_vec) {
                assert!(parts == short, "in slices of {round} bytes and one");
                shorter += 1;
                assert!(short.len() + 4 <= input.len());
                assert_eq!(expand(&short, input.len()).as_deref(), Some(&input[..]));
                assert_eq!(expand(&short, input.len() + 1), None);
                assert_eq!(expand(&short[..short.len() - 1], input.len()), None);
            }
        }
        assert!(shorter > 500);
        assert_eq!(compressed(b"", <[u8]>::len), None);
        assert_eq!(compressed(b"abcd", <[u8]>::len), None);
    }

    #[test]
    fn garbage_gives_nothing_or_the_length_asked_for() {
        let mut prng = Prng::new(10);
        for _ in 0..20_000 {
            let input: Vec<u8> = (0..prng.below(40)).map(|_| prng.next_u64() as u8).collect();
            let len = prng.below(300) as usize;
            assert!(expand(&input, len).is_none_or(|out| out.len() == len));
        }
        assert_eq!(expand(&[0xff], usize::MAX), None);
    }
}
