//! BZPOPMIN BZPOPMAX BZMPOP: the pops that wait for a member.
//!
//! Called through their rows, and again by `session::offer` when a key is ready (see `command::blocking`). Invariant: they leave as the ZPOPMIN or ZPOPMAX that
//! they became, with the events of those. Bounds: as the pops. Source: redis 7.0's t_zset.c for the order of checks.

use super::pop::{End, Shape, parse_mpop, pop, pop_first};
use crate::command::Cx;
use crate::command::blocking::{BlockSpec, parse_deadline};
use crate::command::reply_error::ReplyError;
use crate::keyspace::ValueType;

/// Waits for a sorted set under one of the words `from..to`, or replies with the empty hand where waiting is denied.
fn wait_for(cx: &mut Cx<'_>, from: usize, to: usize, deadline_ms: u64) {
    if !cx.may_block() {
        return cx.out.null_array();
    }
    let args = cx.args;
    cx.block(BlockSpec::new(ValueType::ZSet, (from..to).map(|index| args.get(index)), deadline_ms));
}

fn pop_or_wait(cx: &mut Cx<'_>, end: End) -> Result<(), ReplyError> {
    let last = cx.argc() - 1;
    let deadline_ms = parse_deadline(cx, cx.arg(last))?;
    for index in 1..last {
        let key = cx.key(index);
        if cx.considers(key.bytes) && pop(cx, &key, end, 1, Shape::KeyFlat)? > 0 {
            cx.propagate_as(&[end.command(), key.bytes]);
            return Ok(());
        }
    }
    wait_for(cx, 1, last, deadline_ms);
    Ok(())
}

/// `BZPOPMIN key [key …] timeout`
pub fn bzpopmin(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    pop_or_wait(cx, End::Min)
}

/// `BZPOPMAX key [key …] timeout`
pub fn bzpopmax(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    pop_or_wait(cx, End::Max)
}

/// `BZMPOP timeout numkeys key [key …] MIN|MAX [COUNT count]`
pub fn bzmpop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (keys, end, count) = parse_mpop(cx, 2)?;
    let deadline_ms = parse_deadline(cx, cx.arg(1))?;
    if !pop_first(cx, 3, keys, end, count)? {
        wait_for(cx, 3, 3 + keys, deadline_ms);
    }
    Ok(())
}
