//! SMEMBERS SISMEMBER SMISMEMBER SCARD SSCAN: members read.
//!
//! Called through their rows. Invariant: replies are written straight from the set; a member that stays during a whole SSCAN is
//! returned. Source: redis' t_set.c and db.c.

use crate::base::glob::glob_match;
use crate::command::Cx;
use crate::command::hash::read::write_element;
use crate::command::hash::walk::scan_options;
use crate::command::keys::scan::parse_cursor;
use crate::command::reply_error::ReplyError;
use crate::resp::Out;
use crate::types::element::Element;
use crate::types::set::Set;

/// Lets `write` reply from the set at the command's key (or from `None`): the borrow of the set and that of the reply part here.
fn reply_from(
    cx: &mut Cx<'_>,
    write: impl FnOnce(&mut Out, Option<&Set>) -> Result<(), ReplyError>,
) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let mut out = std::mem::take(cx.out);
    let found = cx.read_as::<Set>(&key);
    let missing = matches!(found, Ok(None));
    let result = found.and_then(|set| write(&mut out, set));
    *cx.out = out;
    if missing {
        cx.notify_miss(key.bytes);
    }
    result
}

/// `SMEMBERS key`
pub fn smembers(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply_from(cx, |out, set| {
        out.set(set.map_or(0, Set::len));
        set.into_iter().flat_map(Set::iter).for_each(|member| write_element(out, member));
        Ok(())
    })
}

/// `SISMEMBER key member`
pub fn sismember(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let member = cx.arg(2);
    reply_from(cx, |out, set| {
        out.integer(i64::from(set.is_some_and(|set| set.contains(member))));
        Ok(())
    })
}

/// `SMISMEMBER key member [member …]`
pub fn smismember(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let members = cx.args.skip(2);
    reply_from(cx, |out, set| {
        out.array(members.len());
        for member in members.iter() {
            out.integer(i64::from(set.is_some_and(|set| set.contains(member))));
        }
        Ok(())
    })
}

/// `SCARD key`
pub fn scard(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply_from(cx, |out, set| {
        out.integer(set.map_or(0, Set::len) as i64);
        Ok(())
    })
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn sscan(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let cursor = parse_cursor(cx.arg(2))?;
    let args = cx.args;
    reply_from(cx, |out, set| {
        let mut members: Vec<Element<'_>> = Vec::new();
        let next = match set {
            None => 0,
            Some(set) => {
                let (pattern, count) = scan_options(&args)?;
                set.scan(cursor, count, |member| {
                    if pattern.is_none_or(|pattern| glob_match(pattern, &member.to_bytes(), false)) {
                        members.push(member);
                    }
                })
            }
        };
        out.array(2);
        out.bulk(next.to_string().as_bytes());
        out.array(members.len());
        members.into_iter().for_each(|member| write_element(out, member));
        Ok(())
    })
}
