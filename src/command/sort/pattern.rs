//! `BY` and `GET` patterns: the key, and perhaps the hash field, an element stands for.
//!
//! Used by `order` and the replies. Invariant: the star and the arrow are looked for up to the first NUL, as C does. Bounds: one lookup each.

use crate::command::Cx;
use crate::keyspace::ValueRef;
use crate::resp::Out;
use crate::types::element::Element;

/// A pattern, taken apart.
#[derive(Clone, Copy)]
pub enum Pattern<'a> {
    /// `#`: the element itself.
    Itself,
    /// Without a star: nothing.
    Nothing,
    /// A key around the element.
    Key {
        /// Before the star.
        before: &'a [u8],
        /// Behind it.
        after: &'a [u8],
        /// The field behind `->`.
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    /// Takes `text` apart.
    pub fn new(text: &'a [u8]) -> Self {
        let seen = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
        if seen == b"#" {
            return Self::Itself;
        }
        let Some(star) = memchr::memchr(b'*', seen) else { return Self::Nothing };
        let (before, after) = (&text[..star], &text[star + 1..]);
        let behind = &seen[star + 1..];
        match memchr::memmem::find(behind, b"->") {
            Some(arrow) if arrow + 2 < behind.len() => {
                Self::Key { before, after: &after[..arrow], field: Some(&after[arrow + 2..]) }
            }
            _ => Self::Key { before, after, field: None },
        }
    }
}

/// Looks up what `pattern` says of the element `text`, and hands it on with the reply beside it.
pub fn find<R>(
    cx: &mut Cx<'_>,
    pattern: &Pattern<'_>,
    text: &[u8],
    take: impl FnOnce(&mut Out, Option<Element<'_>>) -> R,
) -> R {
    let (before, after, field) = match *pattern {
        Pattern::Itself => return take(cx.out, Some(Element::Bytes(text))),
        Pattern::Nothing => return take(cx.out, None),
        Pattern::Key { before, after, field } => (before, after, field),
    };
    let name = [before, text, after].concat();
    let key = cx.key_of(&name);
    let (entry, out) = cx.read_beside_out(&key);
    let Some(entry) = entry else {
        let taken = take(out, None);
        cx.notify_miss(&name);
        return taken;
    };
    let value = match (entry.value(), field) {
        (ValueRef::Int(number), None) => Some(Element::Int(number)),
        (ValueRef::Bytes(bytes), None) => Some(Element::Bytes(bytes)),
        (ValueRef::Shared(bytes), None) => Some(Element::Bytes(bytes)),
        (ValueRef::Hash(hash), Some(field)) => hash.get(field),
        _ => None,
    };
    take(out, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, String, Option<String>)> {
        let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match Pattern::new(text.as_bytes()) {
            Pattern::Key { before, after, field } => Some((string(before), string(after), field.map(string))),
            _ => None,
        }
    }

    #[test]
    fn a_pattern_has_a_key_and_perhaps_a_field() {
        let key = |before: &str, after: &str, field: Option<&str>| {
            Some((before.to_owned(), after.to_owned(), field.map(str::to_owned)))
        };
        assert_eq!(parts("w_*"), key("w_", "", None));
        assert_eq!(parts("w_*_x->f"), key("w_", "_x", Some("f")));
        assert_eq!(parts("w_*->"), key("w_", "->", None));
        assert_eq!(parts("a->*b"), key("a->", "b", None));
        assert_eq!(parts("*->f->g"), key("", "", Some("f->g")));
        assert_eq!(parts("w_**"), key("w_", "*", None));
        assert_eq!(parts("fixed"), None);
        assert!(matches!(Pattern::new(b"#"), Pattern::Itself));
        assert!(matches!(Pattern::new(b"##"), Pattern::Nothing));
        assert!(matches!(Pattern::new(b"a\0*"), Pattern::Nothing));
    }
}
