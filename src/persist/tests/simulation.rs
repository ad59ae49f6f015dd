//! Lives of a journal: seeded traffic, rotations, installations, faults; then the power goes, and recovery is judged.
//!
//! Judged is: everything `durable` covered, and with `always` everything that was released, is read back; what is read back is a prefix of the stream, unit by unit, byte by byte; a
//! torn tail is only ever in the last file that is not empty. `SEED=` replays one seed, `SEEDS=` sets their number (10,000).
use super::disk::{Disk, Faults};
use crate::base::prng::Prng;
use crate::effect::{Batch, append_command};
use crate::persist::aof::scan::Scanner;
use crate::persist::aof::{Action, Event, Journal, Last, Names, Policy, Settings, Start};
use crate::persist::manifest;
use crate::persist::recover::{Found, plan};
use crate::persist::storage::{Op, Ticket};

struct World {
    random: Prng,
    disk: Disk,
    names: Names,
    settings: Settings,
    /// Units so far, and where each ends in the stream.
    units: Vec<(Vec<u8>, u64)>,
    pushed: usize,
    journal: Journal,
    flying: Vec<(Ticket, Op)>,
    now_us: u64,
    /// The cut of the rewrite under way, and whether its file is open.
    rewrite: Option<(u64, bool)>,
    is_off: bool,
    has_faults: bool,
    /// Promised: this stream offset is recoverable.
    promised: u64,
    ended: bool,
    is_traced: bool,
}

/// An operation in a line of a trace.
fn show(op: &Op) -> String {
    match op {
        Op::Open { file, path, truncate } => format!("open {file:?} {path} truncate {truncate}"),
        Op::Write { file, at, payload, skip, sync } => {
            format!("write {file:?} at {at}, {} bytes, skip {skip}, sync {sync}", payload.len)
        }
        Op::Sync { file } => format!("sync {file:?}"),
        Op::Truncate { file, len } => format!("truncate {file:?} to {len}"),
        Op::Close { file } => format!("close {file:?}"),
        Op::Rename { from, to } => format!("rename {from} to {to}"),
        Op::Unlink { path } => format!("unlink {path}"),
        Op::MakeDir { path } => format!("mkdir {path}"),
        Op::SyncDir { path } => format!("sync directory {path}"),
    }
}

fn names() -> Names {
    Names { directory: "dir".into(), append: "a.aof".into() }
}

fn settings(random: &mut Prng) -> Settings {
    let policy = [Policy::Always, Policy::Always, Policy::EverySec, Policy::No][random.below(4) as usize];
    let timestamps = random.below(4) == 0;
    Settings { policy, timestamps, keeps_history: random.below(8) == 0, ..Settings::default() }
}

impl World {
    fn new(seed: u64, pretends_sync: bool) -> World {
        let mut random = Prng::new(seed);
        let settings = Settings { pretends_sync, ..settings(&mut random) };
        let has_faults = random.below(2) == 0 && !pretends_sync;
        World {
            random,
            disk: Disk::default(),
            names: names(),
            settings,
            units: Vec::new(),
            pushed: 0,
            journal: Journal::new(names(), settings),
            flying: Vec::new(),
            now_us: 0,
            rewrite: None,
            is_off: false,
            has_faults,
            promised: 0,
            ended: false,
            is_traced: number("SEED").is_some(),
        }
    }

    fn offset(&self) -> u64 {
        self.units.last().map_or(0, |(_, end)| *end)
    }

    fn arm_faults(&mut self) {
        self.disk.faults = Faults::default();
        if self.has_faults && self.random.below(2) == 0 {
            let mut chance = || [0, 0, 5, 60][self.random.below(4) as usize];
            self.disk.faults = Faults {
                short_write: chance(),
                write: chance(),
                sync: chance(),
                open: chance(),
                rename: chance(),
                sync_dir: chance(),
                truncate: chance(),
            };
        }
    }

    /// A command, or a transaction, that names its number; values are random, some are zeros.
    fn make_unit(&mut self) -> Vec<u8> {
        let number = self.units.len().to_string();
        let mut unit = Vec::new();
        let count = if self.random.below(4) == 0 { 2 + self.random.below(3) } else { 1 };
        if count > 1 {
            append_command(&mut unit, 1, [&b"MULTI"[..]].into_iter());
        }
        for _ in 0..count {
            let len = [3, 20, 600, 3000][self.random.below(4) as usize];
            let fill = if self.random.below(8) == 0 { 0 } else { b'a' + self.random.below(26) as u8 };
            let value = vec![fill; self.random.below(len) as usize];
            append_command(&mut unit, 3, [&b"SET"[..], number.as_bytes(), &value].into_iter());
        }
        if count > 1 {
            append_command(&mut unit, 1, [&b"EXEC"[..]].into_iter());
        }
        unit
    }

    fn push_batch(&mut self) {
        let offset = self.offset();
        let mut bytes = Vec::new();
        for _ in 0..=self.random.below(4) {
            let unit = self.make_unit();
            bytes.extend_from_slice(&unit);
            self.units.push((unit, offset + bytes.len() as u64));
        }
        self.pushed = self.units.len();
        if !self.is_off {
            self.journal.push(Batch::detached(offset, bytes));
            self.journal.tick(self.now_us, (self.now_us / 1_000_000) as i64);
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.journal.next_action() {
            match action {
                Action::Do(ticket, op) => self.flying.push((ticket, op)),
                Action::Log(..) => {}
                Action::Exit(_) | Action::Event(Event::StartFailed(_)) => self.ended = true,
                Action::Event(Event::Rotated | Event::TurnedOn) => {
                    if let Some((_, is_open)) = &mut self.rewrite {
                        *is_open = true;
                    }
                }
                Action::Event(event) => self.ended_rewrite(event),
            }
        }
    }

    fn ended_rewrite(&mut self, event: Event) {
        match event {
            Event::RotateFailed(_) | Event::Installed | Event::InstallFailed(_) => self.rewrite = None,
            Event::TurnOnFailed(_) => {
                self.rewrite = None;
                self.is_off = !self.journal.is_on();
            }
            Event::TurnedOff => self.rewrite = None,
            _ => {}
        }
    }

    /// The units before a cut, as a base.
    fn install(&mut self, at: u64) {
        let count = self.units.partition_point(|(_, end)| *end <= at);
        let mut base = Vec::new();
        append_command(&mut base, 2, [&b"BASE"[..], count.to_string().as_bytes()].into_iter());
        self.disk.place("temp-rewrite", base.clone());
        self.journal.install("temp-rewrite".into(), false, base.len() as u64);
        self.rewrite = Some((u64::MAX, false));
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..=34 => self.push_batch(),
            35..=49 => {
                let us = [100, 4_000, 300_000, 1_100_000][self.random.below(4) as usize];
                self.now_us += self.random.below(us);
                self.journal.tick(self.now_us, (self.now_us / 1_000_000) as i64);
            }
            50..=91 => {
                if !self.flying.is_empty() {
                    let index = self.random.below(self.flying.len() as u64) as usize;
                    let (ticket, op) = self.flying.swap_remove(index);
                    let outcome = self.disk.run(&op, &mut self.random);
                    if self.is_traced {
                        eprintln!("{} -> {outcome:?}", show(&op));
                    }
                    self.journal.done(ticket, outcome);
                }
            }
            92..=95 => match self.rewrite {
                Some((at, true)) if at != u64::MAX => self.install(at),
                None if self.journal.is_waiting() => {
                    self.rewrite = Some((self.offset(), false));
                    self.journal.turn_on(self.offset());
                }
                None if self.journal.is_on() => {
                    self.rewrite = Some((self.offset(), false));
                    self.journal.rotate(self.offset());
                }
                _ => {}
            },
            96 if self.rewrite.is_none() && self.journal.is_on() && self.random.below(3) == 0 => {
                self.is_off = true;
                self.rewrite = Some((u64::MAX, false));
                self.journal.turn_off(self.offset());
            }
            97 if self.is_off && self.rewrite.is_none() && !self.journal.is_on() => {
                self.is_off = false;
                self.rewrite = Some((self.offset(), false));
                self.journal.turn_on(self.offset());
            }
            98 => self.arm_faults(),
            _ => self.journal.flush(),
        }
        self.act();
        let is_always = self.settings.policy == Policy::Always && !self.is_off && !self.journal.is_waiting();
        let released = if is_always && self.journal.is_on() { self.journal.released() } else { 0 };
        self.promised = self.promised.max(self.journal.durable()).max(released);
    }

    /// Power goes and comes back: what do the files say?
    fn recover(&mut self) -> Result<(), String> {
        self.disk.crash(&mut self.random);
        self.flying.clear();
        let text = self.disk.read("dir/a.aof.manifest").map(<[u8]>::to_vec);
        let files = self.disk.list("dir");
        let found =
            Found { has_directory: true, files: &files, manifest: text.as_deref(), has_old_file: false };
        let plan = plan(&self.names, &found).map_err(|refusal| format!("refused: {refusal}"))?;
        let mut state = 0;
        let (mut last, mut is_readable) = (Last::default(), true);
        for (index, file) in plan.load.iter().enumerate() {
            let bytes = self.disk.read(&self.names.path(&file.name)).unwrap_or_default().to_vec();
            let end = self.load(&bytes, file.is_base, &mut state)?;
            last = end;
            if end.is_torn {
                let rest_is_empty = plan.load[index + 1..].iter().all(|file| file.size == 0);
                if !file.is_last && !rest_is_empty {
                    is_readable = false;
                    if !self.disk.sync_failed {
                        return Err(format!("{} is torn at {} and is not the last", file.name, end.len));
                    }
                    break;
                }
            }
        }
        let offset = state.checked_sub(1).map_or(0, |index: usize| self.units[index].1);
        if offset < self.promised {
            return Err(format!("recovered up to {offset} of {} promised", self.promised));
        }
        for path in &plan.rubbish {
            self.disk.run(&Op::Unlink { path: path.clone() }, &mut self.random);
        }
        self.begin_life(state, last, plan.manifest, is_readable);
        Ok(())
    }

    /// Reads one file; where it is torn, if it is.
    fn load(&mut self, bytes: &[u8], is_base: bool, state: &mut usize) -> Result<Last, String> {
        let mut scanner = Scanner::new(0, bytes.len() as u64);
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = (1 + self.random.below(5000) as usize).min(rest.len());
            scanner.feed(&rest[..len]);
            rest = &rest[len..];
            while let Some(unit) = scanner.next_unit() {
                if is_base {
                    let text = String::from_utf8_lossy(unit.bytes);
                    let count = text.split("\r\n").nth(4).and_then(|count| count.parse().ok());
                    *state = count.ok_or("a base that is none")?;
                } else if self.units.get(*state).is_some_and(|(expected, _)| expected == unit.bytes) {
                    *state += 1;
                } else if self.disk.sync_failed {
                    return Ok(Last { len: unit.at, is_torn: true, crc: 0 });
                } else {
                    if self.is_traced {
                        let from = bytes[..unit.at as usize].len().saturating_sub(6000);
                        eprintln!(
                            "Settings {:?} {}",
                            self.settings,
                            String::from_utf8_lossy(&bytes[from..unit.end as usize]).escape_debug()
                        );
                    }
                    return Err(format!("unit at {} is not unit {state} of the stream", unit.at));
                }
            }
        }
        match scanner.finish() {
            Ok(end) => Ok(scanner.last(end)),
            Err(damage) if self.disk.sync_failed => Ok(Last { len: damage.at, is_torn: true, crc: 0 }),
            Err(damage) => {
                if self.is_traced {
                    let tail = &bytes[damage.at as usize..];
                    eprintln!("{:?} {}", self.settings, String::from_utf8_lossy(tail).escape_debug());
                }
                Err(format!("damage at {}", damage.at))
            }
        }
    }

    fn begin_life(&mut self, state: usize, last: Last, manifest: manifest::Manifest, is_readable: bool) {
        self.units.truncate(state);
        self.promised = 0;
        self.rewrite = None;
        self.is_off = false;
        self.ended = false;
        self.disk.faults = Faults::default();
        self.disk.sync_failed = false;
        self.settings = Settings { pretends_sync: self.settings.pretends_sync, ..settings(&mut self.random) };
        let (mut manifest, mut last) = (manifest, last);
        if !is_readable || manifest.is_empty() {
            // An operator would have to help: this life begins anew.
            (manifest, last) = (manifest::Manifest::default(), Last::default());
            self.disk = Disk::default();
            self.units.clear();
        }
        if manifest.incrs.is_empty() {
            last = Last::default();
        }
        let offset = self.offset();
        self.journal = Journal::new(self.names.clone(), self.settings);
        let mut base = Vec::new();
        append_command(&mut base, 2, [&b"BASE"[..], &b"0"[..]].into_iter());
        let empty_base = Some((base, false));
        self.journal.start(Start { manifest, last, sizes: (0, 0), empty_base, offset });
        self.act();
    }
}

/// Lives of one seed; an error if one of them broke the promise.
fn run(seed: u64, pretends_sync: bool) -> Result<(), String> {
    let mut world = World::new(seed, pretends_sync);
    world.begin_life(0, Last::default(), manifest::Manifest::default(), true);
    for life in 0..3 {
        let steps = world.random.below(150);
        for _ in 0..steps {
            world.step();
            if world.ended {
                break;
            }
        }
        world.recover().map_err(|why| format!("seed {seed}, life {life}: {why}"))?;
    }
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_promise_is_broken_whatever_the_disk_forgets() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(10_000),
    };
    for seed in seeds {
        if let Err(why) = run(seed, false) {
            panic!("{why}");
        }
    }
}

#[test]
fn a_journal_that_skips_its_syncs_is_found_out() {
    let caught = (0..200).filter(|&seed| run(seed, true).is_err()).count();
    assert!(caught > 20, "{caught} of 200");
}
