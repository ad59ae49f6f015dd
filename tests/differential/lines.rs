//! Fixed commands, the wrong ones among them, and the tour over all of them that opens a run.
//!
//! Called by `control`, which picks from the lists, and `lockstep` ([`tour`]). What a line must never do is end, stop or starve a server or the harness' own connections. A pure table.

use crate::families::{acl, functions, scripts};
use crate::traffic::{Args, words};

/// CLIENT.
pub const CLIENT_LINES: &[&str] = &[
    "CLIENT PAUSE 1",
    "CLIENT PAUSE 1 WRITE",
    "CLIENT INFO",
    "CLIENT LIST",
    "CLIENT GETNAME",
    "CLIENT SETNAME conn-1",
    "CLIENT SETNAME other",
    "CLIENT ID",
    "CLIENT NO-EVICT on",
    "CLIENT NO-EVICT off",
    "CLIENT NO-EVICT maybe",
    "CLIENT UNPAUSE",
    "CLIENT UNBLOCK 999999999",
    "CLIENT UNBLOCK 999999999 ERROR",
    "CLIENT UNBLOCK abc",
    "CLIENT UNBLOCK 999999999 NOSUCH",
    "CLIENT GETREDIR",
    "CLIENT TRACKINGINFO",
    "CLIENT CACHING yes",
    "CLIENT TRACKING off",
    "CLIENT REPLY on",
    "CLIENT REPLY garbage",
    "CLIENT HELP",
    "CLIENT NOSUCH",
    "CLIENT SETNAME",
    "CLIENT TRACKING maybe",
    "CLIENT",
    "CLIENT LIST TYPE nosuch",
    "CLIENT LIST TYPE",
    "CLIENT LIST ID abc",
    "CLIENT LIST ID",
    "CLIENT LIST NOSUCH 1",
    "CLIENT LIST ID 99999999",
    "CLIENT LIST TYPE replica",
    "CLIENT PAUSE abc",
    "CLIENT PAUSE -1",
    "CLIENT PAUSE 0 NOSUCH",
    "CLIENT PAUSE",
    "CLIENT KILL",
    "CLIENT KILL 1.2.3.4:5",
    "CLIENT KILL ID 0",
    "CLIENT KILL ID abc",
    "CLIENT KILL ID 99999999",
    "CLIENT KILL TYPE nosuch",
    "CLIENT KILL USER nobody",
    "CLIENT KILL ADDR 1.2.3.4:5 SKIPME maybe",
    "CLIENT KILL ADDR 1.2.3.4:5",
    "CLIENT KILL LADDR 1.2.3.4:5 SKIPME yes",
    "CLIENT KILL NOSUCH x",
    "CLIENT KILL ID 99999999 ADDR",
];

/// CONFIG.
pub const CONFIG_LINES: &[&str] = &[
    "CONFIG GET maxmemory",
    "CONFIG GET maxmemory-policy",
    "CONFIG GET hash-max-listpack-entries",
    "CONFIG GET hash-max-ziplist-*",
    "CONFIG GET nosuch",
    "CONFIG GET timeout maxclients",
    "CONFIG GET slowlog-*",
    "CONFIG GET LFU-*",
    "CONFIG SET hash-max-listpack-entries 64",
    "CONFIG SET hash-max-listpack-entries 128",
    "CONFIG SET hash-max-ziplist-value 64",
    "CONFIG SET slowlog-max-len 100 timeout 0",
    "CONFIG SET timeout -1",
    "CONFIG SET timeout abc",
    "CONFIG SET nosuch 1",
    "CONFIG SET timeout 0 timeout 0",
    "CONFIG SET timeout",
    "CONFIG SET maxmemory-policy nosuch",
    "CONFIG SET maxmemory 10gb",
    "CONFIG SET maxmemory 0",
    "CONFIG SET maxmemory 1zb",
    "CONFIG SET lazyfree-lazy-user-del maybe",
    "CONFIG SET lfu-log-factor 10",
    "CONFIG SET databases 4",
    "CONFIG NOSUCH",
    "CONFIG",
    "CONFIG GET",
    "CONFIG SET",
    "CONFIG RESETSTAT",
    "CONFIG RESETSTAT x",
    "CONFIG SET hash-max-listpack-value 32",
    "CONFIG SET hash-max-listpack-value 64",
    "CONFIG SET hash-max-listpack-entries -1",
    "CONFIG SET maxmemory-policy allkeys-lfu",
    "CONFIG SET maxmemory-policy noeviction",
    "CONFIG SET maxmemory-policy allkeys-lru",
    "CONFIG SET notify-keyspace-events KEA",
    "CONFIG SET notify-keyspace-events KEAX1",
    "CONFIG SET notify-keyspace-events \"\"",
    "CONFIG GET notify-keyspace-events",
    "CONFIG SET hz 1000",
    "CONFIG GET hz",
    "CONFIG SET hz 200",
    "CONFIG SET maxclients 0",
    "CONFIG SET client-query-buffer-limit 1",
    "CONFIG SET proto-max-bulk-len 10",
    "CONFIG GET client-output-buffer-limit",
    "CONFIG SET client-output-buffer-limit x",
    "CONFIG SET lazyfree-lazy-expire yes",
    "CONFIG SET lazyfree-lazy-expire no",
];

/// COMMAND.
pub const COMMAND_LINES: &[&str] = &[
    "COMMAND DOCS get set",
    "COMMAND",
    "COMMAND GETKEYS SET k v",
    "COMMAND GETKEYS MSET a 1 b 2 c 3",
    "COMMAND GETKEYS GET",
    "COMMAND GETKEYS NOSUCH x",
    "COMMAND GETKEYS PING",
    "COMMAND GETKEYS BITOP AND d a b",
    "COMMAND GETKEYS CONFIG GET x",
    "COMMAND GETKEYS MGET a b c",
    "COMMAND GETKEYSANDFLAGS SET k v",
    "COMMAND GETKEYSANDFLAGS COPY a b",
    "COMMAND GETKEYSANDFLAGS MSET a 1 b 2",
    "COMMAND GETKEYSANDFLAGS GETEX k",
    "COMMAND INFO nosuch",
    "COMMAND NOSUCH",
    "COMMAND GETKEYS",
    "COMMAND COUNT",
    "COMMAND LIST FILTERBY NOSUCH x",
    "COMMAND GETKEYS RENAME a b",
    "COMMAND GETKEYS OBJECT ENCODING x",
    "COMMAND GETKEYS MEMORY USAGE x",
    "COMMAND LIST FILTERBY PATTERN l[a-z]*t",
    "COMMAND LIST FILTERBY ACLCAT nosuch",
    "COMMAND LIST FILTERBY ACLCAT bitmap",
    "COMMAND LIST FILTERBY MODULE x",
    "COMMAND LIST FILTERBY PATTERN",
    "COMMAND INFO get nosuch set",
    "COMMAND INFO mset hset del",
    "COMMAND LIST x",
];

/// DEBUG.
pub const DEBUG_LINES: &[&str] = &[
    "DEBUG SLEEP 0",
    "DEBUG SET-ACTIVE-EXPIRE 1",
    "DEBUG SET-ACTIVE-EXPIRE 0",
    "DEBUG NOSUCH",
    "DEBUG",
    "DEBUG DIGEST-VALUE missing",
    "DEBUG OBJECT missing",
    "DEBUG ERROR text-of-mine",
    "DEBUG OBJECT",
    "DEBUG SLEEP",
    "DEBUG POPULATE",
    "DEBUG POPULATE x",
    "DEBUG POPULATE 3 populated 20",
    "DEBUG POPULATE 2 populated",
];

/// PUBSUB.
pub const PUBSUB_LINES: &[&str] = &[
    "PUBSUB CHANNELS",
    "PUBSUB CHANNELS news-*",
    "PUBSUB CHANNELS nothing",
    "PUBSUB NUMPAT",
    "PUBSUB NUMSUB",
    "PUBSUB NUMSUB news-1 nothing",
    "PUBSUB NOSUCH",
    "PUBSUB",
    "PUBSUB CHANNELS a b",
    "PUBSUB NUMPAT x",
    "PUBSUB SHARDCHANNELS",
    "PUBSUB SHARDCHANNELS news-*",
    "PUBSUB SHARDNUMSUB news-1 nothing",
    "PUBSUB SHARDNUMSUB",
    "PUBSUB HELP",
];

/// SLOWLOG.
pub const SLOWLOG_LINES: &[&str] = &[
    "SLOWLOG LEN",
    "SLOWLOG GET 0",
    "SLOWLOG RESET",
    "SLOWLOG GET x",
    "SLOWLOG NOSUCH",
    "SLOWLOG GET -2",
    "SLOWLOG GET -1",
    "SLOWLOG GET 1 2",
    "SLOWLOG LEN x",
    "SLOWLOG",
];

/// LATENCY.
pub const LATENCY_LINES: &[&str] = &[
    "LATENCY RESET nosuch",
    "LATENCY LATEST",
    "LATENCY DOCTOR",
    "LATENCY HISTORY nosuch",
    "LATENCY HISTOGRAM get",
    "LATENCY NOSUCH",
    "LATENCY GRAPH nosuch",
    "LATENCY HISTORY",
    "LATENCY GRAPH",
    "LATENCY HISTOGRAM nosuch",
    "LATENCY RESET",
    "LATENCY",
];

/// MEMORY.
pub const MEMORY_LINES: &[&str] = &[
    "MEMORY STATS",
    "MEMORY DOCTOR",
    "MEMORY MALLOC-STATS",
    "MEMORY NOSUCH",
    "MEMORY USAGE missing SAMPLES -1",
    "MEMORY USAGE",
    "MEMORY PURGE",
    "MEMORY USAGE missing NOSUCH 1",
    "MEMORY",
];

/// Commands that have a HELP.
pub const CONTAINERS: &[&str] = &[
    "ACL", "CLIENT", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MEMORY", "OBJECT", "PUBSUB", "SCRIPT",
    "SLOWLOG", "XGROUP", "XINFO",
];

/// Every line of the lists once, and what makes the rest of the rare commands succeed: the way every run begins, so that small runs try everything too.
pub fn tour() -> Vec<Args> {
    const RARE: &[&str] = &[
        "SET tour 1",
        "XGROUP CREATE tour:x g $ MKSTREAM",
        "XGROUP CREATECONSUMER tour:x g c",
        "XINFO CONSUMERS tour:x g",
        "XGROUP DELCONSUMER tour:x g c",
        "XGROUP SETID tour:x g 0",
        "XGROUP DESTROY tour:x g",
        "SCRIPT LOAD return{KEYS,ARGV}",
        "EVALSHA_RO fde164c9ab6ca2803af1739aa47b314c124e0ecb 0",
        "CONFIG SET latency-monitor-threshold 1",
        "DEBUG SLEEP 0.005",
        "LATENCY LATEST",
        "LATENCY HISTORY command",
        "LATENCY GRAPH command",
        "LATENCY RESET",
        "CONFIG SET latency-monitor-threshold 0",
        "AUTH default x",
        "DEL tour tour:x",
    ];
    let lists = [
        CLIENT_LINES,
        CONFIG_LINES,
        COMMAND_LINES,
        DEBUG_LINES,
        PUBSUB_LINES,
        SLOWLOG_LINES,
        LATENCY_LINES,
        MEMORY_LINES,
        acl::LINES,
        scripts::LINES,
        functions::LINES,
        RARE,
    ];
    let help = CONTAINERS.iter().map(|container| words(&format!("{container} HELP")));
    let library = "#!lua name=tour\nredis.register_function{function_name='tour', callback=function() return 1 end, flags={'no-writes'}}";
    let mut all: Vec<Args> = lists.into_iter().flatten().map(|line| words(line)).chain(help).collect();
    all.push([words("FUNCTION LOAD REPLACE"), vec![library.into()]].concat());
    all.extend(["FCALL_RO tour 0", "FUNCTION DELETE tour"].map(words));
    all
}
