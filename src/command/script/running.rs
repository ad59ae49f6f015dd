//! The script being executed on this thread: how native functions and the hook reach the core.
//!
//! [`Running`] is put in place by [`enter`] for the duration of one script; `api` and `state` ask for it by [`with`]. What a script needs of the world (executing
//! a command, looking after other clients meanwhile) is behind [`Host`], which `session::script` implements.
//!
//! Invariant: while a closure of [`with`] runs, the place is empty, so that there is never a second reference. Bounds: one script per thread (EVAL inside a script is
//! refused, and a nested turn never gets the shard a second one would need). Why a thread-local pointer and not an up-value: Lua functions are made once
//! per core and know no lifetimes.

use std::cell::Cell;
use std::ptr::NonNull;

use super::stack::Stack;
use crate::resp::{Args, CommandBuilder, Out};

/// Why a command called by a script was not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Vec<u8>);

/// What a script asks of its core.
pub trait Host {
    /// Executes a command; its reply (an error too) is written to `out`. `effects` tells whether what it changes is to be propagated.
    ///
    /// Errors: the text of a refusal, without code if that is ERR.
    fn call(&mut self, args: &Args<'_>, out: &mut Out, effects: bool) -> Result<(), Refusal>;
    /// The script has been running for a while: looks after others if it is too long. Returns whether it is to die.
    fn attend(&mut self) -> bool;
    /// Whether the caller's user may run this command; `None` if there is no such command.
    fn may_run(&mut self, args: &Args<'_>) -> Option<bool>;
    /// What a killed script fails with.
    fn kill_text(&self) -> &'static str;
}

/// One script under execution.
pub struct Running<'h> {
    /// The core.
    pub host: &'h mut dyn Host,
    /// `redis.setresp`: 2 or 3.
    pub proto: u8,
    /// `redis.set_repl`: whether writes are propagated.
    pub effects: bool,
    /// Words of the command being called.
    pub words: CommandBuilder,
    /// Its reply.
    pub out: Out,
}

thread_local! {
    static CURRENT: Cell<Option<NonNull<Running<'static>>>> = const { Cell::new(None) };
}

/// Restores what was current before.
struct Restore(Option<NonNull<Running<'static>>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Runs `body` with `running` as this thread's script.
pub fn enter<R>(running: &mut Running<'_>, body: impl FnOnce() -> R) -> R {
    let pointer = NonNull::from(running).cast::<Running<'static>>();
    let _restore = Restore(CURRENT.replace(Some(pointer)));
    body()
}

/// The script of this thread, for the time of `body`; `None` outside of one.
pub fn with<R>(body: impl FnOnce(&mut Running<'_>) -> R) -> Option<R> {
    let mut pointer = CURRENT.take()?;
    let _restore = Restore(Some(pointer));
    // SAFETY: `enter` holds the exclusive borrow this pointer was made of until it restores the place, and the place is empty while the
    // reference lives, so there is no other. The lifetime is cut down to that of the closure.
    Some(body(unsafe { pointer.as_mut() }))
}

/// The hook's question: whether the script is to die.
pub(super) fn attend() -> bool {
    with(|running| running.host.attend()).unwrap_or_else(super::library::is_overdue)
}

/// Pushes the error a killed script dies of.
pub(super) fn push_kill_error(stack: &mut Stack<'_>) {
    match with(|running| running.host.kill_text()) {
        Some(text) => super::api::push_error(stack, text.as_bytes()),
        None => super::library::push_overdue(stack),
    }
}
