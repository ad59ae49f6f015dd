//! FUNCTION LOAD, DELETE, FLUSH, RESTORE: the commands that change the libraries. They are writes, and run with every shard in hand.
//!
//! Rows in `rows::scripting` point here; those that only look (LIST, STATS, DUMP) are in `session::commands::functions`. Invariant: a change is made whole or not at all, and
//! propagated as it came. Bounds: what `library` sets. Why all shards: no script on another core sees half of a change.

use std::sync::Arc;

use super::engine;
use super::library;
use super::payload;
use super::room::{self, Libraries, Library};
use crate::command::Cx;
use crate::command::reply_error::{ReplyError, subcommand_syntax};

/// Why the libraries were not changed.
type Refused = Vec<u8>;

fn load_code(code: &[u8]) -> Result<Arc<Library>, Refused> {
    engine::with_functions(|engine| {
        library::sync(engine);
        library::load(engine, code)
    })
    .unwrap_or_else(|| Err(b"ERR a function is running on this core".to_vec()))
}

/// Puts a library among others; one of its name is replaced, or in the way.
fn put(libraries: &mut Libraries, library: Arc<Library>, replaces: bool) -> Result<(), Refused> {
    let at = libraries.list.iter().position(|known| known.name == library.name);
    if at.is_some() && !replaces {
        return Err([b"ERR Library '", &library.name[..], b"' already exists"].concat());
    }
    let others = || libraries.list.iter().enumerate().filter(|(index, _)| Some(*index) != at);
    for function in &library.functions {
        let is_taken = others().any(|(_, other)| {
            other.functions.iter().any(|known| known.name.eq_ignore_ascii_case(&function.name))
        });
        if is_taken {
            return Err([b"ERR Function ", &function.name[..], b" already exists"].concat());
        }
    }
    match at {
        Some(at) => libraries.list[at] = library,
        None => libraries.list.push(library),
    }
    Ok(())
}

/// Adds a library; its name.
fn add(code: &[u8], replaces: bool) -> Result<Vec<u8>, Refused> {
    let mut name = Vec::new();
    room::change_libraries(|now| {
        let (wanted, _) = super::shebang::of_library(code)?;
        if !replaces && now.get(&wanted).is_some() {
            return Err([b"ERR Library '", &wanted[..], b"' already exists"].concat());
        }
        let mut after = now.clone();
        put(&mut after, load_code(code)?, replaces)?;
        name = wanted;
        Ok(after)
    })?;
    Ok(name)
}

/// Adds a library that a file holds.
///
/// # Errors
/// What FUNCTION LOAD would say, without the code `ERR`.
pub fn install(code: &[u8], replaces: bool) -> Result<(), Vec<u8>> {
    let added = add(code, replaces).map(drop);
    added.map_err(|text| text.strip_prefix(b"ERR ").map(<[u8]>::to_vec).unwrap_or(text))
}

/// FUNCTION LOAD [REPLACE] code
pub fn load(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let mut replaces = false;
    for index in 2..cx.argc() - 1 {
        let option = cx.arg(index);
        if !option.eq_ignore_ascii_case(b"replace") {
            // As a C string.
            let shown = option.split(|&byte| byte == 0).next().unwrap_or_default();
            let text = [b"ERR Unknown option given: ", shown].concat();
            return Err(cx.fail(text));
        }
        replaces = true;
    }
    let code = cx.arg(cx.argc() - 1);
    let name = add(code, replaces).map_err(|text| cx.fail(text))?;
    cx.out.bulk(&name);
    cx.propagate();
    Ok(())
}

/// FUNCTION DELETE name
pub fn delete(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let name = cx.arg(2);
    let changed = room::change_libraries(|now| {
        if now.get(name).is_none() {
            return Err(ReplyError::Text("ERR Library not found"));
        }
        let mut after = now.clone();
        after.list.retain(|library| library.name != name);
        Ok(after)
    });
    changed?;
    cx.out.ok();
    cx.propagate();
    Ok(())
}

/// FUNCTION FLUSH [ASYNC|SYNC]
pub fn flush(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    if cx.argc() > 3 {
        let text = subcommand_syntax(&cx.args);
        return Err(cx.fail(text));
    }
    if cx.argc() == 3 {
        let mode = cx.arg(2);
        if !mode.eq_ignore_ascii_case(b"sync") && !mode.eq_ignore_ascii_case(b"async") {
            return Err(ReplyError::Text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
        }
    }
    let changed: Result<(), ReplyError> = room::change_libraries(|_| Ok(Libraries::default()));
    changed?;
    cx.out.ok();
    cx.propagate();
    Ok(())
}

/// What FUNCTION RESTORE does with libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Flush,
    Append,
    Replace,
}

/// FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]
pub fn restore(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    if cx.argc() > 4 {
        let text = subcommand_syntax(&cx.args);
        return Err(cx.fail(text));
    }
    let policy = match cx.args.get_checked(3) {
        None => Policy::Append,
        Some(word) if word.eq_ignore_ascii_case(b"append") => Policy::Append,
        Some(word) if word.eq_ignore_ascii_case(b"replace") => Policy::Replace,
        Some(word) if word.eq_ignore_ascii_case(b"flush") => Policy::Flush,
        Some(_) => {
            return Err(ReplyError::Text(
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
    };
    let codes = payload::read(cx.arg(2)).map_err(|damage| match damage {
        payload::Damage::Trailer => ReplyError::Text("ERR DUMP payload version or checksum are wrong"),
        payload::Damage::Content => ReplyError::Text("ERR given type is not a function"),
        payload::Damage::Code => ReplyError::Text("ERR Failed loading library payload"),
    })?;
    let changed = room::change_libraries(|now| {
        let mut restored = Libraries::default();
        for code in &codes {
            put(&mut restored, load_code(code)?, false)?;
        }
        if policy == Policy::Flush {
            return Ok(restored);
        }
        let mut after = now.clone();
        for library in restored.list {
            if policy == Policy::Append && now.get(&library.name).is_some() {
                return Err([b"ERR Library ", &library.name[..], b" already exists"].concat());
            }
            put(&mut after, library, true)?;
        }
        Ok(after)
    });
    changed.map_err(|text: Refused| cx.fail(text))?;
    cx.out.ok();
    cx.propagate();
    Ok(())
}
