//! `Pack`: a sequence of strings and integers that is only read forwards: a listpack's entries without the lengths behind them.
//!
//! Used by small hashes and sets; calls `block` and, for the bytes of an entry, `packed` and `listpack`. Invariant: it was built by its own methods from the canonical
//! entries of `packed` (a text that is a number's is kept as the number), so that readers need no error paths and equal texts have equal bytes. Offsets
//! are of entry starts, the first is 0. Bounds: those of `block`; every call walks. Why not a `ListPack`: ten fields take a tenth less,
//! and an entry is found by comparing bytes. [`Pack::to_listpack`] makes redis' form where a file or a peer wants it.
use super::block::Block;
use super::listpack::{Builder, ListPack, body_len, decode};
use super::packed::Packed;
use crate::types::element::Element;

/// Most entries that one splice adds.
pub const MOST_ADDED: usize = 3;

/// See the module's text.
#[derive(Clone, Default)]
#[repr(transparent)]
pub struct Pack(Block);

/// Length of the entry at the start of `bytes`; 0 at the end.
#[inline]
fn entry_len(bytes: &[u8]) -> usize {
    body_len(bytes).unwrap_or(0)
}

impl Pack {
    /// The entries of a listpack.
    pub fn from_listpack(stored: &ListPack) -> Self {
        let mut bytes = Vec::with_capacity(stored.as_bytes().len());
        for element in stored.iter() {
            let packed = Packed::of(element);
            bytes.extend_from_slice(packed.head());
            bytes.extend_from_slice(packed.text());
        }
        let mut pack = Self::default();
        pack.0.splice(0, 0, &[&bytes], stored.len());
        pack.0.take_mark();
        pack
    }

    /// Redis' form.
    pub fn to_listpack(&self) -> ListPack {
        let bytes = self.0.bytes();
        let mut stored = Builder::new(bytes.len() + 2 * self.len());
        let mut at = 0;
        while at < bytes.len() {
            let len = entry_len(&bytes[at..]);
            stored.push_body(&bytes[at..at + len]);
            at += len;
        }
        stored.finish()
    }

    /// Entries held.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.count().unwrap_or_else(|| self.iter().count())
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.bytes().is_empty()
    }

    /// Bytes the allocator holds for it.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Reads and clears the mark that something changed.
    #[inline]
    pub fn take_changed(&mut self) -> bool {
        self.0.take_mark()
    }

    /// Bytes of the entries: the offset where a further one would begin.
    #[inline]
    pub fn end(&self) -> usize {
        self.0.bytes().len()
    }

    /// Offset of the first entry; None if empty.
    #[inline]
    pub fn first(&self) -> Option<usize> {
        (!self.is_empty()).then_some(0)
    }

    /// Offset of the entry after the one at `at`.
    #[inline]
    pub fn next(&self, at: usize) -> Option<usize> {
        let after = at + entry_len(&self.0.bytes()[at..]);
        (after < self.end()).then_some(after)
    }

    /// Offset of entry `index`.
    pub fn seek(&self, index: usize) -> Option<usize> {
        (0..index).try_fold(self.first()?, |at, _| self.next(at))
    }

    /// The entry at `at`.
    #[inline]
    pub fn get(&self, at: usize) -> Element<'_> {
        let bytes = &self.0.bytes()[at..];
        decode(&bytes[..entry_len(bytes)])
    }

    /// All entries in order.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { bytes: self.0.bytes() }
    }

    /// The first entry that is `text`, looking at every `skip + 1`st.
    pub fn find(&self, text: &[u8], skip: usize) -> Option<usize> {
        let packed = Packed::new(text);
        let first = packed.head()[0];
        let bytes = self.0.bytes();
        let mut at = 0;
        while let Some(&own) = bytes.get(at) {
            let len = entry_len(&bytes[at..]);
            if own == first && packed.is_body(&bytes[at..at + len]) {
                return Some(at);
            }
            at += len;
            for _ in 0..skip {
                at += entry_len(&bytes[at..]);
            }
        }
        None
    }

    /// Appends an entry.
    pub fn push(&mut self, element: Element<'_>) {
        self.splice(self.end(), 0, &[element]);
    }

    /// Replaces the entry at `at`.
    pub fn replace(&mut self, at: usize, text: &[u8]) {
        self.splice(at, 1, &[Element::Bytes(text)]);
    }

    /// Removes `count` entries from `at` on; returns the offset of what follows, None at the end.
    pub fn remove(&mut self, at: usize, count: usize) -> Option<usize> {
        self.splice(at, count, &[]);
        (at < self.end()).then_some(at)
    }

    /// Replaces `removed` entries from `at` on by `added` ([`MOST_ADDED`] at most).
    pub fn splice(&mut self, at: usize, removed: usize, added: &[Element<'_>]) {
        let count = self.len() - removed + added.len();
        let bytes = self.0.bytes();
        let end = (0..removed).fold(at, |end, _| end + entry_len(&bytes[end..]));
        let packed: [Option<Packed<'_>>; MOST_ADDED] =
            std::array::from_fn(|index| added.get(index).map(|&element| Packed::of(element)));
        let mut parts: [&[u8]; 2 * MOST_ADDED] = [&[]; 2 * MOST_ADDED];
        for (own, packed) in parts.chunks_mut(2).zip(packed.iter().flatten()) {
            (own[0], own[1]) = (packed.head(), packed.text());
        }
        self.0.splice(at, end - at, &parts[..2 * added.len()], count);
    }
}

/// See [`Pack::iter`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        let (body, rest) = self.bytes.split_at(body_len(self.bytes)?);
        self.bytes = rest;
        Some(decode(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    fn random_text(prng: &mut Prng) -> Vec<u8> {
        match prng.below(6) {
            0 => (prng.next_u64() as i64 >> prng.below(64)).to_string().into_bytes(),
            1 => vec![b'x'; prng.below(200) as usize],
            2 => vec![b'y'; 4000 + prng.below(200) as usize],
            3 => format!("0{}", prng.below(100)).into_bytes(),
            _ => format!("text{}", prng.below(30)).into_bytes(),
        }
    }

    #[test]
    fn behaves_like_a_vector_and_as_the_listpack_of_it() {
        let mut prng = Prng::new(21);
        let (mut pack, mut model) = (Pack::default(), Vec::<Vec<u8>>::new());
        for step in 0..6000 {
            let text = random_text(&mut prng);
            let pick = prng.below(model.len().max(1) as u64) as usize;
            match prng.below(if step % 1000 < 700 { 4 } else { 8 }) {
                0..=1 => {
                    pack.splice(
                        pack.end(),
                        0,
                        &[Element::Bytes(&text), Element::Int(step), Element::Bytes(b"")],
                    );
                    model.extend([text, step.to_string().into_bytes(), Vec::new()]);
                }
                2 if !model.is_empty() => {
                    pack.replace(pack.seek(pick).unwrap(), &text);
                    model[pick] = text;
                }
                _ if !model.is_empty() => {
                    let count = (1 + prng.below(3) as usize).min(model.len() - pick);
                    let after = pack.remove(pack.seek(pick).unwrap(), count);
                    model.drain(pick..pick + count);
                    assert_eq!(after.is_some(), pick < model.len());
                }
                _ => {}
            }
            assert_eq!(pack.len(), model.len());
            if step % 50 == 0 {
                let all: Vec<_> = pack.iter().map(|own| own.to_bytes().into_owned()).collect();
                assert_eq!(all, model);
                let stored = pack.to_listpack();
                let mut slow = ListPack::new();
                model.iter().for_each(|text| slow.push(text));
                assert_eq!(stored.as_bytes(), slow.as_bytes());
                assert_eq!(Pack::from_listpack(&stored).0.bytes(), pack.0.bytes());
                for skip in [0, 1, 2] {
                    for text in model.iter().step_by(5).chain([&b"nothing".to_vec()]) {
                        let expected = model.iter().step_by(skip + 1).position(|own| own == text);
                        let found = pack.find(text, skip);
                        assert_eq!(found, expected.and_then(|index| pack.seek(index * (skip + 1))));
                    }
                }
            }
        }
    }
}
