//! Traffic of scripts: commands of all families, called from Lua.
//!
//! Called by `families`. A script gets a command of another family as its arguments and calls it, by `redis.call` or `redis.pcall`, in either protocol, once or twice, with keys
//! declared and not. So every reply goes through both conversions, and every error through a script's. Left out: commands whose replies have no order or are random, which
//! `exclusions` could not judge behind EVAL.

use crate::families::{self, Row, one};
use crate::traffic::{Args, Step, Traffic};

/// Replies without an order, random ones, cursors, and what tells the server's own figures.
const UNJUDGED: [&str; 30] = [
    "keys",
    "hgetall",
    "hkeys",
    "hvals",
    "smembers",
    "sinter",
    "sunion",
    "sdiff",
    "scan",
    "hscan",
    "sscan",
    "zscan",
    "randomkey",
    "hrandfield",
    "srandmember",
    "spop",
    "zrandmember",
    "object",
    "memory",
    "debug",
    "sort",
    "sort_ro",
    "touch",
    "wait",
    "dump",
    "xadd",
    "xinfo",
    "xpending",
    "xautoclaim",
    "xclaim",
];

/// A command on keys whose reply can be compared.
fn command(t: &mut Traffic) -> Args {
    for _ in 0..20 {
        let mut steps = families::any_on_keys(t);
        let Some(Step::Command(args)) = steps.pop() else { continue };
        let name = String::from_utf8_lossy(&args[0]).to_lowercase();
        if steps.is_empty() && !UNJUDGED.contains(&name.as_str()) && !name.starts_with("eval") {
            return args;
        }
    }
    vec![b"GET".to_vec(), t.any_key()]
}

const BODIES: [&str; 8] = [
    "return redis.call(unpack(ARGV))",
    "return redis.pcall(unpack(ARGV))",
    "redis.setresp(3) return redis.call(unpack(ARGV))",
    "local r = redis.pcall(unpack(ARGV)) return {type(r), r}",
    "redis.setresp(3) local r = redis.pcall(unpack(ARGV)) return {type(r), r}",
    "local ok, e = pcall(redis.call, unpack(ARGV)) return {tostring(ok), e}",
    "redis.call('incr', 'scripts') redis.pcall(unpack(ARGV)) return redis.call('get', 'scripts')",
    "local r = redis.pcall(unpack(ARGV)) if type(r) == 'table' and r.err then return redis.error_reply(r.err) end return r",
];

fn eval(t: &mut Traffic, name: &str) -> Vec<Step> {
    let body = t.prng.pick(&BODIES);
    let mut args: Args = vec![name.into(), body.into(), b"0".to_vec()];
    args.extend(command(t));
    one(args)
}

/// A script whose text shows its keys.
fn declared(t: &mut Traffic) -> Vec<Step> {
    let body = t.prng.pick(&[
        "return redis.call('get', KEYS[1])",
        "return redis.call('set', KEYS[1], ARGV[1])",
        "local v = redis.call('get', KEYS[1]) if v then redis.call('set', KEYS[2], v) end return v",
        "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
        "return redis.call('mget', unpack(KEYS))",
        "local k = KEYS[1] redis.call('append', k, ARGV[1]) return redis.call('strlen', k)",
    ]);
    let (first, second, value) = (t.any_key(), t.string_key(), t.value());
    one(vec![b"EVAL".to_vec(), body.into(), b"2".to_vec(), first, second, value])
}

fn evalsha(t: &mut Traffic) -> Vec<Step> {
    let sha = t.prng.pick(&[
        "e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
        "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB",
        "ffffffffffffffffffffffffffffffffffffffff",
        "short",
    ]);
    let load = Step::Command(vec![b"SCRIPT".to_vec(), b"LOAD".to_vec(), b"return 1".to_vec()]);
    vec![load, Step::Command(vec![b"EVALSHA".to_vec(), sha.into(), b"0".to_vec()])]
}

/// The rows of scripting.
pub const SCRIPTING: &[Row] = &[
    ("eval", 60, |t| if t.prng.chance(30) { declared(t) } else { eval(t, "EVAL") }),
    ("eval_ro", 10, |t| eval(t, "EVAL_RO")),
    ("evalsha", 5, evalsha),
];
