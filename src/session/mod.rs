//! Layer 7: connections and what runs on them: accept, read, admit, route, execute, reply.
//!
//! A connection lives on one core, its home; a [`Session`] is the part of it that *travels*: input not yet executed,
//! replies not yet sent, and the client's state. Commands run where their key lives: the session goes there over
//! the mesh, executes its next commands in place, and comes home when its input is used up. Program order
//! needs no other mechanism: there is one session, on one core at a time.
//!
//! [`core`] is a core's state and its turn; [`connection`] the home side (sockets), with [`receive`], [`deliver`] and [`client_limits`]; [`run`] the loop of a session; [`admit`] the
//! checks before a command; [`route`] which shards it needs; [`berth`] shards of cores between turns, borrowed instead of travelled to; [`multi`] MULTI/EXEC/WATCH; [`visit`] commands that ask every core.
//!
//! Invariant: a session is owned by exactly one core (or message). Bounds: query buffer, output buffer and client limits of
//! the configuration.

pub mod account;
pub mod admit;
pub mod applied;
pub mod apply;
pub mod berth;
pub mod blocking;
pub mod busy;
pub mod client_limits;
pub mod commands;
pub mod connection;
pub mod core;
pub mod deliver;
mod disk;
pub mod errand;
pub mod exec;
mod fetch;
pub mod gate;
pub mod held_replies;
pub mod hold;
pub mod journal;
pub mod loading;
pub mod local_waits;
pub mod lookahead;
pub mod multi;
pub mod offer;
pub mod pause;
pub mod pubsub;
pub mod push_queue;
pub mod receive;
pub mod redact;
pub mod reload;
pub mod rewriting;
pub mod route;
pub mod run;
pub mod save_points;
pub mod saving;
pub mod script;
pub mod shadow;
pub mod split;
pub mod steps;
pub mod stop;
pub mod trace;
pub mod tracking;
pub mod visit;
pub mod widen;

use std::sync::Arc;

use crate::command::reply_error::ReplyError;
use crate::command::row::{Handler, Row};
use crate::resp::{Args, Mark, Out, Reader};
use crate::shard::lending::Lent;
use core::Core;
use multi::{Exec, Multi, Watched};
use visit::VisitState;

/// What a control command asks of the session's loop.
pub enum Flow {
    /// The reply is written.
    Done,
    /// Ask every core, then reply.
    Visit(Box<dyn visit::Visit>),
    /// Run the queued transaction.
    Exec,
    /// Run this handler with every shard in hand (DEBUG DIGEST and its like).
    OnAllShards(Handler),
    /// Run this script with its shards in hand.
    Script(Box<script::Pending>),
    /// Wait until the ticket is answered.
    Hold(hold::Ticket),
    /// Reply, then close.
    Close,
}

/// A command served by the session and not by a shard: connection, transaction and server commands.
pub type Control = fn(&mut Core, &mut Session, &Args<'_>) -> Result<Flow, ReplyError>;

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyMode {
    /// Replies are sent.
    #[default]
    On,
    /// Nothing is sent.
    Off,
    /// The next command's reply is dropped.
    SkipNext,
    /// This command's reply is dropped, then On.
    Skip,
}

/// Flags of a client, as bits.
pub mod client_flag {
    /// CLIENT NO-EVICT on.
    pub const NO_EVICT: u32 = 1;
    /// CLIENT NO-TOUCH on.
    pub const NO_TOUCH: u32 = 1 << 1;
    /// MONITOR was called.
    pub const MONITOR: u32 = 1 << 2;
    /// Subscribed to channels or patterns.
    pub const PUBSUB: u32 = 1 << 3;
    /// Connected by unix socket.
    pub const UNIX: u32 = 1 << 4;
    /// Connected from this machine.
    pub const LOCAL: u32 = 1 << 5;
    /// Its transaction is being executed.
    pub const EXECUTING: u32 = 1 << 6;
    /// Waits in a blocking command.
    pub const BLOCKED: u32 = 1 << 7;
    /// Waits for the end of CLIENT PAUSE.
    pub const PAUSED: u32 = 1 << 8;
    /// CLIENT TRACKING on.
    pub const TRACKING: u32 = 1 << 9;
    /// … BCAST.
    pub const TRACK_BCAST: u32 = 1 << 10;
    /// … OPTIN.
    pub const TRACK_OPTIN: u32 = 1 << 11;
    /// … OPTOUT.
    pub const TRACK_OPTOUT: u32 = 1 << 12;
    /// … NOLOOP.
    pub const TRACK_NOLOOP: u32 = 1 << 13;
    /// … REDIRECT.
    pub const TRACK_REDIRECT: u32 = 1 << 14;
    /// CLIENT CACHING was given for the next command.
    pub const TRACK_CACHING: u32 = 1 << 15;
    /// All that CLIENT TRACKING OFF clears.
    pub const TRACK_ALL: u32 = 0x7f << 9;
    /// It has no connection: it executes commands that nobody here has sent (`applied`).
    pub const APPLIES: u32 = 1 << 16;
}

/// The client's state that commands read and set.
#[derive(Default)]
pub struct Client {
    /// Selected database.
    pub db: usize,
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: Vec<u8>,
    /// A name or library fact has changed since the home core last saw it (`shadow`).
    pub labels_changed: bool,
    /// Whether the client passed AUTH (or need not).
    pub authenticated: bool,
    /// Who it logged in as; `None` is the default user.
    pub user: Option<Arc<crate::acl::User>>,
    /// What `gate` knows of its rights; 0: nothing yet.
    pub acl_tag: u32,
    /// [`client_flag`] bits.
    pub flags: u32,
    /// CLIENT REPLY.
    pub reply: ReplyMode,
    /// Internal time of the last command.
    pub last_active_ms: u64,
    /// Last command, for CLIENT LIST.
    pub last_command: Option<&'static Row>,
    /// What the client has subscribed to, if anything.
    pub subscriptions: Option<Box<pubsub::Subscriptions>>,
}

/// The travelling part of a connection.
pub struct Session {
    /// Client id, unique in the process.
    pub id: u64,
    /// Core whose ring has the socket.
    pub home: usize,
    /// Connection slot at home.
    pub conn: u32,
    /// Unparsed input and the parser's state.
    pub reader: Reader,
    /// Replies not yet handed to the socket.
    pub out: Out,
    /// Peer address, as CLIENT LIST shows it.
    pub peer: Arc<str>,
    /// The client's state.
    pub client: Client,
    /// Open MULTI.
    pub multi: Option<Box<Multi>>,
    /// Watched keys.
    pub watched: Vec<Watched>,
    /// A transaction being executed.
    pub exec: Option<Box<Exec>>,
    /// Shards in hand, or being collected.
    pub lent: Option<Box<Lent>>,
    /// Lanes of a relaxed pipeline.
    pub split: Option<Box<split::Split>>,
    /// Set on a lane.
    pub lane: Option<Box<split::Lane>>,
    /// Where the reply of the command at hand begins.
    pub reply_mark: Mark,
    /// What runs in place of the control command at the read position, with every shard in hand.
    pub handler: Option<Handler>,
    /// A command that waits for a key.
    pub blocked: Option<Box<blocking::Blocked>>,
    /// How many commands have blocked so far.
    pub blocks: u64,
    /// A script likewise, with the shards it needs.
    pub script: Option<Box<script::Pending>>,
    /// A visit under way.
    pub visit: Option<Box<VisitState>>,
    /// Where the keys of its next commands are.
    pub plan: lookahead::Plan,
    /// The next command in the input passed admission already.
    pub admitted: bool,
    /// A command has staged an effect, and its reply has not been handed on (`held_replies`).
    pub wrote: bool,
    /// Where the stream ended when its last effects were in it.
    pub written_to: u64,
    /// Close once everything is sent.
    pub closing: bool,
    /// Going home: nothing left to run.
    pub homeward: bool,
    /// How its commands are executed if no connection sent them.
    pub applies: Option<applied::Rules>,
}

impl Session {
    /// A fresh session of connection `conn` on core `home`.
    pub fn new(id: u64, home: usize, conn: u32, peer: Arc<str>) -> Session {
        Session {
            id,
            home,
            conn,
            reader: Reader::default(),
            out: Out::new(),
            peer,
            client: Client::default(),
            multi: None,
            watched: Vec::new(),
            exec: None,
            lent: None,
            split: None,
            lane: None,
            reply_mark: Out::new().mark(),
            handler: None,
            blocked: None,
            blocks: 0,
            script: None,
            visit: None,
            plan: lookahead::Plan::default(),
            admitted: false,
            wrote: false,
            written_to: 0,
            closing: false,
            homeward: false,
            applies: None,
        }
    }
}
