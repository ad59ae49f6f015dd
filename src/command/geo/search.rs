//! GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEOSEARCH GEOSEARCHSTORE: places around a place.
//!
//! Called through their rows. Invariant: unsorted results come in the order of redis' cells, equal distances in the order of its sorts. Bounds: what lies in at most nine
//! cells of about the search's size is looked at.

use std::cmp::Ordering;

use super::query::{Form, Order, Query};
use super::{write_distance, write_place};
use crate::base::partial_sort::partial_sort;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;
use crate::command::zset::{limits, store_result, write_member};
use crate::resp::Out;
use crate::types::element::Element;
use crate::types::geo::{Place, search_ranges};
use crate::types::zset::range::ScoreRange;
use crate::types::zset::{ZSet, ZSetLimits};

/// One result.
struct Found<'a> {
    member: Element<'a>,
    score: f64,
    place: Place,
    distance_m: f64,
}

/// The results of `query` in the order of the reply.
fn find<'a>(set: &'a ZSet, query: &Query) -> Vec<Found<'a>> {
    let enough = if query.any { query.count } else { usize::MAX };
    let mut found: Vec<Found<'a>> = Vec::new();
    for (min, max) in search_ranges(query.centre, query.shape) {
        if found.len() >= enough {
            break;
        }
        let (from, to) = set.score_span(&ScoreRange { min, max, min_open: false, max_open: true });
        for (member, score) in set.walk(from, to, false) {
            let place = Place::of_score(score);
            if let Some(distance_m) = query.centre.distance_within(query.shape, place) {
                found.push(Found { member, score, place, distance_m });
            }
            if found.len() >= enough {
                break;
            }
        }
    }
    let returned = if query.count == 0 { found.len() } else { found.len().min(query.count) };
    let nearer = |a: &Found<'_>, b: &Found<'_>| {
        if a.distance_m > b.distance_m {
            Ordering::Greater
        } else if a.distance_m == b.distance_m {
            Ordering::Equal
        } else {
            Ordering::Less
        }
    };
    match query.order {
        Order::AsFound => {}
        Order::Nearest => sort(&mut found, returned, &nearer),
        Order::Farthest => sort(&mut found, returned, &|a, b| nearer(b, a)),
    }
    found.truncate(returned);
    found
}

/// Sorts the first `returned`, as redis does: the C library's merge sort for all, its own quicksort for a part.
fn sort<'a>(found: &mut [Found<'a>], returned: usize, compare: &impl Fn(&Found<'a>, &Found<'a>) -> Ordering) {
    if returned == found.len() {
        found.sort_by(compare);
    } else {
        partial_sort(found, 0..returned, compare);
    }
}

fn reply(out: &mut Out, query: &Query, found: &[Found<'_>]) {
    let extras =
        [query.with_dist, query.with_hash, query.with_coord].into_iter().filter(|&with| with).count();
    out.array(found.len());
    for result in found {
        if extras > 0 {
            out.array(extras + 1);
        }
        write_member(out, result.member);
        if query.with_dist {
            write_distance(out, result.distance_m / query.metres);
        }
        if query.with_hash {
            out.integer(result.score as i64);
        }
        if query.with_coord {
            write_place(out, result.place);
        }
    }
}

/// The results as a sorted set of scores or distances.
fn collect(query: &Query, found: &[Found<'_>], limits: &ZSetLimits) -> ZSet {
    let members: Vec<_> = found
        .iter()
        .map(|result| {
            let score = if query.store_dist { result.distance_m / query.metres } else { result.score };
            (result.member.to_bytes(), score)
        })
        .collect();
    ZSet::from_members(members.iter().map(|(member, score)| (member.as_ref(), *score)), limits)
}

fn search(cx: &mut Cx<'_>, form: Form) -> Result<(), ReplyError> {
    let (key, args, limits) = (cx.key(form.source()), cx.args, limits(cx));
    let (entry, out) = cx.read_beside_out(&key);
    let set = match entry {
        Some(entry) => Some(entry.get::<ZSet>().ok_or(ReplyError::WrongType)?),
        None => None,
    };
    let missing = set.is_none();
    let query = Query::parse(&args, form, set);
    let stored = match (&query, set) {
        (Ok(query), Some(set)) => {
            let found = find(set, query);
            if query.store.is_some() {
                collect(query, &found, &limits)
            } else {
                reply(out, query, &found);
                return Ok(());
            }
        }
        _ => ZSet::default(),
    };
    if missing {
        cx.notify_miss(key.bytes);
    }
    let query = match query {
        Ok(query) => query,
        Err(refusal) => return Err(refusal.report(cx)),
    };
    let Some(destination) = query.store else {
        cx.out.array(0);
        return Ok(());
    };
    let (key, count) = (cx.key(destination), stored.len() as u64);
    store_result(cx, &key, stored, form.event());
    cx.outcome.dirty += count.saturating_sub(1);
    Ok(())
}

/// `GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC] [STORE key] [STOREDIST key]`
pub fn georadius(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    search(cx, Form::Radius)
}

/// GEORADIUS without STORE.
pub fn georadius_ro(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    search(cx, Form::RadiusRo)
}

/// `GEORADIUSBYMEMBER key member radius unit …`, options as GEORADIUS
pub fn georadiusbymember(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    search(cx, Form::Member)
}

/// GEORADIUSBYMEMBER without STORE.
pub fn georadiusbymember_ro(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    search(cx, Form::MemberRo)
}

/// `GEOSEARCH key FROMMEMBER member|FROMLONLAT longitude latitude BYRADIUS radius unit|BYBOX width height unit …`
pub fn geosearch(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    search(cx, Form::Search)
}

/// `GEOSEARCHSTORE destination source …` as GEOSEARCH, `[STOREDIST]`
pub fn geosearchstore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    search(cx, Form::SearchStore)
}
