//! The options XADD and XTRIM have in common: what to trim, how exactly, how much at once.
//!
//! Called by `add` and `delete`. Invariant: checks come in redis' order. Bounds: an approximate trim is limited to 100 nodes' entries unless the client says
//! otherwise.
use super::{INVALID_ID, is_replayed, parse_id};
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::types::stream::id::ParsedId;
use crate::types::stream::{Keep, Node, Stream, StreamId};
use smallvec::SmallVec;

/// A wish to trim.
#[derive(Debug, Clone, Copy)]
pub struct Trim {
    keep: Keep,
    approx: bool,
    /// Most entries to remove; 0: no limit.
    limit: u64,
    /// Index of the threshold's word.
    at: usize,
}

/// What stands before the fields.
#[derive(Debug, Default)]
pub struct Options {
    /// Index of XADD's ID; the number of words if there is none.
    pub id_at: usize,
    /// The ID; None for `*`.
    pub id: Option<ParsedId>,
    /// NOMKSTREAM.
    pub no_create: bool,
    /// MAXLEN or MINID.
    pub trim: Option<Trim>,
}

impl Trim {
    /// Trims; how many entries went.
    pub fn run(&self, stream: &mut Stream) -> u64 {
        stream.trim(self.keep, self.approx, self.limit)
    }

    /// Writes into `words` what the trim came to, so that a replica trims exactly as much; nothing if it was exact anyway.
    pub fn resolve(&self, words: &mut SmallVec<[Vec<u8>; 8]>, stream: Resolved) {
        if !self.approx {
            return;
        }
        words[self.at - 1] = b"=".to_vec();
        words[self.at] = match self.keep {
            Keep::Length(_) => stream.length.to_string().into_bytes(),
            Keep::From(_) => stream.first.text(),
        };
    }

    /// Whether the words must be rewritten.
    pub fn is_approximate(&self) -> bool {
        self.approx
    }
}

/// A stream after it was trimmed.
#[derive(Debug, Clone, Copy)]
pub struct Resolved {
    /// Entries left.
    pub length: u64,
    /// The first of them, deleted ones included; the last ID there can be if there is none.
    pub first: StreamId,
}

impl Resolved {
    /// As it is now.
    pub fn of(stream: &Stream) -> Self {
        let nodes = stream.nodes();
        let first = nodes.first().and_then(|at| nodes.leaf(&at).map(Node::master));
        Self { length: stream.len() as u64, first: first.unwrap_or(StreamId::MAX) }
    }
}

/// A threshold word after `~` or `=`, and what it keeps.
fn parse_threshold(cx: &Cx<'_>, at: &mut usize, by_length: bool) -> Result<Trim, ReplyError> {
    let more = cx.argc() - 1 - *at;
    let sign = cx.arg(*at + 1);
    let approx = more >= 2 && sign == b"~";
    if approx || (more >= 2 && sign == b"=") {
        *at += 1;
    }
    *at += 1;
    let word = cx.arg(*at);
    let keep = match by_length {
        true => {
            let most = parse_i64(word).ok_or(ReplyError::NotInteger)?;
            let most = u64::try_from(most);
            Keep::Length(most.map_err(|_| ReplyError::Text("ERR The MAXLEN argument must be >= 0."))?)
        }
        false => Keep::From(parse_id(word, 0)?),
    };
    Ok(Trim { keep, approx, limit: 0, at: *at })
}

/// Reads the options from word 2 on; XADD's end at its ID, XTRIM's at the end.
pub fn parse_options(cx: &Cx<'_>, is_add: bool) -> Result<Options, ReplyError> {
    let mut options = Options { id_at: cx.argc(), ..Options::default() };
    let (mut limit, mut limit_given) = (0, false);
    let mut at = 2;
    while at < cx.argc() {
        let (word, more) = (cx.arg(at), cx.argc() - 1 - at);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is_add && word == b"*" {
            options.id_at = at;
            break;
        } else if more > 0 && (is(b"maxlen") || is(b"minid")) {
            if options.trim.is_some() {
                return Err(ReplyError::Text(
                    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
            options.trim = Some(parse_threshold(cx, &mut at, is(b"maxlen"))?);
        } else if more > 0 && is(b"limit") {
            at += 1;
            limit = parse_i64(cx.arg(at)).ok_or(ReplyError::NotInteger)?;
            if limit < 0 {
                return Err(ReplyError::Text("ERR The LIMIT argument must be >= 0."));
            }
            limit_given = true;
        } else if is_add && is(b"nomkstream") {
            options.no_create = true;
        } else if is_add {
            options.id = Some(StreamId::parse(word, 0, true).ok_or(INVALID_ID)?);
            options.id_at = at;
            break;
        } else {
            return Err(ReplyError::Syntax);
        }
        at += 1;
    }
    settle_limit(cx, &mut options, limit as u64, limit_given, is_add)?;
    Ok(options)
}

fn settle_limit(
    cx: &Cx<'_>,
    options: &mut Options,
    limit: u64,
    limit_given: bool,
    is_add: bool,
) -> Result<(), ReplyError> {
    let Some(trim) = &mut options.trim else {
        return match (limit, is_add) {
            (1.., _) => Err(ReplyError::Text(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            )),
            (0, false) => {
                Err(ReplyError::Text("ERR syntax error, XTRIM must be called with a trimming strategy"))
            }
            (0, true) if limit_given && !is_replayed(cx) => Err(LIMIT_NEEDS_APPROX),
            (0, true) => Ok(()),
        };
    };
    if is_replayed(cx) {
        return Ok(());
    }
    trim.limit = match (limit_given, trim.approx) {
        (true, false) => return Err(LIMIT_NEEDS_APPROX),
        (true, true) => limit,
        (false, false) => 0,
        (false, true) => match (cx.settings.stream_node_max_entries as u64).saturating_mul(100) {
            0 => 10_000,
            entries => entries.min(1_000_000),
        },
    };
    Ok(())
}

const LIMIT_NEEDS_APPROX: ReplyError =
    ReplyError::Text("ERR syntax error, LIMIT cannot be used without the special ~ option");
