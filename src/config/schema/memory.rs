//! Rows of the directive table: maxmemory, eviction, freeing and defragmentation. Read by `schema`; pure data.
use super::*;

/// The words of `maxmemory-policy`; the bits are the discriminants of `settings::EvictionPolicy`.
const POLICY: &[(&str, u8)] = &[
    ("volatile-lru", 0),
    ("volatile-lfu", 1),
    ("volatile-random", 2),
    ("volatile-ttl", 3),
    ("allkeys-lru", 4),
    ("allkeys-lfu", 5),
    ("allkeys-random", 6),
    ("noeviction", 7),
];

pub(super) static ROWS: &[Directive] = &[
    bytes("maxmemory", 0, u64::MAX as i128, "0", "bytes the dataset may take; 0 is unlimited"),
    choice("maxmemory-policy", POLICY, "noeviction", "what is evicted at maxmemory"),
    number("maxmemory-samples", 1, I32, "5", "keys looked at per eviction"),
    number("maxmemory-eviction-tenacity", 0, 100, "10", "how long one command may evict"),
    number("lfu-log-factor", 0, I32, "10", "how slowly the LFU counter grows"),
    number("lfu-decay-time", 0, I32, "1", "minutes after which the LFU counter decays"),
    yes_no("lazyfree-lazy-eviction", false, "free evicted values in the background"),
    yes_no("lazyfree-lazy-expire", false, "free expired values in the background"),
    yes_no("lazyfree-lazy-server-del", false, "free overwritten values in the background"),
    yes_no("lazyfree-lazy-user-del", false, "DEL frees as UNLINK does"),
    yes_no("lazyfree-lazy-user-flush", false, "FLUSHALL and FLUSHDB free in the background by default"),
    yes_no("activedefrag", false, "defragment memory while running").accepted(),
    bytes("active-defrag-ignore-bytes", 1, I64, "100mb", "waste below which nothing is defragmented")
        .accepted(),
    number("active-defrag-threshold-lower", 0, 1000, "10", "percent of waste that starts it").accepted(),
    number("active-defrag-threshold-upper", 0, 1000, "100", "percent of waste of full effort").accepted(),
    number("active-defrag-cycle-min", 1, 99, "1", "least percent of CPU").accepted(),
    number("active-defrag-cycle-max", 1, 99, "25", "most percent of CPU").accepted(),
    number("active-defrag-max-scan-fields", 1, I64, "1000", "fields of a value visited at once").accepted(),
    yes_no("jemalloc-bg-thread", true, "background thread of jemalloc").accepted(),
];
