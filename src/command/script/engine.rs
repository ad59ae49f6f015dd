//! One core's interpreters: what is compiled in them, and how a script is called.
//!
//! `session::script` calls [`with_eval`] and [`with_functions`]; an interpreter is made when the first script comes. Invariant: what is compiled here is in
//! [`super::room`], or was until the last flush. An interpreter runs one script at a time. Bounds: memory, as in redis. Why two interpreters per core:
//! functions do not see what EVAL's scripts see (KEYS, breakpoint), and INFO tells their memory apart.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use super::api;
use super::reply;
use super::room::{self, Script, Sha};
use super::running::{self, Running};
use super::sandbox::{self, Purpose};
use super::stack::{Kind, REGISTRY, Stack};
use super::state::State;
use crate::resp::Out;

/// The registry's compiled functions, by name.
const COMPILED: &str = "shoal.compiled";
/// Scripts between two steps of garbage collection.
const COLLECT_PERIOD: u32 = 50;

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its reply is an error.
    pub failed: bool,
    /// The error was counted already, when a command gave it.
    pub is_counted: bool,
}

/// An interpreter of this thread.
pub struct Engine {
    pub(super) state: State,
    compiled: HashSet<Sha>,
    epoch: u64,
    pub(super) libraries: super::library::Loaded,
    runs: u32,
}

thread_local! {
    static EVAL: RefCell<Option<Engine>> = const { RefCell::new(None) };
    static FUNCTIONS: RefCell<Option<Engine>> = const { RefCell::new(None) };
    /// Bytes held by the two, as of their last use.
    static USED: Cell<[usize; 2]> = const { Cell::new([0; 2]) };
}

/// Bytes held by this thread's interpreters: EVAL's and the functions'.
pub fn used() -> [usize; 2] {
    USED.get()
}

/// Runs `body` with this thread's interpreter for EVAL; `None` if it is at work already.
pub fn with_eval<R>(body: impl FnOnce(&mut Engine) -> R) -> Option<R> {
    EVAL.with(|place| with(place, Purpose::Eval, body))
}

/// Runs `body` with this thread's interpreter for functions; `None` if it is at work already.
pub fn with_functions<R>(body: impl FnOnce(&mut Engine) -> R) -> Option<R> {
    FUNCTIONS.with(|place| with(place, Purpose::Function, body))
}

/// Gives this thread's interpreter for EVAL back: SCRIPT FLUSH.
pub fn drop_eval() {
    EVAL.with(|place| {
        if let Ok(mut place) = place.try_borrow_mut() {
            *place = None;
            let [_, functions] = USED.get();
            USED.set([0, functions]);
        }
    });
}

fn with<R>(
    place: &RefCell<Option<Engine>>,
    purpose: Purpose,
    body: impl FnOnce(&mut Engine) -> R,
) -> Option<R> {
    let mut place = place.try_borrow_mut().ok()?;
    let engine = place.get_or_insert_with(|| Engine::new(purpose));
    let result = body(engine);
    let mut used = USED.get();
    used[(purpose == Purpose::Function) as usize] = engine.state.used();
    USED.set(used);
    Some(result)
}

impl Engine {
    fn new(purpose: Purpose) -> Engine {
        let mut state = State::new();
        let mut stack = state.stack();
        sandbox::build(&mut stack, purpose);
        stack.new_table(0, 8);
        stack.raw_set_field(REGISTRY, COMPILED);
        if purpose == Purpose::Function {
            super::library::prepare(&mut stack);
        }
        stack.set_top(0);
        Engine {
            state,
            compiled: HashSet::new(),
            epoch: room::script_epoch(),
            libraries: Default::default(),
            runs: 0,
        }
    }

    /// Compiles a script unless that was done before.
    ///
    /// Errors: the text of the refusal.
    pub fn compile(&mut self, sha: &Sha, body: &[u8], skip: usize) -> Result<(), Vec<u8>> {
        let epoch = room::script_epoch();
        if epoch != self.epoch {
            self.epoch = epoch;
            self.compiled.clear();
            let mut stack = self.state.stack();
            stack.new_table(0, 8);
            stack.raw_set_field(REGISTRY, COMPILED);
        }
        if self.compiled.contains(sha) {
            return Ok(());
        }
        let mut stack = self.state.stack();
        let loaded = stack.load(&body[skip..], c"@user_script");
        if !loaded {
            let why = stack.coerced(-1).unwrap_or_default();
            let text = [b"ERR Error compiling script (new function): ", why].concat();
            stack.set_top(0);
            return Err(text);
        }
        stack.raw_get_field(REGISTRY, COMPILED);
        stack.insert(-2);
        stack.push_bytes(sha);
        stack.insert(-2);
        stack.raw_set(-3);
        stack.set_top(0);
        self.compiled.insert(*sha);
        Ok(())
    }

    /// Runs a compiled script; its reply is written to `out`.
    pub fn eval<'w>(
        &mut self,
        script: &Script,
        keys: impl ExactSizeIterator<Item = &'w [u8]>,
        args: impl ExactSizeIterator<Item = &'w [u8]>,
        running: &mut Running<'_>,
        out: &mut Out,
    ) -> Ended {
        let mut stack = self.state.stack();
        stack.push_native(api::handle_error);
        stack.raw_get_field(REGISTRY, COMPILED);
        stack.push_bytes(script.sha);
        stack.raw_get(-2);
        stack.remove(-2);
        sandbox::push_real_globals(&mut stack);
        push_words(&mut stack, keys);
        stack.raw_set_field(-2, "KEYS");
        push_words(&mut stack, args);
        stack.raw_set_field(-2, "ARGV");
        stack.pop(1);
        let name = String::from_utf8_lossy(&script.sha).into_owned();
        self.finish(name.as_bytes(), 0, running, out)
    }

    /// Runs a function of a loaded library; its reply is written to `out`.
    pub fn call<'w>(
        &mut self,
        function: &[u8],
        keys: impl ExactSizeIterator<Item = &'w [u8]>,
        args: impl ExactSizeIterator<Item = &'w [u8]>,
        running: &mut Running<'_>,
        out: &mut Out,
    ) -> Ended {
        let mut stack = self.state.stack();
        stack.push_native(api::handle_error);
        super::library::push_function(&mut stack, function);
        push_words(&mut stack, keys);
        push_words(&mut stack, args);
        self.finish(function, 2, running, out)
    }

    /// Calls what is on the stack (handler, function, `count` arguments) and writes its reply.
    fn finish(&mut self, name: &[u8], count: i32, running: &mut Running<'_>, out: &mut Out) -> Ended {
        let state = &mut self.state;
        let ok = running::enter(running, || state.run(count, 1));
        let mut stack = state.stack();
        let ended = if ok {
            // The first result is the reply; without one it is nil.
            stack.set_top(2);
            let mark = out.mark();
            reply::write_reply(&mut stack, out, running.proto, 0);
            Ended { failed: out.since(mark).first() == Some(&b'-'), is_counted: false }
        } else {
            write_error(&mut stack, name, out)
        };
        stack.set_top(0);
        self.runs += 1;
        if self.runs.is_multiple_of(COLLECT_PERIOD) {
            self.state.collect_step();
        }
        ended
    }
}

/// Pushes a table of strings.
fn push_words<'w>(stack: &mut Stack<'_>, words: impl ExactSizeIterator<Item = &'w [u8]>) {
    stack.new_table(words.len(), 0);
    for (index, word) in words.enumerate() {
        stack.push_bytes(word);
        stack.raw_set_item(-2, index + 1);
    }
}

/// Writes the error on top of the stack: what, by which script, where.
fn write_error(stack: &mut Stack<'_>, name: &[u8], out: &mut Out) -> Ended {
    if stack.kind(-1) != Kind::Table {
        let text = stack.coerced(-1).unwrap_or_default();
        out.error_bytes(&[b"ERR ", text, b" script: ", name].concat());
        return Ended { failed: true, is_counted: false };
    }
    stack.raw_get_field(-1, "ignore_error_stats_update");
    let is_counted = stack.truth(-1);
    stack.pop(1);
    stack.raw_get_field(-1, "line");
    stack.raw_get_field(-2, "source");
    let mut place = Vec::new();
    if stack.kind(-1) == Kind::String && stack.kind(-2) == Kind::Number {
        place.extend_from_slice(b", on ");
        place.extend_from_slice(stack.bytes(-1).unwrap_or_default());
        place.push(b':');
        place.extend_from_slice(stack.coerced(-2).unwrap_or_default());
        place.push(b'.');
    }
    stack.pop(2);
    stack.raw_get_field(-1, "err");
    let what = stack.coerced(-1).unwrap_or(b"ERR unknown error");
    out.error_bytes(&[what, b" script: ", name, &place].concat());
    Ended { failed: true, is_counted }
}
