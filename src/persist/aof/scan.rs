//! An append-only file as whole units: complete commands, `MULTI … EXEC` as one.
//!
//! `server::load` feeds a file's bytes in order and takes units; `tests` do the same. A [`Unit`]'s bytes hold commands only (annotations are taken out) and go to `session::apply` as they
//! are. At the end [`Scanner::finish`] says whether the file was whole, torn at its tail (and where the last whole unit ends), or damaged.
//!
//! Invariant: a unit of a group (`frame`) is given out only when the group's checksum is right, or, in a group that the file's end cuts off, when no lost sector can be part of it. So
//! nothing half-written is applied. Bounds: memory is one group or one unit, whichever is longer, and the piece fed; after damage, the rest of the file. Why groups that are cut off are
//! not thrown away whole: a file that was merely cut (a copy, a full disk) keeps all commands before the cut, as in redis.
use super::Last;
use super::command::{Command, Fault};
use super::frame::{Group, LINE_MAX, later_synced};
use crate::base::crc64::crc64;

/// A crash loses or keeps this many bytes at once.
pub const SECTOR: u64 = 512;
/// Consumed bytes are dropped from the buffer when they are this many.
const SHRINK_AT: usize = 256 * 1024;

/// A piece of the file that is applied wholly or not at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit<'a> {
    /// Commands in wire form.
    pub bytes: &'a [u8],
    /// Where it begins in the file.
    pub at: u64,
    /// Where the next one may begin.
    pub end: u64,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After a whole unit.
    Whole,
    /// In the middle of something: what is whole ends at `at`.
    Torn {
        /// To this length the file may be cut.
        at: u64,
        /// The file ends properly, but within a transaction.
        in_transaction: bool,
    },
}

/// Bytes that no crash explains, at this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the unit or group that cannot be read begins.
    pub at: u64,
}

/// See the module's text.
pub struct Scanner {
    buffer: Vec<u8>,
    /// Consumed bytes of the buffer.
    start: usize,
    /// How far the buffer is looked at: behind the commands of an open transaction.
    at: usize,
    /// The same as a position in the file.
    position: u64,
    /// End of the last unit given out (or of the annotations behind it), and where the open transaction begins.
    good: u64,
    unit_at: u64,
    in_multi: bool,
    size: u64,
    fed: u64,
    /// A group was seen, so a torn tail can be told from damage.
    has_groups: bool,
    /// End of the group whose checksum was right.
    verified_to: u64,
    /// A group is cut off by the end of the file: no unit may reach beyond this.
    salvaged_to: Option<u64>,
    /// Checksum of what of that group was given out. The line that goes on behind it must carry it.
    salvaged_crc: u64,
    trouble: Option<Trouble>,
}

#[derive(Clone, Copy)]
enum Trouble {
    /// No crash does that.
    Certain,
    /// A crash may have.
    Suspected,
}

impl Scanner {
    /// For a file of `size` bytes that is fed from `position` on (behind an RDB preamble; else 0).
    pub fn new(position: u64, size: u64) -> Scanner {
        Scanner {
            buffer: Vec::new(),
            start: 0,
            at: 0,
            position,
            good: position,
            unit_at: position,
            in_multi: false,
            size,
            fed: position,
            has_groups: false,
            verified_to: 0,
            salvaged_to: None,
            salvaged_crc: 0,
            trouble: None,
        }
    }

    /// The file's next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start >= SHRINK_AT || self.start == self.buffer.len() {
            self.buffer.drain(..self.start);
            self.at -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
        self.fed += bytes.len() as u64;
    }

    /// Position behind the last whole unit.
    pub fn good(&self) -> u64 {
        self.good
    }

    /// How a journal goes on behind what is whole; `end` is what [`Scanner::finish`] gave.
    pub fn last(&self, end: End) -> Last {
        Last { len: self.good, is_torn: end != End::Whole, crc: self.salvaged_crc }
    }

    /// Whether all that is torn is an annotation: no command is lost with it.
    pub fn tears_annotation(&self) -> bool {
        self.trouble.is_none() && !self.in_multi && self.buffer.get(self.start) == Some(&b'#')
    }

    /// The next whole unit; `None` if more bytes are needed, or after damage.
    pub fn next_unit(&mut self) -> Option<Unit<'_>> {
        while self.trouble.is_none() && self.at < self.buffer.len() {
            if self.buffer[self.at] == b'#' {
                if !self.take_annotation() {
                    return None;
                }
                continue;
            }
            let command = match Command::find(&self.buffer[self.at..]) {
                Ok(Some(command)) => command,
                Ok(None) => return None,
                Err(Fault) => {
                    let is_sure = self.position < self.verified_to || !self.has_groups;
                    self.trouble = Some(if is_sure { Trouble::Certain } else { Trouble::Suspected });
                    return None;
                }
            };
            if self.salvaged_to.is_some_and(|limit| self.position + command.len as u64 > limit) {
                self.trouble = Some(Trouble::Suspected);
                return None;
            }
            let opens = !self.in_multi && command.is(&self.buffer[self.at..], b"MULTI");
            let closes = self.in_multi && command.is(&self.buffer[self.at..], b"EXEC");
            self.at += command.len;
            self.position += command.len as u64;
            self.in_multi = (self.in_multi || opens) && !closes;
            if !self.in_multi {
                return Some(self.give());
            }
        }
        None
    }

    /// The unit that ends where the scanner stands.
    fn give(&mut self) -> Unit<'_> {
        let (from, at) = (self.start, self.unit_at);
        if self.salvaged_to.is_some() {
            self.salvaged_crc = crc64(self.salvaged_crc, &self.buffer[from..self.at]);
        }
        self.start = self.at;
        self.good = self.position;
        self.unit_at = self.position;
        Unit { bytes: &self.buffer[from..self.at], at, end: self.position }
    }

    /// Takes the line at hand out of the way; false if it, or the group it announces, is not there yet or not right.
    fn take_annotation(&mut self) -> bool {
        let rest = &self.buffer[self.at..];
        let Some(end) = rest.iter().take(LINE_MAX).position(|&byte| byte == b'\n') else {
            if rest.len() >= LINE_MAX {
                self.trouble = Some(if self.has_groups { Trouble::Suspected } else { Trouble::Certain });
            }
            return false;
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let (len, is_torn) = (end + 1, self.has_groups && is_torn_line(line));
        match Group::parse(line).filter(|group| group.at == self.position) {
            Some(group) if !self.take_group(group, len) => return false,
            Some(_) => {}
            // Half a group's line, then a lost sector: what follows is none of an annotation's business.
            None if is_torn => {
                self.trouble = Some(Trouble::Suspected);
                return false;
            }
            None if self.salvaged_to.is_some() => {
                self.salvaged_crc = crc64(self.salvaged_crc, &self.buffer[self.at..self.at + len]);
            }
            None => {}
        }
        if self.in_multi {
            self.buffer.drain(self.at..self.at + len);
        } else {
            self.at += len;
            self.start = self.at;
            self.good = self.position + len as u64;
            self.unit_at = self.good;
        }
        self.position += len as u64;
        true
    }

    /// Judges a group by its bytes, which begin `line` bytes on; false if they are not there yet or wrong.
    fn take_group(&mut self, group: Group, line: usize) -> bool {
        let body_at = self.position + line as u64;
        let left = self.size.saturating_sub(body_at);
        let is_cut_off = group.len > left;
        let rest = &self.buffer[self.at + line..];
        // Where a group was cut short, the line that says so may reach beyond its end.
        let seen = left.min(group.len.saturating_add(LINE_MAX as u64));
        let Some(seen) = usize::try_from(seen).ok().and_then(|len| rest.get(..len)) else { return false };
        let body = usize::try_from(group.len).ok().and_then(|len| seen.get(..len)).unwrap_or(seen);
        self.has_groups = true;
        let right = if !is_cut_off && (group.len == 0 || crc64(0, body) == group.crc) {
            Some(group.len)
        } else {
            shortened(seen, body_at)
        };
        if let Some(len) = right {
            self.verified_to = body_at + len;
            return true;
        }
        if !is_cut_off {
            self.trouble = Some(Trouble::Suspected);
            return false;
        }
        self.salvaged_to = Some(self.first_lost_sector().unwrap_or(self.size));
        if later_synced(&self.buffer[self.at..], self.position) > self.position {
            self.trouble = Some(Trouble::Certain);
        }
        self.trouble.is_none()
    }

    /// Where the first sector behind the last whole unit begins that holds nothing but zeros.
    fn first_lost_sector(&self) -> Option<u64> {
        let mut from = self.good;
        let mut rest = &self.buffer[self.start..];
        while !rest.is_empty() {
            let len = (SECTOR - from % SECTOR).min(rest.len() as u64) as usize;
            if rest[..len].iter().all(|&byte| byte == 0) {
                return Some(from);
            }
            rest = &rest[len..];
            from += len as u64;
        }
        None
    }

    /// Judges the end, when the whole file was fed and [`Scanner::next_unit`] gave its last unit.
    ///
    /// # Errors
    /// Damage that is no torn tail: redis ends with [`bad_format`] then.
    pub fn finish(&self) -> Result<End, Damage> {
        let damage = Err(Damage { at: self.good });
        match self.trouble {
            Some(Trouble::Certain) => damage,
            Some(Trouble::Suspected) => {
                let is_old = later_synced(&self.buffer[self.start..], self.good) > self.good;
                let is_torn = self.salvaged_to.is_some() || self.first_lost_sector().is_some();
                if is_old || !is_torn {
                    damage
                } else {
                    Ok(End::Torn { at: self.good, in_transaction: false })
                }
            }
            None if self.good == self.size => Ok(End::Whole),
            None => {
                let in_transaction = self.in_multi && self.at == self.buffer.len();
                Ok(End::Torn { at: self.good, in_transaction })
            }
        }
    }
}

/// Whether a line can only be the rest of a group's.
fn is_torn_line(line: &[u8]) -> bool {
    line.starts_with(b"#GRP:") || line.contains(&0)
}

/// How much of a group an earlier recovery has kept: it went on behind with an empty group that carries the checksum of what stands before.
fn shortened(body: &[u8], body_at: u64) -> Option<u64> {
    let candidates = memchr::memmem::find_iter(body, b"#GRP:");
    let mut lines = candidates.filter_map(|at| {
        let end = body[at..].iter().take(LINE_MAX).position(|&byte| byte == b'\n')?;
        let line = body[at..at + end].strip_suffix(b"\r")?;
        Group::parse(line)
            .filter(|group| group.len == 0 && group.at == body_at + at as u64)
            .map(|group| (at, group))
    });
    lines.find(|(at, group)| crc64(0, &body[..*at]) == group.crc).map(|(at, _)| at as u64)
}

/// redis' words for a tail that may not be cut off.
pub fn unexpected_end(name: &str) -> String {
    format!(
        "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, then use \
         ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server."
    )
}

/// redis' words for damage; the position is ours to add in another line.
pub fn bad_format(name: &str) -> String {
    format!(
        "Bad file format reading the append only file {name}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>"
    )
}

/// redis' lines for a tail that is cut off: before the cut, and after it.
pub fn torn_lines(name: &str, at: u64, in_transaction: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if in_transaction {
        lines.push(format!("Revert incomplete MULTI/EXEC transaction in AOF file {name}"));
    }
    lines.push(format!("!!! Warning: short read while loading the AOF file {name}!!!"));
    lines.push(format!("!!! Truncating the AOF {name} at offset {at} !!!"));
    lines
}

/// redis' line after the cut.
pub fn loaded_anyway(name: &str) -> String {
    format!("AOF {name} loaded anyway because aof-load-truncated is enabled")
}
