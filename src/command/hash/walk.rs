//! HSCAN and HRANDFIELD: fields walked and drawn.
//!
//! Called through their rows. Invariant: a field that stays in the hash during a whole HSCAN is returned. Bounds: HSCAN about COUNT fields; HRANDFIELD `count`
//! draws. Source: redis' t_hash.c and db.c for options and texts.

use super::read::write_element;
use crate::base::glob::glob_match;
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::keys::scan::parse_cursor;
use crate::command::reply_error::ReplyError;
use crate::resp::Out;
use crate::types::element::Element;
use crate::types::hash::Hash;

type Pair<'a> = (Element<'a>, Element<'a>);

/// `HSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn hscan(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let cursor = parse_cursor(cx.arg(2))?;
    let (key, args) = (cx.key(1), cx.args);
    let mut out = std::mem::take(cx.out);
    let found = cx.read_as::<Hash>(&key);
    let missing = matches!(found, Ok(None));
    let result = match found {
        Ok(Some(hash)) => scan_options(&args).map(|(pattern, count)| {
            let mut pairs: Vec<Pair<'_>> = Vec::new();
            let next = hash.scan(cursor, count, |field, value| {
                if pattern.is_none_or(|pattern| glob_match(pattern, &field.to_bytes(), false)) {
                    pairs.push((field, value));
                }
            });
            write_page(&mut out, next, &pairs);
        }),
        Ok(None) => {
            write_page(&mut out, 0, &[]);
            Ok(())
        }
        Err(error) => Err(error),
    };
    *cx.out = out;
    if missing {
        cx.notify_miss(key.bytes);
    }
    result
}

fn write_page(out: &mut Out, next: u64, pairs: &[Pair<'_>]) {
    out.array(2);
    out.bulk(next.to_string().as_bytes());
    out.array(pairs.len() * 2);
    for (field, value) in pairs {
        write_element(out, *field);
        write_element(out, *value);
    }
}

/// MATCH and COUNT of HSCAN and SSCAN; `*` is as good as no pattern.
pub fn scan_options<'a>(args: &crate::resp::Args<'a>) -> Result<(Option<&'a [u8]>, usize), ReplyError> {
    let (mut pattern, mut count, mut index) = (None, 10, 3);
    while index < args.len() {
        let Some(value) = args.get_checked(index + 1) else { return Err(ReplyError::Syntax) };
        let word = args.get(index);
        if word.eq_ignore_ascii_case(b"count") {
            let number = parse_i64(value).ok_or(ReplyError::NotInteger)?;
            count = usize::try_from(number).ok().filter(|&count| count > 0).ok_or(ReplyError::Syntax)?;
        } else if word.eq_ignore_ascii_case(b"match") {
            pattern = Some(value).filter(|pattern| *pattern != b"*");
        } else {
            return Err(ReplyError::Syntax);
        }
        index += 2;
    }
    Ok((pattern, count))
}

/// `HRANDFIELD key [count [WITHVALUES]]`
pub fn hrandfield(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let draw = match cx.argc() {
        2 => None,
        argc => {
            let count = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
            if count == i64::MIN {
                let text =
                    format!("ERR value is out of range, value must between {} and {}", -i64::MAX, i64::MAX);
                return Err(cx.fail(text));
            }
            let with_values = argc == 4 && cx.arg(3).eq_ignore_ascii_case(b"withvalues");
            if argc > 4 || (argc == 4 && !with_values) {
                return Err(ReplyError::Syntax);
            }
            if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
                return Err(ReplyError::Text("ERR value is out of range"));
            }
            Some((count, with_values))
        }
    };
    let key = cx.key(1);
    // The dice leave the keyspace while its hash is read.
    let mut prng = cx.space(&key).common.prng.clone();
    let mut out = std::mem::take(cx.out);
    let found = cx.read_as::<Hash>(&key);
    let missing = matches!(found, Ok(None));
    let result = found.map(|hash| match (hash, draw) {
        (None, None) => out.null(),
        (None, Some(_)) => out.array(0),
        (Some(hash), None) => match hash.random(&mut prng) {
            Some((field, _)) => write_element(&mut out, field),
            None => out.null(),
        },
        (Some(hash), Some((count, with_values))) if count < 0 => {
            let count = count.unsigned_abs() as usize;
            begin_draw(&mut out, count, with_values);
            for _ in 0..count {
                if let Some(pair) = hash.random(&mut prng) {
                    write_draw(&mut out, pair, with_values);
                }
            }
        }
        (Some(hash), Some((count, with_values))) => {
            let drawn = match (count as usize).min(hash.len()) {
                count if count == hash.len() => hash.iter().collect(),
                count => hash.random_distinct(count, &mut prng),
            };
            begin_draw(&mut out, drawn.len(), with_values);
            drawn.into_iter().for_each(|pair| write_draw(&mut out, pair, with_values));
        }
    });
    *cx.out = out;
    cx.space(&key).common.prng = prng;
    if missing {
        cx.notify_miss(key.bytes);
    }
    result
}

fn begin_draw(out: &mut Out, count: usize, with_values: bool) {
    let flat = with_values && out.proto() == 2;
    out.array(if flat { count * 2 } else { count });
}

fn write_draw(out: &mut Out, (field, value): Pair<'_>, with_values: bool) {
    if with_values && out.proto() == 3 {
        out.array(2);
    }
    write_element(out, field);
    if with_values {
        write_element(out, value);
    }
}
