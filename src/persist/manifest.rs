//! The manifest of redis 7's append-only files: which there are, in which order, and how the next ones are called.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b     at most one base, first
//! file appendonly.aof.1.incr.aof seq 1 type h     history: deleted soon
//! file appendonly.aof.2.incr.aof seq 2 type i     incremental files, ascending
//! ```
//! `recover` parses, `aof::journal` changes copies and writes them. Source: what redis-server 7.0.15 writes, accepts and says. Invariant: what [`Manifest::to_text`] gives,
//! [`Manifest::parse`] takes. Bounds: a line of 1024 bytes. Why whole copies: a change counts only once it is on disk.
use crate::resp::inline::split_words;
use crate::resp::quote::append_quoted;

/// Longest line, its end included, in bytes.
const LINE_MAX: usize = 1024;

/// One listed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the directory.
    pub name: String,
    /// Its number among those of its kind.
    pub seq: i64,
}

/// See the module's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The snapshot everything else goes on from.
    pub base: Option<Listed>,
    /// Files of former rewrites.
    pub history: Vec<Listed>,
    /// What follows the base, oldest first; the last one is being written.
    pub incrs: Vec<Listed>,
    /// Greatest number a base has had.
    pub base_seq: i64,
    /// Greatest number an incremental file has had.
    pub incr_seq: i64,
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadManifest {
    /// Number and text of the line at fault, if it is one line's fault.
    pub line: Option<(usize, String)>,
    /// redis' words.
    pub why: &'static str,
}

impl std::fmt::Display for BadManifest {
    /// As redis logs it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "\n*** FATAL AOF MANIFEST FILE ERROR ***\n")?;
        if let Some((number, line)) = &self.line {
            write!(out, "Reading the manifest file, at line {number}\n>>> '{line}'\n")?;
        }
        write!(out, "{}", self.why)
    }
}

/// What a word after `type` means.
enum Type {
    Base,
    History,
    Incr,
}

/// The manifest's own name.
pub fn file_name(append_name: &str) -> String {
    format!("{append_name}.manifest")
}

/// The name under which a new manifest is written before it is renamed.
pub fn temp_name(append_name: &str) -> String {
    format!("temp-{append_name}.manifest")
}

impl Manifest {
    /// Reads a manifest's text.
    ///
    /// # Errors
    /// Whatever redis 7.0.15 refuses.
    pub fn parse(text: &[u8]) -> Result<Manifest, BadManifest> {
        if text.is_empty() {
            return Err(BadManifest { line: None, why: "Found an empty AOF manifest" });
        }
        let mut manifest = Manifest::default();
        for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line.first() == Some(&b'#') {
                continue;
            }
            if line.last() != Some(&b'\n') || line.len() > LINE_MAX {
                return Err(BadManifest { line: None, why: "The AOF manifest file contains too long line" });
            }
            let line = line.trim_ascii();
            manifest.take_line(line).map_err(|why| BadManifest {
                line: Some((index + 1, String::from_utf8_lossy(line).into_owned())),
                why,
            })?;
        }
        Ok(manifest)
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        const INVALID: &str = "Invalid AOF manifest file format";
        let words = split_words(line).ok_or(INVALID)?;
        if words.len() < 6 || words.len() % 2 != 0 {
            return Err(INVALID);
        }
        let (mut name, mut seq, mut kind) = (None, 0, None);
        for pair in words.chunks_exact(2) {
            let (key, value) = (&pair[0], &pair[1]);
            if key.eq_ignore_ascii_case(b"file") {
                if value.contains(&b'/') || value.contains(&b'\\') {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(String::from_utf8(value.clone()).map_err(|_| INVALID)?);
            } else if key.eq_ignore_ascii_case(b"seq") {
                seq = leading_number(value);
            } else if key.eq_ignore_ascii_case(b"type") {
                kind = value.first().copied();
            }
        }
        let (Some(name), Some(kind), true) = (name, kind, seq != 0) else { return Err(INVALID) };
        let kind = match kind {
            b'b' => Type::Base,
            b'h' => Type::History,
            b'i' => Type::Incr,
            _ => return Err("Unknown AOF file type"),
        };
        self.list(Listed { name, seq }, &kind)
    }

    fn list(&mut self, listed: Listed, kind: &Type) -> Result<(), &'static str> {
        match kind {
            Type::Base if self.base.is_some() => return Err("Found duplicate base file information"),
            Type::Base => {
                self.base_seq = listed.seq;
                self.base = Some(listed);
            }
            Type::History => self.history.push(listed),
            Type::Incr if listed.seq <= self.incrs.last().map_or(0, |last| last.seq) => {
                return Err("Found a non-monotonic sequence number");
            }
            Type::Incr => {
                self.incr_seq = listed.seq;
                self.incrs.push(listed);
            }
        }
        Ok(())
    }

    /// The text to write.
    pub fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let lines = (self.base.iter().map(|listed| (listed, 'b')))
            .chain(self.history.iter().map(|listed| (listed, 'h')))
            .chain(self.incrs.iter().map(|listed| (listed, 'i')));
        for (listed, kind) in lines {
            text.extend_from_slice(b"file ");
            if needs_quotes(&listed.name) {
                append_quoted(&mut text, listed.name.as_bytes());
            } else {
                text.extend_from_slice(listed.name.as_bytes());
            }
            text.extend_from_slice(format!(" seq {} type {kind}\n", listed.seq).as_bytes());
        }
        text
    }

    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incrs.is_empty()
    }

    /// Base and incremental files in the order of loading.
    pub fn to_load(&self) -> impl Iterator<Item = &Listed> {
        self.base.iter().chain(&self.incrs)
    }

    /// Lists a new base; the former one becomes history.
    pub fn add_base(&mut self, append_name: &str, is_rdb: bool) -> &Listed {
        if let Some(former) = self.base.take() {
            self.history.insert(0, former);
        }
        self.base_seq = self.base_seq.saturating_add(1);
        let format = if is_rdb { "rdb" } else { "aof" };
        let name = format!("{append_name}.{}.base.{format}", self.base_seq);
        self.base.insert(Listed { name, seq: self.base_seq })
    }

    /// Lists the next incremental file.
    pub fn add_incr(&mut self, append_name: &str) -> Listed {
        self.incr_seq = self.incr_seq.saturating_add(1);
        let listed = Listed { name: format!("{append_name}.{}.incr.aof", self.incr_seq), seq: self.incr_seq };
        self.incrs.push(listed.clone());
        listed
    }

    /// Makes history of the incremental files numbered below `seq`.
    pub fn retire_incrs(&mut self, seq: i64) {
        let kept = self.incrs.partition_point(|listed| listed.seq < seq);
        for listed in self.incrs.drain(..kept).rev() {
            self.history.insert(0, listed);
        }
    }
}

/// C's `atoll`: the number at the start, 0 if there is none.
fn leading_number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (sign, digits) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        _ => (1, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0i64, |number, &byte| number.saturating_mul(10).saturating_add(sign * i64::from(byte - b'0')))
}

/// Whether a name would not survive as it is (redis' sdsneedsrepr).
fn needs_quotes(name: &str) -> bool {
    name.is_empty()
        || name.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'\\' | b'"' | b'\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut manifest = Manifest::default();
        manifest.add_base("a b.aof", true);
        manifest.add_incr("a b.aof");
        manifest.add_incr("a b.aof");
        manifest.add_base("a b.aof", false);
        manifest.retire_incrs(2);
        let text = manifest.to_text();
        let lines = "file \"a b.aof.2.base.aof\" seq 2 type b\nfile \"a b.aof.1.incr.aof\" seq 1 type h\n\
                     file \"a b.aof.1.base.rdb\" seq 1 type h\nfile \"a b.aof.2.incr.aof\" seq 2 type i\n";
        assert_eq!(String::from_utf8_lossy(&text), lines);
        assert_eq!(Manifest::parse(&text), Ok(manifest));
    }

    /// The texts are redis-server 7.0.15's for the same files.
    #[test]
    fn refuses_what_redis_refuses() {
        let why =
            |text: &str| Manifest::parse(text.as_bytes()).map_err(|bad| (bad.why, bad.line.map(|(n, _)| n)));
        let invalid = "Invalid AOF manifest file format";
        assert_eq!(why(""), Err(("Found an empty AOF manifest", None)));
        assert_eq!(why("\n"), Err((invalid, Some(1))));
        assert_eq!(why("file a seq 1\n"), Err((invalid, Some(1))));
        assert_eq!(why("file a seq 0 type i\n"), Err((invalid, Some(1))));
        assert_eq!(why("file 'a seq 1 type i\n"), Err((invalid, Some(1))));
        assert_eq!(
            why("file a seq 1 type b\nfile b seq 1 type b\n"),
            Err(("Found duplicate base file information", Some(2)))
        );
        assert_eq!(why("file a/b seq 1 type b\n"), Err(("File can't be a path, just a filename", Some(1))));
        assert_eq!(why("file a seq 1 type x\n"), Err(("Unknown AOF file type", Some(1))));
        assert_eq!(
            why("file a seq 1 type i\nfile b seq 1 type i\n"),
            Err(("Found a non-monotonic sequence number", Some(2)))
        );
        assert_eq!(why("file a seq 1 type i"), Err(("The AOF manifest file contains too long line", None)));
        let long = format!("file {} seq 1 type i\n", "a".repeat(LINE_MAX));
        assert_eq!(why(&long), Err(("The AOF manifest file contains too long line", None)));
        let read = Manifest::parse(b"# text\nFILE \"a\\x20b\" seq 7 type i more 1\n").expect("as redis");
        assert_eq!(read.incrs, [Listed { name: "a b".into(), seq: 7 }]);
        assert_eq!(read.incr_seq, 7);
    }
}
