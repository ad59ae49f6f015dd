//! The order SORT puts elements into.
//!
//! Called by the handlers. Invariant: equal weights compare by the elements' bytes in a numeric sort; by nothing in an alphabetic one, where elements stay as
//! they came, unless LIMIT cuts a BY sort: then redis sorts partially, with an order of ties of its own (`base::partial_sort`). Bounds: n log n.

use std::cmp::Ordering;

use super::options::Options;
use super::pattern::{self, Pattern};
use super::{Subject, Texts};
use crate::base::number::parse_f64;
use crate::base::partial_sort::partial_sort;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::types::element::Element;

const NOT_NUMBERS: &str = "ERR One or more scores can't be converted into double";

/// The wanted elements in the order they came.
pub fn as_is(subject: &Subject) -> Vec<usize> {
    (subject.from..subject.to).collect()
}

/// The wanted elements sorted.
///
/// # Errors
/// A weight that is no number.
pub fn sorted(
    cx: &mut Cx<'_>,
    subject: &Subject,
    by: Option<Pattern<'_>>,
    options: &Options<'_>,
) -> Result<Vec<usize>, ReplyError> {
    let (texts, descending) = (&subject.texts, options.descending);
    let directed = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
    let range = by.is_some().then_some((subject.from, subject.to));
    let mut order: Vec<usize> = (0..texts.len()).collect();
    if subject.alpha {
        let exact = options.store.is_some();
        let weights = by.map(|by| weigh_texts(cx, texts, &by));
        let weight = |index: usize| match &weights {
            None => Some(texts.get(index)),
            Some((weights, slots)) => slots[index].map(|slot| weights.get(slot)),
        };
        let compare = |left: &usize, right: &usize| {
            directed(match (weight(*left), weight(*right)) {
                (Some(left), Some(right)) if exact => left.cmp(right),
                (Some(left), Some(right)) => as_c_string(left).cmp(as_c_string(right)),
                (left, right) => left.is_some().cmp(&right.is_some()),
            })
        };
        arrange(&mut order, compare, range);
    } else {
        let weights = weigh(cx, texts, by.as_ref())?;
        let compare = |left: &usize, right: &usize| {
            let by_weight = weights[*left].partial_cmp(&weights[*right]).unwrap_or(Ordering::Equal);
            directed(by_weight.then_with(|| texts.get(*left).cmp(texts.get(*right))))
        };
        arrange(&mut order, compare, range);
    }
    order.truncate(subject.to);
    order.drain(..subject.from);
    Ok(order)
}

/// Sorts all, or what a part of the result needs.
fn arrange(order: &mut [usize], compare: impl Fn(&usize, &usize) -> Ordering, part: Option<(usize, usize)>) {
    match part {
        Some((from, to)) if (from, to) != (0, order.len()) => partial_sort(order, from..to, &compare),
        _ => order.sort_by(compare),
    }
}

/// What C sees of a string.
fn as_c_string(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// The weights as texts, and for each element which of them is its own.
fn weigh_texts(cx: &mut Cx<'_>, texts: &Texts, by: &Pattern<'_>) -> (Texts, Vec<Option<usize>>) {
    let (mut weights, mut slots) = (Texts::default(), Vec::with_capacity(texts.len()));
    for index in 0..texts.len() {
        pattern::find(cx, by, texts.get(index), |_, value| {
            slots.push(value.map(|_| weights.len()));
            value.into_iter().for_each(|value| weights.push(value));
        });
    }
    (weights, slots)
}

/// The weights as numbers; a missing one is 0.
fn weigh(cx: &mut Cx<'_>, texts: &Texts, by: Option<&Pattern<'_>>) -> Result<Vec<f64>, ReplyError> {
    let mut weights = Vec::with_capacity(texts.len());
    let mut failed = false;
    for index in 0..texts.len() {
        let text = texts.get(index);
        let weight = match by {
            None => parse_weight(text),
            Some(by) => pattern::find(cx, by, text, |_, value| match value {
                None => Some(0.0),
                Some(Element::Int(number)) => Some(number as f64),
                Some(Element::Bytes(bytes)) => parse_weight(bytes),
            }),
        };
        failed |= weight.is_none();
        weights.push(weight.unwrap_or(0.0));
    }
    if failed { Err(ReplyError::Text(NOT_NUMBERS)) } else { Ok(weights) }
}

/// A number as strtod reads all of a C string, nothing as 0; None for NaN, out of range and anything behind.
fn parse_weight(text: &[u8]) -> Option<f64> {
    let text = as_c_string(text);
    if text.is_empty() {
        return Some(0.0);
    }
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))?;
    parse_f64(&text[start..]).filter(|weight| !weight.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_like_c_reads_them() {
        assert_eq!(parse_weight(b""), Some(0.0));
        assert_eq!(parse_weight(b" \t5e1"), Some(50.0));
        assert_eq!(parse_weight(b"0x10"), Some(16.0));
        assert_eq!(parse_weight(b"-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_weight(b"7\0junk"), Some(7.0));
        for bad in ["5 ", " ", "abc", "nan", "1e999", "1,5"] {
            assert_eq!(parse_weight(bad.as_bytes()), None, "{bad}");
        }
    }
}
