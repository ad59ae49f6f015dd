//! Steps that are more than a command: whole iterations, payloads carried from one server to both, situations of waiting clients.
//!
//! Part of `lockstep`, apart for its length. Invariant: a step is not begun within a transaction. Bounds: 100,000 pages of an iteration.

use std::collections::BTreeSet;
use std::io;

use super::{Lockstep, name_of};
use crate::support::client::Client;
use crate::support::coverage::Outcome;
use crate::support::reply::Value;
use crate::traffic::{Args, Step, words};

impl Lockstep<'_> {
    /// Plays one.
    pub fn composite(&mut self, connection: usize, step: Option<Step>) -> io::Result<()> {
        self.sent_count += 1;
        if self.pairs[connection].in_multi {
            return Ok(());
        }
        match step {
            Some(Step::ScanAll(args, cursor)) => {
                let pair = &mut self.pairs[connection];
                let ours = scan_all(&mut pair.ours, &args, cursor)?;
                let theirs = scan_all(&mut pair.theirs, &args, cursor)?;
                self.coverage.record(&self.label(&args), "-", Outcome::Value);
                if ours != theirs {
                    let text = format!("whole iteration\nours:   {ours:?}\ntheirs: {theirs:?}");
                    self.report(&name_of(&args), &text, &args);
                }
                Ok(())
            }
            Some(Step::Restore { from, to }) => {
                let from_ours = self.traffic.prng.chance(50);
                let pair = &mut self.pairs[connection];
                let source = if from_ours { &mut pair.ours } else { &mut pair.theirs };
                let dump = source.command(&[b"DUMP", from.as_slice()])?;
                let Value::Bulk(payload) = dump.value else { return Ok(()) };
                let mut args = vec![b"RESTORE".to_vec(), to, b"0".to_vec(), payload];
                if self.traffic.prng.chance(70) {
                    args.push(b"REPLACE".to_vec());
                }
                if self.traffic.prng.chance(10)
                    && let Some(byte) = args[3].last_mut()
                {
                    *byte ^= 1;
                }
                self.batch(connection, vec![args])
            }
            Some(Step::RestoreFunctions(policy)) => {
                let from_ours = self.traffic.prng.chance(50);
                let pair = &mut self.pairs[connection];
                let source = if from_ours { &mut pair.ours } else { &mut pair.theirs };
                let Value::Bulk(payload) = source.command(&[b"FUNCTION", &b"DUMP"[..]])?.value else {
                    return Ok(());
                };
                let mut args = words("FUNCTION RESTORE");
                args.push(payload);
                args.extend(words(policy));
                self.batch(connection, vec![args, words("FUNCTION LIST")])
            }
            Some(Step::Blocked { before, waiters, then }) => {
                self.play_blocked(connection, before, &waiters, then)
            }
            _ => Ok(()),
        }
    }
}

/// A full iteration as a set of elements (pairs for HSCAN); an error ends it and is its result.
fn scan_all(client: &mut Client, args: &Args, cursor: usize) -> io::Result<BTreeSet<Vec<Value>>> {
    let mut found = BTreeSet::new();
    let mut args = args.clone();
    let width = if matches!(name_of(&args).as_str(), "SCAN" | "SSCAN") { 1 } else { 2 };
    for _ in 0..100_000 {
        let reply = client.command(&args)?;
        let Some([next, Value::Array(items)]) = reply.value.items() else {
            found.insert(vec![reply.value]);
            return Ok(found);
        };
        found.extend(items.chunks(width).map(<[Value]>::to_vec));
        let Value::Bulk(bytes) = next else { break };
        if bytes == b"0" {
            return Ok(found);
        }
        args[cursor] = bytes.clone();
    }
    found.insert(vec![Value::Error(b"the iteration never ended".to_vec())]);
    Ok(found)
}
