//! Rows of the directive table: databases, timers, expiry and test knobs. Read by `schema`; pure data.
use super::*;

pub(super) static ROWS: &[Directive] = &[
    number("databases", 1, I32, "16", "number of databases").flags(IMMUTABLE),
    number("hz", 0, I32, "10", "background rounds per second, kept within 1..500"),
    yes_no("dynamic-hz", true, "more rounds with more clients"),
    number("active-expire-effort", 1, 10, "1", "how hard expired keys are searched for"),
    yes_no("lazyexpire-nested-arbitrary-keys", true, "expire keys a command did not name")
        .flags(HIDDEN)
        .accepted(),
    yes_no("activerehashing", true, "rehash tables in idle time").accepted(),
    number("io-threads", 1, 128, "1", "I/O threads of Redis; here `threads` says how many cores work")
        .flags(IMMUTABLE)
        .accepted(),
    yes_no("io-threads-do-reads", false, "I/O threads read as well").flags(IMMUTABLE).accepted(),
    number("key-load-delay", i32::MIN as i128, I32, "0", "microseconds to wait per loaded key").flags(HIDDEN),
    number("rdb-key-save-delay", i32::MIN as i128, I32, "0", "microseconds to wait per saved key")
        .flags(HIDDEN)
        .accepted(),
    number(
        "loading-process-events-interval-bytes",
        1024,
        I32,
        "2097152",
        "bytes loaded between two looks at clients",
    )
    .flags(HIDDEN)
    .accepted(),
];
