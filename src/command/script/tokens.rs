//! A script's text as tokens, as far as `analysis` needs them.
//!
//! Invariant: where Lua's own reader would see a name, a string or a sign, so does this one; a text it cannot read (an unfinished string) gives no tokens at all.
//! Bounds: one token per few bytes of text. Why not Lua's own parser: it makes byte code, which tells less.

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A name or keyword.
    Name(&'a [u8]),
    /// A string without escapes; one with escapes is `None`.
    Text(Option<&'a [u8]>),
    /// A number.
    Number,
    /// A sign of one byte; of longer ones the first byte, `=` for an assignment only.
    Sign(u8),
    /// `==`, `~=`, `<=`, `>=`.
    Compares,
    /// `..`
    Joins,
    /// `...`
    Rest,
}

/// All tokens of a text; `None` if it cannot be read.
pub fn tokens(text: &[u8]) -> Option<Vec<Token<'_>>> {
    let mut list = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let len = match byte {
            b' ' | b'\t'..=b'\r' => 1,
            b'-' if rest.starts_with(b"--") => comment_len(rest)?,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let len =
                    rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                list.push(Token::Name(&rest[..len]));
                len
            }
            b'0'..=b'9' => number(rest, &mut list),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => number(rest, &mut list),
            b'"' | b'\'' => {
                let (len, is_plain) = quoted_len(rest)?;
                list.push(Token::Text(is_plain.then(|| &rest[1..len - 1])));
                len
            }
            b'[' if long_level(rest).is_some() => {
                let level = long_level(rest)?;
                let len = long_len(rest, level)?;
                list.push(Token::Text(None));
                len
            }
            _ => {
                let (token, len) = match rest {
                    [b'.', b'.', b'.', ..] => (Token::Rest, 3),
                    [b'.', b'.', ..] => (Token::Joins, 2),
                    [b'=' | b'~' | b'<' | b'>', b'=', ..] => (Token::Compares, 2),
                    _ => (Token::Sign(byte), 1),
                };
                list.push(token);
                len
            }
        };
        at += len;
    }
    Some(list)
}

fn number<'a>(rest: &'a [u8], list: &mut Vec<Token<'a>>) -> usize {
    list.push(Token::Number);
    let mut len = 0;
    while let Some(byte) = rest.get(len) {
        let is_sign =
            matches!(byte, b'+' | b'-') && matches!(rest[len.saturating_sub(1)], b'e' | b'E') && len > 0;
        if !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'_') && !is_sign {
            break;
        }
        len += 1;
    }
    len
}

/// The number of `=` in the opening bracket of a long string, if there is one.
fn long_level(rest: &[u8]) -> Option<usize> {
    let level = rest[1..].iter().take_while(|byte| **byte == b'=').count();
    (rest.get(1 + level) == Some(&b'[')).then_some(level)
}

fn long_len(rest: &[u8], level: usize) -> Option<usize> {
    let close = [&b"]"[..], &b"=".repeat(level), b"]"].concat();
    let start = level + 2;
    memchr::memmem::find(rest.get(start..)?, &close).map(|at| start + at + close.len())
}

fn comment_len(rest: &[u8]) -> Option<usize> {
    if rest.get(2) == Some(&b'[')
        && let Some(level) = long_level(&rest[2..])
    {
        return long_len(&rest[2..], level).map(|len| len + 2);
    }
    Some(memchr::memchr(b'\n', rest).unwrap_or(rest.len()))
}

/// The length of a quoted string and whether it has no escapes.
fn quoted_len(rest: &[u8]) -> Option<(usize, bool)> {
    let (mut at, mut is_plain) = (1, true);
    loop {
        match *rest.get(at)? {
            byte if byte == rest[0] => return Some((at + 1, is_plain)),
            b'\\' => {
                is_plain = false;
                at += 2;
            }
            b'\n' => return None,
            _ => at += 1,
        }
    }
}
