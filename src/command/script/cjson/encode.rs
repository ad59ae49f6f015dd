//! Lua value -> JSON text.
//!
//! Called as `cjson.encode`. Invariant: the order of an object's fields is the table's own. Bounds: `encode_max_depth` and the Lua stack.

use super::super::stack::{Kind, Native, Raise, Stack};
use super::{Invalid, Options, with_options};

/// `cjson.encode(value)`
pub fn encode(stack: &mut Stack<'_>) -> Native {
    if stack.top() != 1 {
        return Err(Raise::Argument(1, c"expected 1 argument"));
    }
    let options = with_options(stack, |options| options.clone());
    let mut text = Vec::new();
    append(stack, &options, &mut text, 0)?;
    stack.push_bytes(text);
    Ok(1)
}

/// Fails over the value on top.
fn refuse<T>(stack: &mut Stack<'_>, why: &str) -> Result<T, Raise> {
    let text = format!("Cannot serialise {}: {why}", stack.kind_name(-1));
    stack.fail(text)
}

/// Appends the value on top, which stays.
fn append(stack: &mut Stack<'_>, options: &Options, text: &mut Vec<u8>, depth: i64) -> Result<(), Raise> {
    match stack.kind(-1) {
        Kind::String => append_string(text, stack.bytes(-1).unwrap_or_default()),
        Kind::Number => return append_number(stack, options, text),
        Kind::Boolean => text.extend_from_slice(if stack.truth(-1) { b"true" } else { b"false" }),
        Kind::Nil => text.extend_from_slice(b"null"),
        Kind::LightUserdata if stack.is_null(-1) => text.extend_from_slice(b"null"),
        Kind::Table => {
            let depth = depth + 1;
            if depth > options.encode_max_depth || !stack.reserve(6) {
                return stack.fail(format!("Cannot serialise, excessive nesting ({depth})"));
            }
            let len = array_len(stack, options)?;
            if len > 0 {
                return append_array(stack, options, text, depth, len);
            }
            return append_object(stack, options, text, depth);
        }
        _ => return refuse(stack, "type not supported"),
    }
    Ok(())
}

fn append_number(stack: &mut Stack<'_>, options: &Options, text: &mut Vec<u8>) -> Result<(), Raise> {
    let value = stack.number(-1).unwrap_or(0.0);
    if !value.is_finite() {
        match options.encode_invalid {
            Invalid::Refuse => return refuse(stack, "must not be NaN or Inf"),
            Invalid::Null => {
                text.extend_from_slice(b"null");
                return Ok(());
            }
            Invalid::Allow => {}
        }
    }
    append_rounded(text, value, options.precision);
    Ok(())
}

/// A number as C's `%.*g` prints it.
fn append_rounded(text: &mut Vec<u8>, value: f64, precision: i64) {
    if value.floor() == value
        && value.abs() < 1e14
        && precision == 14
        && !(value == 0.0 && value.is_sign_negative())
    {
        crate::base::number::write_i64(text, value as i64);
        return;
    }
    let mut buffer = [0u8; 48];
    // SAFETY: the buffer has room for 17 digits, sign, point and exponent; snprintf never writes beyond the length given.
    let len = unsafe {
        libc::snprintf(
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            c"%.*g".as_ptr(),
            precision as libc::c_int,
            value,
        )
    };
    text.extend_from_slice(&buffer[..usize::try_from(len).unwrap_or(0).min(buffer.len())]);
}

fn append_string(text: &mut Vec<u8>, value: &[u8]) {
    text.push(b'"');
    for &byte in value {
        match byte {
            b'"' => text.extend_from_slice(b"\\\""),
            b'\\' => text.extend_from_slice(b"\\\\"),
            b'/' => text.extend_from_slice(b"\\/"),
            8 => text.extend_from_slice(b"\\b"),
            9 => text.extend_from_slice(b"\\t"),
            10 => text.extend_from_slice(b"\\n"),
            12 => text.extend_from_slice(b"\\f"),
            13 => text.extend_from_slice(b"\\r"),
            0..=31 | 127 => text.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => text.push(byte),
        }
    }
    text.push(b'"');
}

/// The highest index of the table on top if all its keys are positive integers, else -1; 0 for an empty one.
fn array_len(stack: &mut Stack<'_>, options: &Options) -> Result<i64, Raise> {
    let (mut highest, mut count) = (0i64, 0i64);
    stack.push_nil();
    while stack.next(-2) {
        stack.pop(1);
        match stack.number(-1) {
            Some(key) if key >= 1.0 && key.floor() == key => {
                highest = highest.max(key as i64);
                count += 1;
            }
            _ => {
                stack.pop(1);
                return Ok(-1);
            }
        }
    }
    let is_sparse = options.sparse_ratio > 0
        && highest > count.saturating_mul(options.sparse_ratio)
        && highest > options.sparse_safe;
    match (is_sparse, options.sparse_convert) {
        (true, true) => Ok(-1),
        (true, false) => refuse(stack, "excessively sparse array"),
        _ => Ok(highest),
    }
}

fn append_array(
    stack: &mut Stack<'_>,
    options: &Options,
    text: &mut Vec<u8>,
    depth: i64,
    len: i64,
) -> Result<(), Raise> {
    text.push(b'[');
    for item in 1..=len {
        if item > 1 {
            text.push(b',');
        }
        stack.raw_get_item(-1, item as usize);
        append(stack, options, text, depth)?;
        stack.pop(1);
    }
    text.push(b']');
    Ok(())
}

fn append_object(
    stack: &mut Stack<'_>,
    options: &Options,
    text: &mut Vec<u8>,
    depth: i64,
) -> Result<(), Raise> {
    text.push(b'{');
    let start = text.len();
    stack.push_nil();
    while stack.next(-2) {
        if text.len() > start {
            text.push(b',');
        }
        match stack.kind(-2) {
            Kind::Number => {
                text.push(b'"');
                stack.push_value(-2);
                append_number(stack, options, text)?;
                stack.pop(1);
                text.push(b'"');
            }
            Kind::String => append_string(text, stack.bytes(-2).unwrap_or_default()),
            _ => {
                stack.pop(1);
                return refuse(stack, "table key must be a number or string");
            }
        }
        text.push(b':');
        append(stack, options, text, depth)?;
        stack.pop(1);
    }
    text.push(b'}');
    Ok(())
}
