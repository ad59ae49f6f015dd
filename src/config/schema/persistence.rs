//! Rows of the directive table: snapshots and the append-only file. Read by `schema`; pure data.
use super::*;
use crate::config::check;

pub(super) static ROWS: &[Directive] = &[
    Directive::new(
        "save",
        Kind::SavePoints,
        "3600 1 300 100 60 10000",
        "snapshot after so many seconds and changes",
    )
    .flags(MULTI_ARG),
    checked_text("dbfilename", "dump.rdb", false, check::dbfilename, "file name of the snapshot")
        .flags(PROTECTED),
    yes_no("stop-writes-on-bgsave-error", true, "refuse writes after a failed snapshot"),
    yes_no("rdbcompression", true, "compress strings in snapshots"),
    yes_no("rdbchecksum", true, "checksum at the end of snapshots").flags(IMMUTABLE),
    yes_no("rdb-del-sync-files", false, "delete snapshots of replication when not needed").accepted(),
    yes_no("rdb-save-incremental-fsync", true, "fsync snapshots as they grow").accepted(),
    yes_no("appendonly", false, "keep an append-only file").flags(DENY_LOADING),
    checked_text(
        "appendfilename",
        "appendonly.aof",
        false,
        check::appendfilename,
        "base name of the append-only files",
    )
    .flags(IMMUTABLE),
    checked_text(
        "appenddirname",
        "appendonlydir",
        false,
        check::appenddirname,
        "directory of the append-only files",
    )
    .flags(IMMUTABLE),
    choice(
        "appendfsync",
        &[("everysec", 2), ("always", 1), ("no", 0)],
        "everysec",
        "when the append-only file is fsynced",
    ),
    yes_no("no-appendfsync-on-rewrite", false, "no fsync while a rewrite runs"),
    number(
        "auto-aof-rewrite-percentage",
        0,
        I32,
        "100",
        "growth in percent that starts a rewrite; 0 is never",
    ),
    bytes("auto-aof-rewrite-min-size", 0, I64, "64mb", "size below which no rewrite starts by itself"),
    yes_no("aof-load-truncated", true, "load a file whose tail is torn"),
    yes_no("aof-use-rdb-preamble", true, "the base of the append-only file is a snapshot"),
    yes_no("aof-timestamp-enabled", false, "timestamps in the append-only file"),
    yes_no("aof-rewrite-incremental-fsync", true, "fsync rewrites as they grow").accepted(),
    yes_no("aof-disable-auto-gc", false, "keep files of former rewrites"),
];
