//! DEBUG RELOAD and DEBUG LOADAOF: the data set goes out to its file and comes back.
//!
//! ```text
//! command ──> core 0: every core silent (`stop`) ──> snapshot ──> loading is on everywhere ──errand──> all keys away ──> server::load: [`Order`] ──> answer
//! ```
//! Core 0 directs; the loader's task takes one [`Order`] at a time. Invariant: nothing acknowledged is missing in the file that is loaded: from before its cut until loading is on no
//! client hears anything. Bounds: one at a time, a second one is refused. Why not a handler: saving and loading both wait for files.

use std::path::PathBuf;

use super::core::Core;
use super::hold::Ticket;
use super::{Flow, Session};
use crate::base::clock;
use crate::command::reply_error::ReplyError;
use crate::command::script::room::{self, Libraries};
use crate::observe::log::warning;
use crate::resp::Args;

const IN_EXEC: ReplyError =
    ReplyError::Text("ERR this DEBUG subcommand cannot run inside a transaction here");
const OPTIONS: ReplyError =
    ReplyError::Text("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
const NOT_LOADED: ReplyError = ReplyError::Text("ERR Error trying to load the RDB dump");
const NO_LOG: ReplyError = ReplyError::Text("ERR the append-only file is off");
const FAILED: ReplyError = ReplyError::Text("ERR");

/// What is to be loaded now.
pub enum What {
    /// A snapshot.
    Snapshot {
        /// Its file.
        path: PathBuf,
        /// Keys that are there are replaced; else they are fatal.
        replaces: bool,
    },
    /// The append-only file, when all effects are in it.
    Log,
}

/// For the loader's task.
pub struct Order {
    /// What to load.
    pub what: What,
    ticket: Ticket,
}

/// How DEBUG RELOAD was asked.
#[derive(Clone, Copy)]
struct Words {
    saves: bool,
    flushes: bool,
    merges: bool,
}

/// On core 0.
impl Core {
    fn begin_reload(&mut self, words: Words, ticket: Ticket) {
        if self.stop.is_under_way() || self.loading.is_on {
            return self.answer_reload(ticket, Err(FAILED));
        }
        self.silence_all(Box::new(move |core| {
            if !words.saves {
                return core.reload_snapshot(words, ticket);
            }
            core.save_now(true, move |core, result| match result {
                Ok(()) => core.reload_snapshot(words, ticket),
                Err(_) => core.refuse_reload(ticket),
            });
        }));
    }

    fn refuse_reload(&mut self, ticket: Ticket) {
        self.end_silence();
        self.answer_reload(ticket, Err(FAILED));
    }

    fn reload_snapshot(&mut self, words: Words, ticket: Ticket) {
        if self.stop.is_under_way() {
            // Its snapshot must not be one of half the data.
            return self.refuse_reload(ticket);
        }
        let path = PathBuf::from(&self.settings.dbfilename);
        // What was on its way when the keys went is replaced as well.
        let replaces = words.flushes || words.merges;
        self.load_again(words.flushes, Order { what: What::Snapshot { path, replaces }, ticket });
    }

    fn begin_log_reload(&mut self, ticket: Ticket) {
        if self.stop.is_under_way() || self.loading.is_on {
            return self.answer_reload(ticket, Err(FAILED));
        }
        self.silence_all(Box::new(move |core| match core.stop.is_under_way() {
            true => core.refuse_reload(ticket),
            false => core.load_again(true, Order { what: What::Log, ticket }),
        }));
    }

    /// Takes the keys away, then has the loader load.
    fn load_again(&mut self, flushes: bool, order: Order) {
        self.shared.loading.begin(clock::wall_us() as i64 / 1_000_000, 0);
        self.announce_loading(true);
        self.end_silence();
        self.send_errand(Box::new(move |core, shards| {
            if flushes {
                for shard in shards.iter_mut().flatten() {
                    for db in 0..core.settings.databases {
                        shard.space.flush_db(db);
                    }
                }
                let _: Result<(), ReplyError> = room::change_libraries(|_| Ok(Libraries::default()));
            }
            core.on_core(0, move |core| core.loading.order(order));
        }));
    }

    /// The loader is done with an order: it is answered. `false`: there was no file.
    pub fn reloaded(&mut self, order: Order, was_there: bool) {
        self.shared.loading.end();
        self.announce_loading(false);
        if was_there {
            warning(match order.what {
                What::Snapshot { .. } => "DB reloaded by DEBUG RELOAD",
                What::Log => "Append Only File loaded by DEBUG LOADAOF",
            });
        }
        self.answer_reload(order.ticket, if was_there { Ok(()) } else { Err(NOT_LOADED) });
    }

    fn answer_reload(&mut self, ticket: Ticket, reply: Result<(), ReplyError>) {
        self.answer(
            ticket,
            Box::new(move |_, session| match reply {
                Ok(()) => session.out.ok(),
                Err(error) => session.out.error_bytes(error.text(b"")),
            }),
        );
    }
}

/// `DEBUG RELOAD [MERGE|NOFLUSH|NOSAVE ...]`
pub fn reload(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let mut words = Words { saves: true, flushes: true, merges: false };
    for word in args.skip(2).iter() {
        match word.to_ascii_lowercase().as_slice() {
            b"merge" => words.merges = true,
            b"noflush" => words.flushes = false,
            b"nosave" => words.saves = false,
            _ => return Err(OPTIONS),
        }
    }
    if session.client.flags & super::client_flag::EXECUTING != 0 {
        return Err(IN_EXEC);
    }
    let ticket = core.take_ticket();
    core.on_core(0, move |core| core.begin_reload(words, ticket));
    Ok(Flow::Hold(ticket))
}

/// `DEBUG LOADAOF`
pub fn load_log(core: &mut Core, session: &mut Session) -> Result<Flow, ReplyError> {
    if session.client.flags & super::client_flag::EXECUTING != 0 {
        return Err(IN_EXEC);
    }
    if !core.settings.appendonly {
        // redis exits then.
        return Err(NO_LOG);
    }
    let ticket = core.take_ticket();
    core.on_core(0, move |core| core.begin_log_reload(ticket));
    Ok(Flow::Hold(ticket))
}
