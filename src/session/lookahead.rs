//! Fetches the keys of the next commands of a pipeline into the cache before they are executed.
//!
//! `session::run` calls [`warm`] once per [`DEPTH`] commands while more of the input lies ahead. A random key costs three dependent cache misses; asking for the keys of
//! a whole batch first lets the misses of different keys overlap. The scan only skims: it reads the second word of well-formed commands and stops
//! at anything else; what it finds is a hint and is never trusted.
//!
//! Invariant: no effect but on caches. Bounds: [`DEPTH`] commands, [`KEY_MAX`] bytes of key.
//! Why not keep the parse: the parser owns that, and skimming a small command costs a few nanoseconds.

use crate::keyspace::{Key, Keyspace};

/// Commands looked at in one go.
pub const DEPTH: usize = 16;
/// Longer keys are not worth hashing twice.
const KEY_MAX: usize = 128;

/// Prefetches the keys of the commands in `input`; returns how many commands were skimmed.
pub fn warm(space: &Keyspace, db: usize, input: &[u8]) -> usize {
    let mut keys: [Option<Key<'_>>; DEPTH] = [const { None }; DEPTH];
    let (mut at, mut count) = (0, 0);
    while count < DEPTH {
        let Some((key, len)) = skim(&input[at..]) else { break };
        at += len;
        if let Some(key) = key {
            let key = Key::new(key);
            space.dict(db).prefetch(&key);
            keys[count] = Some(key);
        }
        count += 1;
    }
    for key in keys[..count].iter().flatten() {
        space.dict(db).prefetch_entry(key);
    }
    count
}

/// The second word of the command that `input` begins with, and the command's length.
fn skim(input: &[u8]) -> Option<(Option<&[u8]>, usize)> {
    let (words, mut at) = length(input, 0, b'*')?;
    let mut key = None;
    for index in 0..words {
        let (len, begin) = length(input, at, b'$')?;
        at = begin + len + 2;
        if at > input.len() {
            return None;
        }
        if index == 1 && len <= KEY_MAX {
            key = Some(&input[begin..begin + len]);
        }
    }
    Some((key, at))
}

/// The number of a length line at `at` and where the next line begins; only short, well-formed lines.
#[inline]
fn length(input: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    if *input.get(at)? != mark {
        return None;
    }
    let (mut number, mut at) = (0, at + 1);
    loop {
        let byte = *input.get(at)?;
        at += 1;
        match byte {
            b'0'..=b'9' if number < 1 << 20 => number = number * 10 + (byte - b'0') as usize,
            b'\r' => return Some((number, at + 1)),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::skim;

    #[test]
    fn skims_well_formed_commands_only() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvv\r\n*1\r\n$4\r\nPING\r\n";
        assert_eq!(skim(input), Some((Some(&b"k"[..]), 28)));
        assert_eq!(skim(&input[28..]), Some((None, 14)));
        for cut in 0..28 {
            assert_eq!(skim(&input[..cut]), None, "cut at {cut}");
        }
        assert_eq!(skim(b"PING\r\n"), None);
        assert_eq!(skim(b"*99999999999999999999\r\n"), None);
        assert_eq!(skim(b"*1\r\n$-1\r\n"), None);
    }
}
