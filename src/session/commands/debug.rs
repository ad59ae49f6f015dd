//! DEBUG: the subcommands that look at no key, and the way to those that do.
//!
//! Keys are looked at by `command::keys::debug` with every shard in hand; STREAM is in [`super::debug_stream`]. Subcommands that make no
//! sense here are refused as redis refuses an unknown one. Invariant: nothing here changes data. Bounds: SLEEP blocks its core, as asked.

use super::super::core::Core;
use super::super::visit::Visit;
use super::super::{Control, Flow, Session};
use super::{debug_stream, fail};
use crate::base::number::{parse_f64, parse_i64};
use crate::command::keys;
use crate::command::reply_error::{ReplyError, quoting, subcommand_syntax};
use crate::resp::{Args, Out};

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] = &[("debug", debug)];

const HELP: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "LOADAOF",
    "    Flush the AOF buffers on disk and reload the AOF in memory.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "PANIC",
    "    Crash the server simulating a panic.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix. These are not propagated to",
    "    replicas. Cluster slots are not respected so keys not belonging to the",
    "    current node can be created in cluster mode.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, null, array, set, map, attrib, push, verbatim, true,",
    "    false.",
    "RELOAD [option ...]",
    "    Save the RDB on disk and reload it back to memory. Valid <option> values:",
    "    * MERGE: conflicting keys will be loaded from RDB.",
    "    * NOFLUSH: the existing database will not be removed before load, but",
    "      conflicting keys will generate an exception and kill the server.",
    "    * NOSAVE: the existing database is flushed, then the RDB file is loaded.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STREAM START|READ <offset>|STOP",
    "    Attach a reader to the effect logs, read the stream from an offset, detach.",
    "HELP",
    "    Prints this help.",
];

fn debug(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let word = args.get(1);
    if keys::debug::serves(word, args.len()) {
        return Ok(Flow::OnAllShards(keys::debug::debug));
    }
    match word.to_ascii_lowercase().as_slice() {
        b"help" if args.len() == 2 => {
            session.out.array(HELP.len());
            HELP.iter().for_each(|line| session.out.simple(line));
            Ok(Flow::Done)
        }
        b"sleep" if args.len() == 3 => sleep(core, session, args.get(2)),
        b"set-active-expire" if args.len() == 3 => {
            Ok(Flow::Visit(Box::new(SetActiveExpire(leading_number(args.get(2)) != 0))))
        }
        b"error" if args.len() == 3 => {
            // The client's own text, whatever its code.
            let text = quoting("", args.get(2), "");
            Err(fail(core, text))
        }
        b"panic" if args.len() == 2 => panic!("called by Debug command"),
        b"protocol" if args.len() == 3 => protocol(core, session, args.get(2)),
        b"reload" => super::super::reload::reload(core, session, args),
        b"loadaof" if args.len() == 2 => super::super::reload::load_log(core, session),
        b"stream" if args.len() >= 3 => debug_stream::stream(args),
        _ => {
            let text = subcommand_syntax(args);
            Err(fail(core, text))
        }
    }
}

/// C's atoi, as redis reads this flag.
fn leading_number(word: &[u8]) -> i64 {
    let digits = word
        .iter()
        .enumerate()
        .take_while(|(at, byte)| byte.is_ascii_digit() || (*at == 0 && **byte == b'-'));
    parse_i64(&word[..digits.count()]).unwrap_or(0)
}

/// Blocks this core, as the command is meant to.
fn sleep(core: &mut Core, session: &mut Session, word: &[u8]) -> Result<Flow, ReplyError> {
    let seconds = parse_f64(word).filter(|seconds| (0.0..86_400.0).contains(seconds)).unwrap_or(0.0);
    std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
    core.sample_clock();
    session.out.ok();
    Ok(Flow::Done)
}

/// DEBUG SET-ACTIVE-EXPIRE on every core.
struct SetActiveExpire(bool);

impl Visit for SetActiveExpire {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        core.active_expire = self.0;
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.ok();
    }
}

/// A value of each reply type, for the tests of clients.
fn protocol(core: &mut Core, session: &mut Session, word: &[u8]) -> Result<Flow, ReplyError> {
    let out = &mut session.out;
    let count_up = |out: &mut Out| (0..3).for_each(|number| out.integer(number));
    match word.to_ascii_lowercase().as_slice() {
        b"string" => out.bulk(b"Hello World"),
        b"integer" => out.integer(12345),
        b"double" => out.double(3141.0 / 1000.0),
        b"null" => out.null(),
        b"array" => {
            out.array(3);
            count_up(out);
        }
        b"set" => {
            out.set(3);
            count_up(out);
        }
        b"map" => {
            out.map(3);
            for number in 0..3 {
                out.integer(number);
                out.boolean(number == 1);
            }
        }
        b"attrib" => attribute(out),
        b"push" if out.proto() < 3 => {
            return Err(ReplyError::Text("ERR RESP2 is not supported by this command"));
        }
        b"push" => {
            out.push(2);
            out.bulk(b"server-cpu-usage");
            out.integer(42);
            out.bulk(b"Some real reply following the push reply");
        }
        b"true" => out.boolean(true),
        b"false" => out.boolean(false),
        b"bignum" => out.big_number("1234567999999999999999999999999999999"),
        b"verbatim" => out.verbatim("txt", b"This is a verbatim\nstring"),
        _ => {
            let text = "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";
            return Err(fail(core, String::from(text)));
        }
    }
    Ok(Flow::Done)
}

/// An attribute and the reply it belongs to; RESP2 has only the reply.
fn attribute(out: &mut Out) {
    if out.proto() >= 3 {
        out.attribute(1);
        out.bulk(b"key-popularity");
        out.array(2);
        out.bulk(b"key:123");
        out.integer(90);
    }
    out.bulk(b"Some real reply following the attribute");
}

#[cfg(test)]
mod tests {
    use super::leading_number;

    #[test]
    fn flags_read_as_atoi_reads_them() {
        assert_eq!(leading_number(b"1x"), 1);
        assert_eq!(leading_number(b"-2"), -2);
        assert_eq!(leading_number(b"no"), 0);
        assert_eq!(leading_number(b""), 0);
    }
}
