//! The command line of `shoal-server`, by redis-server's rules.
//!
//! Called by `main`; calls `file` and `help`. Every `--name value ...` becomes one line that is read behind the file
//! and behind standard input, so the last one wins. Words after a name belong to it until the next word with `--`,
//! where the first word after a name is always its value (`--requirepass --secret`).
//! Why not an argument-parsing crate: these rules (any directive is an option, any number of values, `-` first or last,
//! "--port 7000" as one argument, `--save` with nothing) fit none; the directives come from one table anyway.
//! Bounds: linear in the arguments.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::file::{self, FileError, REDIS_VERSION};
use super::store::Config;
use super::{help, words};

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    /// Run the server with this configuration.
    Serve(Box<Config>),
    /// Print this and exit with 0.
    Print(String),
}

/// Why nothing is run: what to print before exit 1.
#[derive(Debug)]
pub enum Refusal {
    /// The configuration is wrong.
    Config(FileError),
    /// The options make no sense here.
    Usage(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Config(error) => error.fmt(out),
            Refusal::Usage(text) => out.write_str(text),
        }
    }
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        Refusal::Config(error)
    }
}

/// Reads the arguments behind the program's name; `stdin` is read only if `-` is among them.
///
/// Errors: what to print before exit 1.
pub fn read(arguments: &[Vec<u8>], stdin: &mut dyn Read) -> Result<Action, Refusal> {
    match arguments.first().map_or(&[][..], Vec::as_slice) {
        b"-v" | b"--version" => return Ok(Action::Print(version())),
        b"-h" | b"--help" => return Ok(Action::Print(help::usage())),
        b"--test-memory" => {
            let text =
                "shoal-server does not test memory: use redis-server --test-memory <megabytes> or memtester";
            return Err(Refusal::Usage(text.into()));
        }
        b"--check-system" => {
            let text =
                "shoal-server checks its system at every start and names what is missing: just start it";
            return Err(Refusal::Usage(text.into()));
        }
        _ => {}
    }
    let mut config = Config::new();
    let (path, options) = match arguments.split_first() {
        Some((path, rest)) if !path.is_empty() && path[0] != b'-' => (Some(path), rest),
        _ => (None, arguments),
    };
    let mut text = Vec::new();
    if let Some(path) = path {
        let path = absolute(Path::new(std::ffi::OsStr::from_bytes(path)));
        text = file::read(&path)?;
        config.path = Some(path);
    }
    let Options { lines, from_stdin } = collect(options, path.is_none());
    if from_stdin {
        stdin
            .read_to_end(&mut text)
            .map_err(|error| Refusal::Usage(format!("Cannot read standard input: {error}")))?;
    }
    text.push(b'\n');
    text.extend_from_slice(&lines);
    file::load(&mut config, &text)?;
    Ok(Action::Serve(Box::new(config)))
}

/// The line of `--version`.
pub fn version() -> String {
    let own = env!("CARGO_PKG_VERSION");
    format!("shoal server v={own} redis={REDIS_VERSION} malloc=mimalloc bits={}", usize::BITS)
}

struct Options {
    /// Lines in the syntax of the file.
    lines: Vec<u8>,
    /// Whether `-` was given.
    from_stdin: bool,
}

/// Turns options into lines. `no_path`: the first option is the first argument, where `-` may stand.
fn collect(options: &[Vec<u8>], no_path: bool) -> Options {
    let mut lines = Vec::new();
    let mut from_stdin = false;
    let mut name_allowed = true;
    for (index, option) in options.iter().enumerate() {
        let is_last = index + 1 == options.len();
        if option == b"-" && (is_last || (index == 0 && no_path)) {
            from_stdin = true;
        } else if name_allowed && option.starts_with(b"--") {
            if !lines.is_empty() {
                lines.push(b'\n');
            }
            lines.extend_from_slice(&option[2..]);
            lines.push(b' ');
            // A name that brings its value along ("--port 7000") may be followed by the next name at once.
            let bare = words::split(option).is_some_and(|line| line.words.len() == 1);
            let next_is_name = options.get(index + 1).is_some_and(|next| next.starts_with(b"--"));
            let empty_save = bare && option.eq_ignore_ascii_case(b"--save") && (is_last || next_is_name);
            if empty_save {
                lines.extend_from_slice(b"\"\"");
            }
            name_allowed = !bare || empty_save;
        } else {
            words::quote(&mut lines, option);
            lines.push(b' ');
            name_allowed = true;
        }
    }
    Options { lines, from_stdin }
}

/// The path from the root, without leading `../`, which INFO and CONFIG REWRITE use after a change of directory.
fn absolute(path: &Path) -> PathBuf {
    let Ok(mut base) = std::env::current_dir() else { return path.to_path_buf() };
    let mut rest = path;
    while let Ok(inner) = rest.strip_prefix("..") {
        if path.is_absolute() {
            break;
        }
        base.pop();
        rest = inner;
    }
    base.join(rest.strip_prefix(".").unwrap_or(rest))
}
