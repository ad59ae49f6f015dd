//! Libraries of functions: loading them, and keeping a core's interpreter up to date.
//!
//! FUNCTION LOAD calls [`load`] on the core it runs on; other cores load the same code when they see that the version has moved ([`sync`]). While a library
//! loads, its code sees nothing but `redis` with `register_function`, `log` and a few constants. Invariant: an interpreter knows exactly the functions of the
//! libraries in [`Loaded`]. Bounds: half a second per library. Why load again on each core: Lua values cannot leave their interpreter, and registering is all a
//! library can do while it loads.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::room::{self, Flags, Function, Library};
use super::stack::{Body, GLOBALS, Kind, Native, REGISTRY, Stack};
use super::{api, sandbox, shebang};

/// The registry's functions of all loaded libraries, by name.
const FUNCTIONS: &str = "shoal.functions";
/// Those of the library being loaded.
const PENDING: &str = "shoal.pending";
/// What the globals are while a library loads.
const LOADING_GLOBALS: &str = "shoal.loading";
/// How long a library may take to load.
const LOAD_TIMEOUT: Duration = Duration::from_millis(500);

const LOADING_FUNCTIONS: &[(&str, Body)] = &[("register_function", register_function), ("log", api::log)];

/// What an interpreter has loaded.
#[derive(Default)]
pub struct Loaded {
    version: u64,
    list: Vec<Arc<Library>>,
}

/// A library under way.
struct Loading {
    functions: Vec<Function>,
    until: Instant,
}

thread_local! {
    static LOADING: RefCell<Option<Loading>> = const { RefCell::new(None) };
}

/// Whether the library being loaded has used up its time.
pub(super) fn is_overdue() -> bool {
    LOADING.with_borrow(|loading| loading.as_ref().is_some_and(|loading| Instant::now() >= loading.until))
}

/// Pushes the error a library dies of that takes too long to load.
pub(super) fn push_overdue(stack: &mut Stack<'_>) {
    stack.new_table(0, 1);
    stack.push_bytes("FUNCTION LOAD timeout");
    stack.raw_set_field(-2, "err");
}

/// Prepares a fresh interpreter for functions.
pub(super) fn prepare(stack: &mut Stack<'_>) {
    for name in [FUNCTIONS, PENDING] {
        stack.new_table(0, 8);
        stack.raw_set_field(REGISTRY, name);
    }
    stack.new_table(0, 1);
    stack.new_table(0, 16);
    for (name, body) in LOADING_FUNCTIONS {
        stack.push_native(*body);
        stack.raw_set_field(-2, name);
    }
    for (name, value) in api::CONSTANTS.iter().filter(|(name, _)| !name.starts_with("REPL_")) {
        stack.push_number(*value);
        stack.raw_set_field(-2, name);
    }
    stack.push_bytes(api::REDIS_VERSION);
    stack.raw_set_field(-2, "REDIS_VERSION");
    sandbox::forbid_unknown(stack);
    sandbox::protect(stack);
    stack.raw_set_field(-2, "redis");
    sandbox::forbid_unknown(stack);
    stack.raw_set_field(REGISTRY, LOADING_GLOBALS);
}

/// Makes the real globals (or those of loading) what the proxy of the globals reads.
fn set_globals(stack: &mut Stack<'_>, is_loading: bool) {
    if !stack.push_metatable(GLOBALS) {
        return;
    }
    if is_loading {
        stack.raw_get_field(REGISTRY, LOADING_GLOBALS);
    } else {
        sandbox::push_real_globals(stack);
    }
    stack.raw_set_field(-2, "__index");
    stack.pop(1);
}

/// Pushes a loaded function.
pub(super) fn push_function(stack: &mut Stack<'_>, name: &[u8]) {
    stack.raw_get_field(REGISTRY, FUNCTIONS);
    stack.push_bytes(name);
    stack.raw_get(-2);
    stack.remove(-2);
}

/// Runs a library's code and returns what it registers; the functions wait in PENDING.
fn run_code(engine: &mut Engine, code: &[u8], skip: usize) -> Result<Vec<Function>, Vec<u8>> {
    let mut stack = engine.state.stack();
    stack.new_table(0, 8);
    stack.raw_set_field(REGISTRY, PENDING);
    stack.push_native(api::handle_error);
    if !stack.load(&code[skip..], c"@user_function") {
        let text = [b"ERR Error compiling function: ", stack.coerced(-1).unwrap_or_default()].concat();
        stack.set_top(0);
        return Err(text);
    }
    set_globals(&mut stack, true);
    let until = Instant::now() + LOAD_TIMEOUT;
    LOADING.set(Some(Loading { functions: Vec::new(), until }));
    let ok = engine.state.run(0, 1);
    let loading = LOADING.take();
    let mut stack = engine.state.stack();
    set_globals(&mut stack, false);
    let result = if ok {
        match loading.map(|loading| loading.functions) {
            Some(functions) if !functions.is_empty() => Ok(functions),
            _ => Err(b"ERR No functions registered".to_vec()),
        }
    } else {
        if stack.kind(-1) == Kind::Table {
            stack.raw_get_field(-1, "err");
        }
        let why = stack.coerced(-1).unwrap_or(b"ERR unknown error");
        Err([b"ERR Error registering functions: ", why].concat())
    };
    stack.set_top(0);
    result
}

/// Makes the functions in PENDING callable.
fn adopt(engine: &mut Engine, library: Arc<Library>) {
    let mut stack = engine.state.stack();
    stack.raw_get_field(REGISTRY, FUNCTIONS);
    stack.raw_get_field(REGISTRY, PENDING);
    for function in &library.functions {
        stack.push_bytes(&function.name);
        stack.push_bytes(&function.name);
        stack.raw_get(2);
        stack.raw_set(1);
    }
    stack.set_top(0);
    engine.libraries.list.push(library);
}

fn forget(engine: &mut Engine, library: &Library) {
    let mut stack = engine.state.stack();
    stack.raw_get_field(REGISTRY, FUNCTIONS);
    for function in &library.functions {
        stack.push_bytes(&function.name);
        stack.push_nil();
        stack.raw_set(1);
    }
    stack.set_top(0);
}

/// Compiles and runs a library's code on this core: what it would be. Nothing is changed yet.
///
/// Errors: the text of the refusal.
pub fn load(engine: &mut Engine, code: &[u8]) -> Result<Arc<Library>, Vec<u8>> {
    let (name, skip) = shebang::of_library(code)?;
    let functions = run_code(engine, code, skip)?;
    Ok(Arc::new(Library { name, code: code.into(), skip, functions }))
}

/// Brings this core's interpreter to the present libraries.
pub fn sync(engine: &mut Engine) {
    if engine.libraries.version == room::library_version() {
        return;
    }
    let (now, version) = room::libraries();
    let is_kept = |library: &Arc<Library>| now.list.iter().any(|known| Arc::ptr_eq(known, library));
    let (kept, gone): (Vec<_>, Vec<_>) = engine.libraries.list.drain(..).partition(is_kept);
    engine.libraries.list = kept;
    gone.iter().for_each(|library| forget(engine, library));
    for library in &now.list {
        if engine.libraries.list.iter().any(|known| Arc::ptr_eq(known, library)) {
            continue;
        }
        // It has loaded once, on the core that took it in.
        if run_code(engine, &library.code, library.skip).is_ok() {
            adopt(engine, Arc::clone(library));
        }
    }
    engine.libraries.version = version;
}

/// A named argument of `redis.register_function`, while the table is read.
#[derive(Default)]
struct Registration {
    name: Option<Vec<u8>>,
    description: Option<Vec<u8>>,
    flags: u32,
    has_callback: bool,
}

/// `redis.register_function(name, callback)` or `redis.register_function{...}`
fn register_function(stack: &mut Stack<'_>) -> Native {
    let count = stack.top();
    if !(1..=2).contains(&count) {
        return api::throw(stack, b"wrong number of arguments to redis.register_function");
    }
    let read = if count == 1 { read_named(stack) } else { read_positional(stack) };
    let registration = match read {
        Ok(registration) => registration,
        Err(text) => return api::throw(stack, text.as_bytes()),
    };
    // The callback is on top.
    let name = registration.name.unwrap_or_default();
    if !shebang::is_name(&name) {
        return api::throw(stack, shebang::BAD_NAME.trim_start_matches("ERR ").as_bytes());
    }
    let function = Function {
        name: name.clone(),
        description: registration.description,
        flags: Flags(registration.flags),
    };
    let outcome = LOADING.with_borrow_mut(|loading| match loading {
        None => Err("redis.register_function can only be called on FUNCTION LOAD command"),
        Some(loading) if loading.functions.iter().any(|known| known.name == name) => {
            Err("Function already exists in the library")
        }
        Some(loading) => {
            loading.functions.push(function);
            Ok(())
        }
    });
    if let Err(text) = outcome {
        return api::throw(stack, text.as_bytes());
    }
    let callback = stack.top();
    stack.raw_get_field(REGISTRY, PENDING);
    stack.push_bytes(&name);
    stack.push_value(callback);
    stack.raw_set(-3);
    Ok(0)
}

fn read_positional(stack: &mut Stack<'_>) -> Result<Registration, &'static str> {
    let Some(name) = stack.coerced(1).map(<[u8]>::to_vec) else {
        return Err("first argument to redis.register_function must be a string");
    };
    if stack.kind(2) != Kind::Function {
        return Err("second argument to redis.register_function must be a function");
    }
    Ok(Registration { name: Some(name), has_callback: true, ..Registration::default() })
}

fn read_named(stack: &mut Stack<'_>) -> Result<Registration, &'static str> {
    if stack.kind(1) != Kind::Table {
        return Err(
            "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
        );
    }
    let mut registration = Registration::default();
    // The callback's place; then the traversal's key and value.
    stack.push_nil();
    stack.push_nil();
    while stack.next(1) {
        let Some(key) = stack.bytes(-2).map(<[u8]>::to_vec) else {
            return Err("unknown argument given to redis.register_function");
        };
        if key.eq_ignore_ascii_case(b"function_name") {
            registration.name = Some(
                text_argument(stack)
                    .ok_or("function_name argument given to redis.register_function must be a string")?,
            );
        } else if key.eq_ignore_ascii_case(b"description") {
            registration.description = Some(
                text_argument(stack)
                    .ok_or("description argument given to redis.register_function must be a string")?,
            );
        } else if key.eq_ignore_ascii_case(b"callback") {
            if stack.kind(-1) != Kind::Function {
                return Err("callback argument given to redis.register_function must be a function");
            }
            registration.has_callback = true;
            stack.push_value(-1);
            stack.replace(2);
        } else if key.eq_ignore_ascii_case(b"flags") {
            registration.flags = read_flags(stack)?;
        } else {
            return Err("unknown argument given to redis.register_function");
        }
        stack.pop(1);
    }
    if registration.name.is_none() {
        return Err("redis.register_function must get a function name argument");
    }
    if !registration.has_callback {
        return Err("redis.register_function must get a callback argument");
    }
    Ok(registration)
}

/// The string (or number) on top.
fn text_argument(stack: &mut Stack<'_>) -> Option<Vec<u8>> {
    stack.coerced(-1).map(<[u8]>::to_vec)
}

/// The flags in the table on top.
fn read_flags(stack: &mut Stack<'_>) -> Result<u32, &'static str> {
    if stack.kind(-1) != Kind::Table {
        return Err("flags argument to redis.register_function must be a table representing function flags");
    }
    let mut bits = 0;
    for item in 1.. {
        stack.raw_get_item(-1, item);
        if stack.kind(-1) == Kind::Nil {
            stack.pop(1);
            break;
        }
        let bit = stack.bytes(-1).and_then(shebang::flag);
        stack.pop(1);
        bits |= bit.ok_or("unknown flag given")?;
    }
    Ok(bits)
}
