//! GEODIST GEOHASH GEOPOS: places read.
//!
//! Called through their rows. Invariant: a place is the middle of the cell its score names, whoever set the score.

use super::{parse_unit, write_distance, write_place};
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::command::zset::reply_from;
use crate::types::geo::Place;

/// `GEODIST key member1 member2 [unit]`
pub fn geodist(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let metres = match cx.argc() {
        4 => 1.0,
        5 => parse_unit(cx.arg(4))?,
        _ => return Err(ReplyError::Syntax),
    };
    let (key, one, other) = (cx.key(1), cx.arg(2), cx.arg(3));
    reply_from(cx, &key, |out, set| {
        let scores = set.and_then(|set| Some((set.score(one)?, set.score(other)?)));
        match scores {
            Some((one, other)) => {
                write_distance(out, Place::of_score(one).distance(Place::of_score(other)) / metres);
            }
            None => out.null(),
        }
    })
}

/// `GEOHASH key [member …]`
pub fn geohash(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, members) = (cx.key(1), cx.args.skip(2));
    reply_from(cx, &key, |out, set| {
        out.array(members.len());
        for member in members.iter() {
            match set.and_then(|set| set.score(member)) {
                Some(score) => out.bulk(&Place::of_score(score).text()),
                None => out.null(),
            }
        }
    })
}

/// `GEOPOS key [member …]`
pub fn geopos(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, members) = (cx.key(1), cx.args.skip(2));
    reply_from(cx, &key, |out, set| {
        out.array(members.len());
        for member in members.iter() {
            match set.and_then(|set| set.score(member)) {
                Some(score) => write_place(out, Place::of_score(score)),
                None => out.null_array(),
            }
        }
    })
}
