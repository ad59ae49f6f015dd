//! The table format of byte-exact tests: request lines and the exact replies in a readable notation.
//!
//! Called by main for each `*.txt` here. One case:
//! ```text
//! == name of the case            @redis or @shoal: only there;  @serial: never delivered as one pipeline;
//!                                @needs=command: left out (and printed) while the server does not list the command
//! > SET k "a\r\nb"               a command on connection A (quoting as in inline commands)
//! < +OK                          its exact reply
//! B> GET k                       another connection
//! B< "a\r\nb"                    a bulk: always quoted
//! ! "PING\r\n"                   raw bytes on connection A
//! < closed                       the server closes
//! < silent                       no reply comes
//! sleep 20                       milliseconds
//! ```
//! Replies: `+text` `-text` `:n` `"bulk"` `nil` (`$-1`) `nil*` (`*-1`) `_` `#t` `,1.5` `(123` `="txt:…"` as on the wire;
//! `[ … ]` array, `~[ … ]` set, `>[ … ]` push, `%[ k v … ]` map; a simple string or error inside a list is quoted behind its sign (`+"OK"`).
//! Not exact: `any`, `any:kind`, `:1..9`, `in-any-order [ … ]`.

use crate::support::reply::Value;

/// What a step expects.
#[derive(Clone, Debug)]
pub enum Expected {
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// Anything of this kind (empty: anything at all).
    Any(String),
    /// An integer in this range.
    Range(i64, i64),
    /// These elements in any order.
    AnyOrder(Vec<Vec<u8>>),
    /// The server closes the connection.
    Closed,
    /// Nothing comes.
    Silent,
}

/// One line of a case.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send these bytes on this connection.
    Send(char, Vec<u8>),
    /// Read and judge.
    Expect(char, Expected),
    /// Wait.
    Sleep(u64),
}

/// One case of a table.
#[derive(Clone, Debug)]
pub struct Case {
    /// For messages: file and name.
    pub name: String,
    /// Tags behind `@`.
    pub tags: Vec<String>,
    /// What happens.
    pub steps: Vec<(usize, Step)>,
}

/// All cases of a file.
pub fn parse(file: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            let (tags, words): (Vec<&str>, Vec<&str>) =
                title.split_whitespace().partition(|word| word.starts_with('@'));
            let name = format!("{file}: {}", words.join(" "));
            cases.push(Case {
                name,
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                steps: Vec::new(),
            });
            continue;
        }
        let Some(case) = cases.last_mut() else { panic!("{file}:{number}: a step before the first case") };
        let step = parse_step(line).unwrap_or_else(|why| panic!("{file}:{number}: {why}: {line}"));
        case.steps.push((number, step));
    }
    cases
}

fn parse_step(line: &str) -> Result<Step, String> {
    if let Some(time) = line.strip_prefix("sleep ") {
        return time.trim().parse().map(Step::Sleep).map_err(|_| "milliseconds".to_owned());
    }
    let named = line.starts_with(|letter: char| letter.is_ascii_uppercase())
        && line[1..].starts_with(['>', '<', '!']);
    let connection = if named { line.chars().next().unwrap_or('A') } else { 'A' };
    let rest = if named { &line[1..] } else { line };
    let (sign, rest) = rest.split_at(1);
    let rest = rest.trim();
    match sign {
        ">" => Ok(Step::Send(connection, crate::support::client::encode(&split_quoted(rest)?))),
        "!" => {
            let parts = split_quoted(rest)?;
            Ok(Step::Send(connection, parts.concat()))
        }
        "<" => Ok(Step::Expect(connection, parse_expected(rest)?)),
        _ => Err("neither >, < nor !".to_owned()),
    }
}

fn parse_expected(text: &str) -> Result<Expected, String> {
    if let Some((low, high)) = text.strip_prefix(':').and_then(|range| range.split_once("..")) {
        let bounds = (low.parse(), high.parse());
        let (Ok(low), Ok(high)) = bounds else { return Err("range".to_owned()) };
        return Ok(Expected::Range(low, high));
    }
    if let Some(kind) = text.strip_prefix("any") {
        return Ok(Expected::Any(kind.trim_start_matches(':').to_owned()));
    }
    if let Some(list) = text.strip_prefix("in-any-order ") {
        let inner = list.trim().strip_prefix('[').and_then(|list| list.strip_suffix(']')).ok_or("list")?;
        let mut rest = inner.trim_start();
        let mut items = Vec::new();
        while !rest.is_empty() {
            let mut wire = Vec::new();
            rest = encode_one(rest, &mut wire, false)?.trim_start();
            items.push(wire);
        }
        return Ok(Expected::AnyOrder(items));
    }
    match text {
        "closed" => Ok(Expected::Closed),
        "silent" => Ok(Expected::Silent),
        _ => {
            let mut wire = Vec::new();
            let rest = encode_one(text, &mut wire, true)?;
            if rest.trim().is_empty() { Ok(Expected::Bytes(wire)) } else { Err(format!("left over: {rest}")) }
        }
    }
}

/// One reply in the notation to its bytes; gives what follows it. At the top a `+`, `-` or `(` takes the rest of the line.
fn encode_one<'a>(text: &'a str, wire: &mut Vec<u8>, is_top: bool) -> Result<&'a str, String> {
    for (open, kind) in [("[", '*'), ("~[", '~'), (">[", '>'), ("%[", '%')] {
        if let Some(inner) = text.strip_prefix(open) {
            return encode_list(inner, kind, wire);
        }
    }
    let first = text.chars().next().ok_or("a reply is missing")?;
    if first == '"' || text.starts_with("=\"") {
        let (bytes, rest) = take_quoted(text.trim_start_matches('='))?;
        let sign = if first == '"' { '$' } else { '=' };
        wire.extend_from_slice(format!("{sign}{}\r\n", bytes.len()).as_bytes());
        wire.extend_from_slice(&bytes);
        wire.extend_from_slice(b"\r\n");
        return Ok(rest);
    }
    if let Some(quoted) = text.strip_prefix(['+', '-']).filter(|rest| rest.starts_with('"')) {
        let (bytes, rest) = take_quoted(quoted)?;
        wire.push(first as u8);
        wire.extend_from_slice(&bytes);
        wire.extend_from_slice(b"\r\n");
        return Ok(rest);
    }
    if is_top && matches!(first, '+' | '-' | '(') {
        wire.extend_from_slice(text.as_bytes());
        wire.extend_from_slice(b"\r\n");
        return Ok("");
    }
    let end = text.find(' ').unwrap_or(text.len());
    let word = &text[..end];
    match word {
        "nil" => wire.extend_from_slice(b"$-1\r\n"),
        "nil*" => wire.extend_from_slice(b"*-1\r\n"),
        _ if word.starts_with([':', ',', '(', '#', '+', '-']) || word == "_" => {
            wire.extend_from_slice(word.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        _ => return Err(format!("not a reply: {word}")),
    }
    Ok(&text[end..])
}

fn encode_list<'a>(mut rest: &'a str, kind: char, wire: &mut Vec<u8>) -> Result<&'a str, String> {
    let mut body = Vec::new();
    let mut count = 0;
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix(']') {
            let count = if kind == '%' { count / 2 } else { count };
            wire.extend_from_slice(format!("{kind}{count}\r\n").as_bytes());
            wire.extend_from_slice(&body);
            return Ok(after);
        }
        rest = encode_one(rest, &mut body, false)?;
        count += 1;
    }
}

/// A double-quoted string with `\r \n \t \0 \" \\ \xHH` and `{N*x}` never interpreted; gives the rest of the text.
fn take_quoted(text: &str) -> Result<(Vec<u8>, &str), String> {
    let inner = text.strip_prefix('"').ok_or("a quote is missing")?;
    let mut bytes = Vec::new();
    let raw = inner.as_bytes();
    let mut at = 0;
    while at < raw.len() {
        match raw[at] {
            b'"' => return Ok((bytes, &inner[at + 1..])),
            b'\\' => {
                let escaped = *raw.get(at + 1).ok_or("an escape is cut")?;
                at += 1;
                match escaped {
                    b'r' => bytes.push(b'\r'),
                    b'n' => bytes.push(b'\n'),
                    b't' => bytes.push(b'\t'),
                    b'0' => bytes.push(0),
                    b'x' => {
                        let hex = inner.get(at + 1..at + 3).ok_or("hex")?;
                        bytes.push(u8::from_str_radix(hex, 16).map_err(|_| "hex")?);
                        at += 2;
                    }
                    other => bytes.push(other),
                }
            }
            byte => bytes.push(byte),
        }
        at += 1;
    }
    Err("a quote is not closed".to_owned())
}

/// Words at spaces; quoted ones may hold anything. `x*N` in quotes stays as it is; `@x*N` is x repeated N times.
fn split_quoted(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('"') {
            let (bytes, after) = take_quoted(rest)?;
            words.push(bytes);
            rest = after.trim_start();
            continue;
        }
        let end = rest.find(' ').unwrap_or(rest.len());
        let word = &rest[..end];
        let repeated = word.strip_prefix('@').and_then(|word| word.split_once('*'));
        match repeated.and_then(|(unit, count)| Some((unit, count.parse::<usize>().ok()?))) {
            Some((unit, count)) => words.push(unit.repeat(count).into_bytes()),
            None => words.push(word.as_bytes().to_vec()),
        }
        rest = rest[end..].trim_start();
    }
    Ok(words)
}

/// Judges a reply; None if it is as expected.
pub fn judge(expected: &Expected, raw: &[u8], value: &Value) -> Option<String> {
    let fits = match expected {
        Expected::Bytes(bytes) => bytes == raw,
        Expected::Any(kind) => kind.is_empty() || value.kind() == kind,
        Expected::Range(low, high) => matches!(value, Value::Int(number) if (low..=high).contains(&number)),
        Expected::AnyOrder(items) => {
            let mut wanted = items.clone();
            let mut found = split_items(raw, value);
            wanted.sort();
            found.sort();
            wanted == found
        }
        Expected::Closed | Expected::Silent => false,
    };
    let show = |bytes: &[u8]| crate::support::reply::show(bytes, 500);
    match expected {
        _ if fits => None,
        Expected::Bytes(bytes) => Some(format!("expected {}\n     got {}", show(bytes), show(raw))),
        other => Some(format!("expected {other:?}\n     got {}", show(raw))),
    }
}

/// The wire forms of the direct elements of a list reply.
fn split_items(raw: &[u8], value: &Value) -> Vec<Vec<u8>> {
    let count = match value {
        Value::Map(pairs) => pairs.len() * 2,
        other => other.items().map_or(0, <[Value]>::len),
    };
    let mut at = memchr::memchr(b'\n', raw).map_or(0, |end| end + 1);
    let mut items = Vec::new();
    for _ in 0..count {
        let Ok((_, end)) = crate::support::reply::parse(raw, at) else { break };
        items.push(raw[at..end].to_vec());
        at = end;
    }
    items
}

#[test]
fn notation_becomes_bytes() {
    let bytes = |text: &str| match parse_expected(text) {
        Ok(Expected::Bytes(bytes)) => String::from_utf8(bytes).expect("text"),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(bytes("-ERR a b"), "-ERR a b\r\n");
    assert_eq!(bytes(r#"[ "a" :1 nil +"OK" [ ] ]"#), "*5\r\n$1\r\na\r\n:1\r\n$-1\r\n+OK\r\n*0\r\n");
    assert_eq!(bytes(r#"%[ "a" ,1.5 ]"#), "%1\r\n$1\r\na\r\n,1.5\r\n");
}
