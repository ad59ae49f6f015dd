//! The lines of an AOF that begin with `#`: comments to every reader of redis 7; time stamps, and in our files the checksums of groups of commands.
//!
//! Called by persist/ and crash/, which compare our files with redis' own: only the commands are to be equal. Invariant: a `#` within a word of a command
//! is no annotation. Bytes that are neither command nor annotation count as commands to their end.

use std::ops::Range;

/// Where the annotations are, their line ends included; the last may be cut off.
pub fn annotations(file: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < file.len() {
        let line = file[at..].iter().position(|byte| *byte == b'\n').map(|end| at + end + 1);
        if file[at] == b'#' {
            let end = line.unwrap_or(file.len());
            found.push(at..end);
            at = end;
        } else {
            let Some(end) = line.and_then(|behind| command_end(file, at, behind)) else { break };
            at = end;
        }
    }
    found
}

/// The commands alone.
pub fn without_annotations(file: &[u8]) -> Vec<u8> {
    let (mut commands, mut at) = (Vec::new(), 0);
    for line in annotations(file) {
        commands.extend_from_slice(&file[at..line.start]);
        at = line.end;
    }
    commands.extend_from_slice(&file[at..]);
    commands
}

/// Where a command whose header ends at `behind` ends; none if it is cut off or is no command.
fn command_end(file: &[u8], start: usize, behind: usize) -> Option<usize> {
    let number = |mark: u8, from: usize, to: usize| -> Option<usize> {
        let line = file.get(from..to)?.strip_prefix(&[mark])?.strip_suffix(b"\r\n")?;
        std::str::from_utf8(line).ok()?.parse().ok()
    };
    let mut at = behind;
    for _ in 0..number(b'*', start, behind)? {
        let header = at + file.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1;
        at = header.checked_add(number(b'$', at, header)?)?.checked_add(2)?;
        if at > file.len() {
            return None;
        }
    }
    Some(at)
}

#[test]
fn annotations_are_found_and_words_left_alone() {
    let commands = b"*2\r\n$3\r\nGET\r\n$4\r\n\n#a\n\r\n*1\r\n$4\r\nPING\r\n";
    let file = [b"#TS:1\r\n".as_slice(), &commands[..23], b"#GRP:7\r\n", &commands[23..], b"#cu"].concat();
    assert_eq!(without_annotations(&file), commands);
    assert_eq!(annotations(&file), [0..7, 30..38, 52..55]);
    assert_eq!(without_annotations(b"*2\r\n$3\r\nGE"), b"*2\r\n$3\r\nGE");
}
