//! The syntax of redis.conf: lines into a `Config`, with Redis' fatal errors.
//!
//! Called by `cmdline` with the whole text (file, standard input, then command-line options); calls `words` and
//! `store`. Invariant: the last line that sets a directive wins, `save` lines add up, included files are read at their
//! place. Bounds: [`MAX_INCLUDES`] nested includes (Redis runs until its stack ends).
//! Differences: trailing comments (see `words`); modules and Sentinel mode are refused; `dir` and `logfile` are
//! checked when everything is read, so that the command line can correct what a file says.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::schema::{self, DIRECTIVES, FORGOTTEN, MULTI_ARG};
use super::store::{Config, Place, Rename, UserLine, system_text};
use super::value::Value;
use super::words;

/// The version of Redis whose directives are understood, as errors and `--version` name it.
pub const REDIS_VERSION: &str = "7.2.0";

/// How deep files may include each other.
pub const MAX_INCLUDES: usize = 32;

/// Why the server cannot start with this configuration. `Display` is what is printed before exit 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// A line, or with `None` the whole, is wrong.
    Fatal {
        /// The line.
        at: Option<Place>,
        /// Redis' text.
        reason: String,
    },
    /// A file cannot be read.
    Unreadable {
        /// Its path as given.
        path: String,
        /// The system's text.
        reason: String,
    },
}

impl FileError {
    /// An error of a line, found here or later (unknown command of a `rename-command`, bad rule of a `user`).
    pub fn at(place: &Place, reason: impl Into<String>) -> Self {
        FileError::Fatal { at: Some(place.clone()), reason: reason.into() }
    }

    fn whole(reason: impl Into<String>) -> Self {
        FileError::Fatal { at: None, reason: reason.into() }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Unreadable { path, reason } => {
                write!(out, "Fatal error, can't open config file '{path}': {reason}")
            }
            FileError::Fatal { at, reason } => {
                write!(out, "\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***\n")?;
                if let Some(Place { line, text }) = at {
                    let text = String::from_utf8_lossy(text);
                    write!(out, "Reading the configuration file, at line {line}\n>>> '{text}'\n")?;
                }
                out.write_str(reason)
            }
        }
    }
}

impl std::error::Error for FileError {}

/// Reads a whole configuration: all lines, then the checks that need all of them.
pub fn load(config: &mut Config, text: &[u8]) -> Result<(), FileError> {
    let mut reader = Reader { config, depth: 0, dir: None };
    reader.lines(text)?;
    let dir = reader.dir.take();
    check_whole(config, dir.as_ref())
}

/// Reads a file into memory.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|error| FileError::Unreadable {
        path: path.display().to_string(),
        reason: system_text(&error),
    })
}

struct Reader<'a> {
    config: &'a mut Config,
    depth: usize,
    /// The last `dir` line.
    dir: Option<Place>,
}

impl Reader<'_> {
    fn lines(&mut self, text: &[u8]) -> Result<(), FileError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = words::trim(line);
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let place = || Place { line: index + 1, text: line.to_vec() };
            let Some(split) = words::split(line) else {
                return Err(FileError::at(&place(), "Unbalanced quotes in configuration line"));
            };
            if let Some((name, values)) = split.words.split_first() {
                self.directive(&name.to_ascii_lowercase(), values, &place)?;
            }
        }
        Ok(())
    }

    fn directive(
        &mut self,
        name: &[u8],
        values: &[Vec<u8>],
        place: &dyn Fn() -> Place,
    ) -> Result<(), FileError> {
        let fail = |reason: &str| Err(FileError::at(&place(), reason));
        if let Some(found) = schema::find(name) {
            return self.assign(found.index, values, place);
        }
        match (name, values) {
            (b"include", [path]) => self.include(path, place),
            (b"rename-command", [from, to]) => {
                let (from, to) = (from.clone(), to.clone());
                self.config.renames.push(Rename { from, to, place: place() });
                Ok(())
            }
            (b"user", [_, ..]) => {
                self.config.users.push(UserLine { words: values.to_vec(), place: place() });
                Ok(())
            }
            (b"loadmodule", [_, ..]) => {
                fail("Modules are not supported by this server: remove the loadmodule directive")
            }
            (b"sentinel", []) => fail("Sentinel mode is not supported by this server: use redis-sentinel"),
            (b"sentinel", _) => fail("sentinel directive while not in sentinel mode"),
            (_, [_]) if FORGOTTEN.iter().any(|known| known.as_bytes() == name) => Ok(()),
            (_, [_]) if name.contains(&b'.') => {
                fail("Modules are not supported by this server: remove module directives")
            }
            _ if name.contains(&b'.') => fail("Module config specified without value"),
            _ => fail("Bad directive or wrong number of arguments"),
        }
    }

    fn assign(
        &mut self,
        index: usize,
        values: &[Vec<u8>],
        place: &dyn Fn() -> Place,
    ) -> Result<(), FileError> {
        let multi = DIRECTIVES[index].has(MULTI_ARG);
        if !multi && values.len() != 1 {
            return Err(FileError::at(&place(), "wrong number of arguments"));
        }
        let parts: Vec<Vec<u8>>;
        let values = match values {
            // One quoted word may hold them all: save "900 1 300 10".
            [only] if multi && !only.is_empty() => {
                parts = only.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
                &parts
            }
            _ => values,
        };
        if DIRECTIVES[index].name == "dir" {
            self.dir = Some(place());
        }
        self.config.assign(index, values).map_err(|reason| FileError::at(&place(), reason))
    }

    /// `include`: a file that must exist, or a pattern that may match none.
    fn include(&mut self, path: &[u8], place: &dyn Fn() -> Place) -> Result<(), FileError> {
        if self.depth >= MAX_INCLUDES {
            return Err(FileError::at(&place(), "Files include each other too deeply"));
        }
        let paths = if path.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
            expand(path)
        } else {
            vec![OsString::from_vec(path.to_vec())]
        };
        self.depth += 1;
        for path in paths {
            let text = read(Path::new(&path))?;
            self.lines(&text)?;
        }
        self.depth -= 1;
        Ok(())
    }
}

/// The files that match a pattern, sorted; none if it is malformed or nothing matches.
fn expand(pattern: &[u8]) -> Vec<OsString> {
    let Ok(pattern) = CString::new(pattern) else { return Vec::new() };
    let mut paths = Vec::new();
    // SAFETY: glob_t is plain data for which zeros are a valid start; glob() fills it and returns 0 only if gl_pathv
    // holds gl_pathc terminated strings, which live until globfree().
    unsafe {
        let mut found: libc::glob_t = std::mem::zeroed();
        if libc::glob(pattern.as_ptr(), 0, None, &mut found) == 0 {
            for index in 0..found.gl_pathc {
                let path = std::ffi::CStr::from_ptr(*found.gl_pathv.add(index));
                paths.push(OsStr::from_bytes(path.to_bytes()).to_os_string());
            }
        }
        libc::globfree(&mut found);
    }
    paths
}

fn text_of<'a>(config: &'a Config, name: &str) -> &'a [u8] {
    match config.value(name) {
        Value::Text(Some(text)) => text,
        _ => &[],
    }
}

/// What can only be judged when all lines are read.
fn check_whole(config: &Config, dir_line: Option<&Place>) -> Result<(), FileError> {
    let dir = Path::new(OsStr::from_bytes(text_of(config, "dir")));
    if let Some(place) = dir_line {
        // The dot asks for the right to search the directory, which chdir needs.
        std::fs::metadata(dir.join(".")).map_err(|error| FileError::at(place, system_text(&error)))?;
    }
    let logfile = text_of(config, "logfile");
    if !logfile.is_empty() {
        let path = dir.join(OsStr::from_bytes(logfile));
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
        opened
            .map_err(|error| FileError::whole(format!("Can't open the log file: {}", system_text(&error))))?;
    }
    let cluster = matches!(config.value("cluster-enabled"), Value::Bool(true));
    if cluster && matches!(config.value("replicaof"), Value::PrimaryAddress(Some(_))) {
        return Err(FileError::whole("replicaof directive not allowed in cluster mode"));
    }
    Ok(())
}
