//! SINTER SINTERCARD SUNION SDIFF and their STORE forms.
//!
//! Called through their rows. Invariant: a key that is not there is an empty set, and every key is looked at before the first member is; a stored
//! result has the encoding that SADD of its members would give. Source: redis' t_set.c for texts and for when which way of SDIFF is cheaper.
//! Bounds: an intersection costs the smallest set times the number of sets; union and difference cost all members.

use super::limits;
use super::pop::store;
use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::hash::read::write_element;
use crate::command::reply_error::ReplyError;
use crate::types::element::Element;
use crate::types::set::{Probe, Set, SetLimits};

#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Intersect,
    Unite,
    Subtract,
}

/// Up to so many sets a union asks the earlier ones about each member, instead of gathering the members anew.
const FEW_SETS: usize = 6;

/// `SINTER key [key …]`
pub fn sinter(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply(cx, Operation::Intersect)
}

/// `SUNION key [key …]`
pub fn sunion(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply(cx, Operation::Unite)
}

/// `SDIFF key [key …]`
pub fn sdiff(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    reply(cx, Operation::Subtract)
}

/// `SINTERSTORE destination key [key …]`
pub fn sinterstore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    store_result(cx, Operation::Intersect, "sinterstore")
}

/// `SUNIONSTORE destination key [key …]`
pub fn sunionstore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    store_result(cx, Operation::Unite, "sunionstore")
}

/// `SDIFFSTORE destination key [key …]`
pub fn sdiffstore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    store_result(cx, Operation::Subtract, "sdiffstore")
}

/// `SINTERCARD numkeys key [key …] [LIMIT limit]`
pub fn sintercard(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let few = ReplyError::Text("ERR numkeys should be greater than 0");
    let keys = parse_i64(cx.arg(1)).filter(|&keys| keys > 0).ok_or(few)?;
    let keys = usize::try_from(keys).ok().filter(|&keys| keys <= cx.argc() - 2);
    let keys = keys.ok_or(ReplyError::Text("ERR Number of keys can't be greater than number of args"))?;
    let (mut limit, mut index) = (0, 2 + keys);
    while index < cx.argc() {
        if !cx.arg(index).eq_ignore_ascii_case(b"limit") || index + 1 >= cx.argc() {
            return Err(ReplyError::Syntax);
        }
        let number = parse_i64(cx.arg(index + 1)).and_then(|number| usize::try_from(number).ok());
        limit = number.ok_or(ReplyError::Text("ERR LIMIT can't be negative"))?;
        index += 2;
    }
    let sets = cx.read_all::<Set>(2..2 + keys)?;
    let mut count = 0;
    intersect(&sets, |_| {
        count += 1;
        count != limit
    });
    cx.out.integer(count as i64);
    Ok(())
}

fn reply(cx: &mut Cx<'_>, operation: Operation) -> Result<(), ReplyError> {
    let limits = limits(cx);
    let mut out = std::mem::take(cx.out);
    let (mark, mut count) = (out.mark(), 0);
    let last = cx.argc();
    let result = cx.read_all::<Set>(1..last).map(|sets| {
        run(operation, &sets, &limits, |member| {
            count += 1;
            write_element(&mut out, member);
        });
        out.insert_set(mark, count);
    });
    *cx.out = out;
    result
}

fn store_result(cx: &mut Cx<'_>, operation: Operation, event: &'static str) -> Result<(), ReplyError> {
    let (key, limits, last) = (cx.key(1), limits(cx), cx.argc());
    let mut result = Set::new();
    let sets = cx.read_all::<Set>(2..last)?;
    run(operation, &sets, &limits, |member| {
        result.add_element(member, &limits);
    });
    let count = store(cx, &key, result, event);
    cx.out.integer(count);
    Ok(())
}

fn run(operation: Operation, sets: &[Option<&Set>], limits: &SetLimits, mut emit: impl FnMut(Element<'_>)) {
    match operation {
        Operation::Intersect => intersect(sets, |member| {
            emit(member);
            true
        }),
        Operation::Unite => unite(sets, limits, emit),
        Operation::Subtract => subtract(sets, limits, emit),
    }
}

/// Hands out the common members, from the smallest set on, until `emit` says stop.
fn intersect(sets: &[Option<&Set>], mut emit: impl FnMut(Element<'_>) -> bool) {
    let mut sets: Vec<&Set> = match sets.iter().copied().collect() {
        Some(sets) => sets,
        None => return,
    };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        let mut probe = Probe::new(member);
        let everywhere = others.iter().all(|set| std::ptr::eq(*set, *smallest) || set.has(&mut probe));
        if everywhere && !emit(member) {
            return;
        }
    }
}

fn unite(sets: &[Option<&Set>], limits: &SetLimits, mut emit: impl FnMut(Element<'_>)) {
    let sets: Vec<&Set> = sets.iter().flatten().copied().collect();
    if sets.len() > FEW_SETS {
        let mut all = Set::new();
        for member in sets.iter().flat_map(|set| set.iter()) {
            all.add_element(member, limits);
        }
        return all.iter().for_each(emit);
    }
    for (index, set) in sets.iter().enumerate() {
        for member in set.iter() {
            let mut probe = Probe::new(member);
            if !sets[..index].iter().any(|earlier| earlier.has(&mut probe)) {
                emit(member);
            }
        }
    }
}

fn subtract(sets: &[Option<&Set>], limits: &SetLimits, mut emit: impl FnMut(Element<'_>)) {
    let Some((Some(first), others)) = sets.split_first() else { return };
    let mut others: Vec<&Set> = others.iter().flatten().copied().collect();
    if others.iter().any(|set| std::ptr::eq(*set, *first)) {
        return;
    }
    // Asking costs the first set times the number of sets (half of it is expected to be spared); removing costs all members.
    let asking = first.len().saturating_mul(others.len() + 1) / 2;
    let removing = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    if asking > removing {
        let mut rest = Set::new();
        first.iter().for_each(|member| {
            rest.add_element(member, limits);
        });
        for member in others.iter().flat_map(|set| set.iter()) {
            rest.remove(&member.to_bytes());
            if rest.is_empty() {
                return;
            }
        }
        return rest.iter().for_each(emit);
    }
    others.sort_by_key(|set| std::cmp::Reverse(set.len()));
    for member in first.iter() {
        let mut probe = Probe::new(member);
        if !others.iter().any(|set| set.has(&mut probe)) {
            emit(member);
        }
    }
}
