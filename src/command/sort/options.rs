//! The words behind SORT's key.
//!
//! Called by the handlers and, for what keys the words reach, by `session::route`. Invariant: words are judged in order, the first wrong one decides.

use smallvec::SmallVec;

use super::Pattern;
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::resp::Args;

const BY_DENIED: &str = "ERR BY option of SORT denied due to insufficient ACL permissions.";
const GET_DENIED: &str = "ERR GET option of SORT denied due to insufficient ACL permissions.";

/// See the module's text.
pub struct Options<'a> {
    /// DESC.
    pub descending: bool,
    /// ALPHA.
    pub alpha: bool,
    /// False for a BY that names no key.
    pub sorts: bool,
    /// The weights, if not the elements themselves.
    pub by: Option<Pattern<'a>>,
    /// What to give for each element; empty: the element.
    pub gets: SmallVec<[Pattern<'a>; 4]>,
    /// Word of STORE's key.
    pub store: Option<usize>,
    offset: i64,
    count: i64,
}

impl Options<'_> {
    /// The range (from, to) of LIMIT over `len` elements.
    pub fn range(&self, len: usize) -> (usize, usize) {
        let from = usize::try_from(self.offset).unwrap_or(0).min(len);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        (from, from.saturating_add(count).min(len))
    }
}

/// Reads the words from the third on.
///
/// # Errors
/// Syntax, LIMIT's numbers, or patterns where the user may not read every key.
pub fn parse<'a>(cx: &mut Cx<'a>, read_only: bool) -> Result<Options<'a>, ReplyError> {
    let mut options = Options {
        descending: false,
        alpha: false,
        sorts: true,
        by: None,
        gets: SmallVec::new(),
        store: None,
        offset: 0,
        count: -1,
    };
    let (args, is_restricted) = (cx.args, cx.outcome.caller.is_restricted);
    let mut index = 2;
    while let Some(word) = args.get_checked(index) {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        let value = args.get_checked(index + 1);
        let used = match value {
            _ if is(b"asc") => {
                options.descending = false;
                1
            }
            _ if is(b"desc") => {
                options.descending = true;
                1
            }
            _ if is(b"alpha") => {
                options.alpha = true;
                1
            }
            Some(value) if is(b"limit") && index + 2 < args.len() => {
                options.offset = parse_i64(value).ok_or(ReplyError::NotInteger)?;
                options.count = parse_i64(args.get(index + 2)).ok_or(ReplyError::NotInteger)?;
                3
            }
            Some(_) if !read_only && is(b"store") => {
                options.store = Some(index + 1);
                2
            }
            Some(value) if is(b"by") => {
                options.by = Some(Pattern::new(value));
                if !names_keys(value) {
                    // Once a BY without keys was seen, nothing is sorted any more.
                    options.sorts = false;
                } else if is_restricted {
                    return Err(ReplyError::Text(BY_DENIED));
                }
                2
            }
            Some(_) if is(b"get") && is_restricted => return Err(ReplyError::Text(GET_DENIED)),
            Some(value) if is(b"get") => {
                options.gets.push(Pattern::new(value));
                2
            }
            _ => return Err(ReplyError::Syntax),
        };
        index += used;
    }
    Ok(options)
}

/// Whether a BY pattern names keys at all.
fn names_keys(pattern: &[u8]) -> bool {
    let end = memchr::memchr(0, pattern).unwrap_or(pattern.len());
    memchr::memchr(b'*', &pattern[..end]).is_some()
}

/// Whether the words make SORT read keys that only its elements name.
pub fn reads_beyond(args: &Args<'_>) -> bool {
    (2..args.len()).any(|index| {
        let word = args.get(index);
        let takes_pattern = word.eq_ignore_ascii_case(b"by") || word.eq_ignore_ascii_case(b"get");
        takes_pattern && args.get_checked(index + 1).is_some_and(names_keys)
    })
}
