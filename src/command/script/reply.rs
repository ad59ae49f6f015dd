//! Replies between Redis and Lua: RESP of a command called by a script -> Lua value, and what a script returns -> RESP.
//!
//! `api` pushes the replies of `redis.call`, `engine` writes a script's result. Invariant: the tables of conversion are redis 7.0.15's, in both protocols:
//! ```text
//! RESP -> Lua   :n number | $ string | + {ok=} | - {err=} | * table | null false (RESP2), nil (RESP3)
//!               % {map={}} | ~ {set={item=true}} | , {double=} | # boolean | ( {big_number=} | = {verbatim_string={string=,format=}}
//! Lua -> RESP   the same back; a table without these fields is an array up to its first nil
//! ```
//! Bounds: nesting as deep as Lua's stack allows, then an error. Why straight from bytes: a tree in between would be built and dropped for every call.

use super::stack::{Kind, Stack};
use crate::base::number::{parse_f64, parse_i64};
use crate::resp::{Out, one_line};

/// Stack slots one level of nesting needs.
const LEVEL_ROOM: usize = 8;
/// Deepest nesting of what a script returns.
const DEPTH_MAX: usize = 1000;
/// What is said of deeper nesting (redis' text).
const TOO_DEEP: &str = "ERR reached lua stack limit";

/// Pushes the reply at the front of `rest` and takes it off; false if it is not RESP (then something is pushed all the same).
pub fn push_reply(stack: &mut Stack<'_>, rest: &mut &[u8], proto: u8) -> bool {
    if !stack.reserve(LEVEL_ROOM) {
        stack.push_nil();
        return false;
    }
    let Some((marker, text)) = take_line(rest) else {
        stack.push_nil();
        return false;
    };
    match marker {
        b':' => stack.push_number(parse_i64(text).unwrap_or(0) as f64),
        b'$' => match take_blob(rest, text) {
            Some(blob) => stack.push_bytes(blob),
            None => push_missing(stack, proto),
        },
        b'+' => push_field(stack, "ok", text),
        b'-' => {
            stack.new_table(0, 2);
            stack.push_bytes(text);
            stack.raw_set_field(-2, "err");
            stack.push_bool(true);
            stack.raw_set_field(-2, "ignore_error_stats_update");
        }
        b'*' | b'>' => match count(text) {
            Some(items) => return push_array(stack, rest, items, proto),
            None => push_missing(stack, proto),
        },
        b'%' => return push_map(stack, rest, count(text).unwrap_or(0), proto),
        b'~' => return push_set(stack, rest, count(text).unwrap_or(0), proto),
        b'_' => stack.push_nil(),
        b'#' => stack.push_bool(text == b"t"),
        b',' => {
            stack.new_table(0, 1);
            stack.push_number(parse_f64(text).unwrap_or(f64::NAN));
            stack.raw_set_field(-2, "double");
        }
        b'(' => push_field(stack, "big_number", text),
        b'=' => push_verbatim(stack, take_blob(rest, text).unwrap_or_default()),
        b'|' => {
            // Attributes are not shown to scripts.
            for _ in 0..2 * count(text).unwrap_or(0) {
                push_reply(stack, rest, proto);
                stack.pop(1);
            }
            return push_reply(stack, rest, proto);
        }
        _ => {
            stack.push_nil();
            return false;
        }
    }
    true
}

fn push_missing(stack: &mut Stack<'_>, proto: u8) {
    if proto >= 3 { stack.push_nil() } else { stack.push_bool(false) }
}

fn push_field(stack: &mut Stack<'_>, name: &str, value: &[u8]) {
    stack.new_table(0, 1);
    stack.push_bytes(value);
    stack.raw_set_field(-2, name);
}

fn push_array(stack: &mut Stack<'_>, rest: &mut &[u8], items: usize, proto: u8) -> bool {
    stack.new_table(items, 0);
    for item in 1..=items {
        if !push_reply(stack, rest, proto) {
            stack.pop(1);
            return false;
        }
        stack.raw_set_item(-2, item);
    }
    true
}

fn push_map(stack: &mut Stack<'_>, rest: &mut &[u8], pairs: usize, proto: u8) -> bool {
    stack.new_table(0, 1);
    stack.new_table(0, pairs);
    for _ in 0..pairs {
        let whole = push_reply(stack, rest, proto) && push_reply(stack, rest, proto);
        if !whole {
            return false;
        }
        set_pair(stack);
    }
    stack.raw_set_field(-2, "map");
    true
}

fn push_set(stack: &mut Stack<'_>, rest: &mut &[u8], items: usize, proto: u8) -> bool {
    stack.new_table(0, 1);
    stack.new_table(0, items);
    for _ in 0..items {
        if !push_reply(stack, rest, proto) {
            return false;
        }
        stack.push_bool(true);
        set_pair(stack);
    }
    stack.raw_set_field(-2, "set");
    true
}

/// Sets key and value on top in the table below them, if the key can be one.
fn set_pair(stack: &mut Stack<'_>) {
    let unusable = stack.is_absent(-2) || stack.number(-2).is_some_and(f64::is_nan);
    if unusable { stack.pop(2) } else { stack.raw_set(-3) }
}

fn push_verbatim(stack: &mut Stack<'_>, blob: &[u8]) {
    let (format, text) = blob.split_at(blob.len().min(4));
    stack.new_table(0, 1);
    stack.new_table(0, 2);
    stack.push_bytes(text);
    stack.raw_set_field(-2, "string");
    stack.push_bytes(format.strip_suffix(b":").unwrap_or(format));
    stack.raw_set_field(-2, "format");
    stack.raw_set_field(-2, "verbatim_string");
}

/// Marker and text of the line at the front.
fn take_line<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let end = memchr::memchr(b'\n', rest)?;
    let (&marker, text) = rest[..end].strip_suffix(b"\r")?.split_first()?;
    *rest = &rest[end + 1..];
    Some((marker, text))
}

fn count(text: &[u8]) -> Option<usize> {
    usize::try_from(parse_i64(text)?).ok()
}

/// The blob behind a length line; `None` for a null.
fn take_blob<'a>(rest: &mut &'a [u8], text: &[u8]) -> Option<&'a [u8]> {
    let len = count(text)?;
    let blob = rest.get(..len)?;
    *rest = rest.get(len + 2..)?;
    Some(blob)
}

/// Writes the value on top of the stack as a reply and takes it. `proto` is what the script chose by `redis.setresp`.
/// Errors inside are counted by the caller from what was written.
pub fn write_reply(stack: &mut Stack<'_>, out: &mut Out, proto: u8, depth: usize) {
    if depth > DEPTH_MAX || !stack.reserve(LEVEL_ROOM) {
        out.error_text(TOO_DEEP);
        stack.pop(1);
        return;
    }
    match stack.kind(-1) {
        Kind::String => out.bulk(stack.bytes(-1).unwrap_or_default()),
        Kind::Number => out.integer(to_integer(stack.number(-1).unwrap_or(0.0))),
        Kind::Boolean => match (proto >= 3, stack.truth(-1)) {
            (true, value) => out.boolean(value),
            (false, true) => out.integer(1),
            (false, false) => out.null(),
        },
        Kind::Table => return write_table(stack, out, proto, depth),
        _ => out.null(),
    }
    stack.pop(1);
}

/// A Lua number as C converts it on x86-64: what does not fit becomes the least integer.
pub fn to_integer(value: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

/// Pushes field `name` of the table on top if it is of `kind`.
fn field_of(stack: &mut Stack<'_>, name: &str, kind: Kind) -> bool {
    stack.raw_get_field(-1, name);
    let found = stack.kind(-1) == kind;
    if !found {
        stack.pop(1);
    }
    found
}

fn write_table(stack: &mut Stack<'_>, out: &mut Out, proto: u8, depth: usize) {
    if field_of(stack, "err", Kind::String) {
        out.error_bytes(stack.bytes(-1).unwrap_or_default());
        stack.pop(2);
    } else if field_of(stack, "ok", Kind::String) {
        out.simple_bytes(&one_line(stack.bytes(-1).unwrap_or_default()));
        stack.pop(2);
    } else if field_of(stack, "double", Kind::Number) {
        out.double(stack.number(-1).unwrap_or(0.0));
        stack.pop(2);
    } else if field_of(stack, "map", Kind::Table) {
        write_map(stack, out, proto, depth);
        stack.pop(2);
    } else if field_of(stack, "set", Kind::Table) {
        write_set(stack, out, proto, depth);
        stack.pop(2);
    } else if field_of(stack, "big_number", Kind::String) {
        let digits = one_line(stack.bytes(-1).unwrap_or_default());
        out.big_number_bytes(&digits);
        stack.pop(2);
    } else if field_of(stack, "verbatim_string", Kind::Table) {
        write_verbatim(stack, out, proto, depth);
    } else {
        write_array(stack, out, proto, depth);
    }
}

fn write_map(stack: &mut Stack<'_>, out: &mut Out, proto: u8, depth: usize) {
    let (mark, mut pairs) = (out.mark(), 0);
    stack.push_nil();
    while stack.next(-2) {
        // Key and value are written, each from a copy on top; the key stays for `next`.
        stack.push_value(-2);
        write_reply(stack, out, proto, depth + 1);
        write_reply(stack, out, proto, depth + 1);
        pairs += 1;
    }
    out.insert_map(mark, pairs);
}

fn write_set(stack: &mut Stack<'_>, out: &mut Out, proto: u8, depth: usize) {
    let (mark, mut items) = (out.mark(), 0);
    stack.push_nil();
    while stack.next(-2) {
        stack.pop(1);
        stack.push_value(-1);
        write_reply(stack, out, proto, depth + 1);
        items += 1;
    }
    out.insert_set(mark, items);
}

fn write_array(stack: &mut Stack<'_>, out: &mut Out, proto: u8, depth: usize) {
    let (mark, mut items) = (out.mark(), 0);
    loop {
        stack.raw_get_item(-1, items + 1);
        if stack.kind(-1) == Kind::Nil {
            break;
        }
        write_reply(stack, out, proto, depth + 1);
        items += 1;
    }
    stack.pop(2);
    out.insert_array(mark, items);
}

/// The table on top is `verbatim_string`'s; below it the one it came from.
fn write_verbatim(stack: &mut Stack<'_>, out: &mut Out, proto: u8, depth: usize) {
    if field_of(stack, "format", Kind::String) {
        let format = String::from_utf8_lossy(stack.bytes(-1).unwrap_or_default()).into_owned();
        stack.pop(1);
        if field_of(stack, "string", Kind::String) {
            out.verbatim(&format, stack.bytes(-1).unwrap_or_default());
            stack.pop(3);
            return;
        }
    }
    stack.pop(1);
    write_array(stack, out, proto, depth);
}
