//! FUNCTION LIST, STATS, DUMP, KILL: what looks at the libraries. Those that change them are handlers in `command::script::function`.
//!
//! Invariant: a reply shows the libraries of one moment. Bounds: none.

use super::super::busy::{Kill, Look};
use super::super::core::Core;
use super::super::{Control, Flow, Session};
use super::{at_most, is};
use crate::base::glob::glob_match;
use crate::command::reply_error::ReplyError;
use crate::command::script::room::{self, Function};
use crate::command::script::{payload, shebang};
use crate::resp::{Args, one_line};

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] =
    &[("function|list", list), ("function|stats", stats), ("function|dump", dump), ("function|kill", kill)];

fn list(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let (mut with_code, mut pattern) = (false, None);
    let mut at = 2;
    while let Some(word) = args.get_checked(at) {
        if !with_code && is(word, "withcode") {
            with_code = true;
        } else if pattern.is_none() && is(word, "libraryname") {
            at += 1;
            let Some(word) = args.get_checked(at) else {
                return Err(ReplyError::Text("ERR library name argument was not given"));
            };
            pattern = Some(word);
        } else {
            // redis blanks line ends here without cutting them off first.
            let text = [b"ERR Unknown argument ", one_line(word).as_slice()].concat();
            return Err(super::fail(core, text));
        }
        at += 1;
    }
    let (libraries, _) = room::libraries();
    let shown = libraries
        .list
        .iter()
        .filter(|library| pattern.is_none_or(|pattern| glob_match(pattern, &library.name, true)));
    let out = &mut session.out;
    out.array(shown.clone().count());
    for library in shown {
        out.map(if with_code { 4 } else { 3 });
        out.bulk(b"library_name");
        out.bulk(&library.name);
        out.bulk(b"engine");
        out.bulk(b"LUA");
        out.bulk(b"functions");
        out.array(library.functions.len());
        library.functions.iter().for_each(|function| describe(out, function));
        if with_code {
            out.bulk(b"library_code");
            out.bulk(&library.code);
        }
    }
    Ok(Flow::Done)
}

fn describe(out: &mut crate::resp::Out, function: &Function) {
    out.map(3);
    out.bulk(b"name");
    out.bulk(&function.name);
    out.bulk(b"description");
    match &function.description {
        Some(text) => out.bulk(text),
        None => out.null(),
    }
    out.bulk(b"flags");
    let set = shebang::FLAG_NAMES.iter().filter(|(_, bit)| function.flags.has(*bit));
    out.set(set.clone().count());
    set.for_each(|(name, _)| out.simple(name));
}

fn stats(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Look { found: None, is_script: false, write: write_stats })))
}

fn write_stats(look: &Look, session: &mut Session) {
    let (libraries, _) = room::libraries();
    let out = &mut session.out;
    out.map(2);
    out.bulk(b"running_script");
    match &look.found {
        None => out.null(),
        Some((name, words, age_ms)) => {
            out.map(3);
            out.bulk(b"name");
            out.bulk(name);
            out.bulk(b"command");
            let words = words.args();
            out.array(words.len());
            words.iter().for_each(|word| out.bulk(word));
            out.bulk(b"duration_ms");
            out.integer(*age_ms as i64);
        }
    }
    out.bulk(b"engines");
    out.map(1);
    out.bulk(b"LUA");
    out.map(2);
    out.bulk(b"libraries_count");
    out.integer(libraries.list.len() as i64);
    out.bulk(b"functions_count");
    out.integer(libraries.function_count() as i64);
}

fn dump(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 2)?;
    let (libraries, _) = room::libraries();
    let payload = payload::write(libraries.list.iter().map(|library| &library.code[..]));
    session.out.bulk(&payload);
    Ok(Flow::Done)
}

fn kill(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(Kill { of_function: true, outcome: None })))
}
