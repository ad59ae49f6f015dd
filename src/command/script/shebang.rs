//! The first line of a script or library: `#!lua name=mylib flags=no-writes,allow-oom`.
//!
//! `registry` reads it when a script or library becomes known. Invariant: texts are redis 7.0.15's. Bounds: none.

use super::room::Flags;

/// What the first line of a script says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Flags; without a first line those of a script of old.
    pub flags: Flags,
    /// Bytes to leave out when compiling (the line's end stays, so that lines keep their numbers).
    pub skip: usize,
}

/// The names of flags with their bits, in the order FUNCTION LIST shows them.
pub const FLAG_NAMES: [(&str, u32); 5] = [
    ("no-writes", Flags::NO_WRITES),
    ("allow-oom", Flags::ALLOW_OOM),
    ("allow-stale", Flags::ALLOW_STALE),
    ("no-cluster", Flags::NO_CLUSTER),
    ("allow-cross-slot-keys", Flags::ALLOW_CROSS_SLOT_KEYS),
];

/// The bit of a flag.
pub fn flag(name: &[u8]) -> Option<u32> {
    FLAG_NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, bit)| *bit)
}

/// The words of a first line; `None` if its quotes do not close.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    crate::resp::inline::split_words(line)
}

/// Reads the first line of a script.
///
/// Errors: the text of the refusal.
pub fn of_script(body: &[u8]) -> Result<Header, Vec<u8>> {
    if !body.starts_with(b"#!") {
        return Ok(Header { flags: Flags(Flags::COMPATIBLE), skip: 0 });
    }
    let Some(end) = memchr::memchr(b'\n', body) else {
        return Err(b"ERR Invalid script shebang".to_vec());
    };
    let Some(words) = words(&body[..end]) else {
        return Err(b"ERR Invalid engine in script shebang".to_vec());
    };
    let (engine, options) =
        words.split_first().map_or((&b""[..], &[][..]), |(first, rest)| (&first[..], rest));
    if engine != b"#!lua" {
        return Err([b"ERR Unexpected engine in script shebang: ", engine].concat());
    }
    let mut bits = 0;
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err([b"ERR Unknown lua shebang option: ", &option[..]].concat());
        };
        if names.is_empty() {
            continue;
        }
        for name in names.split(|&byte| byte == b',') {
            bits |= flag(name).ok_or_else(|| [b"ERR Unexpected flag in script shebang: ", name].concat())?;
        }
    }
    Ok(Header { flags: Flags(bits), skip: end })
}

/// Reads the first line of a library: its name, and where its code begins.
///
/// Errors: the text of the refusal.
pub fn of_library(code: &[u8]) -> Result<(Vec<u8>, usize), Vec<u8>> {
    if !code.starts_with(b"#!") {
        return Err(b"ERR Missing library metadata".to_vec());
    }
    let Some(end) = memchr::memchr(b'\n', code) else {
        return Err(b"ERR Invalid library metadata".to_vec());
    };
    let Some(words) = words(&code[..end]).filter(|words| !words.is_empty()) else {
        return Err(b"ERR Invalid library metadata".to_vec());
    };
    let mut name: Option<Vec<u8>> = None;
    for word in &words[1..] {
        let is_name = word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"name="));
        match is_name.then(|| &word[5..]) {
            Some(_) if name.is_some() => {
                return Err(b"ERR Invalid metadata value, name argument was given multiple times".to_vec());
            }
            Some(given) => name = Some(given.to_vec()),
            None => return Err([b"ERR Invalid metadata value given: ", &word[..]].concat()),
        }
    }
    let Some(name) = name else { return Err(b"ERR Library name was not given".to_vec()) };
    if !is_name(&name) {
        return Err(BAD_NAME.as_bytes().to_vec());
    }
    let engine = &words[0][2.min(words[0].len())..];
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err([b"ERR Engine '", engine, b"' not found"].concat());
    }
    Ok((name, end))
}

/// What a bad name of a library or function is told.
pub const BAD_NAME: &str = "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether a library or function may be called so.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
