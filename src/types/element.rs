//! A view of a stored string that may be kept as an integer: what listpack entries and hash fields read as.
//!
//! Made by `listpack` and `hash`, read by command handlers, digests and savers. No allocation unless asked.
use crate::base::number::{decimal_len, parse_i64, write_i64};
use std::borrow::Cow;
use std::collections::HashSet;

/// Bytes, or the integer whose canonical decimal text they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element<'a> {
    /// The string itself.
    Bytes(&'a [u8]),
    /// The string is this number's decimal text.
    Int(i64),
}

impl<'a> Element<'a> {
    /// The text, borrowed where it exists as bytes.
    pub fn to_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Int(number) => {
                let mut text = Vec::with_capacity(20);
                write_i64(&mut text, number);
                Cow::Owned(text)
            }
        }
    }

    /// Appends the text to `buffer`.
    pub fn append_to(self, buffer: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => buffer.extend_from_slice(bytes),
            Self::Int(number) => write_i64(buffer, number),
        }
    }

    /// Length of the text in bytes.
    pub fn text_len(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Int(number) => decimal_len(number.unsigned_abs()) + usize::from(number < 0),
        }
    }

    /// The number, by redis' strict rules (no spaces, no leading zeros or plus).
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Bytes(bytes) => parse_i64(bytes),
            Self::Int(number) => Some(number),
        }
    }

    /// Whether the text equals `bytes`.
    pub fn is_text(self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(own) => own == bytes,
            Self::Int(number) => parse_i64(bytes) == Some(number),
        }
    }
}

/// Up to so many texts are compared each with each.
const FEW: usize = 16;

/// Whether no text comes twice.
pub fn are_distinct<T: AsRef<[u8]>>(texts: &[T]) -> bool {
    if texts.len() <= FEW {
        let earlier = |index: usize| texts[..index].iter().map(AsRef::as_ref);
        return (1..texts.len()).all(|index| earlier(index).all(|other| other != texts[index].as_ref()));
    }
    let mut seen = HashSet::with_capacity(texts.len());
    texts.iter().all(|text| seen.insert(text.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_comes_twice_is_found() {
        for len in [0, 1, 2, 15, 16, 17, 200] {
            let mut texts: Vec<String> = (0..len).map(|number| number.to_string()).collect();
            assert!(are_distinct(&texts), "{len}");
            if len > 1 {
                texts[len / 2 - 1] = texts[len - 1].clone();
                assert!(!are_distinct(&texts), "{len}");
            }
        }
    }

    #[test]
    fn integers_have_the_length_of_their_text() {
        for number in [0, 1, -1, 9, 10, -10, 99, 100, i64::MAX, i64::MIN] {
            assert_eq!(Element::Int(number).text_len(), number.to_string().len(), "{number}");
            assert!(Element::Int(number).is_text(number.to_string().as_bytes()));
        }
    }
}
