//! The ASCII graph of LATENCY GRAPH: one column per sample, newest on the right, its age below.
//!
//! Called by `observe::commands::latency`. Form: a heading, 80 dashes, then blocks of up to 80 columns: four rows of bars (three levels per row:
//! `_`, `o`, `#`, and `|` below), a row of blanks, and the labels written downwards. Bounds: 160 columns.

use std::fmt::Write;

use super::latency::Samples;

/// Columns of one block.
const COLUMNS: usize = 80;
/// Rows of bars in one block.
const ROWS: usize = 4;
/// Signs of a cell from low to high.
const SIGNS: &[u8; 3] = b"_o#";

/// The graph of one event at `now_s` (wall seconds).
pub fn graph(event: &str, samples: &Samples, now_s: i64) -> String {
    let values = || samples.series.iter().map(|(_, took_ms)| *took_ms);
    let (low, high) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{event} - high {high} ms, low {low} ms (all time high {} ms)", samples.max_ms);
    text.push_str(&"-".repeat(COLUMNS));
    text.push('\n');
    for block in samples.series.chunks(COLUMNS) {
        draw(&mut text, block, low, high, now_s);
    }
    text
}

/// The age of a sample: seconds, minutes, hours or days.
fn label(age_s: i64) -> String {
    match age_s.max(0) {
        age @ 0..60 => format!("{age}s"),
        age @ 60..3600 => format!("{}m", age / 60),
        age @ 3600..86_400 => format!("{}h", age / 3600),
        age => format!("{}d", age / 86_400),
    }
}

fn draw(text: &mut String, block: &[(i64, u64)], low: u64, high: u64, now_s: i64) {
    let range = (high - low).max(1) as f64;
    let steps = SIGNS.len() * ROWS;
    let level = |took_ms: u64| (((took_ms - low) as f64 * steps as f64 / range) as usize).min(steps - 1);
    for row in (0..ROWS).rev() {
        for (_, took_ms) in block {
            let level = level(*took_ms);
            let sign = match level / SIGNS.len() {
                at if at == row => SIGNS[level % SIGNS.len()] as char,
                at if at > row => '|',
                _ => ' ',
            };
            text.push(sign);
        }
        text.push('\n');
    }
    text.push_str(&" ".repeat(block.len()));
    text.push('\n');
    let labels: Vec<String> = block.iter().map(|(at_s, _)| label(now_s - at_s)).collect();
    for row in 0..labels.iter().map(String::len).max().unwrap_or(0) {
        for label in &labels {
            text.push(label.as_bytes().get(row).map_or(' ', |byte| *byte as char));
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_drawn_as_redis_draws_it() {
        let took = [10, 20, 30, 50, 10, 30];
        let at = [99, 100, 102, 103, 104, 105];
        let samples = Samples { series: at.into_iter().zip(took).collect(), max_ms: 50 };
        let dashes = "-".repeat(80);
        let expected = format!(
            "command - high 50 ms, low 10 ms (all time high 50 ms)\n{dashes}\n   #  \n  _| _\n _|| |\n_|||_|\n      \n332222\n108765\nssssss\n"
        );
        assert_eq!(graph("command", &samples, 130), expected);
    }
}
