//! The loop of a session: parse, admit, route, execute, until its input is used up or it must go elsewhere.
//!
//! Called with a session that has just received bytes, or has just arrived. What it was in the middle of (a visit, a
//! transaction, a command waiting for its shard) goes on first. [`Next`] says how a step ended.
//!
//! Invariant: the command at the read position is executed exactly once: the position moves only after [`Next::Done`].
//! Bounds: one session's input, and a share of the turn ([`Next::Rest`]). Why parse again after a hop: the parsed form borrows the buffer; parsing a
//! small command costs less than carrying it.
//! Length: the loop of a session with its ways out is one state machine; transactions, offers and scripts have files of their own.

use super::core::{Core, Message};
use super::exec::{begin_exec, run_exec};
use super::hold::Ticket;
use super::multi;
use super::offer::{self, Offer};
use super::visit::{self, Journey, VisitState};
use super::{
    Flow, ReplyMode, Session, admit, blocking, busy, client_flag, gate, lookahead, pubsub, route, script,
    split, widen,
};
use crate::base::ticks;
use crate::command::lookup::Command;
use crate::command::row::{Handler, Row, flag};
use crate::keyspace::Access;
use crate::observe::crash;
use crate::resp::{Args, Input, OwnedCommand, Parsed};
use crate::shard::Shard;
use crate::shard::execute::{Hands, Run, close_unit, execute, seal};
use crate::shard::lending::{CoreSet, Lent};

/// Room made for the replies of a pipeline before the first is written, in bytes.
const PIPELINE_REPLY: usize = 512;
/// Keys of a database whose entries are in the cache anyway, more or less.
const SMALL_DICT: u64 = 1024;

/// How a step of a session ended.
pub(super) enum Next {
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
    /// It waits for a key: to its home, with nothing more executed.
    Block,
    /// It waits for something done elsewhere.
    Hold(Ticket),
    /// It has made keys ready that others wait for: they are served first.
    Offer(Box<Offer>),
    /// Its lanes go first (`session::split`).
    Gather,
    /// It has had its share of this turn: others first.
    Rest,
}

/// Runs a session as far as it goes on this core; `chunk` is what was just received for it.
pub fn run(core: &mut Core, mut session: Box<Session>, chunk: &[u8]) {
    core.follows = false;
    let mut reader = std::mem::take(&mut session.reader);
    let is_applied = session.client.flags & client_flag::APPLIES != 0;
    let proto_limit = if is_applied { usize::MAX } else { core.settings.proto_max_bulk_len };
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
            look_ahead(core, &mut session, &input);
        }
        match input.next(session.client.authenticated || core.users.is_open()) {
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
                    Next::Done | Next::Again | Next::Block | Next::Hold(_) | Next::Offer(_) => {
                        if let Some(lane) = session.lane.as_mut() {
                            lane.ends.push(session.out.len());
                        }
                        session.admitted = false;
                        session.plan.advance();
                        input.advance();
                        if matches!(next, Next::Block | Next::Hold(_) | Next::Offer(_)) {
                            break next;
                        }
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
    session.plan.forget_places();
    let limit = core.settings.client_query_buffer_limit;
    if reader.len() > limit && !is_applied {
        core.stats.query_buffer_limit_disconnections += 1;
        session.closing = true;
        reader.clear();
    }
    if matches!(next, Next::Block) && reader.is_empty() {
        reader.clear();
    }
    session.reader = reader;
    dispose(core, session, next);
}

fn has_lanes(session: &Session) -> bool {
    session.split.as_ref().is_some_and(|split| split.is_pending())
}

/// Plans the next commands of a pipeline and asks the cache for their keys; makes room for their replies.
fn look_ahead(core: &mut Core, session: &mut Session, input: &Input<'_>) {
    let (ahead, lasts) = input.ahead();
    if !lookahead::is_pipeline(ahead) {
        return session.plan.clear();
    }
    session.out.make_room(PIPELINE_REPLY);
    let shard = core.shard.as_deref();
    let db = session.client.db;
    if core.cores() == 1 && shard.is_some_and(|shard| shard.space.dict(db).len() < SMALL_DICT) {
        // All of it is in the cache.
        return session.plan.clear();
    }
    session.plan.make(ahead, lasts);
    if let Some(shard) = shard {
        session.plan.fetch_own(&shard.space, db, &core.map, core.id());
    }
    core.follows = false;
}

/// Sends a session where it must go.
fn dispose(core: &mut Core, mut session: Box<Session>, next: Next) {
    core.dismiss_guest();
    if !matches!(next, Next::Done | Next::Again) {
        if let Next::Pause = next {
            session.client.flags |= client_flag::PAUSED;
        }
        core.cast_shadow(&mut session);
    }
    match next {
        Next::Travel(to) => core.mesh.send(to, Message::Session(session)),
        Next::Wait | Next::Rest => core.waiting.push_back(session),
        Next::Pause => core.paused.sessions.push_back(session),
        Next::Gather => split::start(core, session),
        Next::Hold(ticket) => core.put_aside(session, ticket),
        Next::Offer(mut offer) => {
            offer.carry(session);
            offer::step(core, offer);
        }
        Next::Done | Next::Again | Next::Block if session.home == core.id() => core.park(session),
        Next::Done | Next::Again | Next::Block => {
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
            admit::Verdict::GoHome => return Next::Travel(session.home),
        }
    };
    session.admitted = true;
    if let Some(place) = pubsub::place_of_command(core, command.row, args) {
        // With the shard at home: the message goes to its log.
        match (place == core.id(), &core.shard) {
            (true, Some(_)) => {}
            (true, None) => return Next::Wait,
            (false, _) => {
                core.stats.hops_out += 1;
                return Next::Travel(place);
            }
        }
    }
    let next = match core.shared.controls[command.id as usize] {
        Some(control) if is_keyless(command.row) && !wants_shards(session) => {
            let next = call_control(core, session, command, control, args);
            begin_exec(core, session);
            if wants_shards(session) { run_on_shards(core, session, command, args) } else { next }
        }
        _ => run_on_shards(core, session, command, args),
    };
    if let Next::Done | Next::Offer(_) = next {
        end_reply_mode(session);
    }
    next
}

/// Whether a control command runs without shards; a channel of sharded pub/sub stands where a key would, but is none.
#[inline]
fn is_keyless(row: &Row) -> bool {
    row.first_key == 0 || row.flags.has(flag::PUBSUB)
}

/// Whether a control command has left something to be run on shards.
#[inline]
pub(super) fn wants_shards(session: &Session) -> bool {
    session.handler.is_some() || session.script.is_some()
}

/// The cores whose shards the command at hand needs.
#[inline]
fn wanted_cores(core: &Core, session: &Session, command: Command, args: &Args<'_>) -> CoreSet {
    match (&session.handler, &session.script) {
        (Some(_), _) => CoreSet::all(core.cores()),
        (None, Some(pending)) => pending.cores,
        (None, None) => route::cores_of(core, command.row, args),
    }
}

/// A late script has a shard the command needs: it is refused. Whether it was.
#[cold]
fn refuse_if_busy(core: &mut Core, session: &mut Session, command: Command, args: &Args<'_>) -> bool {
    if session.rules().is_some() {
        return false;
    }
    let wanted = match &session.lent {
        Some(lent) => lent.wanted(),
        None => wanted_cores(core, session, command, args),
    };
    busy::refuse(core, session, command, wanted)
}

/// Collects the shards a command needs (they may be here already), then runs it.
fn run_on_shards(core: &mut Core, session: &mut Session, command: Command, args: &Args<'_>) -> Next {
    if core.busy.is_on() && refuse_if_busy(core, session, command, args) {
        return Next::Done;
    }
    if session.lent.is_none() {
        let wanted = wanted_cores(core, session, command, args);
        match wanted.single() {
            Some(only) if only == core.id() => {
                let Some(shard) = core.shard.take() else { return Next::Wait };
                core.seal_guest();
                if let Some(next) = run_with(core, session, command, args, shard) {
                    return next;
                }
            }
            Some(only) if core.host(only, session) => {
                let Some(shard) = core.guest.take() else { return Next::Again };
                if let Some(next) = run_with(core, session, command, args, shard) {
                    return next;
                }
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
    loop {
        if let Some(next) = collect(core, session) {
            return next;
        }
        if !widen::beyond_many(core, session, command.row, args) {
            break;
        }
    }
    let Some(mut lent) = session.lent.take() else { return Next::Done };
    let map = core.map.clone();
    let log_at = lent.log_at();
    run_one(core, session, command, args, &mut Hands::Many(&map, lent.shards_mut(), log_at));
    match release(core, *lent) {
        Some(offer) => Next::Offer(offer),
        None if session.blocked.is_some() => Next::Block,
        None => Next::Done,
    }
}

/// Runs a command on one shard, this core's own or its guest; `None`: the lock set must be larger, it is to be collected.
#[inline]
fn run_with(
    core: &mut Core,
    session: &mut Session,
    command: Command,
    args: &Args<'_>,
    mut shard: Box<Shard>,
) -> Option<Next> {
    if shard.space.common.waiters.has_wide()
        && let Some(more) = widen::beyond_one(core, &shard, command.row, args)
    {
        session.lent = Some(Box::new(Lent::new(more, core.cores())));
        put_back(core, shard);
        return None;
    }
    run_one(core, session, command, args, &mut Hands::One(&mut shard));
    close_unit(&mut shard);
    if shard.space.common.waiters.has_ready() {
        return Some(Next::Offer(Offer::of_one(shard, core.cores())));
    }
    put_back(core, shard);
    Some(if session.blocked.is_some() { Next::Block } else { Next::Done })
}

/// Puts a shard where the session's next command finds it.
#[inline]
fn put_back(core: &mut Core, shard: Box<Shard>) {
    match shard.core == core.id() {
        true => core.shard = Some(shard),
        false => core.guest = Some(shard),
    }
}

/// Takes this core's shard along if the transaction needs it; `None` when all shards are in hand.
pub(super) fn collect(core: &mut Core, session: &mut Session) -> Option<Next> {
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

/// Closes the transaction's unit and sends its shards home, unless somebody waits for what it has made ready: then they go on with the offer.
pub(super) fn release(core: &mut Core, mut lent: Lent) -> Option<Box<Offer>> {
    let log_at = lent.log_at();
    let mut has_ready = false;
    if let Some(shard) = lent.shards_mut()[log_at].as_deref_mut() {
        close_unit(shard);
        // Published while all shards are still in hand.
        seal(shard);
        has_ready = shard.space.common.waiters.has_ready();
    }
    if has_ready {
        return Some(Offer::new(lent, log_at));
    }
    send_home(core, lent);
    None
}

/// Sends shards to their cores.
pub fn send_home(core: &mut Core, lent: Lent) {
    lent.release().for_each(|shard| core.give_back(shard));
}

/// Runs a shard command (or a control command that needs shards) and accounts for it.
pub(super) fn run_one(
    core: &mut Core,
    session: &mut Session,
    command: Command,
    args: &Args<'_>,
    hands: &mut Hands<'_>,
) {
    let now_ms = session.exec.as_ref().map_or(core.now_ms, |exec| exec.now_ms);
    // The end of the command before is the beginning of this one.
    let started = if std::mem::take(&mut core.follows) { core.last_tick } else { ticks::now() };
    core.feed_monitors(session, args, command.row);
    crash::note(command.row, session.id);
    if session.script.is_some() {
        let failed = script::run(core, session, args, hands, now_ms);
        core.tracking.by_script = true;
        core.track_changes(session, hands);
        core.tracking.by_script = false;
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
            let may_block = command.row.flags.has(flag::BLOCKING | flag::WAITS);
            let is_bound = session.client.flags & (client_flag::EXECUTING | client_flag::APPLIES) != 0;
            core.outcome.blocking.may_block = may_block && !is_bound;
            if command.row.flags.has(flag::WAITS) {
                core.outcome.blocking.has_locally = core.has_locally(session);
            }
            let access = session.access(now_ms);
            let failed = call_handler(core, session, command.row, handler, args, hands, access);
            if may_block && let Some(spec) = core.outcome.blocking.block.take() {
                blocking::begin(core, session, command, args, *spec, hands);
            }
            failed
        }
        (None, None) => false,
    };
    if failed {
        core.stats.count_error_reply(session.out.since(mark));
    }
    core.track_changes(session, hands);
    core.account(session, command, args, started, failed);
}

/// Calls a handler on the shards in hand; whether it failed.
pub fn call_handler(
    core: &mut Core,
    session: &mut Session,
    row: &'static Row,
    handler: Handler,
    args: &Args<'_>,
    hands: &mut Hands<'_>,
    mut access: Access,
) -> bool {
    access.touch = session.client.flags & client_flag::NO_TOUCH == 0;
    core.outcome.caller = gate::caller(core, session, row, args, core.outcome.caller.is_script);
    core.prepare_tracking(hands);
    let was_unlogged = core.outcome.is_unlogged;
    core.outcome.is_unlogged |= !session.is_logged();
    let run = Run {
        row,
        handler,
        args: args.skip(0),
        db: session.client.db,
        now_ms: access.now_ms,
        wall_offset_ms: core.wall_offset_ms,
        settings: &core.settings,
        map: &core.map,
        access,
        known: session.plan.known(args),
    };
    let failed = execute(hands, run, &mut session.out, &mut core.outcome);
    session.wrote |= std::mem::take(&mut core.outcome.has_staged);
    core.outcome.is_unlogged = was_unlogged;
    if !core.outcome.events.is_empty() {
        let mut events = std::mem::take(&mut core.outcome.events);
        core.publish_events(&mut events);
        core.outcome.events = events;
    }
    if session.client.flags & client_flag::TRACKING != 0 {
        core.note_reads(session, row, args, hands);
    }
    failed
}

/// A session that has stopped waiting goes on: with its next command in a while, or it rests.
pub fn go_on(core: &mut Core, mut session: Box<Session>) {
    end_reply_mode(&mut session);
    let waits = core.connections.get(session.conn).is_some_and(|conn| !conn.inbound.is_empty());
    match session.reader.is_empty() && !waits {
        true => core.park(session),
        false => core.inbox.push_back(Message::Resume(session)),
    }
}

/// Runs a command of the session itself.
pub(super) fn call_control(
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
        Ok(Flow::Hold(ticket)) => Next::Hold(ticket),
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

/// CLIENT REPLY OFF and SKIP: what was written since the last command does not leave.
pub(super) fn end_reply_mode(session: &mut Session) {
    match session.client.reply {
        ReplyMode::On => {}
        ReplyMode::SkipNext => session.client.reply = ReplyMode::Skip,
        ReplyMode::Off => {
            if session.client.flags & client_flag::APPLIES != 0 {
                session.note_discarded(session.out.since(session.reply_mark));
            }
            session.out.rewind(session.reply_mark);
        }
        ReplyMode::Skip => {
            session.out.rewind(session.reply_mark);
            session.client.reply = ReplyMode::On;
        }
    }
}
