//! LZF, the compression of strings in RDB.
//!
//! Called by `encode` and `decode`. Format: a control byte below 32 announces that many + 1 literal bytes; otherwise its upper three bits are a length
//! (7: one more byte follows and is added) less 2, its lower five and the next byte a distance less 1. Invariants: what [`compress`] makes any reader of the
//! format expands to the input; [`expand`] reads and writes nothing outside its buffers whatever the input. Bounds: matches of up to 264 bytes, 8 KiB back;
//! a table of 4 bytes per input byte, 32 KiB at most. Why not a crate: forty lines each way, and the output's bound is ours.

const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MAX: usize = 264;
/// The most bytes one compressed byte can stand for (a match of three bytes gives 264).
pub const RATIO_MAX: usize = MATCH_MAX / 3 + 1;

/// Appends literals in runs.
fn put_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn put_match(out: &mut Vec<u8>, distance: usize, len: usize) {
    let (far, len) = (distance - 1, len - 2);
    let high = (far >> 8) as u8;
    if len < 7 {
        out.push((len as u8) << 5 | high);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8]);
    }
    out.push(far as u8);
}

/// The compressed form; None if it is not shorter than the input by at least 4 bytes.
pub fn compress(input: &[u8]) -> Option<Vec<u8>> {
    let most = input.len().checked_sub(4).filter(|&most| most > 0)?;
    let bits = input.len().next_power_of_two().ilog2().clamp(8, 13);
    let mut table = vec![0u32; 1 << bits];
    let hash = |at: usize| {
        let word = u32::from(input[at]) << 16 | u32::from(input[at + 1]) << 8 | u32::from(input[at + 2]);
        (word.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
    };
    let mut out = Vec::with_capacity(most);
    let (mut at, mut literal_from) = (0, 0);
    while at + 3 <= input.len() {
        let place = hash(at);
        // Positions are kept plus one: zero is empty.
        let candidate = (table[place] as usize).checked_sub(1);
        table[place] = at as u32 + 1;
        let found =
            candidate.filter(|&from| at - from <= DISTANCE_MAX && input[from..from + 3] == input[at..at + 3]);
        let Some(from) = found else {
            at += 1;
            continue;
        };
        let limit = (input.len() - at).min(MATCH_MAX);
        let len = (3..limit).find(|&len| input[from + len] != input[at + len]).unwrap_or(limit);
        put_literals(&mut out, &input[literal_from..at]);
        put_match(&mut out, at - from, len);
        if out.len() > most {
            return None;
        }
        for inside in at + 1..(at + len).min(input.len() - 2) {
            table[hash(inside)] = inside as u32 + 1;
        }
        at += len;
        literal_from = at;
    }
    put_literals(&mut out, &input[literal_from..]);
    (out.len() <= most).then_some(out)
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
            let literals = after.get(..control + 1)?;
            out.extend_from_slice(literals);
            rest = &after[control + 1..];
        } else {
            let mut count = control >> 5;
            let mut after = after;
            if count == 7 {
                let (&more, next) = after.split_first()?;
                count += usize::from(more);
                after = next;
            }
            let (&low, next) = after.split_first()?;
            rest = next;
            let distance = ((control & 31) << 8 | usize::from(low)) + 1;
            let from = out.len().checked_sub(distance)?;
            if out.len() + count + 2 > len {
                return None;
            }
            // Byte by byte in effect: a match may run into what it writes.
            for at in from..from + count + 2 {
                out.push(out[at]);
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
        let mut compressed = 0;
        for round in 0..2000u64 {
            let alphabet = 1 + prng.below(round % 40 + 1);
            let len = prng.below(6000) as usize;
            let mut input: Vec<u8> = (0..len).map(|_| prng.below(alphabet) as u8).collect();
            if round % 3 == 0 {
                input = input.repeat(3);
            }
            if let Some(short) = compress(&input) {
                compressed += 1;
                assert!(short.len() + 4 <= input.len());
                assert_eq!(expand(&short, input.len()).as_deref(), Some(&input[..]));
                assert_eq!(expand(&short, input.len() + 1), None);
                assert_eq!(expand(&short[..short.len() - 1], input.len()), None);
            }
        }
        assert!(compressed > 500);
        assert_eq!(compress(b""), None);
        assert_eq!(compress(b"abcd"), None);
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
