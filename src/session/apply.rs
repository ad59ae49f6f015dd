//! A stream of commands without a connection, taken apart by cores: an append-only file's, later a primary's.
//!
//! Whoever has the stream feeds it in pieces ([`Core::feed_stream`]); its commands are sorted into one lane per core, in wire form, and each core executes
//! its own ([`super::applied`]). Order holds where it can be seen: per core, because a lane is executed in order; over cores, because a command or transaction that needs several
//! (or none: FLUSHALL, FUNCTION, a script) is a *barrier*: everything before it is executed first, then it alone, through the ordinary loop, then what follows.
//! ```text
//! bytes ──parse──> SET a ─> lane 0 ─┐ pieces ─> core 0        MSET a b: wait until no piece is under way,
//!                  SET b ─> lane 1 ─┘ pieces ─> core 1                  run it as a piece of this core, wait again
//! ```
//! SELECT is not executed: each lane knows which database it is in. Invariant: a transaction goes into one lane whole, or is a barrier whole. Bounds: [`WINDOW`]
//! pieces of about [`PIECE_BYTES`] under way per core; the feeder waits ([`Stream::wants_more`]). Why not one session that goes from core to core: each hop would wait for the last.

use std::task::Waker;

use super::admit;
use super::applied::{Piece, Rules};
use super::core::{Core, Message};
use super::pubsub;
use crate::base::number::parse_i64;
use crate::effect::{append_command, append_select};
use crate::resp::{Args, Input, Parsed, Reader};
use crate::shard::lending::CoreSet;

/// Bytes at which a lane's commands leave.
pub const PIECE_BYTES: usize = 64 * 1024;
/// Pieces under way to one core.
const WINDOW: usize = 8;

/// Why a stream cannot be executed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// No such command.
    Unknown(Vec<u8>),
    /// Not RESP, or a command cut in the middle.
    Format,
}

/// The commands of one core that have not left yet.
#[derive(Default)]
struct Lane {
    bytes: Vec<u8>,
    /// The database its first command is in, and the one after its last.
    first_db: usize,
    db: usize,
    under_way: usize,
}

/// An open MULTI.
struct Transaction {
    bytes: Vec<u8>,
    cores: CoreSet,
    db: usize,
}

/// What a barrier waits for.
enum Barrier {
    /// Everything before it.
    Before(Vec<u8>, usize),
    /// Itself.
    Itself,
}

/// See the module's text.
pub struct Stream {
    rules: Rules,
    reader: Reader,
    lanes: Vec<Lane>,
    db: usize,
    transaction: Option<Transaction>,
    barrier: Option<Barrier>,
    failure: Option<StreamError>,
    /// Who waits for [`Stream::wants_more`] or [`Stream::is_done`].
    waker: Option<Waker>,
    /// The input may hold another whole command.
    has_more: bool,
}

impl Stream {
    /// Nothing fed yet; commands begin in database 0.
    pub fn new(rules: Rules, cores: usize) -> Stream {
        Stream {
            rules,
            reader: Reader::default(),
            lanes: (0..cores).map(|_| Lane::default()).collect(),
            db: 0,
            transaction: None,
            barrier: None,
            failure: None,
            waker: None,
            has_more: false,
        }
    }

    /// Whether the next bytes may be fed.
    pub fn wants_more(&self) -> bool {
        self.failure.is_some() || (self.barrier.is_none() && !self.is_full() && !self.has_more)
    }

    /// Whether everything fed has been executed, as far as it was whole.
    pub fn is_done(&self) -> bool {
        self.failure.is_some() || (self.barrier.is_none() && self.is_drained() && !self.has_more)
    }

    /// The first thing that could not be executed.
    pub fn failure(&self) -> Option<&StreamError> {
        self.failure.as_ref()
    }

    /// Keeps the waker of the one who waits.
    pub fn wait(&mut self, waker: &Waker) {
        self.waker = Some(waker.clone());
    }

    fn is_full(&self) -> bool {
        self.lanes.iter().any(|lane| lane.under_way >= WINDOW)
    }

    fn is_drained(&self) -> bool {
        self.lanes.iter().all(|lane| lane.under_way == 0 && lane.bytes.is_empty())
    }

    /// Sorts commands until the input is used up, a lane is full or a barrier stands in the way.
    fn sort(&mut self, core: &mut Core, chunk: &[u8]) {
        let mut reader = std::mem::take(&mut self.reader);
        let mut input = reader.open(chunk, usize::MAX);
        self.has_more = true;
        while self.failure.is_none() && self.barrier.is_none() && !self.is_full() {
            match input.next(true) {
                Parsed::Command => {
                    self.sort_one(core, &input);
                    input.advance();
                }
                Parsed::Incomplete => {
                    self.has_more = false;
                    break;
                }
                Parsed::Error(_) => self.failure = Some(StreamError::Format),
            }
        }
        input.close();
        self.reader = reader;
    }

    /// Puts the command at hand where it belongs.
    fn sort_one(&mut self, core: &mut Core, input: &Input<'_>) {
        let args = input.args();
        let Ok(command) = core.shared.table.find(&args) else {
            self.failure = Some(StreamError::Unknown(args.get(0).to_vec()));
            return;
        };
        let name = command.row.full_name;
        if name == "select"
            && let Some(db) = self.selected(core, &args)
        {
            self.db = db;
            if let Some(transaction) = &mut self.transaction {
                append(&mut transaction.bytes, input, &args);
            }
            return;
        }
        if let Some(transaction) = &mut self.transaction {
            append(&mut transaction.bytes, input, &args);
            if name != "exec" && name != "discard" {
                transaction.cores.0 |= admit::queued_cores(core, command, &args).0;
                return;
            }
            if let Some(Transaction { bytes, cores, db }) = self.transaction.take() {
                self.place(core, cores, db, &bytes);
            }
            return;
        }
        if name == "multi" {
            let mut bytes = Vec::new();
            append(&mut bytes, input, &args);
            self.transaction = Some(Transaction { bytes, cores: CoreSet::default(), db: self.db });
            return;
        }
        let cores = match pubsub::place_of_command(core, command.row, &args) {
            Some(place) => CoreSet(1 << place),
            None if command.row.arity_fits(args.len()) => admit::queued_cores(core, command, &args),
            None => CoreSet::default(),
        };
        match (cores.single(), input.raw()) {
            (Some(only), Some(raw)) => self.push(core, only, self.db, raw),
            _ => {
                let mut bytes = Vec::new();
                append(&mut bytes, input, &args);
                self.place(core, cores, self.db, &bytes);
            }
        }
    }

    /// The database SELECT names, if it is one.
    fn selected(&self, core: &Core, args: &Args<'_>) -> Option<usize> {
        let number = args.get_checked(1).and_then(parse_i64)?;
        usize::try_from(number).ok().filter(|&db| db < core.settings.databases && args.len() == 2)
    }

    /// Whole commands that began in database `db`: into the lane of their core, or a barrier.
    fn place(&mut self, core: &mut Core, cores: CoreSet, db: usize, bytes: &[u8]) {
        match cores.single() {
            Some(only) => self.push(core, only, db, bytes),
            None => {
                self.flush(core);
                self.barrier = Some(Barrier::Before(bytes.to_vec(), db));
                self.pass_barrier(core);
            }
        }
    }

    fn push(&mut self, core: &mut Core, to: usize, db: usize, bytes: &[u8]) {
        let lane = &mut self.lanes[to];
        if lane.bytes.is_empty() {
            lane.first_db = db;
        } else if lane.db != db {
            append_select(&mut lane.bytes, db);
        }
        lane.bytes.extend_from_slice(bytes);
        lane.db = self.db;
        if lane.bytes.len() >= PIECE_BYTES {
            self.send(core, to);
        }
    }

    fn send(&mut self, core: &mut Core, to: usize) {
        let lane = &mut self.lanes[to];
        if lane.bytes.is_empty() {
            return;
        }
        lane.under_way += 1;
        let (bytes, db) = (std::mem::take(&mut lane.bytes), lane.first_db);
        send_piece(core, to, Piece { bytes, db, rules: self.rules, driver: core.id() });
    }

    /// Everything sorted so far leaves.
    fn flush(&mut self, core: &mut Core) {
        (0..self.lanes.len()).for_each(|to| self.send(core, to));
    }

    /// Goes on with a barrier if what it waits for is done.
    fn pass_barrier(&mut self, core: &mut Core) {
        if !self.is_drained() {
            return;
        }
        match self.barrier.take() {
            Some(Barrier::Before(bytes, db)) => {
                let own = core.id();
                self.lanes[own].under_way += 1;
                self.barrier = Some(Barrier::Itself);
                send_piece(core, own, Piece { bytes, db, rules: self.rules, driver: own });
            }
            Some(Barrier::Itself) | None => {}
        }
    }
}

fn send_piece(core: &mut Core, to: usize, piece: Piece) {
    if to == core.id() {
        core.take_piece(piece);
    } else {
        core.mesh.send(to, Message::Call(Box::new(move |core: &mut Core| core.take_piece(piece))));
    }
}

/// Appends the command at hand as it came, or written again if a word of it lies elsewhere.
fn append(bytes: &mut Vec<u8>, input: &Input<'_>, args: &Args<'_>) {
    match input.raw() {
        Some(raw) => bytes.extend_from_slice(raw),
        None => append_command(bytes, args.len(), args.iter()),
    }
}

impl Core {
    /// Begins a stream; one at a time.
    pub fn begin_stream(&mut self, rules: Rules) {
        self.stream = Some(Box::new(Stream::new(rules, self.cores())));
    }

    /// Takes the next bytes of the stream, cut anywhere; [`Stream::wants_more`] must have said so. Empty: goes on with what was fed.
    pub fn feed_stream(&mut self, bytes: &[u8]) {
        let Some(mut stream) = self.stream.take() else { return };
        stream.pass_barrier(self);
        stream.sort(self, bytes);
        self.stream = Some(stream);
    }

    /// Everything fed so far is to be executed, not only full pieces.
    pub fn flush_stream(&mut self) {
        let Some(mut stream) = self.stream.take() else { return };
        stream.flush(self);
        self.stream = Some(stream);
    }

    /// The stream is over; what it knows. Its sessions go.
    pub fn end_stream(&mut self) -> Option<Box<Stream>> {
        self.end_applied();
        let own = self.id();
        for other in (0..self.cores()).filter(|&other| other != own) {
            self.mesh.send(other, Message::Call(Box::new(Core::end_applied)));
        }
        self.stream.take()
    }

    /// A core has executed a piece.
    pub fn piece_done(&mut self, from: usize, is_broken: bool) {
        let Some(stream) = &mut self.stream else { return };
        stream.lanes[from].under_way -= 1;
        if is_broken {
            stream.failure.get_or_insert(StreamError::Format);
        }
        if let Some(waker) = stream.waker.take() {
            waker.wake();
        }
    }
}
