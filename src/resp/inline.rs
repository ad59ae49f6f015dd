//! Inline commands: a line of words as typed into telnet, with quotes.
//!
//! Called by the parser with a whole line. Invariant: the words are those redis' own splitting gives: blanks separate;
//! `"…"` knows `\n \r \t \b \a \xHH` and any escaped byte; `'…'` knows only `\'`; a closing quote must end the word.
use super::args::Span;

/// Splits `line`, appending the decoded words to `decoded` and their places to `places`; false if quotes do not match.
pub(super) fn split(line: &[u8], decoded: &mut Vec<u8>, mut places: impl FnMut(Span)) -> bool {
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|&byte| is_blank(byte)) {
            at += 1;
        }
        if at >= line.len() {
            return true;
        }
        let start = decoded.len();
        let Some(next) = take_word(line, at, decoded) else { return false };
        places(Span::small(start, decoded.len() - start));
        at = next;
    }
}

/// The words of `line`, each on its own; `None` if quotes do not match.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut decoded, mut places) = (Vec::new(), Vec::new());
    let whole = split(line, &mut decoded, |place| places.push(place));
    let args = super::Args::new(&decoded, &places, &[]);
    whole.then(|| args.iter().map(<[u8]>::to_vec).collect())
}

/// C's `isspace`.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Decodes one word from `at`; returns where the line goes on, or `None` if its quotes do not match.
fn take_word(line: &[u8], mut at: usize, decoded: &mut Vec<u8>) -> Option<usize> {
    while let Some(&byte) = line.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Some(at + 1),
            b'"' => return end_of_quotes(line, take_double_quoted(line, at + 1, decoded)?),
            b'\'' => return end_of_quotes(line, take_single_quoted(line, at + 1, decoded)?),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    Some(at)
}

/// After a closing quote the word must be over.
fn end_of_quotes(line: &[u8], at: usize) -> Option<usize> {
    line.get(at).is_none_or(|&byte| is_blank(byte)).then_some(at)
}

fn take_double_quoted(line: &[u8], mut at: usize, decoded: &mut Vec<u8>) -> Option<usize> {
    loop {
        let hex = |offset: usize| line.get(at + offset).and_then(|&byte| char::from(byte).to_digit(16));
        match (line.get(at)?, line.get(at + 1)) {
            (b'"', _) => return Some(at + 1),
            (b'\\', Some(b'x')) if hex(2).is_some() && hex(3).is_some() => {
                decoded.push((hex(2)? * 16 + hex(3)?) as u8);
                at += 4;
            }
            (b'\\', Some(&escaped)) => {
                decoded.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            (&byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
}

fn take_single_quoted(line: &[u8], mut at: usize, decoded: &mut Vec<u8>) -> Option<usize> {
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (b'\'', _) => return Some(at + 1),
            (b'\\', Some(b'\'')) => {
                decoded.push(b'\'');
                at += 2;
            }
            (&byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
}
