//! HyperLogLog in redis' bytes: a string that counts distinct elements, 0.81 % off as a rule.
//!
//! Used by the PF commands; calls nobody. Layout (facts of redis' hyperloglog.c):
//! ```text
//! "HYLL" | encoding u8: 0 dense, 1 sparse | 3 bytes unused | cached count u64 LE, its top bit: the cache is stale
//! dense:  16384 registers of 6 bits, the lowest first
//! sparse: 00xxxxxx x+1 zeros | 01xxxxxx yyyyyyyy xy+1 zeros | 1vvvvvxx x+1 registers of value v+1
//! ```
//! Invariant: the same sequence of additions gives the same bytes as redis makes. Bytes from outside may be anything: every
//! read is bounded, and a sparse form that does not cover 16384 registers exactly is [`Corrupt`].
//! Bounds: a sparse change costs its at most hll-sparse-max-bytes, a count or a merge 16384 registers.
use std::cmp::max;

/// Registers of a HyperLogLog.
pub const REGISTERS: usize = 1 << REGISTER_BITS;
const REGISTER_BITS: u32 = 14;
/// Bytes before the registers.
pub const HEAD: usize = 16;
/// Bytes of a dense one.
pub const DENSE_LEN: usize = HEAD + REGISTERS * 6 / 8;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const SEED: u64 = 0xadc8_3b19;
/// Hash bits that are left for the run of zeros.
const RUN_BITS: usize = 64 - REGISTER_BITS as usize;
const ZERO_MAX: usize = 64;
const VALUE_MAX: u8 = 32;
const VALUE_RUN_MAX: usize = 4;

/// The registers, one byte each.
pub type Registers = [u8; REGISTERS];

/// A sparse form that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt;

/// MurmurHash64A, little endian.
fn murmur64a(data: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = seed ^ (data.len() as u64).wrapping_mul(M);
    let mut chunks = data.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        let mut k = u64::from_le_bytes(word).wrapping_mul(M);
        k ^= k >> 47;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(M);
    }
    hash ^= hash >> 47;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 47
}

/// The register of an element and the value it asks for.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, SEED);
    let run = (hash >> REGISTER_BITS) | 1 << RUN_BITS;
    ((hash as usize) & (REGISTERS - 1), run.trailing_zeros() as u8 + 1)
}

/// A new, empty one.
pub fn empty() -> Vec<u8> {
    let mut bytes = b"HYLL".to_vec();
    bytes.resize(HEAD, 0);
    bytes[4] = SPARSE;
    push_zeros(&mut bytes, REGISTERS);
    bytes
}

/// Whether the string looks like one (its registers are not looked at).
pub fn is_valid(bytes: &[u8]) -> bool {
    match bytes {
        [b'H', b'Y', b'L', b'L', DENSE, ..] => bytes.len() == DENSE_LEN,
        [b'H', b'Y', b'L', b'L', SPARSE, ..] => bytes.len() >= HEAD,
        _ => false,
    }
}

/// Whether a valid one is dense.
pub fn is_dense(bytes: &[u8]) -> bool {
    bytes.get(4) == Some(&DENSE)
}

/// The cached count, unless it is stale.
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let count = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    (count >> 63 == 0).then_some(count)
}

/// Stores the count.
pub fn set_cached(bytes: &mut [u8], count: u64) {
    bytes[8..16].copy_from_slice(&count.to_le_bytes());
}

/// Marks the cached count as stale.
pub fn invalidate(bytes: &mut [u8]) {
    bytes[15] |= 0x80;
}

fn dense_get(bytes: &[u8], index: usize) -> u8 {
    let (byte, shift) = (HEAD + index * 6 / 8, index * 6 % 8);
    let high = bytes.get(byte + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([bytes[byte], high]) >> shift) as u8 & 63
}

fn dense_put(bytes: &mut [u8], index: usize, value: u8) {
    let (byte, shift) = (HEAD + index * 6 / 8, index * 6 % 8);
    let put = |old: u8, mask: u16, bits: u16, upper: bool| {
        let part = |word: u16| (if upper { word >> 8 } else { word }) as u8;
        old & !part(mask) | part(bits)
    };
    let (mask, bits) = (63u16 << shift, u16::from(value) << shift);
    bytes[byte] = put(bytes[byte], mask, bits, false);
    if shift > 2 {
        bytes[byte + 1] = put(bytes[byte + 1], mask, bits, true);
    }
}

/// Whether a dense one would change if `element` were added.
pub fn dense_lacks(bytes: &[u8], element: &[u8]) -> bool {
    let (index, value) = place(element);
    dense_get(bytes, index) < value
}

/// Adds to a dense one; true if it changed.
pub fn dense_add(bytes: &mut [u8], element: &[u8]) -> bool {
    let (index, value) = place(element);
    dense_raise(bytes, index, value)
}

fn dense_raise(bytes: &mut [u8], index: usize, value: u8) -> bool {
    let raised = dense_get(bytes, index) < value;
    if raised {
        dense_put(bytes, index, value);
    }
    raised
}

/// Adds an element; true if a register changed. May turn it dense.
///
/// # Errors
/// [`Corrupt`] if it is sparse and its bytes make no sense.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_max: usize) -> Result<bool, Corrupt> {
    let (index, value) = place(element);
    raise(bytes, index, value, sparse_max)
}

/// Raises a register to `value` if it is lower; true if it was.
///
/// # Errors
/// As [`add`].
pub fn raise(bytes: &mut Vec<u8>, index: usize, value: u8, sparse_max: usize) -> Result<bool, Corrupt> {
    if is_dense(bytes) {
        Ok(dense_raise(bytes, index, value))
    } else {
        sparse_raise(bytes, index, value, sparse_max)
    }
}

/// A run of equal registers in the sparse form.
#[derive(Clone, Copy)]
struct Run {
    value: u8,
    registers: usize,
    /// Bytes of its code; a cut one counts the byte it lacks.
    size: usize,
}

fn run_at(bytes: &[u8], at: usize) -> Run {
    let code = bytes[at];
    let low = usize::from(code & 63);
    match code >> 6 {
        0 => Run { value: 0, registers: low + 1, size: 1 },
        1 => {
            let next = bytes.get(at + 1).copied().unwrap_or(0);
            Run { value: 0, registers: (low << 8 | usize::from(next)) + 1, size: 2 }
        }
        _ => Run { value: (code >> 2 & 31) + 1, registers: usize::from(code & 3) + 1, size: 1 },
    }
}

fn push_zeros(out: &mut Vec<u8>, count: usize) {
    if count > ZERO_MAX {
        out.extend_from_slice(&[((count - 1) >> 8) as u8 | 64, (count - 1) as u8]);
    } else if count > 0 {
        out.push((count - 1) as u8);
    }
}

fn value_code(value: u8, count: usize) -> u8 {
    128 | (value - 1) << 2 | (count - 1) as u8
}

fn push_values(out: &mut Vec<u8>, value: u8, count: usize) {
    if count > 0 {
        out.push(value_code(value, count));
    }
}

fn sparse_raise(bytes: &mut Vec<u8>, index: usize, value: u8, sparse_max: usize) -> Result<bool, Corrupt> {
    if value > VALUE_MAX {
        make_dense(bytes)?;
        return Ok(dense_raise(bytes, index, value));
    }
    // Find the run that covers the register, and the one before it.
    let (mut at, mut first, mut previous) = (HEAD, 0, HEAD);
    let run = loop {
        if at >= bytes.len() {
            return Err(Corrupt);
        }
        let run = run_at(bytes, at);
        if index < first + run.registers {
            break run;
        }
        previous = at;
        at += run.size;
        first += run.registers;
    };
    if run.value >= value {
        return Ok(false);
    }
    if at + run.size > bytes.len() {
        return Err(Corrupt);
    }
    if run.registers == 1 && run.size == 1 {
        bytes[at] = value_code(value, 1);
    } else {
        let mut codes = Vec::with_capacity(5);
        let (before, behind) = (index - first, first + run.registers - 1 - index);
        let push_rest = |codes: &mut Vec<u8>, count| match run.value {
            0 => push_zeros(codes, count),
            own => push_values(codes, own, count),
        };
        push_rest(&mut codes, before);
        push_values(&mut codes, value, 1);
        push_rest(&mut codes, behind);
        if codes.len() > run.size && bytes.len() + codes.len() - run.size > sparse_max {
            make_dense(bytes)?;
            return Ok(dense_raise(bytes, index, value));
        }
        bytes.splice(at..at + run.size, codes);
    }
    join_values(bytes, previous);
    invalidate(bytes);
    Ok(true)
}

/// Joins equal values among the five runs from `at` on.
fn join_values(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        if at >= bytes.len() {
            return;
        }
        let run = run_at(bytes, at);
        if run.value > 0 && at + 1 < bytes.len() {
            let next = run_at(bytes, at + 1);
            let joined = run.registers + next.registers;
            if next.value == run.value && joined <= VALUE_RUN_MAX {
                bytes[at + 1] = value_code(run.value, joined);
                bytes.remove(at);
                continue;
            }
        }
        at += run.size;
    }
}

/// Every run of a sparse one with its first register, if they cover the registers exactly.
fn each_run(bytes: &[u8], mut visit: impl FnMut(usize, Run)) -> Result<(), Corrupt> {
    let (mut at, mut first) = (HEAD, 0);
    while at < bytes.len() {
        let run = run_at(bytes, at);
        if first + run.registers > REGISTERS {
            return Err(Corrupt);
        }
        visit(first, run);
        first += run.registers;
        at += run.size;
    }
    if first == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// Turns it dense; true if it was not.
///
/// # Errors
/// As [`add`].
pub fn make_dense(bytes: &mut Vec<u8>) -> Result<bool, Corrupt> {
    if is_dense(bytes) {
        return Ok(false);
    }
    let mut dense = vec![0; DENSE_LEN];
    dense[..HEAD].copy_from_slice(&bytes[..HEAD]);
    dense[4] = DENSE;
    each_run(bytes, |first, run| {
        if run.value > 0 {
            (first..first + run.registers).for_each(|index| dense_put(&mut dense, index, run.value));
        }
    })?;
    *bytes = dense;
    Ok(true)
}

/// Raises each of `registers` to that of a valid HyperLogLog.
///
/// # Errors
/// As [`add`].
pub fn merge(registers: &mut Registers, bytes: &[u8]) -> Result<(), Corrupt> {
    if !is_dense(bytes) {
        return each_run(bytes, |first, run| {
            if run.value > 0 {
                registers[first..first + run.registers]
                    .iter_mut()
                    .for_each(|own| *own = max(*own, run.value));
            }
        });
    }
    for (own, packed) in registers.chunks_exact_mut(4).zip(bytes[HEAD..].chunks_exact(3)) {
        let word = u32::from_le_bytes([packed[0], packed[1], packed[2], 0]);
        for (at, own) in own.iter_mut().enumerate() {
            *own = max(*own, (word >> (6 * at)) as u8 & 63);
        }
    }
    Ok(())
}

/// The registers of a valid HyperLogLog.
///
/// # Errors
/// As [`add`].
pub fn registers(bytes: &[u8]) -> Result<Box<Registers>, Corrupt> {
    let mut registers = Box::new([0; REGISTERS]);
    merge(&mut registers, bytes)?;
    Ok(registers)
}

/// PFDEBUG DECODE's text of a sparse one.
pub fn describe(bytes: &[u8]) -> String {
    let (mut at, mut words) = (HEAD, Vec::new());
    while at < bytes.len() {
        let run = run_at(bytes, at);
        words.push(match (run.value, run.size) {
            (0, 1) => format!("z:{}", run.registers),
            (0, _) => format!("Z:{}", run.registers),
            (value, _) => format!("v:{value},{}", run.registers),
        });
        at += run.size;
    }
    words.join(" ")
}

/// How many distinct elements the registers saw: the estimator of Otmar Ertl, "New cardinality estimation algorithms for
/// HyperLogLog sketches" (2017), in the order of operations that redis uses.
pub fn estimate(registers: &Registers) -> u64 {
    let mut histogram = [0u32; 64];
    registers.iter().for_each(|&value| histogram[usize::from(value & 63)] += 1);
    let of_all = |count: u32| f64::from(count) / REGISTERS as f64;
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(histogram[RUN_BITS + 1])) / m);
    for value in (1..=RUN_BITS).rev() {
        z = (z + f64::from(histogram[value])) * 0.5;
    }
    z += m * sigma(of_all(histogram[0]));
    const ALPHA: f64 = 0.721_347_520_444_481_7;
    (ALPHA * m * m / z).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn sparse_and_dense_agree_and_count() {
        let mut prng = Prng::new(4);
        for most in [10, 300, 3000, 200_000] {
            let (mut sparse, mut dense) = (empty(), empty());
            make_dense(&mut dense).unwrap();
            let mut distinct = std::collections::HashSet::new();
            for _ in 0..most {
                let element = format!("e{}", prng.below(most)).into_bytes();
                assert_eq!(add(&mut sparse, &element, 3000), Ok(dense_lacks(&dense, &element)));
                dense_add(&mut dense, &element);
                distinct.insert(element);
            }
            assert!(is_valid(&sparse) && is_valid(&dense));
            assert_eq!(registers(&sparse).unwrap(), registers(&dense).unwrap());
            let counted = estimate(&registers(&sparse).unwrap()) as f64;
            assert!((counted / distinct.len() as f64 - 1.0).abs() < 0.03, "{counted} of {}", distinct.len());
            assert_eq!(is_dense(&sparse), most > 2000);
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_survived() {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(6);
        println!("SEED={seed}");
        let mut prng = Prng::new(seed);
        for _ in 0..20_000 {
            let mut bytes = empty();
            for _ in 0..prng.below(20) {
                let element = prng.next_u64().to_le_bytes();
                add(&mut bytes, &element, 3000).unwrap();
            }
            for _ in 0..1 + prng.below(4) {
                let at = HEAD + prng.below((bytes.len() - HEAD) as u64) as usize;
                match prng.below(3) {
                    0 => bytes[at] = prng.next_u64() as u8,
                    1 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, prng.next_u64() as u8),
                }
            }
            let sound = registers(&bytes).is_ok();
            describe(&bytes);
            for _ in 0..5 {
                let element = prng.next_u64().to_le_bytes();
                assert!(add(&mut bytes, &element, prng.below(4000) as usize).is_ok() || !sound);
            }
            assert!(make_dense(&mut bytes).is_ok() || !sound);
        }
    }
}
