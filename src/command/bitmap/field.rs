//! BITFIELD BITFIELD_RO.
//!
//! Called through their rows. All words are read before anything is done; then the string is made as long as the furthest write needs, and the
//! operations run in order. Invariant: a write that changes no bit of a string that did not grow tells nobody. Bounds: some work per operation; results are
//! gathered because the reply cannot be written while the string is borrowed.

use smallvec::SmallVec;

use super::field_op::{Action, FieldOp, Overflow, parse_op};
use super::{bytes_of, open_bits};
use crate::command::reply_error::ReplyError;
use crate::command::string::with_text;
use crate::command::{Cx, notify};
use crate::keyspace::EntryMut;
use crate::resp::Out;

type Ops = SmallVec<[FieldOp; 4]>;

/// `BITFIELD key [GET type offset] [OVERFLOW WRAP|SAT|FAIL] [SET type offset value] [INCRBY type offset delta] …`
pub fn bitfield(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let ops = parse(cx)?;
    match write_end(&ops) {
        None => read_fields(cx, &ops),
        Some(end) => write_fields(cx, &ops, end),
    }
}

/// `BITFIELD_RO key [GET type offset …]`
pub fn bitfield_ro(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let ops = parse(cx)?;
    if write_end(&ops).is_some() {
        return Err(ReplyError::Text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read_fields(cx, &ops)
}

fn parse(cx: &Cx<'_>) -> Result<Ops, ReplyError> {
    let (mut ops, mut overflow, mut index) = (Ops::new(), Overflow::Wrap, 2);
    while index < cx.argc() {
        let (op, next) = parse_op(cx, index, &mut overflow)?;
        ops.extend(op);
        index = next;
    }
    Ok(ops)
}

/// Bytes the string needs for all writes; `None` if there are none.
fn write_end(ops: &[FieldOp]) -> Option<usize> {
    let writes = ops.iter().filter(|op| op.action != Action::Get);
    writes.map(|op| ((op.offset + u64::from(op.kind.bits) - 1) >> 3) as usize + 1).max()
}

fn read_fields(cx: &mut Cx<'_>, ops: &[FieldOp]) -> Result<(), ReplyError> {
    let key = cx.key(1);
    with_text(cx, &key, |out: &mut Out, bytes| {
        out.array(ops.len());
        for op in ops {
            out.integer(op.kind.read(bytes.unwrap_or_default(), op.offset));
        }
    })
}

fn write_fields(cx: &mut Cx<'_>, ops: &[FieldOp], end: usize) -> Result<(), ReplyError> {
    let key = cx.key(1);
    let (mut entry, grew) = open_bits(cx, &key, end)?;
    let mut changes = 0;
    let mut replies: SmallVec<[Option<i64>; 8]> = SmallVec::with_capacity(ops.len());
    for op in ops {
        let (reply, changed) = run(&mut entry, op);
        replies.push(reply);
        changes += u64::from(changed || (grew && reply.is_some() && op.action != Action::Get));
    }
    if changes == 0 {
        entry.make_raw();
    }
    drop(entry);
    // A string that grew though every write failed leaves too: replicas must not be shorter.
    if changes > 0 || grew {
        cx.propagate();
        cx.outcome.dirty += changes.saturating_sub(1);
    }
    if changes > 0 {
        cx.notify(notify::STRING, "setbit", key.bytes);
    }
    cx.out.array(replies.len());
    for reply in replies {
        match reply {
            Some(value) => cx.out.integer(value),
            None => cx.out.null(),
        }
    }
    Ok(())
}

/// Runs one operation: its reply (`None`: overflow failed), and whether the field's value changed.
fn run(entry: &mut EntryMut<'_>, op: &FieldOp) -> (Option<i64>, bool) {
    let old = bytes_of(entry.get(), |bytes| op.kind.read(bytes, op.offset));
    let new = match op.action {
        Action::Get => return (Some(old), false),
        Action::Set(value) => op.kind.fit(value, 0, op.overflow),
        Action::Add(delta) => op.kind.fit(old, delta, op.overflow),
    };
    let Some(new) = new else { return (None, false) };
    if new != old
        && let Some(bytes) = entry.bytes_mut()
    {
        op.kind.write(bytes, op.offset, new);
    }
    (Some(if matches!(op.action, Action::Set(_)) { old } else { new }), new != old)
}
