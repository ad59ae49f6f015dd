//! The `redis` table: `redis.call` and its like.
//!
//! `sandbox` puts these into the tables of the evaluating and the function interpreter. Invariant: texts and types are redis 7.0.15's, and nothing here touches a
//! key: what a command does is behind [`super::running::Host`]. Bounds: as many arguments as Lua's stack holds. Errors of Redis are tables with the
//! field `err`; who raises one throws the table.

use sha1::{Digest, Sha1};

use super::reply::push_reply;
use super::running::{self, Refusal, Running};
use super::stack::{Body, Kind, Native, Raise, Stack};
use crate::base::number::write_double;
use crate::resp::CommandBuilder;

/// What the buffers of a called command keep between calls, in bytes.
pub const KEPT_BYTES: usize = 64 * 1024;
const NO_ARGUMENTS: &[u8] = b"Please specify at least one argument for this redis lib call";
const BAD_ARGUMENT: &[u8] = b"Lua redis lib command arguments must be strings or integers";
const NOT_RUNNING: &[u8] = b"redis.call/pcall can only be called inside a script invocation";

/// Functions of `redis` while a script or function runs.
pub const FUNCTIONS: &[(&str, Body)] = &[
    ("call", call),
    ("pcall", pcall),
    ("log", log),
    ("setresp", set_resp),
    ("sha1hex", sha1_hex),
    ("error_reply", error_reply),
    ("status_reply", status_reply),
    ("set_repl", set_repl),
    ("acl_check_cmd", acl_check_cmd),
];

/// Functions of `redis` that only scripts have.
pub const EVAL_FUNCTIONS: &[(&str, Body)] =
    &[("replicate_commands", replicate_commands), ("breakpoint", breakpoint), ("debug", debug)];

/// The version scripts are told: that of INFO.
pub const REDIS_VERSION: &str = "7.2.0";
const REDIS_VERSION_NUMBER: u32 = 0x0007_0200;

/// Numbers in `redis`.
pub const CONSTANTS: &[(&str, f64)] = &[
    ("LOG_DEBUG", 0.0),
    ("LOG_VERBOSE", 1.0),
    ("LOG_NOTICE", 2.0),
    ("LOG_WARNING", 3.0),
    ("REPL_NONE", 0.0),
    ("REPL_AOF", 1.0),
    ("REPL_SLAVE", 2.0),
    ("REPL_REPLICA", 2.0),
    ("REPL_ALL", 3.0),
    ("REDIS_VERSION_NUM", REDIS_VERSION_NUMBER as f64),
];

/// Pushes an error table. A text that begins with `-` brings its code, one without gets ERR.
pub fn push_error(stack: &mut Stack<'_>, text: &[u8]) {
    stack.new_table(0, 3);
    match text.strip_prefix(b"-") {
        Some(coded) => match memchr::memchr(b' ', coded) {
            Some(_) => stack.push_bytes(coded),
            None => stack.push_bytes([b"ERR ", coded].concat()),
        },
        None => stack.push_bytes([b"ERR ", text].concat()),
    }
    stack.raw_set_field(-2, "err");
}

/// Throws an error table.
pub fn throw<T>(stack: &mut Stack<'_>, text: &[u8]) -> Result<T, Raise> {
    push_error(stack, text);
    Err(Raise::Top)
}

/// Collects the arguments as words.
fn take_words(stack: &mut Stack<'_>, words: &mut CommandBuilder) -> Result<(), &'static [u8]> {
    words.clear(KEPT_BYTES);
    let count = stack.top();
    if count == 0 {
        return Err(NO_ARGUMENTS);
    }
    for index in 1..=count {
        let fits = match stack.kind(index) {
            Kind::String => words.push(stack.bytes(index).unwrap_or_default()),
            Kind::Number => words.push(&number_text(stack.number(index).unwrap_or(0.0))),
            _ => return Err(BAD_ARGUMENT),
        };
        if !fits {
            return Err(BAD_ARGUMENT);
        }
    }
    Ok(())
}

/// A number as redis passes it to a command: 17 significant digits.
fn number_text(value: f64) -> Vec<u8> {
    if value.is_nan() {
        return if value.is_sign_negative() { b"-nan".to_vec() } else { b"nan".to_vec() };
    }
    let mut text = Vec::with_capacity(24);
    write_double(&mut text, value);
    text
}

fn call(stack: &mut Stack<'_>) -> Native {
    if run_command(stack)? { Err(Raise::Top) } else { Ok(1) }
}

fn pcall(stack: &mut Stack<'_>) -> Native {
    run_command(stack)?;
    Ok(1)
}

/// Runs the command the arguments spell and pushes its reply; whether that is an error.
fn run_command(stack: &mut Stack<'_>) -> Result<bool, Raise> {
    let done = running::with(|running| {
        let Running { host, proto, effects, words, out } = running;
        if let Err(text) = take_words(stack, words) {
            push_error(stack, text);
            return true;
        }
        // The stack may be full of arguments: the reply needs the room.
        stack.set_top(0);
        out.clear();
        out.set_proto(*proto);
        if let Err(Refusal(text)) = host.call(&words.args(), out, *effects) {
            push_error(stack, &text);
            stack.push_bool(true);
            stack.raw_set_field(-2, "ignore_error_stats_update");
            return true;
        }
        let attached;
        let bytes = match out.segment(1) {
            None => out.segment(0).unwrap_or_default(),
            Some(_) => {
                attached = out.to_vec();
                &attached
            }
        };
        let failed = bytes.first() == Some(&b'-');
        push_reply(stack, &mut &*bytes, *proto);
        failed
    });
    match done {
        Some(failed) => Ok(failed),
        None => throw(stack, NOT_RUNNING),
    }
}

/// `redis.log(level, ...)`
pub fn log(stack: &mut Stack<'_>) -> Native {
    let count = stack.top();
    if count < 2 {
        return throw(stack, b"redis.log() requires two arguments or more.");
    }
    let Some(level) = stack.number(1) else {
        return throw(stack, b"First argument must be a number (log level).");
    };
    let level = super::reply::to_integer(level);
    if !(0..=3).contains(&level) {
        return throw(stack, b"Invalid debug level.");
    }
    let mut text = Vec::new();
    for index in 2..=count {
        if let Some(part) = stack.coerced(index) {
            if !text.is_empty() {
                text.push(b' ');
            }
            text.extend_from_slice(part);
        }
    }
    let text = String::from_utf8_lossy(&text);
    match level {
        0 => log::trace!("{text}"),
        1 => log::debug!("{text}"),
        2 => log::info!("{text}"),
        _ => log::warn!("{text}"),
    }
    Ok(0)
}

/// `redis.setresp(version)`
fn set_resp(stack: &mut Stack<'_>) -> Native {
    if stack.top() != 1 {
        return throw(stack, b"redis.setresp() requires one argument.");
    }
    let version = super::reply::to_integer(stack.coerced_number(1).unwrap_or(0.0));
    if version != 2 && version != 3 {
        return throw(stack, b"RESP version must be 2 or 3.");
    }
    running::with(|running| running.proto = version as u8);
    Ok(0)
}

/// The name of a script, or of any text: 40 hexadecimal digits.
pub fn sha1_digits(text: &[u8]) -> String {
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `redis.sha1hex(text)`
fn sha1_hex(stack: &mut Stack<'_>) -> Native {
    if stack.top() != 1 {
        return throw(stack, b"wrong number of arguments");
    }
    let digits = sha1_digits(stack.coerced(1).unwrap_or_default());
    stack.push_bytes(digits);
    Ok(1)
}

fn reply_of(stack: &mut Stack<'_>) -> Option<Vec<u8>> {
    if stack.top() != 1 {
        return None;
    }
    stack.bytes(1).map(<[u8]>::to_vec)
}

/// `redis.error_reply(text)`
fn error_reply(stack: &mut Stack<'_>) -> Native {
    let Some(text) = reply_of(stack) else {
        push_error(stack, b"wrong number or type of arguments");
        return Ok(1);
    };
    let text = if text.starts_with(b"-") { text } else { [b"-", &text[..]].concat() };
    push_error(stack, &text);
    Ok(1)
}

/// `redis.status_reply(text)`
fn status_reply(stack: &mut Stack<'_>) -> Native {
    let Some(text) = reply_of(stack) else {
        push_error(stack, b"wrong number or type of arguments");
        return Ok(1);
    };
    stack.new_table(0, 1);
    stack.push_bytes(text);
    stack.raw_set_field(-2, "ok");
    Ok(1)
}

/// `redis.set_repl(flags)`: there is one stream here, so anything but REPL_NONE is REPL_ALL.
fn set_repl(stack: &mut Stack<'_>) -> Native {
    if stack.top() != 1 {
        return throw(stack, b"redis.set_repl() requires two arguments.");
    }
    let flags = super::reply::to_integer(stack.coerced_number(1).unwrap_or(0.0));
    if flags & !3 != 0 {
        return throw(
            stack,
            b"Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        );
    }
    running::with(|running| running.effects = flags != 0);
    Ok(0)
}

/// `redis.acl_check_cmd(command, ...)`
fn acl_check_cmd(stack: &mut Stack<'_>) -> Native {
    let verdict = running::with(|running| {
        let Running { host, words, .. } = running;
        take_words(stack, words)?;
        host.may_run(&words.args()).ok_or(&b"Invalid command passed to redis.acl_check_cmd()"[..])
    });
    match verdict {
        Some(Ok(may)) => {
            stack.push_bool(may);
            Ok(1)
        }
        Some(Err(text)) => throw(stack, text),
        None => throw(stack, NOT_RUNNING),
    }
}

/// `redis.replicate_commands()`: effects are all there is.
fn replicate_commands(stack: &mut Stack<'_>) -> Native {
    stack.push_bool(true);
    Ok(1)
}

/// `redis.breakpoint()`: there is no debugger.
fn breakpoint(stack: &mut Stack<'_>) -> Native {
    stack.push_bool(false);
    Ok(1)
}

/// `redis.debug(...)`: likewise.
fn debug(_: &mut Stack<'_>) -> Native {
    Ok(0)
}

/// The error handler of every script: adds to an error where it happened. Also callable as `__redis__err__handler`.
pub fn handle_error(stack: &mut Stack<'_>) -> Native {
    stack.set_top(1);
    let mut place = stack.place(1);
    if place.as_ref().is_some_and(|place| place.is_native) {
        place = stack.place(2);
    }
    if stack.kind(1) != Kind::Table {
        let text = [b"ERR ", &text_of(stack, 1)[..]].concat();
        stack.new_table(0, 3);
        stack.push_bytes(text);
        stack.raw_set_field(-2, "err");
        stack.replace(1);
    }
    if let Some(place) = place
        && !super::sandbox::is_readonly(stack, 1)
    {
        stack.push_bytes(&place.source);
        stack.raw_set_field(1, "source");
        stack.push_number(place.line as f64);
        stack.raw_set_field(1, "line");
    }
    Ok(1)
}

/// A value as `tostring` writes it.
fn text_of(stack: &mut Stack<'_>, index: i32) -> Vec<u8> {
    match stack.kind(index) {
        Kind::String | Kind::Number => stack.coerced(index).unwrap_or_default().to_vec(),
        Kind::Nil | Kind::None => b"nil".to_vec(),
        Kind::Boolean => {
            if stack.truth(index) {
                b"true".to_vec()
            } else {
                b"false".to_vec()
            }
        }
        _ => format!("{}: {:#x}", stack.kind_name(index), stack.identity(index)).into_bytes(),
    }
}
