//! RESP2/RESP3 replies as the tests see them: the raw bytes and a parsed value.
//!
//! Called by `client` and by every comparer. It is deliberately not the server's own parser: a bug shared by
//! writer and reader would be invisible. Bounds: nesting below 64, lengths as the wire says (trusted peer: a test's server).

/// One parsed reply. Text stays bytes: byte equality is what the tests judge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `+text`
    Simple(Vec<u8>),
    /// `-text`
    Error(Vec<u8>),
    /// `:n`
    Int(i64),
    /// `$n`
    Bulk(Vec<u8>),
    /// `$-1` or `_`
    Null,
    /// `*-1`
    NullArray,
    /// `*n`
    Array(Vec<Value>),
    /// `%n`
    Map(Vec<(Value, Value)>),
    /// `~n`
    Set(Vec<Value>),
    /// `>n`
    Push(Vec<Value>),
    /// `,text`
    Double(Vec<u8>),
    /// `#t`
    Bool(bool),
    /// `(n`
    BigNumber(Vec<u8>),
    /// `=n` with its three-letter format in front
    Verbatim(Vec<u8>),
    /// `!n`
    BlobError(Vec<u8>),
    /// `|n` in front of a reply
    Attribute(Vec<(Value, Value)>, Box<Value>),
}

/// Why bytes are not (yet) a reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// More bytes are needed; the hint says how long the buffer must be at least.
    More(usize),
    /// Not RESP at all.
    Broken(String),
}

impl Value {
    /// True for `-` and `!` replies.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_) | Value::BlobError(_))
    }

    /// True for the three spellings of nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null | Value::NullArray)
    }

    /// The bytes of a text-like reply.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(text) | Value::Error(text) | Value::Bulk(text) | Value::Double(text) => Some(text),
            Value::BigNumber(text) | Value::BlobError(text) => Some(text),
            Value::Verbatim(text) => text.get(4..),
            _ => None,
        }
    }

    /// Text, lossily, for messages and INFO parsing.
    pub fn text(&self) -> String {
        self.bytes().map_or_else(|| format!("{self:?}"), |bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The integer of `:n` or of a bulk that holds one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            other => std::str::from_utf8(other.bytes()?).ok()?.parse().ok(),
        }
    }

    /// The elements of an array, set or push.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => Some(items),
            _ => None,
        }
    }

    /// Name of the wire type, for shape comparisons and tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Simple(_) => "simple",
            Value::Error(_) => "error",
            Value::Int(_) => "integer",
            Value::Bulk(_) => "bulk",
            Value::Null => "null",
            Value::NullArray => "null array",
            Value::Array(_) => "array",
            Value::Map(_) => "map",
            Value::Set(_) => "set",
            Value::Push(_) => "push",
            Value::Double(_) => "double",
            Value::Bool(_) => "boolean",
            Value::BigNumber(_) => "big number",
            Value::Verbatim(_) => "verbatim",
            Value::BlobError(_) => "blob error",
            Value::Attribute(_, inner) => inner.kind(),
        }
    }
}

/// Parses one reply at `start`; gives the value and the position behind it.
pub fn parse(buffer: &[u8], start: usize) -> Result<(Value, usize), Incomplete> {
    let Some(line_length) = memchr::memchr(b'\n', &buffer[start.min(buffer.len())..]) else {
        return Err(Incomplete::More(buffer.len() + 1));
    };
    let after = start + line_length + 1;
    let line = &buffer[start..after];
    if line.len() < 3 || line[line.len() - 2] != b'\r' {
        return Err(broken("reply line", line));
    }
    let rest = &line[1..line.len() - 2];
    match line[0] {
        b'+' => Ok((Value::Simple(rest.to_vec()), after)),
        b'-' => Ok((Value::Error(rest.to_vec()), after)),
        b',' => Ok((Value::Double(rest.to_vec()), after)),
        b'(' => Ok((Value::BigNumber(rest.to_vec()), after)),
        b'_' if rest.is_empty() => Ok((Value::Null, after)),
        b'#' if rest == b"t" || rest == b"f" => Ok((Value::Bool(rest == b"t"), after)),
        b':' => Ok((Value::Int(number(rest)?), after)),
        b'$' | b'=' | b'!' => parse_blob(buffer, line[0], number(rest)?, after),
        b'*' | b'~' | b'>' => parse_items(buffer, line[0], number(rest)?, after),
        b'%' | b'|' => parse_map(buffer, line[0], number(rest)?, after),
        _ => Err(broken("reply type", line)),
    }
}

fn broken(what: &str, line: &[u8]) -> Incomplete {
    Incomplete::Broken(format!("{what}: {:?}", String::from_utf8_lossy(line)))
}

fn number(text: &[u8]) -> Result<i64, Incomplete> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(|| broken("length", text))
}

fn parse_blob(buffer: &[u8], kind: u8, length: i64, at: usize) -> Result<(Value, usize), Incomplete> {
    if length == -1 && kind == b'$' {
        return Ok((Value::Null, at));
    }
    let end =
        at + usize::try_from(length).map_err(|_| broken("bulk length", length.to_string().as_bytes()))?;
    if buffer.len() < end + 2 {
        return Err(Incomplete::More(end + 2));
    }
    if &buffer[end..end + 2] != b"\r\n" {
        return Err(broken("bulk end", &buffer[at..end + 2]));
    }
    let bytes = buffer[at..end].to_vec();
    let value = match kind {
        b'$' => Value::Bulk(bytes),
        b'=' => Value::Verbatim(bytes),
        _ => Value::BlobError(bytes),
    };
    Ok((value, end + 2))
}

fn parse_items(buffer: &[u8], kind: u8, count: i64, at: usize) -> Result<(Value, usize), Incomplete> {
    if count == -1 && kind == b'*' {
        return Ok((Value::NullArray, at));
    }
    let mut items = Vec::new();
    let mut position = at;
    for _ in 0..count {
        let (item, next) = parse(buffer, position)?;
        items.push(item);
        position = next;
    }
    let value = match kind {
        b'*' => Value::Array(items),
        b'~' => Value::Set(items),
        _ => Value::Push(items),
    };
    Ok((value, position))
}

fn parse_map(buffer: &[u8], kind: u8, count: i64, at: usize) -> Result<(Value, usize), Incomplete> {
    let mut pairs = Vec::new();
    let mut position = at;
    for _ in 0..count {
        let (key, after_key) = parse(buffer, position)?;
        let (value, after_value) = parse(buffer, after_key)?;
        pairs.push((key, value));
        position = after_value;
    }
    if kind == b'|' {
        let (value, end) = parse(buffer, position)?;
        return Ok((Value::Attribute(pairs, Box::new(value)), end));
    }
    Ok((Value::Map(pairs), position))
}

/// Bytes as a readable, escaped line, cut at `limit`.
pub fn show(bytes: &[u8], limit: usize) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(limit) {
        text.extend(std::ascii::escape_default(*byte).map(char::from));
    }
    if bytes.len() > limit {
        text.push_str(&format!("… ({} bytes)", bytes.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_reply_is_incomplete() {
        let whole = b"*3\r\n:1\r\n%1\r\n+a\r\n$2\r\nxy\r\n~1\r\n,1.5\r\n";
        for cut in 0..whole.len() {
            assert!(matches!(parse(&whole[..cut], 0), Err(Incomplete::More(_))), "cut at {cut}");
        }
        assert_eq!(parse(whole, 0).map(|(_, end)| end), Ok(whole.len()));
    }
}
