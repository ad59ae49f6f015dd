//! The loop of a session: parse, admit, route, execute, until its input is used up or it must go elsewhere.
//!
//! Called with a session that has just received bytes, or has just arrived. What it was in the middle of (a visit, a
//! transaction, a command waiting for its shard) goes on first. [`Next`] says how a step ended.
//!
//! Invariant: the command at the read position is executed exactly once: the position moves only after [`Next::Done`].
//! Bounds: one session's input, and a share of the turn ([`Next::Rest`]). Why parse again after a hop: the parsed form borrows the buffer; parsing a
//! small command costs less than carrying it.

use std::sync::Arc;

use super::core::{Core, Message};
use super::multi::{self, Exec};
use super::visit::{self, Journey, VisitState};
use super::{Flow, ReplyMode, Session, admit, busy, client_flag, route, script, split};
use crate::base::ticks;
use crate::command::lookup::Command;
use crate::keyspace::Access;
use crate::observe::crash;
use crate::resp::{Args, OwnedCommand, Parsed};
use crate::shard::execute::{Hands, Run, close_unit, execute, seal};
use crate::shard::lending::{CoreSet, Fault, Lent, is_broken};

/// How a step of a session ended.
enum Next {
    /// The command is answered.
    Done,
    /// Go on at the top of the loop: a visit or a transaction has begun.
    Again,
    /// The session must go to this core.
    Travel(usize),
    /// It waits for this core's shard.
    Wait,
    /// It is postponed by CLIENT PAUSE.
    Pause,
    /// Its lanes go first (`session::split`).
    Gather,
    /// It has had its share of this turn: others first.
    Rest,
}

/// Runs a session as far as it goes on this core; `chunk` is what was just received for it.
pub fn run(core: &mut Core, mut session: Box<Session>, chunk: &[u8]) {
    let mut reader = std::mem::take(&mut session.reader);
    let proto_limit = core.settings.proto_max_bulk_len;
    let mut input = reader.open(chunk, proto_limit);
    let next = loop {
        if session.visit.is_some() || session.exec.is_some() || session.closing {
            if session.closing && session.visit.is_none() && session.exec.is_none() {
                break Next::Done;
            }
            match resume(core, &mut session) {
                Next::Done | Next::Again => continue,
                other => break other,
            }
        }
        if session.plan.is_used_up() {
            session.plan.make(input.ahead());
            if let Some(shard) = core.shard.as_deref() {
                session.plan.fetch_own(&shard.space, session.client.db, &core.map, core.id());
            }
        }
        match input.next(session.client.authenticated) {
            Parsed::Command => {
                if let Some(target) = split::target(core, &session, &input)
                    && let Some(raw) = input.raw()
                {
                    split::push(core, &mut session, target, raw);
                    session.plan.advance();
                    input.advance();
                    continue;
                }
                if has_lanes(&session) {
                    break Next::Gather;
                }
                let next = dispatch(core, &mut session, &input.args());
                match next {
                    Next::Done | Next::Again => {
                        if let Some(lane) = session.lane.as_mut() {
                            lane.ends.push(session.out.len());
                        }
                        session.admitted = false;
                        session.plan.advance();
                        input.advance();
                        if core.part_is_over() && session.exec.is_none() && session.visit.is_none() {
                            break Next::Rest;
                        }
                    }
                    other => break other,
                }
            }
            Parsed::Incomplete | Parsed::Error(_) if has_lanes(&session) => break Next::Gather,
            Parsed::Incomplete => break Next::Done,
            Parsed::Error(error) => {
                protocol_error(core, &mut session, error);
                break Next::Done;
            }
        }
    };
    input.close();
    let limit = core.settings.client_query_buffer_limit;
    if reader.len() > limit {
        core.stats.query_buffer_limit_disconnections += 1;
        session.closing = true;
        reader.clear();
    }
    session.reader = reader;
    dispose(core, session, next);
}

fn has_lanes(session: &Session) -> bool {
    session.split.as_ref().is_some_and(|split| split.is_pending())
}

/// Sends a session where it must go.
fn dispose(core: &mut Core, mut session: Box<Session>, next: Next) {
    core.dismiss_guest();
    if !matches!(next, Next::Done | Next::Again) {
        core.cast_shadow(&mut session);
    }
    match next {
        Next::Travel(to) => core.mesh.send(to, Message::Session(session)),
        Next::Wait | Next::Rest => core.waiting.push_back(session),
        Next::Pause => core.paused.sessions.push_back(session),
        Next::Gather => split::start(core, session),
        Next::Done | Next::Again if session.home == core.id() => core.park(session),
        Next::Done | Next::Again => {
            session.homeward = true;
            core.mesh.send(session.home, Message::Session(session));
        }
    }
}

fn protocol_error(core: &mut Core, session: &mut Session, error: crate::resp::ProtocolError) {
    core.stats.protocol_errors += 1;
    let mark = session.out.mark();
    error.write_reply(&mut session.out);
    core.stats.count_error_reply(session.out.since(mark));
    session.closing = true;
}

/// Goes on with what the session was in the middle of.
fn resume(core: &mut Core, session: &mut Session) -> Next {
    if let Some(state) = session.visit.take() {
        return match visit::step(core, session, state) {
            Journey::On(to) => Next::Travel(to),
            Journey::Wait => Next::Wait,
            Journey::Over => {
                if session.exec.is_none() {
                    end_reply_mode(session);
                }
                Next::Again
            }
        };
    }
    if core.busy.is_on() && busy::cancel_exec(core, session) {
        end_reply_mode(session);
        return Next::Again;
    }
    match session.exec.take() {
        Some(exec) => run_exec(core, session, exec),
        None => Next::Again,
    }
}

/// One command: admission (once), then its shard or the session itself.
fn dispatch(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Next {
    if !session.admitted {
        session.reply_mark = session.out.mark();
    }
    let command = if session.admitted {
        match core.shared.table.find(args) {
            Ok(command) => command,
            Err(_) => return Next::Done,
        }
    } else {
        match admit::admit(core, session, args) {
            admit::Verdict::Run(command) => command,
            admit::Verdict::Answered => {
                end_reply_mode(session);
                return Next::Done;
            }
            admit::Verdict::Paused => return Next::Pause,
        }
    };
    session.admitted = true;
    let next = match core.shared.controls[command.id as usize] {
        Some(control) if command.row.first_key == 0 && !wants_shards(session) => {
            let next = call_control(core, session, command, control, args);
            begin_exec(core, session);
            if wants_shards(session) { run_on_shards(core, session, command, args) } else { next }
        }
        _ => run_on_shards(core, session, command, args),
    };
    if let Next::Done = next {
        end_reply_mode(session);
    }
    next
}

/// Whether a control command has left something to be run on shards.
fn wants_shards(session: &Session) -> bool {
    session.handler.is_some() || session.script.is_some()
}

/// The cores whose shards the command at hand needs.
fn wanted(core: &Core, session: &Session, command: Command, args: &Args<'_>) -> CoreSet {
    match (&session.handler, &session.script) {
        (Some(_), _) => CoreSet::all(core.cores()),
        (None, Some(pending)) => pending.cores,
        (None, None) => route::cores_of(core, command.row, args),
    }
}

/// Collects the shards a command needs (they may be here already), then runs it.
fn run_on_shards(core: &mut Core, session: &mut Session, command: Command, args: &Args<'_>) -> Next {
    if core.busy.is_on() {
        let wanted = match &session.lent {
            Some(lent) => lent.wanted(),
            None => wanted(core, session, command, args),
        };
        if busy::refuse(core, session, command, wanted) {
            return Next::Done;
        }
    }
    if session.lent.is_none() {
        let wanted = wanted(core, session, command, args);
        match wanted.single() {
            Some(only) if only == core.id() => {
                let Some(mut shard) = core.shard.take() else { return Next::Wait };
                run_one(core, session, command, args, &mut Hands::One(&mut shard));
                close_unit(&mut shard);
                core.shard = Some(shard);
                return Next::Done;
            }
            Some(only) if core.host(only, session) => {
                let Some(mut shard) = core.guest.take() else { return Next::Again };
                run_one(core, session, command, args, &mut Hands::One(&mut shard));
                close_unit(&mut shard);
                core.guest = Some(shard);
                return Next::Done;
            }
            Some(only) => {
                core.stats.hops_out += 1;
                if session.plan.is_used_up() {
                    session.plan.make_single(route::first_key(command.row, args));
                }
                return Next::Travel(only);
            }
            None => session.lent = Some(Box::new(Lent::new(wanted, core.cores()))),
        }
    }
    if let Some(next) = collect(core, session) {
        return next;
    }
    let Some(mut lent) = session.lent.take() else { return Next::Done };
    let map = core.map.clone();
    let log_at = lent.log_at();
    run_one(core, session, command, args, &mut Hands::Many(&map, lent.shards_mut(), log_at));
    release(core, *lent);
    Next::Done
}

/// Takes this core's shard along if the transaction needs it; `None` when all shards are in hand.
fn collect(core: &mut Core, session: &mut Session) -> Option<Next> {
    core.dismiss_guest();
    let lent = session.lent.as_mut()?;
    while let Some(next) = lent.next() {
        if next != core.id() {
            if let Some(shard) = core.borrow(next) {
                lent.take(shard);
                continue;
            }
            core.stats.hops_out += 1;
            return Some(Next::Travel(next));
        }
        let Some(mut shard) = core.shard.take() else { return Some(Next::Wait) };
        seal(&mut shard);
        core.stats.lends += 1;
        lent.take(shard);
    }
    None
}

/// Closes the transaction's unit and sends its shards home.
fn release(core: &mut Core, mut lent: Lent) {
    let log_at = lent.log_at();
    if let Some(shard) = lent.shards_mut()[log_at].as_deref_mut() {
        close_unit(shard);
        // Published while all shards are still in hand.
        seal(shard);
    }
    lent.release().for_each(|shard| core.give_back(shard));
}

/// Runs a shard command (or a control command that needs shards) and accounts for it.
fn run_one(core: &mut Core, session: &mut Session, command: Command, args: &Args<'_>, hands: &mut Hands<'_>) {
    let now_ms = session.exec.as_ref().map_or(core.now_ms, |exec| exec.now_ms);
    let started = ticks::now();
    core.feed_monitors(session, args, command.row);
    crash::note(command.row, session.id);
    if session.script.is_some() {
        let failed = script::run(core, session, args, hands, now_ms);
        return core.account(session, command, args, started, failed);
    }
    let mark = session.out.mark();
    let handler = session.handler.take();
    let control = core.shared.controls[command.id as usize].filter(|_| handler.is_none());
    let failed = match (control, handler.or(command.row.handler)) {
        (Some(_), _) => {
            let result = multi::watch(core, session, args, hands, now_ms);
            if let Err(error) = result {
                session.out.rewind(mark);
                session.out.error_bytes(error.text(b""));
            }
            result.is_err()
        }
        (None, Some(handler)) => {
            let mut outcome = std::mem::take(&mut core.outcome);
            let (settings, map) = (Arc::clone(&core.settings), core.map.clone());
            let settings = &*settings;
            let mut access = Access::at(now_ms);
            access.touch = session.client.flags & client_flag::NO_TOUCH == 0;
            let run = Run {
                row: command.row,
                handler,
                args: args.skip(0),
                db: session.client.db,
                now_ms,
                wall_offset_ms: core.wall_offset_ms,
                settings,
                map: &map,
                access,
                is_logged: true,
            };
            let failed = execute(hands, run, &mut session.out, &mut outcome);
            if !outcome.events.is_empty() {
                core.publish_events(&mut outcome.events);
            }
            core.outcome = outcome;
            failed
        }
        (None, None) => false,
    };
    if failed {
        core.stats.count_error_reply(session.out.since(mark));
    }
    core.account(session, command, args, started, failed);
}

/// Runs a command of the session itself.
fn call_control(
    core: &mut Core,
    session: &mut Session,
    command: Command,
    control: super::Control,
    args: &Args<'_>,
) -> Next {
    let started = ticks::now();
    crash::note(command.row, session.id);
    let mark = session.out.mark();
    let result = control(core, session, args);
    match (&result, session.exec.as_mut()) {
        (Ok(Flow::OnAllShards(_)), _) => {}
        (Ok(Flow::Script(_)), _) if !core.monitors.is_empty() => core.send_to_monitors(session, args),
        (Ok(Flow::Script(_)), _) => {}
        (Ok(Flow::Exec), Some(exec)) if !core.monitors.is_empty() => {
            exec.shown = Some(OwnedCommand::from_args(args))
        }
        (Ok(Flow::Exec), _) => {}
        _ => core.feed_monitors(session, args, command.row),
    }
    if !matches!(result, Ok(Flow::OnAllShards(_) | Flow::Script(_) | Flow::Visit(_))) {
        core.account(session, command, args, started, result.is_err());
    }
    match result {
        Ok(Flow::Done) => Next::Done,
        Ok(Flow::Visit(visit)) => {
            let ticks = ticks::now().wrapping_sub(started);
            session.visit = Some(Box::new(VisitState::new(visit, core.id(), command, args, ticks)));
            Next::Again
        }
        Ok(Flow::Exec) => Next::Again,
        Ok(Flow::OnAllShards(handler)) => {
            session.handler = Some(handler);
            Next::Again
        }
        Ok(Flow::Script(pending)) => {
            session.script = Some(pending);
            Next::Again
        }
        Ok(Flow::Close) => {
            session.closing = true;
            Next::Done
        }
        Err(error) => {
            session.out.rewind(mark);
            let text = std::mem::take(&mut core.outcome.error_text);
            session.out.error_bytes(error.text(&text));
            core.stats.count_error_reply(session.out.since(mark));
            Next::Done
        }
    }
}

/// Fixes the lock set of a transaction that EXEC has just handed over.
fn begin_exec(core: &mut Core, session: &mut Session) {
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
fn run_exec(core: &mut Core, session: &mut Session, mut exec: Box<Exec>) -> Next {
    if let Some(next) = collect(core, session) {
        session.exec = Some(exec);
        return next;
    }
    if !exec.begun {
        exec.begun = true;
        exec.now_ms = core.now_ms;
        session.client.flags |= client_flag::EXECUTING;
        if !multi::watches_hold(session, exec.now_ms) {
            session.out.null_array();
            finish_exec(core, session, &exec);
            return Next::Again;
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
    finish_exec(core, session, &exec);
    Next::Again
}

/// A broken build gives the locks up before command `next` of `count`.
fn breaks_lock(next: usize, count: usize) -> bool {
    is_broken(Fault::SkipLock) || (is_broken(Fault::UnlockEarly) && next + 1 == count)
}

/// Gives all shards back and asks for them again: only ever in a build that is broken on purpose.
#[cold]
fn relock(core: &mut Core, session: &mut Session) {
    let Some(lent) = session.lent.take() else { return };
    let wanted = lent.wanted();
    release(core, *lent);
    core.publish_and_flush();
    session.lent = Some(Box::new(Lent::new(wanted, core.cores())));
    std::thread::sleep(std::time::Duration::from_micros(200));
}

/// Runs one queued command; whether it began a visit.
fn run_queued(core: &mut Core, session: &mut Session, command: Command, args: &Args<'_>) -> bool {
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

fn finish_exec(core: &mut Core, session: &mut Session, exec: &Exec) {
    session.client.flags &= !client_flag::EXECUTING;
    if let Some(words) = &exec.shown {
        core.send_to_monitors(session, &words.args());
    }
    multi::unwatch_all(core, session);
    if let Some(lent) = session.lent.take() {
        release(core, *lent);
    }
    end_reply_mode(session);
}

/// CLIENT REPLY OFF and SKIP: what was written since the last command does not leave.
fn end_reply_mode(session: &mut Session) {
    match session.client.reply {
        ReplyMode::On => {}
        ReplyMode::SkipNext => session.client.reply = ReplyMode::Skip,
        ReplyMode::Off => session.out.rewind(session.reply_mark),
        ReplyMode::Skip => {
            session.out.rewind(session.reply_mark);
            session.client.reply = ReplyMode::On;
        }
    }
}
