//! Which keys a script can touch: only those it declares, or any.
//!
//! Asked once per script, when it becomes known. [`Reach::Declared`] is said only of a script all of whose commands are spelled out as `redis.call('name', …)` with every key an
//! element of `KEYS`, or a local that was given one and never anything else. Such a script runs with its keys' shards in hand; any other with all shards (DESIGN §3): as in
//! Redis, only dearer.
//!
//! Invariant: doubt means [`Reach::Anything`]. (Should a judgement be wrong all the same, `session::script` refuses the command: no shard is touched that is not in hand.)
//! Bounds: linear in the text. Why so simple: scripts are short and most are written like that; a data-flow analysis would buy little.

use std::collections::HashMap;

use super::tokens::{Token, tokens};
use crate::command::row::{Row, flag};
use crate::command::rows;

/// What a script can touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only the keys it declares.
    Declared,
    /// Any key.
    Anything,
}

/// Fields of `redis` that touch nothing.
const HARMLESS: [&[u8]; 9] = [
    b"log",
    b"setresp",
    b"sha1hex",
    b"error_reply",
    b"status_reply",
    b"set_repl",
    b"replicate_commands",
    b"breakpoint",
    b"debug",
];
/// Names through which `redis` could be reached in other ways.
const DEVIOUS: [&[u8]; 4] = [b"_G", b"load", b"loadstring", b"__redis__err__handler"];

/// Longer texts are not judged, in bytes.
const TEXT_MAX: usize = 64 * 1024;
/// How far back the call is looked for that an argument stands in, in tokens.
const LOOK_BACK: usize = 512;
/// More locals than this are not followed.
const LOCALS_MAX: usize = 64;

/// Judges a script by its text (from its first line on).
pub fn reach_of(body: &[u8]) -> Reach {
    if body.len() > TEXT_MAX {
        return Reach::Anything;
    }
    let code = match body.strip_prefix(b"#!") {
        Some(_) => &body[memchr::memchr(b'\n', body).unwrap_or(body.len())..],
        None => body,
    };
    match tokens(code) {
        Some(list) if (Script { list: &list, keys: HashMap::new() }).finds_declared() => Reach::Declared,
        _ => Reach::Anything,
    }
}

struct Script<'a> {
    list: &'a [Token<'a>],
    /// Locals that hold a key, with how often their name is bound.
    keys: HashMap<&'a [u8], usize>,
}

impl<'a> Script<'a> {
    fn get(&self, at: usize) -> Option<Token<'a>> {
        self.list.get(at).copied()
    }

    fn is_sign(&self, at: usize, sign: u8) -> bool {
        self.get(at) == Some(Token::Sign(sign))
    }

    fn is_name(&self, at: usize, name: &[u8]) -> bool {
        self.get(at) == Some(Token::Name(name))
    }

    /// Whether token `at` is a field (`x.name`, `x:name`) and no variable.
    fn is_field(&self, at: usize) -> bool {
        at > 0 && matches!(self.get(at - 1), Some(Token::Sign(b'.' | b':')))
    }

    fn finds_declared(mut self) -> bool {
        self.find_locals();
        for at in 0..self.list.len() {
            let Some(Token::Name(name)) = self.get(at) else { continue };
            if self.is_field(at) {
                continue;
            }
            let fine = match name {
                b"redis" => self.redis_is_fine(at),
                b"KEYS" => self.keys_are_fine(at),
                b"unpack" => self.is_sign(at + 1, b'(') && !(at > 0 && self.is_name(at - 1, b"function")),
                _ => !DEVIOUS.contains(&name),
            };
            if !fine {
                return false;
            }
        }
        true
    }

    /// Finds `local a = KEYS[…]`, and drops every such name that is bound or assigned anywhere else.
    fn find_locals(&mut self) {
        for at in 0..self.list.len() {
            if self.is_name(at, b"local")
                && let Some(Token::Name(name)) = self.get(at + 1)
                && self.is_sign(at + 2, b'=')
                && let Some(end) = self.element_end(at + 3)
                && self.ends_expression(end)
            {
                *self.keys.entry(name).or_default() += 1;
            }
        }
        if self.keys.len() > LOCALS_MAX {
            self.keys.clear();
        }
        let names: Vec<&[u8]> = self.keys.keys().copied().collect();
        for name in names {
            if self.binding_count(name) != 1 {
                self.keys.remove(name);
            }
        }
    }

    /// How often `name` may be bound: every place but those where it clearly is only read.
    fn binding_count(&self, name: &[u8]) -> usize {
        let places = (0..self.list.len()).filter(|&at| self.is_name(at, name) && !self.is_field(at));
        places
            .filter(|&at| {
                // Read: an argument or operand, closed by a sign that cannot belong to a list of names.
                let before = at.checked_sub(1).and_then(|at| self.get(at));
                let is_argument =
                    matches!(before, Some(Token::Sign(b'(' | b',' | b'[' | b'{' | b'='))) && self.in_call(at);
                let is_operand =
                    matches!(
                        before,
                        Some(Token::Joins | Token::Compares | Token::Sign(b'+' | b'-' | b'*' | b'/' | b'#'))
                    ) || matches!(before, Some(Token::Name(b"return" | b"not" | b"and" | b"or" | b"if")));
                !(is_argument || is_operand)
            })
            .count()
    }

    /// Whether token `at` lies directly in the arguments of a call of `redis`.
    fn in_call(&self, at: usize) -> bool {
        let mut depth = 0;
        for before in (at.saturating_sub(LOOK_BACK)..at).rev() {
            match self.get(before) {
                Some(Token::Sign(b')' | b']' | b'}')) => depth += 1,
                Some(Token::Sign(b'(')) if depth == 0 => {
                    let is_call = matches!(
                        before.checked_sub(1).and_then(|at| self.get(at)),
                        Some(Token::Name(b"call" | b"pcall"))
                    );
                    return is_call && self.is_field(before - 1);
                }
                Some(Token::Sign(b'(' | b'[' | b'{')) => {
                    if depth == 0 {
                        return false;
                    }
                    depth -= 1;
                }
                _ => {}
            }
        }
        false
    }

    /// The end of `KEYS[…]` at `at`, one past its bracket.
    fn element_end(&self, at: usize) -> Option<usize> {
        if !self.is_name(at, b"KEYS") || !self.is_sign(at + 1, b'[') {
            return None;
        }
        let mut depth = 0;
        for end in at + 1..self.list.len() {
            match self.get(end)? {
                Token::Sign(b'[' | b'(' | b'{') => depth += 1,
                Token::Sign(b']' | b')' | b'}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(end + 1);
            }
        }
        None
    }

    /// Whether an expression is over at `at`: what follows cannot go on with it.
    fn ends_expression(&self, at: usize) -> bool {
        match self.get(at) {
            None | Some(Token::Sign(b')' | b';' | b'}')) => true,
            Some(Token::Name(name)) => !matches!(name, b"and" | b"or"),
            _ => false,
        }
    }

    /// `KEYS` may be read by index or counted, or spread out as the arguments of a command.
    fn keys_are_fine(&self, at: usize) -> bool {
        if at > 0 && self.is_sign(at - 1, b'#') {
            return true;
        }
        let is_unpacked = at > 1
            && self.is_sign(at - 1, b'(')
            && self.is_name(at - 2, b"unpack")
            && self.is_sign(at + 1, b')');
        if is_unpacked {
            return true;
        }
        let Some(end) = self.element_end(at) else { return false };
        // Read, not written: something before it wants a value, and no assignment follows.
        let before = at.checked_sub(1).and_then(|at| self.get(at));
        let is_read = match before {
            Some(Token::Sign(b'(' | b'=' | b'{' | b'[' | b'+' | b'-' | b'*' | b'/')) => true,
            Some(Token::Joins | Token::Compares) => true,
            Some(Token::Sign(b',')) => self.in_call(at),
            Some(Token::Name(b"return" | b"not" | b"and" | b"or" | b"if" | b"while" | b"until")) => true,
            _ => false,
        };
        is_read && !self.is_sign(end, b'=') && !self.is_sign(end, b'[') && !self.is_sign(end, b'.')
    }

    /// `redis` may be used for its constants, its harmless functions, and for commands whose keys are declared.
    fn redis_is_fine(&self, at: usize) -> bool {
        let (true, Some(Token::Name(field))) = (self.is_sign(at + 1, b'.'), self.get(at + 2)) else {
            return false;
        };
        if field.starts_with(b"LOG_") || field.starts_with(b"REPL_") || field.starts_with(b"REDIS_") {
            return true;
        }
        if HARMLESS.contains(&field) {
            return self.is_sign(at + 3, b'(');
        }
        matches!(field, b"call" | b"pcall") && self.is_sign(at + 3, b'(') && self.call_is_fine(at + 4)
    }

    /// The first tokens of the arguments from `at` on, and the index one past the last argument.
    fn arguments(&self, at: usize) -> Option<Vec<(usize, usize)>> {
        let (mut list, mut start, mut depth) = (Vec::new(), at, 0);
        for end in at..self.list.len() {
            match self.get(end)? {
                Token::Sign(b'(' | b'[' | b'{') => depth += 1,
                Token::Sign(b')') if depth == 0 => {
                    list.push((start, end));
                    return Some(list);
                }
                Token::Sign(b')' | b']' | b'}') => depth -= 1,
                Token::Sign(b',') if depth == 0 => {
                    list.push((start, end));
                    start = end + 1;
                }
                // A block inside an argument (a function) is more than this judge reads.
                Token::Name(b"function") => return None,
                _ => {}
            }
        }
        None
    }

    fn call_is_fine(&self, at: usize) -> bool {
        let Some(arguments) = self.arguments(at) else { return false };
        let (start, end) = arguments[0];
        let (Some(Token::Text(Some(name))), 1) = (self.get(start), end - start) else { return false };
        let Some(row) = rows::all().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name)) else {
            return false;
        };
        if !row.subcommands.is_empty() || row.has(flag::MOVABLEKEYS | flag::BLOCKING) {
            return false;
        }
        if row.first_key == 0 {
            // Without keys: fine if it is none of those that look at all shards.
            return row.handler.is_none() || row.has(flag::PUBSUB);
        }
        self.keys_declared(row, &arguments)
    }

    fn keys_declared(&self, row: &Row, arguments: &[(usize, usize)]) -> bool {
        let is_open = row.last_key < 0;
        let (last_start, last_end) = arguments[arguments.len() - 1];
        if is_open && self.may_be_many(last_start, last_end) {
            // Only all declared keys at once.
            let is_all = self.is_name(last_start, b"unpack")
                && self.is_name(last_start + 2, b"KEYS")
                && last_end - last_start == 4;
            if !is_all || row.step != 1 || row.last_key != -1 {
                return false;
            }
        }
        let count = arguments.len() as i64;
        let last = if is_open { count + row.last_key as i64 } else { row.last_key as i64 };
        let step = (row.step as usize).max(1);
        (row.first_key as i64..=last.min(count - 1)).step_by(step).all(|index| {
            let (start, end) = arguments[index as usize];
            // What may be several values may put a key where no argument is written.
            if index < last && index == count - 1 && self.may_be_many(start, end) && !is_open {
                return false;
            }
            self.is_key(start, end)
        }) && (is_open || last < count || !self.may_be_many(last_start, last_end))
    }

    /// Whether an argument may be several values: a call, or `...`.
    fn may_be_many(&self, start: usize, end: usize) -> bool {
        (start..end).any(|at| self.get(at) == Some(Token::Rest)) || end > start && self.is_sign(end - 1, b')')
    }

    /// Whether an argument is a declared key, or all of them.
    fn is_key(&self, start: usize, end: usize) -> bool {
        if self.element_end(start) == Some(end) {
            return true;
        }
        match (self.get(start), end - start) {
            (Some(Token::Name(name)), 1) => self.keys.contains_key(name),
            (Some(Token::Name(b"unpack")), 4) => self.is_name(start + 2, b"KEYS"),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, reach_of};

    #[test]
    fn plain_scripts_touch_what_they_declare() {
        let declared = [
            "return 1",
            "return redis.call('get', KEYS[1])",
            "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])",
            "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end",
            "local key = KEYS[1]\nlocal n = redis.call('incr', key)\nif n == 1 then redis.call('expire', key, ARGV[1]) end return n",
            "local a = KEYS[1] local b = KEYS[2] redis.call('set', a, redis.call('get', b) .. 'x')",
            "return redis.call('del', unpack(KEYS))",
            "return redis.call('mset', KEYS[1], 1, KEYS[2], 2)",
            "redis.call('publish', 'c', KEYS[1]) return redis.call('TIME')",
            "for i = 1, #KEYS do redis.call('incr', KEYS[i]) end",
            "redis.log(redis.LOG_NOTICE, 'redis.call(\"get\", x)') -- redis[1]\nreturn cjson.encode({KEYS[1]})",
            "return redis.call('set', KEYS[1], table.concat(ARGV))",
        ];
        for text in declared {
            assert_eq!(reach_of(text.as_bytes()), Reach::Declared, "{text}");
        }
    }

    #[test]
    fn doubt_means_anything() {
        let doubtful = [
            "return redis.call('get', 'k')",
            "return redis.call('get', KEYS[1] .. 'x')",
            "return redis.call('get', ARGV[1])",
            "return redis.call(ARGV[1], KEYS[1])",
            "local call = redis.call return call('get', KEYS[1])",
            "return redis['call']('get', 'x')",
            "return _G.redis.call('get', 'x')",
            "KEYS[1] = 'x' return redis.call('get', KEYS[1])",
            "a, KEYS[1] = 1, 'x' return redis.call('get', KEYS[1])",
            "KEYS[1], a = 'x', 1 return redis.call('get', KEYS[1])",
            "x, KEYS[1], y = 1, 'x', 2 return redis.call('get', KEYS[1])",
            "table.insert(KEYS, 'x') return redis.call('get', KEYS[2])",
            "local k = KEYS k[1] = 'x' return redis.call('get', KEYS[1])",
            "local k = KEYS[1] k = 'x' return redis.call('get', k)",
            "local k = KEYS[1] local k = 'x' return redis.call('get', k)",
            "local k = KEYS[1] local function f(k) return redis.call('get', k) end return f('x')",
            "local k = KEYS[1] for k, v in pairs({}) do redis.call('get', k) end",
            "local k = KEYS[1] local a, k = 1, 'x' redis.call('get', k)",
            "local k = KEYS[1] .. 'x' return redis.call('get', k)",
            "local k = KEYS[1] or 'x' return redis.call('get', k)",
            "return redis.call('dbsize')",
            "return redis.call('keys', '*')",
            "return redis.call('del', KEYS[1], unpack(ARGV))",
            "return redis.call('del', ...)",
            "return redis.call('rename', unpack(ARGV))",
            "return redis.call('rename', KEYS[1], 'x')",
            "return redis.call('zunionstore', KEYS[1], 2, KEYS[2], KEYS[3])",
            "return loadstring('return redis')().call('get', 'x')",
            "return redis.call('get', 'unfinished)",
            "return pcall(redis.call, 'get', 'x')",
            "setmetatable(KEYS, {}) return redis.call('get', KEYS[1])",
            "return redis.call('object', 'encoding', 'x')",
            "local unpack = function() return 'x' end return redis.call('del', unpack(KEYS))",
            "local function unpack() return 'x' end return redis.call('del', unpack(KEYS))",
        ];
        for text in doubtful {
            assert_eq!(reach_of(text.as_bytes()), Reach::Anything, "{text}");
        }
    }
}
