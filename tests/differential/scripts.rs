//! Traffic of scripts: commands of all families, called from Lua.
//!
//! Called by `families`. A script gets a command of another family as its arguments and calls it, by `redis.call` or `redis.pcall`, in either protocol, once or twice, with keys
//! declared and not. So every reply goes through both conversions, and every error through a script's. Left out: commands whose replies have no order, are random or tell times, which
//! `exclusions` could not judge behind EVAL. `programs` makes longer scripts.

use sha1::{Digest, Sha1};

use crate::families::{self, Row, line, number, one, programs};
use crate::traffic::{Args, Step, Traffic, words};

/// Replies without an order, random ones, cursors, and what tells the server's own figures.
const UNJUDGED: [&str; 36] = [
    // With a fourth word they are 7.2's.
    "zrank",
    "zrevrank",
    "ttl",
    "pttl",
    "expiretime",
    "pexpiretime",
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
pub fn command(t: &mut Traffic) -> Args {
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

/// A program, run by its text or by its name.
fn run_program(t: &mut Traffic, is_readonly: bool) -> Vec<Step> {
    let (body, keys) = programs::program(t);
    let mut rest = vec![number(keys.len() as i64)];
    rest.extend(keys);
    rest.extend((0..t.prng.below(3)).map(|_| t.value()).collect::<Args>());
    let suffix = if is_readonly { "_RO" } else { "" };
    let mut steps = Vec::new();
    let mut args = Vec::new();
    if t.prng.chance(50) {
        let sha: String = Sha1::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        if t.prng.chance(95) {
            let known = Step::Command(vec![b"SCRIPT".to_vec(), b"LOAD".to_vec(), body]);
            steps.push(known);
        }
        let sha = if t.prng.chance(20) { sha.to_uppercase() } else { sha };
        if t.prng.chance(20) {
            steps.extend(line!("SCRIPT", "EXISTS", sha.clone(), "ffffffffffffffffffffffffffffffffffffffff"));
        }
        args.extend([format!("EVALSHA{suffix}").into_bytes(), sha.into_bytes()]);
    } else {
        args.extend([format!("EVAL{suffix}").into_bytes(), body]);
    }
    args.extend(rest);
    steps.push(Step::Command(args));
    steps
}

/// Fixed commands.
pub const LINES: &[&str] = &[
    "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db abc",
    "SCRIPT EXISTS",
    "SCRIPT FLUSH",
    "SCRIPT FLUSH SYNC",
    "SCRIPT FLUSH ASYNC",
    "SCRIPT FLUSH NOSUCH",
    "SCRIPT LOAD return",
    "SCRIPT LOAD return+1",
    "SCRIPT LOAD",
    "SCRIPT KILL",
    "SCRIPT DEBUG NO",
    "SCRIPT DEBUG MAYBE",
    "SCRIPT HELP",
    "SCRIPT NOSUCH",
    "SCRIPT",
    "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
    "EVALSHA short 0",
    "EVAL return 0",
    "EVAL return{KEYS,ARGV} 2 a b c",
    "EVAL return{KEYS,ARGV} 3 a b",
    "EVAL return{KEYS,ARGV} -1 a b",
    "EVAL return{KEYS,ARGV} x a b",
];

fn script(t: &mut Traffic) -> Vec<Step> {
    one(words(t.prng.pick(LINES)))
}

/// The rows of scripting.
pub const SCRIPTING: &[Row] = &[
    ("eval", 40, |t| if t.prng.chance(30) { declared(t) } else { eval(t, "EVAL") }),
    ("eval_ro", 8, |t| eval(t, "EVAL_RO")),
    ("eval", 40, |t| run_program(t, false)),
    ("evalsha_ro", 8, |t| run_program(t, true)),
    ("script", 5, script),
];
