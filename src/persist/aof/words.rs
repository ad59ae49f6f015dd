//! What the log says of a file operation that failed, in redis-server 7.0.15's words.
//!
//! Called by `job`; calls nobody. Invariant: names in the texts are without their directory, as redis writes them. Bounds: none.
use super::Names;
use crate::persist::manifest::temp_name;
use crate::persist::storage::{Op, Outcome, error_text};

/// redis' words for an operation of a job that failed.
pub(super) fn describe(names: &Names, op: &Op, outcome: Outcome, errno: i32) -> String {
    let why = error_text(errno);
    let temp = temp_name(&names.append);
    let short = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    match op {
        Op::Open { path, .. } if short(path) == temp => {
            format!("Can't open the AOF manifest file {temp}: {why}")
        }
        Op::Open { path, .. } => format!("Can't open the append-only file {}: {why}", short(path)),
        Op::Write { .. } => match outcome {
            Outcome::Written(Ok(_), Err(_)) => format!("Fail to fsync the temp AOF file {temp}: {why}."),
            _ => format!("Error trying to write the temporary AOF manifest file {temp}: {why}"),
        },
        Op::Rename { from, to } if short(from) == temp => {
            format!("Error trying to rename the temporary AOF manifest file {temp} into {}: {why}", short(to))
        }
        Op::Rename { from, to } => {
            format!("Error trying to rename the temporary AOF base file {from} into {to}: {why}")
        }
        Op::SyncDir { path } => format!("Fail to fsync AOF directory {path}: {why}."),
        Op::MakeDir { path } => format!("Can't open or create append-only dir {path}: {why}"),
        Op::Sync { .. } => format!("Fail to fsync the AOF file: {why}."),
        Op::Truncate { .. } => format!("Error truncating the AOF file: {why}"),
        Op::Unlink { path } => format!("Error removing {path}: {why}"),
        Op::Close { .. } => format!("Error closing an append-only file: {why}"),
    }
}
