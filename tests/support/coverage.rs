//! Counts which command met which type of key with which outcome, and prints the table.
//!
//! Called by differential/. A table without a cell says "never tried", which is what the reader looks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A reply with something in it.
    Value,
    /// Nothing: null, empty array, zero.
    Nothing,
    /// Queued in a transaction.
    Queued,
    /// WRONGTYPE.
    WrongType,
    /// Wrong number of arguments.
    Arity,
    /// Any other error.
    Error,
}

const COLUMNS: [&str; 6] = ["value", "none", "queued", "type", "arity", "error"];

/// Counts by (command, type of its first key).
#[derive(Default, Clone)]
pub struct Coverage {
    cells: BTreeMap<(String, String), [u64; 6]>,
}

impl Coverage {
    /// Counts one command.
    pub fn record(&mut self, command: &str, key_type: &str, outcome: Outcome) {
        let cell = self.cells.entry((command.to_uppercase(), key_type.to_owned())).or_default();
        cell[outcome as usize] += 1;
    }

    /// Adds another table to this one.
    pub fn merge(&mut self, other: &Coverage) {
        for (key, counts) in &other.cells {
            let cell = self.cells.entry(key.clone()).or_default();
            for (sum, count) in cell.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }

    /// (commands, successes) where a success is a reply that is no error.
    pub fn totals(&self) -> (u64, u64) {
        let mut totals = (0, 0);
        for counts in self.cells.values() {
            totals.0 += counts.iter().sum::<u64>();
            totals.1 += counts[..3].iter().sum::<u64>();
        }
        totals
    }

    /// Names of the commands that succeeded at least once outside of transactions, as in COMMAND LIST.
    pub fn succeeded(&self) -> BTreeSet<String> {
        let good = self.cells.iter().filter(|(_, counts)| counts[0] + counts[1] > 0);
        good.map(|((command, _), _)| command.to_lowercase().replace(' ', "|")).collect()
    }

    /// The table, one line per command and type.
    pub fn table(&self) -> String {
        let mut text = format!("{:<24}{:<10}", "command", "type");
        for column in COLUMNS {
            let _ = write!(text, "{column:>9}");
        }
        text.push('\n');
        for ((command, key_type), counts) in &self.cells {
            let _ = write!(text, "{command:<24}{key_type:<10}");
            for count in counts {
                if *count == 0 {
                    text.push_str("        .");
                } else {
                    let _ = write!(text, "{count:>9}");
                }
            }
            text.push('\n');
        }
        text
    }
}
