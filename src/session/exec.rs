//! EXEC: a transaction's lock set, its commands one after another, its end.
//!
//! `session::run` calls [`begin_exec`] when EXEC has handed a transaction over and [`run_exec`] to go on with it (it may wait for shards, or visit other
//! cores). Invariant: all shards are in hand from the first command to the last. Bounds: the queue. Why apart from `run`: one is the way of every command, this is not.

use super::core::Core;
use super::multi::{self, Exec};
use super::run::{Next, call_control, collect, end_reply_mode, release, run_one, send_home, wants_shards};
use super::{Session, client_flag, gate, widen};
use crate::command::lookup::Command;
use crate::resp::Args;
use crate::shard::execute::{Hands, close_unit};
use crate::shard::lending::{CoreSet, Fault, Lent, is_broken};

/// Fixes the lock set of a transaction that EXEC has just handed over.
pub(super) fn begin_exec(core: &mut Core, session: &mut Session) {
    let Some(exec) = &session.exec else { return };
    if exec.begun || session.lent.is_some() {
        return;
    }
    let wanted = CoreSet(exec.multi.cores.0 | multi::watched_cores(session).0);
    if !wanted.is_empty() {
        session.lent = Some(Box::new(Lent::new(wanted, core.cores())));
    }
}

/// Goes on with a transaction: collects shards, validates watches, runs command after command.
pub(super) fn run_exec(core: &mut Core, session: &mut Session, mut exec: Box<Exec>) -> Next {
    loop {
        if let Some(next) = collect(core, session) {
            session.exec = Some(exec);
            return next;
        }
        if exec.begun || !widen::beyond_exec(core, session, &exec) {
            break;
        }
    }
    if !exec.begun {
        exec.begun = true;
        exec.now_ms = core.now_ms;
        session.client.flags |= client_flag::EXECUTING;
        if !multi::watches_hold(session, exec.now_ms) {
            session.out.null_array();
            return finish_exec(core, session, &exec);
        }
        session.out.array(exec.multi.queue.len());
    }
    let queue = std::mem::take(&mut exec.multi.queue);
    let mut visiting = false;
    while exec.next < queue.len() && !visiting {
        if exec.next > 0 && breaks_lock(exec.next, queue.len()) && !exec.relocked {
            exec.relocked = true;
            exec.multi.queue = queue;
            relock(core, session);
            session.exec = Some(exec);
            return Next::Again;
        }
        exec.relocked = false;
        let queued = &queue[exec.next];
        exec.next += 1;
        let args = queued.words.args();
        let Ok(command) = core.shared.table.find(&args) else { continue };
        visiting = run_queued(core, session, command, &args);
    }
    exec.multi.queue = queue;
    if visiting {
        session.exec = Some(exec);
        return Next::Again;
    }
    finish_exec(core, session, &exec)
}

/// A broken build gives the locks up before command `next` of `count`.
fn breaks_lock(next: usize, count: usize) -> bool {
    is_broken(Fault::SkipLock) || (is_broken(Fault::UnlockEarly) && next + 1 == count)
}

/// Gives all shards back and asks for them again: only ever in a build that is broken on purpose.
#[cold]
fn relock(core: &mut Core, session: &mut Session) {
    let Some(mut lent) = session.lent.take() else { return };
    let (wanted, log_at) = (lent.wanted(), lent.log_at());
    if let Some(shard) = lent.shards_mut()[log_at].as_deref_mut() {
        close_unit(shard);
    }
    send_home(core, *lent);
    core.publish_and_flush();
    session.lent = Some(Box::new(Lent::new(wanted, core.cores())));
    std::thread::sleep(std::time::Duration::from_micros(200));
}

/// Runs one queued command; whether it began a visit.
fn run_queued(core: &mut Core, session: &mut Session, command: Command, args: &Args<'_>) -> bool {
    if let Err(text) = gate::judge_queued(core, session, command.row, args) {
        core.stats.count_error_reply(text.as_bytes());
        session.out.error_bytes(text.as_bytes());
        return false;
    }
    if let Some(control) = core.shared.controls[command.id as usize] {
        let next = call_control(core, session, command, control, args);
        if !wants_shards(session) {
            return matches!(next, Next::Again);
        }
    }
    let Some(mut lent) = session.lent.take() else { return false };
    let map = core.map.clone();
    let log_at = lent.log_at();
    run_one(core, session, command, args, &mut Hands::Many(&map, lent.shards_mut(), log_at));
    session.lent = Some(lent);
    false
}

fn finish_exec(core: &mut Core, session: &mut Session, exec: &Exec) -> Next {
    session.client.flags &= !client_flag::EXECUTING;
    if let Some(words) = &exec.shown {
        core.send_to_monitors(session, &words.args());
    }
    multi::unwatch_all(core, session);
    let offer = session.lent.take().and_then(|lent| release(core, *lent));
    end_reply_mode(session);
    core.tell_own_changes(session);
    offer.map_or(Next::Again, Next::Offer)
}
