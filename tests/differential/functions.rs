//! Traffic of functions: libraries with random functions, loaded, listed, called, copied between the servers.
//!
//! Called by `families`. A few names for libraries and functions, so that they meet, replace each other and clash. Bodies are those of `programs`, or one that calls the command in
//! its arguments.

use crate::families::{Row, line, number, one, programs, scripts};
use crate::traffic::{Args, Step, Traffic, words};

const LIBRARIES: u64 = 4;

fn library(t: &mut Traffic) -> String {
    format!("lib{}", t.prng.below(LIBRARIES))
}

/// A function of a library. (Where several of a library clash with others, redis names the first of a hash table.)
fn function(t: &mut Traffic, library: u64) -> String {
    format!("f{library}{}", t.prng.pick(&["a", "b", "c"]))
}

fn body(t: &mut Traffic) -> String {
    let fixed = [
        "return redis.call(unpack(ARGV))",
        "return redis.pcall(unpack(ARGV))",
        "redis.setresp(3) return redis.pcall(unpack(ARGV))",
        "return {KEYS, ARGV}",
    ];
    if t.prng.chance(60) { t.prng.pick(&fixed).to_owned() } else { programs::statements(t).0 }
}

fn registration(t: &mut Traffic, library: u64) -> String {
    let (name, body) = (function(t, library), body(t));
    let code = format!("function(KEYS, ARGV)\n{body}\nend");
    if t.prng.chance(50) {
        return format!("redis.register_function('{name}', {code})");
    }
    let flags = t.prng.pick(&[
        "",
        "",
        ", flags = {'no-writes'}",
        ", flags = {'no-writes', 'allow-stale'}",
        ", flags = {'allow-oom'}",
        ", flags = {'nosuch'}",
        ", flags = 5",
        ", description = 'what it does'",
        ", description = 5",
        ", nosuch = 1",
    ]);
    format!("redis.register_function{{function_name = '{name}', callback = {code}{flags}}}")
}

fn load(t: &mut Traffic) -> Vec<Step> {
    let library = t.prng.below(LIBRARIES);
    let mut code = match t.prng.below(24) {
        0 => t
            .prng
            .pick(&[
                "",
                "#!lua\n",
                "#!lua name=\n",
                "#!nosuch name=lib0\n",
                "#!lua name=a name=b\n",
                "#!lua name=a-b\n",
                "#!lua nosuch=1\n",
            ])
            .to_owned(),
        _ => format!("#!lua name=lib{library}\n"),
    };
    let count = 1 + t.prng.below(3);
    (0..count).for_each(|_| code += &format!("{}\n", registration(t, library)));
    if t.prng.chance(8) {
        // Perhaps one of another library.
        let other = t.prng.below(LIBRARIES);
        code += &format!("{}\n", registration(t, other));
    }
    if t.prng.chance(6) {
        code += t.prng.pick(&[
            "local x = redis.call('get', 'a')",
            "error('while loading')",
            "nosuch = 1",
            "return nosuch",
            "syntax error here",
            "redis.register_function('f0')",
            "redis.register_function('bad name', function() end)",
            "redis.register_function(5, 6)",
            "redis.register_function('f0', 'no function')",
            "redis.register_function{}",
            "redis.log(redis.LOG_DEBUG, 'loading')",
        ]);
    }
    let mut args = words("FUNCTION LOAD");
    if t.prng.chance(80) {
        args.push(b"REPLACE".to_vec());
    }
    args.push(code.into_bytes());
    one(args)
}

fn call(t: &mut Traffic, name: &str) -> Vec<Step> {
    let keys = t.keys(2, Traffic::any_key);
    let library = t.prng.below(LIBRARIES);
    let function = if t.prng.chance(3) { "nosuch".to_owned() } else { function(t, library) };
    let mut args: Args = vec![name.into(), function.into_bytes(), number(keys.len() as i64)];
    args.extend(keys);
    args.extend(scripts::command(t));
    one(args)
}

/// Fixed commands.
pub const LINES: &[&str] = &[
    "FUNCTION LIST",
    "FUNCTION LIST WITHCODE",
    "FUNCTION LIST LIBRARYNAME lib*",
    "FUNCTION LIST LIBRARYNAME lib1 WITHCODE",
    "FUNCTION LIST LIBRARYNAME",
    "FUNCTION LIST NOSUCH",
    "FUNCTION STATS",
    "FUNCTION STATS x",
    "FUNCTION FLUSH",
    "FUNCTION FLUSH ASYNC",
    "FUNCTION FLUSH NOSUCH",
    "FUNCTION KILL",
    "FUNCTION HELP",
    "FUNCTION NOSUCH",
    "FUNCTION",
    "FUNCTION RESTORE garbage",
    "FUNCTION RESTORE garbage NOSUCH",
    "FUNCTION DUMP",
];

fn other(t: &mut Traffic) -> Vec<Step> {
    match t.prng.below(10) {
        0..3 => line!("FUNCTION", "DELETE", library(t)),
        3..6 => vec![Step::RestoreFunctions(t.prng.pick(&["", "FLUSH", "APPEND", "REPLACE", "nosuch"]))],
        _ => one(words(t.prng.pick(LINES))),
    }
}

/// The rows of functions.
pub const FUNCTIONS: &[Row] = &[
    ("function", 8, load),
    ("function", 5, other),
    ("fcall", 20, |t| call(t, "FCALL")),
    ("fcall_ro", 6, |t| call(t, "FCALL_RO")),
];
