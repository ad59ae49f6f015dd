//! The `cjson` library: JSON, with the options and errors of lua-cjson 2.1.0.
//!
//! Opened by `sandbox`; [`encode`] and [`decode`] do the work. Options are per interpreter and stay set between scripts, as in redis. Invariant: texts and numbers are those of
//! redis 7.0.15. Bounds: `encode_max_depth` and `decode_max_depth`.

mod decode;
mod encode;

use std::cell::RefCell;

use super::reply::to_integer;
use super::stack::{Body, Kind, Native, Raise, Stack, upvalue};

/// What `encode_invalid_numbers` and its like allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    Refuse,
    Allow,
    Null,
}

/// Options of one `cjson`.
#[derive(Clone, Debug)]
struct Options {
    sparse_convert: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_max_depth: i64,
    decode_max_depth: i64,
    encode_invalid: Invalid,
    decode_invalid: bool,
    keep_buffer: bool,
    precision: i64,
}

const DEFAULTS: Options = Options {
    sparse_convert: false,
    sparse_ratio: 2,
    sparse_safe: 10,
    encode_max_depth: 1000,
    decode_max_depth: 1000,
    encode_invalid: Invalid::Refuse,
    decode_invalid: true,
    keep_buffer: true,
    precision: 14,
};

thread_local! {
    /// Options of every `cjson` made on this thread; each knows its index.
    static ALL: RefCell<Vec<Options>> = const { RefCell::new(Vec::new()) };
}

const FUNCTIONS: &[(&str, Body)] = &[
    ("encode", encode::encode),
    ("decode", decode::decode),
    ("encode_sparse_array", encode_sparse_array),
    ("encode_max_depth", encode_max_depth),
    ("decode_max_depth", decode_max_depth),
    ("encode_number_precision", encode_number_precision),
    ("encode_keep_buffer", encode_keep_buffer),
    ("encode_invalid_numbers", encode_invalid_numbers),
    ("decode_invalid_numbers", decode_invalid_numbers),
    ("new", new),
];
/// More instances (`cjson.new`) share the last options.
const MOST_INSTANCES: usize = 10_000;

/// Pushes a `cjson` with options of its own.
pub fn open(stack: &mut Stack<'_>) {
    let index = ALL.with_borrow_mut(|all| {
        if all.len() < MOST_INSTANCES {
            all.push(DEFAULTS);
        }
        all.len() - 1
    });
    stack.new_table(0, 16);
    for (name, body) in FUNCTIONS {
        stack.push_number(index as f64);
        stack.push_closure(*body, 1);
        stack.raw_set_field(-2, name);
    }
    stack.push_null();
    stack.raw_set_field(-2, "null");
    stack.push_bytes("cjson");
    stack.raw_set_field(-2, "_NAME");
    stack.push_bytes("2.1.0");
    stack.raw_set_field(-2, "_VERSION");
}

/// `cjson.new()`
fn new(stack: &mut Stack<'_>) -> Native {
    open(stack);
    Ok(1)
}

/// The options of the `cjson` whose function runs.
fn with_options<R>(stack: &Stack<'_>, body: impl FnOnce(&mut Options) -> R) -> R {
    let index = stack.number(upvalue(1)).unwrap_or(0.0) as usize;
    ALL.with_borrow_mut(|all| body(&mut all[index]))
}

/// Options take at most `most` arguments.
fn at_most(stack: &mut Stack<'_>, most: i32) -> Result<(), Raise> {
    if stack.top() > most {
        return Err(Raise::Argument(most + 1, c"found too many arguments"));
    }
    while stack.top() < most {
        stack.push_nil();
    }
    Ok(())
}

/// Argument `index` as an integer from `least` on; `None` if it is absent.
fn integer(stack: &mut Stack<'_>, index: i32, least: i64, most: i64) -> Result<Option<i64>, Raise> {
    if stack.is_absent(index) {
        return Ok(None);
    }
    let value = stack.coerced_number(index).map(to_integer).ok_or(Raise::Type(index, c"number"))?;
    if (least..=most).contains(&value) {
        return Ok(Some(value));
    }
    let name = stack.caller_name().unwrap_or_else(|| b"?".to_vec());
    let name = String::from_utf8_lossy(&name).into_owned();
    stack.fail(format!("bad argument #{index} to '{name}' (expected integer between {least} and {most})"))
}

/// Argument `index` as a truth value or one of `words` with its number; `None` if it is absent.
fn choice(stack: &mut Stack<'_>, index: i32, allows_null: bool) -> Result<Option<Invalid>, Raise> {
    match stack.kind(index) {
        Kind::None | Kind::Nil => Ok(None),
        Kind::Boolean => Ok(Some(if stack.truth(index) { Invalid::Allow } else { Invalid::Refuse })),
        _ => {
            let word = stack.coerced(index).map(<[u8]>::to_vec).ok_or(Raise::Type(index, c"string"))?;
            match &word[..] {
                b"off" => Ok(Some(Invalid::Refuse)),
                b"on" => Ok(Some(Invalid::Allow)),
                b"null" if allows_null => Ok(Some(Invalid::Null)),
                _ => {
                    let name = stack.caller_name().unwrap_or_else(|| b"?".to_vec());
                    let start = format!("bad argument #{index} to '");
                    let text = [start.as_bytes(), &name, b"' (invalid option '", &word, b"')"].concat();
                    stack.fail(text)
                }
            }
        }
    }
}

fn encode_sparse_array(stack: &mut Stack<'_>) -> Native {
    at_most(stack, 3)?;
    let convert = choice(stack, 1, false)?;
    let ratio = integer(stack, 2, 0, i32::MAX as i64)?;
    let safe = integer(stack, 3, 0, i32::MAX as i64)?;
    let (convert, ratio, safe) = with_options(stack, |options| {
        options.sparse_convert = convert.map_or(options.sparse_convert, |choice| choice == Invalid::Allow);
        options.sparse_ratio = ratio.unwrap_or(options.sparse_ratio);
        options.sparse_safe = safe.unwrap_or(options.sparse_safe);
        (options.sparse_convert, options.sparse_ratio, options.sparse_safe)
    });
    stack.push_bool(convert);
    stack.push_number(ratio as f64);
    stack.push_number(safe as f64);
    Ok(3)
}

fn number_option(
    stack: &mut Stack<'_>,
    least: i64,
    most: i64,
    place: fn(&mut Options) -> &mut i64,
) -> Native {
    at_most(stack, 1)?;
    let wanted = integer(stack, 1, least, most)?;
    let value = with_options(stack, |options| {
        let place = place(options);
        *place = wanted.unwrap_or(*place);
        *place
    });
    stack.push_number(value as f64);
    Ok(1)
}

fn encode_max_depth(stack: &mut Stack<'_>) -> Native {
    number_option(stack, 1, i32::MAX as i64, |options| &mut options.encode_max_depth)
}

fn decode_max_depth(stack: &mut Stack<'_>) -> Native {
    number_option(stack, 1, i32::MAX as i64, |options| &mut options.decode_max_depth)
}

fn encode_number_precision(stack: &mut Stack<'_>) -> Native {
    number_option(stack, 1, 14, |options| &mut options.precision)
}

fn encode_keep_buffer(stack: &mut Stack<'_>) -> Native {
    at_most(stack, 1)?;
    let wanted = choice(stack, 1, false)?;
    let keeps = with_options(stack, |options| {
        options.keep_buffer = wanted.map_or(options.keep_buffer, |choice| choice == Invalid::Allow);
        options.keep_buffer
    });
    stack.push_bool(keeps);
    Ok(1)
}

fn encode_invalid_numbers(stack: &mut Stack<'_>) -> Native {
    at_most(stack, 1)?;
    let wanted = choice(stack, 1, true)?;
    let now = with_options(stack, |options| {
        options.encode_invalid = wanted.unwrap_or(options.encode_invalid);
        options.encode_invalid
    });
    match now {
        Invalid::Null => stack.push_bytes("null"),
        other => stack.push_bool(other == Invalid::Allow),
    }
    Ok(1)
}

fn decode_invalid_numbers(stack: &mut Stack<'_>) -> Native {
    at_most(stack, 1)?;
    let wanted = choice(stack, 1, false)?;
    let allowed = with_options(stack, |options| {
        options.decode_invalid = wanted.map_or(options.decode_invalid, |choice| choice == Invalid::Allow);
        options.decode_invalid
    });
    stack.push_bool(allowed);
    Ok(1)
}
