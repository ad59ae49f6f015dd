//! Latency over time as an SVG and a CSV file: per 100 ms the median and the worst request of each side, the span of its save shaded.
//!
//! Called by scenario/latency. Invariant: both sides share one time axis (the start of their own run) and one logarithmic latency axis. Bounds: 2 minutes.

use std::fmt::Write;
use std::path::Path;

use plotters::prelude::*;

use crate::Outcome;
use crate::generator::Moment;

const BUCKET_MS: u32 = 100;
const WIDTH: i32 = 1000;
const HEIGHT: i32 = 420;
const LEFT: i32 = 90;
const TOP: i32 = 60;
/// The axis shows 10 µs to 10 s.
const LOWEST_US: f64 = 10.0;
const HIGHEST_US: f64 = 10_000_000.0;

/// One side's run.
pub struct Line {
    /// What the chart calls it.
    pub name: String,
    /// Its colour.
    pub is_ours: bool,
    /// Every request.
    pub moments: Vec<Moment>,
    /// When its save began, in ms from the start.
    pub from_ms: u32,
    /// When it ended.
    pub to_ms: u32,
}

/// One bucket of a side.
struct Bucket {
    at_ms: u32,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

/// The value at a share of a sorted list; 0 of nothing.
pub fn percentile(sorted: &[u32], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().map_or(0.0, f64::from)
}

fn buckets(line: &Line) -> Vec<Bucket> {
    let count = line.moments.iter().map(|moment| moment.due_ms / BUCKET_MS).max().unwrap_or(0) as usize + 1;
    let mut took = vec![Vec::new(); count];
    for moment in &line.moments {
        took[(moment.due_ms / BUCKET_MS) as usize].push(moment.took_us);
    }
    let one = |(index, mut took): (usize, Vec<u32>)| {
        took.sort_unstable();
        Bucket {
            at_ms: index as u32 * BUCKET_MS,
            p50_us: percentile(&took, 0.5),
            p99_us: percentile(&took, 0.99),
            max_us: percentile(&took, 1.0),
        }
    };
    took.into_iter().enumerate().filter(|(_, took)| !took.is_empty()).map(one).collect()
}

/// Writes `latency-over-time.svg` and `.csv`.
pub fn write(directory: &Path, lines: &[Line]) -> Outcome<()> {
    let all: Vec<(&Line, Vec<Bucket>)> = lines.iter().map(|line| (line, buckets(line))).collect();
    let mut csv = String::from("server,at_ms,saving,p50_us,p99_us,max_us\n");
    for (line, buckets) in &all {
        for bucket in buckets {
            let saving = (line.from_ms..line.to_ms).contains(&bucket.at_ms);
            let Bucket { at_ms, p50_us, p99_us, max_us } = bucket;
            let _ = writeln!(csv, "{},{at_ms},{saving},{p50_us},{p99_us},{max_us}", line.name);
        }
    }
    std::fs::write(directory.join("latency-over-time.csv"), csv)?;
    draw(&directory.join("latency-over-time.svg"), &all)
        .map_err(|error| format!("latency-over-time.svg: {error}").into())
}

/// Where a latency stands on the axis.
fn y_of(us: f64) -> i32 {
    let share = (us.clamp(LOWEST_US, HIGHEST_US) / LOWEST_US).log10() / (HIGHEST_US / LOWEST_US).log10();
    TOP + HEIGHT - (share * f64::from(HEIGHT)) as i32
}

fn draw(path: &Path, all: &[(&Line, Vec<Bucket>)]) -> Result<(), String> {
    let area =
        SVGBackend::new(path, ((LEFT + WIDTH + 30) as u32, (TOP + HEIGHT + 50) as u32)).into_drawing_area();
    let told = |error: &dyn std::fmt::Display| error.to_string();
    area.fill(&WHITE).map_err(|error| told(&error))?;
    let put = |words: &str, at: (i32, i32), size: i32, color: RGBColor| {
        let style = TextStyle::from(("sans-serif", size).into_font()).color(&color);
        area.draw_text(words, &style, at).map_err(|error| told(&error))
    };
    let end_ms =
        all.iter().flat_map(|(_, buckets)| buckets.last()).map(|bucket| bucket.at_ms).max().unwrap_or(1);
    let x_of = |at_ms: u32| {
        LEFT + (f64::from(at_ms.min(end_ms)) / f64::from(end_ms.max(1)) * f64::from(WIDTH)) as i32
    };
    put(
        "SET latency while a snapshot is written: worst (thick) and median (thin) per 100 ms",
        (LEFT, 8),
        17,
        BLACK,
    )?;
    for (row, (line, _)) in all.iter().enumerate() {
        let color = color_of(line);
        let span = Rectangle::new(
            [(x_of(line.from_ms), TOP), (x_of(line.to_ms), TOP + HEIGHT)],
            color.mix(0.08).filled(),
        );
        area.draw(&span).map_err(|error| told(&error))?;
        put(&format!("{} (shaded: its BGSAVE)", line.name), (LEFT + row as i32 * 320, 34), 14, color)?;
    }
    for (us, label) in [
        (10.0, "10 us"),
        (100.0, "100 us"),
        (1e3, "1 ms"),
        (1e4, "10 ms"),
        (1e5, "100 ms"),
        (1e6, "1 s"),
        (1e7, "10 s"),
    ] {
        let grid =
            PathElement::new(vec![(LEFT, y_of(us)), (LEFT + WIDTH, y_of(us))], RGBColor(210, 210, 210));
        area.draw(&grid).map_err(|error| told(&error))?;
        put(label, (24, y_of(us) - 7), 13, BLACK)?;
    }
    for second in (0..=end_ms / 1000).step_by((end_ms as usize / 10_000).max(1)) {
        put(&format!("{second} s"), (x_of(second * 1000) - 8, TOP + HEIGHT + 10), 13, BLACK)?;
    }
    for (line, buckets) in all {
        let color = color_of(line);
        let points = |value: fn(&Bucket) -> f64| -> Vec<(i32, i32)> {
            buckets.iter().map(|bucket| (x_of(bucket.at_ms), y_of(value(bucket)))).collect()
        };
        let worst = PathElement::new(points(|bucket| bucket.max_us), color.stroke_width(2));
        area.draw(&worst).map_err(|error| told(&error))?;
        let median = PathElement::new(points(|bucket| bucket.p50_us), color.mix(0.6).stroke_width(1));
        area.draw(&median).map_err(|error| told(&error))?;
    }
    area.present().map_err(|error| told(&error))
}

fn color_of(line: &Line) -> RGBColor {
    if line.is_ours { RGBColor(40, 120, 80) } else { RGBColor(190, 70, 50) }
}
