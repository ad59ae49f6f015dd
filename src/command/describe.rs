//! COMMAND and its subcommands, and every HELP: what the tables say, written as redis 7.0 writes it.
//!
//! COMMAND's entry (a control command) calls [`run`] with the table of served commands; HELP rows carry [`help`] as their
//! handler. Reads `command::row` and `command::rows::help`, calls `command::keyspec` for GETKEYS. Invariant: field order is the
//! peer's; the order of commands, which redis leaves to its hash table, is that of the tables. Bounds: the reply to COMMAND and to COMMAND DOCS
//! is about 250 KB.
use crate::base::glob::glob_match;
use crate::command::Cx;
use crate::command::keyspec;
use crate::command::lookup::{Command, Table};
use crate::command::reply_error::ReplyError;
use crate::command::row::{
    Arg, Begin, CATEGORY_NAMES, DOC_FLAG_NAMES, FLAG_NAMES, Find, KEY_FLAG_NAMES, KeySpec, Row, flag,
};
use crate::command::rows::help::HELP;
use crate::resp::{Args, Out};

/// Answers COMMAND in any form but HELP; `args` were found in `table`.
pub fn run(table: &Table, args: &Args<'_>, out: &mut Out) -> Result<(), ReplyError> {
    match table.find(args).map_or("", |command| command.row.full_name) {
        "command" => all(table, out),
        "command|count" => out.integer(table.top_level().count() as i64),
        "command|list" => return list(table, &args.skip(2), out),
        "command|info" if args.len() == 2 => all(table, out),
        "command|info" => infos(table, &args.skip(2), out),
        "command|docs" => docs(table, &args.skip(2), out),
        "command|getkeys" => return get_keys(table, &args.skip(2), false, out),
        "command|getkeysandflags" => return get_keys(table, &args.skip(2), true, out),
        _ => return Err(ReplyError::Syntax),
    }
    Ok(())
}

/// The full names [`run`] answers, for whoever registers it.
pub const NAMES: [&str; 7] = [
    "command",
    "command|count",
    "command|list",
    "command|info",
    "command|docs",
    "command|getkeys",
    "command|getkeysandflags",
];

/// The handler of every HELP subcommand.
pub fn help(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    write_help(cx.row.container, cx.args.get(0), cx.out);
    Ok(())
}

/// The help of `container` (its name in the tables), headed by the name the client used.
pub fn write_help(container: &str, called: &[u8], out: &mut Out) {
    let lines = HELP.iter().find(|(name, _)| *name == container).map_or(&[][..], |(_, lines)| lines);
    let called = String::from_utf8_lossy(called).to_uppercase();
    out.array(lines.len() + 3);
    out.simple(&format!("{called} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| out.simple(line));
    out.simple("HELP");
    out.simple("    Prints this help.");
}

fn all(table: &Table, out: &mut Out) {
    out.array(table.top_level().count());
    table.top_level().for_each(|command| info(table, command, out));
}

fn infos(table: &Table, names: &Args<'_>, out: &mut Out) {
    out.array(names.len());
    for name in names.iter() {
        match table.by_client_name(name) {
            Some(command) => info(table, command, out),
            None => out.null(),
        }
    }
}

/// A set of the names of the bits that are set.
fn names_of(bits: u32, names: &[&str], prefix: &str, out: &mut Out) {
    let is_set = |bit: &usize| bits >> bit & 1 == 1;
    out.set((0..names.len()).filter(is_set).count());
    for bit in (0..names.len()).filter(is_set) {
        if prefix.is_empty() {
            out.simple(names[bit])
        } else {
            out.simple(&format!("{prefix}{}", names[bit]))
        }
    }
}

fn text(name: &str, out: &mut Out) {
    out.bulk(name.as_bytes());
}

fn field(name: &str, value: &str, out: &mut Out) {
    text(name, out);
    text(value, out);
}

fn number(name: &str, value: i32, out: &mut Out) {
    text(name, out);
    out.integer(value as i64);
}

/// One command's ten fields.
fn info(table: &Table, command: Command, out: &mut Out) {
    let row = command.row;
    out.array(10);
    text(row.full_name, out);
    out.integer(row.arity as i64);
    names_of(row.flags.0, &FLAG_NAMES, "", out);
    out.integer(row.first_key as i64);
    out.integer(row.last_key as i64);
    out.integer(row.step as i64);
    names_of(row.acl.0, &CATEGORY_NAMES, "@", out);
    out.set(row.tips.len());
    row.tips.iter().for_each(|tip| text(tip, out));
    out.set(row.keyspecs.len());
    row.keyspecs.iter().for_each(|spec| key_spec(spec, out));
    let subcommands = table.subcommands(command);
    let count = subcommands.clone().count();
    if count == 0 {
        out.set(0);
        return;
    }
    out.array(count);
    subcommands.for_each(|sub| info(table, sub, out));
}

fn key_spec(spec: &KeySpec, out: &mut Out) {
    out.map(if spec.notes.is_empty() { 3 } else { 4 });
    if !spec.notes.is_empty() {
        field("notes", spec.notes, out);
    }
    text("flags", out);
    names_of(spec.flags.0 as u32, &KEY_FLAG_NAMES, "", out);
    text("begin_search", out);
    out.map(2);
    match spec.begin {
        Begin::Index(at) => {
            typed("index", 1, out);
            number("index", at, out);
        }
        Begin::Keyword { word, start } => {
            typed("keyword", 2, out);
            field("keyword", word, out);
            number("startfrom", start, out);
        }
        Begin::Unknown => typed("unknown", 0, out),
    }
    text("find_keys", out);
    out.map(2);
    match spec.find {
        Find::Range { last, step, limit } => {
            typed("range", 3, out);
            number("lastkey", last, out);
            number("keystep", step, out);
            number("limit", limit, out);
        }
        Find::Count { at, first, step } => {
            typed("keynum", 3, out);
            number("keynumidx", at, out);
            number("firstkey", first, out);
            number("keystep", step, out);
        }
        Find::Unknown => typed("unknown", 0, out),
    }
}

/// The type of a key spec's half and the head of its fields.
fn typed(kind: &str, fields: usize, out: &mut Out) {
    field("type", kind, out);
    text("spec", out);
    out.map(fields);
}

fn docs(table: &Table, names: &Args<'_>, out: &mut Out) {
    if names.is_empty() {
        out.map(table.top_level().count());
        return table.top_level().for_each(|command| doc(table, command, out));
    }
    let known = || names.iter().filter_map(|name| table.by_client_name(name));
    out.map(known().count());
    known().for_each(|command| doc(table, command, out));
}

/// A command's name and its documentation.
fn doc(table: &Table, command: Command, out: &mut Out) {
    let row = command.row;
    text(row.full_name, out);
    let subcommands = table.subcommands(command);
    let sub_count = subcommands.clone().count();
    let texts = [row.complexity, row.deprecated_since, row.replaced_by];
    let fields = texts.iter().filter(|text| !text.is_empty()).count()
        + usize::from(row.doc_flags.0 != 0)
        + usize::from(!row.history.is_empty())
        + usize::from(!row.args.is_empty())
        + usize::from(sub_count > 0);
    out.map(3 + fields);
    field("summary", row.summary, out);
    field("since", row.since, out);
    field("group", row.group, out);
    present("complexity", row.complexity, out);
    if row.doc_flags.0 != 0 {
        text("doc_flags", out);
        names_of(row.doc_flags.0 as u32, &DOC_FLAG_NAMES, "", out);
    }
    present("deprecated_since", row.deprecated_since, out);
    present("replaced_by", row.replaced_by, out);
    if !row.history.is_empty() {
        text("history", out);
        out.set(row.history.len());
        for (version, change) in row.history {
            out.array(2);
            field(version, change, out);
        }
    }
    if !row.args.is_empty() {
        arguments(row.args, out);
    }
    if sub_count > 0 {
        text("subcommands", out);
        out.map(sub_count);
        subcommands.for_each(|sub| doc(table, sub, out));
    }
}

/// A field, unless it is absent.
fn present(name: &str, value: &str, out: &mut Out) {
    if !value.is_empty() {
        field(name, value, out);
    }
}

fn arguments(args: &[Arg], out: &mut Out) {
    text("arguments", out);
    out.array(args.len());
    for arg in args {
        let flags =
            u32::from(arg.optional) | u32::from(arg.multiple) << 1 | u32::from(arg.multiple_token) << 2;
        let texts = [arg.since, arg.deprecated_since];
        let fields = texts.iter().filter(|text| !text.is_empty()).count()
            + usize::from(arg.key_spec >= 0)
            + usize::from(arg.token.is_some())
            + usize::from(flags != 0)
            + usize::from(!arg.args.is_empty());
        out.map(2 + fields);
        field("name", arg.name, out);
        field("type", arg.kind.name(), out);
        if arg.key_spec >= 0 {
            number("key_spec_index", arg.key_spec as i32, out);
        }
        if let Some(token) = arg.token {
            field("token", token, out);
        }
        present("since", arg.since, out);
        present("deprecated_since", arg.deprecated_since, out);
        if flags != 0 {
            text("flags", out);
            names_of(flags, &["optional", "multiple", "multiple_token"], "", out);
        }
        if !arg.args.is_empty() {
            arguments(arg.args, out);
        }
    }
}

/// COMMAND LIST; `words` are those behind LIST.
fn list(table: &Table, words: &Args<'_>, out: &mut Out) -> Result<(), ReplyError> {
    if words.is_empty() {
        listed(table, |_| true, out);
        return Ok(());
    }
    if words.len() != 3 || !words.get(0).eq_ignore_ascii_case(b"filterby") {
        return Err(ReplyError::Syntax);
    }
    let (kind, wanted) = (words.get(1), words.get(2));
    if kind.eq_ignore_ascii_case(b"module") {
        // No modules: none of the commands is from one.
        out.array(0);
    } else if kind.eq_ignore_ascii_case(b"aclcat") {
        let bit = CATEGORY_NAMES.iter().position(|name| wanted.eq_ignore_ascii_case(name.as_bytes()));
        listed(table, |row| bit.is_some_and(|bit| row.acl.0 >> bit & 1 == 1), out);
    } else if kind.eq_ignore_ascii_case(b"pattern") {
        listed(table, |row| glob_match(wanted, row.full_name.as_bytes(), true), out);
    } else {
        return Err(ReplyError::Syntax);
    }
    Ok(())
}

fn listed(table: &Table, is_wanted: impl Fn(&Row) -> bool, out: &mut Out) {
    let mark = out.mark();
    let mut count = 0;
    for top in table.top_level() {
        for command in
            std::iter::once(top).chain(table.subcommands(top)).filter(|command| is_wanted(command.row))
        {
            text(command.row.full_name, out);
            count += 1;
        }
    }
    out.insert_array(mark, count);
}

/// COMMAND GETKEYS and GETKEYSANDFLAGS; `words` are the command asked about.
fn get_keys(table: &Table, words: &Args<'_>, with_flags: bool, out: &mut Out) -> Result<(), ReplyError> {
    let Ok(command) = table.find(words) else { return Err(ReplyError::InvalidCommand) };
    let row = command.row;
    if !row.has_keys() {
        return Err(ReplyError::NoKeyArguments);
    }
    if !row.arity_fits(words.len()) {
        return Err(ReplyError::InvalidArgumentCount);
    }
    let keys = match keyspec::keys_with_flags(row, words) {
        Ok(keys) => keys,
        Err(_) if row.has(flag::NO_MANDATORY_KEYS) => Default::default(),
        Err(_) => return Err(ReplyError::InvalidArguments),
    };
    out.array(keys.len());
    for key in keys {
        if with_flags {
            out.array(2);
        }
        out.bulk(words.get(key.index as usize));
        if with_flags {
            names_of(key.flags.0 as u32, &KEY_FLAG_NAMES, "", out);
        }
    }
    Ok(())
}
