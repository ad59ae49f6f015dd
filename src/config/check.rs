//! Checks of single text values, with Redis' error texts.
//!
//! Named by rows of the directive table, called by `value`. Pure functions of the value. Bounds: linear in its length.

/// Longest host name Redis keeps, with its terminator.
const HOST_NAME_SIZE: usize = 256;

/// Variables a process title may name.
const TITLE_VARIABLES: [&[u8]; 6] =
    [b"title", b"listen-addr", b"server-mode", b"port", b"tls-port", b"unixsocket"];

fn is_base_name(value: &[u8]) -> bool {
    !value.contains(&b'/') && !value.contains(&b'\\')
}

/// `dbfilename`: a name without a path.
pub fn dbfilename(value: &[u8]) -> Result<(), &'static str> {
    if is_base_name(value) { Ok(()) } else { Err("dbfilename can't be a path, just a filename") }
}

/// `appendfilename`: a name without a path, not empty.
pub fn appendfilename(value: &[u8]) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("appendfilename can't be empty");
    }
    if is_base_name(value) { Ok(()) } else { Err("appendfilename can't be a path, just a filename") }
}

/// `appenddirname`: a name without a path, not empty.
pub fn appenddirname(value: &[u8]) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("appenddirname can't be empty");
    }
    if is_base_name(value) { Ok(()) } else { Err("appenddirname can't be a path, just a dirname") }
}

fn is_host_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')
}

/// `cluster-announce-hostname`.
pub fn hostname(value: &[u8]) -> Result<(), &'static str> {
    if value.len() >= HOST_NAME_SIZE {
        return Err("Hostnames must be less than 256 characters");
    }
    if value.iter().all(is_host_byte) {
        return Ok(());
    }
    Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
}

/// `cluster-announce-human-nodename`.
pub fn nodename(value: &[u8]) -> Result<(), &'static str> {
    if value.len() >= HOST_NAME_SIZE {
        return Err("Human nodenames must be less than 256 characters");
    }
    if value.iter().all(|byte| is_host_byte(byte) || *byte == b'_') {
        return Ok(());
    }
    Err("Announced human node name contained invalid character")
}

/// `proc-title-template`: known variables in closed braces, and something to show.
pub fn proc_title_template(value: &[u8]) -> Result<(), &'static str> {
    const ERROR: &str = "template format is invalid or contains unknown variables";
    let mut rest = value;
    while let Some(open) = memchr::memchr(b'{', rest) {
        let Some(close) = memchr::memchr(b'}', &rest[open..]) else { return Err(ERROR) };
        let name = &rest[open + 1..open + close];
        if !name.is_empty() && !TITLE_VARIABLES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(ERROR);
        }
        rest = &rest[open + close + 1..];
    }
    if value.iter().all(u8::is_ascii_whitespace) { Err(ERROR) } else { Ok(()) }
}

/// `thread-affinity`: `auto`, `no`, or CPU numbers and ranges.
pub fn thread_affinity(value: &[u8]) -> Result<(), &'static str> {
    match affinity(value) {
        Some(_) => Ok(()),
        None => Err("argument must be 'auto', 'no' or a list of CPUs like 0-3,8"),
    }
}

/// How threads are tied to CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// The server decides.
    Auto,
    /// Threads float.
    Floating,
    /// Thread n runs on the n-th of these CPUs (and round again).
    Cpus(Vec<usize>),
}

/// Reads `thread-affinity`; `None` if it is malformed. CPUs are below 4096.
pub fn affinity(value: &[u8]) -> Option<Affinity> {
    let text = std::str::from_utf8(value).ok()?;
    match text {
        "" | "auto" => return Some(Affinity::Auto),
        "no" => return Some(Affinity::Floating),
        _ => {}
    }
    let cpu = |word: &str| word.trim().parse::<usize>().ok().filter(|cpu| *cpu < 4096);
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (cpu(first)?, cpu(last)?);
        if first > last {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(Affinity::Cpus(cpus))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinity_lists() {
        assert_eq!(affinity(b"auto"), Some(Affinity::Auto));
        assert_eq!(affinity(b"no"), Some(Affinity::Floating));
        assert_eq!(affinity(b"0-2,5"), Some(Affinity::Cpus(vec![0, 1, 2, 5])));
        for bad in ["2-1", "a", "1,", "99999", "-"] {
            assert_eq!(affinity(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn titles() {
        assert!(proc_title_template(b"{title} {port}").is_ok());
        assert!(proc_title_template(b"{foo}").is_err());
        assert!(proc_title_template(b"{title").is_err());
        assert!(proc_title_template(b"").is_err());
    }
}
