//! The network task of a core: turn, submit and wait, give the executor its share.
//!
//! Spawned by `boot` in class network. The core's idle wait is its own ring (RUNTIME.md): this loop sleeps in
//! `Ring::wait`, up to `limits::IDLE_WAIT_US`, so that glommio's timers and background tasks still run. It yields to the executor
//! when a slice of `limits::TURN_SLICE_US` is over or the core has been idle.
//!
//! Invariant: no borrow of the core is held over an await. Bounds: `busy-poll-us` of spinning before each sleep, off by default.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::{clock, ticks};
use crate::limits::TURN_SLICE_US;
use crate::observe::log::warning;
use crate::session::core::Core;

/// Runs turns until the process stops.
pub async fn drive(core: Rc<RefCell<Core>>) {
    let mut slice_began = clock::monotonic_us();
    let (shared, id) = {
        let core = core.borrow();
        (Arc::clone(&core.shared), core.id())
    };
    let mut beat = 0;
    loop {
        beat += 1;
        shared.watchdog.beat(id, beat);
        let slept = {
            let mut core = core.borrow_mut();
            if core.is_stopping() {
                return;
            }
            step(&mut core)
        };
        let now = clock::monotonic_us();
        if slept || now - slice_began >= TURN_SLICE_US {
            glommio::executor().yield_task_queue_now().await;
            slice_began = now;
        }
    }
}

/// One turn and one wait; whether the wait slept its whole time.
fn step(core: &mut Core) -> bool {
    let started = ticks::now();
    let worked = core.turn();
    let turn_us = if worked { core.note_turn(started) } else { 0 };
    let mut timeout_us = 0;
    if core.is_idle() && !spin(core) {
        timeout_us = if core.mesh.fall_asleep() { core.longest_wait_us() } else { 0 };
    }
    let submitted = ticks::now();
    core.offer();
    let entered = if core.has_completions() { core.ring.submit() } else { core.ring.wait(timeout_us) };
    core.recall();
    if let Err(error) = entered {
        warning(&format!("io_uring_enter failed: {error}"));
    }
    core.mesh.wake_up();
    core.end_step(submitted, turn_us);
    core.stats.sleeps += (timeout_us > 0) as u64;
    timeout_us > 0 && !worked
}

/// Looks for work without sleeping for `busy-poll-us`; whether some came.
fn spin(core: &mut Core) -> bool {
    let budget_us = core.settings.busy_poll_us;
    if budget_us == 0 {
        return false;
    }
    let until = clock::monotonic_us() + budget_us;
    loop {
        if core.ring.wait(0).is_err() || core.ring.has_completions() || core.mesh.has_inbound() {
            return true;
        }
        if clock::monotonic_us() >= until {
            return false;
        }
        std::hint::spin_loop();
    }
}
