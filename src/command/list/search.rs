//! LPOS: positions of an element.
//!
//! Called through its row. Invariant: options are judged before the key, in order. Bounds: MAXLEN elements are compared at most.

use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::types::list::List;

struct Options {
    rank: i64,
    count: Option<usize>,
    max_len: usize,
}

fn parse(cx: &Cx<'_>) -> Result<Options, ReplyError> {
    let mut options = Options { rank: 1, count: None, max_len: 0 };
    for index in (3..cx.argc()).step_by(2) {
        let word = cx.arg(index);
        let Some(value) = cx.args.get_checked(index + 1) else { return Err(ReplyError::Syntax) };
        let natural = |error: &'static str| {
            parse_i64(value).and_then(|number| usize::try_from(number).ok()).ok_or(ReplyError::Text(error))
        };
        if word.eq_ignore_ascii_case(b"rank") {
            options.rank = parse_i64(value).ok_or(ReplyError::NotInteger)?;
            if options.rank == 0 {
                return Err(ReplyError::Text(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
                ));
            }
        } else if word.eq_ignore_ascii_case(b"count") {
            options.count = Some(natural("ERR COUNT can't be negative")?);
        } else if word.eq_ignore_ascii_case(b"maxlen") {
            options.max_len = natural("ERR MAXLEN can't be negative")?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(options)
}

/// `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]`
pub fn lpos(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let options = parse(cx)?;
    let (key, text) = (cx.key(1), cx.arg(2));
    let (entry, out) = cx.read_beside_out(&key);
    let Some(entry) = entry else {
        if options.count.is_some() {
            out.array(0)
        } else {
            out.null()
        }
        cx.notify_miss(key.bytes);
        return Ok(());
    };
    let list = entry.get::<List>().ok_or(ReplyError::WrongType)?;
    let most = if options.max_len == 0 { usize::MAX } else { options.max_len };
    // The smallest rank counts as -1: redis cannot negate it.
    let skipped = if options.rank == i64::MIN { 0 } else { (options.rank.unsigned_abs() - 1) as usize };
    let wanted = match options.count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count,
    };
    let found = list.positions(text, options.rank < 0, most).skip(skipped).take(wanted);
    if options.count.is_none() {
        match { found }.next() {
            Some(index) => out.integer(index as i64),
            None => out.null(),
        }
        return Ok(());
    }
    let mark = out.mark();
    let mut seen = 0;
    for index in found {
        out.integer(index as i64);
        seen += 1;
    }
    out.insert_array(mark, seen);
    Ok(())
}
