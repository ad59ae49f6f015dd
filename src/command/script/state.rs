//! A Lua interpreter: its memory, its libraries, its hook. Owned by an [`super::engine::Engine`], one per core and kind.
//!
//! Invariant: a state lives and dies on one thread. While Rust code works on the stack ([`super::stack`]) running out of memory aborts, as everywhere in
//! Rust; while Lua code runs it is an error Lua can catch (`string.rep` of a terabyte). Bounds: none on memory (redis has none); [`HOOK_INSTRUCTIONS`] between two
//! looks at the clock. Why our own allocator function: Lua's memory counts in `used_memory` like all other, and INFO wants it by state.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::cell::Cell;
use std::ffi::{c_int, c_void};

use mlua::ffi;

use super::running;
use super::stack::{RawState, Stack};

/// Instructions of a script between two looks at the clock (redis' number).
const HOOK_INSTRUCTIONS: c_int = 100_000;
/// What every block Lua asks for is aligned to.
const ALIGN: usize = 8;

thread_local! {
    /// Lua code is running: its allocations may fail.
    static IN_LUA: Cell<bool> = const { Cell::new(false) };
}

/// A Lua interpreter.
pub struct State {
    raw: *mut RawState,
    used: Box<Cell<usize>>,
}

/// Lua's allocator: the process' own, counted.
unsafe extern "C" fn allocate(
    counter: *mut c_void,
    block: *mut c_void,
    old_size: usize,
    new_size: usize,
) -> *mut c_void {
    // SAFETY: the counter outlives the state (`State::drop` closes first); block and old size are what was given out here before.
    unsafe {
        let used = &*counter.cast::<Cell<usize>>();
        let layout = |size| Layout::from_size_align_unchecked(size, ALIGN);
        if new_size == 0 {
            if !block.is_null() {
                dealloc(block.cast(), layout(old_size));
                used.set(used.get() - old_size);
            }
            return std::ptr::null_mut();
        }
        if new_size > isize::MAX as usize - ALIGN {
            return std::ptr::null_mut();
        }
        let made = if block.is_null() {
            alloc(layout(new_size))
        } else {
            realloc(block.cast(), layout(old_size), new_size)
        };
        if made.is_null() {
            if !IN_LUA.get() {
                handle_alloc_error(layout(new_size));
            }
            return std::ptr::null_mut();
        }
        let old = if block.is_null() { 0 } else { old_size };
        used.set(used.get() - old + new_size);
        made.cast()
    }
}

/// Called every [`HOOK_INSTRUCTIONS`], and on every line once the script is to die.
unsafe extern "C-unwind" fn hook(raw: *mut RawState, _: *mut ffi::lua_Debug) {
    let was = IN_LUA.replace(false);
    let killed = running::attend();
    IN_LUA.set(was);
    if killed {
        // SAFETY: the state is the running one. From here on every line raises, so that a pcall in the script does not help it; nothing
        // in this frame needs dropping when the error jumps over it.
        unsafe {
            let mask = ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;
            ffi::lua_sethook(raw, Some(hook), mask, HOOK_INSTRUCTIONS);
            running::push_kill_error(&mut Stack::new(raw));
            ffi::lua_error(raw)
        }
    }
}

impl State {
    /// A state with the base, table, string, math and coroutine libraries.
    pub fn new() -> State {
        let used = Box::new(Cell::new(0));
        // SAFETY: the counter is boxed, so its address stays; the library openers are called as Lua functions, as they want it.
        let raw = unsafe {
            let raw = ffi::lua_newstate(allocate, std::ptr::from_ref(&*used).cast_mut().cast());
            if raw.is_null() {
                handle_alloc_error(Layout::new::<[u8; 4096]>());
            }
            for open in [ffi::luaopen_base, ffi::luaopen_table, ffi::luaopen_string, ffi::luaopen_math] {
                ffi::lua_pushcclosure(raw, open, 0);
                ffi::lua_pushstring_(raw, c"".as_ptr());
                ffi::lua_call(raw, 1, 0);
            }
            raw
        };
        State { raw, used }
    }

    /// Its stack.
    pub fn stack(&mut self) -> Stack<'_> {
        // SAFETY: the state is live, and borrowed exclusively for as long.
        unsafe { Stack::new(self.raw) }
    }

    /// Bytes it holds.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Calls the function below the `count` topmost values as a script: with the hook on, errors going to `handler`.
    pub fn run(&mut self, count: i32, handler: i32) -> bool {
        // SAFETY: the hook is a plain function; it is off again before anybody else uses the state.
        unsafe { ffi::lua_sethook(self.raw, Some(hook), ffi::LUA_MASKCOUNT, HOOK_INSTRUCTIONS) };
        let ok = self.stack().pcall(count, handler);
        // SAFETY: as above.
        unsafe { ffi::lua_sethook(self.raw, None, 0, 0) };
        ok
    }

    /// Frees what scripts left behind, one step.
    pub fn collect_step(&mut self) {
        // SAFETY: a step of the collector runs no Lua code: there are no finalizers.
        unsafe { ffi::lua_gc(self.raw, ffi::LUA_GCSTEP, 50) };
    }
}

/// Says whether Lua code runs from here on (then its allocations may fail) or native code; returns what it was.
pub(super) fn set_in_lua(now: bool) -> bool {
    IN_LUA.replace(now)
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: closed once, by its owner; nothing refers to it any more.
        unsafe { ffi::lua_close(self.raw) }
    }
}
