//! A scenario's figures as a text table: medians, spread, ratio ours/peer, bar.
//!
//! Called by main. Invariant: every number comes with its range, so nobody mistakes noise for a gain.

use crate::report::{Report, Spread};

/// Renders the table and the notes of one scenario.
pub fn render(report: &Report, scenario: &str) -> String {
    let [ours, peer] = report.names(scenario);
    let mut rows = vec![["case", "metric", ours, peer, "ratio", "bar"].map(str::to_owned)];
    let mut last_case = "";
    for figure in report.figures.iter().filter(|figure| figure.scenario == scenario) {
        let case = if figure.case == last_case { "" } else { &figure.case };
        last_case = &figure.case;
        let verdict = match figure.keeps_bar() {
            Some(true) => "ok",
            Some(false) => "MISSED",
            None => "",
        };
        let bar = match (figure.limit, figure.bar) {
            (Some(limit), _) => format!("ours <= {limit} {verdict}"),
            (None, Some(bar)) if figure.metric.lower_is_better => format!("<= {bar:.2} {verdict}"),
            (None, Some(bar)) => format!(">= {bar:.2} {verdict}"),
            (None, None) => String::new(),
        };
        rows.push([
            case.to_owned(),
            figure.metric.name.to_owned(),
            cell(Spread::of(&figure.ours)),
            cell(Spread::of(&figure.peer)),
            cell(figure.ratio()),
            bar,
        ]);
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = (*width).max(text.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        for (column, (value, width)) in row.iter().zip(widths).enumerate() {
            let padded = if column < 2 { format!("{value:<width$}") } else { format!("{value:>width$}") };
            text += &padded;
            text += "  ";
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for (_, note) in report.notes.iter().filter(|(of, _)| *of == scenario) {
        text += &format!("note: {note}\n");
    }
    text
}

/// `median [min..max]`.
fn cell(spread: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = spread else { return "-".to_owned() };
    format!("{} [{}..{}]", number(median), number(min), number(max))
}

/// Three significant digits or whole numbers.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}
