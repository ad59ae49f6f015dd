//! Rows of the directive table: what Redis does not have. Read by `schema`; pure data. As few as can be.
use super::*;
use crate::config::check;

pub(super) static ROWS: &[Directive] = &[
    number("threads", 0, 1024, "0", "cores that work; 0 is as many as cgroup and affinity mask allow")
        .flags(IMMUTABLE),
    checked_text(
        "thread-affinity",
        "auto",
        false,
        check::thread_affinity,
        "cores to pin the threads to: auto, no, or a list like 0-3,8",
    )
    .flags(IMMUTABLE),
    number(
        "busy-poll-us",
        0,
        1_000_000,
        "0",
        "microseconds a core polls for work before it sleeps; 0 is none",
    ),
    choice(
        "pipeline-order",
        &[("strict", 0), ("relaxed", 1)],
        "strict",
        "whether commands of one connection on different cores may overtake each other",
    ),
];
