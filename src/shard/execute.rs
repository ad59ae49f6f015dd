//! The one door for writes: runs a handler on the shard(s) in hand and turns what it did into effects.
//!
//! `session::run` calls [`execute`] per command and [`close_unit`] at the end of a command or transaction; the turn's end calls
//! [`seal`]. A handler's error rewinds its reply. What expired on access leaves before the command that found it.
//!
//! Invariant: nobody else appends to a log. Bounds: with no reader the log costs one branch per command.

use smallvec::SmallVec;

use super::Shard;
use crate::command::reply_error::ReplyError;
use crate::command::row::{Handler, Row};
use crate::command::{Cx, Event, Outcome, SlotMap, Spaces, notify};
use crate::config::Settings;
use crate::effect::{Effect, Kind, Staging};
use crate::keyspace::{Access, Departed, DepartedWhy, Key};
use crate::resp::{Args, Out};

/// The shards a command runs on.
pub enum Hands<'a> {
    /// One shard.
    One(&'a mut Shard),
    /// Shards lent to a transaction; effects go to the log of core `log_at`.
    Many(&'a SlotMap, &'a mut [Option<Box<Shard>>], usize),
}

impl Hands<'_> {
    /// Bytes staged in the log that takes the effects.
    #[inline]
    fn staged_bytes(&self) -> usize {
        match self {
            Hands::One(shard) => shard.log.staging.len(),
            Hands::Many(_, shards, log_at) => {
                shards[*log_at].as_deref().map_or(0, |shard| shard.log.staging.len())
            }
        }
    }
}

/// What a command runs with, beside its shards.
pub struct Run<'a> {
    /// Its row.
    pub row: &'static Row,
    /// Its body.
    pub handler: Handler,
    /// Its words.
    pub args: Args<'a>,
    /// Selected database.
    pub db: usize,
    /// Sampled once per command or transaction.
    pub now_ms: u64,
    /// Wall clock minus internal clock.
    pub wall_offset_ms: i64,
    /// Hot configuration.
    pub settings: &'a Settings,
    /// slot -> core.
    pub map: &'a SlotMap,
    /// How lookups count and touch.
    pub access: Access,
    /// A key of the command that has been hashed already; without bytes if there is none.
    pub known: Key<'a>,
}

/// Runs one command; its reply is in `out` afterwards. Returns whether it failed.
pub fn execute(hands: &mut Hands<'_>, run: Run<'_>, out: &mut Out, outcome: &mut Outcome) -> bool {
    let mark = out.mark();
    let settings = run.settings;
    let staged_before = hands.staged_bytes();
    let result = match hands {
        Hands::One(shard) => {
            let Shard { space, log, .. } = &mut **shard;
            space.common.observed = log.is_read() || settings.notify_keyspace_events != 0;
            let staging = if log.is_read() && !outcome.is_unlogged { Some(&mut log.staging) } else { None };
            call(run, Spaces::One(space), staging, out, outcome)
        }
        Hands::Many(map, shards, log_at) => {
            let mut staging: Option<&mut Staging> = None;
            let mut spaces = Vec::with_capacity(shards.len());
            for (core, slot) in shards.iter_mut().enumerate() {
                spaces.push(match slot.as_deref_mut() {
                    Some(Shard { space, log, .. }) => {
                        // Its core may have missed a CONFIG SET while the shard was away.
                        space.common.freshness = super::freshness(settings);
                        space.common.observed = log.is_read() || settings.notify_keyspace_events != 0;
                        if core == *log_at && log.is_read() && !outcome.is_unlogged {
                            staging = Some(&mut log.staging);
                        }
                        Some(space)
                    }
                    None => None,
                });
            }
            call(run, Spaces::Many(map, spaces), staging, out, outcome)
        }
    };
    collect_departed(hands, settings, outcome);
    collect_ready(hands);
    outcome.has_staged |= hands.staged_bytes() != staged_before;
    match hands {
        Hands::One(shard) => shard.dirty += outcome.dirty,
        Hands::Many(_, shards, log_at) => {
            if let Some(shard) = shards[*log_at].as_deref_mut() {
                shard.dirty += outcome.dirty;
            }
        }
    }
    outcome.dirty = 0;
    let Err(error) = result else { return false };
    out.rewind(mark);
    out.error_bytes(error.text(&outcome.error_text));
    true
}

fn call<'a>(
    run: Run<'a>,
    spaces: Spaces<'a>,
    staging: Option<&'a mut Staging>,
    out: &'a mut Out,
    outcome: &'a mut Outcome,
) -> Result<(), ReplyError> {
    let Run { row, handler, args, db, now_ms, wall_offset_ms, settings, map, access, known } = run;
    handler(&mut Cx {
        args,
        out,
        db,
        now_ms,
        wall_offset_ms,
        settings,
        row,
        spaces,
        map,
        access,
        known,
        staging,
        outcome,
    })
}

/// Turns keys that expired or were evicted on access into effects (before the command's own) and events.
fn collect_departed(hands: &mut Hands<'_>, settings: &Settings, outcome: &mut Outcome) {
    match hands {
        Hands::One(shard) => {
            if !shard.space.common.departed.is_empty() {
                let departed = std::mem::take(&mut shard.space.common.departed);
                stage_departed(shard, &departed, settings, outcome);
            }
        }
        Hands::Many(_, shards, log_at) => {
            let mut all = Vec::new();
            for shard in shards.iter_mut().flatten() {
                all.append(&mut shard.space.common.departed);
            }
            if let (false, Some(shard)) = (all.is_empty(), shards[*log_at].as_deref_mut()) {
                stage_departed(shard, &all, settings, outcome);
            }
        }
    }
}

/// Keeps one list of the keys a transaction made ready, in order: with the shard whose log it writes.
fn collect_ready(hands: &mut Hands<'_>) {
    let Hands::Many(_, shards, log_at) = hands else { return };
    let mut ready = Vec::new();
    for (core, shard) in shards.iter_mut().enumerate() {
        if let Some(shard) = shard
            && core != *log_at
            && shard.space.common.waiters.has_ready()
        {
            ready.append(&mut shard.space.common.waiters.take_ready());
        }
    }
    if let (false, Some(shard)) = (ready.is_empty(), shards[*log_at].as_deref_mut()) {
        shard.space.common.waiters.append_ready(&mut ready);
    }
}

/// Stages DEL effects for `departed` keys and adds their events in front of the command's.
pub fn stage_departed(shard: &mut Shard, departed: &[Departed], settings: &Settings, outcome: &mut Outcome) {
    let mut events = Vec::new();
    for gone in departed {
        let (kind, class, name) = match gone.why {
            DepartedWhy::Expired => (Kind::Expired, notify::EXPIRED, "expired"),
            DepartedWhy::Evicted => (Kind::Evicted, notify::EVICTED, "evicted"),
            DepartedWhy::Fields { .. } => (Kind::Expired, notify::HASH, "hexpired"),
        };
        if shard.log.is_read() {
            let name: &[u8] = if gone.fields.is_empty() { b"DEL" } else { b"HDEL" };
            let mut words: SmallVec<[&[u8]; 8]> = SmallVec::from_slice(&[name, &gone.key]);
            words.extend(gone.fields.iter().map(|field| &**field));
            let slot = Some(crate::base::slot::key_slot(&gone.key));
            shard.log.staging.add_early(&Effect { db: gone.db, slot, kind, words });
        }
        if settings.notify_keyspace_events & class != 0 {
            events.push(Event { class, name, db: gone.db, key: gone.key.to_vec() });
        }
        if gone.why == (DepartedWhy::Fields { emptied: true })
            && settings.notify_keyspace_events & notify::GENERIC != 0
        {
            events.push(Event { class: notify::GENERIC, name: "del", db: gone.db, key: gone.key.to_vec() });
        }
    }
    if !events.is_empty() {
        events.append(&mut outcome.events);
        outcome.events = events;
    }
}

/// PUBLISH and SPUBLISH leave for replicas as they came; they touch no key, and no file wants them.
pub fn propagate_publish(shard: &mut Shard, db: usize, args: &Args<'_>) {
    if shard.log.wants_messages() {
        let words: SmallVec<[&[u8]; 8]> = args.iter().collect();
        shard.log.staging.add(&Effect { db, slot: None, kind: Kind::Plain, words });
    }
}

/// Closes the open unit of the log that was written: a command, or a whole transaction.
pub fn close_unit(shard: &mut Shard) {
    if shard.log.is_read() {
        shard.log.staging.close_unit();
    }
}

/// Publishes the turn's effects at their place in the stream; before any message of the turn leaves.
pub fn seal(shard: &mut Shard) {
    if shard.log.is_read() {
        shard.log.seal();
    }
}
