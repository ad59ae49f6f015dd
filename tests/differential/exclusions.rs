//! The file `exclusions.txt`: which replies are not compared byte for byte, how they are compared, and why.
//!
//! Called by `lockstep` for every command. Invariant: a line without a reason is refused, so that no exclusion
//! can be added silently.

use std::collections::BTreeMap;

/// How two replies are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Byte for byte.
    Exact,
    /// Not sent at all.
    Skip,
    /// Errors exact; otherwise the same wire type.
    Shape,
    /// As shape, and the same lengths.
    Random,
    /// The same elements in any order.
    Unordered,
    /// The same after sorting every array and map, the inner ones first.
    Nested,
    /// The same pairs in any order.
    Pairs,
    /// Integers within this distance.
    Near(i64),
    /// A map but for the values of these fields.
    Fields(Vec<String>),
    /// Times of streams: unix ms, idle times.
    Times,
    /// ACL rules: single commands in any order, without those that redis 7.0 does not have.
    Rules,
    /// Errors with the same first word.
    ErrorKind,
}

struct Line {
    mode: Mode,
    pattern: Vec<Vec<u8>>,
    open: bool,
}

/// The parsed file.
pub struct Exclusions {
    lines: Vec<Line>,
    untried: BTreeMap<String, String>,
}

impl Exclusions {
    /// Parses the file; panics on a line that is not `action | pattern | reason`.
    pub fn parse(text: &str) -> Exclusions {
        let (mut lines, mut untried) = (Vec::new(), BTreeMap::new());
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let parts: Vec<&str> = line.split('|').map(str::trim).collect();
            let [action, pattern, reason] = parts[..] else { panic!("line {}: {line}", number + 1) };
            assert!(!reason.is_empty(), "line {} gives no reason", number + 1);
            if action == "untried" {
                untried.insert(pattern.to_lowercase().replace(' ', "|"), reason.to_owned());
                continue;
            }
            let mut words: Vec<Vec<u8>> = pattern.split_whitespace().map(|word| word.into()).collect();
            let open = words.last().is_some_and(|word| word == b"...");
            if open {
                words.pop();
            }
            lines.push(Line { mode: parse_mode(action), pattern: words, open });
        }
        Exclusions { lines, untried }
    }

    /// Commands (as in COMMAND LIST) that need not succeed here, and why.
    pub fn untried(&self) -> &BTreeMap<String, String> {
        &self.untried
    }

    /// How this command's replies are compared.
    pub fn mode(&self, args: &[Vec<u8>]) -> Mode {
        let found = self.lines.iter().find(|line| {
            (args.len() == line.pattern.len() || line.open && args.len() >= line.pattern.len())
                && line.pattern.iter().zip(args).all(|(pattern, arg)| glob(pattern, arg))
        });
        found.map_or(Mode::Exact, |line| line.mode.clone())
    }
}

fn parse_mode(action: &str) -> Mode {
    match action.split_once(':').unwrap_or((action, "")) {
        ("exact", _) => Mode::Exact,
        ("skip", _) => Mode::Skip,
        ("shape", _) => Mode::Shape,
        ("random", _) => Mode::Random,
        ("unordered", _) => Mode::Unordered,
        ("nested", _) => Mode::Nested,
        ("pairs", _) => Mode::Pairs,
        ("error-kind", _) => Mode::ErrorKind,
        ("rules", _) => Mode::Rules,
        ("times", _) => Mode::Times,
        ("near", distance) => Mode::Near(distance.parse().expect("near:N")),
        ("fields", names) => Mode::Fields(names.split(',').map(str::to_owned).collect()),
        (other, _) => panic!("unknown action {other}"),
    }
}

/// `*` and `[abc]` are enough here; anything else is itself, in any case.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.first() {
        None => text.is_empty(),
        Some(b'*') => (0..=text.len()).any(|cut| glob(&pattern[1..], &text[cut..])),
        Some(b'[') => {
            let end = pattern.iter().position(|byte| *byte == b']').expect("]");
            text.first().is_some_and(|byte| pattern[1..end].contains(&byte.to_ascii_lowercase()))
                && glob(&pattern[end + 1..], &text[1..])
        }
        Some(byte) => {
            text.first().is_some_and(|other| byte.eq_ignore_ascii_case(other))
                && glob(&pattern[1..], &text[1..])
        }
    }
}

#[test]
fn patterns_match_whole_commands() {
    let text = "near:5 | TTL * | time\nskip | CLIENT REPLY [os]* | silent\nshape | SCAN ... | own order";
    let exclusions = Exclusions::parse(text);
    let mode =
        |line: &str| exclusions.mode(&line.split(' ').map(|word| word.into()).collect::<Vec<Vec<u8>>>());
    assert_eq!(mode("ttl k"), Mode::Near(5));
    assert_eq!(mode("ttl k x"), Mode::Exact);
    assert_eq!(mode("client reply OFF"), Mode::Skip);
    assert_eq!(mode("client reply garbage"), Mode::Exact);
    assert_eq!(mode("SCAN 0 COUNT 5"), Mode::Shape);
}
