//! Annotations: the lines that begin with `#`, which every reader of redis 7 skips.
//!
//! ```text
//! #TS:1700000000\r\n                                     redis' own (aof-timestamp-enabled): what follows was written from this second on
//! #GRP:<at>,<len>,<crc64, 16 hex>,<synced>\r\n           ours: the next `len` bytes are one write
//! ```
//! A file is written group by group. `at` is the position of the `#` itself in the file, `crc64` is that of the `len` bytes, `synced` a position of this file before which all bytes are known
//! to be on disk. `journal` writes them, `scan` reads them. So a loader can tell a write that a crash has torn (some sectors there, others zeros, in the middle of a value even) from bytes that
//! rotted: damage at or behind every `synced` that any later group states is a torn tail, damage before one is corruption. Files without groups (redis' own) are read as redis reads them.
//! Bounds: a line of 80 bytes. Why not a checksum behind the bytes: a tail whose last sector is lost would look like a file that never had any.
use crate::base::crc64::crc64;
use crate::base::number::parse_u64;

/// Longest annotation line that is looked at, in bytes; redis takes lines up to 1024.
pub const LINE_MAX: usize = 1024;
const GROUP: &[u8] = b"#GRP:";

/// What a group's line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Position of the line in its file.
    pub at: u64,
    /// Bytes behind the line that belong to the group.
    pub len: u64,
    /// Their checksum.
    pub crc: u64,
    /// Position before which everything was synced when this was written.
    pub synced: u64,
}

impl Group {
    /// The line.
    pub fn to_line(self) -> Vec<u8> {
        format!("#GRP:{},{},{:016x},{}\r\n", self.at, self.len, self.crc, self.synced).into_bytes()
    }

    /// Reads a line, its end not included; `None` if it is another annotation.
    pub fn parse(line: &[u8]) -> Option<Group> {
        let mut words = line.strip_prefix(GROUP)?.split(|&byte| byte == b',');
        let (at, len) = (parse_u64(words.next()?)?, parse_u64(words.next()?)?);
        let crc = words.next().filter(|word| word.len() == 16)?;
        let crc = u64::from_str_radix(std::str::from_utf8(crc).ok()?, 16).ok()?;
        let synced = parse_u64(words.next()?)?;
        (words.next().is_none() && synced <= at).then_some(Group { at, len, crc, synced })
    }
}

/// The greatest `synced` that any whole, right group in `tail` states; `tail` begins at position `from` of its file.
///
/// Looked at only when something is damaged: a line counts if it names its own position and its bytes have its checksum.
pub fn later_synced(tail: &[u8], from: u64) -> u64 {
    let mut most = 0;
    for at in memchr::memmem::find_iter(tail, GROUP) {
        let rest = &tail[at..];
        let Some(end) = rest.iter().take(LINE_MAX).position(|&byte| byte == b'\n') else { continue };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let Some(group) = Group::parse(line).filter(|group| group.at == from + at as u64) else { continue };
        let Some(body) = usize::try_from(group.len).ok().and_then(|len| rest[end + 1..].get(..len)) else {
            continue;
        };
        if group.len == 0 || crc64(0, body) == group.crc {
            most = most.max(group.synced);
        }
    }
    most
}

/// redis' line for a second of the wall clock.
pub fn timestamp_line(unix_s: i64) -> Vec<u8> {
    format!("#TS:{unix_s}\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_line_is_read_again_and_proves_only_where_it_stands() {
        let body = b"*1\r\n$4\r\nPING\r\n";
        let group = Group { at: 7, len: body.len() as u64, crc: crc64(0, body), synced: 5 };
        let line = group.to_line();
        assert_eq!(Group::parse(line.trim_ascii_end()), Some(group));
        assert_eq!(Group::parse(b"#TS:7"), None);
        assert_eq!(Group::parse(b"#GRP:7,1,0000000000000000,8"), None);
        let tail = [&b"zz"[..], &line, body].concat();
        assert_eq!(later_synced(&tail, 5), 5);
        assert_eq!(later_synced(&tail, 6), 0);
        assert_eq!(later_synced(&tail[..tail.len() - 1], 5), 0);
    }
}
