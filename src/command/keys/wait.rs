//! WAIT WAITAOF: until replicas, or the append only files, have what the client wrote.
//!
//! Called through their rows; they block on no key, only for their time. Invariant: the reply is the number of acknowledgements there are. No replica can
//! connect yet and no append only file is written, so that is none: what asks for none is answered at once, the rest when its time is over.
//! Bounds: none. Why not control commands: blocking is a handler's wish (`command::blocking`).

use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::blocking::{BlockSpec, OnTimeout, parse_deadline_ms};
use crate::command::reply_error::ReplyError;
use crate::keyspace::ValueType;

/// `WAIT numreplicas timeout`
pub fn wait(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let replicas = parse_i64(cx.arg(1)).ok_or(ReplyError::NotInteger)?;
    let deadline_ms = parse_deadline_ms(cx, cx.arg(2))?;
    if replicas <= 0 || !cx.may_block() {
        OnTimeout::Acks.write(cx.out);
        return Ok(());
    }
    block(cx, deadline_ms, OnTimeout::Acks);
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
    if local > 0 {
        return Err(ReplyError::Text(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    if replicas == 0 || !cx.may_block() {
        OnTimeout::AofAcks.write(cx.out);
        return Ok(());
    }
    block(cx, deadline_ms, OnTimeout::AofAcks);
    Ok(())
}

fn block(cx: &mut Cx<'_>, deadline_ms: u64, on_timeout: OnTimeout) {
    let spec = BlockSpec::new(ValueType::String, std::iter::empty(), deadline_ms);
    cx.block(BlockSpec { on_timeout, ..spec });
}
