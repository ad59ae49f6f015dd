//! Small Lua programs, made at random: commands of all families on declared and other keys, control flow, conversions, libraries.
//!
//! Called by `scripts` and `functions`. A program collects results in `r`; what it returns goes through the conversion of replies. Left out: what depends on a clock, on
//! addresses or on the order of a Lua table with several names. Bounds: a dozen statements, loops of a few rounds.

use super::scripts;
use crate::traffic::{Args, Traffic};

/// A Lua literal of any bytes.
fn literal(word: &[u8]) -> String {
    let mut text = String::from("'");
    for byte in word {
        match byte {
            b' '
            | b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'_'
            | b':'
            | b'-'
            | b'.'
            | b'('
            | b'{'
            | b'}' => {
                text.push(char::from(*byte));
            }
            byte => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text.push('\'');
    text
}

/// The same as a Lua number, where it is a short one.
fn as_number(word: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(word).ok()?;
    let plain = text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte));
    (plain && text.parse::<f64>().is_ok()).then_some(text)
}

/// A call of a random command; its key may become one of the program's keys.
fn call(t: &mut Traffic, keys: &mut Args, name: &str) -> String {
    let args = Some(scripts::command(t)).filter(|args| args.len() < 40);
    let args = args.unwrap_or_else(|| vec![b"STRLEN".to_vec(), t.any_key()]);
    let mut words = Vec::new();
    for (at, word) in args.iter().enumerate() {
        if at == 1 && t.prng.chance(75) {
            let place = keys.iter().position(|key| key == word).unwrap_or_else(|| {
                keys.push(word.clone());
                keys.len() - 1
            });
            words.push(format!("KEYS[{}]", place + 1));
            continue;
        }
        let written = as_number(word).filter(|_| at > 1 && t.prng.chance(40));
        words.push(written.map_or_else(|| literal(word), str::to_owned));
    }
    format!("{name}({})", words.join(", "))
}

/// Values of all kinds, for the conversion to a reply.
const VALUES: [&str; 62] = [
    "1.9",
    "-3.7",
    "0",
    "2^53",
    "-2^62",
    "1e15",
    "true",
    "false",
    "'text'",
    "''",
    "{}",
    "{1, 2, {3, 'x'}}",
    "{1, nil, 3}",
    "{ok = 'fine'}",
    "{ok = 'two\\r\\nlines'}",
    "{err = 'ERR bad'}",
    "{err = 'bad'}",
    "{err = 'MY two\\nlines'}",
    "{err = 'CODE x', ignore_error_stats_update = true}",
    "{double = 3.25}",
    "{double = 1e100}",
    "{double = -0.1}",
    "{map = {a = 1}}",
    "{map = {}}",
    "{set = {x = true}}",
    "{set = {}}",
    "{big_number = '123456789012345678901234567890'}",
    "{verbatim_string = {format = 'txt', string = 'hi'}}",
    "{name = 'no array', 5}",
    "redis.sha1hex('abc')",
    "redis.error_reply('MY error')",
    "redis.error_reply('single')",
    "redis.error_reply('-DASH error')",
    "redis.status_reply('OKAY')",
    "cjson.encode({1, 2.5, 'x', {a = 1}})",
    "cjson.encode({1e20, 0.1, -7, true})",
    "cjson.decode('[1,2.5,{\"a\":null},\"\\\\u00e9\"]')",
    "cjson.decode('{\"a\":[]}').a",
    "({pcall(cjson.decode, '[1,')})[2]",
    "cmsgpack.pack({1, -2, 'x', 0.5, true})",
    "{cmsgpack.unpack(cmsgpack.pack({1, {2, 3}}), 'x')}",
    "struct.pack('>I2hs', 258, -2, 'abc')",
    "{struct.unpack('<I4', struct.pack('>I4', 77))}",
    "struct.size('>I4i2')",
    "{bit.band(255, 15), bit.bor(1, 6), bit.bxor(7, 2), bit.lshift(1, 31), bit.tohex(255)}",
    "string.format('%5.2f|%d|%s|%x|%q', 3.14159, 42, 'x', 255, 'a\"b')",
    "{tostring(1e15), tostring(0.1), tostring(2^63), tostring(nil)}",
    "{math.floor(2.7), math.max(1, 5), math.fmod(7, 3)}",
    "tonumber('0x10')",
    "table.concat({'a', 'b'}, '-')",
    "{#KEYS, #ARGV}",
    "KEYS",
    "ARGV",
    "{string.find('hello', 'l+'), string.gsub('abc', 'b', 'X')}",
    "({pcall(error, 'boom')})[2]",
    "({pcall(error, {err = 'E x'})})[2]",
    "({pcall(function() return nosuch end)})[2]",
    "({pcall(function() nosuch = 1 end)})[2]",
    "({pcall(redis.call)})[2]",
    "({pcall(redis.call, 'get', {})})[2]",
    "({pcall(redis.call, 'nosuch', 'x')})[2]",
    "redis.acl_check_cmd('set', 'k', 'v')",
];

/// Statements that end the program with an error.
const FAULTS: [&str; 8] = [
    "error('my error')",
    "error({err = 'MINE is a table'})",
    "error({err = 'single'})",
    "error()",
    "local x = nil + 1",
    "nosuch()",
    "redis.setresp(4)",
    "KEYS.x.y = 1",
];

fn statement(t: &mut Traffic, keys: &mut Args) -> String {
    match t.prng.below(24) {
        0..8 => format!("r[#r+1] = {}", call(t, keys, "redis.pcall")),
        8..11 => format!("r[#r+1] = {}", call(t, keys, "redis.call")),
        11 => format!("for i = 1, {} do {} end", t.prng.below(5), call(t, keys, "redis.pcall")),
        12 => {
            let (call, value) = (call(t, keys, "redis.pcall"), t.prng.pick(&VALUES));
            format!("local v = {call} if v then r[#r+1] = {value} else r[#r+1] = v end")
        }
        13 => format!("redis.setresp({})", t.prng.pick(&[2, 3, 3])),
        14 => "if type(r[#r]) == 'table' and r[#r].err then r[#r+1] = r[#r].err end".to_owned(),
        15 => {
            format!("local ok, e = pcall(function() return {} end) r[#r+1] = e", call(t, keys, "redis.call"))
        }
        16 => "r[#r+1] = type(r[#r])".to_owned(),
        17 if t.prng.chance(20) => t.prng.pick(&FAULTS).to_owned(),
        18 => "redis.replicate_commands() r[#r+1] = redis.set_repl == nil".to_owned(),
        19 => format!(
            "local v = {} if type(v) == 'table' then for k, e in ipairs(v) do r[#r+1] = type(e) end end",
            call(t, keys, "redis.pcall")
        ),
        _ => format!("r[#r+1] = {}", t.prng.pick(&VALUES)),
    }
}

/// The statements of a program, a `return` at the end, and the keys it wants declared.
pub fn statements(t: &mut Traffic) -> (String, Args) {
    let mut keys = Args::new();
    let mut lines = vec!["local r = {}".to_owned()];
    for _ in 0..1 + t.prng.below(8) {
        let line = statement(t, &mut keys);
        lines.push(if line.starts_with("local") { format!("do {line} end") } else { line });
    }
    let end = t.prng.pick(&[
        "return r",
        "return r",
        "return r",
        "return r[#r]",
        "return {r, #r}",
        "return redis.status_reply(tostring(#r))",
        "return #r, 7",
        "",
    ]);
    lines.push(end.to_owned());
    (lines.join(if t.prng.chance(50) { "\n" } else { " " }), keys)
}

/// A script.
pub fn program(t: &mut Traffic) -> (Vec<u8>, Args) {
    let (body, keys) = statements(t);
    let head = match t.prng.below(20) {
        0 => "#!lua\n",
        1 => "#!lua flags=no-writes\n",
        2 => "#!lua flags=allow-oom,allow-stale\n",
        3 => t.prng.pick(&["#!lua flags=nosuch\n", "#!nosuch\n", "#!lua name=x\n", "#!lua"]),
        _ => "",
    };
    (format!("{head}{body}").into_bytes(), keys)
}
