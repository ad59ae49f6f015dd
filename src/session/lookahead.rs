//! Fetches the keys of the next commands of a pipeline into the cache before they are executed.
//!
//! A random key costs three dependent cache misses; asking for the keys of a whole batch first lets the misses of different keys overlap.
//! `session::run` makes a [`Plan`] once per [`DEPTH`] commands; it travels with the session, so that every core it comes to can ask for the keys of its own
//! run before executing it (`session::core`). The scan only skims: it reads the second word of well-formed commands and stops at anything else.
//!
//! Invariant: no effect but on caches and on who computes a hash: a slot and hash are taken from the plan only for the very bytes (address and length) they
//! were computed from, while those lie in the received chunk, which nobody writes. Bounds: [`DEPTH`] commands, [`KEY_MAX`] bytes of key.
//! Why not keep the parse: the parser owns that, and skimming a small command costs a few nanoseconds.

use crate::command::SlotMap;
use crate::keyspace::{Key, Keyspace};
use crate::resp::Args;

/// Commands looked at in one go.
const DEPTH: usize = 32;
/// Longer keys are not worth hashing twice.
const KEY_MAX: usize = 128;
/// Less input than this is a command or two: not worth a look ahead.
const LEAST_INPUT: usize = 256;

/// The slot and hash of one command's key; `None` for a command without one.
type Place = Option<(u16, u64)>;

/// Where the key of a command lies, address and length.
type Lies = (usize, usize);

const NOWHERE: Lies = (0, 0);

/// The keys of the next commands of a session.
#[derive(Default)]
pub struct Plan {
    places: Vec<Place>,
    /// Where their keys lie, while the input they were skimmed from stays where it is; else empty.
    lie: Vec<Lies>,
    at: usize,
}

impl Plan {
    /// Whether the command at hand lies beyond the plan.
    #[inline]
    pub fn is_used_up(&self) -> bool {
        self.at >= self.places.len()
    }

    /// The command at hand is done.
    #[inline]
    pub fn advance(&mut self) {
        self.at += 1;
    }

    /// Plans the commands in `input`, which begins with the command at hand. `lasts`: it stays in place until [`Plan::forget_places`].
    pub fn make(&mut self, input: &[u8], lasts: bool) {
        self.clear();
        let mut at = 0;
        while self.places.len() < DEPTH {
            let Some((key, len)) = skim(&input[at..]) else { break };
            at += len;
            if lasts {
                self.lie.push(key.map_or(NOWHERE, |key| (key.as_ptr().addr(), key.len())));
            }
            self.places.push(key.map(|key| {
                let key = Key::new(key);
                (key.slot, key.hash)
            }));
        }
    }

    /// Plans nothing.
    #[inline]
    pub fn clear(&mut self) {
        self.places.clear();
        self.lie.clear();
        self.at = 0;
    }

    /// The input is about to go: what lies where is not known any more.
    #[inline]
    pub fn forget_places(&mut self) {
        self.lie.clear();
    }

    /// The key of the command at hand, with its slot and hash, if it was planned from these very bytes; else a key without bytes.
    #[inline]
    pub fn known<'a>(&self, args: &Args<'a>) -> Key<'a> {
        if let (Some(&lies), Some(word)) = (self.lie.get(self.at), args.get_checked(1))
            && lies == (word.as_ptr().addr(), word.len())
            && let Some(Some((slot, hash))) = self.places.get(self.at).copied()
        {
            return Key { bytes: word, slot, hash };
        }
        key_at((0, 0))
    }

    /// Plans one command only: the one a session travels for.
    pub fn make_single(&mut self, place: Place) {
        self.lie.clear();
        self.places.clear();
        self.places.push(place);
        self.at = 0;
    }

    /// Asks for all keys of this core's that the plan names: their tables first, then their entries.
    pub fn fetch_own(&self, space: &Keyspace, db: usize, map: &SlotMap, core: usize) {
        let own = || self.rest().filter(|place| map.core_of(place.0) == core);
        own().for_each(|place| space.dict(db).prefetch(&key_at(place)));
        own().for_each(|place| space.dict(db).prefetch_entry(&key_at(place)));
    }

    /// The keys of the run that begins with the command at hand: up to the first that another core owns.
    pub fn own_run<'p>(&'p self, map: &'p SlotMap, core: usize) -> impl Iterator<Item = Key<'static>> + 'p {
        self.rest().take_while(move |place| map.core_of(place.0) == core).map(key_at)
    }

    /// Asks for the plan itself, which another core has written.
    #[inline]
    pub fn prefetch(&self) {
        crate::base::cache::prefetch(self.places.as_ptr().wrapping_add(self.at).cast(), 128);
    }

    fn rest(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.places.get(self.at..).unwrap_or_default().iter().flatten().copied()
    }
}

/// Whether an input is long enough to be a pipeline worth a plan.
#[inline]
pub fn is_pipeline(input: &[u8]) -> bool {
    input.len() >= LEAST_INPUT
}

/// The key of a short input that is one command (a longer one makes a plan when it is run).
pub fn first_key(input: &[u8]) -> Option<Key<'static>> {
    if is_pipeline(input) {
        return None;
    }
    let key = Key::new(skim(input)?.0?);
    Some(key_at((key.slot, key.hash)))
}

fn key_at((slot, hash): (u16, u64)) -> Key<'static> {
    Key { bytes: &[], slot, hash }
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
