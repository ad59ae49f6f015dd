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
use std::time::Duration;

use crate::base::{clock, ticks};
use crate::limits::TURN_SLICE_US;
use crate::observe::log::warning;
use crate::session::core::Core;

/// How long an idle core leaves its ring alone while tasks beside the network's have work or wait for files.
const BULK_WAIT: Duration = Duration::from_micros(50);

/// Runs turns until the process stops.
pub async fn drive(core: Rc<RefCell<Core>>) {
    let slice_ticks = TURN_SLICE_US * ticks::per_us();
    let mut now = ticks::now();
    let mut slice_began = now;
    let (shared, id) = {
        let core = core.borrow();
        (Arc::clone(&core.shared), core.id())
    };
    let mut beat = 0;
    loop {
        beat += 1;
        shared.watchdog.beat(id, beat);
        let (slept, must_drain) = {
            let mut core = core.borrow_mut();
            if core.is_stopping() {
                core.leave();
                // The process ends: freeing entry by entry would take seconds of it.
                std::mem::forget(core.shard.take());
                return;
            }
            (step(&mut core, &mut now), core.must_drain())
        };
        if slept || must_drain || now.wrapping_sub(slice_began) >= slice_ticks {
            if (slept && core.borrow().bulk_tasks > 0) || must_drain {
                // With nothing runnable the executor waits for its files at once.
                glommio::timer::sleep(BULK_WAIT).await;
            } else {
                glommio::executor().yield_task_queue_now().await;
            }
            now = ticks::now();
            slice_began = now;
        }
    }
}

/// One turn and one wait, from `now` on (ticks), which it advances; whether the core has nothing to do. The counter is read twice.
fn step(core: &mut Core, now: &mut u64) -> bool {
    let started = *now;
    let worked = core.turn();
    core.tend_journal();
    let mut submitted = ticks::now();
    let turn_us = if worked { core.note_turn(started, submitted) } else { 0 };
    let (mut timeout_us, mut is_urgent) = (0, false);
    let has_tasks = core.bulk_tasks > 0 && core.is_idle();
    if !has_tasks && core.is_idle() && !spin(core, &mut submitted) {
        // What nobody else wants of the core goes to a snapshot, here and not by the executor's shares, which count this loop's looking as work.
        is_urgent = core.may_walk() && is_quiet(core) && core.walk_while_idle();
        let may_sleep =
            !is_urgent && !core.ring.has_completions() && core.mesh.fall_asleep() && !core.has_journal_news();
        timeout_us = if may_sleep { core.longest_wait_us() } else { 0 };
    }
    core.offer();
    let entered = if core.has_completions() { core.ring.submit() } else { core.ring.wait(timeout_us) };
    core.recall();
    if let Err(error) = entered {
        warning(&format!("io_uring_enter failed: {error}"));
    }
    core.mesh.wake_up();
    *now = ticks::now();
    core.end_step(submitted, *now, turn_us);
    core.stats.sleeps += (timeout_us > 0) as u64;
    ((timeout_us > 0 || has_tasks) && !worked) || is_urgent
}

/// Whether the kernel has nothing new for the core, and no other core has.
fn is_quiet(core: &mut Core) -> bool {
    core.ring.wait(0).is_ok() && !core.ring.has_completions() && !core.mesh.has_inbound()
}

/// Looks for work without sleeping for `busy-poll-us`; whether some came. `ended` becomes the time (ticks) at which it stopped.
fn spin(core: &mut Core, ended: &mut u64) -> bool {
    let budget_us = core.settings.busy_poll_us;
    if budget_us == 0 {
        return false;
    }
    let until = clock::monotonic_us() + budget_us;
    let found = loop {
        if core.ring.wait(0).is_err() || core.ring.has_completions() || core.mesh.has_inbound() {
            break true;
        }
        if clock::monotonic_us() >= until {
            break false;
        }
        std::hint::spin_loop();
    };
    *ended = ticks::now();
    found
}
