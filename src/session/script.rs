//! EVAL and FCALL: a script as a transaction that decides as it goes.
//!
//! `commands::scripting` finds out what is to run and on which shards ([`Pending`]); `session::run` collects these as for a transaction, then calls [`run`]. Every command the script
//! calls goes through `shard::execute` on the shards in hand, as if it stood in EXEC; what they change is one unit of the log.
//!
//! Invariant: a command is refused if it needs a shard that is not in hand (the lock set never grows). Bounds: `busy-reply-threshold`: after it other clients
//! are answered again, with BUSY where they need these shards. Why the lock set is all shards for most scripts: only the script knows its keys; with one core that
//! costs nothing, and scripts whose text shows that they touch declared keys only (`analysis`) take those keys' shards.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::busy::Late;
use super::core::Core;
use super::run::call_handler;
use super::{Control, Flow, Session, gate, route, save_points};
use crate::acl::{Denied, Reason};
use crate::base::{memory, ticks};
use crate::command::lookup::Command;
use crate::command::row::{Handler, Row, flag};
use crate::command::script::engine::{self, Ended, Engine};
use crate::command::script::room::{Flags, Function, Script};
use crate::command::script::running::{Host, Refusal, Running};
use crate::command::script::{api, library};
use crate::observe::crash;
use crate::observe::log::warning;
use crate::resp::{Args, CommandBuilder, Out, OwnedCommand};
use crate::shard::execute::{Hands, propagate_publish, seal};
use crate::shard::lending::CoreSet;

/// What is to be run.
pub enum Subject {
    /// A script of EVAL.
    Script(Arc<Script>),
    /// A function.
    Function(Function),
}

/// A script that waits for its shards.
pub struct Pending {
    /// What it is.
    pub subject: Subject,
    /// Number of keys among its arguments.
    pub keys: usize,
    /// Called by a `_RO` command.
    pub is_readonly: bool,
    /// The shards it may touch.
    pub cores: CoreSet,
}

impl Pending {
    fn flags(&self) -> Flags {
        match &self.subject {
            Subject::Script(script) => script.flags,
            Subject::Function(function) => function.flags,
        }
    }
}

/// The running script's door to its core.
struct Runner<'a, 'h> {
    core: &'a mut Core,
    session: &'a mut Session,
    hands: &'a mut Hands<'h>,
    /// Cores whose shards are in hand.
    held: CoreSet,
    now_ms: u64,
    may_write: bool,
    /// Memory was short when it began, and it may not ignore that.
    is_short: bool,
    wrote: bool,
    /// The command that runs it.
    words: &'a Args<'a>,
    function: Option<Vec<u8>>,
    /// Clock ticks when it began, and how many it may take until others are answered.
    began: u64,
    patience: u64,
    started_ms: u64,
}

/// Runs the script `session` has pending; its reply is in `session.out` afterwards. Returns whether it failed.
pub fn run(
    core: &mut Core,
    session: &mut Session,
    args: &Args<'_>,
    hands: &mut Hands<'_>,
    now_ms: u64,
) -> bool {
    let Some(pending) = session.script.take() else { return true };
    let flags = pending.flags();
    if let Some(text) = refusal(core, &pending, flags) {
        session.out.error_text(&text);
        core.stats.count_error_reply(text.as_bytes());
        return true;
    }
    let held = match hands {
        Hands::One(shard) => {
            // Should the script run long, replies of the commands before it leave while it runs: their effects go first.
            seal(shard);
            let mut one = CoreSet::default();
            one.insert(shard.core);
            one
        }
        Hands::Many(_, shards, _) => {
            let mut all = CoreSet::default();
            shards.iter().flatten().for_each(|shard| all.insert(shard.core));
            all
        }
    };
    let proto = session.out.proto();
    let mut out = std::mem::take(&mut session.out);
    session.out.set_proto(proto);
    let db = session.client.db;
    let patience = match core.settings.busy_reply_threshold_ms {
        0 => u64::MAX,
        ms => ms.saturating_mul(1000 * ticks::per_us()),
    };
    let is_short = is_memory_short(core) && !flags.has(Flags::ALLOW_OOM);
    let mut runner = Runner {
        core,
        session,
        hands,
        held,
        now_ms,
        may_write: !pending.is_readonly && !flags.has(Flags::NO_WRITES),
        is_short,
        wrote: false,
        words: args,
        function: match &pending.subject {
            Subject::Script(_) => None,
            Subject::Function(function) => Some(function.name.clone()),
        },
        began: ticks::now(),
        patience,
        started_ms: now_ms,
    };
    let mut running = Running {
        host: &mut runner,
        proto: 2,
        effects: true,
        words: CommandBuilder::default(),
        out: Out::new(),
    };
    let mark = out.mark();
    let ended = call(&pending, args, &mut running, &mut out);
    let wrote = runner.wrote;
    core.forget_late();
    if wrote && core.is_stopping() {
        let shard = match hands {
            Hands::One(shard) => Some(&mut **shard),
            Hands::Many(_, shards, log_at) => shards[*log_at].as_deref_mut(),
        };
        shard.into_iter().for_each(|shard| shard.log.staging.abandon_unit());
    }
    if ended.failed && !ended.is_counted {
        core.stats.count_error_reply(out.since(mark));
    }
    session.out = out;
    session.client.db = db;
    ended.failed
}

/// Hands the script to this core's interpreter.
fn call(pending: &Pending, args: &Args<'_>, running: &mut Running<'_>, out: &mut Out) -> Ended {
    let words = args.skip(3);
    let keys = words.iter().take(pending.keys);
    let rest = words.iter().skip(pending.keys);
    let ended = match &pending.subject {
        Subject::Script(script) => engine::with_eval(|engine: &mut Engine| {
            // It has compiled once; on this core perhaps not yet.
            match engine.compile(&script.sha, &script.body, script.skip) {
                Ok(()) => engine.eval(script, keys, rest, running, out),
                Err(text) => {
                    out.error_bytes(&text);
                    Ended { failed: true, is_counted: false }
                }
            }
        }),
        Subject::Function(function) => engine::with_functions(|engine: &mut Engine| {
            library::sync(engine);
            engine.call(&function.name, keys, rest, running, out)
        }),
    };
    ended.unwrap_or_else(|| {
        out.error_text("ERR a script is running on this core");
        Ended { failed: true, is_counted: false }
    })
}

/// Why the script is not even begun.
fn refusal(core: &Core, pending: &Pending, flags: Flags) -> Option<Cow<'static, str>> {
    if flags.has(Flags::COMPATIBLE) {
        return None;
    }
    if pending.is_readonly && !flags.has(Flags::NO_WRITES) {
        return Some("ERR Can not execute a script with write flag using *_ro command.".into());
    }
    let refusing = core.shared.refusing.load(Ordering::Relaxed) & !save_points::refusal::BEHIND;
    if !flags.has(Flags::NO_WRITES) && refusing != 0 {
        return Some(save_points::script_refusal_text(&core.shared, refusing));
    }
    if !flags.has(Flags::ALLOW_OOM | Flags::NO_WRITES) && is_memory_short(core) {
        return Some(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
                .into(),
        );
    }
    None
}

fn is_memory_short(core: &Core) -> bool {
    core.settings.maxmemory > 0 && memory::used() > core.settings.maxmemory
}

/// What a script is told whose caller may not run its command.
fn denied_text(denied: Denied) -> &'static str {
    match denied.reason {
        Reason::Key => {
            "The user executing the script can't access at least one of the keys mentioned in the command arguments"
        }
        Reason::Channel => {
            "The user executing the script can't publish to the channel mentioned in the command"
        }
        _ => "The user executing the script can't run this command or subcommand",
    }
}

fn refuse<T>(text: &str) -> Result<T, Refusal> {
    Err(Refusal(text.as_bytes().to_vec()))
}

impl Runner<'_, '_> {
    /// What redis checks before a script's command.
    fn admit(&mut self, args: &Args<'_>) -> Result<Command, Refusal> {
        let Ok(command) = self.core.shared.table.find(args) else {
            return refuse("Unknown Redis command called from script");
        };
        let row = command.row;
        if !row.arity_fits(args.len()) {
            return refuse("Wrong number of args calling Redis command from script");
        }
        if row.flags.has(flag::NOSCRIPT) {
            return refuse("This Redis command is not allowed from script");
        }
        if let Err(denied) = gate::may_run(self.core, self.session, row, args, true) {
            return refuse(denied_text(denied));
        }
        if !self.may_write && row.flags.has(flag::WRITE | flag::MAY_REPLICATE) {
            return refuse("Write commands are not allowed from read-only scripts.");
        }
        let refusing = self.core.shared.refusing.load(Ordering::Relaxed) & !save_points::refusal::BEHIND;
        if refusing != 0 && row.flags.has(flag::WRITE) {
            let text = save_points::refusal_text(&self.core.shared, refusing);
            return Err(Refusal([b"-", text.as_bytes()].concat()));
        }
        if self.is_short && !self.wrote && row.flags.has(flag::DENYOOM) {
            return refuse("-OOM command not allowed when used memory > 'maxmemory'.");
        }
        self.wrote |= row.flags.has(flag::WRITE);
        Ok(command)
    }

    /// Runs a command on the shards in hand; its reply goes to `session.out`.
    fn on_shards(&mut self, row: &'static Row, handler: Handler, args: &Args<'_>, effects: bool) -> bool {
        let core = &mut *self.core;
        core.outcome.is_unlogged = !effects;
        core.outcome.caller.is_script = true;
        core.outcome.blocking.may_block = false;
        let access = self.session.access(self.now_ms);
        let failed = call_handler(core, self.session, row, handler, args, self.hands, access);
        core.outcome.is_unlogged = false;
        core.outcome.caller.is_script = false;
        failed
    }

    /// PUBLISH and SPUBLISH: heard from here, logged with the script's writes.
    fn publish(&mut self, args: &Args<'_>, effects: bool) {
        let sharded = args.get(0).len() == "spublish".len();
        let receivers = self.core.publish(sharded, args.get(1), args.get(2), args.shared(2));
        let shard = match self.hands {
            Hands::One(shard) => Some(&mut **shard),
            Hands::Many(_, shards, log_at) => shards[*log_at].as_deref_mut(),
        };
        if let Some(shard) = shard.filter(|_| effects && self.session.is_logged()) {
            propagate_publish(shard, self.session.client.db, args);
        }
        self.session.out.integer(receivers as i64);
    }

    /// Runs a command of the session itself. One that visits every core sees only this one: a script cannot travel.
    fn control(&mut self, command: Command, control: Control, args: &Args<'_>) -> bool {
        match control(self.core, self.session, args) {
            Ok(Flow::Visit(mut visit)) => {
                visit.at(self.core, self.session);
                visit.finish(self.core, self.session);
            }
            Ok(Flow::OnAllShards(handler)) => return self.on_shards(command.row, handler, args, true),
            Ok(_) => {}
            Err(error) => {
                let text = std::mem::take(&mut self.core.outcome.error_text);
                self.session.out.clear();
                self.session.out.error_bytes(error.text(&text));
                return true;
            }
        }
        false
    }

    /// Runs an admitted command; its reply goes to `session.out`.
    fn dispatch(&mut self, command: Command, args: &Args<'_>, effects: bool) -> Result<bool, Refusal> {
        let row = command.row;
        if row.flags.has(flag::PUBSUB) && row.flags.has(flag::MAY_REPLICATE) {
            self.publish(args, effects);
            return Ok(false);
        }
        match (self.core.shared.controls[command.id as usize], row.handler) {
            (Some(control), _) if row.first_key == 0 || row.flags.has(flag::PUBSUB) => {
                Ok(self.control(command, control, args))
            }
            (_, Some(handler)) => {
                let needed = route::cores_of(self.core, row, args);
                if needed.0 & !self.held.0 != 0 {
                    return refuse("Script attempted to access keys that it has not declared");
                }
                Ok(self.on_shards(row, handler, args, effects))
            }
            _ => refuse("Unknown Redis command called from script"),
        }
    }
}

impl Host for Runner<'_, '_> {
    fn call(&mut self, args: &Args<'_>, out: &mut Out, effects: bool) -> Result<(), Refusal> {
        let command = match self.admit(args) {
            Ok(command) => command,
            Err(refusal) => {
                let text = refusal.0.strip_prefix(b"-").map_or_else(|| b"ERR".to_vec(), <[u8]>::to_vec);
                self.core.stats.count_error_reply(&[b"-", &text[..]].concat());
                if let Ok(command) = self.core.shared.table.find(args) {
                    self.core.stats.reject(command.id);
                }
                return Err(refusal);
            }
        };
        let started = ticks::now();
        self.core.feed_monitors_from_script(self.session, args, command.row);
        crash::note(command.row, self.session.id);
        self.session.out.set_proto(out.proto());
        let ran = self.dispatch(command, args, effects);
        std::mem::swap(out, &mut self.session.out);
        self.session.out.clear();
        let failed = ran?;
        if failed {
            self.core.stats.count_error_reply(out.segment(0).unwrap_or_default());
        }
        self.core.account(self.session, command, args, started, failed);
        Ok(())
    }

    fn attend(&mut self) -> bool {
        if ticks::now().wrapping_sub(self.began) < self.patience {
            return false;
        }
        let core = &mut *self.core;
        if core.busy.here.is_none() {
            let words = OwnedCommand::from_args(self.words);
            let function = self.function.clone();
            core.announce_late(
                Late { function, words, started_ms: self.started_ms, wrote: false, killed: false },
                self.held,
            );
            warning(
                "Slow script detected: still in execution. You can try killing the script using the SCRIPT KILL command.",
            );
        }
        if let Some(late) = &mut core.busy.here {
            late.wrote = self.wrote;
        }
        core.turn_while_busy();
        core.is_stopping() || core.busy.here.as_ref().is_some_and(|late| late.killed)
    }

    fn may_run(&mut self, args: &Args<'_>) -> Option<bool> {
        let command = self.core.shared.table.find(args).ok()?;
        let fits = command.row.arity_fits(args.len());
        fits.then(|| gate::may_run(self.core, self.session, command.row, args, false).is_ok())
    }

    fn kill_text(&self) -> &'static str {
        "Script killed by user with SCRIPT KILL..."
    }
}

/// What the buffers of a script keep.
pub const KEPT_BYTES: usize = api::KEPT_BYTES;
