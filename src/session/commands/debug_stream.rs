//! DEBUG STREAM: the test reader of the effect logs.
//!
//! `START` attaches a reader to every core's log and replies the stream's offset; `READ offset` replies the contiguous bytes from there on;
//! `STOP` detaches. All three are visits that need the shard at home (or in the hands of the running transaction), because the log is
//! part of the shard. Invariant: READ never skips a byte: what other cores have not published yet ends the piece.
//! Bounds: each log keeps [`CAPACITY`] bytes while attached.

use super::super::core::Core;
use super::super::visit::{Visit, shard_of};
use super::super::{Flow, Session};
use super::is;
use crate::base::number::parse_u64;
use crate::command::reply_error::ReplyError;
use crate::effect::{Batch, Reader, gather, stream_offset};
use crate::resp::Args;
use crate::shard::execute::seal;

/// Bytes of log a reader asks each core to keep.
const CAPACITY: usize = 1 << 30;

/// DEBUG STREAM START | READ offset | STOP.
pub(super) fn stream(args: &Args<'_>) -> Result<Flow, ReplyError> {
    let what = args.get(2);
    if is(what, "start") && args.len() == 3 {
        return Ok(Flow::Visit(Box::new(Attach { join: true })));
    }
    if is(what, "stop") && args.len() == 3 {
        return Ok(Flow::Visit(Box::new(Attach { join: false })));
    }
    if is(what, "read") && args.len() == 4 {
        let Some(offset) = parse_u64(args.get(3)) else { return Err(ReplyError::NotInteger) };
        return Ok(Flow::Visit(Box::new(Read { offset, batches: Vec::new() })));
    }
    Err(ReplyError::Syntax)
}

/// A reader comes or goes on every core.
struct Attach {
    join: bool,
}

impl Visit for Attach {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        let Some(shard) = shard_of(core, session) else { return };
        if self.join {
            shard.log.attach(Reader::Debug, CAPACITY);
        } else {
            shard.log.detach(Reader::Debug);
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        if self.join {
            session.out.integer(stream_offset() as i64);
        } else {
            session.out.ok();
        }
    }

    fn needs_shard(&self) -> bool {
        true
    }
}

/// Collects the batches of every core from an offset on.
struct Read {
    offset: u64,
    batches: Vec<Batch>,
}

impl Visit for Read {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        let within_transaction = session.lent.is_some();
        let Some(shard) = shard_of(core, session) else { return };
        if !within_transaction {
            // A transaction's own effects are one unit, sealed when it is over.
            seal(shard);
        }
        self.batches.append(&mut shard.log.since(self.offset));
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        let bytes = gather(self.batches, self.offset);
        session.out.blob(bytes.into());
    }

    fn needs_shard(&self) -> bool {
        true
    }
}
