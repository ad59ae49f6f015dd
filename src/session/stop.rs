//! The way to an orderly end: SHUTDOWN, SIGTERM, SIGINT; or back, if saving fails.
//!
//! ```text
//! asked ─(no script runs)─> every core falls silent ─acks─> snapshot under way given up ─> final snapshot ─> Core::stop ─> Core::leave (journal): append-only file written, synced
//!                                   ^──────────── failed, no FORCE: the cores speak again, who asked gets an error <───────────────────┘
//! ```
//! Core 0 keeps the [`Plan`]. A silent core begins no command and sends nothing: what a client has been told was executed before the last core fell silent, so it is in the
//! file, and what is executed after the snapshot's cut nobody hears of. Invariant: nothing acknowledged is lost on an orderly stop. Bounds: one stop at a time; output that waits
//! is that of commands under way. Why silence and not a lock: commands on their way between cores need not be found. Why not the way redis goes, which saves in one step: no step is that long here.

use super::core::{Core, Message};
use super::hold::Ticket;
use super::{Flow, Session};
use crate::command::reply_error::ReplyError;
use crate::config::ShutdownFlags;
use crate::observe::log::{notice, warning};
use crate::resp::Args;
use crate::shard::lending::CoreSet;

const REFUSED: ReplyError = ReplyError::Text("ERR Errors trying to SHUTDOWN. Check logs.");

/// How far a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits for a script to end.
    Asked,
    /// It waits for the cores to fall silent.
    Silencing,
    /// It waits for the snapshot under way.
    Emptying,
    /// The files are being written.
    Writing,
}

/// Who waits for all cores to be silent.
struct Listener {
    number: u64,
    /// Cores that are not yet.
    left: usize,
    then: Then,
}

/// What runs when they are.
pub type Then = Box<dyn FnOnce(&mut Core) + Send>;

/// A stop under way.
struct Plan {
    flags: ShutdownFlags,
    stage: Stage,
    /// A signal asked for it.
    by_signal: bool,
    /// Clients that asked.
    tickets: Vec<Ticket>,
}

/// What a core knows of the end.
#[derive(Default)]
pub struct Stop {
    /// On core 0.
    plan: Option<Box<Plan>>,
    /// Who waits for silence, and the number of the last (on core 0).
    listeners: Vec<Listener>,
    last: u64,
    /// How often this core was told to send nothing.
    silences: u32,
}

impl Stop {
    /// Whether this core sends nothing.
    #[inline]
    pub fn is_silent(&self) -> bool {
        self.silences > 0
    }

    /// Whether a stop is under way (on core 0).
    pub fn is_under_way(&self) -> bool {
        self.plan.is_some()
    }
}

/// On core 0.
impl Core {
    /// The signal descriptor is readable.
    pub fn take_signals(&mut self) {
        while let Some(signal) = self.read_signal() {
            let is_interrupt = signal == libc::SIGINT;
            if is_interrupt && self.stop.plan.as_ref().is_some_and(|plan| plan.by_signal) {
                warning("You insist... exiting now.");
                let _ = std::fs::remove_file(super::save_points::temporary_name());
                // SAFETY: ends the process without running anything more of it.
                unsafe { libc::_exit(1) };
            }
            match (self.loading.is_on, is_interrupt) {
                (true, _) => warning("Received shutdown signal during loading, scheduling shutdown."),
                (false, true) => warning("Received SIGINT scheduling shutdown..."),
                (false, false) => warning("Received SIGTERM scheduling shutdown..."),
            }
            let settings = &self.settings;
            let flags = if is_interrupt { settings.shutdown_on_sigint } else { settings.shutdown_on_sigterm };
            self.begin_stop(flags, None);
        }
    }

    fn read_signal(&self) -> Option<i32> {
        let mut info = std::mem::MaybeUninit::<libc::signalfd_siginfo>::zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: reads at most the struct's size into it; it is used only if it was read whole.
        let read = unsafe { libc::read(self.signal_fd, info.as_mut_ptr().cast(), size) };
        // SAFETY: all of it was read, and any bytes are a valid value.
        (read == size as isize).then(|| unsafe { info.assume_init() }.ssi_signo as i32)
    }

    /// Begins an orderly stop for a client (`ticket`) or a signal; one under way goes on as it is.
    pub fn begin_stop(&mut self, flags: ShutdownFlags, ticket: Option<Ticket>) {
        if let Some(plan) = &mut self.stop.plan {
            plan.tickets.extend(ticket);
            return;
        }
        let plan =
            Plan { flags, stage: Stage::Asked, by_signal: ticket.is_none(), tickets: Vec::from_iter(ticket) };
        self.stop.plan = Some(Box::new(plan));
        self.step_stop();
    }

    /// Goes on with a stop, if the time has come for its next stage.
    pub fn step_stop(&mut self) {
        let Some(plan) = &mut self.stop.plan else { return };
        match plan.stage {
            // As redis: a signal waits for a script, SHUTDOWN NOSAVE ends it.
            Stage::Asked if self.busy.is_on() && plan.by_signal => {}
            Stage::Asked => {
                warning("User requested shutdown...");
                if self.loading.is_on {
                    // What is half loaded must not replace what is whole.
                    return self.stop();
                }
                plan.stage = Stage::Silencing;
                self.silence_all(Box::new(Core::all_are_silent));
            }
            // A script that shall be ended may have what the snapshot needs.
            Stage::Emptying if !self.saving.is_busy() || self.busy.is_on() => {
                plan.stage = Stage::Writing;
                self.save_finally();
            }
            Stage::Silencing | Stage::Emptying | Stage::Writing => {}
        }
    }

    /// Every core stops speaking to its clients, then `then` runs here, until [`Core::end_silence`].
    pub fn silence_all(&mut self, then: Then) {
        let cores = self.cores();
        self.stop.last += 1;
        let number = self.stop.last;
        self.stop.listeners.push(Listener { number, left: cores, then });
        for core in 0..cores {
            self.on_core(core, move |core| {
                core.fall_silent(true);
                core.on_core(0, move |core| core.core_is_silent(number));
            });
        }
    }

    /// The other half of [`Core::silence_all`].
    pub fn end_silence(&mut self) {
        for core in 0..self.cores() {
            self.on_core(core, |core| core.fall_silent(false));
        }
    }

    /// A core has fallen silent for the listener of that number.
    fn core_is_silent(&mut self, number: u64) {
        let listeners = &mut self.stop.listeners;
        let Some(at) = listeners.iter().position(|listener| listener.number == number) else { return };
        listeners[at].left -= 1;
        if listeners[at].left == 0 {
            (listeners.swap_remove(at).then)(self);
        }
    }

    fn all_are_silent(&mut self) {
        let is_first_log = self.is_writing_first_log();
        let Some(plan) = &mut self.stop.plan else { return };
        plan.stage = Stage::Emptying;
        self.saving.past.is_scheduled = false;
        match self.saving.job.as_ref().map(|job| (job.is_base, job.is_foreground)) {
            Some((true, _)) if is_first_log && !plan.flags.force => {
                warning("Writing initial AOF, can't exit.");
                return self.fail_stop();
            }
            Some((true, _)) => {
                if is_first_log {
                    warning("Writing initial AOF. Exit anyway.");
                }
                warning("There is a child rewriting the AOF. Killing it!");
            }
            Some((false, false)) => warning("There is a child saving an .rdb. Killing it!"),
            Some((false, true)) | None => return self.step_stop(),
        }
        self.give_up_snapshot("the server is shutting down");
        self.step_stop();
    }

    fn save_finally(&mut self) {
        let Some(plan) = &self.stop.plan else { return };
        let ShutdownFlags { save, nosave, force, .. } = plan.flags;
        if self.journal.as_ref().is_some_and(|drive| drive.journal.is_on()) {
            // It is done when all cores have left ([`Core::leave`]): what comes until then belongs to it.
            notice("Calling fsync() on the AOF file.");
        }
        if nosave || (self.settings.save.is_empty() && !save) {
            return self.stop();
        }
        notice("Saving the final RDB snapshot before exiting.");
        self.save_now(true, move |core, result| match result {
            Ok(()) => core.stop(),
            Err(_) if force => {
                warning("Error trying to save the DB. Exit anyway.");
                core.stop();
            }
            Err(_) => {
                warning("Error trying to save the DB, can't exit.");
                core.fail_stop();
            }
        });
    }

    /// The server goes on.
    fn fail_stop(&mut self) {
        warning("Errors trying to shut down the server. Check the logs for more information.");
        let Some(plan) = self.stop.plan.take() else { return };
        self.end_silence();
        for ticket in plan.tickets {
            self.answer(ticket, Box::new(|_, session| session.out.error_bytes(REFUSED.text(b""))));
        }
    }

    /// SHUTDOWN ABORT: whether there was a stop that can be.
    fn abort_stop(&mut self) -> bool {
        let found = self.stop.plan.take_if(|plan| plan.stage == Stage::Asked);
        if found.is_some() {
            notice("Shutdown manually aborted.");
        }
        found.is_some()
    }
}

/// On every core.
impl Core {
    fn fall_silent(&mut self, is_on: bool) {
        let silences = &mut self.stop.silences;
        *silences = if is_on { *silences + 1 } else { silences.saturating_sub(1) };
        self.paused.is_stopping = *silences > 0;
        if *silences == 0 {
            let all: Vec<u32> = self.connections.iter().map(|(index, _)| index).collect();
            all.into_iter().for_each(|index| self.mark_dirty(index));
        }
    }

    /// Ends all cores after this turn.
    pub fn stop(&mut self) {
        if self.saving.is_busy() {
            let _ = std::fs::remove_file(super::save_points::temporary_name());
        }
        self.shared.stopping.store(true, std::sync::atomic::Ordering::Relaxed);
        let own = self.id();
        for other in (0..self.cores()).filter(|&other| other != own) {
            self.mesh.send(other, Message::Call(Box::new(|_| ())));
        }
        self.flush_mesh();
    }
}

/// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`
fn shutdown(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let (mut flags, mut abort) = (ShutdownFlags::default(), false);
    for word in args.skip(1).iter() {
        let flag = match word.to_ascii_lowercase().as_slice() {
            b"nosave" => &mut flags.nosave,
            b"save" => &mut flags.save,
            b"now" => &mut flags.now,
            b"force" => &mut flags.force,
            b"abort" => &mut abort,
            _ => return Err(ReplyError::Syntax),
        };
        *flag = true;
    }
    if (abort && flags != ShutdownFlags::default()) || (flags.save && flags.nosave) {
        return Err(ReplyError::Syntax);
    }
    if !abort
        && !flags.nosave
        && let Some(text) = core.busy.refuses_shards(CoreSet::all(core.cores()))
    {
        return Err(ReplyError::Text(text));
    }
    let ticket = core.take_ticket();
    core.on_core(0, move |core| {
        if !abort {
            return core.begin_stop(flags, Some(ticket));
        }
        let found = core.abort_stop();
        core.answer(
            ticket,
            Box::new(move |_, session| match found {
                true => session.out.ok(),
                false => session.out.error_bytes(b"ERR No shutdown in progress."),
            }),
        );
    });
    Ok(Flow::Hold(ticket))
}

/// The commands of this file.
pub const CONTROLS: &[(&str, super::Control)] = &[("shutdown", shutdown)];
