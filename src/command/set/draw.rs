//! SRANDMEMBER: members drawn.
//!
//! Called through its row. Invariant: a positive count draws distinct members, every subset equally likely; a negative one draws each
//! time from all. Bounds: `count` draws, or one pass over the set.

use crate::base::number::parse_i64;
use crate::base::prng::Prng;
use crate::command::Cx;
use crate::command::hash::read::write_element;
use crate::command::reply_error::ReplyError;
use crate::resp::Out;
use crate::types::set::Set;

/// `SRANDMEMBER key [count]`
pub fn srandmember(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let count = match cx.argc() {
        2 => None,
        3 => {
            let count = parse_i64(cx.arg(2)).ok_or(ReplyError::NotInteger)?;
            if count == i64::MIN {
                let text =
                    format!("ERR value is out of range, value must between {} and {}", -i64::MAX, i64::MAX);
                return Err(cx.fail(text));
            }
            Some(count)
        }
        _ => return Err(ReplyError::Syntax),
    };
    let key = cx.key(1);
    // The dice leave the keyspace while its set is read.
    let mut prng = cx.space(&key).common.prng.clone();
    let mut out = std::mem::take(cx.out);
    let found = cx.read_as::<Set>(&key);
    let missing = matches!(found, Ok(None));
    let result = found.map(|set| draw(&mut out, set, count, &mut prng));
    *cx.out = out;
    cx.space(&key).common.prng = prng;
    if missing {
        cx.notify_miss(key.bytes);
    }
    result
}

fn draw(out: &mut Out, set: Option<&Set>, count: Option<i64>, prng: &mut Prng) {
    match (set, count) {
        (None, None) => out.null(),
        (None, Some(_)) => out.array(0),
        (Some(set), None) => match set.random(prng) {
            Some(member) => write_element(out, member),
            None => out.null(),
        },
        (Some(set), Some(count)) if count < 0 => {
            let count = count.unsigned_abs() as usize;
            out.array(count);
            for _ in 0..count {
                if let Some(member) = set.random(prng) {
                    write_element(out, member);
                }
            }
        }
        (Some(set), Some(count)) => {
            let drawn = set.random_distinct(usize::try_from(count).unwrap_or(0), prng);
            out.array(drawn.len());
            drawn.into_iter().for_each(|member| write_element(out, member));
        }
    }
}
