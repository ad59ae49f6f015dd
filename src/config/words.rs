//! One line of a configuration file into words, and a value back into a quoted word.
//!
//! Called by `file`, `cmdline` and `rewrite`; calls nobody. The quoting rules are those of redis.conf: words are
//! separated by white space; `"..."` knows `\n \r \t \b \a \xHH` and a backslash before any other byte; `'...'` knows
//! only `\'`; a closing quote must be followed by white space or the end.
//! Extension: a word that starts with `#`, unquoted, behind a complete value, starts a comment. Redis refuses such
//! lines ("wrong number of arguments"), so no line that Redis accepts changes its meaning. Bounds: linear in the line.

/// The words of a line, and the comment behind them (from its `#` on), if any.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// The words, unquoted.
    pub words: Vec<Vec<u8>>,
    /// The trailing comment with its `#`.
    pub comment: Option<&'a [u8]>,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | 0)
}

/// Trims what Redis trims around a line.
pub fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let Some(start) = line.iter().position(|byte| !blank(byte)) else { return &[] };
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

/// Splits a line; `None` if its quotes are unbalanced.
pub fn split(line: &[u8]) -> Option<Line<'_>> {
    let mut result = Line::default();
    let mut at = 0;
    loop {
        while at < line.len() && is_space(line[at]) {
            at += 1;
        }
        if at == line.len() {
            return Some(result);
        }
        if line[at] == b'#' && starts_comment(&result.words, &line[at..]) {
            result.comment = Some(&line[at..]);
            return Some(result);
        }
        let (word, next) = next_word(line, at)?;
        result.words.push(word);
        at = next;
    }
}

/// Splits a line by the same quoting rules, without comments; `None` if its quotes are unbalanced.
pub fn split_plain(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut at) = (Vec::new(), 0);
    loop {
        while at < line.len() && is_space(line[at]) {
            at += 1;
        }
        if at == line.len() {
            return Some(words);
        }
        let (word, next) = next_word(line, at)?;
        words.push(word);
        at = next;
    }
}

/// Whether a `#` behind `words` starts a comment. The first value may be `#...` (a password); so may the rules of
/// `user` (`#hash`) and the new name of `rename-command`, unless the `#` stands alone.
fn starts_comment(words: &[Vec<u8>], rest: &[u8]) -> bool {
    let Some(directive) = words.first() else { return false };
    let alone = rest.len() == 1 || is_space(rest[1]);
    match words.len() {
        0 | 1 => false,
        _ if directive.eq_ignore_ascii_case(b"user") => alone,
        2 if directive.eq_ignore_ascii_case(b"rename-command") => false,
        _ => true,
    }
}

/// One word from `at`, and where it ends.
fn next_word(line: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut word = Vec::new();
    while at < line.len() && !is_space(line[at]) {
        match line[at] {
            b'"' => return double_quoted(line, at + 1, word),
            b'\'' => return single_quoted(line, at + 1, word),
            byte => word.push(byte),
        }
        at += 1;
    }
    Some((word, at))
}

fn closed(line: &[u8], at: usize) -> bool {
    at == line.len() || is_space(line[at])
}

fn double_quoted(line: &[u8], mut at: usize, mut word: Vec<u8>) -> Option<(Vec<u8>, usize)> {
    while at < line.len() {
        match line[at] {
            b'"' => return closed(line, at + 1).then_some((word, at + 1)),
            b'\\' if at + 3 < line.len() && line[at + 1] == b'x' && is_hex(&line[at + 2..at + 4]) => {
                word.push(hex(line[at + 2]) << 4 | hex(line[at + 3]));
                at += 4;
            }
            b'\\' if at + 1 < line.len() => {
                word.push(match line[at + 1] {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            byte => {
                word.push(byte);
                at += 1;
            }
        }
    }
    None
}

fn single_quoted(line: &[u8], mut at: usize, mut word: Vec<u8>) -> Option<(Vec<u8>, usize)> {
    while at < line.len() {
        match line[at] {
            b'\\' if line.get(at + 1) == Some(&b'\'') => {
                word.push(b'\'');
                at += 2;
            }
            b'\'' => return closed(line, at + 1).then_some((word, at + 1)),
            byte => {
                word.push(byte);
                at += 1;
            }
        }
    }
    None
}

fn is_hex(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).unwrap_or(0) as u8
}

/// Appends a value in double quotes, escaped so that [`split`] gives it back: the same form as MONITOR's.
pub use crate::resp::append_quoted as quote;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let line = split(line.as_bytes())?;
        Some(line.words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    fn list(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn quotes() {
        assert_eq!(words("a  \"b c\" 'd\\'e'"), list(&["a", "b c", "d'e"]));
        assert_eq!(words("a \"\\x41\\n\\\"\\q\""), list(&["a", "A\n\"q"]));
        assert_eq!(words("a x\"y\""), list(&["a", "xy"]));
        for bad in ["a \"b", "a 'b", "a \"b\"c", "a 'b'c", "a \"b\\\""] {
            assert_eq!(words(bad), None, "{bad}");
        }
        assert_eq!(words("  "), list(&[]));
    }

    #[test]
    fn comments_behind_a_value() {
        assert_eq!(words("save \"\"  # don't"), list(&["save", ""]));
        assert_eq!(words("port 1 #x \"y"), list(&["port", "1"]));
        assert_eq!(words("requirepass #secret"), list(&["requirepass", "#secret"]));
        assert_eq!(words("requirepass \"#secret\" #x"), list(&["requirepass", "#secret"]));
        assert_eq!(words("user bob on #abc # x"), list(&["user", "bob", "on", "#abc"]));
        assert_eq!(words("rename-command a #b # x"), list(&["rename-command", "a", "#b"]));
        assert_eq!(split(b"hz 1  # why").and_then(|line| line.comment), Some(&b"# why"[..]));
    }

    #[test]
    fn quoting_is_undone_by_splitting() {
        let every: Vec<u8> = (0..=255).collect();
        let mut line = b"x ".to_vec();
        quote(&mut line, &every);
        assert_eq!(split(&line).map(|line| line.words), Some(vec![b"x".to_vec(), every]));
    }
}
