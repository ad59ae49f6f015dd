//! ACL LOG [count | RESET].
//!
//! Shows what `session::gate` wrote down (`acl::log`). Invariant: newest first. Bounds: acllog-max-len entries.

use super::super::super::core::Core;
use super::super::super::{Flow, Session};
use super::super::{at_most, is};
use crate::acl;
use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::resp::Args;

/// Entries shown unless a count is given.
const SHOWN: i64 = 10;

pub fn show(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 3)?;
    let count = match args.get_checked(2) {
        None => SHOWN,
        Some(word) if is(word, "reset") => {
            acl::log::log().entries.clear();
            session.out.ok();
            return Ok(Flow::Done);
        }
        Some(word) => parse_i64(word).ok_or(ReplyError::NotInteger)?,
    };
    let log = acl::log::log();
    let out = &mut session.out;
    let shown = log.entries.len().min(usize::try_from(count).unwrap_or(0));
    out.array(shown);
    for record in log.entries.iter().take(shown) {
        out.map(7);
        out.bulk(b"count");
        out.integer(record.count as i64);
        let facts: [(&str, &[u8]); 4] = [
            ("reason", record.reason_name().as_bytes()),
            ("context", record.context_name().as_bytes()),
            ("object", &record.object),
            ("username", &record.username),
        ];
        for (name, value) in facts {
            out.bulk(name.as_bytes());
            out.bulk(value);
        }
        out.bulk(b"age-seconds");
        out.double(core.now_ms.saturating_sub(record.at_ms) as f64 / 1000.0);
        out.bulk(b"client-info");
        out.bulk(&record.client);
    }
    Ok(Flow::Done)
}
