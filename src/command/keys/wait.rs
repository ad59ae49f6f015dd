//! WAIT WAITAOF: until replicas, or the append only files, have what the client wrote.
//!
//! Called through their rows; they block on no key, only for their time. Invariant: the reply is the number of acknowledgements there are. No replica can
//! connect yet, so of those there are none; whether the own append only file has it `session::local_waits` knows, and ends the wait.
//! Bounds: none. Why not control commands: blocking is a handler's wish (`command::blocking`).

use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::blocking::{BlockSpec, OnTimeout, parse_deadline_ms};
use crate::command::reply_error::ReplyError;
use crate::keyspace::ValueType;

/// What WAITAOF says where no file is written.
pub const NO_FILE: &str = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/// `WAIT numreplicas timeout`
pub fn wait(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let replicas = parse_i64(cx.arg(1)).ok_or(ReplyError::NotInteger)?;
    let deadline_ms = parse_deadline_ms(cx, cx.arg(2))?;
    if replicas <= 0 || !cx.may_block() {
        OnTimeout::Acks.write(cx.out, false);
        return Ok(());
    }
    block(cx, deadline_ms, OnTimeout::Acks, false);
    Ok(())
}

/// `WAITAOF numlocal numreplicas timeout`
pub fn waitaof(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let local = parse_i64(cx.arg(1)).ok_or(ReplyError::NotInteger)?;
    if !(0..=1).contains(&local) {
        return Err(ReplyError::Text("ERR value is out of range, value must between 0 and 1"));
    }
    let replicas = parse_i64(cx.arg(2)).filter(|count| *count >= 0).ok_or(ReplyError::NotPositive)?;
    let deadline_ms = parse_deadline_ms(cx, cx.arg(3))?;
    if local > 0 && !cx.settings.appendonly {
        return Err(ReplyError::Text(NO_FILE));
    }
    let has_locally = cx.outcome.blocking.has_locally;
    if (replicas == 0 && (local == 0 || has_locally)) || !cx.may_block() {
        OnTimeout::AofAcks.write(cx.out, has_locally);
        return Ok(());
    }
    block(cx, deadline_ms, OnTimeout::AofAcks, replicas == 0);
    Ok(())
}

fn block(cx: &mut Cx<'_>, deadline_ms: u64, on_timeout: OnTimeout, ends_locally: bool) {
    let spec = BlockSpec::new(ValueType::String, std::iter::empty(), deadline_ms);
    cx.block(BlockSpec { on_timeout, ends_locally, ..spec });
}
