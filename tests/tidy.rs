//! Enforces the house rules of DESIGN.md: layers, lengths, names, file headers, SAFETY, no left-overs.
//!
//! Reads the sources as text (rustfmt's layout is assumed: an item ends at the brace in its own column). `TIDY_SRC=dir` checks another tree.
//! Findings are listed all at once. Lines of inline test modules count for no length. Functions of 71–100 lines are only
//! printed; above that they fail.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// Who may know whom: a module imports from its own layer and those below. Inside L6 the order is
/// persist <- replication <- cluster <- region, hence the steps.
const LAYERS: [(&str, u32); 21] = [
    ("limits", 0),
    ("base", 0),
    ("runtime", 10),
    ("resp", 10),
    ("config", 10),
    ("types", 20),
    ("keyspace", 20),
    ("crdt", 20),
    ("effect", 30),
    ("rdb", 30),
    ("command", 40),
    ("acl", 40),
    ("shard", 50),
    ("persist", 60),
    ("replication", 61),
    ("cluster", 62),
    ("region", 63),
    ("session", 70),
    ("observe", 70),
    ("server", 80),
    ("main", 90),
];
/// Files that sit above the layers.
const ABOVE: [&str; 2] = ["lib.rs", "main.rs"];
const FORBIDDEN_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "manager", "misc"];
const FILE_NEEDS_REASON: usize = 500;
const FILE_REFUSED: usize = 800;
const FUNCTION_ADVISED: usize = 70;
const FUNCTION_REFUSED: usize = 100;

struct Source {
    path: String,
    text: String,
}

fn collect(directory: &Path, root: &Path, sources: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, root, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            sources.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

fn sources() -> Vec<Source> {
    let root = std::env::var_os("TIDY_SRC")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), PathBuf::from);
    let mut all = Vec::new();
    collect(&root, &root, &mut all);
    all
}

/// A line without its comment (a `//` inside a string literal is rare enough to be left alone when quotes are odd before it).
fn code_of(line: &str) -> &str {
    match line.find("//") {
        Some(at) if line[..at].matches('"').count().is_multiple_of(2) => &line[..at],
        _ => line,
    }
}

/// The source without string contents and comments, line by line, so that words in them do not count.
fn bare_lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let code = code_of(line);
            code.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
        })
        .collect()
}

/// Which lines belong to `#[cfg(test)] mod … { … }`.
fn test_lines(text: &str) -> Vec<bool> {
    let lines: Vec<&str> = text.lines().collect();
    let mut marked = vec![false; lines.len()];
    let mut index = 0;
    while index < lines.len() {
        let opens = lines[index].trim_start().starts_with("#[cfg(test)]")
            && lines
                .get(index + 1)
                .is_some_and(|next| next.trim_start().starts_with("mod ") && next.ends_with('{'));
        if !opens {
            index += 1;
            continue;
        }
        let indent = lines[index].len() - lines[index].trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        let end = (index + 1..lines.len()).find(|at| lines[*at] == close).unwrap_or(lines.len() - 1);
        marked[index..=end].fill(true);
        index = end + 1;
    }
    marked
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("tests/") || path.ends_with("_test.rs")
}

/// Tables of rows and directives may be as long as they must.
fn is_pure_table(path: &str) -> bool {
    path.starts_with("command/rows") || path.starts_with("config/schema")
}

fn module_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or(path)
}

fn layer(module: &str) -> Option<u32> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

fn report(what: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{what}: {} findings\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn files_import_from_their_own_layer_and_below() {
    let mut findings = Vec::new();
    for source in sources() {
        if ABOVE.contains(&source.path.as_str()) {
            continue;
        }
        let module = module_of(&source.path);
        let Some(own) = layer(module) else {
            findings.push(format!("{}: module {module} has no layer", source.path));
            continue;
        };
        let tests = test_lines(&source.text);
        for (number, line) in bare_lines(&source.text).iter().enumerate() {
            let used = line.split("crate::").skip(1).flat_map(first_names);
            for name in used {
                let above = layer(name).is_some_and(|other| other > own);
                if above && !tests[number] && !is_test_file(&source.path) {
                    findings.push(format!("{}:{}: {module} knows {name}", source.path, number + 1));
                }
            }
        }
    }
    report("layers (DESIGN §2)", findings);
}

/// The module names right behind `crate::`, also of a list in braces.
fn first_names(rest: &str) -> Vec<&str> {
    let word = |text: &'_ str| {
        text.trim()
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .next()
            .unwrap_or("")
            .len()
    };
    match rest.strip_prefix('{') {
        None => vec![&rest[..word(rest)]],
        Some(list) => list
            .split(',')
            .map(|part| {
                let part = part.trim();
                &part[..word(part)]
            })
            .collect(),
    }
}

#[test]
fn files_keep_to_their_lengths() {
    let mut findings = Vec::new();
    for source in sources() {
        if is_test_file(&source.path) || is_pure_table(&source.path) {
            continue;
        }
        let length = test_lines(&source.text).iter().filter(|is_test| !**is_test).count();
        let reasoned = source.text.lines().any(|line| line.starts_with("//! Length:"));
        if length > FILE_REFUSED {
            findings.push(format!(
                "{}: {length} lines, above {FILE_REFUSED}: split by stage or type",
                source.path
            ));
        } else if length > FILE_NEEDS_REASON && !reasoned {
            findings
                .push(format!("{}: {length} lines and no `//! Length:` line with the reason", source.path));
        }
    }
    report("file lengths (DESIGN §6)", findings);
}

#[test]
fn functions_keep_to_their_lengths() {
    let (mut findings, mut long) = (Vec::new(), Vec::new());
    for source in sources() {
        let tests = test_lines(&source.text);
        let lines: Vec<&str> = source.text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            if tests[start] || is_test_file(&source.path) || !starts_function(line) {
                continue;
            }
            let indent = " ".repeat(line.len() - line.trim_start().len());
            let close = format!("{indent}}}");
            let Some(end) = (start..lines.len())
                .find(|at| lines[*at] == close || lines[*at].ends_with(';') && *at == start)
            else {
                continue;
            };
            let length = end - start + 1;
            let text = format!("{}:{}: {length} lines: {}", source.path, start + 1, line.trim());
            if length > FUNCTION_REFUSED {
                findings.push(text);
            } else if length > FUNCTION_ADVISED {
                long.push(text);
            }
        }
    }
    println!("functions of {FUNCTION_ADVISED} to {FUNCTION_REFUSED} lines:\n{}", long.join("\n"));
    report("function lengths (DESIGN §6)", findings);
}

fn starts_function(line: &str) -> bool {
    let mut rest = line.trim_start();
    for prefix in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    rest.starts_with("fn ") && !rest.ends_with('}')
}

#[test]
fn files_open_with_their_purpose() {
    let without = sources().into_iter().filter(|source| !source.text.starts_with("//!"));
    report("file headers (DESIGN §6)", without.map(|source| source.path).collect());
}

#[test]
fn names_say_something() {
    let mut findings = Vec::new();
    for source in sources() {
        let parts = source.path.trim_end_matches(".rs").split('/');
        if parts.clone().any(|part| FORBIDDEN_NAMES.contains(&part)) {
            findings.push(source.path.clone());
        }
        for (number, line) in bare_lines(&source.text).iter().enumerate() {
            let name = line.trim().strip_prefix("pub ").unwrap_or(line.trim()).strip_prefix("mod ");
            let name = name.map(|name| name.trim_end_matches([' ', ';', '{']));
            if name.is_some_and(|name| FORBIDDEN_NAMES.contains(&name)) {
                findings.push(format!("{}:{}: {line}", source.path, number + 1));
            }
        }
    }
    report("forbidden names (DESIGN §6)", findings);
}

#[test]
fn every_unsafe_argues() {
    let mut findings = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in bare_lines(&source.text).iter().enumerate() {
            let is_block = line.contains("unsafe {") || line.trim_end().ends_with("unsafe");
            let is_impl = line.trim_start().starts_with("unsafe impl");
            if (is_block || is_impl) && !is_argued(&lines, number) {
                findings.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    report("unsafe without SAFETY (DESIGN §6)", findings);
}

/// SAFETY stands on the line itself or in the comment right above its statement.
fn is_argued(lines: &[&str], number: usize) -> bool {
    if lines[number].contains("SAFETY:") {
        return true;
    }
    for line in lines[..number].iter().rev().take(12).map(|line| line.trim()) {
        if line.contains("SAFETY:") {
            return true;
        }
        let ends_statement = line.ends_with([';', '}']) || line.is_empty();
        if ends_statement && !line.starts_with("//") && !line.contains("unsafe") {
            return false;
        }
    }
    false
}

#[test]
fn nothing_is_left_over() {
    let marks = ["todo!(", "unimplemented!(", "dbg!("];
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            let comment = line.find("//").map_or("", |at| &line[at..]);
            let is_left = marks.iter().any(|mark| code_of(line).contains(mark))
                || ["TODO", "FIXME", "XXX:"].iter().any(|word| comment.contains(word));
            if is_left {
                findings.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    report("left-overs (DESIGN §6)", findings);
}
