//! What a script can see: the allowed globals, all of them read-only.
//!
//! `engine` builds one sandbox per interpreter by [`build`]. Stock Lua 5.1 has no read-only tables (redis patched its copy), so each protected table is an empty
//! *proxy* whose meta-table reads from the real one and refuses writes; the few library functions that look past meta-tables
//! (`next`, `pairs`, `rawget`, `rawset`, `getmetatable`, `setmetatable`, `table.insert` …) are replaced by ones that know proxies.
//! ```text
//! proxy {}  --meta-table-->  { __index = real, __newindex = refuse }          registry[PROXIES][proxy] = real
//! globals (proxy) -> real globals -> { __index = "nonexistent global variable" }
//! ```
//! Invariant: no script can change what another will see, but for the fields of its own values. Bounds: none. Why proxies and not a patched Lua: the interpreter
//! stays the vendored one, and a read costs one table lookup more.
//! Length: the proxies and the library functions that know them have to agree line by line.

use super::stack::{Body, GLOBALS, Kind, Native, REGISTRY, Raise, Stack, upvalue};
use super::{api, bits, cjson, cmsgpack, lua_struct, random};

/// The registry's table of proxies: proxy -> real.
const PROXIES: &str = "shoal.proxies";
/// And back: real -> proxy.
const PROXY_OF: &str = "shoal.proxy_of";
/// The registry's real globals.
const REAL_GLOBALS: &str = "shoal.globals";
/// What is said to whoever writes to a protected table (redis' text).
const READONLY: &str = "Attempt to modify a readonly table";

/// Functions of the base library that scripts may use as they are.
const BASE: [&str; 17] = [
    "xpcall",
    "tostring",
    "assert",
    "tonumber",
    "collectgarbage",
    "rawequal",
    "type",
    "select",
    "unpack",
    "gcinfo",
    "ipairs",
    "error",
    "_VERSION",
    "coroutine",
    "string",
    "table",
    "math",
];

/// Functions of the base library that are replaced.
const REPLACED: &[(&str, Body)] = &[
    ("next", next),
    ("rawget", raw_get),
    ("rawset", raw_set),
    ("getmetatable", get_metatable),
    ("setmetatable", set_metatable),
    ("pcall", pcall),
    ("loadstring", load_string),
    ("load", load),
];

/// Which interpreter a sandbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// EVAL.
    Eval,
    /// FCALL.
    Function,
}

/// Puts the sandbox in the place of the globals.
pub fn build(stack: &mut Stack<'_>, purpose: Purpose) {
    stack.new_table(0, 64);
    stack.raw_set_field(REGISTRY, PROXIES);
    stack.new_table(0, 16);
    stack.raw_set_field(REGISTRY, PROXY_OF);
    stack.new_table(0, 64);
    let real = stack.top();
    for name in BASE {
        stack.raw_get_field(GLOBALS, name);
        stack.raw_set_field(real, name);
    }
    for (name, body) in REPLACED {
        stack.push_native(*body);
        stack.raw_set_field(real, name);
    }
    stack.raw_get_field(real, "next");
    stack.push_closure(pairs, 1);
    stack.raw_set_field(real, "pairs");
    replace_in(stack, real, "table", &[("insert", table_insert), ("foreach", table_foreach)]);
    replace_in(stack, real, "math", &[("random", random::random), ("randomseed", random::seed)]);
    redis_table(stack, purpose);
    stack.raw_set_field(real, "redis");
    for (name, open) in [
        ("cjson", cjson::open as fn(&mut Stack<'_>)),
        ("cmsgpack", cmsgpack::open),
        ("struct", lua_struct::open),
        ("bit", bits::open),
    ] {
        open(stack);
        stack.raw_set_field(real, name);
    }
    if purpose == Purpose::Eval {
        stack.push_native(api::handle_error);
        stack.raw_set_field(real, "__redis__err__handler");
    }
    for name in ["string", "table", "math", "coroutine", "redis", "cjson", "cmsgpack", "struct", "bit"] {
        stack.raw_get_field(real, name);
        protect(stack);
        stack.raw_set_field(real, name);
    }
    // Strings find their methods in the protected library.
    stack.push_bytes("");
    if stack.push_metatable(-1) {
        stack.raw_get_field(real, "string");
        stack.raw_set_field(-2, "__index");
        stack.pop(1);
    }
    stack.pop(1);
    stack.push_value(real);
    forbid_unknown(stack);
    protect(stack);
    stack.push_value(-1);
    stack.raw_set_field(real, "_G");
    stack.replace(GLOBALS);
    stack.push_value(real);
    stack.raw_set_field(REGISTRY, REAL_GLOBALS);
    stack.pop(1);
}

/// Makes reading an unknown field of the table on top an error.
pub fn forbid_unknown(stack: &mut Stack<'_>) {
    stack.new_table(0, 1);
    stack.push_native(nonexistent);
    stack.raw_set_field(-2, "__index");
    stack.set_metatable(-2);
}

/// Pushes the real globals: what the engine sets there every script sees.
pub fn push_real_globals(stack: &mut Stack<'_>) {
    stack.raw_get_field(REGISTRY, REAL_GLOBALS);
}

fn replace_in(stack: &mut Stack<'_>, real: i32, table: &str, functions: &[(&str, Body)]) {
    stack.raw_get_field(real, table);
    for (name, body) in functions {
        // The original stays in reach as an up-value.
        stack.raw_get_field(-1, name);
        stack.push_closure(*body, 1);
        stack.raw_set_field(-2, name);
    }
    stack.pop(1);
}

/// Pushes the `redis` table.
fn redis_table(stack: &mut Stack<'_>, purpose: Purpose) {
    stack.new_table(0, 32);
    let more = if purpose == Purpose::Eval { api::EVAL_FUNCTIONS } else { &[] };
    for (name, body) in api::FUNCTIONS.iter().chain(more) {
        stack.push_native(*body);
        stack.raw_set_field(-2, name);
    }
    push_constants(stack);
}

/// Adds the constants to the `redis` table on top.
pub fn push_constants(stack: &mut Stack<'_>) {
    for (name, value) in api::CONSTANTS {
        stack.push_number(*value);
        stack.raw_set_field(-2, name);
    }
    stack.push_bytes(api::REDIS_VERSION);
    stack.raw_set_field(-2, "REDIS_VERSION");
}

/// Replaces the table on top by its proxy.
pub fn protect(stack: &mut Stack<'_>) {
    stack.raw_get_field(REGISTRY, PROXY_OF);
    stack.push_value(-2);
    stack.raw_get(-2);
    if stack.kind(-1) == Kind::Table {
        stack.replace(-3);
        stack.pop(1);
        return;
    }
    stack.pop(1);
    // real, PROXY_OF
    stack.new_table(0, 0);
    stack.new_table(0, 2);
    stack.push_value(-4);
    stack.raw_set_field(-2, "__index");
    stack.push_native(refuse_write);
    stack.raw_set_field(-2, "__newindex");
    stack.set_metatable(-2);
    // real, PROXY_OF, proxy
    stack.push_value(-3);
    stack.push_value(-2);
    stack.raw_set(-4);
    stack.raw_get_field(REGISTRY, PROXIES);
    stack.push_value(-2);
    stack.push_value(-5);
    stack.raw_set(-3);
    stack.pop(1);
    stack.replace(-3);
    stack.pop(1);
}

/// Whether value `index` is a proxy; if so, what it stands for is pushed.
fn push_real(stack: &mut Stack<'_>, index: i32) -> bool {
    let index = stack.absolute(index);
    if !stack.push_metatable(index) {
        return false;
    }
    stack.pop(1);
    stack.raw_get_field(REGISTRY, PROXIES);
    stack.push_value(index);
    stack.raw_get(-2);
    stack.remove(-2);
    let found = stack.kind(-1) == Kind::Table;
    if !found {
        stack.pop(1);
    }
    found
}

/// Whether value `index` may not be changed.
pub fn is_readonly(stack: &mut Stack<'_>, index: i32) -> bool {
    let found = push_real(stack, index);
    if found {
        stack.pop(1);
    }
    found
}

fn refuse(stack: &mut Stack<'_>) -> Raise {
    stack.push_bytes(READONLY);
    Raise::Top
}

fn refuse_write(stack: &mut Stack<'_>) -> Native {
    stack.fail(READONLY)
}

fn nonexistent(stack: &mut Stack<'_>) -> Native {
    match stack.coerced(2) {
        Some(name) => {
            let name = &name[..memchr::memchr(0, name).unwrap_or(name.len())];
            let text = [b"Script attempted to access nonexistent global variable '", name, b"'"].concat();
            stack.fail(text)
        }
        None => stack.fail("Second argument to luaProtectedTableError must be a string or number"),
    }
}

/// Refuses anything but a table as argument 1; a proxy is replaced by what it stands for.
fn take_table(stack: &mut Stack<'_>) -> Result<(), Raise> {
    if stack.kind(1) != Kind::Table {
        return Err(Raise::Type(1, c"table"));
    }
    if push_real(stack, 1) {
        stack.replace(1);
    }
    Ok(())
}

fn next(stack: &mut Stack<'_>) -> Native {
    take_table(stack)?;
    stack.set_top(2);
    Err(Raise::Next)
}

fn pairs(stack: &mut Stack<'_>) -> Native {
    take_table(stack)?;
    stack.push_value(upvalue(1));
    stack.push_value(1);
    stack.push_nil();
    Ok(3)
}

fn raw_get(stack: &mut Stack<'_>) -> Native {
    take_table(stack)?;
    if stack.kind(2) == Kind::None {
        return Err(Raise::Argument(2, c"value expected"));
    }
    stack.set_top(2);
    stack.raw_get(1);
    Ok(1)
}

fn raw_set(stack: &mut Stack<'_>) -> Native {
    if stack.kind(1) != Kind::Table {
        return Err(Raise::Type(1, c"table"));
    }
    for index in 2..=3 {
        if stack.kind(index) == Kind::None {
            return Err(Raise::Argument(index, c"value expected"));
        }
    }
    if is_readonly(stack, 1) {
        return Err(refuse(stack));
    }
    stack.set_top(3);
    check_key(stack, 2)?;
    stack.raw_set(1);
    Ok(1)
}

/// Refuses what cannot be a key, as the interpreter does.
fn check_key(stack: &mut Stack<'_>, index: i32) -> Result<(), Raise> {
    let text = match stack.kind(index) {
        Kind::Nil => "table index is nil",
        Kind::Number if stack.number(index).is_some_and(f64::is_nan) => "table index is NaN",
        _ => return Ok(()),
    };
    stack.push_bytes(text);
    Err(Raise::Top)
}

fn get_metatable(stack: &mut Stack<'_>) -> Native {
    if stack.kind(1) == Kind::None {
        return Err(Raise::Argument(1, c"value expected"));
    }
    let holder = if push_real(stack, 1) { stack.top() } else { 1 };
    if !stack.push_metatable(holder) {
        stack.push_nil();
        return Ok(1);
    }
    stack.raw_get_field(-1, "__metatable");
    if stack.kind(-1) != Kind::Nil {
        return Ok(1);
    }
    stack.pop(1);
    if holder != 1 || stack.kind(1) != Kind::Table {
        // That of a protected table, or of all strings.
        protect(stack);
    }
    Ok(1)
}

fn set_metatable(stack: &mut Stack<'_>) -> Native {
    if stack.kind(1) != Kind::Table {
        return Err(Raise::Type(1, c"table"));
    }
    if !matches!(stack.kind(2), Kind::Nil | Kind::Table) {
        return Err(Raise::Type(2, c"nil or table"));
    }
    if is_readonly(stack, 1) {
        return Err(refuse(stack));
    }
    if stack.push_metatable(1) {
        stack.raw_get_field(-1, "__metatable");
        if stack.kind(-1) != Kind::Nil {
            return stack.fail("cannot change a protected metatable");
        }
    }
    stack.set_top(2);
    if push_real(stack, 2) {
        stack.replace(2);
    }
    stack.set_metatable(1);
    Ok(1)
}

/// `pcall`: an error table of Redis becomes its text, as scripts older than these tables expect.
fn pcall(stack: &mut Stack<'_>) -> Native {
    let count = stack.top();
    if count == 0 {
        // What redis answers: it has put the result in front and calls that.
        stack.push_bool(false);
        stack.push_bytes("attempt to call a boolean value");
        return Ok(2);
    }
    if stack.pcall(count - 1, 0) {
        stack.push_bool(true);
        stack.insert(1);
        return Ok(stack.top());
    }
    if stack.kind(-1) == Kind::Table {
        stack.raw_get_field(-1, "err");
        if matches!(stack.kind(-1), Kind::String | Kind::Number) {
            stack.replace(-2);
        } else {
            stack.pop(1);
        }
    }
    stack.push_bool(false);
    stack.insert(-2);
    Ok(2)
}

/// `loadstring(text [, name])`: text only, no byte code.
fn load_string(stack: &mut Stack<'_>) -> Native {
    let Some(text) = stack.coerced(1).map(<[u8]>::to_vec) else {
        return Err(Raise::Type(1, c"string"));
    };
    let name = match stack.kind(2) {
        Kind::None | Kind::Nil => text.clone(),
        _ => match stack.coerced(2) {
            Some(name) => name.to_vec(),
            None => return Err(Raise::Type(2, c"string")),
        },
    };
    load_chunk(stack, &text, &name)
}

/// `load(function [, name])`: the pieces the function returns, until it returns none.
fn load(stack: &mut Stack<'_>) -> Native {
    if stack.kind(1) != Kind::Function {
        return Err(Raise::Type(1, c"function"));
    }
    let name = match stack.kind(2) {
        Kind::None | Kind::Nil => b"=(load)".to_vec(),
        _ => match stack.coerced(2) {
            Some(name) => name.to_vec(),
            None => return Err(Raise::Type(2, c"string")),
        },
    };
    stack.set_top(1);
    let mut text = Vec::new();
    loop {
        stack.push_value(1);
        if !stack.pcall(0, 0) {
            stack.push_nil();
            stack.insert(-2);
            return Ok(2);
        }
        stack.set_top(2);
        match stack.kind(2) {
            Kind::Nil => break,
            Kind::String | Kind::Number => {
                let piece = stack.coerced(2).unwrap_or_default();
                if piece.is_empty() {
                    break;
                }
                text.extend_from_slice(piece);
            }
            _ => {
                stack.push_nil();
                stack.push_bytes("reader function must return a string");
                return Ok(2);
            }
        }
        stack.set_top(1);
    }
    load_chunk(stack, &text, &name)
}

fn load_chunk(stack: &mut Stack<'_>, text: &[u8], name: &[u8]) -> Native {
    let name = &name[..memchr::memchr(0, name).unwrap_or(name.len())];
    let name = std::ffi::CString::new(name).unwrap_or_default();
    if stack.load(text, &name) {
        return Ok(1);
    }
    stack.push_nil();
    stack.insert(-2);
    Ok(2)
}

/// `table.insert(table, [position,] value)`
fn table_insert(stack: &mut Stack<'_>) -> Native {
    if stack.kind(1) != Kind::Table {
        return Err(Raise::Type(1, c"table"));
    }
    let readonly = is_readonly(stack, 1);
    let mut end = stack.raw_len(1) + 1;
    let position = match stack.top() {
        2 => end,
        3 => {
            let Some(position) = stack.coerced_number(2) else { return Err(Raise::Type(2, c"number")) };
            let Ok(position) = usize::try_from(super::reply::to_integer(position)) else {
                return insert_below(stack, position);
            };
            position
        }
        _ => return stack.fail("wrong number of arguments to 'insert'"),
    };
    if readonly {
        return Err(refuse(stack));
    }
    end = end.max(position);
    while end > position {
        stack.raw_get_item(1, end - 1);
        stack.raw_set_item(1, end);
        end -= 1;
    }
    stack.push_value(-1);
    stack.raw_set_item(1, position);
    Ok(0)
}

/// An insertion before item 0: as redis' Lua, everything up to there moves; here only what exists does.
fn insert_below(stack: &mut Stack<'_>, position: f64) -> Native {
    let mut end = stack.raw_len(1);
    while end > 0 {
        stack.raw_get_item(1, end);
        stack.raw_set_item(1, end + 1);
        end -= 1;
    }
    stack.push_number(position.trunc());
    stack.push_value(3);
    stack.raw_set(1);
    Ok(0)
}

/// `table.foreach(table, function)`
fn table_foreach(stack: &mut Stack<'_>) -> Native {
    if stack.kind(1) == Kind::Table && push_real(stack, 1) {
        stack.replace(1);
    }
    let count = stack.top();
    stack.push_value(upvalue(1));
    stack.insert(1);
    Err(Raise::Call(count))
}
