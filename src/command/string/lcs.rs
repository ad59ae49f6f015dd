//! LCS: the longest common subsequence of two strings.
//!
//! Called through its row. Invariant: among equally long subsequences the one redis finds: where both neighbours of a cell are equal the walk back goes
//! along the second string. Bounds: time |a|·|b|; memory 4·(|a|+1)·(|b|+1) bytes, refused above `proto-max-bulk-len` even where LEN alone needs two rows.
//! Both texts are copied: their keys may lie on different shards.

use std::ops::RangeInclusive;

use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::ReplyError;

/// The options of LCS.
#[derive(Default)]
struct Options {
    idx: bool,
    len: bool,
    with_match_len: bool,
    min_match_len: i64,
}

impl Options {
    fn parse(cx: &Cx<'_>) -> Result<Options, ReplyError> {
        let mut options = Options::default();
        let mut index = 3;
        while index < cx.argc() {
            let word = cx.arg(index);
            if word.eq_ignore_ascii_case(b"idx") {
                options.idx = true;
            } else if word.eq_ignore_ascii_case(b"len") {
                options.len = true;
            } else if word.eq_ignore_ascii_case(b"withmatchlen") {
                options.with_match_len = true;
            } else if word.eq_ignore_ascii_case(b"minmatchlen") && index + 1 < cx.argc() {
                index += 1;
                options.min_match_len = parse_i64(cx.arg(index)).ok_or(ReplyError::NotInteger)?;
            } else {
                return Err(ReplyError::Syntax);
            }
            index += 1;
        }
        if options.idx && options.len {
            return Err(ReplyError::Text(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

/// Positions of a run that both strings share.
struct Match {
    a: RangeInclusive<usize>,
    b: RangeInclusive<usize>,
}

impl Match {
    fn len(&self) -> usize {
        self.a.end() - self.a.start() + 1
    }
}

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]`
pub fn lcs(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (a, b) = (copy_text(cx, 1), copy_text(cx, 2));
    let (Some(a), Some(b)) = (a, b) else {
        return Err(ReplyError::Text("ERR The specified keys must contain string values"));
    };
    let options = Options::parse(cx)?;
    if a.len().max(b.len()) >= u32::MAX as usize - 1 {
        return Err(ReplyError::Text("ERR String too long for LCS"));
    }
    let cells = (a.len() + 1) * (b.len() + 1);
    if cells.saturating_mul(size_of::<u32>()) > cx.settings.proto_max_bulk_len {
        return Err(ReplyError::Text(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    if options.len {
        cx.out.integer(i64::from(common_len(&a, &b)));
        return Ok(());
    }
    let table = Table::fill(&a, &b);
    let (text, matches) = table.walk_back(&a, &b);
    if options.idx {
        write_matches(cx, &options, &matches, text.len());
    } else {
        cx.out.bulk(&text);
    }
    Ok(())
}

/// The text of the string at word `index`, empty if there is no key; `None` for other types.
fn copy_text(cx: &mut Cx<'_>, index: usize) -> Option<Vec<u8>> {
    let key = cx.key(index);
    match cx.lookup_read(&key) {
        Some(entry) => entry.text().map(|text| text.into_owned()),
        None => {
            cx.notify_miss(key.bytes);
            Some(Vec::new())
        }
    }
}

fn write_matches(cx: &mut Cx<'_>, options: &Options, matches: &[Match], len: usize) {
    let out = &mut *cx.out;
    let long_enough = |found: &&Match| found.len() as i64 >= options.min_match_len;
    out.map(2);
    out.bulk(b"matches");
    out.array(matches.iter().filter(long_enough).count());
    for found in matches.iter().filter(long_enough) {
        out.array(2 + usize::from(options.with_match_len));
        for range in [&found.a, &found.b] {
            out.array(2);
            out.integer(*range.start() as i64);
            out.integer(*range.end() as i64);
        }
        if options.with_match_len {
            out.integer(found.len() as i64);
        }
    }
    out.bulk(b"len");
    out.integer(len as i64);
}

/// One row of the table from the one before: the lengths for the prefixes of `b` with one more byte of `a`.
fn next_row(byte: u8, b: &[u8], before: &[u32], row: &mut [u32]) {
    let mut left = 0;
    for (at, &other) in b.iter().enumerate() {
        left = if byte == other { before[at] + 1 } else { left.max(before[at + 1]) };
        row[at + 1] = left;
    }
}

/// The length alone: two rows suffice.
fn common_len(a: &[u8], b: &[u8]) -> u32 {
    let (mut before, mut row) = (vec![0; b.len() + 1], vec![0; b.len() + 1]);
    for &byte in a {
        next_row(byte, b, &before, &mut row);
        std::mem::swap(&mut before, &mut row);
    }
    before[b.len()]
}

/// Lengths for all pairs of prefixes, row by row.
struct Table {
    width: usize,
    cells: Vec<u32>,
}

impl Table {
    fn fill(a: &[u8], b: &[u8]) -> Table {
        let width = b.len() + 1;
        let mut cells = vec![0; width * (a.len() + 1)];
        for (at, &byte) in a.iter().enumerate() {
            let (done, rest) = cells.split_at_mut((at + 1) * width);
            next_row(byte, b, &done[at * width..], &mut rest[..width]);
        }
        Table { width, cells }
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * self.width + j]
    }

    /// The subsequence, and its runs from the last to the first.
    fn walk_back(&self, a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<Match>) {
        let (mut i, mut j) = (a.len(), b.len());
        let mut text = Vec::with_capacity(self.at(i, j) as usize);
        let (mut matches, mut run) = (Vec::new(), None::<(usize, usize)>);
        // A run is open from its last bytes; it reaches down to `i`, `j`.
        let close = |run: &mut Option<(usize, usize)>, i: usize, j: usize, matches: &mut Vec<Match>| {
            if let Some((a_last, b_last)) = run.take() {
                matches.push(Match { a: i..=a_last, b: j..=b_last });
            }
        };
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                text.push(a[i]);
                run.get_or_insert((i, j));
                continue;
            }
            close(&mut run, i, j, &mut matches);
            if self.at(i - 1, j) > self.at(i, j - 1) { i -= 1 } else { j -= 1 }
        }
        close(&mut run, i, j, &mut matches);
        text.reverse();
        (text, matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_example() {
        let (a, b) = (b"ohmytext", b"mynewtext");
        let (text, matches) = Table::fill(a, b).walk_back(a, b);
        assert_eq!(text, b"mytext");
        assert_eq!(common_len(a, b), 6);
        let ranges: Vec<_> = matches.iter().map(|found| (found.a.clone(), found.b.clone())).collect();
        assert_eq!(ranges, [(4..=7, 5..=8), (2..=3, 0..=1)]);
    }
}
