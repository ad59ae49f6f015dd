//! BITPOS.
//!
//! Called through its row. Invariant: without an end the string is followed by zeros without limit, so a search for 0 always finds one; with an end it may not.
//! Bounds: 32 bytes per step over bytes that hold only the other bit.

use super::span::{Span, Unit};
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::command::string::with_text;
use crate::resp::Args;

/// `BITPOS key bit [start [end [BYTE|BIT]]]`
pub fn bitpos(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let bit = match parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)? {
        0 => false,
        1 => true,
        _ => return Err(ReplyError::Text("ERR The bit argument must be 1 or 0.")),
    };
    let (key, args) = (cx.key(1), cx.args);
    with_text(cx, &key, |out, bytes| {
        let position = match bytes {
            Some(bytes) => find(bytes, bit, args)?,
            None if bit => -1,
            None => 0,
        };
        out.integer(position);
        Ok(())
    })?
}

fn find(bytes: &[u8], bit: bool, args: Args<'_>) -> Result<i64, ReplyError> {
    let (span, end_given) = parse_span(args, bytes.len())?;
    let Some(span) = span else { return Ok(-1) };
    Ok(match first_in(bytes, bit, span) {
        Some(position) => position as i64,
        None if bit || end_given => -1,
        None => bytes.len() as i64 * 8,
    })
}

/// The bits to look at, and whether an end was given.
fn parse_span(args: Args<'_>, len: usize) -> Result<(Option<Span>, bool), ReplyError> {
    if args.len() == 3 {
        return Ok((Span::whole(len), false));
    }
    if args.len() > 6 {
        return Err(ReplyError::Syntax);
    }
    let first = parse_i64(args.get(3)).ok_or(ReplyError::NotInteger)?;
    let unit = match args.get_checked(5) {
        Some(word) => Unit::parse(word).ok_or(ReplyError::Syntax)?,
        None => Unit::Byte,
    };
    let last = match args.get_checked(4) {
        Some(word) => parse_i64(word).ok_or(ReplyError::NotInteger)?,
        None => -1,
    };
    Ok((Span::clamped(first, last, unit, len), args.len() > 4))
}

/// The first bit equal to `bit` within `span`.
fn first_in(bytes: &[u8], bit: bool, span: Span) -> Option<u64> {
    let (range, before, _) = span.bytes();
    let (start, end) = (*range.start(), *range.end());
    let flip = if bit { 0 } else { 0xff };
    // With `flip` applied it is a search for a set bit.
    let mut at = start;
    let mut byte = (bytes[start] ^ flip) & !before;
    if byte == 0 {
        at = start + 1 + first_unlike(&bytes[start + 1..=end], flip)?;
        byte = bytes[at] ^ flip;
    }
    let found = at as u64 * 8 + u64::from(byte.leading_zeros());
    (found <= span.last).then_some(found)
}

/// Index of the first byte that is not `skip`.
fn first_unlike(bytes: &[u8], skip: u8) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<32>();
    let skipped = blocks.iter().take_while(|block| **block == [skip; 32]).count() * 32;
    bytes[skipped..].iter().position(|&byte| byte != skip).map(|at| skipped + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_walk_finds() {
        let mut bytes = vec![0u8; 200];
        bytes[100] = 0b0001_0000;
        bytes[101..150].fill(0xff);
        for bit in [false, true] {
            for (first, last) in [(0, 1599), (803, 803), (804, 807), (801, 802), (808, 1199), (809, 1200)] {
                let slow = (first..=last).find(|at| (bytes[at >> 3] >> (7 - (at & 7)) & 1 == 1) == bit);
                let span = Span { first: first as u64, last: last as u64 };
                assert_eq!(first_in(&bytes, bit, span), slow.map(|at| at as u64), "{bit} {first}..={last}");
            }
        }
    }
}
