//! Checks of single text values, with Redis' error texts.
//!
//! Named by rows of the directive table, called by `value`. Pure functions of the value. Bounds: linear in its length.

/// Longest host name Redis keeps, with its terminator.
const HOST_NAME_SIZE: usize = 256;

/// Variables a process title may name, and whether they always expand to something.
const TITLE_VARIABLES: [(&[u8], bool); 7] = [
    (b"title", false),
    (b"listen-addr", true),
    (b"server-mode", false),
    (b"port", true),
    (b"tls-port", true),
    (b"unixsocket", false),
    (b"config-file", false),
];

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

/// `proc-title-template`: known variables in closed braces, and something to show. `{{` is a brace.
pub fn proc_title_template(value: &[u8]) -> Result<(), &'static str> {
    const ERROR: &str = "template format is invalid or contains unknown variables";
    let (mut at, mut shows) = (0, false);
    while at < value.len() {
        if value[at] != b'{' {
            shows |= !value[at].is_ascii_whitespace();
            at += 1;
        } else if value.get(at + 1) == Some(&b'{') {
            (at, shows) = (at + 2, true);
        } else {
            let Some(length) = memchr::memchr(b'}', &value[at..]) else { return Err(ERROR) };
            let name = &value[at + 1..at + length];
            let known = TITLE_VARIABLES.iter().find(|(known, _)| *known == name);
            let Some((_, visible)) = known else { return Err(ERROR) };
            shows |= visible;
            at += length + 1;
        }
    }
    if shows { Ok(()) } else { Err(ERROR) }
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
