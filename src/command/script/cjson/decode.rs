//! JSON text -> Lua value.
//!
//! Called as `cjson.decode`. Invariant: every error names what was expected, what was found and where, as lua-cjson does. Bounds: `decode_max_depth` and the Lua
//! stack. Objects and arrays grow from empty tables, so that iterating them gives redis' order.

use super::super::stack::{Native, Raise, Stack};
use super::{Options, with_options};

/// `cjson.decode(text)`
pub fn decode(stack: &mut Stack<'_>) -> Native {
    if stack.top() != 1 {
        return Err(Raise::Argument(1, c"expected 1 argument"));
    }
    let options = with_options(stack, |options| options.clone());
    let text = stack.coerced(1).map(<[u8]>::to_vec).ok_or(Raise::Type(1, c"string"))?;
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return stack.fail("JSON parser does not support UTF-16 or UTF-32");
    }
    let mut parser = Parser { text: &text, at: 0, depth: 0, options: &options };
    let token = parser.next();
    parser.value(stack, token)?;
    let token = parser.next();
    if !matches!(token.what, What::End) {
        return parser.unexpected(stack, "the end", &token);
    }
    Ok(1)
}

/// What a token is.
enum What {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

struct Token {
    what: What,
    at: usize,
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            What::ObjectBegin => "T_OBJ_BEGIN",
            What::ObjectEnd => "T_OBJ_END",
            What::ArrayBegin => "T_ARR_BEGIN",
            What::ArrayEnd => "T_ARR_END",
            What::Text(_) => "T_STRING",
            What::Number(_) => "T_NUMBER",
            What::Boolean(_) => "T_BOOLEAN",
            What::Null => "T_NULL",
            What::Colon => "T_COLON",
            What::Comma => "T_COMMA",
            What::End => "T_END",
            What::Error(what) => what,
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: i64,
    options: &'a Options,
}

impl Parser<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.at.min(self.text.len())..]
    }

    fn next(&mut self) -> Token {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        let token = |what| Token { what, at };
        let single = match self.peek() {
            b'{' => Some(What::ObjectBegin),
            b'}' => Some(What::ObjectEnd),
            b'[' => Some(What::ArrayBegin),
            b']' => Some(What::ArrayEnd),
            b':' => Some(What::Colon),
            b',' => Some(What::Comma),
            _ => None,
        };
        if let Some(what) = single {
            self.at += 1;
            return token(what);
        }
        match self.peek() {
            0 => token(if at < self.text.len() { What::Error("invalid token") } else { What::End }),
            b'"' => self.string(at),
            b'-' | b'0'..=b'9' => {
                if !self.options.decode_invalid && self.is_invalid_number() {
                    return token(What::Error("invalid number"));
                }
                self.number(at)
            }
            _ if self.rest().starts_with(b"true") => self.word(4, What::Boolean(true)),
            _ if self.rest().starts_with(b"false") => self.word(5, What::Boolean(false)),
            _ if self.rest().starts_with(b"null") => self.word(4, What::Null),
            b'+' | b'i' | b'I' | b'n' | b'N' if self.options.decode_invalid && self.is_invalid_number() => {
                self.number(at)
            }
            _ => token(What::Error("invalid token")),
        }
    }

    fn word(&mut self, len: usize, what: What) -> Token {
        let at = self.at;
        self.at += len;
        Token { what, at }
    }

    /// Whether the number here is one that C reads but JSON does not know.
    fn is_invalid_number(&self) -> bool {
        let rest = self.rest();
        if rest.first() == Some(&b'+') {
            return true;
        }
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        match rest.first() {
            Some(b'0') => rest.get(1).is_some_and(|next| matches!(next, b'x' | b'X' | b'0'..=b'9')),
            Some(byte) if *byte <= b'9' => false,
            _ => {
                let word = rest.get(..3).unwrap_or_default();
                word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
            }
        }
    }

    fn number(&mut self, at: usize) -> Token {
        match read_number(self.rest()) {
            Some((value, len)) => {
                self.at += len;
                Token { what: What::Number(value), at }
            }
            None => Token { what: What::Error("invalid number"), at },
        }
    }

    fn string(&mut self, at: usize) -> Token {
        self.at += 1;
        let mut value = Vec::new();
        loop {
            let rest = self.rest();
            let plain = memchr::memchr3(b'"', b'\\', 0, rest).unwrap_or(rest.len());
            value.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Token { what: What::Text(value), at };
                }
                b'\\' => {
                    if let Err(what) = self.escape(&mut value) {
                        return Token { what: What::Error(what), at: self.at };
                    }
                }
                _ => return Token { what: What::Error("unexpected end of string"), at: self.at },
            }
        }
    }

    /// Decodes the escape at hand.
    fn escape(&mut self, value: &mut Vec<u8>) -> Result<(), &'static str> {
        let byte = match self.text.get(self.at + 1).copied().unwrap_or(0) {
            b'u' => return self.unicode(value),
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            _ => return Err("invalid escape code"),
        };
        value.push(byte);
        self.at += 2;
        Ok(())
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        digits.iter().try_fold(0, |sum, &byte| Some(sum * 16 + char::from(byte).to_digit(16)?))
    }

    fn unicode(&mut self, value: &mut Vec<u8>) -> Result<(), &'static str> {
        const BAD: &str = "invalid unicode escape code";
        let mut code = self.hex(self.at + 2).ok_or(BAD)?;
        let mut len = 6;
        if code & 0xf800 == 0xd800 {
            // The first of a surrogate pair: the second must follow.
            let is_first = code & 0x400 == 0 && self.text.get(self.at + 6..self.at + 8) == Some(b"\\u");
            let second = self.hex(self.at + 8).filter(|second| is_first && second & 0xfc00 == 0xdc00);
            code = ((code & 0x3ff) << 10 | (second.ok_or(BAD)? & 0x3ff)) + 0x1_0000;
            len = 12;
        }
        let letter = char::from_u32(code).ok_or(BAD)?;
        value.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += len;
        Ok(())
    }

    fn unexpected<T>(&self, stack: &mut Stack<'_>, wanted: &str, token: &Token) -> Result<T, Raise> {
        let (found, at) = (token.what.name(), token.at + 1);
        stack.fail(format!("Expected {wanted} but found {found} at character {at}"))
    }

    /// Pushes the value that begins with `token`.
    fn value(&mut self, stack: &mut Stack<'_>, token: Token) -> Result<(), Raise> {
        match token.what {
            What::Text(text) => stack.push_bytes(text),
            What::Number(value) => stack.push_number(value),
            What::Boolean(value) => stack.push_bool(value),
            What::Null => stack.push_null(),
            What::ObjectBegin => return self.object(stack),
            What::ArrayBegin => return self.array(stack),
            _ => return self.unexpected(stack, "value", &token),
        }
        Ok(())
    }

    fn descend(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        self.depth += 1;
        if self.depth <= self.options.decode_max_depth && stack.reserve(6) {
            return Ok(());
        }
        let text = format!("Found too many nested data structures ({}) at character {}", self.depth, self.at);
        stack.fail(text)
    }

    fn object(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        self.descend(stack)?;
        stack.new_table(0, 0);
        let mut token = self.next();
        if matches!(token.what, What::ObjectEnd) {
            self.depth -= 1;
            return Ok(());
        }
        loop {
            let What::Text(key) = token.what else {
                return self.unexpected(stack, "object key string", &token);
            };
            stack.push_bytes(key);
            let colon = self.next();
            if !matches!(colon.what, What::Colon) {
                return self.unexpected(stack, "colon", &colon);
            }
            let first = self.next();
            self.value(stack, first)?;
            stack.raw_set(-3);
            let end = self.next();
            match end.what {
                What::ObjectEnd => break,
                What::Comma => token = self.next(),
                _ => return self.unexpected(stack, "comma or object end", &end),
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        self.descend(stack)?;
        stack.new_table(0, 0);
        let mut token = self.next();
        if matches!(token.what, What::ArrayEnd) {
            self.depth -= 1;
            return Ok(());
        }
        for item in 1.. {
            self.value(stack, token)?;
            stack.raw_set_item(-2, item);
            let end = self.next();
            match end.what {
                What::ArrayEnd => break,
                What::Comma => token = self.next(),
                _ => return self.unexpected(stack, "comma or array end", &end),
            }
        }
        self.depth -= 1;
        Ok(())
    }
}

/// The number `text` begins with, as C's strtod reads it, and its length.
fn read_number(text: &[u8]) -> Option<(f64, usize)> {
    let signed = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let is_negative = text.first() == Some(&b'-');
    let give = |value: f64, len: usize| Some((if is_negative { -value } else { value }, len));
    let rest = &text[signed..];
    let begins = |word: &[u8]| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if begins(b"infinity") {
        return give(f64::INFINITY, signed + 8);
    }
    if begins(b"inf") {
        return give(f64::INFINITY, signed + 3);
    }
    if begins(b"nan") {
        return give(f64::NAN, signed + 3);
    }
    if begins(b"0x") && rest.get(2).is_some_and(u8::is_ascii_hexdigit) {
        let digits = rest[2..].iter().take_while(|byte| byte.is_ascii_hexdigit());
        let len = digits.clone().count();
        let value =
            digits.fold(0.0, |sum, &byte| sum * 16.0 + char::from(byte).to_digit(16).unwrap_or(0) as f64);
        return give(value, signed + 2 + len);
    }
    let count =
        |from: usize| rest[from.min(rest.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = count(0);
    let mut len = whole;
    let mut digits = whole;
    if rest.get(len) == Some(&b'.') {
        let fraction = count(len + 1);
        digits += fraction;
        len += 1 + fraction;
    }
    if digits == 0 {
        return None;
    }
    if matches!(rest.get(len), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(rest.get(len + 1), Some(b'-' | b'+')));
        let exponent = count(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    let value: f64 = std::str::from_utf8(&rest[..len]).ok()?.parse().ok()?;
    give(value, signed + len)
}
