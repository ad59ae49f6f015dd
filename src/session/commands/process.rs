//! TIME, LOLWUT, ROLE.
//!
//! Invariant: each answers at once, from what this core knows. Bounds: none.

use super::super::core::Core;
use super::super::{Control, Flow, Session};
use super::is;
use crate::base::clock;
use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::effect::stream_offset;
use crate::observe::identity::REDIS_VERSION;
use crate::resp::Args;

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[("time", time), ("lolwut", lolwut), ("role", role)];

fn time(_: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let wall_us = clock::wall_us();
    session.out.array(2);
    session.out.bulk_i64((wall_us / 1_000_000) as i64);
    session.out.bulk_i64((wall_us % 1_000_000) as i64);
    Ok(Flow::Done)
}

/// The picture of LOLWUT: as many fish as there are cores.
fn shoal(cores: usize) -> String {
    let mut text = String::new();
    for row in 0..cores.min(64) {
        text.push_str(&" ".repeat([4, 0, 8, 2][row % 4]));
        text.push_str("><(((\u{ba}>\n");
    }
    text
}

fn lolwut(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    if args.len() > 2 && is(args.get(1), "version") {
        let number = |word: &[u8]| parse_i64(word).ok_or(ReplyError::NotInteger);
        // The pictures of versions 5 and 6 take so many sizes; they are judged, though the fish stay the same.
        let sizes = match number(args.get(2))? {
            5 => 3,
            6 => 2,
            _ => 0,
        };
        args.skip(3).iter().take(sizes).try_for_each(|word| number(word).map(drop))?;
    }
    let text = format!(
        "{}\nshoal ver. {} (one fish per core), replies as Redis ver. {REDIS_VERSION}\n",
        shoal(core.cores()),
        env!("CARGO_PKG_VERSION")
    );
    session.out.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

fn role(_: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.array(3);
    session.out.bulk(b"master");
    session.out.integer(stream_offset() as i64);
    session.out.array(0);
    Ok(Flow::Done)
}
