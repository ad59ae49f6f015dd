//! Compares two replies under a mode of the exclusions file.
//!
//! Called by `lockstep`. Invariant: byte equality is always sufficient and, without an exclusion, necessary.

use crate::exclusions::Mode;
use crate::support::client::Reply;
use crate::support::newer;
use crate::support::reply::Value;

/// The modes of the commands queued in a transaction: EXEC's reply is compared element by element with them.
pub type Queue = Vec<Mode>;

/// True if the replies count as equal.
pub fn equal(mode: &Mode, ours: &Reply, theirs: &Reply) -> bool {
    ours.raw == theirs.raw || equal_values(mode, &ours.value, &theirs.value)
}

/// EXEC: an array whose elements are compared each in its own mode.
pub fn equal_exec(queue: &Queue, ours: &Reply, theirs: &Reply) -> bool {
    if ours.raw == theirs.raw {
        return true;
    }
    match (&ours.value, &theirs.value) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.len() == queue.len()
                && left
                    .iter()
                    .zip(right)
                    .zip(queue)
                    .all(|((left, right), mode)| equal_values(mode, left, right))
        }
        _ => false,
    }
}

fn equal_values(mode: &Mode, ours: &Value, theirs: &Value) -> bool {
    if ours == theirs {
        return true;
    }
    if ours.is_error() || theirs.is_error() {
        return *mode == Mode::ErrorKind && first_word(ours) == first_word(theirs);
    }
    match mode {
        Mode::Exact | Mode::ErrorKind => false,
        Mode::Skip => true,
        Mode::Shape => same_kind(ours, theirs),
        Mode::Random => {
            same_kind(ours, theirs) && ours.items().map(<[Value]>::len) == theirs.items().map(<[Value]>::len)
        }
        Mode::Unordered => sorted(ours).is_some_and(|left| Some(left) == sorted(theirs)),
        Mode::Nested => deeply_sorted(ours) == deeply_sorted(theirs),
        Mode::Pairs => pairs(ours).is_some_and(|left| Some(left) == pairs(theirs)),
        Mode::Near(distance) => match (ours, theirs) {
            (Value::Int(left), Value::Int(right)) => {
                *left >= 0 && *right >= 0 && left.abs_diff(*right) <= distance.unsigned_abs()
            }
            _ => false,
        },
        Mode::Fields(names) => equal_but_fields(names, ours, theirs),
        Mode::Rules => canonical_rules(ours) == canonical_rules(theirs),
        Mode::Times => equal_but_times(ours, theirs, false),
    }
}

/// Descriptions of rights with their single commands sorted; those that redis 7.0 does not have appear where a category would include them.
fn canonical_rules(value: &Value) -> Value {
    let all = |items: &[Value]| items.iter().map(canonical_rules).collect();
    match value {
        Value::Bulk(text) => {
            let text = String::from_utf8_lossy(text).replace('(', "( ").replace(')', " )");
            let mut sorted: Vec<&str> = Vec::new();
            for group in text.split_inclusive(['(', ')']) {
                let (mut singles, others): (Vec<&str>, Vec<&str>) = group.split(' ').partition(|word| {
                    word.starts_with(['+', '-']) && !word.starts_with("+@") && !word.starts_with("-@")
                });
                singles.retain(|word| !newer::COMMANDS.contains(&&word[1..]));
                singles.sort_unstable();
                sorted.extend(others);
                sorted.extend(singles);
            }
            sorted.retain(|word| !word.is_empty());
            Value::Bulk(sorted.join(" ").into_bytes())
        }
        Value::Array(items) => Value::Array(all(items)),
        Value::Set(items) => Value::Set(all(items)),
        Value::Map(pairs) => {
            Value::Map(pairs.iter().map(|(name, value)| (name.clone(), canonical_rules(value))).collect())
        }
        other => other.clone(),
    }
}

/// Unix times in ms, and idle times where streams have them, may be a minute apart.
fn equal_but_times(ours: &Value, theirs: &Value, is_idle: bool) -> bool {
    let all = |left: &[Value], right: &[Value]| {
        let is_pending = matches!(right, [Value::Bulk(_), Value::Bulk(_), Value::Int(_), Value::Int(_)]);
        let idle = |at: usize| is_pending && at == 2 || at > 0 && right[at - 1].text() == "idle";
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .enumerate()
                .all(|(at, (left, right))| equal_but_times(left, right, idle(at)))
    };
    match (ours, theirs) {
        (Value::Int(left), Value::Int(right)) => {
            let may_differ = is_idle || *left.min(right) > 1_000_000_000_000;
            left == right || may_differ && left.abs_diff(*right) < 60_000
        }
        (Value::Array(left), Value::Array(right)) => all(left, right),
        (Value::Map(left), Value::Map(right)) => {
            let flat = |pairs: &[(Value, Value)]| -> Vec<Value> {
                pairs.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect()
            };
            all(&flat(left), &flat(right))
        }
        _ => ours == theirs,
    }
}

fn first_word(value: &Value) -> Option<String> {
    value.is_error().then(|| value.text().split(' ').next().unwrap_or("").to_owned())
}

fn same_kind(ours: &Value, theirs: &Value) -> bool {
    ours.kind() == theirs.kind()
}

fn sorted(value: &Value) -> Option<(&'static str, Vec<Value>)> {
    let mut items = match value {
        Value::Map(pairs) => pairs.iter().map(|(k, v)| Value::Array(vec![k.clone(), v.clone()])).collect(),
        other => other.items()?.to_vec(),
    };
    items.sort();
    Some((value.kind(), items))
}

fn deeply_sorted(value: &Value) -> Value {
    let all = |items: &[Value]| {
        let mut items: Vec<Value> = items.iter().map(deeply_sorted).collect();
        items.sort();
        items
    };
    match value {
        Value::Array(items) => Value::Array(all(items)),
        Value::Set(items) => Value::Set(all(items)),
        Value::Map(pairs) => {
            let mut pairs: Vec<_> =
                pairs.iter().map(|(name, value)| (name.clone(), deeply_sorted(value))).collect();
            pairs.sort();
            Value::Map(pairs)
        }
        other => other.clone(),
    }
}

fn pairs(value: &Value) -> Option<(&'static str, Vec<(Value, Value)>)> {
    let mut all: Vec<(Value, Value)> = match value {
        Value::Map(pairs) => pairs.clone(),
        other => other
            .items()?
            .chunks(2)
            .map(|two| (two[0].clone(), two.get(1).cloned().unwrap_or(Value::Null)))
            .collect(),
    };
    all.sort();
    Some((value.kind(), all))
}

fn equal_but_fields(names: &[String], ours: &Value, theirs: &Value) -> bool {
    let blank = |value: &Value| {
        pairs(value).map(|(kind, mut all)| {
            for (name, content) in &mut all {
                if names.contains(&name.text()) {
                    *content = Value::Null;
                }
            }
            (kind, all)
        })
    };
    blank(ours).is_some_and(|left| Some(left) == blank(theirs))
}
