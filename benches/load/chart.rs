//! One SVG chart per scenario: the ratio ours/peer of every charted figure as a bar, its range as a whisker.
//!
//! Called by main. Invariant: the line at 1.0 is the peer; a bar is green where ours was the better side in every pair,
//! red where it was the worse in every pair, grey where the pairs disagree: then there is nothing to claim. Bounds: ratios over 3 are cut at the edge (the text beside the bar still says the number).

use std::path::Path;

use plotters::prelude::*;

use crate::Outcome;
use crate::report::{Figure, Report, Spread};

const BAR_HEIGHT: u32 = 26;
const LABEL_WIDTH: i32 = 330;
const PLOT_WIDTH: i32 = 560;
const TOP: i32 = 70;
const MAX_RATIO: f64 = 3.0;

/// Draws `DIR/SCENARIO.svg` for every scenario that has a ratio to show.
pub fn write_all(report: &Report, dir: &Path) -> Outcome<()> {
    let mut drawn: Vec<&str> = Vec::new();
    for scenario in report.figures.iter().map(|figure| figure.scenario) {
        if drawn.contains(&scenario) {
            continue;
        }
        drawn.push(scenario);
        let bars: Vec<(&Figure, Spread)> = report
            .figures
            .iter()
            .filter(|figure| figure.scenario == scenario && figure.metric.charted)
            .filter_map(|figure| Some((figure, figure.ratio()?)))
            .collect();
        if !bars.is_empty() {
            let [ours, peer] = report.names(scenario);
            let title = format!("{scenario}: {ours} / {peer}");
            draw(&dir.join(format!("{scenario}.svg")), &title, &bars)
                .map_err(|error| format!("chart of {scenario}: {error}"))?;
        }
    }
    Ok(())
}

fn draw(path: &Path, title: &str, bars: &[(&Figure, Spread)]) -> Outcome<()> {
    let height = TOP as u32 + bars.len() as u32 * BAR_HEIGHT + 30;
    let area = SVGBackend::new(path, ((LABEL_WIDTH + PLOT_WIDTH + 130) as u32, height)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| error.to_string())?;
    let text = |size: i32| TextStyle::from(("sans-serif", size).into_font()).color(&BLACK);
    let put = |words: String, at: (i32, i32), size: i32| {
        area.draw_text(&words, &text(size), at).map_err(|error| error.to_string())
    };
    put(title.to_owned(), (12, 10), 20)?;
    put("median of the pairs' ratios, whisker = smallest and largest".to_owned(), (12, 36), 13)?;
    let shown = bars.iter().map(|(_, ratio)| ratio.max).fold(1.2, f64::max).min(MAX_RATIO);
    let at = |ratio: f64| LABEL_WIDTH + (ratio.min(shown) / shown * f64::from(PLOT_WIDTH)) as i32;
    for (row, (figure, ratio)) in bars.iter().enumerate() {
        let top = TOP + row as i32 * BAR_HEIGHT as i32;
        let color = color_of(figure, ratio);
        let body = Rectangle::new([(at(0.0), top + 4), (at(ratio.median), top + 20)], color.filled());
        area.draw(&body).map_err(|error| error.to_string())?;
        let whisker = PathElement::new(vec![(at(ratio.min), top + 12), (at(ratio.max), top + 12)], BLACK);
        area.draw(&whisker).map_err(|error| error.to_string())?;
        if let Some(bar) = figure.bar {
            let mark = PathElement::new(vec![(at(bar), top + 1), (at(bar), top + 23)], BLUE.stroke_width(2));
            area.draw(&mark).map_err(|error| error.to_string())?;
        }
        put(format!("{} {}", figure.case, figure.metric.name), (12, top + 5), 14)?;
        let beside = at(ratio.median.max(ratio.max)) + 6;
        put(format!("{:.2} [{:.2}..{:.2}]", ratio.median, ratio.min, ratio.max), (beside, top + 5), 13)?;
    }
    let bottom = TOP + bars.len() as i32 * BAR_HEIGHT as i32;
    let peer_line = PathElement::new(vec![(at(1.0), TOP - 6), (at(1.0), bottom)], BLACK);
    area.draw(&peer_line).map_err(|error| error.to_string())?;
    put(
        "1.0 = the second; grey = pairs disagree; blue = the bar to keep".to_owned(),
        (LABEL_WIDTH, bottom + 6),
        13,
    )?;
    area.present().map_err(|error| error.to_string())?;
    Ok(())
}

/// Green, red, or grey when the range holds the peer's 1.0.
fn color_of(figure: &Figure, ratio: &Spread) -> RGBColor {
    let (always_lower, always_higher) = (ratio.max < 1.0, ratio.min > 1.0);
    match (always_lower, always_higher) {
        (false, false) => RGBColor(150, 150, 150),
        (lower, _) if lower == figure.metric.lower_is_better => RGBColor(72, 148, 96),
        _ => RGBColor(196, 84, 72),
    }
}
